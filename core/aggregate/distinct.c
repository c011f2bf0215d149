/* Different hashes: a set, then a HyperLogLog. */
#include "core/aggregate/distinct.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_BITS = 12, RANK_MAX = 64 - INDEX_BITS + 1, FIRST_SLOTS = 8 };

/* ---- the set ---- */

static bool place(uint64_t *slots, uint32_t n, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (n - 1);
    while (slots[i] && slots[i] != hash)
        i = (i + 1) & (n - 1);
    bool fresh = slots[i] == 0;
    slots[i] = hash;
    return fresh;
}

static int make_room(struct rx_distinct *d)
{
    if (d->count * 4u < d->slots_count * 3u)
        return 0;
    uint32_t n = d->slots_count ? d->slots_count * 2 : FIRST_SLOTS;
    uint64_t *slots = calloc(n, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < d->slots_count; i++)
        if (d->slots[i])
            place(slots, n, d->slots[i]);
    free(d->slots);
    d->slots = slots;
    d->slots_count = n;
    return 0;
}

/* ---- the registers ---- */

static void note(unsigned char *registers, uint64_t hash)
{
    uint64_t rest = hash << INDEX_BITS | 1ull << (INDEX_BITS - 1);
    unsigned char rank = (unsigned char)(__builtin_clzll(rest) + 1);
    unsigned char *r = &registers[hash >> (64 - INDEX_BITS)];
    *r = rank > *r ? rank : *r;
}

static int become_estimate(struct rx_distinct *d)
{
    if (d->registers)
        return 0;
    d->registers = calloc(1, RX_DISTINCT_REGISTERS);
    if (!d->registers)
        return -ENOMEM;
    for (uint32_t i = 0; i < d->slots_count; i++)
        if (d->slots[i])
            note(d->registers, d->slots[i]);
    free(d->slots);
    d->slots = NULL;
    d->slots_count = d->count = 0;
    return 0;
}

static double sigma(double x)
{
    double y = 1, z = x, before;
    if (x == 1)
        return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x == 0 || x == 1)
        return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

static double estimate(const unsigned char *registers)
{
    double counts[RANK_MAX + 1] = {0}, m = RX_DISTINCT_REGISTERS;
    for (unsigned i = 0; i < RX_DISTINCT_REGISTERS; i++)
        counts[registers[i]]++;
    double z = m * tau(1 - counts[RANK_MAX] / m);
    for (unsigned k = RANK_MAX - 1; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += m * sigma(counts[0] / m);
    return m * m / (2 * log(2) * z);
}

/* ---- both ---- */

int rx_distinct_add(struct rx_distinct *d, uint64_t hash)
{
    hash = hash ? hash : 1;
    if (!d->registers) {
        if (make_room(d) < 0)
            return -ENOMEM;
        d->count += place(d->slots, d->slots_count, hash);
        return d->count > RX_DISTINCT_EXACT ? become_estimate(d) : 0;
    }
    note(d->registers, hash);
    return 0;
}

int rx_distinct_merge(struct rx_distinct *into, const struct rx_distinct *d)
{
    int r = 0;
    for (uint32_t i = 0; i < d->slots_count && r == 0; i++)
        if (d->slots[i])
            r = rx_distinct_add(into, d->slots[i]);
    if (!d->registers || r < 0)
        return r;
    if (become_estimate(into) < 0)
        return -ENOMEM;
    for (unsigned i = 0; i < RX_DISTINCT_REGISTERS; i++)
        if (into->registers[i] < d->registers[i])
            into->registers[i] = d->registers[i];
    return 0;
}

uint64_t rx_distinct_count(const struct rx_distinct *d)
{
    return d->registers ? (uint64_t)llround(estimate(d->registers)) : d->count;
}

void rx_distinct_finish(struct rx_distinct *d)
{
    free(d->slots);
    free(d->registers);
    *d = (struct rx_distinct){0};
}

void rx_distinct_save(const struct rx_distinct *d, struct rx_writer *w)
{
    rx_write_bool(w, d->registers != NULL);
    if (d->registers) {
        rx_write_text(w, (const char *)d->registers, RX_DISTINCT_REGISTERS);
        return;
    }
    rx_write_uint(w, d->count);
    for (uint32_t i = 0; i < d->slots_count; i++)
        if (d->slots[i])
            rx_write_uint(w, d->slots[i]);
}

static void load_registers(struct rx_distinct *d, struct rx_reader *r)
{
    size_t length;
    const char *text = rx_read_text(r, &length);
    if (rx_reader_failed(r) || length != RX_DISTINCT_REGISTERS) {
        rx_reader_fail(r, -EBADMSG);
        return;
    }
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] > RANK_MAX) {
            rx_reader_fail(r, -EBADMSG);
            return;
        }
    if (become_estimate(d) < 0)
        rx_reader_fail(r, -ENOMEM);
    else
        memcpy(d->registers, text, length);
}

void rx_distinct_load(struct rx_distinct *d, struct rx_reader *r)
{
    if (rx_read_bool(r)) {
        load_registers(d, r);
        return;
    }
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        uint64_t hash = rx_read_uint(r);
        if (!rx_reader_failed(r) && rx_distinct_add(d, hash) < 0)
            rx_reader_fail(r, -ENOMEM);
    }
}
