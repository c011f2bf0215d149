/* The served streams on the front: GET /streams and GET /streams/NAME.
 *
 * A registry of logs by name; each has its fan-out. One thread (the front's), but where any is said. */
#ifndef RXD_API_STREAMS_H
#define RXD_API_STREAMS_H

#include "core/io/http/http.h"
#include "core/io/serve/fanout.h"
#include "daemon/health.h"
#include "daemon/metrics.h"

struct rx_streams;

/* NULL options: the defaults. */
int rx_streams_create(struct rx_loop *, struct rx_http_server *, const struct rx_fanout_options *,
                      struct rx_streams **ret);
/* Closes every subscriber; destroy it before the HTTP server, and after the writers have stopped signalling. */
void rx_streams_destroy(struct rx_streams *);

/* Any thread. The writing end of the stream of this name, for one user at a time: it goes on with the ids, history and
 * subscribers that it has, or is new (with ids that never were). The options hold from now on, but for max_bytes. It stays
 * the registry's. -EBUSY: somebody has it; -ENOMEM. */
int rx_streams_acquire(struct rx_streams *, const char *name, const struct rx_stream_options *,
                       struct rx_log_writer **ret);
/* Any thread; what was appended is published. The stream stays, for the next who acquires it. */
void rx_streams_release(struct rx_streams *, const char *name);
/* Removes the streams that nobody writes: those that a reload has dropped. */
void rx_streams_sweep(struct rx_streams *);

/* Its subscribers are closed (WebSocket: 1001), and may come again. No-op when there is none. */
void rx_streams_remove(struct rx_streams *, const char *name);

/* Their routes' handlers and parameters: GET /streams, GET /streams/NAME. */
void rx_streams_answer_list(void *streams, struct rx_http_request *);
void rx_streams_answer(void *streams, struct rx_http_request *);
extern const char *const rx_streams_parameters[];

/* Everyone gets what is there and is closed in order; true when nobody is left. Call again until then. */
bool rx_streams_drain(struct rx_streams *);

struct rx_stream_info {
    const char *name;
    double rate;       /* events a second over the last five */
    uint64_t events;   /* frames so far */
    uint64_t lost;     /* frames that could not be taken in fast enough */
    rx_time last_time; /* event time of the newest; 0: none yet */
    size_t keys;
    uint64_t generation, first, last; /* sequences kept; first > last: none */
    struct rx_fanout_stats fanout;
};
/* In order of name. The info is borrowed. */
void rx_streams_each(struct rx_streams *, void (*each)(void *arg, const struct rx_stream_info *), void *arg);
/* All of that as samples, and what is wrong with subscribers as conditions (within a round). */
void rx_streams_metrics(struct rx_streams *, struct rx_metrics *);
void rx_streams_health(struct rx_streams *, struct rx_health *);

#endif
