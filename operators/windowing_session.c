/* Sessions: windows of events that lie no more than a gap apart. An event exactly a gap later joins, so a session is over when
 * event time is past its last event and the gap, or has reached `max` after its first.
 *
 * Where events have times of their own an event may come between two sessions and make one of them: the later one's events
 * go to the earlier. */
#include "operators/windowing.h"

/* ---- bounds ---- */

static void bound(const struct window *w, struct pane *pane)
{
    rx_time gap = pane->last + w->session, most = w->max.duration ? pane->start + w->max.duration : RX_TIME_NEVER;
    pane->past = gap < most;
    pane->end = pane->past ? gap : most;
}

static void widen(const struct window *w, struct pane *pane, rx_time time)
{
    pane->start = time < pane->start ? time : pane->start;
    pane->last = time > pane->last ? time : pane->last;
    bound(w, pane);
}

static bool is_over(const struct pane *pane, rx_time reached, bool past)
{
    return pane->end < reached || (pane->end == reached && (past || !pane->past));
}

/* The event is within a gap of the session's, before or after. */
static bool touches(const struct window *w, const struct pane *pane, rx_time time)
{
    return pane && time >= pane->start - w->session && time <= pane->last + w->session;
}

static bool is_one(const struct window *w, const struct pane *pane)
{
    return pane->next && touches(w, pane, pane->next->start);
}

static void want(struct window *w)
{
    if (w->first)
        rx_boundary_rewant(&w->member, w->first->end, w->first->past);
}

/* ---- out of order ---- */

/* What had a result of its own says that it has gone into another window, and ends. */
static void tell_merged(struct window *w, struct pane *pane)
{
    if (!pane->early || !pane->instance)
        return;
    rx_pane_seal(w, pane, RX_WINDOW_EARLY | RX_WINDOW_FINAL | RX_WINDOW_MERGED);
    rx_instance_set_tag(pane->instance, NULL);
    rx_instance_complete(pane->instance);
    pane->instance = NULL;
}

static void absorb_next(struct window *w, struct pane *pane)
{
    struct pane *other = pane->next;
    rx_time last = other->last;
    uint64_t seen = other->seen;
    uint32_t flags = other->flags;
    tell_merged(w, other);
    if (!rx_op_live(&w->op))
        return;
    if (rx_event_list_move(&other->kept, 0, &pane->kept) < 0) {
        rx_fail_memory(&w->op);
        return;
    }
    pane->seen += seen;
    pane->flags |= flags;
    pane->stale = true;
    rx_pane_drop(w, other);
    widen(w, pane, last);
}

/* At `max` after its first event a session ends, and the next begins with the event that comes then. */
static void split(struct window *w, struct pane *pane)
{
    while (w->max.duration && pane->last >= pane->start + w->max.duration && rx_event_list_sort(&pane->kept) >= 0) {
        size_t at = rx_event_list_before(&pane->kept, pane->start + w->max.duration, false);
        struct pane *rest = rx_pane_add(w, &pane->next, pane->kept.events[at].time, RX_TIME_NEVER);
        if (!rest || rx_event_list_move(&pane->kept, at, &rest->kept) < 0)
            return;
        rest->last = pane->last;
        rest->seen = rest->kept.count;
        pane->last = pane->kept.events[at - 1].time;
        pane->seen = pane->kept.count;
        pane->stale = pane->stale || pane->fed > at;
        bound(w, pane);
        bound(w, rest);
        pane = rest;
    }
}

/* The sessions around an event that came out of order, as if it had come in its place. */
static void settle(struct window *w, struct pane *pane)
{
    struct pane *first = w->first;
    for (struct pane *p = w->first; p != pane; p = p->next)
        if (!is_one(w, p))
            first = p->next;
    if (!w->max.duration)
        first = pane;
    while (rx_op_live(&w->op) && is_one(w, first))
        absorb_next(w, first);
    if (rx_op_live(&w->op))
        split(w, first);
}

/* ---- events ---- */

/* Where the last session that begins at or before the event stands; the list's head: there is none. */
static struct pane **place_of(struct window *w, rx_time time)
{
    struct pane **link = &w->first;
    while (*link && (*link)->next && (*link)->next->start <= time)
        link = &(*link)->next;
    return link;
}

static bool has_room(const struct window *w, const struct pane *pane, rx_time time)
{
    return !w->max.duration || time < pane->start + w->max.duration;
}

static bool comes_late(struct window *w, rx_time time)
{
    struct pane alone = {.start = time, .last = time};
    bound(w, &alone);
    return rx_window_is_told(w) && is_over(&alone, rx_boundary_now(&w->member), false);
}

/* The session that the event joins, or a new one. NULL, with why. */
static struct pane *session_for(struct window *w, rx_time time, bool *ret_out_of_order, enum taken *ret_why)
{
    struct pane **link = place_of(w, time), *pane = *link, *following = pane ? pane->next : NULL;
    bool before = pane && pane->start > time;
    *ret_out_of_order = pane && (before || following);
    if (touches(w, pane, time) && has_room(w, pane, time))
        return pane;
    if (touches(w, following, time))
        return following;
    *ret_why = TAKEN_LATE;
    if (comes_late(w, time))
        return NULL;
    *ret_why = TAKEN_EVICTED;
    pane = rx_pane_add(w, before || !pane ? link : &pane->next, time, RX_TIME_NEVER);
    if (pane)
        pane->last = time;
    return pane;
}

static enum taken next(struct window *w, const struct rx_event *event)
{
    bool out_of_order;
    enum taken why;
    struct pane *pane = session_for(w, event->time, &out_of_order, &why);
    if (!pane)
        return why;
    widen(w, pane, event->time);
    enum taken taken = rx_pane_feed(w, pane, event);
    if (out_of_order && w->holds && rx_op_live(&w->op)) {
        settle(w, pane);
        pane = *place_of(w, event->time);
    }
    if (rx_op_live(&w->op)) {
        want(w);
        rx_pane_update(w, pane, event);
    }
    return taken;
}

static void reached(struct window *w, rx_time end, bool past)
{
    while (w->first && rx_op_live(&w->op) && is_over(w->first, end, past))
        rx_pane_close(w, w->first);
}

const struct windowing rx_windowing_session = {.next = next, .reached = reached, .want = want};
