/* The object builder: a record while it can be one, else a map. */
#include <stdlib.h>
#include <string.h>

#include "core/value/heap_private.h"
#include "core/value/map.h"

void rx_object_init(struct rx_object_builder *builder, struct rx_heap *heap)
{
    rx_heap_tidy(heap);
    heap->building++;
    builder->heap = heap;
    builder->shape = rx_shape_empty(heap);
    builder->entries = builder->inline_;
    builder->count = 0;
    builder->capacity = sizeof builder->inline_ / sizeof *builder->inline_;
    builder->failed = 0;
}

static bool reserve(struct rx_object_builder *builder, uint32_t count)
{
    if (count <= builder->capacity)
        return true;
    uint32_t capacity = builder->capacity * 2 > count ? builder->capacity * 2 : count;
    bool is_inline = builder->entries == builder->inline_;
    struct rx_entry *entries = realloc(is_inline ? NULL : builder->entries, capacity * sizeof *entries);
    if (!entries) {
        builder->failed = 1;
        return false;
    }
    if (is_inline)
        memcpy(entries, builder->inline_, builder->count * sizeof *entries);
    builder->entries = entries;
    builder->capacity = capacity;
    return true;
}

void rx_object_init_from(struct rx_object_builder *builder, struct rx_heap *heap, struct rx_value base)
{
    rx_object_init(builder, heap);
    uint32_t count = rx_object_count(base);
    if (!reserve(builder, count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct rx_entry *entry = &builder->entries[i];
        rx_object_entry(base, i, &entry->key, &entry->value);
        rx_value_ref(entry->key);
        rx_value_ref(entry->value);
    }
    builder->count = count;
    if (base.kind == RX_RECORD)
        builder->shape = base.u.record->shape;
    else if (base.kind == RX_MAP)
        builder->shape = NULL;
}

struct rx_value rx_object_of(struct rx_heap *heap, struct rx_value value)
{
    if (value.kind == RX_RECORD || value.kind == RX_MAP)
        return rx_value_ref(value);
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    rx_object_put_take(&builder, rx_string_static("value", 5), rx_value_ref(value));
    return rx_object_finish(&builder);
}

static void append_take(struct rx_object_builder *builder, struct rx_value key, struct rx_value value)
{
    if (builder->failed || !reserve(builder, builder->count + 1)) {
        rx_value_unref(key);
        rx_value_unref(value);
        return;
    }
    builder->entries[builder->count++] = (struct rx_entry){key, value};
}

/* `name` is the text of `key`, or of a key that cannot be interned. */
static void put_take(struct rx_object_builder *builder, const struct rx_key *key, struct rx_value name,
                     struct rx_value value)
{
    int slot = key && builder->shape ? rx_shape_slot(builder->shape, key) : -1;
    if (slot >= 0) {
        rx_value_unref(builder->entries[slot].value);
        builder->entries[slot].value = value;
        rx_value_unref(name);
        return;
    }
    if (builder->shape)
        builder->shape = key ? rx_shape_meet(builder->heap, builder->shape, key) : NULL;
    append_take(builder, name, value);
}

void rx_object_put_take(struct rx_object_builder *builder, struct rx_value key, struct rx_value value)
{
    bool name = builder->shape && key.kind == RX_STRING;
    put_take(builder, name ? rx_key_meet(builder->heap, key.u.text, key.aux) : NULL, key, value);
}

void rx_object_put_key_take(struct rx_object_builder *builder, const struct rx_key *key, struct rx_value value)
{
    put_take(builder, key, rx_string_static(key->text, key->length), value);
}

/* The shape of what is left, after an entry was removed. */
static void reshape(struct rx_object_builder *builder)
{
    const struct rx_shape *shape = rx_shape_empty(builder->heap);
    for (uint32_t i = 0; shape && i < builder->count; i++) {
        struct rx_value key = builder->entries[i].key;
        const struct rx_key *met = rx_key_meet(builder->heap, key.u.text, key.aux);
        shape = met ? rx_shape_meet(builder->heap, shape, met) : NULL;
    }
    builder->shape = shape;
}

void rx_object_remove(struct rx_object_builder *builder, const struct rx_key *key)
{
    struct rx_value text = rx_string_static(key->text, key->length);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < builder->count; i++) {
        struct rx_entry entry = builder->entries[i];
        if (entry.key.kind != RX_STRING || !rx_value_equal(entry.key, text)) {
            builder->entries[kept++] = entry;
            continue;
        }
        rx_value_unref(entry.key);
        rx_value_unref(entry.value);
    }
    bool removed = kept < builder->count;
    builder->count = kept;
    if (removed && builder->shape)
        reshape(builder);
}

static struct rx_value finish_record(struct rx_object_builder *builder)
{
    size_t size = sizeof(struct rx_record) + builder->count * sizeof(struct rx_value);
    struct rx_block *block = rx_block_alloc(builder->heap, size, RX_CONTENT_RECORD);
    if (!block)
        return rx_null();
    struct rx_record *record = rx_block_data(block);
    *record = (struct rx_record){.shape = rx_shape_ref(builder->shape)};
    for (uint32_t i = 0; i < builder->count; i++) {
        record->values[i] = builder->entries[i].value;
        rx_value_unref(builder->entries[i].key);
    }
    builder->count = 0;
    return rx_block_value(block, RX_RECORD, record, 0);
}

static struct rx_value finish_map(struct rx_object_builder *builder)
{
    struct rx_block *block = rx_block_alloc(builder->heap, rx_map_bytes(builder->count), RX_CONTENT_MAP);
    if (!block)
        return rx_null();
    struct rx_map *map = rx_block_data(block);
    if (builder->count)
        memcpy(map->entries, builder->entries, builder->count * sizeof *map->entries);
    rx_map_settle(map, builder->count, true);
    builder->count = 0;
    return rx_block_value(block, RX_MAP, map, 0);
}

struct rx_value rx_object_finish(struct rx_object_builder *builder)
{
    struct rx_value object = rx_null();
    if (!builder->failed)
        object = builder->shape ? finish_record(builder) : finish_map(builder);
    rx_object_abort(builder);
    return object;
}

void rx_object_abort(struct rx_object_builder *builder)
{
    for (uint32_t i = 0; i < builder->count; i++) {
        rx_value_unref(builder->entries[i].key);
        rx_value_unref(builder->entries[i].value);
    }
    if (builder->entries != builder->inline_)
        free(builder->entries);
    builder->entries = builder->inline_;
    builder->count = 0;
    builder->heap->building--;
}

struct rx_value rx_object_with_take(struct rx_heap *heap, struct rx_value value, const struct rx_key *key,
                                    struct rx_value field)
{
    struct rx_object_builder builder;
    struct rx_value object = rx_object_of(heap, value);
    rx_object_init_from(&builder, heap, object);
    rx_object_put_key_take(&builder, key, field);
    rx_value_unref(object);
    return rx_object_finish(&builder);
}
