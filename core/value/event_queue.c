/* A growing ring of events. */
#include "core/value/event_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rx_event *rx_event_queue_at(const struct rx_event_queue *q, size_t i)
{
    return &q->items[(q->head + i) & (q->capacity - 1)];
}

static int grow(struct rx_event_queue *q)
{
    size_t capacity = q->capacity ? q->capacity * 2 : 8;
    struct rx_event *items = malloc(capacity * sizeof *items);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < q->count; i++)
        items[i] = *rx_event_queue_at(q, i);
    free(q->items);
    q->items = items;
    q->head = 0;
    q->capacity = capacity;
    return 0;
}

static int push_take(struct rx_event_queue *q, struct rx_event event)
{
    if (q->count == q->capacity && grow(q) < 0) {
        rx_event_unref(&event);
        return -ENOMEM;
    }
    q->count++;
    *rx_event_queue_at(q, q->count - 1) = event;
    return 0;
}

int rx_event_queue_push(struct rx_event_queue *q, const struct rx_event *event)
{
    return push_take(q, rx_event_ref(event));
}

struct rx_event rx_event_queue_pop(struct rx_event_queue *q)
{
    struct rx_event event = q->items[q->head];
    q->head = (q->head + 1) & (q->capacity - 1);
    q->count--;
    return event;
}

void rx_event_queue_drop(struct rx_event_queue *q, size_t n)
{
    for (; n > 0 && q->count > 0; n--) {
        struct rx_event event = rx_event_queue_pop(q);
        rx_event_unref(&event);
    }
}

void rx_event_queue_finish(struct rx_event_queue *q)
{
    rx_event_queue_drop(q, q->count);
    free(q->items);
    *q = (struct rx_event_queue){0};
}

struct rx_value rx_event_queue_list(const struct rx_event_queue *q, struct rx_heap *heap, size_t i, size_t count)
{
    struct rx_value small[64], *items = count > 64 ? malloc(count * sizeof *items) : small;
    if (!items)
        return rx_null();
    for (size_t k = 0; k < count; k++)
        items[k] = rx_value_ref(rx_event_queue_at(q, i + k)->value);
    struct rx_value list = rx_list_take(heap, items, (uint32_t)count);
    if (items != small)
        free(items);
    return list;
}

void rx_event_queue_save(const struct rx_event_queue *q, struct rx_writer *w)
{
    rx_write_uint(w, q->count);
    for (size_t i = 0; i < q->count; i++)
        rx_write_event(w, rx_event_queue_at(q, i));
}

int rx_event_queue_load(struct rx_event_queue *q, struct rx_reader *r)
{
    for (uint64_t count = rx_read_uint(r); count > 0 && !rx_reader_failed(r); count--)
        if (push_take(q, rx_read_event(r)) < 0)
            rx_reader_fail(r, -ENOMEM);
    return r->failed;
}
