/* The set of top-level fields that a plan can reach. */
#include <errno.h>
#include <stdlib.h>

#include "core/json/json_private.h"

struct rx_fields *rx_fields_create(struct rx_heap *heap)
{
    struct rx_fields *fields = calloc(1, sizeof *fields);
    if (!fields)
        return NULL;
    fields->heap = heap;
    fields->layout = calloc(1, sizeof *fields->layout);
    if (!fields->layout) {
        free(fields);
        return NULL;
    }
    return fields;
}

void rx_fields_destroy(struct rx_fields *fields)
{
    if (!fields)
        return;
    for (size_t i = 0; i < fields->count; i++)
        rx_key_drop(fields->heap, fields->keys[i]);
    rx_layout_forget(fields->layout);
    free(fields->layout);
    free(fields->keys);
    free(fields->table);
    free(fields);
}

static bool matches(const struct rx_key *key, const char *name, size_t length)
{
    return key->length == length && memcmp(key->text, name, length) == 0;
}

const struct rx_key *rx_fields_find(const struct rx_fields *fields, const char *name, size_t length)
{
    for (size_t i = 0; i < fields->count && fields->slots == 0; i++)
        if (matches(fields->keys[i], name, length))
            return fields->keys[i];
    if (fields->slots == 0)
        return NULL;
    size_t i = rx_value_hash(rx_string_static(name, (uint32_t)length)) & (fields->slots - 1);
    for (const struct rx_key *key; (key = fields->table[i]); i = (i + 1) & (fields->slots - 1))
        if (matches(key, name, length))
            return key;
    return NULL;
}

static void put(const struct rx_key **table, size_t slots, const struct rx_key *key)
{
    size_t i = rx_value_hash(rx_key_text(key)) & (slots - 1);
    while (table[i])
        i = (i + 1) & (slots - 1);
    table[i] = key;
}

/* Past eight fields they are looked up by hash, in a table at most half full. */
static int tabulate_last(struct rx_fields *fields)
{
    size_t slots = fields->slots ? fields->slots : 32;
    if (fields->count <= 8)
        return 0;
    if (fields->slots && fields->slots >= 2 * fields->count) {
        put(fields->table, slots, fields->keys[fields->count - 1]);
        return 0;
    }
    while (slots < 2 * fields->count)
        slots *= 2;
    const struct rx_key **table = calloc(slots, sizeof *table);
    if (!table)
        return -ENOMEM;
    for (size_t k = 0; k < fields->count; k++)
        put(table, slots, fields->keys[k]);
    free(fields->table);
    fields->table = table;
    fields->slots = slots;
    return 0;
}

int rx_fields_add(struct rx_fields *fields, const char *name, size_t length)
{
    if (rx_fields_find(fields, name, length))
        return 0;
    if (fields->count == fields->capacity) {
        size_t capacity = fields->capacity ? fields->capacity * 2 : 8;
        const struct rx_key **keys = realloc(fields->keys, capacity * sizeof *keys);
        if (!keys)
            return -ENOMEM;
        fields->keys = keys;
        fields->capacity = capacity;
    }
    const struct rx_key *key = rx_key_keep(fields->heap, name, length);
    if (!key)
        return -ENOMEM;
    fields->keys[fields->count++] = key;
    rx_layout_forget(fields->layout);
    int result = tabulate_last(fields);
    if (result < 0)
        rx_key_drop(fields->heap, fields->keys[--fields->count]);
    return result;
}

void rx_fields_add_all(struct rx_fields *fields)
{
    fields->all = true;
    rx_layout_forget(fields->layout);
}

bool rx_fields_has(const struct rx_fields *fields, const char *name, size_t length)
{
    return rx_fields_all(fields) || rx_fields_find(fields, name, length);
}

bool rx_fields_all(const struct rx_fields *fields) { return !fields || fields->all; }
size_t rx_fields_count(const struct rx_fields *fields) { return fields->count; }
const struct rx_key *rx_fields_at(const struct rx_fields *fields, size_t i) { return fields->keys[i]; }
