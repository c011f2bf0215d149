/* Keyed windows of `every: event`: one for each event, of what came in the time before it, or of so many events. The events of a key
 * stand in a ring, as two stacks (core/aggregate/sliding.h has the paper): those in front each hold the total from themselves to the last
 * of the front, those behind are in `back`. What an event costs does not depend on how many a window holds.
 *
 * The events are kept: their totals are made of them when the front has gone, and anew where one comes out of order (streams
 * that meet may do that), which costs as much as the window is long; so do texts among numbers, of which the first that came says
 * what a greatest is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "operators/keyed.h"

struct held {
    struct rx_event event;
    struct rx_accumulator total[]; /* in front: from here to the last of the front */
};

struct each {
    char *ring;
    size_t room, head, count, front;
    struct rx_accumulator *back; /* of those behind the front */
    rx_time lacking;             /* the newest event that there was no room for */
    bool mixed;                  /* some value was refused for those before it: totals do not tell the result */
};

static struct each *each_of(struct keyed_window *k, struct rx_keyed *e) { return rx_keyed_of(k, e); }

static size_t stride(const struct keyed_window *k) { return sizeof(struct held) + k->calls.size; }

static struct held *at(const struct keyed_window *k, const struct each *s, size_t i)
{
    return (struct held *)(void *)(s->ring + ((s->head + i) & (s->room - 1)) * stride(k));
}

static int init(struct keyed_window *k, struct rx_keyed *e)
{
    struct each *s = each_of(k, e);
    s->lacking = INT64_MIN;
    s->back = calloc(1, k->calls.size + 1);
    return s->back ? 0 : -ENOMEM;
}

/* The first n go, with their totals where they are in front. */
static void drop(struct keyed_window *k, struct each *s, size_t n)
{
    for (; n > 0; n--) {
        struct held *first = at(k, s, 0);
        if (s->front > 0) {
            rx_aggregation_clear(&k->calls, first->total);
            s->front--;
        }
        rx_event_unref(&first->event);
        s->head = (s->head + 1) & (s->room - 1);
        s->count--;
    }
}

static void forget(struct keyed_window *k, struct rx_keyed *e)
{
    struct each *s = each_of(k, e);
    drop(k, s, s->count);
    if (s->back)
        rx_aggregation_clear(&k->calls, s->back);
    free(s->ring);
    free(s->back);
    *s = (struct each){0};
}

/* ---- the two stacks ---- */

static void add_all(struct keyed_window *k, struct each *s, size_t n, struct rx_accumulator *into)
{
    for (size_t i = 0; i < n; i++)
        if (rx_aggregation_add(&k->calls, into, &at(k, s, i)->event, NULL) < 0)
            s->mixed = true;
}

/* No totals: all are behind. */
static void start_anew(struct keyed_window *k, struct each *s)
{
    for (; s->front > 0; s->front--)
        rx_aggregation_clear(&k->calls, at(k, s, s->front - 1)->total);
    rx_aggregation_clear(&k->calls, s->back);
    s->mixed = false;
    add_all(k, s, s->count, s->back);
}

/* All are in front. */
static int flip(struct keyed_window *k, struct each *s)
{
    rx_aggregation_clear(&k->calls, s->back);
    int r = 0;
    s->mixed = false;
    for (size_t i = s->count; i-- > 0;) {
        struct held *h = at(k, s, i);
        memset(h->total, 0, k->calls.size);
        rx_aggregation_add(&k->calls, h->total, &h->event, NULL);
        if (i + 1 < s->count && r == 0)
            r = rx_aggregation_merge_telling(&k->calls, h->total, at(k, s, i + 1)->total, &s->mixed);
    }
    s->front = s->count;
    return r;
}

/* The first n leave the window. */
static int leave(struct keyed_window *k, struct each *s, size_t n)
{
    bool behind = n > s->front;
    drop(k, s, n);
    return behind ? flip(k, s) : 0;
}

/* How many are before `t`, or at it. */
static size_t through(const struct keyed_window *k, const struct each *s, rx_time t)
{
    size_t low = 0, high = s->count;
    if (high > 0 && at(k, s, high - 1)->event.time <= t)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (at(k, s, middle)->event.time <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of those that leave, from the oldest on: mostly one or two. */
static size_t expired(const struct keyed_window *k, const struct each *s, rx_time t)
{
    size_t n = 0;
    while (n < s->count && n < 4 && at(k, s, n)->event.time <= t)
        n++;
    return n < 4 ? n : through(k, s, t);
}

static int make_room(struct keyed_window *k, struct each *s)
{
    if (s->count < s->room)
        return 0;
    size_t room = s->room ? s->room * 2 : 4;
    char *ring = malloc(room * stride(k));
    if (!ring)
        return -ENOMEM;
    for (size_t i = 0; i < s->count; i++)
        memcpy(ring + i * stride(k), at(k, s, i), stride(k));
    free(s->ring);
    s->ring = ring;
    s->room = room;
    s->head = 0;
    return 0;
}

/* Behind those of its time. */
static int put(struct keyed_window *k, struct each *s, size_t place, const struct rx_event *event)
{
    if (make_room(k, s) < 0)
        return -ENOMEM;
    for (size_t i = s->count++; i > place; i--)
        at(k, s, i)->event = at(k, s, i - 1)->event;
    at(k, s, place)->event = rx_event_ref(event);
    return 0;
}

/* ---- events ---- */

/* The total of the first n: of all, or (out of order, or where values have no order) of each of them in turn. */
static int total_of(struct keyed_window *k, struct each *s, size_t n, struct rx_accumulator *ret)
{
    bool mixed = s->mixed;
    int r = 0;
    if (n == s->count && !mixed && s->front > 0)
        r = rx_aggregation_merge(&k->calls, ret, at(k, s, 0)->total);
    if (n == s->count && !mixed && r == 0)
        r = rx_aggregation_merge_telling(&k->calls, ret, s->back, &mixed);
    if (n == s->count && !mixed)
        return r;
    rx_aggregation_clear(&k->calls, ret);
    add_all(k, s, n, ret);
    return r;
}

static void put_out(struct keyed_window *k, struct rx_keyed *e, size_t n, rx_time t)
{
    struct each *s = each_of(k, e);
    struct rx_accumulator total[RX_AGGREGATES_MAX];
    rx_time start = k->size.count ? at(k, s, 0)->event.time : t - k->size.duration;
    memset(total, 0, k->calls.size);
    if (total_of(k, s, n, total) < 0)
        rx_fail_memory(&k->op);
    else
        rx_keyed_result(k, e, total, NULL, start, t, RX_WINDOW_THROUGH | (s->lacking > start ? RX_WINDOW_PARTIAL : 0u),
                        k->pending);
    rx_aggregation_clear(&k->calls, total);
}

static void add(struct keyed_window *k, struct rx_keyed *e, const struct rx_event *event)
{
    struct each *s = each_of(k, e);
    size_t gone = k->size.count ? (s->count >= k->size.count ? s->count + 1 - k->size.count : 0)
                                : expired(k, s, event->time - k->size.duration);
    int r = gone ? leave(k, s, gone) : 0;
    if (r == 0 && s->count >= (size_t)k->max_events) {
        s->lacking = event->time > s->lacking ? event->time : s->lacking;
        rx_count_of(&k->op, k->window, RX_EVICTED, 1);
        return;
    }
    size_t place = through(k, s, event->time);
    bool in_order = place == s->count;
    if (r < 0 || put(k, s, place, event) < 0) {
        rx_fail_memory(&k->op);
        return;
    }
    struct rx_error error;
    r = rx_aggregation_add(&k->calls, s->back, event, &error);
    s->mixed = s->mixed || r < 0;
    if (!in_order)
        start_anew(k, s);
    rx_keyed_added(k, event, r, &error, place + 1);
    if (rx_op_live(&k->op))
        put_out(k, e, place + 1, event->time);
}

/* Each window closed with its event. */
static void flush(struct keyed_window *k, struct rx_keyed *e, uint32_t flags, struct batch *out)
{
    (void)k, (void)e, (void)flags, (void)out;
}

/* ---- state: the events ---- */

static void save(struct keyed_window *k, struct rx_keyed *e, uint64_t born, struct rx_writer *w)
{
    struct each *s = each_of(k, e);
    (void)born;
    rx_write_int(w, s->lacking);
    rx_write_uint(w, s->count);
    rx_write_uint(w, s->front);
    for (size_t i = 0; i < s->count; i++)
        rx_write_event(w, &at(k, s, i)->event);
}

/* Which are in front is kept, as sums depend in their last bits on what was put together with what. */
static void load(struct keyed_window *k, struct rx_keyed *e, struct rx_reader *r)
{
    struct each *s = each_of(k, e);
    s->lacking = rx_read_int(r);
    uint64_t count = rx_read_uint(r), front = rx_read_uint(r);
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++) {
        struct rx_event event = rx_read_event(r);
        if (!rx_reader_failed(r) && put(k, s, s->count, &event) < 0)
            rx_reader_fail(r, -ENOMEM);
        rx_event_unref(&event);
        if (!rx_reader_failed(r) && i + 1 == front && flip(k, s) < 0)
            rx_reader_fail(r, -ENOMEM);
        else if (!rx_reader_failed(r) && i + 1 > front)
            s->mixed = rx_aggregation_add(&k->calls, s->back, &at(k, s, s->count - 1)->event, NULL) < 0 || s->mixed;
    }
    if (front > count)
        rx_reader_fail(r, -EBADMSG);
}

const struct keyed_form rx_keyed_each = {.entry = sizeof(struct each),
                                         .init = init,
                                         .add = add,
                                         .flush = flush,
                                         .forget = forget,
                                         .save = save,
                                         .load = load};
