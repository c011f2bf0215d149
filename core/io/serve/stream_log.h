/* A served stream: a log of serialised frames in immutable 64 KiB segments.
 *
 * The worker appends (struct rx_log_writer); what it has filled is handed over to the front thread, which owns it from
 * then on (struct rx_log; a small hand-over is copied behind the last segment). A subscriber is a cursor into the log; it
 * has no queue of its own. Frames are stored as Server-Sent Events text ("id: G-N\nevent: message\ndata: JSON\n\n"),
 * contiguous, so that many frames go out in one write; the frame index knows where the bare JSON lies in it for NDJSON,
 * WebSocket and snapshots.
 *
 * Sequences have holes where the front could not take frames in fast enough: who reads on sees how many are missing. */
#ifndef RX_IO_STREAM_LOG_H
#define RX_IO_STREAM_LOG_H

#include "core/io/loop/loop.h"

struct rx_log_limits {   /* 0: the default */
    size_t max_bytes;    /* of segments kept for history; 4 MiB. At least two segments. Held ones: twice as many */
    uint64_t max_frames; /* history, frames; 0: those of the last minute, and at least the last 64 */
    unsigned max_keys;   /* latest-per-key table; 10,000; the least recently updated is evicted */
    rx_time key_ttl;     /* a key not updated for so long leaves the snapshot; 0: never */
};

/* One frame, as the writer gives it. */
struct rx_frame {
    const char *json; /* one line of compact JSON */
    size_t json_length;
    const char *key; /* canonical JSON of the stream key ("\"dev1\"", "[\"a\",3]"); NULL: the stream has no key */
    size_t key_length;
    rx_time time;       /* event time */
    const char *event;  /* SSE event name: "message" (NULL too), "complete", "error" */
    const char *beside; /* further members for who asks with `meta`: `,"topic":"a/b"`; NULL: none */
    size_t beside_length;
};

/* Worker side. `generation` distinguishes runs of the daemon; the sequence starts at 1. */
struct rx_log_writer;
/* The two ends are made together; the writer may then live on another thread. Publishing puts the log on the inbox that
 * was set (stream_inbox.h; none in tests: call rx_log_collect). */
struct rx_log;
int rx_log_create(uint64_t generation, const struct rx_log_limits *, struct rx_log_writer **ret_writer,
                  struct rx_log **ret_log);
/* Appends; -EMSGSIZE for a frame over 16 MiB (a frame over 64 KiB gets a segment of its own), -ENOMEM, or -EAGAIN when
 * the front is so far behind that max_bytes wait to be taken in (the caller counts a drop; the frame's sequence is used
 * up, and readers see the hole); -EINVAL for another event name. The end of the stream always finds room. */
int rx_log_append(struct rx_log_writer *, const struct rx_frame *);
/* A frame that the caller could not make: its sequence is used up, and readers see the hole. */
void rx_log_lose(struct rx_log_writer *);
/* Makes what was appended visible to the front: call once per span or turn. Cheap when nothing is new. */
void rx_log_publish(struct rx_log_writer *);
void rx_log_writer_destroy(struct rx_log_writer *);
struct rx_log_inbox;
void rx_log_writer_set_inbox(struct rx_log_writer *, struct rx_log_inbox *); /* borrowed */

/* Front side. */
void rx_log_destroy(struct rx_log *);
void rx_log_set_reader(struct rx_log *, void *reader); /* what the inbox tells that there is news */
void rx_log_collect(struct rx_log *);                  /* takes in what was published, applies the limits */
uint64_t rx_log_generation(const struct rx_log *);
uint64_t rx_log_first(const struct rx_log *); /* oldest sequence kept; first > last: empty */
uint64_t rx_log_last(const struct rx_log *);
uint64_t rx_log_lost(const struct rx_log *); /* sequences that have no frame because there was no room or no memory */
/* Readers still want what is from this sequence on: history's limits leave it alone while it is within twice max_bytes.
 * UINT64_MAX: nobody does. */
void rx_log_hold(struct rx_log *, uint64_t from);
rx_time rx_log_last_time(const struct rx_log *);

struct rx_frame_view { /* borrowed; valid until the next rx_log_collect; `sse` and `json` while pinned */
    uint64_t sequence;
    rx_time time;
    uint64_t key_hash;
    const char *key;
    size_t key_length;
    const char *sse; /* the whole SSE text */
    size_t sse_length;
    const char *json; /* inside it */
    size_t json_length;
    const char *event;
    const char *beside; /* see rx_frame; not in the views of a snapshot */
    size_t beside_length;
    bool terminal; /* the stream ended here: event is "complete" or "error" */
};
/* The frame with this sequence; false if it is gone or not there yet. */
bool rx_log_frame(const struct rx_log *, uint64_t sequence, struct rx_frame_view *ret);
/* The first sequence from this one on that has a frame; the one after the last if none has; itself beyond that. */
uint64_t rx_log_next(const struct rx_log *, uint64_t sequence);
/* The last sequence before this one that has a frame; 0: none. */
uint64_t rx_log_previous(const struct rx_log *, uint64_t sequence);
/* Contiguous SSE text from `sequence` to the end of its segment (or of what is published), for writev: many frames at
 * once. It ends behind the first frame that is terminal. Answers the sequence after the last frame covered; `sequence`
 * itself if that frame is not there. */
uint64_t rx_log_span(const struct rx_log *, uint64_t sequence, const char **ret_text, size_t *ret_length);
/* The frame in the span from `sequence` that holds the byte at `offset` of its text, and where that frame starts: for
 * who wrote a part of the span. */
uint64_t rx_log_frame_at(const struct rx_log *, uint64_t sequence, size_t offset, size_t *ret_start);

/* Keeps the text of a frame's segment readable after the log has dropped it. NULL: the frame is not there. Pins
 * are given back before the log is destroyed. */
struct rx_segment;
struct rx_segment *rx_log_pin(struct rx_log *, uint64_t sequence);
void rx_log_unpin(struct rx_segment *);
bool rx_log_pinned_frame(const struct rx_segment *, uint64_t sequence, struct rx_frame_view *ret);
bool rx_log_is_orphan(const struct rx_segment *);                 /* pinned, and dropped by the log */
size_t rx_log_orphan_bytes(const struct rx_log *);                /* of all of them */
const struct rx_log_limits *rx_log_limits(const struct rx_log *); /* with the defaults filled in */
/* From the next collection on. max_bytes stays, as it is the writer's too. */
void rx_log_set_limits(struct rx_log *, const struct rx_log_limits *);

/* The latest message of each key, sorted by key (null, false, true, numbers, strings, lists; each in its order), less
 * those older than key_ttl by event time; without keys the latest. The views have no `sse`. */
size_t rx_log_key_count(const struct rx_log *);
void rx_log_snapshot(struct rx_log *, rx_time now, void (*each)(void *arg, const struct rx_frame_view *), void *arg);

#endif
