/* Private to the stream log: a segment of serialised frames and its index.
 *
 * The writer fills one and hands it over whole; from then on the front owns it. Text never moves once it is there, so a
 * pinned segment's frames stay readable after the log has dropped it. */
#ifndef RX_IO_STREAM_SEGMENT_H
#define RX_IO_STREAM_SEGMENT_H

#include "core/io/serve/stream_log.h"

#include <stdatomic.h>

#define RX_SEGMENT_BYTES ((size_t)64 * 1024)
#define RX_FRAME_BYTES   ((size_t)16 * 1024 * 1024)

enum rx_frame_kind { RX_FRAME_MESSAGE, RX_FRAME_COMPLETE, RX_FRAME_ERROR, RX_FRAME_KINDS };

struct rx_frame_entry {
    uint64_t key_hash;
    rx_time time;
    uint32_t text_at, json_length;
    uint32_t key_at, key_length, beside_length; /* what stands beside is behind the key */
    uint16_t json_at;                           /* from text_at */
    uint8_t kind;                               /* enum rx_frame_kind */
    uint8_t keyed;
};

struct rx_segment {
    struct rx_segment *next; /* in the hand-over list */
    struct rx_log *log;      /* whose orphan it is; NULL: the log holds it */
    unsigned refs;           /* the log's and one per pin; front only */
    unsigned terminals;      /* frames that end the stream */
    rx_time born;            /* when the front took it in, monotonic; front only */
    uint64_t first;          /* sequence of entries[0] */
    uint32_t count, capacity;
    struct rx_frame_entry *entries;
    char *text, *keys;
    size_t text_length, text_capacity, keys_length, keys_capacity;
};

struct rx_segment *rx_segment_create(uint64_t first, size_t text_capacity);
void rx_segment_reset(struct rx_segment *, uint64_t first); /* empty again, with one reference; keeps its memory */
void rx_segment_destroy(struct rx_segment *);
size_t rx_segment_bytes(const struct rx_segment *); /* allocated */
/* Room for one more frame. Text may move only while the writer has it. */
int rx_segment_reserve(struct rx_segment *, size_t text, size_t key);
/* Copies all of `from` behind what is in `to`; false: no room, or no memory. */
bool rx_segment_absorb(struct rx_segment *to, const struct rx_segment *from);
void rx_segment_view(const struct rx_segment *, uint32_t i, struct rx_frame_view *ret);
static inline uint64_t rx_segment_end(const struct rx_segment *s) { return s->first + s->count; }
static inline size_t rx_entry_length(const struct rx_frame_entry *e) { return (size_t)e->json_at + e->json_length + 2; }

const char *rx_frame_kind_name(enum rx_frame_kind);

/* What the two ends share. A list and not a ring: what was published must not wait behind a full ring once the writer
 * has fallen silent. The bound is on the bytes in flight. What the front has not fetched yet the writer may take back, to
 * fill its last segment up. Frames that found no room have a sequence too: the next segment, which may be empty, starts
 * behind them. */
struct rx_log_link {
    _Atomic(struct rx_segment *) published; /* newest first */
    atomic_size_t in_flight;
    atomic_bool woken;         /* the front was told, and has not looked since */
    atomic_bool listed;        /* in the inbox */
    atomic_uint ends;          /* who refers to it: the two, and the inbox */
    struct rx_log_link *older; /* in the inbox */
    void *reader;              /* front only; NULL: nobody reads the log, or it is gone */
};
void rx_log_link_unref(struct rx_log_link *);

struct rx_log_writer *rx_log_writer_create(struct rx_log_link *, uint64_t generation, size_t max_in_flight);

#endif
