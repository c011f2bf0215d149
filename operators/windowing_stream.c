/* Windows that other streams begin and end: at each event of one (RxJS: window, buffer), or opened by the events of one
 * and each closed by a stream of its own (RxJS: windowToggle, bufferToggle). */
#include "operators/windowing.h"

static bool is_late(const struct window *w, rx_time time) { return time < w->passed; }

/* ---- boundary ---- */

static void start(struct window *w)
{
    struct pane *pane = w->emit_empty ? rx_pane_add(w, w->last, rx_wall(&w->op), RX_TIME_NEVER) : NULL;
    if (pane)
        rx_pane_open(w, pane);
}

static enum taken next(struct window *w, const struct rx_event *event)
{
    rx_time begins = w->passed == INT64_MIN ? event->time : w->passed;
    struct pane *pane = w->first ? w->first : rx_pane_add(w, w->last, begins, RX_TIME_NEVER);
    if (!pane)
        return TAKEN_UNHEARD;
    pane->last = event->time > pane->last ? event->time : pane->last;
    enum taken taken = rx_pane_feed(w, pane, event);
    if (rx_pane_is_full(w, pane) && rx_op_live(&w->op))
        rx_pane_close(w, pane);
    else
        rx_pane_update(w, pane, event);
    return taken;
}

static void close_at(struct window *w, struct pane *pane, rx_time time)
{
    pane->end = time > pane->start ? time : pane->start;
    rx_pane_close(w, pane);
}

static void sign(struct window *w, const struct rx_event *event)
{
    w->passed = event->time > w->passed ? event->time : w->passed;
    if (w->first)
        close_at(w, w->first, event->time);
    struct pane *pane =
        w->emit_empty && rx_op_live(&w->op) ? rx_pane_add(w, w->last, event->time, RX_TIME_NEVER) : NULL;
    if (pane)
        rx_pane_open(w, pane);
}

/* The input has completed: up to its last event. */
static void flush(struct window *w, struct pane *pane) { close_at(w, pane, pane->seen ? pane->last + 1 : pane->start); }

const struct windowing rx_windowing_boundary = {
    .start = start, .next = next, .sign = sign, .is_late = is_late, .flush = flush};

/* ---- opening, closing ---- */

static enum taken next_toggle(struct window *w, const struct rx_event *event)
{
    enum taken taken = TAKEN_UNHEARD;
    bool in_window = false;
    for (struct pane *pane = w->first, *following; pane && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        if (rx_window_is_told(w) && (event->time < pane->start || event->time >= pane->end))
            continue;
        enum taken one = rx_pane_feed(w, pane, event);
        taken = in_window ? rx_taken_best(taken, one) : one;
        in_window = true;
        pane->last = event->time > pane->last ? event->time : pane->last;
        rx_pane_update(w, pane, event);
    }
    return taken;
}

static void sign_toggle(struct window *w, const struct rx_event *event)
{
    struct pane *pane = rx_pane_add(w, w->last, event->time, RX_TIME_NEVER);
    if (!pane)
        return;
    pane->last = event->time;
    if (w->emit_empty)
        rx_pane_open(w, pane);
    if (!rx_op_live(&w->op))
        return;
    struct rx_instance *closer = rx_instance_open_for(&w->op, 1, &pane->closing, event);
    for (struct pane *p = w->first; p && closer; p = p->next)
        if (p == pane) /* it may have closed it at once */
            pane->closer = closer;
}

static void closed(struct window *w, struct pane *pane, const struct rx_event *event)
{
    rx_time end = event->time > pane->start ? event->time : pane->start;
    pane->end = end < pane->end ? end : pane->end;
    if (!rx_window_is_told(w) || rx_boundary_is_closed(&w->member, pane->end)) {
        w->passed = pane->end > w->passed ? pane->end : w->passed;
        rx_pane_close(w, pane);
    } else {
        rx_boundary_rewant(&w->member, pane->end, false);
    }
}

static void want(struct window *w)
{
    for (struct pane *pane = w->first; pane; pane = pane->next)
        if (pane->end != RX_TIME_NEVER)
            rx_boundary_rewant(&w->member, pane->end, false);
}

static void reached(struct window *w, rx_time end, bool past)
{
    (void)past;
    for (struct pane *pane = w->first, *following; pane && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        if (pane->end <= end)
            rx_pane_close(w, pane);
    }
}

/* In a window that is open there is still room for it, whenever it comes. */
static bool is_late_toggle(const struct window *w, rx_time time)
{
    for (const struct pane *pane = w->first; pane; pane = pane->next)
        if (time >= pane->start && time < pane->end)
            return false;
    return time < w->passed;
}

static void flush_toggle(struct window *w, struct pane *pane)
{
    close_at(w, pane, pane->end == RX_TIME_NEVER ? (pane->seen ? pane->last + 1 : pane->start) : pane->end);
}

const struct windowing rx_windowing_toggle = {.next = next_toggle,
                                              .sign = sign_toggle,
                                              .closed = closed,
                                              .want = want,
                                              .reached = reached,
                                              .is_late = is_late_toggle,
                                              .flush = flush_toggle};
