/* Members sorted by hash, and an open table of where each hash begins. */
#include "core/expr/gate_table.h"

#include <errno.h>
#include <stdlib.h>

static int by_hash(const void *a, const void *b)
{
    const struct rx_gate_member *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static size_t slot_of(const struct rx_gate_table *t, uint64_t hash)
{
    size_t slot = hash & t->mask;
    while (t->slots[slot] && t->members[t->slots[slot] - 1].hash != hash)
        slot = (slot + 1) & t->mask;
    return slot;
}

int rx_gate_table_build(struct rx_gate_table *t, struct rx_gate_member *members, size_t count)
{
    size_t slots = 8;
    while (slots < 2 * count)
        slots *= 2;
    rx_gate_table_finish(t);
    t->slots = calloc(slots, sizeof *t->slots);
    if (!t->slots) {
        free(members);
        return -ENOMEM;
    }
    t->mask = slots - 1;
    t->members = members;
    t->count = count;
    for (size_t i = 0; i < count; i++)
        members[i].hash = rx_value_hash(members[i].value);
    if (count)
        qsort(members, count, sizeof *members, by_hash);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || members[i - 1].hash != members[i].hash)
            t->slots[slot_of(t, members[i].hash)] = (uint32_t)i + 1;
    return 0;
}

void rx_gate_table_finish(struct rx_gate_table *t)
{
    free(t->members);
    free(t->slots);
    *t = (struct rx_gate_table){0};
}

const struct rx_gate_member *rx_gate_table_find(const struct rx_gate_table *t, struct rx_value v, size_t *ret_count)
{
    uint64_t hash = rx_value_hash(v);
    size_t first = t->count ? t->slots[slot_of(t, hash)] : 0, end = first;
    if (!first)
        return NULL;
    while (end < t->count && t->members[end].hash == hash)
        end++;
    *ret_count = end - (first - 1);
    return &t->members[first - 1];
}
