/* A bounded ring between two threads: one producer, one consumer, fixed-size messages, no locks.
 *
 * What crosses is copied or handed over whole, never shared (Lamport's queue with acquire/release and cached indices). */
#ifndef RX_CORE_RING_H
#define RX_CORE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rx_message {
    uint32_t type; /* the two ends agree on what it means */
    uint32_t number;
    uint64_t a, b;
    void *pointer; /* ownership goes with the message */
};

struct rx_ring;
struct rx_ring *rx_ring_create(size_t capacity); /* rounded up to a power of two */
/* `drop` is called for each message left. */
void rx_ring_destroy(struct rx_ring *, void (*drop)(struct rx_message *));
bool rx_ring_push(struct rx_ring *, const struct rx_message *); /* producer; false: full */
bool rx_ring_pop(struct rx_ring *, struct rx_message *ret);     /* consumer; false: empty */
size_t rx_ring_length(const struct rx_ring *);                  /* either end; a moment's truth */

#endif
