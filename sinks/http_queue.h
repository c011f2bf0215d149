/* What an http sink holds: one rendered event after the other, the oldest first. */
#ifndef RX_SINKS_HTTP_QUEUE_H
#define RX_SINKS_HTTP_QUEUE_H

#include "core/value/codec.h"
#include "sinks/http_words.h"

struct rx_http_item {
    struct rx_http_item *next;
    rx_time at; /* when it came, by the scheduler */
    size_t url, headers,
        body;  /* bytes of each in `bytes`, in this order; the url and each of the headers' texts end in NUL */
    bool text; /* the body is a text, not JSON */
    char bytes[];
};

struct rx_http_queue { /* zero-initialise */
    struct rx_http_item *first, *last;
    size_t count;
    uint64_t bytes;
};

int rx_http_queue_push(struct rx_http_queue *, rx_time at, const struct rx_http_words *); /* -ENOMEM */
void rx_http_queue_drop(struct rx_http_queue *, size_t count);
void rx_http_queue_finish(struct rx_http_queue *);

enum rx_http_form { RX_HTTP_LINES, RX_HTTP_ARRAY };
/* Those at the front that go as one: same url, same headers, at most so many and so many bytes of bodies, but at least one.
 * *ret_full: no more would fit. */
size_t rx_http_queue_batch(const struct rx_http_queue *, size_t count, uint64_t size, bool *ret_full);
/* The body of the first `count` together. */
void rx_http_queue_body(const struct rx_http_queue *, size_t count, enum rx_http_form, struct rx_buffer *out);

void rx_http_queue_save(const struct rx_http_queue *, struct rx_writer *);
int rx_http_queue_load(struct rx_http_queue *, struct rx_reader *); /* -EBADMSG, -ENOMEM */

#endif
