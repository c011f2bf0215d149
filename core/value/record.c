/* Lists, records, maps and optionals: making them and reading them. */
#include <string.h>

#include "core/value/heap_private.h"
#include "core/value/map.h"

static const struct rx_list empty_list;
static const struct rx_optional none;

static void unref_all(struct rx_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        rx_value_unref(values[i]);
}

struct rx_value rx_list_take(struct rx_heap *heap, struct rx_value *items, uint32_t count)
{
    if (count == 0)
        return (struct rx_value){.kind = RX_LIST, .flags = RX_FLAG_STATIC, .u.list = &empty_list};
    struct rx_block *block = rx_block_alloc(heap, sizeof(struct rx_list) + count * sizeof *items, RX_CONTENT_LIST);
    if (!block) {
        unref_all(items, count);
        return rx_null();
    }
    struct rx_list *list = rx_block_data(block);
    *list = (struct rx_list){.count = count, .bulk = rx_bulk(items, count)};
    memcpy(list->items, items, count * sizeof *items);
    return rx_block_value(block, RX_LIST, list, 0);
}

struct rx_value rx_record_take(struct rx_heap *heap, const struct rx_shape *shape, struct rx_value *values)
{
    size_t size = sizeof(struct rx_record) + shape->count * sizeof *values;
    struct rx_block *block = rx_block_alloc(heap, size, RX_CONTENT_RECORD);
    if (!block) {
        unref_all(values, shape->count);
        return rx_null();
    }
    struct rx_record *record = rx_block_data(block);
    *record = (struct rx_record){.shape = rx_shape_ref(shape), .bulk = rx_bulk(values, shape->count)};
    if (shape->count)
        memcpy(record->values, values, shape->count * sizeof *values);
    return rx_block_value(block, RX_RECORD, record, 0);
}

/* Past what one block can reach each text has its own. */
static struct rx_value record_of_blocks(struct rx_heap *heap, const struct rx_shape *shape, struct rx_value *values)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        if (values[i].kind != RX_STRING)
            continue;
        values[i] = rx_string(heap, values[i].u.text, values[i].aux);
        if (values[i].kind == RX_STRING)
            continue;
        unref_all(values, i);
        return rx_null();
    }
    return rx_record_take(heap, shape, values);
}

struct rx_value rx_record_with_texts(struct rx_heap *heap, const struct rx_shape *shape, struct rx_value *values)
{
    size_t size = sizeof(struct rx_record) + shape->count * sizeof *values, text_bytes = 0;
    for (uint32_t i = 0; i < shape->count; i++)
        text_bytes += values[i].kind == RX_STRING ? values[i].aux : 0;
    if (size + text_bytes > (size_t)UINT16_MAX * 16)
        return record_of_blocks(heap, shape, values);
    struct rx_block *block = rx_block_alloc(heap, size + text_bytes, RX_CONTENT_MESSAGE);
    if (!block)
        return rx_null();
    struct rx_record *record = rx_block_data(block);
    char *text = (char *)record + size;
    struct rx_chain chain = rx_chain_begin(record);
    record->shape = shape;
    record->bulk = 0;
    rx_chain_add(&chain, record);
    for (uint32_t i = 0; i < shape->count; i++) {
        record->values[i] = values[i];
        if (values[i].kind != RX_STRING)
            continue;
        uint32_t length = values[i].aux;
        record->values[i] = length ? rx_block_value(block, RX_STRING, text, length) : rx_string_static("", 0);
        rx_copy_text(text, values[i].u.text, length);
        text += length;
    }
    return rx_block_value(block, RX_RECORD, record, 0);
}

struct rx_value rx_optional_take(struct rx_heap *heap, struct rx_value value)
{
    struct rx_block *block = rx_block_alloc(heap, sizeof(struct rx_optional), RX_CONTENT_OPTIONAL);
    if (!block) {
        rx_value_unref(value);
        return rx_null();
    }
    struct rx_optional *optional = rx_block_data(block);
    *optional = (struct rx_optional){.present = 1, .bulk = rx_bulk(&value, 1), .value = value};
    return rx_block_value(block, RX_OPTIONAL, optional, 0);
}

struct rx_value rx_optional_none(void)
{
    return (struct rx_value){.kind = RX_OPTIONAL, .flags = RX_FLAG_STATIC, .u.optional = &none};
}

static const struct rx_value *record_get_text(const struct rx_record *record, const char *text, size_t length)
{
    const struct rx_shape *shape = record->shape;
    for (uint32_t i = 0; i < shape->count; i++)
        if (shape->keys[i]->length == length && memcmp(shape->keys[i]->text, text, length) == 0)
            return &record->values[i];
    return NULL;
}

const struct rx_value *rx_object_get(struct rx_value object, struct rx_value key)
{
    if (object.kind == RX_MAP)
        return rx_map_get(object.u.map, key);
    if (object.kind != RX_RECORD || key.kind != RX_STRING)
        return NULL;
    return record_get_text(object.u.record, key.u.text, key.aux);
}

const struct rx_value *rx_object_get_text(struct rx_value object, const char *key)
{
    return rx_object_get(object, rx_string_static(key, (uint32_t)strlen(key)));
}

uint32_t rx_object_count(struct rx_value object)
{
    if (object.kind == RX_RECORD)
        return object.u.record->shape->count;
    return object.kind == RX_MAP ? object.u.map->count : 0;
}

void rx_object_entry(struct rx_value object, uint32_t i, struct rx_value *ret_key, struct rx_value *ret_value)
{
    if (object.kind == RX_RECORD) {
        *ret_key = rx_key_text(object.u.record->shape->keys[i]);
        *ret_value = object.u.record->values[i];
    } else {
        *ret_key = object.u.map->entries[i].key;
        *ret_value = object.u.map->entries[i].value;
    }
}
