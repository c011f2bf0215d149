/* Events kept for later, first in, first out. Each holds a reference. */
#ifndef RX_CORE_EVENT_QUEUE_H
#define RX_CORE_EVENT_QUEUE_H

#include "core/value/codec.h"
#include "core/value/event.h"

/* Zero-initialised is empty. */
struct rx_event_queue {
    struct rx_event *items; /* a ring */
    size_t head, count, capacity;
};

int rx_event_queue_push(struct rx_event_queue *, const struct rx_event *); /* takes references. -ENOMEM */
struct rx_event rx_event_queue_pop(struct rx_event_queue *);               /* the caller's; there must be one */
struct rx_event *rx_event_queue_at(const struct rx_event_queue *, size_t i);
void rx_event_queue_drop(struct rx_event_queue *, size_t n); /* the first n */
void rx_event_queue_finish(struct rx_event_queue *);
/* A list of the values of `count` events from the i-th on. RX_NULL: out of memory. */
struct rx_value rx_event_queue_list(const struct rx_event_queue *, struct rx_heap *, size_t i, size_t count);
void rx_event_queue_save(const struct rx_event_queue *, struct rx_writer *);
int rx_event_queue_load(struct rx_event_queue *, struct rx_reader *);

#endif
