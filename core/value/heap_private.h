/* What heap.c, shape.c and json_decode.c share of a heap. For no one else. */
#ifndef RX_CORE_HEAP_PRIVATE_H
#define RX_CORE_HEAP_PRIVATE_H

#include "core/value/heap.h"

enum {
    RX_POOL_UNITS_MAX = 128, /* blocks of up to this many 16-byte units, header included, come from slabs */
    RX_POOL_CLASSES = 20,
};

struct rx_slab;
struct rx_pool {
    struct rx_slab *current; /* where allocations come from; may be full or empty */
    struct rx_slab *partial; /* others with room, none empty */
};

/* Interned keys and shapes, see shape.c. */
struct rx_key;
struct rx_shape;
struct rx_shapes {
    const struct rx_key **keys; /* open addressing by hash */
    uint32_t key_count, key_slots;
    struct rx_shape **table; /* open addressing by (parent, last key) */
    uint32_t shape_count, shape_slots;
    struct rx_shape *empty;
    unsigned max_keys, max_shapes;
};
void rx_shapes_finish(struct rx_shapes *);

struct rx_heap {
    struct rx_pool pools[RX_POOL_CLASSES];
    uint8_t class_of[RX_POOL_UNITS_MAX + 1];
    bool failed;
    size_t max_bytes, live_bytes, live_blocks;
    struct rx_shapes shapes;
    void *scratch; /* of the decoder above, kept from message to message; freed by scratch_destroy */
    void (*scratch_destroy)(void *);
};

#endif
