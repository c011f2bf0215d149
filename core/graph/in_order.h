/* For operators with deadlines (hysteresis, match): their events in order of event time, and their deadlines between them.
 *
 * Where event time is told by the source, events are taken in order of (time, arrival) as the watermark reaches them, and one
 * that is behind it is late; a deadline has passed when no event at it can come any more. By the clock events are taken as
 * they come, at the clock's instant, and a deadline has passed after the input of its instant. When a watermark runs on
 * because all inputs are idle, what is late is judged by what has been taken and has passed. In a window that hands over its
 * events in order (rx_node.inner_ordered) they are taken as they come, at their times. One thread. */
#ifndef RX_CORE_IN_ORDER_H
#define RX_CORE_IN_ORDER_H

#include "core/graph/reorder.h"

struct rx_in_order_class {
    /* An event, at its time, or by the clock the clock's. It is the operator's to count. */
    void (*take)(struct rx_op *, const struct rx_event *, rx_time at);
    rx_time (*deadline)(const struct rx_op *); /* the earliest. RX_TIME_NEVER: none */
    void (*due)(struct rx_op *, rx_time at);   /* that one has passed: it must be gone after it */
};

struct rx_in_order {
    const struct rx_in_order_class *class;
    struct rx_op *op;
    struct rx_reorder ahead;
    rx_time settled; /* all up to it has been taken, and has passed */
};

/* At most `max` events wait for event time; past it the earliest is taken ahead of it (reorder.h). Allocates nothing. */
void rx_in_order_init(struct rx_in_order *, struct rx_op *, const struct rx_in_order_class *, size_t max);
void rx_in_order_finish(struct rx_in_order *); /* of class->dispose. Safe on zeroes */
/* For class->next and class->watermark; the latter passes the watermark on after it. */
void rx_in_order_next(struct rx_in_order *, const struct rx_event *span, size_t n);
void rx_in_order_reached(struct rx_in_order *);
/* For class->complete: nothing more comes, so all that waits is taken, and deadlines pass up to where event time stands. The
 * operator is not finished. */
void rx_in_order_complete(struct rx_in_order *);
void rx_in_order_save(const struct rx_in_order *, struct rx_writer *);
int rx_in_order_load(struct rx_in_order *, struct rx_reader *);

#endif
