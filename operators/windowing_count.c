/* Windows by count: RxJS's windowCount, but a closing window closes before the next opens. */
#include "operators/windowing.h"

static void open_pane(struct window *w)
{
    struct pane *pane = rx_pane_add(w, w->last, rx_wall(&w->op), rx_wall(&w->op));
    if (pane && w->emit_empty)
        rx_pane_open(w, pane);
}

/* The bounds of a counted window are known when it closes: it is sealed with them. */
static void close_pane(struct window *w, struct pane *pane, rx_time last)
{
    if (pane->instance) {
        const struct rx_mark *mark = rx_instance_mark(pane->instance);
        rx_instance_seal(pane->instance,
                         rx_mark_with_window(rx_op_heap(&w->op), mark, pane->start, last + 1, mark->flags));
    }
    rx_pane_close(w, pane);
}

static bool first_is_full(const struct window *w)
{
    return w->first && w->count + 1 >= w->size.count && (w->count + 1 - w->size.count) % w->every.count == 0;
}

static int next(struct window *w, const struct rx_event *event)
{
    bool heard = false;
    for (struct pane *pane = w->first, *following; pane && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        if (pane->seen == 0)
            pane->start = pane->end = event->time;
        heard = rx_pane_feed(w, pane, event) || heard;
    }
    if (first_is_full(w) && rx_op_live(&w->op))
        close_pane(w, w->first, event->time);
    if (++w->count % w->every.count == 0 && rx_op_live(&w->op))
        open_pane(w);
    return heard;
}

const struct windowing rx_windowing_count = {.start = open_pane, .next = next, .flush = close_pane};
