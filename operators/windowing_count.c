/* Windows by count: RxJS's windowCount, but a closing window closes before the next opens. And windows up to an event for
 * which a condition holds, which is in it. Their bounds are those of their events. */
#include "operators/windowing.h"

static void widen(struct pane *pane, rx_time time)
{
    if (pane->seen == 0 || time < pane->start)
        pane->start = time;
    if (pane->seen == 0 || time >= pane->last)
        pane->last = time;
}

/* The bounds of a counted window are known when it closes: it is sealed with them. */
static void close_pane(struct window *w, struct pane *pane)
{
    if (pane->seen > 0) {
        pane->end = pane->last + 1;
        w->passed = pane->last > w->passed ? pane->last : w->passed;
    }
    rx_pane_close(w, pane);
}

/* The input has completed: so has the window, at this instant. */
static void flush(struct window *w, struct pane *pane)
{
    rx_time now = rx_wall(&w->op);
    if (!rx_window_is_told(w)) /* an event may be ahead: a result has its window's last instant */
        pane->last = pane->seen && pane->last > now ? pane->last : now;
    else if (pane->seen == 0)
        pane->last = pane->start;
    pane->end = pane->last + 1;
    rx_pane_close(w, pane);
}

/* An event in a window that has closed; one at the time of its last event may come after it. */
static bool is_late(const struct window *w, rx_time time) { return time < w->passed; }

/* ---- so many events ---- */

static void open_pane(struct window *w)
{
    struct pane *pane = rx_pane_add(w, w->last, rx_wall(&w->op), RX_TIME_NEVER);
    if (pane && w->emit_empty)
        rx_pane_open(w, pane);
}

static bool first_is_full(const struct window *w)
{
    return w->first && w->count + 1 >= w->size.count && (w->count + 1 - w->size.count) % w->every.count == 0;
}

static enum taken next(struct window *w, const struct rx_event *event)
{
    enum taken taken = TAKEN_UNHEARD;
    for (struct pane *pane = w->first, *following; pane && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        widen(pane, event->time);
        taken = rx_taken_best(taken, rx_pane_feed(w, pane, event));
        rx_pane_update(w, pane, event);
    }
    if (first_is_full(w) && rx_op_live(&w->op))
        close_pane(w, w->first);
    if (++w->count % w->every.count == 0 && rx_op_live(&w->op))
        open_pane(w);
    return taken;
}

const struct windowing rx_windowing_count = {.start = open_pane, .next = next, .is_late = is_late, .flush = flush};

/* ---- up to an event ---- */

/* What came after the closing event, which itself came late: the next window. */
static void split(struct window *w, struct pane *pane, const struct rx_event *closing)
{
    if (!w->holds || rx_event_list_sort(&pane->kept) < 0)
        return;
    size_t at = rx_event_list_before(&pane->kept, closing->time, true);
    if (at == pane->kept.count)
        return;
    struct pane *rest = rx_pane_add(w, &pane->next, pane->kept.events[at].time, RX_TIME_NEVER);
    if (!rest || rx_event_list_move(&pane->kept, at, &rest->kept) < 0)
        return;
    rest->seen = rest->kept.count;
    rest->last = pane->last;
    pane->last = closing->time;
    pane->stale = pane->fed > at;
}

static enum taken next_when(struct window *w, const struct rx_event *event)
{
    int closes = rx_op_test(&w->op, w->close_when, event);
    if (closes < 0)
        return TAKEN_COUNTED;
    struct pane *pane = w->first ? w->first : rx_pane_add(w, w->last, event->time, RX_TIME_NEVER);
    if (!pane)
        return TAKEN_UNHEARD;
    widen(pane, event->time);
    enum taken taken = rx_pane_feed(w, pane, event);
    if (closes > 0)
        split(w, pane, event);
    if ((closes > 0 || rx_pane_is_full(w, pane)) && rx_op_live(&w->op))
        close_pane(w, pane);
    else
        rx_pane_update(w, pane, event);
    return taken;
}

const struct windowing rx_windowing_when = {.next = next_when, .is_late = is_late, .flush = flush};
