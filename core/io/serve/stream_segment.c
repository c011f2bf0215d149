/* Segments of serialised frames: memory, views, and the link between the two ends of a log. */
#include "core/io/serve/stream_segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rx_segment *rx_segment_create(uint64_t first, size_t text_capacity)
{
    struct rx_segment *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->refs = 1;
    s->first = first;
    s->text_capacity = text_capacity;
    s->text = malloc(text_capacity);
    if (!s->text) {
        free(s);
        return NULL;
    }
    return s;
}

void rx_segment_reset(struct rx_segment *s, uint64_t first)
{
    s->next = NULL;
    s->log = NULL;
    s->refs = 1;
    s->terminals = 0;
    s->first = first;
    s->count = 0;
    s->text_length = s->keys_length = 0;
}

void rx_segment_destroy(struct rx_segment *s)
{
    if (!s)
        return;
    free(s->entries);
    free(s->keys);
    free(s->text);
    free(s);
}

size_t rx_segment_bytes(const struct rx_segment *s)
{
    return sizeof *s + s->text_capacity + s->keys_capacity + s->capacity * sizeof *s->entries;
}

static int grow(char **data, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return 0;
    size_t larger = *capacity ? *capacity : 256;
    while (larger < needed)
        larger *= 2;
    char *moved = realloc(*data, larger);
    if (!moved)
        return -ENOMEM;
    *data = moved;
    *capacity = larger;
    return 0;
}

static int reserve_entries(struct rx_segment *s, uint32_t more, size_t keys)
{
    if (s->count + more > s->capacity) {
        uint32_t capacity = s->capacity ? s->capacity : 16;
        while (capacity < s->count + more)
            capacity *= 2;
        struct rx_frame_entry *moved = realloc(s->entries, capacity * sizeof *moved);
        if (!moved)
            return -ENOMEM;
        s->entries = moved;
        s->capacity = capacity;
    }
    return grow(&s->keys, &s->keys_capacity, s->keys_length + keys);
}

int rx_segment_reserve(struct rx_segment *s, size_t text, size_t key)
{
    int r = reserve_entries(s, 1, key);
    return r < 0 ? r : grow(&s->text, &s->text_capacity, s->text_length + text);
}

bool rx_segment_absorb(struct rx_segment *to, const struct rx_segment *from)
{
    if (to->text_length + from->text_length > to->text_capacity)
        return false;
    if (reserve_entries(to, from->count, from->keys_length) < 0)
        return false;
    memcpy(to->text + to->text_length, from->text, from->text_length);
    if (from->keys_length)
        memcpy(to->keys + to->keys_length, from->keys, from->keys_length);
    for (uint32_t i = 0; i < from->count; i++) {
        struct rx_frame_entry *e = &to->entries[to->count + i];
        *e = from->entries[i];
        e->text_at += (uint32_t)to->text_length;
        e->key_at += (uint32_t)to->keys_length;
    }
    to->count += from->count;
    to->terminals += from->terminals;
    to->text_length += from->text_length;
    to->keys_length += from->keys_length;
    return true;
}

const char *rx_frame_kind_name(enum rx_frame_kind kind)
{
    static const char *const names[RX_FRAME_KINDS] = {"message", "complete", "error"};
    return names[kind];
}

void rx_segment_view(const struct rx_segment *s, uint32_t i, struct rx_frame_view *ret)
{
    const struct rx_frame_entry *e = &s->entries[i];
    *ret = (struct rx_frame_view){
        .sequence = s->first + i,
        .time = e->time,
        .key_hash = e->key_hash,
        .key = e->keyed ? s->keys + e->key_at : NULL,
        .key_length = e->key_length,
        .beside = e->beside_length ? s->keys + e->key_at + e->key_length : NULL,
        .beside_length = e->beside_length,
        .sse = s->text + e->text_at,
        .sse_length = rx_entry_length(e),
        .json = s->text + e->text_at + e->json_at,
        .json_length = e->json_length,
        .event = rx_frame_kind_name((enum rx_frame_kind)e->kind),
        .terminal = e->kind != RX_FRAME_MESSAGE,
    };
}

void rx_log_link_unref(struct rx_log_link *link)
{
    if (!link || atomic_fetch_sub(&link->ends, 1) != 1)
        return;
    struct rx_segment *s = atomic_load(&link->published);
    while (s) {
        struct rx_segment *next = s->next;
        rx_segment_destroy(s);
        s = next;
    }
    free(link);
}
