/* How large and how deep a value is, as a tree. Lists, records and optionals remember it (parts in the upper 22 bits, depth
 * in the lower 10); what the decoder made is measured when it is first put into something. */
#include "core/value/heap_private.h"
#include "core/value/map.h"

enum { DEPTH_BITS = 10, DEPTH_CAP = (1 << DEPTH_BITS) - 1, PARTS_CAP = (1 << (32 - DEPTH_BITS)) - 1 };
_Static_assert(RX_VALUE_PARTS_MAX < PARTS_CAP && RX_VALUE_DEPTH_MAX < DEPTH_CAP, "what is past the bounds can be told");

static uint32_t bulk_of(struct rx_value v, unsigned room);

/* Of a container with these values. `room`: levels to go down still; past them it is too deep. */
static uint32_t bulk_of_all(const struct rx_value *values, size_t count, unsigned room)
{
    uint64_t parts = 1;
    uint32_t depth = 0;
    for (size_t i = 0; i < count && parts <= RX_VALUE_PARTS_MAX; i++) {
        if (values[i].kind < RX_STRING) {
            parts++;
            continue;
        }
        uint32_t bulk = bulk_of(values[i], room - 1);
        parts += bulk >> DEPTH_BITS;
        depth = (bulk & DEPTH_CAP) > depth ? bulk & DEPTH_CAP : depth;
    }
    uint32_t capped = parts < PARTS_CAP ? (uint32_t)parts : PARTS_CAP;
    return capped << DEPTH_BITS | (depth < DEPTH_CAP ? depth + 1 : DEPTH_CAP);
}

static uint32_t remembered(const uint32_t *bulk, const struct rx_value *values, size_t count, unsigned room)
{
    if (!*bulk)
        *(uint32_t *)(uintptr_t)bulk = bulk_of_all(values, count, room);
    return *bulk;
}

static uint32_t bulk_of(struct rx_value v, unsigned room)
{
    bool composite = v.kind >= RX_LIST && rx_is_counted(v);
    if (!composite)
        return (v.kind == RX_STRING || v.kind == RX_BYTES ? 1 + v.aux / 64 : 1) << DEPTH_BITS;
    if (room == 0)
        return 1 << DEPTH_BITS | DEPTH_CAP;
    switch (v.kind) {
    case RX_LIST:
        return remembered(&v.u.list->bulk, v.u.list->items, v.u.list->count, room);
    case RX_RECORD:
        return remembered(&v.u.record->bulk, v.u.record->values, v.u.record->shape->count, room);
    case RX_OPTIONAL:
        return remembered(&v.u.optional->bulk, &v.u.optional->value, 1, room);
    default:
        return bulk_of_all(&v.u.map->entries[0].key, 2 * (size_t)v.u.map->count, room);
    }
}

uint32_t rx_value_parts(struct rx_value v) { return bulk_of(v, RX_VALUE_DEPTH_MAX + 1) >> DEPTH_BITS; }

uint32_t rx_bulk(const struct rx_value *values, size_t count)
{
    return bulk_of_all(values, count, RX_VALUE_DEPTH_MAX + 1);
}

bool rx_value_fits(struct rx_heap *heap, struct rx_value v)
{
    uint32_t bulk = bulk_of(v, RX_VALUE_DEPTH_MAX + 1);
    if (bulk >> DEPTH_BITS <= RX_VALUE_PARTS_MAX && (bulk & DEPTH_CAP) <= RX_VALUE_DEPTH_MAX)
        return true;
    heap->too_bulky = true;
    return false;
}
