/* Windows on the epoch: events belong to them by their own time (core/graph/boundary.h). A window is opened by its first
 * event; where empty ones are wanted, from the first event's window on by the one before it. */
#include "operators/windowing.h"

/* Empty windows told in a row, where time jumps: a clock that was set, a stream that was away. The others are left out. */
enum { EMPTY_MAX = 10000 };

/* The pane that ends at `end`, at or behind `link`; made where it is missing. NULL: the window has closed. */
static struct pane **pane_ending(struct window *w, struct pane **link, rx_time end)
{
    while (*link && (*link)->end < end)
        link = &(*link)->next;
    if (*link && (*link)->end == end)
        return link;
    bool wanted = rx_boundary_want(&w->member, end);
    return wanted && rx_pane_add(w, link, end - w->size.duration, end) ? link : NULL;
}

static void open_empty_after(struct window *w, rx_time end)
{
    struct rx_schedule schedule = {.size = w->size.duration, .every = w->every.duration};
    rx_time until = rx_boundary_until(&w->member), next = end + schedule.every;
    if (until > next && (until - next) / schedule.every > EMPTY_MAX)
        next = rx_schedule_end_after(&schedule, until);
    struct pane **link = pane_ending(w, &w->first, next);
    if (link)
        rx_pane_open(w, *link);
}

static void on_boundary(struct rx_boundary_member *member, rx_time end)
{
    struct window *w = (struct window *)member->op;
    struct pane *pane = w->first;
    bool due = pane && pane->end == end;
    struct pane *following = due ? pane->next : pane;
    if (following)
        rx_boundary_want(member, following->end);
    if (due)
        rx_pane_close(w, pane);
    if (w->emit_empty && rx_op_live(&w->op) && !w->completing)
        open_empty_after(w, end);
}

static int next(struct window *w, const struct rx_event *event)
{
    struct rx_schedule schedule = {.size = w->size.duration, .every = w->every.duration};
    struct pane **link = &w->first;
    bool in_window = false, placed = false, heard = false;
    rx_boundary_reach(&w->member, event->time);
    for (rx_time end = rx_schedule_end_after(&schedule, event->time);
         end - schedule.size <= event->time && rx_op_live(&w->op); end += schedule.every) {
        in_window = true;
        struct pane **found = pane_ending(w, link, end);
        if (!found)
            continue;
        link = found;
        placed = true;
        heard = rx_pane_feed(w, *link, event) || heard;
        if (rx_pane_is_full(w, *link) && rx_op_live(&w->op))
            rx_pane_close(w, *link);
    }
    return in_window && !placed ? -1 : heard;
}

static void flush(struct window *w, struct pane *pane, rx_time now)
{
    (void)now;
    rx_pane_close(w, pane);
}

static void start(struct window *w)
{
    if (rx_boundary_join(&w->member) < 0)
        rx_fail_memory(&w->op);
}

const struct windowing rx_windowing_epoch = {.start = start, .next = next, .boundary = on_boundary, .flush = flush};
