/* Events put in order: held in order of (time, arrival) until event time has reached them.
 *
 * A binary heap (Williams, CACM 7, 1964), bounded: where more than `max` are held, the earliest goes on ahead of event time,
 * so that nothing is lost for want of room. What comes behind it then cannot take its place any more
 * (rx_reorder_is_behind). It has no source of time of its own, and does not count: the caller says how far time has come,
 * and what became of the events. One thread; each event held is referred to.
 *
 * Its owner, at an event:   if (rx_reorder_is_behind(&o->ahead, reached, event->time)) rx_late_event(op, event);
 *                           else push;
 * then, and in class->watermark: while (rx_reorder_pop(&o->ahead, reached, &event)) use it, unref it;
 *                           rx_watermark_want(op, rx_reorder_earliest(&o->ahead)). */
#ifndef RX_CORE_REORDER_H
#define RX_CORE_REORDER_H

#include "core/graph/operator.h"

/* Zero-initialised is empty, with no room; rx_reorder_init. Private to reorder.c but for `count`. */
struct rx_reorder {
    struct rx_op *op;
    size_t max, count, capacity;
    struct rx_reordered *items; /* the heap; the children of i are 2i + 1 and 2i + 2 */
    uint64_t arrivals;          /* the next one's number */
    rx_time gone;               /* the latest time of what was handed out; INT64_MIN: nothing yet */
};

/* What is held is in the op's account (rx_hold), and leaves it with rx_reorder_pop; NULL: the caller's to count. `max` is at
 * least 1. Allocates nothing. */
void rx_reorder_init(struct rx_reorder *, struct rx_op *, size_t max);
/* Gives back what is held; the account stays as it is, for the graph to settle when the op is disposed. Safe on zeroes. */
void rx_reorder_finish(struct rx_reorder *);
/* Holds the event. After it there may be one more than `max` until the next pop. -ENOMEM: it is not held. */
int rx_reorder_push(struct rx_reorder *, const struct rx_event *);
/* The earliest, of equals the one that came first, where its time is `t` or before, or more than `max` are held: the
 * caller's to unref. False: nothing is due. */
bool rx_reorder_pop(struct rx_reorder *, rx_time t, struct rx_event *ret);
/* Whether an event of that time would come too late to be in order: event time has passed it, or a later one has gone on. */
static inline bool rx_reorder_is_behind(const struct rx_reorder *r, rx_time reached, rx_time time)
{
    return time < reached || time < r->gone;
}
rx_time rx_reorder_earliest(const struct rx_reorder *); /* of what is held. RX_TIME_NEVER: nothing is */
/* All of it but the op and `max`. What was read is held again. After a failure it holds what was read until then. */
void rx_reorder_save(const struct rx_reorder *, struct rx_writer *);
int rx_reorder_load(struct rx_reorder *, struct rx_reader *);

#endif
