/* Events put in order of (time, arrival). */
#include "core/graph/reorder.h"

#include <errno.h>
#include <stdlib.h>

struct rx_reordered {
    struct rx_event event;
    uint64_t arrival;
};

void rx_reorder_init(struct rx_reorder *r, struct rx_op *op, size_t max)
{
    *r = (struct rx_reorder){.op = op, .max = max, .gone = INT64_MIN};
}

void rx_reorder_finish(struct rx_reorder *r)
{
    for (size_t i = 0; i < r->count; i++)
        rx_event_unref(&r->items[i].event);
    free(r->items);
    *r = (struct rx_reorder){.op = NULL};
}

static bool before(const struct rx_reordered *a, const struct rx_reordered *b)
{
    return a->event.time < b->event.time || (a->event.time == b->event.time && a->arrival < b->arrival);
}

static int grow(struct rx_reorder *r)
{
    size_t capacity = r->capacity ? r->capacity * 2 : 8;
    struct rx_reordered *items = realloc(r->items, capacity * sizeof *items);
    if (!items)
        return -ENOMEM;
    r->items = items;
    r->capacity = capacity;
    return 0;
}

static void sift_up(struct rx_reordered *items, size_t i, struct rx_reordered item)
{
    for (; i > 0 && before(&item, &items[(i - 1) / 2]); i = (i - 1) / 2)
        items[i] = items[(i - 1) / 2];
    items[i] = item;
}

static void sift_down(struct rx_reordered *items, size_t count, struct rx_reordered item)
{
    size_t i = 0;
    for (size_t child = 1; child < count; child = 2 * i + 1) {
        child += child + 1 < count && before(&items[child + 1], &items[child]);
        if (before(&item, &items[child]))
            break;
        items[i] = items[child];
        i = child;
    }
    items[i] = item;
}

static int push_take(struct rx_reorder *r, struct rx_reordered item)
{
    if (r->count == r->capacity && grow(r) < 0) {
        rx_event_unref(&item.event);
        return -ENOMEM;
    }
    sift_up(r->items, r->count++, item);
    if (r->op)
        rx_hold(r->op, 1);
    return 0;
}

int rx_reorder_push(struct rx_reorder *r, const struct rx_event *event)
{
    return push_take(r, (struct rx_reordered){.event = rx_event_ref(event), .arrival = r->arrivals++});
}

bool rx_reorder_pop(struct rx_reorder *r, rx_time t, struct rx_event *ret)
{
    if (!r->count || (r->items[0].event.time > t && r->count <= r->max))
        return false;
    *ret = r->items[0].event;
    r->count--;
    if (r->count)
        sift_down(r->items, r->count, r->items[r->count]);
    if (ret->time > r->gone)
        r->gone = ret->time;
    if (r->op)
        rx_hold(r->op, -1);
    return true;
}

rx_time rx_reorder_earliest(const struct rx_reorder *r) { return r->count ? r->items[0].event.time : RX_TIME_NEVER; }

/* In the heap's own order: pushed again in it, each stays where it was. */
void rx_reorder_save(const struct rx_reorder *r, struct rx_writer *w)
{
    rx_write_uint(w, r->arrivals);
    rx_write_int(w, r->gone);
    rx_write_uint(w, r->count);
    for (size_t i = 0; i < r->count; i++) {
        rx_write_event(w, &r->items[i].event);
        rx_write_uint(w, r->items[i].arrival);
    }
}

int rx_reorder_load(struct rx_reorder *r, struct rx_reader *from)
{
    r->arrivals = rx_read_uint(from);
    r->gone = rx_read_int(from);
    for (uint64_t n = rx_read_uint(from); n > 0 && !rx_reader_failed(from); n--) {
        struct rx_reordered item = {.event = rx_read_event(from)};
        item.arrival = rx_read_uint(from);
        if (push_take(r, item) < 0)
            rx_reader_fail(from, -ENOMEM);
    }
    return from->failed;
}
