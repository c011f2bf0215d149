/* The index of a hub: which of its gated subscribers an event may concern. Private to core/graph.
 *
 * It is made anew of those who are subscribed when one has come or gone, by the gates of their conditions (rx_expr_gate). What
 * it finds is a superset: each asks its condition itself. For the others the condition is false, or misses its operand, which is counted
 * here, by field, and goes into their ledgers when those are read (rx_gated). */
#ifndef RX_CORE_HUB_INDEX_H
#define RX_CORE_HUB_INDEX_H

#include "core/graph/hub.h"

struct rx_hub_index;

/* An event for a subscriber; `at` counts in the span. */
struct rx_hit {
    struct rx_observer *observer; /* NULL: it has gone */
    uint64_t born;
    uint32_t at;
};

/* Of all gated subscribers, `first` and those that follow it; NULL: no memory. They stay where they are for as long as it is used. */
struct rx_hub_index *rx_hub_index_create(struct rx_observer *first);
void rx_hub_index_destroy(struct rx_hub_index *); /* their accounts must be up to date; NULL is fine */

/* Looks up a span, or its first events: answers how many, at least 1; -ENOMEM. The hits are in order of subscription, and for each
 * subscriber in that of events; they stay until the next look-up. */
int rx_hub_index_find(struct rx_hub_index *, const struct rx_event *span, size_t n, struct rx_hit **ret,
                      size_t *ret_count);

/* For how many events so far its field was absent to it. */
uint64_t rx_hub_field_absent(const struct rx_gated *);
/* Of these events. */
size_t rx_hub_field_absent_in(const struct rx_gated *, const struct rx_event *span, size_t n);

#endif
