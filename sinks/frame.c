/* What an event looks like outside: its JSON, and the key of its scope. */
#include "sinks/frame.h"

static bool is_object(struct rx_value value) { return value.kind == RX_RECORD || value.kind == RX_MAP; }

static uint32_t key_count(const struct rx_event *event)
{
    return event->mark && is_object(event->mark->key) ? rx_object_count(event->mark->key) : 0;
}

/* That of a count is known when it has closed. */
static bool has_window(const struct rx_event *event)
{
    return rx_mark_has_window(event->mark) && event->mark->start < event->mark->end;
}

static void write_window(struct rx_buffer *out, const struct rx_mark *mark)
{
    rx_buffer_text(out, ",\"window\":{\"start\":");
    rx_json_write(out, rx_timestamp(mark->start));
    rx_buffer_text(out, ",\"end\":");
    rx_json_write(out, rx_timestamp(mark->end));
    if (mark->flags & RX_WINDOW_EARLY)
        rx_buffer_text(out, mark->flags & RX_WINDOW_FINAL ? ",\"final\":true" : ",\"final\":false");
    if (mark->flags & RX_WINDOW_MERGED)
        rx_buffer_text(out, ",\"merged\":true");
    rx_buffer_append(out, "}", 1);
}

void rx_frame_json(struct rx_buffer *out, const struct rx_event *event)
{
    uint32_t keys = is_object(event->value) ? 0 : key_count(event);
    if (is_object(event->value) || (keys == 0 && !has_window(event))) {
        rx_json_write(out, event->value);
        return;
    }
    rx_buffer_append(out, "{", 1);
    for (uint32_t i = 0; i < keys; i++) {
        struct rx_value name, value;
        rx_object_entry(event->mark->key, i, &name, &value);
        rx_json_write(out, name);
        rx_buffer_append(out, ":", 1);
        rx_json_write(out, value);
        rx_buffer_append(out, ",", 1);
    }
    rx_buffer_text(out, "\"value\":");
    rx_json_write(out, event->value);
    if (has_window(event))
        write_window(out, event->mark);
    rx_buffer_append(out, "}", 1);
}

bool rx_frame_key(struct rx_buffer *out, const struct rx_event *event)
{
    uint32_t keys = key_count(event);
    for (uint32_t i = 0; i < keys; i++) {
        struct rx_value name, value;
        rx_object_entry(event->mark->key, i, &name, &value);
        if (keys > 1)
            rx_buffer_append(out, i == 0 ? "[" : ",", 1);
        rx_json_write(out, value);
    }
    if (keys > 1)
        rx_buffer_append(out, "]", 1);
    return keys > 0;
}
