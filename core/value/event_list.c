/* Events in order of their times. */
#include "core/value/event_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct rx_event_list *l, size_t more)
{
    size_t capacity = l->capacity ? l->capacity : 8;
    while (capacity < l->count + more)
        capacity *= 2;
    if (capacity == l->capacity)
        return 0;
    struct rx_event *events = realloc(l->events, capacity * sizeof *events);
    if (!events)
        return -ENOMEM;
    l->events = events;
    l->capacity = capacity;
    return 0;
}

static void put(struct rx_event_list *l, struct rx_event event)
{
    bool behind = l->count == 0 || l->events[l->count - 1].time <= event.time;
    if (l->sorted == l->count && behind)
        l->sorted++;
    l->events[l->count++] = event;
}

int rx_event_list_add(struct rx_event_list *l, const struct rx_event *event)
{
    if (reserve(l, 1) < 0)
        return -ENOMEM;
    put(l, rx_event_ref(event));
    return 0;
}

/* Of two neighbouring runs; among equals the first run's come first. */
static void merge(struct rx_event *events, size_t first, size_t count, struct rx_event *room)
{
    size_t i = 0, k = first, n = 0;
    memcpy(room, events, first * sizeof *room);
    while (i < first)
        events[n++] = k < count && events[k].time < room[i].time ? events[k++] : room[i++];
}

/* Merge sort, bottom up (Knuth, TAOCP 3, 5.2.4): stable. */
static void sort(struct rx_event *events, size_t count, struct rx_event *room)
{
    for (size_t run = 1; run < count; run *= 2)
        for (size_t at = 0; at + run < count; at += 2 * run)
            merge(events + at, run, count - at < 2 * run ? count - at : 2 * run, room);
}

int64_t rx_event_list_sort(struct rx_event_list *l)
{
    if (l->sorted == l->count)
        return (int64_t)l->count;
    struct rx_event *room = malloc(l->count * sizeof *room);
    if (!room)
        return -ENOMEM;
    size_t sorted = l->sorted;
    sort(l->events + sorted, l->count - sorted, room);
    l->sorted = sorted;
    size_t stays = 0, count = l->count;
    l->count = sorted; /* the search is in what was in order */
    stays = rx_event_list_before(l, l->events[sorted].time, true);
    l->count = l->sorted = count;
    merge(l->events + stays, sorted - stays, count - stays, room);
    free(room);
    return (int64_t)stays;
}

size_t rx_event_list_before(const struct rx_event_list *l, rx_time t, bool through)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->events[middle].time < t || (through && l->events[middle].time == t))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void rx_event_list_drop(struct rx_event_list *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rx_event_unref(&l->events[i]);
    if (n)
        memmove(l->events, l->events + n, (l->count - n) * sizeof *l->events);
    l->count -= n;
    l->sorted = l->sorted > n ? l->sorted - n : 0;
}

int rx_event_list_move(struct rx_event_list *from, size_t i, struct rx_event_list *to)
{
    if (reserve(to, from->count - i) < 0)
        return -ENOMEM;
    for (size_t k = i; k < from->count; k++)
        put(to, from->events[k]);
    from->count = i;
    if (from->sorted > i)
        from->sorted = i;
    return 0;
}

void rx_event_list_finish(struct rx_event_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        rx_event_unref(&l->events[i]);
    free(l->events);
    *l = (struct rx_event_list){0};
}

/* In order of coming as far as they are not in order, which is told again from their times. */
void rx_event_list_save(const struct rx_event_list *l, struct rx_writer *w)
{
    rx_write_uint(w, l->count);
    for (size_t i = 0; i < l->count; i++)
        rx_write_event(w, &l->events[i]);
}

int rx_event_list_load(struct rx_event_list *l, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct rx_event event = rx_read_event(r);
        if (rx_reader_failed(r) || reserve(l, 1) < 0) {
            rx_event_unref(&event);
            rx_reader_fail(r, -ENOMEM);
        } else {
            put(l, event);
        }
    }
    return r->failed;
}
