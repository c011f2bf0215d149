/* Frames with their id, time and key. */
#include "core/io/serve/stream_meta.h"

static void write_id(struct rx_buffer *out, uint64_t generation, uint64_t sequence)
{
    rx_buffer_printf(out, "%llu-%llu", (unsigned long long)generation, (unsigned long long)sequence);
}

/* Exact: the last nanosecond before a window's end is not its end. */
static void write_ms(struct rx_buffer *out, rx_time t)
{
    rx_time rest = t % RX_MSEC;
    if (t < 0)
        rx_buffer_text(out, "-");
    rx_buffer_printf(out, "%lld", (long long)(t / RX_MSEC < 0 ? -(t / RX_MSEC) : t / RX_MSEC));
    if (rest)
        rx_buffer_printf(out, ".%06lld", (long long)(rest < 0 ? -rest : rest));
}

void rx_meta_json(struct rx_buffer *out, uint64_t generation, const struct rx_frame_view *f)
{
    rx_buffer_text(out, "{\"id\":\"");
    write_id(out, generation, f->sequence);
    rx_buffer_text(out, "\",\"at\":");
    write_ms(out, f->time);
    if (f->key_length) {
        rx_buffer_text(out, ",\"key\":");
        rx_buffer_append(out, f->key, f->key_length);
    }
    rx_buffer_append(out, f->beside, f->beside_length);
    rx_buffer_text(out, ",\"next\":");
    rx_buffer_append(out, f->json, f->json_length);
    rx_buffer_text(out, "}");
}

void rx_meta_sse(struct rx_buffer *out, uint64_t generation, const struct rx_frame_view *f)
{
    if (f->terminal) {
        rx_buffer_append(out, f->sse, f->sse_length);
        return;
    }
    rx_buffer_text(out, "id: ");
    write_id(out, generation, f->sequence);
    rx_buffer_printf(out, "\nevent: %s\ndata: ", f->event);
    rx_meta_json(out, generation, f);
    rx_buffer_text(out, "\n\n");
}
