/* What a delivery writes: an event as JSON, as a row of CSV, or as a line of InfluxDB's protocol. One worker. */
#ifndef RX_SINKS_RENDER_H
#define RX_SINKS_RENDER_H

#include "core/feed/format.h"
#include "sinks/frame.h"

enum rx_render_format { RX_RENDER_JSON, RX_RENDER_CSV, RX_RENDER_INFLUX };

struct rx_influx_options {
    struct rx_shaper *measurement; /* NULL: the event's `measurement`, or else the stream's name */
    struct rx_strings tags;        /* fields that are tags; none: those of the group */
};

struct rx_render_options {
    int format; /* enum rx_render_format */
    struct rx_csv_options csv;
    struct rx_influx_options influx;
    bool csv_given, influx_given;
};
/* Of struct rx_render_options: `format`, `csv`, `influx`, for the inline group of a sink. */
extern const struct rx_class rx_render_class;
int rx_render_check(const struct rx_render_options *, struct rx_error *reterr); /* for the class's own check */

/* Zero-initialise, then init; finish frees. */
struct rx_render {
    const struct rx_render_options *options; /* lent */
    struct rx_heap *heap;
    const char *stream;
    bool lines; /* set after init: the sink puts messages together, line by line, with one header for all */

    /* CSV, private */
    char **columns; /* NULL: not known before the first event */
    size_t count;
    bool named; /* by the user: fields beyond them are left out, and no header is written */
    uint64_t known_shape;
    struct rx_buffer header, cell;
};
int rx_render_init(struct rx_render *, const struct rx_render_options *, struct rx_heap *,
                   const char *stream); /* -ENOMEM */
void rx_render_finish(struct rx_render *);

/* Appends an event as a line, without a line break. -EINVAL: it cannot be one, with a message; -ENOMEM. */
int rx_render_line(struct rx_render *, struct rx_buffer *out, const struct rx_event *, struct rx_error *reterr);
/* Appends what a message holds: the same, and before a row of CSV the header of its own fields. */
int rx_render_message(struct rx_render *, struct rx_buffer *out, const struct rx_event *, struct rx_error *reterr);
/* The same of a value that a `payload` made of the event; text and bytes as they are. */
int rx_render_shaped(struct rx_render *, struct rx_buffer *out, struct rx_value, const struct rx_event *,
                     struct rx_error *reterr);
/* What a sink's `payload` makes of an event, in place of what is in `out`: text as it is, anything else in the format; without a
 * shaper the event. *ret_text: it is text; false: bytes. Negative errno with reterr. */
#define RX_PAYLOAD_HELP                                                                                                \
    "what is sent, a template: text is sent as it is, anything else in the `format`; default: the event"
int rx_render_payload(struct rx_render *, struct rx_buffer *out, struct rx_shaper *, const struct rx_event *,
                      bool *ret_text, struct rx_error *reterr);

/* The line that a file begins with, its line break included; empty: none (yet). */
const struct rx_buffer *rx_render_header(const struct rx_render *);
/* A file is there already, and begins like this: its header says the columns, where nothing has said them yet. */
int rx_render_adopt_header(struct rx_render *, const char *text, size_t length); /* -ENOMEM */

/* Private to render.c and its parts. The event as an object, the caller's; RX_NULL: no memory. */
struct rx_value rx_render_object(struct rx_heap *, const struct rx_event *);
int rx_render_csv_row(struct rx_render *, struct rx_buffer *out, struct rx_value object, struct rx_error *reterr);
int rx_render_csv_message(struct rx_render *, struct rx_buffer *out, struct rx_value object, struct rx_error *reterr);
int rx_render_influx(struct rx_render *, struct rx_buffer *out, struct rx_value object, const struct rx_event *,
                     struct rx_error *reterr);

#endif
