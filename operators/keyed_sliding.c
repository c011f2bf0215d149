/* Keyed windows that share panes: those by time that overlap have one pane for each gcd(size, every), those by count one for
 * each gcd of the counts. A window's result is the total of its panes (core/aggregate/sliding.h): what it costs does not depend on how
 * many windows an event belongs to, nor on how many events one holds. */
#include <errno.h>

#include "core/aggregate/sliding.h"
#include "operators/keyed.h"

struct sliding {
    struct rx_sliding panes;
    uint64_t seen;  /* counted: events so far */
    rx_time newest; /* by count: of the events so far */
};

static struct sliding *sliding_of(struct keyed_window *k, struct rx_keyed *e) { return rx_keyed_of(k, e); }

static int init(struct keyed_window *k, struct rx_keyed *e)
{
    return rx_sliding_init(&sliding_of(k, e)->panes, &k->calls);
}

static void forget(struct keyed_window *k, struct rx_keyed *e) { rx_sliding_finish(&sliding_of(k, e)->panes); }

/* The total of all that is settled, as the result of a window. */
static void put_out(struct keyed_window *k, struct rx_keyed *e, rx_time start, rx_time end, uint32_t flags,
                    struct batch *out)
{
    struct rx_accumulator total[RX_AGGREGATES_MAX];
    struct rx_sliding *panes = &sliding_of(k, e)->panes;
    if (rx_sliding_total(panes, total) < 0)
        rx_fail_memory(&k->op);
    else
        rx_keyed_result(k, e, total, panes->carries, start, end, flags, out);
    rx_aggregation_clear(&k->calls, total);
}

static bool pop(struct keyed_window *k, struct rx_sliding *panes)
{
    if (rx_sliding_pop(panes) == 0)
        return true;
    rx_fail_memory(&k->op);
    return false;
}

/* ---- by time ---- */

static rx_time floor_to(rx_time t, rx_time step)
{
    rx_time rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

/* How many windows hold `t` and have not closed; the first of them is wanted. */
static uint64_t open_windows(struct keyed_window *k, rx_time t)
{
    struct rx_schedule schedule = {.size = k->size.duration, .every = k->every.duration};
    rx_time first = rx_schedule_end_after(&schedule, t);
    uint64_t all = (uint64_t)((t + schedule.size - first) / schedule.every) + 1, low = 0, high = all;
    while (low < high) { /* those that have closed come first */
        uint64_t middle = rx_boundary_is_closed(&k->member, first) ? low + (high - low) / 2 : low;
        if (rx_boundary_is_closed(&k->member, first + (rx_time)middle * schedule.every))
            low = middle + 1;
        else
            high = middle;
    }
    if (low < all)
        rx_keyed_want(k, first + (rx_time)low * schedule.every);
    return all - low;
}

/* All that holds for one instant in a pane holds for the others, until event time goes on. */
static void look_up_pane(struct keyed_window *k, rx_time t)
{
    k->open = open_windows(k, t);
    k->begins = floor_to(t, k->pane);
    k->ends = k->begins + k->pane;
}

static void add_by_time(struct keyed_window *k, struct rx_keyed *e, const struct rx_event *event)
{
    struct rx_sliding *panes = &sliding_of(k, e)->panes;
    struct rx_error error;
    if (event->time < k->begins || event->time >= k->ends)
        look_up_pane(k, event->time);
    if (k->open == 0) {
        rx_late_event_of(&k->op, k->window, event);
        return;
    }
    rx_time start = k->begins;
    size_t i = rx_sliding_search(panes, start);
    bool there = i < panes->count && rx_sliding_at(panes, i)->start == start;
    if (!there && !rx_sliding_insert(panes, i, start))
        rx_fail_memory(&k->op);
    else
        rx_keyed_added(k, event, rx_sliding_add(panes, i, &k->calls, event, &error), &error, k->open);
}

static rx_time next_end(struct keyed_window *k, struct rx_keyed *e, rx_time end)
{
    const struct rx_sliding *panes = &sliding_of(k, e)->panes;
    struct rx_schedule schedule = {.size = k->size.duration, .every = k->every.duration};
    rx_time least = end == INT64_MIN ? INT64_MIN : end + schedule.every;
    for (size_t i = 0; i < panes->count; i++) {
        rx_time start = rx_sliding_at(panes, i)->start, first = rx_schedule_end_after(&schedule, start);
        if (least <= first || start >= least - schedule.size)
            return first > least ? first : least;
    }
    return RX_TIME_NEVER;
}

/* Panes that only windows up to that end need. */
static bool pop_before(struct keyed_window *k, struct rx_sliding *panes, rx_time start)
{
    while (panes->settled > 0 && rx_sliding_at(panes, 0)->start < start)
        if (!pop(k, panes))
            return false;
    return true;
}

static void close_by_time(struct keyed_window *k, struct rx_keyed *e, rx_time end, uint32_t flags, struct batch *out)
{
    struct rx_sliding *panes = &sliding_of(k, e)->panes;
    size_t n = panes->settled;
    while (n < panes->count && rx_sliding_at(panes, n)->start < end)
        n++;
    if (rx_sliding_settle(panes, n) < 0) {
        rx_fail_memory(&k->op);
        return;
    }
    if (!pop_before(k, panes, end - k->size.duration) || panes->settled == 0)
        return;
    put_out(k, e, end - k->size.duration, end, flags, out);
    pop_before(k, panes, end + k->every.duration - k->size.duration);
}

static void on_end(struct keyed_window *k, struct rx_keyed *e, rx_time end, struct batch *out)
{
    close_by_time(k, e, end, 0, out);
}

static void flush_by_time(struct keyed_window *k, struct rx_keyed *e, uint32_t flags, struct batch *out)
{
    rx_time end = k->closed_any ? k->closed : INT64_MIN;
    while ((end = next_end(k, e, end)) != RX_TIME_NEVER && rx_op_live(&k->op))
        if (!rx_boundary_is_closed(&k->member, end))
            close_by_time(k, e, end, flags, out);
}

/* ---- by count ---- */

/* Closes the oldest window: what only it needed goes. */
static void close_counted(struct keyed_window *k, struct rx_keyed *e, rx_time end, uint32_t flags, struct batch *out)
{
    struct rx_sliding *panes = &sliding_of(k, e)->panes;
    if (rx_sliding_settle(panes, panes->count) < 0) {
        rx_fail_memory(&k->op);
        return;
    }
    put_out(k, e, rx_sliding_at(panes, 0)->start, end, flags, out);
    for (uint64_t n = k->stride; n > 0 && panes->count > 0 && pop(k, panes); n--)
        ;
}

static void add_counted(struct keyed_window *k, struct rx_keyed *e, const struct rx_event *event)
{
    struct sliding *s = sliding_of(k, e);
    s->newest = s->seen == 0 || event->time > s->newest ? event->time : s->newest;
    struct rx_sliding *panes = &s->panes;
    struct rx_error error;
    bool full = panes->count == 0 || rx_sliding_at(panes, panes->count - 1)->events == k->events;
    if (full && !rx_sliding_insert(panes, panes->count, event->time)) {
        rx_fail_memory(&k->op);
        return;
    }
    rx_keyed_added(k, event, rx_sliding_add(panes, panes->count - 1, &k->calls, event, &error), &error,
                   (panes->count - 1) / k->stride + 1);
    if (!rx_op_live(&k->op) || ++s->seen < k->size.count || (s->seen - k->size.count) % k->every.count != 0)
        return;
    close_counted(k, e, event->time + 1, 0, k->pending);
}

/* An event may be ahead of the clock: a result has its window's last instant. */
static void flush_counted(struct keyed_window *k, struct rx_keyed *e, uint32_t flags, struct batch *out)
{
    struct sliding *s = sliding_of(k, e);
    rx_time last = rx_wall(&k->op) > s->newest ? rx_wall(&k->op) : s->newest;
    while (s->panes.count > 0 && rx_op_live(&k->op))
        close_counted(k, e, last + 1, flags, out);
}

/* ---- state: a form of its own, as panes stand for windows that the steps alone would each write ---- */

static void save(struct keyed_window *k, struct rx_keyed *e, uint64_t born, struct rx_writer *w)
{
    (void)born;
    rx_write_uint(w, sliding_of(k, e)->seen);
    rx_write_int(w, sliding_of(k, e)->newest);
    rx_sliding_save(&sliding_of(k, e)->panes, w);
}

static void load(struct keyed_window *k, struct rx_keyed *e, struct rx_reader *r)
{
    sliding_of(k, e)->seen = rx_read_uint(r);
    sliding_of(k, e)->newest = rx_read_int(r);
    rx_sliding_load(&sliding_of(k, e)->panes, r);
}

const struct keyed_form rx_keyed_hopping = {.entry = sizeof(struct sliding),
                                            .by_time = true,
                                            .init = init,
                                            .add = add_by_time,
                                            .next_end = next_end,
                                            .close = on_end,
                                            .flush = flush_by_time,
                                            .forget = forget,
                                            .save = save,
                                            .load = load};

const struct keyed_form rx_keyed_counted = {.entry = sizeof(struct sliding),
                                            .init = init,
                                            .add = add_counted,
                                            .flush = flush_counted,
                                            .forget = forget,
                                            .save = save,
                                            .load = load};
