/* Events: a value at a time, and out of band where it came from.
 *
 * Events are borrowed during `next`; who keeps one takes a reference with rx_event_ref and gives it back with
 * rx_event_unref. One thread (the heap's). */
#ifndef RX_CORE_EVENT_H
#define RX_CORE_EVENT_H

#include "core/value/record.h"

/* Flags of a window, of which a mark only ever gets more. */
enum {
    RX_WINDOW_PARTIAL = 1,  /* closed early (evicted, flushed) */
    RX_WINDOW_EARLY = 2,    /* results come before its close too, and say whether they are final */
    RX_WINDOW_FINAL = 4,    /* with EARLY: it has closed */
    RX_WINDOW_MERGED = 8,   /* another one has taken it in */
    RX_WINDOW_THROUGH = 16, /* it holds (start, end], not [start, end) */
};

/* The scope's mark: the key path of the groups and the window that an event is in. Immutable; in a block of its own,
 * counted like a value. Set where a scope opens, carried through map. */
struct rx_mark {
    struct rx_value key; /* RX_RECORD {name: value, ...} of all enclosing groups, outermost first; RX_NULL: none */
    rx_time start, end;  /* window bounds [start, end); start > end: no window */
    uint32_t flags;      /* RX_WINDOW_* */
    uint32_t spare_;
};

struct rx_event {
    struct rx_value value;
    rx_time time;
    const struct rx_mark *mark; /* NULL: no scope */
    struct rx_value meta;       /* RX_RECORD {source, topic, retained ...} when the plan reaches it, else RX_NULL */
};

static inline struct rx_block *rx_mark_block(const struct rx_mark *mark)
{
    return mark ? (struct rx_block *)mark - 1 : NULL;
}

static inline const struct rx_mark *rx_mark_ref(const struct rx_mark *mark)
{
    if (mark)
        rx_mark_block(mark)->refs++;
    return mark;
}

static inline void rx_mark_unref(const struct rx_mark *mark)
{
    if (mark)
        rx_block_unref(rx_mark_block(mark));
}

static inline bool rx_mark_has_window(const struct rx_mark *mark) { return mark && mark->start <= mark->end; }

/* The event time of a window's result: the last instant in it. */
static inline rx_time rx_mark_time(const struct rx_mark *mark)
{
    return mark->flags & RX_WINDOW_THROUGH ? mark->end : mark->end - 1;
}

/* The mark's window as users see it: {start, end}, and where it says so {final} and {merged}. The caller's; RX_NULL: no memory. */
struct rx_value rx_mark_window(struct rx_heap *, const struct rx_mark *);

/* A mark like `outer` (may be NULL) with `key` entries (RX_RECORD, or RX_NULL: unchanged) appended. NULL: no memory. */
const struct rx_mark *rx_mark_with_key(struct rx_heap *, const struct rx_mark *outer, struct rx_value key);
/* A mark like `outer` with these window bounds. */
const struct rx_mark *rx_mark_with_window(struct rx_heap *, const struct rx_mark *outer, rx_time start, rx_time end,
                                          uint32_t flags);

static inline struct rx_event rx_event_ref(const struct rx_event *e)
{
    rx_value_ref(e->value);
    rx_value_ref(e->meta);
    rx_mark_ref(e->mark);
    return *e;
}

static inline void rx_event_unref(struct rx_event *e)
{
    rx_value_unref(e->value);
    rx_value_unref(e->meta);
    rx_mark_unref(e->mark);
    *e = (struct rx_event){0};
}

#endif
