/* Events on their way from one heap to another in the same process: a form for the moment, faster than the codec's and kept by
 * nobody. What is written in order by one end is read in that order by the other; each end remembers the shapes of records that have
 * crossed, so that their keys cross once. One end to a thread. */
#ifndef RX_CORE_CROSSING_H
#define RX_CORE_CROSSING_H

#include "core/value/codec.h"

enum { RX_CROSSING_SHAPES = 64 };

/* The end that writes; zeroed at first. */
struct rx_crossing_out {
    uint64_t ids[RX_CROSSING_SHAPES]; /* of the shapes that the other end has, each at its id modulo their number */
    const struct rx_mark *mark;       /* the last that went; counted */
};

struct rx_crossing_shape {
    const struct rx_shape *shape; /* counted; NULL: there was no room for it, objects are made of: */
    struct rx_value *keys;
    uint32_t count;
};

/* The end that reads; zeroed at first. */
struct rx_crossing_in {
    struct rx_heap *heap; /* where values are made */
    struct rx_crossing_shape shapes[RX_CROSSING_SHAPES];
    const struct rx_mark *mark; /* counted */
};

/* No memory shows in the writer; nothing that is written later can be read then. */
void rx_cross_event(struct rx_crossing_out *, struct rx_writer *, const struct rx_event *);
/* The caller's. A read that fails shows in the reader. */
struct rx_event rx_crossed_event(struct rx_crossing_in *, struct rx_reader *);
/* Before the heaps are destroyed. */
void rx_crossing_out_finish(struct rx_crossing_out *);
void rx_crossing_in_finish(struct rx_crossing_in *);

#endif
