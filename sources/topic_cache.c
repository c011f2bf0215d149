/* What a topic means to a source, remembered: a direct-mapped table, a newcomer displaces. */
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_topic.h"
#include "core/io/mqtt/topic_hash.h"
#include "sources/topic_cache.h"

enum {
    SLOTS = 4096,
    KEPT_BYTES_MAX = 512, /* longer topics are matched each time: a feed must not fill memory with them */
};

struct rx_topic_cache {
    rx_topic_match_fn match;
    void *arg;
    struct rx_topic_entry *passing; /* the last one that was too long to keep */
    struct rx_topic_entry *slots[SLOTS];
};

struct rx_topic_cache *rx_topic_cache_create(rx_topic_match_fn match, void *arg)
{
    struct rx_topic_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->match = match;
        cache->arg = arg;
    }
    return cache;
}

static void destroy_entry(struct rx_topic_entry *entry)
{
    for (size_t i = 0; entry && i < entry->capture_count; i++)
        rx_value_unref(entry->captures[i]);
    free(entry);
}

void rx_topic_cache_destroy(struct rx_topic_cache *cache)
{
    for (size_t i = 0; cache && i < SLOTS; i++)
        destroy_entry(cache->slots[i]);
    if (cache)
        destroy_entry(cache->passing);
    free(cache);
}

static struct rx_topic_entry *make_entry(struct rx_topic_cache *cache, const char *topic, size_t length, uint64_t hash)
{
    struct rx_value captures[RX_TOPIC_CAPTURES_MAX] = {0};
    int pattern = cache->match(cache->arg, topic, length, captures);
    size_t count = 0;
    while (count < RX_TOPIC_CAPTURES_MAX && captures[count].kind != RX_NULL)
        count++;
    struct rx_topic_entry *entry = malloc(sizeof *entry + count * sizeof *captures + length);
    if (!entry) {
        while (count > 0)
            rx_value_unref(captures[--count]);
        return NULL;
    }
    *entry = (struct rx_topic_entry){.hash = hash, .length = length, .pattern = pattern, .capture_count = count};
    entry->topic = (char *)(entry->captures + count);
    memcpy(entry->captures, captures, count * sizeof *captures);
    memcpy(entry->topic, topic, length);
    return entry;
}

void rx_topic_cache_expect_slot(const struct rx_topic_cache *cache, uint64_t hash)
{
    __builtin_prefetch(&cache->slots[hash % SLOTS]);
}

void rx_topic_cache_expect(const struct rx_topic_cache *cache, uint64_t hash)
{
    __builtin_prefetch(cache->slots[hash % SLOTS]);
}

const struct rx_topic_entry *rx_topic_cache_find(struct rx_topic_cache *cache, const char *topic, size_t length,
                                                 uint64_t hash)
{
    struct rx_topic_entry **slot = length <= KEPT_BYTES_MAX ? &cache->slots[hash % SLOTS] : &cache->passing;
    struct rx_topic_entry *entry = *slot;
    if (entry && entry->hash == hash && entry->length == length && rx_topic_is_same(entry->topic, topic, length))
        return entry;
    destroy_entry(entry);
    *slot = make_entry(cache, topic, length, hash);
    return *slot;
}
