/* Keyed windows that follow one another: accumulators for each that is open. By arrival that is one, which is in the key's entry; by
 * event time there may be several, of which the others are in a list. */
#include <errno.h>
#include <stdlib.h>

#include "operators/keyed.h"

struct more {
    struct more *next; /* in order of ends */
    rx_time end;
    struct rx_accumulator accumulators[];
};

struct tumbling {
    rx_time end; /* of the window in this entry; NONE: none is open */
    struct more *more;
    struct rx_accumulator accumulators[];
};

#define NONE INT64_MIN

static int init(struct keyed_window *k, struct rx_keyed *e)
{
    ((struct tumbling *)rx_keyed_of(k, e))->end = NONE;
    return 0;
}

static struct more **find(struct tumbling *t, rx_time end)
{
    struct more **link = &t->more;
    while (*link && (*link)->end < end)
        link = &(*link)->next;
    return link;
}

static void drop(struct keyed_window *k, struct more **link)
{
    struct more *m = *link;
    *link = m->next;
    rx_aggregation_clear(&k->calls, m->accumulators);
    free(m);
}

/* The accumulators of the window that ends there, opened where it is not. NULL: it has closed, or the op has failed. */
static struct rx_accumulator *open_window(struct keyed_window *k, struct tumbling *t, rx_time end, bool loading)
{
    struct more **link = t->more ? find(t, end) : &t->more;
    if (*link && (*link)->end == end)
        return (*link)->accumulators;
    if (loading)
        rx_boundary_rewant(&k->member, end, false);
    else if (!rx_keyed_want(k, end))
        return NULL;
    k->latest = end > k->latest ? end : k->latest;
    if (t->end == NONE) {
        t->end = end;
        return t->accumulators;
    }
    struct more *m = calloc(1, sizeof *m + k->calls.size);
    if (!m) {
        rx_fail_memory(&k->op);
        return NULL;
    }
    m->end = end;
    m->next = *link;
    *link = m;
    return m->accumulators;
}

static rx_time end_after(struct keyed_window *k, rx_time t)
{
    if (t < k->begins || t >= k->ends) {
        struct rx_schedule schedule = {.size = k->size.duration, .every = k->size.duration};
        k->ends = rx_schedule_end_after(&schedule, t);
        k->begins = k->ends - k->size.duration;
    }
    return k->ends;
}

static void add(struct keyed_window *k, struct rx_keyed *e, const struct rx_event *event)
{
    struct tumbling *t = rx_keyed_of(k, e);
    struct rx_error error;
    rx_time end = end_after(k, event->time);
    struct rx_accumulator *accumulators = t->end == end ? t->accumulators : open_window(k, t, end, false);
    if (accumulators)
        rx_keyed_added(k, event, rx_aggregation_add(&k->calls, accumulators, event, &error), &error, 1);
    else if (rx_op_live(&k->op))
        rx_late_event_of(&k->op, k->window, event);
}

static rx_time next_end(struct keyed_window *k, struct rx_keyed *e, rx_time end)
{
    const struct tumbling *t = rx_keyed_of(k, e);
    const struct more *m = t->more;
    while (m && m->end <= end)
        m = m->next;
    rx_time first = t->end > end ? t->end : RX_TIME_NEVER;
    return m && m->end < first ? m->end : first;
}

/* It is gone before its result goes out. */
static void close_window(struct keyed_window *k, struct rx_keyed *e, rx_time end, uint32_t flags, struct batch *out)
{
    struct tumbling *t = rx_keyed_of(k, e);
    struct more **link = find(t, end);
    if (t->end == end) {
        t->end = NONE;
        rx_keyed_result(k, e, t->accumulators, NULL, end - k->size.duration, end, flags, out);
        rx_aggregation_clear(&k->calls, t->accumulators);
    } else if (*link && (*link)->end == end) {
        rx_keyed_result(k, e, (*link)->accumulators, NULL, end - k->size.duration, end, flags, out);
        drop(k, link);
    }
}

static void on_end(struct keyed_window *k, struct rx_keyed *e, rx_time end, struct batch *out)
{
    close_window(k, e, end, 0, out);
}

static void flush(struct keyed_window *k, struct rx_keyed *e, uint32_t flags, struct batch *out)
{
    rx_time end = INT64_MIN;
    while ((end = next_end(k, e, end)) != RX_TIME_NEVER && rx_op_live(&k->op))
        close_window(k, e, end, flags, out);
}

static void forget(struct keyed_window *k, struct rx_keyed *e)
{
    struct tumbling *t = rx_keyed_of(k, e);
    rx_aggregation_clear(&k->calls, t->accumulators);
    while (t->more)
        drop(k, &t->more);
}

/* ---- state: as the three steps would write it, so that each plan reads the other's ---- */

enum { WINDOW_TIMERS = 2, AGGREGATE_TIMERS = 1 };

static void write_pane(struct keyed_window *k, rx_time end, const struct rx_accumulator *accumulators,
                       struct rx_writer *w)
{
    rx_write_int(w, end - k->size.duration);
    rx_write_int(w, end);
    rx_write_uint(w, 0); /* the timer's place */
    rx_write_uint(w, 0); /* events so far: of `max` */
    rx_write_bool(w, true);
    rx_write_bool(w, true);
    rx_keyed_write_entry(k, w);
    size_t frame = rx_frame_begin_step(w, &k->op, 1, AGGREGATE_TIMERS);
    rx_aggregation_save(&k->calls, accumulators, w);
    rx_frame_end(w, frame);
}

static void write_window(struct keyed_window *k, const struct tumbling *t, uint64_t born, struct rx_writer *w)
{
    uint64_t open = t->end != NONE;
    rx_time first = t->end != NONE ? t->end : RX_TIME_NEVER;
    bool written = t->end == NONE;
    for (const struct more *m = t->more; m; m = m->next, open++)
        first = m->end < first ? m->end : first;
    size_t frame = rx_frame_begin_step(w, &k->op, 1, WINDOW_TIMERS);
    rx_write_uint(w, 0); /* events so far: of windows by count */
    rx_write_bool(w, false);
    rx_write_uint(w, open);
    for (const struct more *m = t->more; m; m = m->next) {
        if (!written && t->end < m->end)
            write_pane(k, t->end, t->accumulators, w);
        written = written || t->end < m->end;
        write_pane(k, m->end, m->accumulators, w);
    }
    if (!written)
        write_pane(k, t->end, t->accumulators, w);
    rx_write_bool(w, true);
    rx_boundary_save_as(w, born, first, false);
    rx_write_uint(w, 0); /* windows that have been let go */
    rx_write_uint(w, 0); /* steps that keep something beyond a window */
    rx_frame_end(w, frame);
}

static void save(struct keyed_window *k, struct rx_keyed *e, uint64_t born, struct rx_writer *w)
{
    rx_write_int(w, 0); /* the newest event and its place: of idle groups */
    rx_write_uint(w, 0);
    rx_write_bool(w, true);
    rx_keyed_write_entry(k, w);
    write_window(k, rx_keyed_of(k, e), born, w);
}

static void read_pane(struct keyed_window *k, struct tumbling *t, struct rx_reader *r)
{
    rx_read_int(r);
    rx_time end = rx_read_int(r);
    rx_read_uint(r);
    rx_read_uint(r);
    if (!rx_read_bool(r) || !rx_read_bool(r))
        rx_reader_fail(r, -EBADMSG);
    rx_keyed_read_entry(r);
    struct rx_reader aggregate = rx_frame_open_step(r, 1, AGGREGATE_TIMERS);
    struct rx_accumulator *accumulators = rx_reader_failed(&aggregate) ? NULL : open_window(k, t, end, true);
    if (accumulators)
        rx_aggregation_load(&k->calls, accumulators, &aggregate);
    else
        rx_reader_fail(r, -EBADMSG);
    rx_frame_close(r, &aggregate);
}

static void load(struct keyed_window *k, struct rx_keyed *e, struct rx_reader *outer)
{
    rx_read_int(outer);
    rx_read_uint(outer);
    if (!rx_read_bool(outer))
        rx_reader_fail(outer, -EBADMSG);
    rx_keyed_read_entry(outer);
    struct rx_reader r = rx_frame_open_step(outer, 1, WINDOW_TIMERS);
    rx_read_uint(&r);
    bool completing = rx_read_bool(&r);
    for (uint64_t open = rx_read_uint(&r); open > 0 && !rx_reader_failed(&r); open--)
        read_pane(k, rx_keyed_of(k, e), &r);
    bool joined = rx_read_bool(&r), past;
    rx_boundary_read(&r, &past);
    uint64_t others = rx_read_uint(&r) + rx_read_uint(&r);
    if (completing || !joined || others)
        rx_reader_fail(&r, -EBADMSG);
    rx_frame_close(outer, &r);
}

const struct keyed_form rx_keyed_tumbling = {.entry = sizeof(struct tumbling),
                                             .accumulates = true,
                                             .by_time = true,
                                             .init = init,
                                             .add = add,
                                             .next_end = next_end,
                                             .close = on_end,
                                             .flush = flush,
                                             .forget = forget,
                                             .save = save,
                                             .load = load};
