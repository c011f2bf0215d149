/* The latest message of each key: an open table over entries that are chained in order of update. */
#include "core/io/serve/stream_keys.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

enum { FIRST_ENTRIES = 16 };

struct entry {
    uint64_t hash, sequence;
    rx_time time;
    char *data; /* key, then JSON */
    uint32_t key_length, json_length, capacity;
    uint32_t older, newer; /* `newer` also chains free entries */
    bool keyed;
};

struct rx_latest {
    unsigned max_keys;
    rx_time ttl;

    struct entry *entries;
    uint32_t *slots; /* entry + 1; 0: empty. Twice as many as entries, a power of two */
    uint32_t capacity, used, mask;
    uint32_t oldest, newest, spare;
};

struct rx_latest *rx_latest_create(unsigned max_keys, rx_time ttl)
{
    struct rx_latest *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->max_keys = max_keys;
    t->ttl = ttl;
    t->oldest = t->newest = t->spare = NONE;
    return t;
}

void rx_latest_destroy(struct rx_latest *t)
{
    if (!t)
        return;
    for (uint32_t i = t->oldest; i != NONE; i = t->entries[i].newer)
        free(t->entries[i].data);
    free(t->entries);
    free(t->slots);
    free(t);
}

size_t rx_latest_count(const struct rx_latest *t) { return t->used; }

static bool is_key(const struct entry *e, const struct rx_frame_view *f)
{
    return e->hash == f->key_hash && e->keyed == (f->key != NULL) && e->key_length == f->key_length &&
           (!f->key_length || memcmp(e->data, f->key, f->key_length) == 0);
}

/* The slot that holds the frame's key, or the empty one where it belongs. */
static uint32_t find(const struct rx_latest *t, const struct rx_frame_view *f)
{
    uint32_t slot = (uint32_t)f->key_hash & t->mask;
    while (t->slots[slot] && !is_key(&t->entries[t->slots[slot] - 1], f))
        slot = (slot + 1) & t->mask;
    return slot;
}

static void unchain(struct rx_latest *t, uint32_t i)
{
    struct entry *e = &t->entries[i];
    *(e->older == NONE ? &t->oldest : &t->entries[e->older].newer) = e->newer;
    *(e->newer == NONE ? &t->newest : &t->entries[e->newer].older) = e->older;
}

static void chain_newest(struct rx_latest *t, uint32_t i)
{
    struct entry *e = &t->entries[i];
    e->older = t->newest;
    e->newer = NONE;
    *(t->newest == NONE ? &t->oldest : &t->entries[t->newest].newer) = i;
    t->newest = i;
}

/* Linear probing without tombstones: what follows moves up (Knuth, TAOCP vol. 3, 6.4, algorithm R). */
static void clear_slot(struct rx_latest *t, uint32_t hole)
{
    uint32_t at = hole;
    for (;;) {
        t->slots[hole] = 0;
        uint32_t home;
        do {
            at = (at + 1) & t->mask;
            if (!t->slots[at])
                return;
            home = (uint32_t)t->entries[t->slots[at] - 1].hash & t->mask;
        } while (((at - home) & t->mask) < ((at - hole) & t->mask));
        t->slots[hole] = t->slots[at];
        hole = at;
    }
}

static void evict(struct rx_latest *t, uint32_t i)
{
    struct entry *e = &t->entries[i];
    uint32_t slot = (uint32_t)e->hash & t->mask;
    while (t->slots[slot] != i + 1)
        slot = (slot + 1) & t->mask;
    clear_slot(t, slot);
    unchain(t, i);
    free(e->data);
    *e = (struct entry){.newer = t->spare};
    t->spare = i;
    t->used--;
}

void rx_latest_set_limits(struct rx_latest *t, unsigned max_keys, rx_time ttl)
{
    t->max_keys = max_keys;
    t->ttl = ttl;
    while (t->used > max_keys)
        evict(t, t->oldest);
}

static bool rehash(struct rx_latest *t, uint32_t slots)
{
    uint32_t *table = calloc(slots, sizeof *table);
    if (!table)
        return false;
    free(t->slots);
    t->slots = table;
    t->mask = slots - 1;
    for (uint32_t i = t->oldest; i != NONE; i = t->entries[i].newer) {
        uint32_t slot = (uint32_t)t->entries[i].hash & t->mask;
        while (t->slots[slot])
            slot = (slot + 1) & t->mask;
        t->slots[slot] = i + 1;
    }
    return true;
}

static bool enlarge(struct rx_latest *t)
{
    uint32_t capacity = t->capacity ? t->capacity * 2 : FIRST_ENTRIES;
    struct entry *moved = realloc(t->entries, capacity * sizeof *moved);
    if (!moved)
        return false;
    t->entries = moved;
    if (!rehash(t, capacity * 2))
        return false;
    for (uint32_t i = capacity; i-- > t->capacity;) {
        t->entries[i] = (struct entry){.newer = t->spare};
        t->spare = i;
    }
    t->capacity = capacity;
    return true;
}

static bool fill(struct entry *e, const struct rx_frame_view *f)
{
    size_t needed = f->key_length + f->json_length;
    if (needed > e->capacity || needed + 256 < e->capacity / 4) {
        size_t capacity = (needed + 31) & ~(size_t)31;
        char *data = malloc(capacity ? capacity : 32);
        if (!data)
            return false;
        free(e->data);
        e->data = data;
        e->capacity = (uint32_t)capacity;
    }
    if (f->key_length)
        memcpy(e->data, f->key, f->key_length);
    memcpy(e->data + f->key_length, f->json, f->json_length);
    e->hash = f->key_hash;
    e->sequence = f->sequence;
    e->time = f->time;
    e->key_length = (uint32_t)f->key_length;
    e->json_length = (uint32_t)f->json_length;
    e->keyed = f->key != NULL;
    return true;
}

static void insert(struct rx_latest *t, const struct rx_frame_view *f)
{
    if (t->used >= t->max_keys)
        evict(t, t->oldest);
    if (t->spare == NONE && !enlarge(t))
        return;
    uint32_t i = t->spare, following = t->entries[i].newer;
    t->entries[i] = (struct entry){0};
    if (!fill(&t->entries[i], f)) {
        t->entries[i].newer = following;
        return;
    }
    t->spare = following;
    t->slots[find(t, f)] = i + 1;
    t->used++;
    chain_newest(t, i);
}

void rx_latest_put(struct rx_latest *t, const struct rx_frame_view *f)
{
    uint32_t holds = t->slots ? t->slots[find(t, f)] : 0;
    if (!holds) {
        insert(t, f);
    } else if (!fill(&t->entries[holds - 1], f)) {
        evict(t, holds - 1);
    } else {
        unchain(t, holds - 1);
        chain_newest(t, holds - 1);
    }
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
    return rx_key_order(x->data, x->key_length, y->data, y->key_length);
}

static void evict_expired(struct rx_latest *t, rx_time now)
{
    for (uint32_t i = t->oldest, newer; i != NONE; i = newer) {
        newer = t->entries[i].newer;
        if (t->ttl && t->entries[i].time < now - t->ttl)
            evict(t, i);
    }
}

void rx_latest_each(struct rx_latest *t, rx_time now, void (*each)(void *arg, const struct rx_frame_view *), void *arg)
{
    evict_expired(t, now);
    if (!t->used)
        return;
    const struct entry **sorted = malloc(t->used * sizeof *sorted);
    if (!sorted)
        return;
    size_t n = 0;
    for (uint32_t i = t->oldest; i != NONE; i = t->entries[i].newer)
        sorted[n++] = &t->entries[i];
    qsort(sorted, n, sizeof *sorted, by_key);
    for (size_t i = 0; i < n; i++) {
        const struct entry *e = sorted[i];
        each(arg, &(struct rx_frame_view){.sequence = e->sequence,
                                          .time = e->time,
                                          .key_hash = e->hash,
                                          .key = e->keyed ? e->data : NULL,
                                          .key_length = e->key_length,
                                          .json = e->data + e->key_length,
                                          .json_length = e->json_length,
                                          .event = "message"});
    }
    free(sorted);
}
