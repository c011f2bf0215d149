/* The table of groups. */
#include "core/value/keytable.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 16, CHUNK_ENTRIES = 64 };

struct rx_keyed_chunk {
    struct rx_keyed_chunk *next;
    size_t capacity;
    _Alignas(16) char data[];
};

void rx_keytable_init(struct rx_keytable *t, struct rx_heap *heap, unsigned width, size_t entry_size)
{
    *t = (struct rx_keytable){.heap = heap, .width = width, .entry_size = (entry_size + 15) & ~(size_t)15};
}

static void unref_keys(struct rx_keytable *t, struct rx_keyed *e)
{
    for (unsigned i = 0; i < t->width; i++)
        rx_value_unref(e->keys[i]);
}

void rx_keytable_finish(struct rx_keytable *t)
{
    for (struct rx_keyed *e = t->first; e; e = e->next)
        unref_keys(t, e);
    for (struct rx_keyed_chunk *c = t->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(t->slots);
    *t = (struct rx_keytable){0};
}

uint64_t rx_keytable_hash(const struct rx_value *keys, unsigned width)
{
    uint64_t hash = rx_value_hash(keys[0]);
    for (unsigned i = 1; i < width; i++)
        hash = (hash ^ rx_value_hash(keys[i])) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static bool same(const struct rx_keytable *t, const struct rx_keyed *e, const struct rx_value *keys)
{
    for (unsigned i = 0; i < t->width; i++) {
        struct rx_value a = e->keys[i], b = keys[i];
        bool equal = a.kind == RX_STRING && b.kind == RX_STRING
                         ? a.aux == b.aux && memcmp(a.u.text, b.u.text, a.aux) == 0
                         : rx_value_equal(a, b);
        if (!equal)
            return false;
    }
    return true;
}

static void unlink_use(struct rx_keytable *t, struct rx_keyed *e)
{
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
}

static void link_newest(struct rx_keytable *t, struct rx_keyed *e)
{
    e->older = t->newest;
    e->newer = NULL;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

struct rx_keyed *rx_keytable_find(struct rx_keytable *t, const struct rx_value *keys, uint64_t hash)
{
    if (!t->slots)
        return NULL;
    for (uint32_t i = (uint32_t)hash & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
        struct rx_keyed *e = t->slots[i];
        if (e->hash != hash || !same(t, e, keys))
            continue;
        if (e != t->newest) {
            unlink_use(t, e);
            link_newest(t, e);
        }
        return e;
    }
    return NULL;
}

static void place(struct rx_keyed **slots, uint32_t mask, struct rx_keyed *e)
{
    uint32_t i = (uint32_t)e->hash & mask;
    while (slots[i])
        i = (i + 1) & mask;
    slots[i] = e;
}

static bool make_room(struct rx_keytable *t)
{
    if (t->slots && (uint64_t)t->count * 3 < (uint64_t)t->mask * 2)
        return true;
    uint32_t n = t->slots ? (t->mask + 1) * 2 : FIRST_SLOTS;
    struct rx_keyed **slots = calloc(n, sizeof(struct rx_keyed *));
    if (!slots)
        return false;
    for (struct rx_keyed *e = t->first; e; e = e->next)
        place(slots, n - 1, e);
    free(t->slots);
    t->slots = slots;
    t->mask = n - 1;
    return true;
}

static size_t stride(const struct rx_keytable *t)
{
    return sizeof(struct rx_keyed) + t->width * sizeof(struct rx_value) + t->entry_size;
}

static struct rx_keyed *take_entry(struct rx_keytable *t)
{
    struct rx_keyed *e = t->spare;
    if (e) {
        t->spare = e->next;
        return e;
    }
    if (!t->chunks || t->chunk_used == t->chunks->capacity) {
        size_t capacity = t->chunks ? CHUNK_ENTRIES : 4;
        struct rx_keyed_chunk *c = malloc(sizeof *c + capacity * stride(t));
        if (!c)
            return NULL;
        c->next = t->chunks;
        c->capacity = capacity;
        t->chunks = c;
        t->chunk_used = 0;
    }
    return (struct rx_keyed *)(void *)(t->chunks->data + t->chunk_used++ * stride(t));
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
    struct rx_keyed *e = make_room(t) ? take_entry(t) : NULL;
    if (!e)
        return NULL;
    memset(e, 0, stride(t));
    if (!copy_keys(t, e, keys)) {
        e->next = t->spare;
        t->spare = e;
        return NULL;
    }
    e->hash = hash;
    e->previous = t->last;
    *(t->last ? &t->last->next : &t->first) = e;
    t->last = e;
    link_newest(t, e);
    place(t->slots, t->mask, e);
    t->count++;
    return e;
}

/* Closes the gap: whoever would no longer be found is moved back. */
static void remove_slot(struct rx_keytable *t, uint32_t gap)
{
    t->slots[gap] = NULL;
    for (uint32_t i = (gap + 1) & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
        uint32_t home = (uint32_t)t->slots[i]->hash & t->mask;
        if (((i - home) & t->mask) < ((i - gap) & t->mask))
            continue;
        t->slots[gap] = t->slots[i];
        t->slots[i] = NULL;
        gap = i;
    }
}

void rx_keytable_remove(struct rx_keytable *t, struct rx_keyed *e)
{
    uint32_t i = (uint32_t)e->hash & t->mask;
    while (t->slots[i] != e)
        i = (i + 1) & t->mask;
    remove_slot(t, i);
    *(e->previous ? &e->previous->next : &t->first) = e->next;
    *(e->next ? &e->next->previous : &t->last) = e->previous;
    unlink_use(t, e);
    unref_keys(t, e);
    e->next = t->spare;
    t->spare = e;
    t->count--;
}
