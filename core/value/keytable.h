/* A table of groups: key values to fixed-size entries, in order of creation and of last use. One thread.
 *
 * Entries do not move, so pointers to them stay. Open addressing with linear probing over pairs of hash and reference, at most three
 * quarters full: a look-up reads one line of slots and the entry, and growing reads no entry at all. Removal shifts back (Knuth,
 * TAOCP 3, 6.4, algorithm R). A use writes a stamp; the order of use is made from the stamps when it is asked for, so that it is exact
 * and costs a hit nothing. */
#ifndef RX_CORE_KEYTABLE_H
#define RX_CORE_KEYTABLE_H

#include "core/value/heap.h"

/* The head of each entry; the user's bytes follow `keys`. Private but for the keys. */
struct rx_keyed {
    uint32_t hash;
    uint32_t previous, next; /* in order of creation; 0: none */
    uint32_t used;           /* the stamp of its last use; 0: the entry is spare */
    struct rx_value keys[];  /* compact copies, `width` of them */
};

struct rx_keytable_slot {
    uint32_t hash, entry; /* entry 0: empty */
};

enum { RX_KEYTABLE_CHUNKS = 28, RX_KEYTABLE_FIRST = 4 /* entries in the first chunk; each next has twice as many */ };

struct rx_keytable {
    struct rx_heap *heap;
    unsigned width; /* values in a key */
    uint32_t count; /* entries */
    size_t stride;  /* bytes of an entry. Private from here on */
    struct rx_keytable_slot *slots;
    uint32_t mask, first, last, spare, made; /* made: entries that chunks have given out */
    uint32_t uses;                           /* the newest stamp */
    char *chunks[RX_KEYTABLE_CHUNKS];
    struct rx_keytable_rank
        *ranks; /* entries by stamps that they had once; those used since are newer than all in it */
    uint32_t rank, rank_count, rank_room;
};

void rx_keytable_init(struct rx_keytable *, struct rx_heap *, unsigned width, size_t entry_size);
void rx_keytable_finish(struct rx_keytable *); /* the user's parts are the user's to finish first */

uint64_t rx_keytable_hash(const struct rx_value *keys, unsigned width);
/* The entry, which is the newest in use then; NULL: none. */
struct rx_keyed *rx_keytable_find(struct rx_keytable *, const struct rx_value *keys, uint64_t hash);
/* A new entry with a zeroed user part and compact copies of the keys. The key must not be there. NULL: no memory. */
struct rx_keyed *rx_keytable_add(struct rx_keytable *, const struct rx_value *keys, uint64_t hash);
void rx_keytable_remove(struct rx_keytable *, struct rx_keyed *);
void rx_keytable_touch(struct rx_keytable *, struct rx_keyed *); /* it is the newest in use */

/* In order of creation; NULL: no more. */
struct rx_keyed *rx_keytable_first(const struct rx_keytable *);
struct rx_keyed *rx_keytable_next(const struct rx_keytable *, const struct rx_keyed *);
/* The least recently used; NULL: the table is empty. Constant time on the average over uses and removals. */
struct rx_keyed *rx_keytable_oldest(struct rx_keytable *);
/* All in order of use, the oldest first: rx_keytable_ranked has them until the table changes. -ENOMEM. */
int rx_keytable_rank(struct rx_keytable *);
struct rx_keyed *rx_keytable_ranked(const struct rx_keytable *, uint32_t i);

static inline void *rx_keyed_data(const struct rx_keytable *t, struct rx_keyed *e) { return e->keys + t->width; }

static inline struct rx_keyed *rx_keytable_at(const struct rx_keytable *t, uint32_t entry)
{
    uint32_t place = entry - 1 + RX_KEYTABLE_FIRST;
    unsigned chunk = 29 - (unsigned)__builtin_clz(place);
    return (struct rx_keyed *)(void *)(t->chunks[chunk] + (place - (4u << chunk)) * t->stride);
}

/* For who has the hashes of several look-ups at hand: what each will read is fetched beforehand, the slot first, some later the
 * entry, and then the text of its key. */
static inline void rx_keytable_fetch_slot(const struct rx_keytable *t, uint64_t hash)
{
    __builtin_prefetch(&t->slots[(uint32_t)hash & t->mask]);
}

static inline void rx_keytable_fetch_entry(const struct rx_keytable *t, uint64_t hash)
{
    uint32_t entry = t->slots[(uint32_t)hash & t->mask].entry;
    if (!entry)
        return;
    const char *e = (const char *)rx_keytable_at(t, entry);
    __builtin_prefetch(e);
    __builtin_prefetch(e + 64);
}

static inline void rx_keytable_fetch_key(const struct rx_keytable *t, uint64_t hash)
{
    uint32_t entry = t->slots[(uint32_t)hash & t->mask].entry;
    if (entry && rx_is_counted(rx_keytable_at(t, entry)->keys[0]))
        __builtin_prefetch(rx_keytable_at(t, entry)->keys[0].u.pointer);
}

#endif
