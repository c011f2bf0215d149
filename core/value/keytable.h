/* A table of groups: key values to fixed-size entries, in order of creation and of last use. One thread.
 *
 * Entries do not move, so pointers to them stay. Open addressing with linear probing over 32-bit references, at most two
 * thirds full; removal shifts back (Knuth, TAOCP 3, 6.4, algorithm R). */
#ifndef RX_CORE_KEYTABLE_H
#define RX_CORE_KEYTABLE_H

#include "core/value/heap.h"

/* The head of each entry; the user's bytes follow `keys`. */
struct rx_keyed {
    uint64_t hash;
    struct rx_keyed *previous, *next; /* in order of creation */
    struct rx_keyed *older, *newer;   /* in order of use */
    struct rx_value keys[];           /* compact copies, `width` of them */
};

struct rx_keytable {
    struct rx_heap *heap;
    unsigned width;    /* values in a key */
    size_t entry_size; /* of the user's part, bytes */
    struct rx_keyed **slots;
    uint32_t mask, count;
    struct rx_keyed *first, *last, *oldest, *newest;
    struct rx_keyed *spare; /* removed entries, for reuse */
    struct rx_keyed_chunk *chunks;
    size_t chunk_used;
};

void rx_keytable_init(struct rx_keytable *, struct rx_heap *, unsigned width, size_t entry_size);
void rx_keytable_finish(struct rx_keytable *); /* the user's parts are the user's to finish first */

uint64_t rx_keytable_hash(const struct rx_value *keys, unsigned width);
/* The entry, moved to the newest in use; NULL: none. */
struct rx_keyed *rx_keytable_find(struct rx_keytable *, const struct rx_value *keys, uint64_t hash);
/* A new entry with a zeroed user part and compact copies of the keys. The key must not be there. NULL: no memory. */
struct rx_keyed *rx_keytable_add(struct rx_keytable *, const struct rx_value *keys, uint64_t hash);
void rx_keytable_remove(struct rx_keytable *, struct rx_keyed *);

static inline void *rx_keyed_data(const struct rx_keytable *t, struct rx_keyed *e) { return e->keys + t->width; }

#endif
