/* Windows on the epoch or by a calendar: events belong to them by their own time (core/graph/schedule.h). A window is opened by its
 * first event; where empty ones are wanted, from the first event's window on by the one before it. */
#include "operators/windowing.h"

/* Empty windows told in a row, where time jumps: a clock that was set, a stream that was away. The others are left out. */
enum { EMPTY_MAX = 10000 };

/* The pane that ends at `end`, at or behind `link`; made where it is missing. NULL: the window has closed, or no more may be open. */
static struct pane **pane_ending(struct window *w, struct pane **link, rx_time end)
{
    while (*link && (*link)->end < end)
        link = &(*link)->next;
    if (*link && (*link)->end == end)
        return link;
    return rx_pane_add(w, link, rx_schedule_start(&w->schedule, end), end) ? link : NULL;
}

static void open_empty_after(struct window *w, rx_time end)
{
    rx_time until = rx_boundary_until(&w->member), next = rx_schedule_end_after(&w->schedule, end);
    rx_time period = next - end;
    if (until > next && (until - next) / period > EMPTY_MAX)
        next = rx_schedule_end_after(&w->schedule, until);
    struct pane **link = pane_ending(w, &w->first, next);
    if (link)
        rx_pane_open(w, *link);
}

static void want(struct window *w)
{
    if (w->first)
        rx_boundary_rewant(&w->member, w->first->end, false);
}

static bool ends_at(const struct window *w, rx_time t) { return rx_schedule_end_after(&w->schedule, t - 1) == t; }

static void reached(struct window *w, rx_time end, bool past)
{
    (void)past;
    if (w->first && w->first->end <= end)
        rx_pane_close(w, w->first);
    if (w->emit_empty && rx_op_live(&w->op) && !w->completing && ends_at(w, end))
        open_empty_after(w, end);
}

/* One of the windows that hold the event. */
static enum taken take_in(struct window *w, struct pane *pane, const struct rx_event *event)
{
    enum taken taken = rx_pane_feed(w, pane, event);
    if (rx_pane_is_full(w, pane) && rx_op_live(&w->op))
        rx_pane_close(w, pane);
    else
        rx_pane_update(w, pane, event);
    return taken;
}

/* In the window that ends at `end`; `link` comes to be where its pane stands. */
static enum taken place(struct window *w, struct pane ***link, rx_time end, const struct rx_event *event)
{
    if (!rx_boundary_want(&w->member, end))
        return TAKEN_LATE;
    struct pane **found = pane_ending(w, *link, end);
    if (!found)
        return TAKEN_EVICTED;
    *link = found;
    return take_in(w, *found, event);
}

/* What falls into a gap between windows nobody hears. */
static enum taken next(struct window *w, const struct rx_event *event)
{
    struct pane **link = &w->first;
    bool in_window = false;
    enum taken taken = TAKEN_UNHEARD;
    for (rx_time end = rx_schedule_end_after(&w->schedule, event->time);
         rx_schedule_start(&w->schedule, end) <= event->time && rx_op_live(&w->op);
         end = rx_schedule_end_after(&w->schedule, end)) {
        enum taken one = place(w, &link, end, event);
        taken = !in_window || taken == TAKEN_LATE ? one : rx_taken_best(taken, one);
        in_window = true;
    }
    return taken;
}

/* A window that has all its events may still be open. */
static bool is_late(const struct window *w, rx_time time)
{
    (void)w, (void)time;
    return false;
}

static void start(struct window *w)
{
    if (w->align)
        w->schedule.offset = w->origin % w->schedule.every;
}

const struct windowing rx_windowing_epoch = {
    .start = start, .next = next, .reached = reached, .want = want, .is_late = is_late};
