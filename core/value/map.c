/* Maps: any keys, in order of insertion, a linear scan up to eight and a hash index beyond. */
#include <string.h>

#include "core/value/map.h"

enum { LINEAR_MAX = 8 };

static uint32_t index_slots(uint32_t count)
{
    if (count <= LINEAR_MAX)
        return 0;
    uint32_t slots = 32;
    while (slots < 2 * (uint64_t)count && slots < 0x80000000u)
        slots *= 2;
    return slots;
}

size_t rx_map_bytes(uint32_t count)
{
    return sizeof(struct rx_map) + count * sizeof(struct rx_entry) + index_slots(count) * sizeof(uint32_t);
}

/* The index holds entry numbers plus one. It follows the room for entries, whose count the caller may have lowered. */
static uint32_t *map_index(const struct rx_map *map) { return (uint32_t *)(uintptr_t)&map->entries[map->spare_[0]]; }

static uint32_t find_linear(const struct rx_map *map, uint32_t count, struct rx_value key)
{
    uint32_t i = 0;
    while (i < count && !rx_value_equal(map->entries[i].key, key))
        i++;
    return i;
}

/* The index slot that holds the key's entry, or the empty one where it belongs. */
static uint32_t *find_hashed(const struct rx_map *map, struct rx_value key)
{
    uint32_t *index = map_index(map), i = (uint32_t)rx_value_hash(key) & map->index_mask;
    while (index[i] && !rx_value_equal(map->entries[index[i] - 1].key, key))
        i = (i + 1) & map->index_mask;
    return &index[i];
}

/* Where an earlier entry with this key is, or `map->count` after making the key known. */
static uint32_t find_or_note(struct rx_map *map, struct rx_value key)
{
    if (!map->index_mask)
        return find_linear(map, map->count, key);
    uint32_t *slot = find_hashed(map, key);
    if (!*slot)
        *slot = map->count + 1;
    return *slot - 1;
}

void rx_map_settle(struct rx_map *map, uint32_t count, bool counted)
{
    uint32_t slots = index_slots(count);
    map->count = 0;
    map->index_mask = slots ? slots - 1 : 0;
    map->spare_[0] = count; /* spare_[1] may be a chain's link already */
    memset(map_index(map), 0, slots * sizeof(uint32_t));
    for (uint32_t i = 0; i < count; i++) {
        struct rx_entry entry = map->entries[i];
        uint32_t at = find_or_note(map, entry.key);
        if (at == map->count) {
            map->entries[map->count++] = entry;
            continue;
        }
        struct rx_value old = map->entries[at].value;
        map->entries[at].value = entry.value;
        if (counted) {
            rx_value_unref(old);
            rx_value_unref(entry.key);
        }
    }
}

const struct rx_value *rx_map_get(const struct rx_map *map, struct rx_value key)
{
    uint32_t at;
    if (map->index_mask) {
        uint32_t found = *find_hashed(map, key);
        at = found ? found - 1 : map->count;
    } else {
        at = find_linear(map, map->count, key);
    }
    return at < map->count ? &map->entries[at].value : NULL;
}
