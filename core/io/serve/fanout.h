/* Fan-out: a served stream's frames to many sockets.
 *
 * A subscriber is a descriptor and a cursor into the log; it has no queue of its own. Frames that are published are
 * sent at once when the last flush is long enough ago, else when it will be: `flush_every`, or up to ten times that where
 * a flush takes long (many subscribers). A frame that was begun is always finished, from a pinned segment if need be. Each
 * subscriber gets every frame it selects exactly once, in order, or is told of the gap: SSE `event: gap` with
 * {"missed": N}, NDJSON and WebSocket a line {"gap": N}; N is null where it is not known. The log keeps what a subscriber
 * has not had yet, within its limits, whatever the history.
 * The end of the stream: SSE gets the event and the connection is closed in order; NDJSON ends; WebSocket closes with
 * 1000, or 1011 and the reason. Who is ended alone is told why: SSE `event: error` with {"error": REASON}, NDJSON such a
 * line, WebSocket closes with 1008 and the reason. One thread (the loop's). */
#ifndef RX_IO_FANOUT_H
#define RX_IO_FANOUT_H

#include "core/io/loop/conn.h"
#include "core/io/serve/selection.h"
#include "core/io/serve/stream_options.h"

enum rx_subscriber_kind { RX_SSE, RX_NDJSON, RX_WEBSOCKET };

struct rx_fanout_options {  /* 0: the default */
    rx_time flush_every;    /* the least time between two flushes; 1 ms */
    rx_time stall_deadline; /* without progress while there is something to send; 30 s */
    rx_time heartbeat;      /* a comment on an idle SSE connection; 15 s */
    rx_time ping;           /* on a WebSocket; 30 s. Nothing heard for two of them: dropped */
    rx_time linger;         /* for the other side to close after us; 2 s */
    size_t orphan_bytes;    /* memory held by half-sent frames that the log has dropped; the log's max_bytes */
};

/* What the fan-outs of a thread have in common: options, and the memory to send with. NULL options: the defaults. */
struct rx_fanouts;
int rx_fanouts_create(struct rx_loop *, const struct rx_fanout_options *, struct rx_fanouts **ret);
void rx_fanouts_destroy(struct rx_fanouts *); /* after them */

struct rx_fanout;
/* The log is borrowed, and outlives the fan-out. `slow`: what happens to a subscriber that the log overtakes. */
int rx_fanout_create(struct rx_fanouts *, struct rx_log *, enum rx_slow slow, struct rx_fanout **ret);
/* Closes all (WebSocket: 1001). */
void rx_fanout_destroy(struct rx_fanout *);
void rx_fanout_set_slow(struct rx_fanout *, enum rx_slow); /* from now on */
/* `taken` is called whenever what was published has been taken in. */
void rx_fanout_on_taken(struct rx_fanout *, void (*taken)(void *arg), void *arg);
/* Takes in what was published, and sees to it that it is sent. */
void rx_fanout_collect(struct rx_fanout *);
/* The same, but a busy stream does it at its tick, once: call when the log is in its inbox. */
void rx_fanout_news(struct rx_fanout *);
/* Everyone gets what is there and is then closed in order (WebSocket: 1001). */
void rx_fanout_drain(struct rx_fanout *);

#define RX_MISSED_UNKNOWN UINT64_MAX
struct rx_subscription {
    struct rx_conn *conn;
    enum rx_subscriber_kind kind;
    struct rx_selection *selection; /* NULL: every frame. A reference is taken */
    bool meta;                      /* each with its id, time and key (stream_meta.h) */
    uint64_t cursor;                /* sequence of the first frame to send; may be last + 1 */
    uint64_t missed;                /* told first: frames between what was asked for and the cursor; 0: none */
    const char *greeting;           /* sent before anything else: the response's head. Copied */
    size_t greeting_length;
    const char *ahead; /* what the client has sent already */
    size_t ahead_length;
    void (*on_closed)(void *arg); /* the connection is closed; not called when rx_fanout_subscribe fails */
    void *arg;
};
/* The connection is taken, also on failure (closed then): -ENOMEM, -EIO. */
int rx_fanout_subscribe(struct rx_fanout *, const struct rx_subscription *);

struct rx_fanout_stats {
    size_t subscribers;
    uint64_t frames, bytes; /* sent */
    uint64_t skipped;       /* frames that overtaken subscribers missed */
    uint64_t lost;          /* frames that subscribers missed because the log could not take them in */
    uint64_t stalled;       /* subscribers dropped: no progress until the deadline */
    uint64_t exhausted;     /* subscribers ended: their filter took too much time */
    uint64_t overtaken;     /* subscribers dropped: overtaken, where that disconnects or memory asked for it */
};
struct rx_fanout_stats rx_fanout_stats(const struct rx_fanout *);

#endif
