/* Server-Sent Events as they come: bytes of any cut to events (WHATWG HTML, 9.2.6 "Interpreting an event stream").
 *
 * Two deliberate differences: the id is kept over connections, as browsers do, and is given up to no id that is too long to be sent
 * back or holds control characters; what is larger than `max_data` is told instead of kept. Pure computing; one thread. */
#ifndef RX_CORE_EVENT_STREAM_H
#define RX_CORE_EVENT_STREAM_H

#include "core/base/buffer.h"
#include "core/value/codec.h"

enum { RX_EVENT_ID_MAX = 1024, RX_EVENT_TYPE_MAX = 256 /* bytes */ };

/* Borrowed, for the call. */
struct rx_event_stream_event {
    const char *type, *data; /* type "message" where none was given; data without its last line feed. Not terminated */
    size_t type_length, length;
    bool too_large; /* it was larger than max_data: `data` is its beginning */
};

struct rx_event_stream {
    size_t max_data; /* bytes of an event's data */
    /* False: stop at once, the bytes behind are not looked at. It may finish the stream. */
    bool (*event)(void *arg, const struct rx_event_stream_event *);
    void *arg;

    struct rx_buffer id;   /* of the newest event that had one */
    rx_time retry;         /* the pause that the server asked for, ns; 0: it did not */
    struct rx_buffer line; /* private from here on: the begun line, and the begun event */
    struct rx_buffer data, type, next_id;
    unsigned begun; /* bytes of a mark that the stream may begin with */
    bool has_id;    /* next_id was given */
    bool carriage;  /* the last byte was CR: LF belongs to it */
    bool skipping;  /* in a line that is too long */
    bool too_large; /* the begun event is */
};

void rx_event_stream_begin(
    struct rx_event_stream *); /* a new connection: what was begun is dropped, `id` and `retry` stay */
/* 0, or -ENOMEM: the begun event is lost. */
int rx_event_stream_feed(struct rx_event_stream *, const char *bytes, size_t length);
void rx_event_stream_finish(struct rx_event_stream *);
void rx_event_stream_save(const struct rx_event_stream *, struct rx_writer *);
int rx_event_stream_load(struct rx_event_stream *, struct rx_reader *); /* -EBADMSG, -ENOMEM */

#endif
