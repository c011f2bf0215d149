/* A table of groups: key values to fixed-size entries, in order of creation and of last use. One thread.
 *
 * Entries do not move, so pointers to them stay. Open addressing with linear probing over pairs of hash and reference, at most three
 * quarters full: a look-up reads one line of slots and the entry, and growing reads no entry at all. Removal shifts back (Knuth,
 * TAOCP 3, 6.4, algorithm R). A use writes a stamp; the order of use is made from the stamps when it is asked for, so that it is exact
 * and costs a hit nothing. */
#ifndef RX_CORE_KEYTABLE_H
#define RX_CORE_KEYTABLE_H

#include <string.h>

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

void rx_keytable_stamp(struct rx_keytable *, struct rx_keyed *); /* private: with the next stamp */

/* It is the newest in use. */
static inline void rx_keytable_touch(struct rx_keytable *t, struct rx_keyed *e)
{
    if (e->used == t->uses)
        return;
    if (t->uses == UINT32_MAX)
        rx_keytable_stamp(t, e);
    else
        e->used = ++t->uses;
}

/* Short texts and whole numbers, as nearly all keys are, are hashed and compared here; the rest as any value. */
static inline uint64_t rx_hash_load(const char *p, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, p, n);
    return word;
}

/* The finalizer of MurmurHash3 (Appleby, public domain) over two words. */
static inline uint64_t rx_hash_mix(uint64_t a, uint64_t b)
{
    uint64_t h = a ^ (b * 0x9E3779B97F4A7C15u);
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCDu;
    h = (h ^ h >> 33 ^ b) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 33;
}

static inline uint64_t rx_hash_short(const char *text, uint32_t n)
{
    if (n >= 8)
        return rx_hash_mix(rx_hash_load(text, 8), rx_hash_load(text + n - 8, 8) ^ (uint64_t)n << 56);
    if (n >= 4)
        return rx_hash_mix(rx_hash_load(text, 4) | rx_hash_load(text + n - 4, 4) << 32, n);
    return n ? rx_hash_mix((uint64_t)(unsigned char)text[0] | (uint64_t)(unsigned char)text[n / 2] << 8 |
                               (uint64_t)(unsigned char)text[n - 1] << 16,
                           n)
             : 1;
}

/* Of one value, as rx_value_equal has it: a double that is whole is the integer. */
static inline uint64_t rx_keytable_hash_of(struct rx_value v)
{
    if (v.kind == RX_STRING && v.aux <= 16)
        return rx_hash_short(v.u.text, v.aux);
    if (v.kind == RX_INT || (v.kind == RX_UINT && v.u.u <= INT64_MAX))
        return rx_hash_mix(v.u.u, 0);
    if (v.kind == RX_DOUBLE && v.u.d >= -0x1p63 && v.u.d < 0x1p63 && v.u.d == (double)(int64_t)v.u.d)
        return rx_hash_mix((uint64_t)(int64_t)v.u.d, 0);
    return rx_value_hash(v);
}

static inline bool rx_keytable_same(struct rx_value a, struct rx_value b)
{
    if (a.kind == RX_INT && b.kind == RX_INT)
        return a.u.i == b.u.i;
    if (a.kind != RX_STRING || b.kind != RX_STRING)
        return rx_value_equal(a, b);
    uint32_t n = a.aux;
    if (n != b.aux)
        return false;
    if (n > 16 || n < 8)
        return memcmp(a.u.text, b.u.text, n) == 0;
    return rx_hash_load(a.u.text, 8) == rx_hash_load(b.u.text, 8) &&
           rx_hash_load(a.u.text + n - 8, 8) == rx_hash_load(b.u.text + n - 8, 8);
}

/* rx_keytable_find by one value, in a table whose keys have one part and that is not empty. */
static inline struct rx_keyed *rx_keytable_find_one(struct rx_keytable *t, const struct rx_value *key, uint64_t hash)
{
    const struct rx_keytable_slot *slots = t->slots;
    uint32_t mask = t->mask;
    for (uint32_t i = (uint32_t)hash & mask; slots[i].entry; i = (i + 1) & mask) {
        if (slots[i].hash != (uint32_t)hash)
            continue;
        struct rx_keyed *e = rx_keytable_at(t, slots[i].entry);
        if (!rx_keytable_same(e->keys[0], *key))
            continue;
        rx_keytable_touch(t, e);
        return e;
    }
    return NULL;
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
