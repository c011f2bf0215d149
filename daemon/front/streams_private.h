/* Private to the streams API: a stream in the registry. */
#ifndef RXD_STREAMS_PRIVATE_H
#define RXD_STREAMS_PRIVATE_H

#include "core/io/serve/stream_inbox.h"
#include "core/value/heap.h"
#include "daemon/front/api_streams.h"

#include <pthread.h>

enum { RATE_SECONDS = 5 };

struct rate {
    uint64_t counts[RATE_SECONDS + 1]; /* by second, modulo */
    int64_t second;
    rx_time since;
};

struct stream {
    struct rx_streams *streams;
    struct rx_log *log;
    struct rx_fanout *fanout;
    struct rx_selections *selections;
    struct rate rate;
    uint64_t seen; /* frames counted */
    bool keyed;
    char name[];
};

struct stream_writers {
    pthread_mutex_t lock;
    void *tree; /* of struct stream_writer, by name; tsearch(3) */
    struct stream_writer *changes;
    uint64_t generation; /* the last that was given */
};

struct rx_streams {
    struct rx_loop *loop;
    struct rx_http_server *http;
    struct rx_fanouts *fanouts;
    struct rx_heap *heap;
    struct rx_filter_budget filters;
    struct rx_wake *wake;
    struct rx_log_inbox *inbox; /* of streams with news */
    struct stream **list;       /* by name */
    size_t count, capacity;
    struct stream_writers writers;
};

/* The log is the registry's from then on; not so on failure. Its generation must be new for the name, as ids must not
 * come twice. -EEXIST, -ENOMEM. */
int streams_add(struct rx_streams *, const char *name, struct rx_log *, const struct rx_stream_options *);
void stream_configure(struct stream *, const struct rx_stream_options *);
/* streams_writers.c: what writers have asked for is done. */
void streams_settle(struct rx_streams *);
void streams_writers_finish(struct stream_writers *); /* nobody writes any more */
struct stream *streams_find(const struct rx_streams *, const char *name);
const char *streams_nearest(const struct rx_streams *, const char *name); /* NULL: none is near */
void streams_refuse_cost(struct rx_http_request *);                       /* a filter that was exhausted by history */
/* streams_follow.c: hands the connection over to the fan-out; the subscription lacks descriptor and greeting. */
void streams_follow(struct stream *, struct rx_http_request *, const struct rx_subscription *);
/* streams_json.c: the plain JSON answer. `history`: the frames from the cursor on, else the latest. */
void streams_reply_json(struct stream *, struct rx_http_request *, const struct rx_subscription *, bool history);

#endif
