/* The table of groups. */
#include "core/value/keytable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 16, FEW = 32 /* ranks that are sorted by insertion */ };

struct rx_keytable_rank {
    uint32_t used, entry;
};

_Static_assert(RX_KEYTABLE_FIRST == 4, "rx_keytable_at");

void rx_keytable_init(struct rx_keytable *t, struct rx_heap *heap, unsigned width, size_t entry_size)
{
    size_t stride = sizeof(struct rx_keyed) + width * sizeof(struct rx_value) + entry_size;
    *t = (struct rx_keytable){.heap = heap, .width = width, .stride = (stride + 7) & ~(size_t)7, .uses = 1};
}

static void unref_keys(struct rx_keytable *t, struct rx_keyed *e)
{
    for (unsigned i = 0; i < t->width; i++)
        rx_value_unref(e->keys[i]);
}

void rx_keytable_finish(struct rx_keytable *t)
{
    for (struct rx_keyed *e = rx_keytable_first(t); e; e = rx_keytable_next(t, e))
        unref_keys(t, e);
    for (unsigned i = 0; i < RX_KEYTABLE_CHUNKS; i++)
        free(t->chunks[i]);
    free(t->slots);
    free(t->ranks);
    *t = (struct rx_keytable){0};
}

/* ---- keys ---- */

uint64_t rx_keytable_hash(const struct rx_value *keys, unsigned width)
{
    uint64_t hash = rx_keytable_hash_of(keys[0]);
    for (unsigned i = 1; i < width; i++)
        hash = rx_hash_mix(hash, rx_keytable_hash_of(keys[i]));
    return hash;
}

static bool same(const struct rx_keytable *t, const struct rx_keyed *e, const struct rx_value *keys)
{
    for (unsigned i = 0; i < t->width; i++)
        if (!rx_keytable_same(e->keys[i], keys[i]))
            return false;
    return true;
}

/* ---- the order of creation ---- */

static struct rx_keyed *at_or_none(const struct rx_keytable *t, uint32_t entry)
{
    return entry ? rx_keytable_at(t, entry) : NULL;
}

struct rx_keyed *rx_keytable_first(const struct rx_keytable *t) { return at_or_none(t, t->first); }

struct rx_keyed *rx_keytable_next(const struct rx_keytable *t, const struct rx_keyed *e)
{
    return at_or_none(t, e->next);
}

/* ---- the order of use ---- */

static void sort_few(struct rx_keytable_rank *ranks, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct rx_keytable_rank rank = ranks[i];
        uint32_t k = i;
        for (; k > 0 && ranks[k - 1].used > rank.used; k--)
            ranks[k] = ranks[k - 1];
        ranks[k] = rank;
    }
}

/* One pass of a radix sort from the least digit on (Knuth, TAOCP 3, 5.2.5). */
static void sort_digit(const struct rx_keytable_rank *from, struct rx_keytable_rank *to, uint32_t n, unsigned shift)
{
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < n; i++)
        starts[(from[i].used >> shift & 255) + 1]++;
    for (unsigned d = 0; d < 256; d++)
        starts[d + 1] += starts[d];
    for (uint32_t i = 0; i < n; i++)
        to[starts[from[i].used >> shift & 255]++] = from[i];
}

/* Behind the ranks there is room for as many. */
static void sort(struct rx_keytable_rank *ranks, uint32_t n)
{
    bool sorted = true;
    for (uint32_t i = 1; i < n && sorted; i++)
        sorted = ranks[i - 1].used <= ranks[i].used;
    if (sorted)
        return;
    if (n <= FEW) {
        sort_few(ranks, n);
        return;
    }
    for (unsigned shift = 0; shift < 32; shift += 16) {
        sort_digit(ranks, ranks + n, n, shift);
        sort_digit(ranks + n, ranks, n, shift + 8);
    }
}

int rx_keytable_rank(struct rx_keytable *t)
{
    if (t->count > t->rank_room) {
        uint32_t room = t->count < FEW ? FEW : t->count;
        struct rx_keytable_rank *ranks = malloc((size_t)room * 2 * sizeof *ranks);
        if (!ranks)
            return -ENOMEM;
        free(t->ranks);
        t->ranks = ranks;
        t->rank_room = room;
    }
    t->rank = t->rank_count = 0;
    for (uint32_t entry = t->first; entry; entry = rx_keytable_at(t, entry)->next)
        t->ranks[t->rank_count++] = (struct rx_keytable_rank){rx_keytable_at(t, entry)->used, entry};
    sort(t->ranks, t->rank_count);
    return 0;
}

struct rx_keyed *rx_keytable_ranked(const struct rx_keytable *t, uint32_t i)
{
    return rx_keytable_at(t, t->ranks[i].entry);
}

/* Without memory for ranks. */
static struct rx_keyed *search_oldest(const struct rx_keytable *t)
{
    struct rx_keyed *oldest = rx_keytable_first(t);
    for (struct rx_keyed *e = oldest; e; e = rx_keytable_next(t, e))
        oldest = e->used < oldest->used ? e : oldest;
    return oldest;
}

/* Who has still the stamp of its rank has not been used since, as all before it have. */
struct rx_keyed *rx_keytable_oldest(struct rx_keytable *t)
{
    for (bool again = t->count > 0;; again = false) {
        for (; t->rank < t->rank_count; t->rank++)
            if (rx_keytable_ranked(t, t->rank)->used == t->ranks[t->rank].used)
                return rx_keytable_ranked(t, t->rank);
        if (!again || rx_keytable_rank(t) < 0)
            return search_oldest(t);
    }
}

/* Stamps begin anew. Without memory for that all that is used until there is some counts as used at once. */
static void renumber(struct rx_keytable *t)
{
    if (rx_keytable_rank(t) < 0)
        return;
    for (uint32_t i = 0; i < t->rank_count; i++)
        rx_keytable_ranked(t, i)->used = t->ranks[i].used = i + 1;
    t->uses = t->rank_count + 1;
}

void rx_keytable_stamp(struct rx_keytable *t, struct rx_keyed *e)
{
    if (t->uses == UINT32_MAX)
        renumber(t);
    t->uses += t->uses < UINT32_MAX;
    e->used = t->uses;
}

/* ---- look-up ---- */

struct rx_keyed *rx_keytable_find(struct rx_keytable *t, const struct rx_value *keys, uint64_t hash)
{
    if (!t->slots)
        return NULL;
    for (uint32_t i = (uint32_t)hash & t->mask; t->slots[i].entry; i = (i + 1) & t->mask) {
        if (t->slots[i].hash != (uint32_t)hash)
            continue;
        struct rx_keyed *e = rx_keytable_at(t, t->slots[i].entry);
        if (!same(t, e, keys))
            continue;
        rx_keytable_touch(t, e);
        return e;
    }
    return NULL;
}

static void place(struct rx_keytable_slot *slots, uint32_t mask, struct rx_keytable_slot slot)
{
    uint32_t i = slot.hash & mask;
    while (slots[i].entry)
        i = (i + 1) & mask;
    slots[i] = slot;
}

static bool make_room(struct rx_keytable *t)
{
    if (t->slots && (uint64_t)t->count * 4 < ((uint64_t)t->mask + 1) * 3)
        return true;
    uint32_t n = t->slots ? (t->mask + 1) * 2 : FIRST_SLOTS;
    struct rx_keytable_slot *slots = n ? calloc(n, sizeof *slots) : NULL;
    if (!slots)
        return false;
    for (uint32_t i = 0; t->slots && i <= t->mask; i++)
        if (t->slots[i].entry)
            place(slots, n - 1, t->slots[i]);
    free(t->slots);
    t->slots = slots;
    t->mask = n - 1;
    return true;
}

/* 0: no memory. */
static uint32_t take_entry(struct rx_keytable *t)
{
    uint32_t entry = t->spare;
    if (entry) {
        t->spare = rx_keytable_at(t, entry)->next;
        return entry;
    }
    uint32_t place = t->made + RX_KEYTABLE_FIRST;
    unsigned chunk = 29 - (unsigned)__builtin_clz(place);
    if (chunk >= RX_KEYTABLE_CHUNKS)
        return 0;
    if (!t->chunks[chunk])
        t->chunks[chunk] = malloc(((size_t)RX_KEYTABLE_FIRST << chunk) * t->stride);
    return t->chunks[chunk] ? ++t->made : 0;
}

static void give_back(struct rx_keytable *t, uint32_t entry, struct rx_keyed *e)
{
    e->used = 0;
    e->next = t->spare;
    t->spare = entry;
}

static bool copy_keys(struct rx_keytable *t, struct rx_keyed *e, const struct rx_value *keys)
{
    for (unsigned i = 0; i < t->width; i++) {
        e->keys[i] = rx_value_compact(t->heap, keys[i]);
        if (e->keys[i].kind == keys[i].kind)
            continue;
        for (unsigned k = 0; k < i; k++)
            rx_value_unref(e->keys[k]);
        return false;
    }
    return true;
}

struct rx_keyed *rx_keytable_add(struct rx_keytable *t, const struct rx_value *keys, uint64_t hash)
{
    uint32_t entry = make_room(t) ? take_entry(t) : 0;
    if (!entry)
        return NULL;
    struct rx_keyed *e = rx_keytable_at(t, entry);
    memset(e, 0, t->stride);
    if (!copy_keys(t, e, keys)) {
        give_back(t, entry, e);
        return NULL;
    }
    e->hash = (uint32_t)hash;
    e->previous = t->last;
    *(t->last ? &rx_keytable_at(t, t->last)->next : &t->first) = entry;
    t->last = entry;
    t->count++;
    rx_keytable_touch(t, e);
    place(t->slots, t->mask, (struct rx_keytable_slot){e->hash, entry});
    return e;
}

/* Closes the gap: whoever would no longer be found is moved back. */
static void remove_slot(struct rx_keytable *t, uint32_t gap)
{
    t->slots[gap].entry = 0;
    for (uint32_t i = (gap + 1) & t->mask; t->slots[i].entry; i = (i + 1) & t->mask) {
        uint32_t home = t->slots[i].hash & t->mask;
        if (((i - home) & t->mask) < ((i - gap) & t->mask))
            continue;
        t->slots[gap] = t->slots[i];
        t->slots[i].entry = 0;
        gap = i;
    }
}

void rx_keytable_remove(struct rx_keytable *t, struct rx_keyed *e)
{
    uint32_t i = e->hash & t->mask;
    while (!t->slots[i].entry || rx_keytable_at(t, t->slots[i].entry) != e)
        i = (i + 1) & t->mask;
    uint32_t entry = t->slots[i].entry;
    remove_slot(t, i);
    *(e->previous ? &rx_keytable_at(t, e->previous)->next : &t->first) = e->next;
    *(e->next ? &rx_keytable_at(t, e->next)->previous : &t->last) = e->previous;
    unref_keys(t, e);
    give_back(t, entry, e);
    t->count--;
}
