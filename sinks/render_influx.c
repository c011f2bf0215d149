/* Events as lines of InfluxDB's protocol: numbers, truths and texts are fields; the fields of the group, or those that the user
 * names, are tags. */
#include "sinks/render.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/number.h"

struct text {
    const char *text;
    size_t length;
};

/* A backslash before each of `special`; a line break, which no line can hold, becomes a space. */
static void write_escaped(struct rx_buffer *out, struct text text, const char *special)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        bool breaks = c == '\n' || c == '\r';
        if (c && strchr(special, c))
            rx_buffer_append(out, "\\", 1);
        rx_buffer_append(out, breaks ? " " : &c, 1);
    }
}

/* As text, in `scratch` where it is none: 5, true, 2026-01-01T00:00:00Z, [1,2]. */
static struct text text_of(struct rx_value value, struct rx_buffer *scratch)
{
    if (value.kind == RX_STRING)
        return (struct text){value.u.text, value.aux};
    rx_buffer_clear(scratch);
    rx_json_write(scratch, value);
    bool quoted = scratch->length >= 2 && scratch->data[0] == '"';
    return (struct text){scratch->data + quoted, scratch->length - 2 * quoted};
}

static bool is_name(struct rx_value name, const char *text)
{
    return name.kind == RX_STRING && strlen(text) == name.aux && memcmp(text, name.u.text, name.aux) == 0;
}

static bool is_tag(const struct rx_render *r, const struct rx_event *event, struct rx_value name)
{
    const struct rx_strings *tags = &r->options->influx.tags;
    for (size_t i = 0; i < tags->count; i++)
        if (is_name(name, tags->items[i]))
            return true;
    return tags->count == 0 && event->mark && rx_object_get(event->mark->key, name);
}

/* What has its own place in a line, or none. */
static bool is_apart(const struct rx_render *r, const struct rx_event *event, struct rx_value name,
                     struct rx_value value)
{
    return (is_name(name, "measurement") && value.kind == RX_STRING && !r->options->influx.measurement) ||
           (is_name(name, "time") && value.kind == RX_TIMESTAMP) ||
           (is_name(name, "window") && rx_mark_has_window(event->mark));
}

static int write_measurement(struct rx_render *r, struct rx_buffer *out, struct rx_value object,
                             const struct rx_event *event, struct rx_error *reterr)
{
    const struct rx_value *own = rx_object_get_text(object, "measurement");
    struct rx_shaper *asked = r->options->influx.measurement;
    struct text text = {r->stream, strlen(r->stream)};
    rx_buffer_clear(&r->cell);
    if (asked) {
        int result = rx_shaper_text(asked, &(struct rx_expr_env){.event = event}, &r->cell, reterr);
        if (result < 0)
            return result;
        text = (struct text){r->cell.data, r->cell.length};
    } else if (own && own->kind == RX_STRING) {
        text = (struct text){own->u.text, own->aux};
    }
    if (text.length == 0)
        return rx_error_set(reterr, -EINVAL, "a line of influx needs a measurement, and it is empty");
    write_escaped(out, text, ", ");
    return 0;
}

/* InfluxDB has no empty tag, and none that ends with a backslash. */
static void write_tag(struct rx_render *r, struct rx_buffer *out, struct rx_value name, struct rx_value value)
{
    struct text text = text_of(value, &r->cell);
    while (text.length > 0 && text.text[text.length - 1] == '\\')
        text.length--;
    if (value.kind == RX_NULL || text.length == 0 || name.aux == 0)
        return;
    rx_buffer_append(out, ",", 1);
    write_escaped(out, (struct text){name.u.text, name.aux}, ",= ");
    rx_buffer_append(out, "=", 1);
    write_escaped(out, text, ",= ");
}

/* Whole numbers that came with data are floats here, as the next one from there may have a fraction; those that an expression made
 * (a count, int(x)) are integers. */
static void write_number(struct rx_buffer *out, struct rx_value value)
{
    char text[RX_NUMBER_TEXT_MAX];
    size_t length = value.kind == RX_INT    ? rx_format_int(text, value.u.i)
                    : value.kind == RX_UINT ? rx_format_uint(text, value.u.u)
                                            : rx_format_double(text, value.u.d);
    rx_buffer_append(out, text, length);
    if (value.kind != RX_DOUBLE && !(value.flags & RX_FLAG_JSON))
        rx_buffer_append(out, value.kind == RX_INT ? "i" : "u", 1);
}

static void write_value(struct rx_render *r, struct rx_buffer *out, struct rx_value value)
{
    if (value.kind == RX_INT || value.kind == RX_UINT || value.kind == RX_DOUBLE) {
        write_number(out, value);
    } else if (value.kind == RX_BOOL) {
        rx_buffer_text(out, value.u.b ? "true" : "false");
    } else {
        rx_buffer_append(out, "\"", 1);
        write_escaped(out, text_of(value, &r->cell), "\"\\");
        rx_buffer_append(out, "\"", 1);
    }
}

/* What InfluxDB can hold: no null, no NaN, no infinity. */
static bool is_field(struct rx_value name, struct rx_value value)
{
    return name.kind == RX_STRING && name.aux > 0 && value.kind != RX_NULL &&
           (value.kind != RX_DOUBLE || isfinite(value.u.d));
}

static size_t write_fields(struct rx_render *r, struct rx_buffer *out, struct rx_value object,
                           const struct rx_event *event)
{
    size_t written = 0;
    for (uint32_t i = 0; i < rx_object_count(object); i++) {
        struct rx_value name, value;
        rx_object_entry(object, i, &name, &value);
        if (!is_field(name, value) || is_tag(r, event, name) || is_apart(r, event, name, value))
            continue;
        rx_buffer_append(out, written++ ? "," : " ", 1);
        write_escaped(out, (struct text){name.u.text, name.aux}, ",= ");
        rx_buffer_append(out, "=", 1);
        write_value(r, out, value);
    }
    return written;
}

static void write_tags(struct rx_render *r, struct rx_buffer *out, struct rx_value object, const struct rx_event *event)
{
    for (uint32_t i = 0; i < rx_object_count(object); i++) {
        struct rx_value name, value;
        rx_object_entry(object, i, &name, &value);
        if (name.kind == RX_STRING && is_tag(r, event, name))
            write_tag(r, out, name, value);
    }
}

static void write_time(struct rx_buffer *out, struct rx_value object, const struct rx_event *event)
{
    char text[RX_NUMBER_TEXT_MAX];
    const struct rx_value *own = rx_object_get_text(object, "time");
    rx_time time = event->time;
    if (own && own->kind == RX_TIMESTAMP)
        rx_value_time(*own, &time);
    rx_buffer_append(out, " ", 1);
    rx_buffer_append(out, text, rx_format_int(text, time));
}

int rx_render_influx(struct rx_render *r, struct rx_buffer *out, struct rx_value object, const struct rx_event *event,
                     struct rx_error *reterr)
{
    int result = write_measurement(r, out, object, event, reterr);
    if (result < 0)
        return result;
    write_tags(r, out, object, event);
    if (write_fields(r, out, object, event) == 0)
        return rx_error_set(reterr, -EINVAL,
                            "a line of influx needs a field that is no tag: a number, true, or a text");
    write_time(out, object, event);
    return out->failed || r->cell.failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}
