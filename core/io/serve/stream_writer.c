/* The worker's end of a served stream: serialises frames into a segment and hands it over. */
#include "core/base/number.h"
#include "core/io/serve/stream_inbox.h"
#include "core/io/serve/stream_segment.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FIRST_CAPACITY = 1024 };

struct rx_log_writer {
    struct rx_log_link *link;
    struct rx_segment *open;   /* being filled; NULL: none */
    struct rx_segment *behind; /* full ones that were taken back, newest first */
    bool lost;                 /* `open` starts behind frames that found no room, and nobody was told */
    struct rx_log_inbox *inbox;
    size_t max_in_flight;
    uint64_t sequence; /* the last that was used up */
    size_t prefix_length;
    char prefix[32]; /* "id: G-" */
};

struct rx_log_writer *rx_log_writer_create(struct rx_log_link *link, uint64_t generation, size_t max_in_flight)
{
    struct rx_log_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->link = link;
    w->max_in_flight = max_in_flight;
    w->prefix_length = (size_t)snprintf(w->prefix, sizeof w->prefix, "id: %llu-", (unsigned long long)generation);
    return w;
}

void rx_log_writer_destroy(struct rx_log_writer *w)
{
    if (!w)
        return;
    rx_log_publish(w);
    rx_log_link_unref(w->link);
    free(w);
}

void rx_log_writer_set_inbox(struct rx_log_writer *w, struct rx_log_inbox *inbox) { w->inbox = inbox; }

static int kind_of(const char *event)
{
    if (!event)
        return RX_FRAME_MESSAGE;
    for (int kind = 0; kind < RX_FRAME_KINDS; kind++)
        if (strcmp(event, rx_frame_kind_name((enum rx_frame_kind)kind)) == 0)
            return kind;
    return -EINVAL;
}

static char *put(char *at, const void *data, size_t length)
{
    if (length)
        memcpy(at, data, length);
    return at + length;
}

/* Of a length that the compiler knows; there is room for more than that. */
static char *put_header(char *at, const struct rx_log_writer *w, uint64_t sequence, enum rx_frame_kind kind)
{
    static const struct {
        char text[32];
        size_t length;
    } middle[RX_FRAME_KINDS] = {
        [RX_FRAME_MESSAGE] = {"\nevent: message\ndata: ", 22},
        [RX_FRAME_COMPLETE] = {"\nevent: complete\ndata: ", 23},
        [RX_FRAME_ERROR] = {"\nevent: error\ndata: ", 20},
    };
    memcpy(at, w->prefix, sizeof w->prefix);
    at += w->prefix_length;
    at += rx_format_uint(at, sequence);
    memcpy(at, middle[kind].text, sizeof middle[kind].text);
    return at + middle[kind].length;
}

static bool has_room(const struct rx_segment *s, size_t text)
{
    return !s->count || s->text_length + text <= RX_SEGMENT_BYTES;
}

/* A busy writer publishes frame by frame: while the front is elsewhere they gather in one segment, not one in each. */
static void take_back(struct rx_log_writer *w, size_t text)
{
    if (!atomic_load_explicit(&w->link->published, memory_order_relaxed))
        return;
    struct rx_segment *newest = atomic_exchange_explicit(&w->link->published, NULL, memory_order_acquire);
    w->behind = newest;
    if (!newest || !has_room(newest, text))
        return;
    w->open = newest;
    w->lost = !newest->count;
    w->behind = newest->next;
    newest->next = NULL;
    atomic_fetch_sub_explicit(&w->link->in_flight, rx_segment_bytes(newest), memory_order_relaxed);
}

/* A frame over 64 KiB sits alone in its segment. */
static void open_segment(struct rx_log_writer *w, size_t text, size_t capacity)
{
    if (w->open && !has_room(w->open, text))
        rx_log_publish(w);
    if (!w->open)
        take_back(w, text);
    if (!w->open)
        w->open = rx_segment_create(w->sequence + 1, capacity);
}

static int make_room(struct rx_log_writer *w, size_t text, size_t key)
{
    open_segment(w, text, text > FIRST_CAPACITY ? text : FIRST_CAPACITY);
    return w->open ? rx_segment_reserve(w->open, text, key) : -ENOMEM;
}

static bool is_full(const struct rx_log_writer *w)
{
    return atomic_load_explicit(&w->link->in_flight, memory_order_relaxed) > w->max_in_flight;
}

void rx_log_lose(struct rx_log_writer *w)
{
    uint64_t sequence = w->sequence + 1;
    open_segment(w, SIZE_MAX / 2, 1);
    if (w->open)
        w->open->first = sequence + 1;
    w->lost = w->lost || w->open;
    w->sequence = sequence;
}

static void write_frame(struct rx_log_writer *w, const struct rx_frame *frame, enum rx_frame_kind kind)
{
    struct rx_segment *s = w->open;
    uint64_t sequence = rx_segment_end(s);
    char *start = s->text + s->text_length;
    char *json = put_header(start, w, sequence, kind);
    char *end = put(put(json, frame->json, frame->json_length), "\n\n", 2);
    s->entries[s->count++] = (struct rx_frame_entry){
        .key_hash = frame->key ? XXH3_64bits(frame->key, frame->key_length) : 0,
        .time = frame->time,
        .text_at = (uint32_t)s->text_length,
        .json_length = (uint32_t)frame->json_length,
        .key_at = (uint32_t)s->keys_length,
        .key_length = frame->key ? (uint32_t)frame->key_length : 0,
        .beside_length = (uint32_t)frame->beside_length,
        .json_at = (uint16_t)(json - start),
        .kind = (uint8_t)kind,
        .keyed = frame->key != NULL,
    };
    s->terminals += kind != RX_FRAME_MESSAGE;
    s->text_length += (size_t)(end - start);
    char *keys = s->keys + s->keys_length;
    if (frame->key)
        keys = put(keys, frame->key, frame->key_length);
    s->keys_length = (size_t)(put(keys, frame->beside, frame->beside_length) - s->keys);
    w->sequence = sequence;
}

int rx_log_append(struct rx_log_writer *w, const struct rx_frame *frame)
{
    int kind = kind_of(frame->event);
    if (kind < 0)
        return kind;
    if (frame->json_length > RX_FRAME_BYTES || frame->key_length + frame->beside_length > RX_SEGMENT_BYTES)
        return -EMSGSIZE;
    if (kind == RX_FRAME_MESSAGE && is_full(w)) {
        rx_log_lose(w);
        return -EAGAIN;
    }
    int r = make_room(w, frame->json_length + 128, (frame->key ? frame->key_length : 0) + frame->beside_length);
    if (r < 0)
        return r;
    write_frame(w, frame, (enum rx_frame_kind)kind);
    return 0;
}

/* Only the writer adds to the list, and while it holds an open segment the list is with it: there is none to meet. The
 * order of the last two lines is that of rx_log_collect turned round: one of the two sees the other. */
static void hand_over(struct rx_log_writer *w, struct rx_segment *newest)
{
    atomic_store(&w->link->published, newest);
    if (w->inbox && !atomic_exchange(&w->link->woken, true))
        rx_log_inbox_put(w->inbox, w->link);
}

void rx_log_publish(struct rx_log_writer *w)
{
    struct rx_segment *s = w->open;
    w->open = NULL;
    if (s && (s->count || w->lost)) {
        atomic_fetch_add_explicit(&w->link->in_flight, rx_segment_bytes(s), memory_order_relaxed);
        s->next = w->behind;
        w->behind = s;
    } else {
        rx_segment_destroy(s);
    }
    if (w->behind)
        hand_over(w, w->behind);
    w->behind = NULL;
    w->lost = false;
}
