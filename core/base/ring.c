/* Lamport's single-producer, single-consumer queue; each end caches the other's index, so that a push or pop touches
 * the other end's cache line only when the ring seems full or empty. */
#include "core/base/ring.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { CACHE_LINE = 64 };

struct rx_ring {
    struct rx_message *slots; /* constant after creation, like mask */
    size_t mask;

    _Alignas(CACHE_LINE) atomic_size_t tail; /* the producer's line: next slot to fill */
    size_t head_seen;

    _Alignas(CACHE_LINE) atomic_size_t head; /* the consumer's line: next slot to empty */
    size_t tail_seen;
};

static size_t power_of_two_from(size_t n)
{
    size_t power = 2;
    while (power < n && power <= SIZE_MAX / 4 / sizeof(struct rx_message))
        power *= 2;
    return power;
}

struct rx_ring *rx_ring_create(size_t capacity)
{
    size_t slots = power_of_two_from(capacity);
    struct rx_ring *r = slots < capacity ? NULL : aligned_alloc(CACHE_LINE, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct rx_ring){.slots = malloc(slots * sizeof *r->slots), .mask = slots - 1};
    if (!r->slots) {
        free(r);
        return NULL;
    }
    return r;
}

void rx_ring_destroy(struct rx_ring *r, void (*drop)(struct rx_message *))
{
    struct rx_message message;
    if (!r)
        return;
    while (rx_ring_pop(r, &message))
        if (drop)
            drop(&message);
    free(r->slots);
    free(r);
}

bool rx_ring_push(struct rx_ring *r, const struct rx_message *message)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail - r->head_seen > r->mask) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (tail - r->head_seen > r->mask)
            return false;
    }
    r->slots[tail & r->mask] = *message;
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return true;
}

bool rx_ring_pop(struct rx_ring *r, struct rx_message *ret)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head == r->tail_seen) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head == r->tail_seen)
            return false;
    }
    *ret = r->slots[head & r->mask];
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return true;
}

/* The head is read first: it never passes a tail read later, so the difference cannot wrap. */
size_t rx_ring_length(const struct rx_ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    return tail - head <= r->mask + 1 ? tail - head : r->mask + 1;
}
