/* The panes of window and buffer. */
#include "operators/windowing.h"

#include <stdlib.h>

#include "core/graph/graph.h"
#include "core/value/keytable.h"

enum { EMIT_UPDATES = 2 }; /* rx_extent.choice */

bool rx_window_is_told(const struct window *w) { return w->op.node->told; }

static bool shows_early(const struct window *w) { return w->emit.duration > 0 || w->emit.choice == EMIT_UPDATES; }

rx_time rx_window_look_after(const struct window *w, rx_time t)
{
    struct rx_schedule looks = {
        .size = w->emit.duration, .every = w->emit.duration, .offset = w->origin % w->emit.duration};
    return rx_schedule_end_after(&looks, t);
}

/* ---- the list ---- */

struct pane *rx_pane_add(struct window *w, struct pane **link, rx_time begins, rx_time ends)
{
    if (w->pane_count >= (uint64_t)w->max_open)
        return NULL;
    struct pane *pane = calloc(1, sizeof *pane);
    if (!pane) {
        rx_fail_memory(&w->op);
        return NULL;
    }
    pane->start = begins;
    pane->end = ends;
    pane->inside = (struct pane_tag){.pane = pane};
    pane->closing = (struct pane_tag){.pane = pane, .closes = true};
    pane->next = *link;
    *link = pane;
    if (w->last == link)
        w->last = &pane->next;
    w->pane_count++;
    return pane;
}

static void unlink_pane(struct window *w, struct pane *pane)
{
    struct pane **link = &w->first;
    while (*link != pane)
        link = &(*link)->next;
    *link = pane->next;
    if (!pane->next)
        w->last = link;
    w->pane_count--;
}

static void free_pane(struct window *w, struct pane *pane)
{
    w->kept -= pane->kept.count;
    rx_event_list_finish(&pane->kept);
    rx_instance_close(pane->closer);
    free(pane);
}

/* ---- its instance ---- */

static rx_time known_end(const struct pane *pane) { return pane->end == RX_TIME_NEVER ? pane->start : pane->end; }

void rx_pane_open(struct window *w, struct pane *pane)
{
    if (pane->opened)
        return;
    pane->opened = true;
    uint32_t flags = pane->flags | (shows_early(w) ? RX_WINDOW_EARLY : 0u);
    const struct rx_mark *mark =
        rx_mark_with_window(rx_op_heap(&w->op), rx_op_mark(&w->op), pane->start, known_end(pane), flags);
    pane->instance = rx_instance_open(&w->op, 0, mark, &pane->inside);
}

void rx_pane_seal(struct window *w, struct pane *pane, uint32_t flags)
{
    const struct rx_mark *mark = pane->instance ? rx_instance_mark(pane->instance) : NULL;
    rx_time end = known_end(pane);
    if (!mark)
        return;
    flags |= pane->flags | mark->flags;
    if (mark->start != pane->start || mark->end != end || mark->flags != flags)
        rx_instance_seal(pane->instance, rx_mark_with_window(rx_op_heap(&w->op), mark, pane->start, end, flags));
}

/* ---- what it holds ---- */

static enum taken keep(struct window *w, struct pane *pane, const struct rx_event *event)
{
    if (w->kept >= (uint64_t)w->max_events) {
        pane->flags |= RX_WINDOW_PARTIAL;
        return TAKEN_EVICTED;
    }
    if (rx_event_list_add(&pane->kept, event) < 0) {
        rx_fail_memory(&w->op);
        return TAKEN_UNHEARD;
    }
    w->kept++;
    return TAKEN_USED;
}

/* Of several events with one key the last counts. */
static bool is_newest(struct window *w, struct rx_keytable *seen, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&w->op, event);
    struct rx_value key;
    if (rx_expr_eval(w->latest_by, &env, &key, NULL) < 0)
        return false;
    uint64_t hash = rx_keytable_hash(&key, 1);
    bool newest = !rx_keytable_find(seen, &key, hash);
    if (newest && !rx_keytable_add(seen, &key, hash)) {
        rx_fail_memory(&w->op);
        newest = false;
    }
    rx_value_unref(key);
    return newest;
}

/* From the end, so that the first of a key is its newest; then turned round. */
int rx_pane_newest(struct window *w, const struct rx_event_list *all, rx_time at, struct rx_event_list *out)
{
    struct rx_keytable seen;
    int r = 0;
    rx_keytable_init(&seen, rx_op_heap(&w->op), 1, 0);
    for (size_t i = all->count; i > 0 && r == 0; i--) {
        const struct rx_event *event = &all->events[i - 1];
        if (w->max_age && at - event->time > w->max_age)
            break;
        if (is_newest(w, &seen, event))
            r = rx_event_list_add(out, event);
    }
    rx_keytable_finish(&seen);
    for (size_t i = 0; i < out->count / 2; i++) {
        struct rx_event swapped = out->events[i];
        out->events[i] = out->events[out->count - 1 - i];
        out->events[out->count - 1 - i] = swapped;
    }
    out->sorted = out->count;
    return r;
}

/* The instance is made anew where it has seen what should have come later. */
static void renew(struct pane *pane)
{
    if (!pane->stale)
        return;
    pane->stale = false;
    if (pane->fed == 0)
        return;
    pane->fed = 0;
    pane->opened = false;
    rx_instance_close(pane->instance);
    pane->instance = NULL;
}

static void push_newest(struct window *w, struct pane *pane, size_t count, rx_time at)
{
    struct rx_event_list newest = {0}, all = pane->kept;
    all.count = count;
    if (rx_pane_newest(w, &all, at, &newest) < 0)
        rx_fail_memory(&w->op);
    else if (pane->instance && newest.count)
        rx_instance_next(pane->instance, newest.events, newest.count);
    rx_event_list_finish(&newest);
}

/* Brings the instance up to the events that are before `until`. False: it knew them. */
static bool fill(struct window *w, struct pane *pane, rx_time until)
{
    int64_t moved = rx_event_list_sort(&pane->kept);
    if (moved < 0)
        rx_fail_memory(&w->op);
    if (moved < 0 || !rx_op_live(&w->op))
        return false;
    size_t count = until == RX_TIME_NEVER ? pane->kept.count : rx_event_list_before(&pane->kept, until, false);
    pane->stale = pane->stale || (size_t)moved < pane->fed || (w->latest_by && count > pane->fed);
    bool news = pane->stale || count > pane->fed;
    renew(pane);
    rx_pane_open(w, pane);
    size_t from = pane->fed;
    pane->fed = count;
    if (w->latest_by)
        push_newest(w, pane, count, until == RX_TIME_NEVER ? pane->end : until);
    else if (pane->instance && count > from)
        rx_instance_next(pane->instance, pane->kept.events + from, count - from);
    return news;
}

enum taken rx_pane_feed(struct window *w, struct pane *pane, const struct rx_event *event)
{
    pane->seen++;
    if (w->holds)
        return keep(w, pane, event);
    rx_pane_open(w, pane);
    return pane->instance && rx_instance_next(pane->instance, event, 1) ? TAKEN_USED : TAKEN_UNHEARD;
}

bool rx_pane_is_full(const struct window *w, const struct pane *pane)
{
    return w->max.count && pane->seen >= w->max.count;
}

/* ---- results ---- */

rx_time rx_pane_news(struct window *w, struct pane *pane)
{
    if (!w->holds)
        return pane->seen > pane->shown ? pane->start : RX_TIME_NEVER;
    int64_t moved = rx_event_list_sort(&pane->kept);
    size_t first = moved >= 0 && (size_t)moved < pane->fed ? (size_t)moved : pane->fed;
    pane->stale = pane->stale || first < pane->fed;
    return first < pane->kept.count ? pane->kept.events[first].time : RX_TIME_NEVER;
}

void rx_pane_show(struct window *w, struct pane *pane, rx_time until, rx_time at)
{
    bool news = w->holds ? fill(w, pane, until) : pane->seen > pane->shown;
    pane->shown = pane->seen;
    if (!news || !pane->instance || !rx_op_live(&w->op))
        return;
    rx_pane_seal(w, pane, RX_WINDOW_EARLY);
    pane->early = true;
    rx_time latest = pane->end == RX_TIME_NEVER ? RX_TIME_NEVER : pane->end - 1;
    at = at > latest ? latest : at;
    rx_instance_peek(pane->instance, at > pane->start ? at : pane->start);
}

void rx_pane_update(struct window *w, struct pane *pane, const struct rx_event *event)
{
    rx_time now = rx_boundary_now(&w->member);
    if (w->emit.choice == EMIT_UPDATES && rx_op_live(&w->op))
        rx_pane_show(w, pane, RX_TIME_NEVER, event->time > now ? event->time : now);
    else if (w->emit.duration)
        rx_boundary_rewant(&w->member, rx_window_look_after(w, event->time > now ? event->time : now), false);
}

/* The pane is out of the list before its instance hears of the end: what that sets off finds it gone. */
void rx_pane_close(struct window *w, struct pane *pane)
{
    unlink_pane(w, pane);
    if (w->holds)
        fill(w, pane, RX_TIME_NEVER);
    struct rx_instance *instance = pane->instance;
    if (instance && rx_op_live(&w->op)) {
        rx_pane_seal(w, pane, shows_early(w) ? RX_WINDOW_FINAL : 0);
        rx_instance_set_tag(instance, NULL);
        rx_instance_complete(instance);
    }
    free_pane(w, pane);
}

void rx_pane_drop(struct window *w, struct pane *pane)
{
    struct rx_instance *instance = pane->instance;
    unlink_pane(w, pane);
    if (instance)
        rx_instance_set_tag(instance, NULL);
    rx_instance_close(instance);
    free_pane(w, pane);
}
