/* Private to the fan-out: subscribers, the channels that group them, and the batch that is being sent. */
#ifndef RX_IO_FANOUT_PRIVATE_H
#define RX_IO_FANOUT_PRIVATE_H

#include "core/base/buffer.h"
#include "core/io/serve/fanout.h"
#include "core/io/serve/websocket_input.h"

#include <sys/uio.h>

struct pending { /* bytes that go out before the next frame */
    uint32_t length, sent;
    char data[];
};

enum phase { SERVING, ENDING, LINGERING }; /* ending: closed once `pending` is out */

struct subscriber {
    struct channel *channel;
    struct rx_conn *conn;
    struct pending *pending;   /* NULL: none */
    struct rx_segment *pin;    /* of the frame that is partly sent; NULL: at a frame's start */
    struct rx_ws_input *input; /* in the middle of a client's frame */
    void (*on_closed)(void *arg);
    void *arg;
    rx_time progress; /* when it last took bytes */
    rx_time heard, pinged;
    uint64_t cursor; /* the frame being sent, or the next */
    uint32_t offset; /* bytes of it that are out */
    uint32_t index;  /* in its channel */
    uint8_t phase;   /* enum phase */
    bool blocked;    /* waiting until it can be written to */
};

struct channel { /* subscribers that get the same bytes */
    struct rx_fanout *fanout;
    struct rx_selection *selection;
    enum rx_subscriber_kind kind;
    bool meta;
    struct subscriber **subscribers;
    uint32_t count, capacity;
};

enum { BATCH_PIECES = 256, BATCH_BYTES = 256 * 1024, BATCH_SCAN = 4096, BATCH_STEPS = 50000 };

/* What a channel's subscribers at one cursor are to get: made once, written to each. */
struct batch {
    const struct channel *channel; /* NULL: nothing made */
    uint64_t from, to;
    size_t bytes;
    unsigned pieces;
    bool ends;                       /* the last frame before `to` ends the stream */
    struct iovec iov[BATCH_PIECES];  /* a run of frames (SSE), a frame (NDJSON), or a header or payload (WebSocket) */
    uint64_t sequence[BATCH_PIECES]; /* of the piece's first frame */
    uint32_t frames_before[BATCH_PIECES]; /* whole frames in earlier pieces */
    uint32_t frames;
    uint8_t headers[BATCH_PIECES / 2][10];
    struct rx_buffer meta; /* of a channel with meta: all pieces lie here, and are offsets until the batch is whole */
};

struct batch_place {
    uint64_t cursor;
    size_t offset;
    uint32_t frames; /* whole ones before it */
};

struct rx_fanouts {
    struct rx_loop *loop;
    struct rx_fanout_options options;

    struct batch batch;
    struct rx_buffer frame; /* one with meta that was sent in part */
    char scratch[4096];
};

struct rx_fanout {
    struct rx_fanouts *all;
    struct rx_log *log;
    enum rx_slow slow;

    struct channel **channels;
    size_t channel_count, channel_capacity;
    struct rx_timer flush, upkeep;
    rx_time flushed, cost; /* when the last flush began, and the CPU time that it took */
    size_t walk_channel;   /* where the flush goes on: channels below it, and in the one below it */
    uint32_t walk_index;   /* the subscribers below this */
    bool walking, news;    /* a flush is under way; frames came in since it began */
    uint64_t lowest;       /* the least cursor that this flush has met */
    uint64_t held;         /* no subscriber is behind it */
    bool draining;
    void (*taken)(void *arg);
    void *taken_arg;
    struct rx_fanout_stats stats;
};

static inline rx_time fanout_now(const struct rx_fanout *f) { return rx_sched_now(rx_loop_sched(f->all->loop)); }

/* fanout_batch.c. The batch is good until the log collects (f->batch.channel = NULL then). */
const struct batch *batch_make(struct rx_fanout *, const struct channel *, uint64_t from);
struct batch_place batch_locate(const struct rx_fanout *, const struct batch *, size_t sent);
/* A frame with meta as its channel sends it; of a WebSocket the payload. False: no memory. */
bool batch_encode_meta(const struct channel *, struct rx_buffer *out, const struct rx_frame_view *);
/* fanout_send.c: sends what there is. False: the subscriber is gone. */
bool subscriber_pump(struct subscriber *);
bool subscriber_queue(struct subscriber *, const void *data, size_t length); /* before the next frame */
bool subscriber_queue_text(struct subscriber *, const char *text);
bool subscriber_queue_control(struct subscriber *, unsigned opcode, const void *payload, size_t length);
/* The end, in order: what is queued still goes out. `code` and `reason` are for WebSocket. */
void subscriber_end(struct subscriber *, unsigned code, const char *reason, size_t reason_length);
bool subscriber_missed(struct subscriber *, uint64_t frames); /* queues the notice of a gap */
/* fanout_input.c: the client's bytes. False: the subscriber is gone, or has to go. */
void subscriber_ready(void *arg, unsigned events);
bool subscriber_hear(struct subscriber *, const char *data, size_t length);
/* fanout_flush.c */
void fanout_on_flush(struct rx_timer *);
/* fanout.c */
void subscriber_close(struct subscriber *);
void fanout_each(struct rx_fanout *, void (*visit)(struct subscriber *)); /* which may close it */

#endif
