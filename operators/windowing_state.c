/* The state of a window step. What the form of a window does not need is not written, so that what does the same in another way
 * (keyed_window) need not know of it. */
#include <errno.h>

#include "operators/windowing.h"

static bool by_time(const struct window *w) { return w->windowing == &rx_windowing_time; }

static bool on_epoch(const struct window *w) { return w->windowing == &rx_windowing_epoch; }

static bool is_plain(const struct window *w)
{
    return (by_time(w) || on_epoch(w)) && !w->holds && !w->emit.duration && w->emit.choice <= 1;
}

/* ---- panes ---- */

static void save_closer(const struct pane *pane, struct rx_writer *writer)
{
    rx_write_bool(writer, pane->closer != NULL);
    if (!pane->closer)
        return;
    rx_write_event(writer, rx_instance_outer(pane->closer));
    rx_instance_save(pane->closer, writer);
}

/* The mark stands in the instance as it was sealed last. */
static void save_more(const struct window *w, const struct pane *pane, struct rx_writer *writer)
{
    const struct rx_mark *mark = pane->instance ? rx_instance_mark(pane->instance) : NULL;
    rx_write_int(writer, pane->last);
    rx_write_uint(writer, pane->shown);
    rx_write_uint(writer, pane->fed);
    rx_write_uint(writer, pane->flags);
    rx_write_uint(writer, (pane->past ? 1u : 0u) | (pane->stale ? 2u : 0u) | (pane->early ? 4u : 0u));
    rx_write_int(writer, mark ? mark->start : 0);
    rx_write_int(writer, mark ? mark->end : 0);
    rx_write_uint(writer, mark ? mark->flags : 0);
    if (w->holds)
        rx_event_list_save(&pane->kept, writer);
    if (w->closing)
        save_closer(pane, writer);
}

static void save_pane(const struct window *w, const struct pane *pane, struct rx_writer *writer)
{
    rx_write_int(writer, pane->start);
    rx_write_int(writer, pane->end);
    if (by_time(w))
        rx_write_int(writer, pane->due);
    rx_write_uint(writer, pane->sequence);
    rx_write_uint(writer, pane->seen);
    rx_write_bool(writer, pane->opened);
    if (!is_plain(w))
        save_more(w, pane, writer);
    rx_write_bool(writer, pane->instance != NULL);
    if (pane->instance)
        rx_instance_save(pane->instance, writer);
}

static void load_closer(struct window *w, struct pane *pane, struct rx_reader *r)
{
    if (!rx_read_bool(r))
        return;
    struct rx_event outer = rx_read_event(r);
    pane->closer = rx_instance_load_for(&w->op, 1, &pane->closing, &outer, r);
    rx_event_unref(&outer);
}

static void load_more(struct window *w, struct pane *pane, struct rx_reader *r, struct rx_mark *ret_mark)
{
    pane->last = rx_read_int(r);
    pane->shown = rx_read_uint(r);
    pane->fed = rx_read_uint(r);
    pane->flags = (uint32_t)rx_read_uint(r);
    uint64_t bits = rx_read_uint(r);
    pane->past = bits & 1;
    pane->stale = bits & 2;
    pane->early = bits & 4;
    ret_mark->start = rx_read_int(r);
    ret_mark->end = rx_read_int(r);
    ret_mark->flags = (uint32_t)rx_read_uint(r);
    if (w->holds)
        rx_event_list_load(&pane->kept, r);
    w->kept += pane->kept.count;
    if (pane->fed > pane->kept.count)
        rx_reader_fail(r, -EBADMSG);
    if (w->closing)
        load_closer(w, pane, r);
}

static void load_pane(struct window *w, struct rx_reader *r)
{
    rx_time begins = rx_read_int(r), ends = rx_read_int(r);
    struct pane *pane = rx_pane_add(w, w->last, begins, ends);
    if (!pane) {
        rx_reader_fail(r, rx_op_live(&w->op) ? -EBADMSG : -ENOMEM);
        return;
    }
    struct rx_mark mark = {.start = begins, .end = ends};
    if (by_time(w))
        pane->due = rx_read_int(r);
    pane->sequence = rx_read_uint(r);
    pane->seen = rx_read_uint(r);
    pane->opened = rx_read_bool(r);
    if (!is_plain(w))
        load_more(w, pane, r, &mark);
    if (rx_read_bool(r))
        pane->instance = rx_instance_load(
            &w->op, 0, rx_mark_with_window(rx_op_heap(&w->op), rx_op_mark(&w->op), mark.start, mark.end, mark.flags),
            &pane->inside, r);
}

/* ---- the step ---- */

static bool slides(const struct window *w)
{
    return w->windowing == &rx_windowing_slide || w->windowing == &rx_windowing_latest;
}

/* Of windows by events: what has passed, and what waits or is remembered. */
static bool remembers(const struct window *w) { return w->reorders || slides(w) || w->boundary || w->opening; }

int rx_window_save(struct rx_op *op, struct rx_writer *writer)
{
    struct window *w = (struct window *)op;
    rx_write_uint(writer, w->count);
    rx_write_bool(writer, w->completing);
    rx_write_uint(writer, w->pane_count);
    for (struct pane *pane = w->first; pane; pane = pane->next)
        save_pane(w, pane, writer);
    rx_write_bool(writer, w->member.boundary != NULL);
    if (w->member.boundary)
        rx_boundary_save(&w->member, writer);
    if (w->align)
        rx_write_int(writer, w->origin);
    if (!remembers(w))
        return 0;
    rx_write_int(writer, w->passed);
    rx_write_int(writer, w->lacking);
    rx_reorder_save(&w->ahead, writer);
    rx_reorder_save(&w->signs, writer);
    rx_event_list_save(&w->history, writer);
    return 0;
}

static void load_memory(struct window *w, struct rx_reader *r)
{
    w->passed = rx_read_int(r);
    w->lacking = rx_read_int(r);
    rx_reorder_load(&w->ahead, r);
    if (!rx_reader_failed(r))
        rx_reorder_load(&w->signs, r);
    if (!rx_reader_failed(r))
        rx_event_list_load(&w->history, r);
}

int rx_window_load(struct rx_op *op, struct rx_reader *r)
{
    struct window *w = (struct window *)op;
    w->count = rx_read_uint(r);
    w->completing = rx_read_bool(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_pane(w, r);
    if (rx_read_bool(r) && rx_boundary_load(&w->member, r) < 0)
        rx_reader_fail(r, -ENOMEM);
    if (w->align)
        w->origin = rx_read_int(r);
    if (w->align && w->schedule.every)
        w->schedule.offset = w->origin % w->schedule.every;
    if (remembers(w) && !rx_reader_failed(r))
        load_memory(w, r);
    return r->failed;
}
