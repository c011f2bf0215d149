/* Events in order of their times, those of one time in order of coming. Each is held by reference.
 *
 * They are appended as they come; rx_event_list_sort puts the new ones in their places, at once: what comes in order costs
 * nothing, and what does not costs one merge for all that came since. */
#ifndef RX_CORE_EVENT_LIST_H
#define RX_CORE_EVENT_LIST_H

#include "core/value/codec.h"
#include "core/value/event.h"

/* Zero-initialised is empty. */
struct rx_event_list {
    struct rx_event *events;
    size_t count, capacity;
    size_t sorted; /* the first so many are in order */
};

int rx_event_list_add(struct rx_event_list *, const struct rx_event *); /* takes references. -ENOMEM */
/* All in order. The index from which on they stand otherwise than before (`count`: nothing moved); -ENOMEM. */
int64_t rx_event_list_sort(struct rx_event_list *);
/* Of a list in order: how many are before `t` (`through`: or at it). */
size_t rx_event_list_before(const struct rx_event_list *, rx_time t, bool through);
void rx_event_list_drop(struct rx_event_list *, size_t n); /* the first n */
/* Appends what `from` has from the i-th on to `to`, and takes it away there. -ENOMEM: nothing moved. */
int rx_event_list_move(struct rx_event_list *from, size_t i, struct rx_event_list *to);
void rx_event_list_finish(struct rx_event_list *);
void rx_event_list_save(const struct rx_event_list *, struct rx_writer *);
int rx_event_list_load(struct rx_event_list *, struct rx_reader *);

#endif
