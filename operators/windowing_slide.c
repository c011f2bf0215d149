/* Windows that slide: one for each event, of what came in the time before it (or so many events), or of the newest of each key. It is
 * closed at once: the steps inside see all of it, and their result has the event's time. */
#include "operators/windowing.h"

/* An instance for the window (start, event's time]. */
static enum taken put_out(struct window *w, const struct rx_event *events, size_t count, rx_time start,
                          const struct rx_event *event)
{
    uint32_t flags = RX_WINDOW_THROUGH | (w->lacking > start ? RX_WINDOW_PARTIAL : 0u);
    const struct rx_mark *mark = rx_mark_with_window(rx_op_heap(&w->op), rx_op_mark(&w->op), start, event->time, flags);
    struct rx_instance *instance = rx_instance_open(&w->op, 0, mark, NULL);
    bool heard = instance && rx_instance_next(instance, events, count);
    if (heard && rx_op_live(&w->op))
        rx_instance_complete(instance);
    return heard ? TAKEN_USED : TAKEN_UNHEARD;
}

static bool comes_behind(const struct window *w, rx_time time)
{
    return rx_window_is_told(w) && time < rx_boundary_now(&w->member);
}

static enum taken remember(struct window *w, const struct rx_event *event)
{
    if (w->history.count >= (size_t)w->max_events) {
        w->lacking = event->time > w->lacking ? event->time : w->lacking;
        return TAKEN_EVICTED;
    }
    if (rx_event_list_add(&w->history, event) < 0 || rx_event_list_sort(&w->history) < 0) {
        rx_fail_memory(&w->op);
        return TAKEN_UNHEARD;
    }
    return TAKEN_USED;
}

/* ---- every: event ---- */

/* One that came behind its own instant is in no window of its own, but in those of what comes after it. */
static bool is_late(const struct window *w, rx_time time)
{
    return w->size.count || time + w->size.duration <= rx_boundary_now(&w->member);
}

/* Of one instant, what has come by now. */
static enum taken next(struct window *w, const struct rx_event *event)
{
    rx_time start = event->time - w->size.duration;
    if (w->size.duration && !comes_behind(w, event->time))
        rx_event_list_drop(&w->history, rx_event_list_before(&w->history, start, true));
    else if (w->size.count && w->history.count >= w->size.count)
        rx_event_list_drop(&w->history, w->history.count + 1 - w->size.count);
    enum taken taken = remember(w, event);
    if (taken != TAKEN_USED || comes_behind(w, event->time))
        return taken;
    if (w->size.count)
        start = w->history.events[0].time;
    return put_out(w, w->history.events, rx_event_list_before(&w->history, event->time, true), start, event);
}

const struct windowing rx_windowing_slide = {.next = next, .is_late = is_late};

/* ---- latest_by ---- */

static bool is_late_latest(const struct window *w, rx_time time)
{
    return w->max_age && time + w->max_age < rx_boundary_now(&w->member);
}

/* Where an event of each key is, no more is remembered. */
static enum taken next_latest(struct window *w, const struct rx_event *event)
{
    struct rx_event_list newest = {0};
    enum taken taken = remember(w, event);
    if (taken != TAKEN_USED)
        return taken;
    rx_time now = comes_behind(w, event->time) ? rx_boundary_now(&w->member) : event->time;
    if (rx_pane_newest(w, &w->history, now, &newest) < 0) {
        rx_event_list_finish(&newest);
        rx_fail_memory(&w->op);
        return TAKEN_UNHEARD;
    }
    rx_event_list_finish(&w->history);
    w->history = newest;
    if (comes_behind(w, event->time) || newest.count == 0)
        return taken;
    rx_time start = w->max_age ? event->time - w->max_age : newest.events[0].time;
    return put_out(w, newest.events, newest.count, start, event);
}

const struct windowing rx_windowing_latest = {.next = next_latest, .is_late = is_late_latest};
