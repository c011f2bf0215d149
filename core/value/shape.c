/* Interned keys and the shapes of records, found again by transition. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/value/heap_private.h"
#include "core/value/record.h"

/* A shape and where it came from: its parent and, last in `keys`, the key that was appended. */
struct shape {
    struct rx_shape base;
    const struct rx_shape *parent;
    const struct rx_key *keys[];
};

void rx_shapes_finish(struct rx_shapes *shapes)
{
    for (uint32_t i = 0; i < shapes->key_slots; i++)
        free((void *)(uintptr_t)shapes->keys[i]);
    for (uint32_t i = 0; i < shapes->shape_slots; i++)
        free(shapes->table[i]);
    free(shapes->keys);
    free(shapes->table);
    free(shapes->empty);
}

/* Where the key is, or the free slot where it belongs. */
static uint32_t key_position(const struct rx_shapes *shapes, uint32_t hash, const char *text, size_t length)
{
    uint32_t i = hash & (shapes->key_slots - 1);
    for (const struct rx_key *key; (key = shapes->keys[i]); i = (i + 1) & (shapes->key_slots - 1))
        if (key->hash == hash && key->length == length && memcmp(key->text, text, length) == 0)
            break;
    return i;
}

static bool keys_grow(struct rx_shapes *shapes)
{
    uint32_t slots = shapes->key_slots ? shapes->key_slots * 2 : 64, old_slots = shapes->key_slots;
    const struct rx_key **old = shapes->keys, **keys = calloc(slots, sizeof *keys);
    if (!keys)
        return false;
    shapes->keys = keys;
    shapes->key_slots = slots;
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i])
            keys[key_position(shapes, old[i]->hash, old[i]->text, old[i]->length)] = old[i];
    free(old);
    return true;
}

static const struct rx_key *key_add(struct rx_shapes *shapes, uint32_t hash, const char *text, size_t length)
{
    if (shapes->key_count >= shapes->max_keys)
        return NULL;
    if (2 * shapes->key_count >= shapes->key_slots && !keys_grow(shapes))
        return NULL;
    struct rx_key *key = malloc(sizeof *key + length + 1);
    if (!key)
        return NULL;
    key->hash = hash;
    key->length = (uint32_t)length;
    memcpy(key->text, text, length);
    key->text[length] = '\0';
    shapes->keys[key_position(shapes, hash, text, length)] = key;
    shapes->key_count++;
    return key;
}

const struct rx_key *rx_key_intern(struct rx_heap *heap, const char *text, size_t length)
{
    struct rx_shapes *shapes = &heap->shapes;
    if (length > UINT32_MAX)
        return NULL;
    uint32_t hash = (uint32_t)XXH3_64bits(text, length);
    if (shapes->key_slots) {
        const struct rx_key *key = shapes->keys[key_position(shapes, hash, text, length)];
        if (key)
            return key;
    }
    return key_add(shapes, hash, text, length);
}

static struct rx_shape *shape_create(struct rx_shapes *shapes, const struct rx_shape *parent, const struct rx_key *key)
{
    uint32_t count = parent ? parent->count + 1 : 0;
    struct shape *shape = malloc(sizeof *shape + count * sizeof *shape->keys);
    if (!shape)
        return NULL;
    *shape =
        (struct shape){.base = {.id = ++shapes->shape_count, .count = count, .keys = shape->keys}, .parent = parent};
    for (uint32_t i = 0; i + 1 < count; i++)
        shape->keys[i] = parent->keys[i];
    if (count)
        shape->keys[count - 1] = key;
    return &shape->base;
}

const struct rx_shape *rx_shape_empty(struct rx_heap *heap)
{
    if (!heap->shapes.empty)
        heap->shapes.empty = shape_create(&heap->shapes, NULL, NULL);
    return heap->shapes.empty;
}

static uint32_t transition_position(const struct rx_shapes *shapes, const struct rx_shape *parent,
                                    const struct rx_key *key)
{
    uint32_t i = (key->hash ^ parent->id * 0x9E3779B1u) & (shapes->shape_slots - 1);
    for (struct rx_shape *found; (found = shapes->table[i]); i = (i + 1) & (shapes->shape_slots - 1))
        if (((struct shape *)found)->parent == parent && found->keys[parent->count] == key)
            break;
    return i;
}

static bool shapes_grow(struct rx_shapes *shapes)
{
    uint32_t slots = shapes->shape_slots ? shapes->shape_slots * 2 : 64, old_slots = shapes->shape_slots;
    struct rx_shape **old = shapes->table, **table = calloc(slots, sizeof *table);
    if (!table)
        return false;
    shapes->table = table;
    shapes->shape_slots = slots;
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i])
            table[transition_position(shapes, ((struct shape *)old[i])->parent, old[i]->keys[old[i]->count - 1])] =
                old[i];
    free(old);
    return true;
}

const struct rx_shape *rx_shape_with(struct rx_heap *heap, const struct rx_shape *shape, const struct rx_key *key)
{
    struct rx_shapes *shapes = &heap->shapes;
    if (shapes->shape_slots) {
        struct rx_shape *found = shapes->table[transition_position(shapes, shape, key)];
        if (found)
            return found;
    }
    if (shape->count >= RX_SHAPE_KEYS_MAX || shapes->shape_count >= shapes->max_shapes)
        return NULL;
    if (2 * shapes->shape_count >= shapes->shape_slots && !shapes_grow(shapes))
        return NULL;
    struct rx_shape *added = shape_create(shapes, shape, key);
    if (added)
        shapes->table[transition_position(shapes, shape, key)] = added;
    return added;
}

int rx_shape_slot(const struct rx_shape *shape, const struct rx_key *key)
{
    for (uint32_t i = 0; i < shape->count; i++)
        if (shape->keys[i] == key)
            return (int)i;
    return -1;
}
