/* What a delivery writes: the formats, and what their parts share. */
#include "sinks/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const formats[] = {"json", "csv", "influx", NULL};

static const struct rx_option influx_options[] = {
    {.name = "measurement",
     .help = "the measurement, a template; default: the event's field `measurement`, or the stream's name",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct rx_influx_options, measurement, struct rx_shaper *)},
    {.name = "tags",
     .help = "the fields that are written as tags; default: those of the group",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct rx_influx_options, tags, struct rx_strings)},
    {0},
};
static const struct rx_class influx_class = {
    .name = "influx", .options = influx_options, .state_size = sizeof(struct rx_influx_options)};

static const struct rx_option options[] = {
    {.name = "format",
     .help = "json; csv, a row for each event; or influx, InfluxDB's line protocol",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct rx_render_options, format, int),
     .fallback = "json",
     .choices = formats},
    {.name = "csv",
     .help =
         "of CSV: {header: true}, the names of the first event's fields come first; or {header: [a, b]}, these and no "
         "header",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct rx_render_options, csv, struct rx_csv_options),
     .given = RX_AT(struct rx_render_options, csv_given, bool),
     .group = &rx_csv_options},
    {.name = "influx",
     .help = "of InfluxDB's lines: {measurement, tags}",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct rx_render_options, influx, struct rx_influx_options),
     .given = RX_AT(struct rx_render_options, influx_given, bool),
     .group = &influx_class},
    {0},
};

static int refuse(const char *option, const char *format, struct rx_error *reterr)
{
    rx_error_set(reterr, -EINVAL, "`%s` says how to write that format, and the format is another", option);
    rx_error_hint(reterr, "format: %s", format);
    return -EINVAL;
}

int rx_render_check(const struct rx_render_options *o, struct rx_error *reterr)
{
    if (o->csv_given && o->format != RX_RENDER_CSV)
        return refuse("csv", "csv", reterr);
    return o->influx_given && o->format != RX_RENDER_INFLUX ? refuse("influx", "influx", reterr) : 0;
}

const struct rx_class rx_render_class = {.name = "format",
                                         .summary = "How events are written",
                                         .options = options,
                                         .state_size = sizeof(struct rx_render_options)};

/* A bare value is `value` beside the key of its scope. */
struct rx_value rx_render_object(struct rx_heap *heap, const struct rx_event *event)
{
    struct rx_object_builder b;
    struct rx_value key = event->mark ? event->mark->key : rx_null();
    if (event->value.kind == RX_RECORD || event->value.kind == RX_MAP)
        return rx_value_ref(event->value);
    rx_object_init_from(&b, heap, key);
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_VALUE), rx_value_ref(event->value));
    return rx_object_finish(&b);
}

static int render(struct rx_render *r, struct rx_buffer *out, const struct rx_event *event, bool message,
                  struct rx_error *reterr)
{
    size_t before = out->length;
    if (r->options->format == RX_RENDER_JSON) {
        rx_frame_json(out, event);
        return 0;
    }
    struct rx_value object = rx_render_object(r->heap, event);
    int result = object.kind == RX_NULL                   ? rx_error_set(reterr, -ENOMEM, "out of memory")
                 : r->options->format == RX_RENDER_INFLUX ? rx_render_influx(r, out, object, event, reterr)
                 : message                                ? rx_render_csv_message(r, out, object, reterr)
                                                          : rx_render_csv_row(r, out, object, reterr);
    rx_value_unref(object);
    if (result < 0)
        out->length = before;
    return result;
}

int rx_render_line(struct rx_render *r, struct rx_buffer *out, const struct rx_event *event, struct rx_error *reterr)
{
    return render(r, out, event, false, reterr);
}

int rx_render_message(struct rx_render *r, struct rx_buffer *out, const struct rx_event *event, struct rx_error *reterr)
{
    return render(r, out, event, !r->lines, reterr);
}

/* A payload's own object stands for itself, and a bare value of JSON too. */
int rx_render_shaped(struct rx_render *r, struct rx_buffer *out, struct rx_value value, const struct rx_event *event,
                     struct rx_error *reterr)
{
    struct rx_event shaped = *event;
    shaped.value = value;
    if (value.kind == RX_STRING || value.kind == RX_BYTES)
        rx_buffer_append(out, value.u.text, value.aux);
    else if (r->options->format == RX_RENDER_JSON)
        rx_json_write(out, value);
    else
        return rx_render_message(r, out, &shaped, reterr);
    return 0;
}

int rx_render_payload(struct rx_render *r, struct rx_buffer *out, struct rx_shaper *shaper,
                      const struct rx_event *event, bool *ret_text, struct rx_error *reterr)
{
    struct rx_value value = rx_null();
    rx_buffer_clear(out);
    int result = 0;
    if (shaper)
        result = rx_shaper_eval(shaper, &(struct rx_expr_env){.event = event}, r->heap, &value, reterr);
    if (result < 0)
        return result;
    *ret_text = value.kind != RX_BYTES;
    result = shaper ? rx_render_shaped(r, out, value, event, reterr) : rx_render_message(r, out, event, reterr);
    rx_value_unref(value);
    if (result < 0 || !out->failed)
        return result;
    rx_buffer_finish(out);
    return rx_error_set(reterr, -ENOMEM, "out of memory");
}
