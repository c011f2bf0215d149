/* From parsed to made: one block for the containers and strings of a message, or, where that would be out of reach of
 * its header, a block for each. */
#include <errno.h>
#include <stdlib.h>

#include "core/json/json_private.h"
#include "core/value/heap_private.h"
#include "core/value/map.h"

static struct rx_value *object_values(const struct rx_raw_object *object, char *arena)
{
    return (struct rx_value *)(void *)(arena + object->offset + 16);
}
_Static_assert(sizeof(struct rx_list) == 16 && sizeof(struct rx_record) == 16 && sizeof(struct rx_map) == 16,
               "values follow a header of 16 bytes");

static size_t value_count(const struct rx_raw_object *object)
{
    return object->kind == RX_MAP ? 2 * (size_t)object->count : object->count;
}

static uint32_t write_text(char *out, struct rx_value raw)
{
    if (raw.flags & RX_RAW_ESCAPED)
        return (uint32_t)rx_json_unescape(out, raw.u.text, raw.aux);
    memcpy(out, raw.u.text, raw.aux);
    return raw.aux;
}

/* --- One block: the arena as it is, then the texts --- */

struct placing {
    const struct rx_json_scratch *scratch;
    struct rx_block *block;
    char *arena, *text;
    struct rx_chain chain; /* of the records */
};

static inline struct rx_value place(struct placing *placing, struct rx_value v)
{
    if (v.kind != RX_STRING)
        return rx_block_value(placing->block, v.kind, placing->arena + placing->scratch->objects[v.u.u].offset, 0);
    char *text = placing->text;
    uint32_t length = write_text(text, v);
    placing->text += length;
    return rx_block_value(placing->block, RX_STRING, text, length);
}

static void place_object(struct placing *placing, const struct rx_raw_object *object)
{
    struct rx_value *values = object_values(object, placing->arena);
    for (size_t i = 0, count = value_count(object); i < count; i++)
        if (rx_is_counted(values[i]))
            values[i] = place(placing, values[i]);
    if (object->kind == RX_MAP)
        rx_map_settle((struct rx_map *)(void *)(placing->arena + object->offset), object->count, false);
    else if (object->kind == RX_RECORD)
        rx_chain_add(&placing->chain, (struct rx_record *)(void *)(placing->arena + object->offset));
}

static int build_one_block(struct rx_heap *heap, struct rx_json_scratch *scratch, struct rx_value *ret)
{
    bool text = scratch->object_count == 0;
    struct rx_block *block =
        rx_block_alloc(heap, scratch->arena_length + scratch->text_bytes, text ? RX_CONTENT_LEAF : RX_CONTENT_MESSAGE);
    if (!block)
        return -ENOMEM;
    char *arena = rx_block_data(block);
    struct placing placing = {
        .scratch = scratch, .block = block, .arena = arena, .text = arena + scratch->arena_length};
    if (!text) {
        memcpy(arena, scratch->arena, scratch->arena_length);
        placing.chain = rx_chain_begin(arena);
    }
    for (size_t i = 0; i < scratch->object_count; i++)
        place_object(&placing, &scratch->objects[i]);
    *ret = place(&placing, scratch->stack[0]);
    return 0;
}

/* --- A block for each: children are made before what holds them --- */

static struct rx_value own_text(struct rx_heap *heap, struct rx_value raw)
{
    struct rx_block *block = rx_block_alloc(heap, raw.aux, RX_CONTENT_LEAF);
    if (!block)
        return rx_null();
    char *text = rx_block_data(block);
    return rx_block_value(block, RX_STRING, text, write_text(text, raw));
}

static struct rx_value own_map(struct rx_heap *heap, const struct rx_value *values, uint32_t count)
{
    struct rx_block *block = rx_block_alloc(heap, rx_map_bytes(count), RX_CONTENT_MAP);
    if (!block) {
        for (size_t i = 0; i < 2 * (size_t)count; i++)
            rx_value_unref(values[i]);
        return rx_null();
    }
    struct rx_map *map = rx_block_data(block);
    memcpy(map->entries, values, count * sizeof *map->entries);
    rx_map_settle(map, count, true);
    return rx_block_value(block, RX_MAP, map, 0);
}

/* `made` are the objects so far; what is used of them is taken. */
static bool own_values(struct rx_heap *heap, struct rx_value *values, size_t count, struct rx_value *made)
{
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        if (!rx_is_counted(values[i]))
            continue;
        if (failed) {
            values[i] = rx_null();
        } else if (values[i].kind == RX_STRING) {
            values[i] = own_text(heap, values[i]);
            failed = values[i].kind == RX_NULL;
        } else {
            size_t child = values[i].u.u;
            values[i] = made[child];
            made[child] = rx_null();
        }
    }
    for (size_t i = 0; i < count && failed; i++)
        rx_value_unref(values[i]);
    return !failed;
}

static struct rx_value own_object(struct rx_heap *heap, char *arena, const struct rx_raw_object *object,
                                  struct rx_value *made)
{
    struct rx_value *values = object_values(object, arena);
    if (!own_values(heap, values, value_count(object), made))
        return rx_null();
    if (object->kind == RX_LIST)
        return rx_list_take(heap, values, object->count);
    if (object->kind == RX_MAP)
        return own_map(heap, values, object->count);
    return rx_record_take(heap, ((struct rx_record *)(void *)(arena + object->offset))->shape, values);
}

/* What a repeated key replaced is made too, and dropped at the end. */
static int build_blocks(struct rx_heap *heap, struct rx_json_scratch *scratch, struct rx_value *ret)
{
    if (scratch->stack[0].kind == RX_STRING) {
        *ret = own_text(heap, scratch->stack[0]);
        return ret->kind == RX_NULL ? -ENOMEM : 0;
    }
    size_t capacity = 0, count = scratch->object_count, done = 0;
    void *array = NULL;
    if (!rx_json_grow(&array, &capacity, count, sizeof(struct rx_value)))
        return -ENOMEM;
    struct rx_value *made = array, last = {.kind = RX_LIST};
    while (done < count && last.kind != RX_NULL) {
        last = own_object(heap, scratch->arena, &scratch->objects[done], made);
        made[done++] = last;
    }
    if (last.kind != RX_NULL)
        *ret = rx_value_ref(made[scratch->stack[0].u.u]);
    for (size_t i = 0; i < done; i++)
        rx_value_unref(made[i]);
    free(array);
    return last.kind == RX_NULL ? -ENOMEM : 0;
}

int rx_json_build(struct rx_heap *heap, struct rx_json_scratch *scratch, struct rx_value *ret)
{
    if (!rx_is_counted(scratch->stack[0])) {
        *ret = scratch->stack[0];
        return 0;
    }
    if (scratch->arena_length + scratch->text_bytes <= RX_JSON_BLOCK_MAX)
        return build_one_block(heap, scratch, ret);
    return build_blocks(heap, scratch, ret);
}
