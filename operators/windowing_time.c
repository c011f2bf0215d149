/* Windows by time from the subscription: RxJS's windowTime, but a closing window closes before the next opens. */
#include "operators/windowing.h"

/* What waits for input alone keeps no replay going. */
static void arm_close(struct window *w)
{
    bool content = false;
    for (struct pane *pane = w->first; pane && !content; pane = pane->next)
        content = pane->seen > 0;
    rx_timer_background(&w->op, WINDOW_SLOT_CLOSE, !content);
    if (w->first)
        rx_timer_arm_at(&w->op, WINDOW_SLOT_CLOSE, w->first->due, w->first->sequence);
    else
        rx_timer_stop(&w->op, WINDOW_SLOT_CLOSE);
}

static void open_pane(struct window *w)
{
    rx_time now = rx_wall(&w->op);
    struct pane *pane = rx_pane_add(w, w->last, now, now + w->size.duration);
    if (!pane)
        return;
    pane->due = rx_now(&w->op) + w->size.duration;
    if (w->emit_empty)
        rx_pane_open(w, pane);
    pane->sequence = rx_timer_reserve(&w->op);
    arm_close(w);
}

static void close_pane(struct window *w, struct pane *pane)
{
    rx_pane_close(w, pane);
    if (w->restarts && rx_op_live(&w->op))
        open_pane(w);
    if (rx_op_live(&w->op))
        arm_close(w);
}

static enum taken next(struct window *w, const struct rx_event *event)
{
    enum taken taken = TAKEN_UNHEARD;
    bool first = false;
    uint64_t left = w->pane_count; /* a window that opens meanwhile begins with the next event */
    for (struct pane *pane = w->first, *following; left-- > 0 && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        first = first || pane->seen == 0;
        taken = rx_taken_best(taken, rx_pane_feed(w, pane, event));
        if (rx_pane_is_full(w, pane) && rx_op_live(&w->op))
            close_pane(w, pane);
        else
            rx_pane_update(w, pane, event);
    }
    if (first && rx_op_live(&w->op))
        arm_close(w);
    return taken;
}

static void timer(struct window *w, unsigned slot)
{
    if (slot == WINDOW_SLOT_CLOSE) {
        close_pane(w, w->first);
        return;
    }
    while (w->first && w->first->due <= rx_now(&w->op) && rx_op_live(&w->op))
        close_pane(w, w->first);
    open_pane(w);
    rx_timer_arm(&w->op, WINDOW_SLOT_OPEN, rx_now(&w->op) + w->every.duration);
}

static void start(struct window *w)
{
    if (!w->restarts) {
        rx_timer_background(&w->op, WINDOW_SLOT_OPEN, true);
        rx_timer_arm(&w->op, WINDOW_SLOT_OPEN, rx_now(&w->op) + w->every.duration);
    }
    open_pane(w);
}

const struct windowing rx_windowing_time = {.start = start, .next = next, .timer = timer};
