/* A window that slides over panes. */
#include "core/aggregate/sliding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rx_sliding_init(struct rx_sliding *s, const struct rx_aggregation *calls)
{
    size_t carries = calls->carries ? calls->count * sizeof(struct rx_carry) : 0;
    *s = (struct rx_sliding){.calls = calls};
    s->stride = sizeof(struct rx_sliding_pane) + calls->size + carries;
    s->back = calloc(1, calls->size + 1);
    s->carries = carries ? calloc(1, carries) : NULL;
    return s->back && (s->carries || !carries) ? 0 : -ENOMEM;
}

struct rx_sliding_pane *rx_sliding_at(const struct rx_sliding *s, size_t i)
{
    return (struct rx_sliding_pane *)(s->ring + ((s->head + i) & (s->room - 1)) * s->stride);
}

static struct rx_carry *carries_of(const struct rx_sliding *s, struct rx_sliding_pane *pane)
{
    return (struct rx_carry *)(void *)((char *)pane->accumulators + s->calls->size);
}

void rx_sliding_finish(struct rx_sliding *s)
{
    for (size_t i = 0; i < s->count; i++)
        rx_aggregation_clear(s->calls, rx_sliding_at(s, i)->accumulators);
    if (s->back)
        rx_aggregation_clear(s->calls, s->back);
    free(s->ring);
    free(s->back);
    free(s->carries);
    *s = (struct rx_sliding){0};
}

size_t rx_sliding_search(const struct rx_sliding *s, rx_time start)
{
    size_t i = s->count;
    while (i > 0 && rx_sliding_at(s, i - 1)->start >= start)
        i--;
    return i;
}

static int make_room(struct rx_sliding *s)
{
    if (s->count < s->room)
        return 0;
    size_t room = s->room ? s->room * 2 : 4;
    char *ring = malloc(room * s->stride);
    if (!ring)
        return -ENOMEM;
    for (size_t i = 0; i < s->count; i++)
        memcpy(ring + i * s->stride, rx_sliding_at(s, i), s->stride);
    free(s->ring);
    s->ring = ring;
    s->room = room;
    s->head = 0;
    return 0;
}

struct rx_sliding_pane *rx_sliding_insert(struct rx_sliding *s, size_t i, rx_time start)
{
    if (make_room(s) < 0)
        return NULL;
    for (size_t k = s->count++; k > i; k--)
        memcpy(rx_sliding_at(s, k), rx_sliding_at(s, k - 1), s->stride);
    struct rx_sliding_pane *pane = rx_sliding_at(s, i);
    memset(pane, 0, s->stride);
    pane->start = pane->last = start;
    s->settled += i < s->settled;
    if (i >= s->front)
        return pane;
    s->front++;
    rx_aggregation_merge(s->calls, pane->accumulators, rx_sliding_at(s, i + 1)->accumulators);
    return pane;
}

int rx_sliding_add(struct rx_sliding *s, size_t i, struct rx_aggregation *calls, const struct rx_event *event,
                   struct rx_error *reterr)
{
    struct rx_sliding_pane *pane = rx_sliding_at(s, i);
    pane->last = event->time > pane->last ? event->time : pane->last;
    pane->events++;
    int r = rx_aggregation_add(calls, pane->accumulators, event, reterr);
    if (i >= s->settled)
        return r;
    if (i >= s->front)
        rx_aggregation_add(calls, s->back, event, NULL);
    while (i < s->front && i-- > 0)
        rx_aggregation_add(calls, rx_sliding_at(s, i)->accumulators, event, NULL);
    return r;
}

int rx_sliding_settle(struct rx_sliding *s, size_t n)
{
    int r = 0;
    for (; s->settled < n && r == 0; s->settled++)
        r = rx_aggregation_merge(s->calls, s->back, rx_sliding_at(s, s->settled)->accumulators);
    return r;
}

/* What was behind becomes the front: each pane the total from itself on. */
static int flip(struct rx_sliding *s)
{
    int r = 0;
    if (s->carries)
        for (size_t i = 0; i < s->settled; i++)
            rx_aggregation_carry(s->calls, rx_sliding_at(s, i)->accumulators, carries_of(s, rx_sliding_at(s, i)));
    for (size_t i = s->settled; i-- > 1 && r == 0;)
        r = rx_aggregation_merge(s->calls, rx_sliding_at(s, i - 1)->accumulators, rx_sliding_at(s, i)->accumulators);
    rx_aggregation_clear(s->calls, s->back);
    s->front = s->settled;
    return r;
}

static void take_carries(struct rx_sliding *s, struct rx_sliding_pane *pane)
{
    const struct rx_carry *from = carries_of(s, pane);
    for (size_t i = 0; i < s->calls->count; i++)
        s->carries[i] = from[i].known ? from[i] : s->carries[i];
}

int rx_sliding_pop(struct rx_sliding *s)
{
    int r = s->front == 0 ? flip(s) : 0;
    struct rx_sliding_pane *pane = rx_sliding_at(s, 0);
    if (s->carries)
        take_carries(s, pane);
    rx_aggregation_clear(s->calls, pane->accumulators);
    s->head = (s->head + 1) & (s->room - 1);
    s->count--;
    s->settled--;
    s->front--;
    return r;
}

int rx_sliding_total(const struct rx_sliding *s, struct rx_accumulator *ret)
{
    if (s->front == 0)
        return rx_aggregation_copy(s->calls, ret, s->back);
    int r = rx_aggregation_copy(s->calls, ret, rx_sliding_at(s, 0)->accumulators);
    return r < 0 ? r : rx_aggregation_merge(s->calls, ret, s->back);
}

/* ---- state ---- */

static void save_carries(const struct rx_sliding *s, const struct rx_carry *carries, struct rx_writer *w)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        rx_write_bool(w, carries[i].known);
        rx_write_int(w, carries[i].time);
        rx_write_double(w, carries[i].value);
    }
}

static void load_carries(const struct rx_sliding *s, struct rx_carry *carries, struct rx_reader *r)
{
    for (size_t i = 0; i < s->calls->count; i++) {
        carries[i].known = rx_read_bool(r);
        carries[i].time = rx_read_int(r);
        carries[i].value = rx_read_double(r);
    }
}

void rx_sliding_save(const struct rx_sliding *s, struct rx_writer *w)
{
    rx_write_uint(w, s->count);
    rx_write_uint(w, s->settled);
    rx_write_uint(w, s->front);
    for (size_t i = 0; i < s->count; i++) {
        struct rx_sliding_pane *pane = rx_sliding_at(s, i);
        rx_write_int(w, pane->start);
        rx_write_int(w, pane->last);
        rx_write_uint(w, pane->events);
        rx_aggregation_save(s->calls, pane->accumulators, w);
        if (s->carries)
            save_carries(s, carries_of(s, pane), w);
    }
    rx_aggregation_save(s->calls, s->back, w);
    if (s->carries)
        save_carries(s, s->carries, w);
}

static void load_pane(struct rx_sliding *s, struct rx_reader *r)
{
    rx_time start = rx_read_int(r);
    struct rx_sliding_pane *pane = rx_reader_failed(r) ? NULL : rx_sliding_insert(s, s->count, start);
    if (!pane) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    pane->last = rx_read_int(r);
    pane->events = rx_read_uint(r);
    rx_aggregation_load(s->calls, pane->accumulators, r);
    if (s->carries)
        load_carries(s, carries_of(s, pane), r);
}

int rx_sliding_load(struct rx_sliding *s, struct rx_reader *r)
{
    uint64_t count = rx_read_uint(r), settled = rx_read_uint(r), front = rx_read_uint(r);
    while (s->count < count && !rx_reader_failed(r))
        load_pane(s, r);
    rx_aggregation_load(s->calls, s->back, r);
    if (s->carries)
        load_carries(s, s->carries, r);
    if (front > settled || settled > count)
        rx_reader_fail(r, -EBADMSG);
    if (rx_reader_failed(r))
        return r->failed;
    s->front = (size_t)front;
    s->settled = (size_t)settled;
    return 0;
}
