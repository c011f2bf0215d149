/* What the makers of values share of a heap: core/value and the JSON decoder. For no one else. */
#ifndef RX_CORE_HEAP_PRIVATE_H
#define RX_CORE_HEAP_PRIVATE_H

#include <string.h>

#include "core/value/record.h"

enum {
    RX_POOL_UNITS_MAX = 128, /* blocks of up to this many 16-byte units, header included, come from slabs */
    RX_POOL_CLASSES = 20,
};

struct rx_slab;
struct rx_pool {
    struct rx_slab *current; /* where allocations come from; may be full or empty */
    struct rx_slab *partial; /* others with room, none empty */
};

/* Interned keys and shapes, see shape.c. Those that were met, not the ones for good, are bounded. */
struct key;
struct shape;
struct rx_shapes {
    struct key **keys; /* open addressing by hash */
    uint32_t key_count, key_slots, keys_met;
    struct shape **table; /* open addressing by (parent, last key) */
    uint32_t shape_count, shape_slots, shapes_met;
    struct shape *empty;
    unsigned max_keys, max_shapes;
    const struct rx_key *known[RX_KEYS_KNOWN];
    uint64_t last_id;
    uint64_t seed;     /* of the keys' hash, so that a sender cannot choose names that collide */
    uint64_t age;      /* goes up when something was given back: who remembers shapes or keys must forget them */
    uint32_t pressure; /* met or refused since the last tidying */
    bool crowded;      /* tidying would be in order */
};
void rx_shapes_init(struct rx_shapes *);
bool rx_keys_known_intern(struct rx_heap *);
void rx_shapes_finish(struct rx_heap *);
void rx_shapes_tidy(struct rx_heap *);

struct rx_heap {
    struct rx_pool pools[RX_POOL_CLASSES];
    uint8_t class_of[RX_POOL_UNITS_MAX + 1];
    bool failed, too_bulky;
    size_t max_bytes, live_bytes, live_blocks;
    struct rx_shapes shapes;
    unsigned building; /* objects that are being made, by shapes that nobody counts yet */
    void *scratch;     /* of the decoder above, kept from message to message; freed by scratch_destroy */
    void (*scratch_destroy)(void *);
};

static inline size_t rx_block_bytes(const struct rx_block *block) { return block->size_content & ~(uint32_t)15; }

/* Called where a message is decoded or an object begun: gives back what is not in use, when there is no room. */
static inline void rx_heap_tidy(struct rx_heap *heap)
{
    if (heap->shapes.crowded && heap->building == 0)
        rx_shapes_tidy(heap);
}

/* Short texts as a rule, for which a call is dear. */
static inline void rx_copy_text(char *to, const char *from, size_t length)
{
    if (length > 32) {
        memcpy(to, from, length);
    } else if (length >= 16) {
        memcpy(to, from, 16);
        memcpy(to + length - 16, from + length - 16, 16);
    } else if (length >= 8) {
        memcpy(to, from, 8);
        memcpy(to + length - 8, from + length - 8, 8);
    } else if (length >= 4) {
        memcpy(to, from, 4);
        memcpy(to + length - 4, from + length - 4, 4);
    } else if (length > 0) {
        to[0] = from[0];
        to[length / 2] = from[length / 2];
        to[length - 1] = from[length - 1];
    }
}

/* The records of a message, chained, so that its block gives back their shapes. The last 4 bytes of the header of the
 * block's first object and of each record: where the next record is (16-byte units from the first object, times 2), plus 1
 * if the object is itself a record. */
struct rx_chain {
    char *base;
    uint32_t *link;
};

static inline uint32_t *rx_chain_link(void *object) { return (uint32_t *)object + 3; }

static inline struct rx_chain rx_chain_begin(void *first)
{
    *rx_chain_link(first) = 0;
    return (struct rx_chain){.base = first, .link = rx_chain_link(first)};
}

/* Counts the record's shape. The record's own link is overwritten. */
static inline void rx_chain_add(struct rx_chain *chain, struct rx_record *record)
{
    uint32_t offset = (uint32_t)((char *)record - chain->base) / 16;
    rx_shape_ref(record->shape);
    *chain->link |= offset << 1;
    chain->link = rx_chain_link(record);
    *chain->link = 1;
}

#endif
