/* What a topic means to a source, remembered: topics come again and again, matching and copying need not. */
#ifndef RX_SOURCES_TOPIC_CACHE_H
#define RX_SOURCES_TOPIC_CACHE_H

#include "core/value/value.h"

struct rx_topic_entry {
    uint64_t hash;
    size_t length;
    int pattern; /* -1: no pattern matches */
    size_t capture_count;
    char *topic; /* inside the entry, like the captures */
    struct rx_value captures[];
};

/* Answers the pattern and fills its captures (taken), the rest being null; -1: none matches. */
typedef int (*rx_topic_match_fn)(void *arg, const char *topic, size_t length, struct rx_value *captures);

struct rx_topic_cache;
struct rx_topic_cache *rx_topic_cache_create(rx_topic_match_fn, void *arg); /* NULL: out of memory */
void rx_topic_cache_destroy(struct rx_topic_cache *);
/* The entry of a topic, found or made; valid until the next find. NULL: out of memory. */
const struct rx_topic_entry *rx_topic_cache_find(struct rx_topic_cache *, const char *topic, size_t length,
                                                 uint64_t hash);

/* Before a find: fetches where it will look; nearer to it, what is there. */
void rx_topic_cache_expect_slot(const struct rx_topic_cache *, uint64_t hash);
void rx_topic_cache_expect(const struct rx_topic_cache *, uint64_t hash);

#endif
