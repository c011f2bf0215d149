/* Compaction: a copy of a value in one block of its own, so that a small part does not keep a large message alive. */
#include <string.h>

#include "core/value/heap_private.h"
#include "core/value/map.h"

enum { DEPTH_MAX = 1000 };

/* Everything in the copy must be within reach of the block's header. */
#define COPY_MAX ((size_t)UINT16_MAX * 16)

static size_t round_up(size_t size) { return (size + 15) & ~(size_t)15; }

/* What has to be copied: not what lives on without a block. */
static size_t measure(struct rx_value v, unsigned depth);

static size_t measure_all(const struct rx_value *values, size_t count, unsigned depth)
{
    size_t size = 0;
    for (size_t i = 0; i < count && size <= COPY_MAX; i++)
        size += measure(values[i], depth);
    return size;
}

static size_t measure(struct rx_value v, unsigned depth)
{
    if (!rx_is_counted(v))
        return 0;
    if (depth == 0)
        return COPY_MAX + 1;
    switch (v.kind) {
    case RX_LIST:
        return sizeof *v.u.list + v.u.list->count * sizeof v + measure_all(v.u.list->items, v.u.list->count, depth - 1);
    case RX_RECORD:
        return sizeof *v.u.record + v.u.record->shape->count * sizeof v +
               measure_all(v.u.record->values, v.u.record->shape->count, depth - 1);
    case RX_MAP:
        return round_up(rx_map_bytes(v.u.map->count)) +
               measure_all(&v.u.map->entries[0].key, (size_t)v.u.map->count * 2, depth - 1);
    case RX_OPTIONAL:
        return sizeof *v.u.optional + measure(v.u.optional->value, depth - 1);
    default:
        return round_up(v.aux);
    }
}

struct copy {
    struct rx_block *block;
    char *next;
    struct rx_chain chain; /* of the records */
};

static void *carve(struct copy *copy, size_t size)
{
    void *object = copy->next;
    copy->next += round_up(size);
    return object;
}

static struct rx_value copy_value(struct copy *copy, struct rx_value v);

static void copy_all(struct copy *copy, struct rx_value *to, const struct rx_value *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = copy_value(copy, from[i]);
}

static const void *copy_list(struct copy *copy, const struct rx_list *from)
{
    struct rx_list *list = carve(copy, sizeof *list + from->count * sizeof *list->items);
    list->count = from->count;
    list->bulk = from->bulk;
    copy_all(copy, list->items, from->items, from->count);
    return list;
}

static const void *copy_record(struct copy *copy, const struct rx_record *from)
{
    struct rx_record *record = carve(copy, sizeof *record + from->shape->count * sizeof *record->values);
    record->shape = from->shape;
    record->bulk = from->bulk;
    rx_chain_add(&copy->chain, record);
    copy_all(copy, record->values, from->values, from->shape->count);
    return record;
}

static const void *copy_map(struct copy *copy, const struct rx_map *from)
{
    struct rx_map *map = carve(copy, rx_map_bytes(from->count));
    copy_all(copy, &map->entries[0].key, &from->entries[0].key, (size_t)from->count * 2);
    rx_map_settle(map, from->count, false);
    return map;
}

static const void *copy_optional(struct copy *copy, const struct rx_optional *from)
{
    struct rx_optional *optional = carve(copy, sizeof *optional);
    optional->present = from->present;
    optional->bulk = from->bulk;
    optional->value = copy_value(copy, from->value);
    return optional;
}

static struct rx_value copy_value(struct copy *copy, struct rx_value v)
{
    if (!rx_is_counted(v))
        return v;
    const void *object;
    switch (v.kind) {
    case RX_LIST:
        object = copy_list(copy, v.u.list);
        break;
    case RX_RECORD:
        object = copy_record(copy, v.u.record);
        break;
    case RX_MAP:
        object = copy_map(copy, v.u.map);
        break;
    case RX_OPTIONAL:
        object = copy_optional(copy, v.u.optional);
        break;
    default:
        object = memcpy(carve(copy, v.aux), v.u.text, v.aux);
    }
    return rx_block_value(copy->block, v.kind, object, v.aux);
}

struct rx_value rx_value_compact(struct rx_heap *heap, struct rx_value v)
{
    if (!rx_is_counted(v))
        return v;
    size_t size = measure(v, DEPTH_MAX);
    if (size > COPY_MAX) /* too large, or too deep, for one block: it is no small part */
        return rx_value_ref(v);
    bool text = v.kind == RX_STRING || v.kind == RX_BYTES;
    struct rx_block *block = rx_block_alloc(heap, size, text ? RX_CONTENT_LEAF : RX_CONTENT_MESSAGE);
    if (!block)
        return rx_null();
    struct copy copy = {.block = block, .next = rx_block_data(block)};
    if (!text)
        copy.chain = rx_chain_begin(rx_block_data(block));
    return copy_value(&copy, v);
}
