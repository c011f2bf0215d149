/* The life of a window step: what its input, event time and the windows themselves set off. */
#include <errno.h>
#include <stdlib.h>

#include "core/graph/graph.h"
#include "operators/windowing.h"

enum { PORT_MAIN, PORT_SIGNS };

/* ---- making ---- */

static bool slides(const struct window *w)
{
    return w->windowing == &rx_windowing_slide || w->windowing == &rx_windowing_latest;
}

/* By events themselves, in their order. */
static bool is_by_events(const struct window *w)
{
    return w->windowing != &rx_windowing_epoch && w->windowing != &rx_windowing_session;
}

static bool shows_early(const struct window *w) { return w->emit.duration > 0 || w->emit.choice > 1; }

/* Whether what comes out of the windows is their events, as they are or changed, and no result. */
static bool hands_on(const struct rx_subgraph *inside)
{
    const struct rx_node *last = &inside->nodes[inside->count - 1];
    while (last->subgraphs[0] && last->class->base.flags & RX_OPENS_GROUP)
        last = &last->subgraphs[0]->nodes[last->subgraphs[0]->count - 1];
    return !(last->class->base.flags & RX_REDUCES) || last->class->base.flags & RX_PASSES;
}

static bool must_hold(const struct window *w)
{
    bool may_move = w->windowing == &rx_windowing_session || w->windowing == &rx_windowing_when;
    bool in_order = rx_window_is_told(w) && (w->op.node->inner_ordered || shows_early(w) || may_move);
    return !slides(w) && (w->latest_by || in_order);
}

static int make_calendar(struct window *w, struct rx_error *reterr)
{
    if (!w->at.count && !w->calendar_unit)
        return 0;
    w->calendar = calloc(1, sizeof *w->calendar);
    if (!w->calendar)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *w->calendar = (struct rx_calendar){.zone = w->timezone,
                                        .unit = RX_CALENDAR_AT + (enum rx_calendar_unit)w->calendar_unit,
                                        .week_start = (unsigned)w->week_start};
    w->schedule.calendar = w->calendar;
    return w->at.count ? rx_calendar_at(w->calendar, &w->at, reterr) : 0;
}

static void on_boundary(struct rx_boundary_member *member, rx_time end);

int rx_window_init(struct rx_op *op, struct rx_error *reterr)
{
    struct window *w = (struct window *)op;
    w->last = &w->first;
    w->windowing = rx_windowing_of(w, rx_window_is_told(w));
    w->member = (struct rx_boundary_member){.op = op, .close = on_boundary, .next = RX_TIME_NEVER};
    w->restarts = !w->every.duration && !w->every.count;
    if (w->restarts && !w->every.every_event)
        w->every = w->size;
    w->schedule = (struct rx_schedule){.size = w->size.duration, .every = w->every.duration};
    w->holds = must_hold(w);
    w->reorders = rx_window_is_told(w) && (is_by_events(w) || w->max.count);
    w->hands_on = w->holds && hands_on(op->node->subgraphs[0]);
    if (w->opening && w->max_open > RX_WINDOWS_MAX) /* each event goes to all of them */
        w->max_open = RX_WINDOWS_MAX;
    w->passed = w->lacking = INT64_MIN;
    rx_reorder_init(&w->ahead, op, (size_t)w->max_events);
    rx_reorder_init(&w->signs, op, (size_t)w->max_open);
    return make_calendar(w, reterr);
}

static bool needs_clock(const struct window *w) { return !is_by_events(w) || rx_window_is_told(w) || w->emit.duration; }

/* As RxJS subscribes: what opens windows before the input, what ends them behind it. */
void rx_window_start(struct rx_op *op)
{
    struct window *w = (struct window *)op;
    if (w->align)
        w->origin = rx_wall(op);
    if (needs_clock(w) && rx_boundary_join(&w->member) < 0) {
        rx_fail_memory(op);
        return;
    }
    if (w->windowing->start)
        w->windowing->start(w);
    if (w->opening)
        rx_subscribe(op, PORT_SIGNS);
    rx_subscribe(op, PORT_MAIN);
    if (w->boundary)
        rx_subscribe(op, PORT_SIGNS);
}

/* ---- events ---- */

static void account(struct window *w, enum taken taken, const struct rx_event *event)
{
    static const enum rx_account accounts[] = {
        [TAKEN_UNHEARD] = RX_UNHEARD,
        [TAKEN_USED] = RX_USED,
        [TAKEN_EVICTED] = RX_EVICTED,
        [TAKEN_SUPERSEDED] = RX_SUPERSEDED,
    };
    if (taken == TAKEN_LATE)
        rx_late_event(&w->op, event);
    else if (taken != TAKEN_COUNTED)
        rx_count(&w->op, accounts[taken], 1);
}

static void take_main(struct window *w, const struct rx_event *event)
{
    account(w, w->windowing->next(w, event), event);
}

static void take_sign(struct window *w, const struct rx_event *event)
{
    rx_count(&w->op, RX_USED, 1);
    w->windowing->sign(w, event);
}

/* What event time has reached, of both streams in order; a sign comes before the events of its time. */
static void release(struct window *w, rx_time through)
{
    while (rx_op_live(&w->op)) {
        struct rx_event event;
        bool sign = rx_reorder_earliest(&w->signs) <= rx_reorder_earliest(&w->ahead);
        if (!rx_reorder_pop(sign ? &w->signs : &w->ahead, through, &event)) {
            sign = !sign; /* it may hold more than it should */
            if (!rx_reorder_pop(sign ? &w->signs : &w->ahead, through, &event))
                return;
        }
        if (sign)
            take_sign(w, &event);
        else
            take_main(w, &event);
        rx_event_unref(&event);
    }
}

/* An event that waits until event time has reached it; where there is no room, the earliest goes on. */
static void wait(struct window *w, struct rx_reorder *ahead, const struct rx_event *event)
{
    if (rx_reorder_push(ahead, event) < 0) {
        rx_fail_memory(&w->op);
        return;
    }
    rx_boundary_rewant(&w->member, event->time, false);
    if (ahead->count > ahead->max)
        release(w, rx_op_reached(&w->op));
}

/* Its key is known to be good from here on. */
static bool has_key(struct window *w, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&w->op, event);
    struct rx_value key;
    if (!rx_op_eval(&w->op, w->latest_by, &env, &key))
        return false;
    rx_value_unref(key);
    return true;
}

static void take_in(struct window *w, const struct rx_event *event)
{
    if (w->latest_by && !has_key(w, event))
        return;
    rx_boundary_reach(&w->member, event->time);
    if (!rx_op_live(&w->op))
        return;
    if (!w->reorders) {
        take_main(w, event);
        return;
    }
    rx_time now = rx_op_reached(&w->op);
    if (event->time > now) {
        wait(w, &w->ahead, event);
        return;
    }
    release(w, now);
    if (event->time < now && w->windowing->is_late(w, event->time))
        rx_late_event(&w->op, event);
    else if (rx_op_live(&w->op))
        take_main(w, event);
}

/* One that opens a window does so before its events are let go, so that its closing stream misses nothing. */
static void take_in_sign(struct window *w, const struct rx_event *event)
{
    if (w->reorders && w->boundary && event->time > rx_op_reached(&w->op))
        wait(w, &w->signs, event);
    else if (w->reorders && event->time < (w->boundary ? w->passed : rx_op_reached(&w->op)))
        rx_late_event(&w->op, event);
    else
        take_sign(w, event);
}

void rx_window_next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct window *w = (struct window *)op;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (port == PORT_MAIN)
            take_in(w, &span[i]);
        else
            take_in_sign(w, &span[i]);
    }
}

/* ---- event time ---- */

/* What a window that hands its events on has not put out yet is behind what event time has reached. */
static rx_time put_out_until(const struct window *w, rx_time t)
{
    if (w->windowing == &rx_windowing_session)
        t = rx_watermark_less(t, 1); /* at its end, which is in it, a session is still open */
    rx_time earliest = RX_TIME_NEVER, stands = rx_watermark_at(t, rx_wall(&w->op));
    for (const struct pane *pane = w->hands_on ? w->first : NULL; pane; pane = pane->next)
        earliest = pane->start < earliest ? pane->start : earliest;
    return earliest <= stands ? earliest : t;
}

static void pass_watermark(struct window *w)
{
    rx_time t = rx_op_watermark(&w->op);
    rx_pass_watermark(&w->op, t == RX_WATERMARK_CLOCK && !rx_window_is_told(w) ? t : put_out_until(w, t));
}

/* Windows that are open at a whole multiple of what `emit` says show what is new. */
static void look(struct window *w, rx_time now)
{
    if (rx_window_look_after(w, now - 1) != now)
        return;
    for (struct pane *pane = w->first, *following; pane && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        if (pane->start < now && pane->end > now)
            rx_pane_show(w, pane, now, now - 1);
    }
}

static void want_look(struct window *w, rx_time now)
{
    for (struct pane *pane = w->first; pane; pane = pane->next) {
        rx_time news = rx_pane_news(w, pane);
        if (news != RX_TIME_NEVER)
            rx_boundary_rewant(&w->member, rx_window_look_after(w, news > now ? news : now), false);
    }
}

static void want(struct window *w, rx_time now)
{
    if (w->windowing->want)
        w->windowing->want(w);
    if (w->emit.duration)
        want_look(w, now);
    if (w->ahead.count)
        rx_boundary_rewant(&w->member, rx_reorder_earliest(&w->ahead), false);
    if (w->signs.count)
        rx_boundary_rewant(&w->member, rx_reorder_earliest(&w->signs), false);
}

static void on_boundary(struct rx_boundary_member *member, rx_time end)
{
    struct window *w = (struct window *)member->op;
    if (w->windowing->reached)
        w->windowing->reached(w, end, member->past);
    if (w->emit.duration && rx_op_live(&w->op))
        look(w, end);
    if (w->reorders)
        release(w, end);
    if (rx_op_live(&w->op) && !w->completing)
        want(w, end);
    if (w->hands_on)
        pass_watermark(w);
}

void rx_window_watermark(struct rx_op *op, rx_time t)
{
    struct window *w = (struct window *)op;
    rx_boundary_watermark(&w->member, t);
    pass_watermark(w);
}

void rx_window_timer(struct rx_op *op, unsigned slot)
{
    struct window *w = (struct window *)op;
    w->windowing->timer(w, slot);
}

/* ---- the end ---- */

static void finish_when_quiet(struct window *w)
{
    if (w->completing && !w->first && !w->op.opened)
        rx_finish(&w->op);
}

static void end_pane(struct window *w, struct pane *pane)
{
    const struct rx_mark *around = rx_op_mark(&w->op);
    if (around) /* the group around was evicted: so is what its open windows have */
        pane->flags |= around->flags & RX_WINDOW_PARTIAL;
    if (w->on_complete == 1)
        rx_pane_drop(w, pane);
    else if (w->windowing->flush)
        w->windowing->flush(w, pane);
    else
        rx_pane_close(w, pane);
}

void rx_window_complete(struct rx_op *op, unsigned port)
{
    struct window *w = (struct window *)op;
    if (port != PORT_MAIN)
        return;
    release(w, RX_TIME_NEVER);
    w->completing = true;
    rx_cancel(op, PORT_SIGNS);
    rx_timer_stop(op, WINDOW_SLOT_CLOSE);
    rx_timer_stop(op, WINDOW_SLOT_OPEN);
    rx_boundary_leave(&w->member);
    while (w->first && rx_op_live(op))
        end_pane(w, w->first);
    finish_when_quiet(w);
}

/* Every open window hears of it, in order: a catch in one of them may still have something to say. */
void rx_window_error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    struct window *w = (struct window *)op;
    (void)port;
    for (struct pane *pane = w->first; pane && rx_op_live(op); pane = pane->next) {
        struct rx_instance *instance = pane->instance;
        pane->instance = NULL;
        if (instance)
            rx_instance_error(instance, e);
    }
    rx_fail(op, e);
}

static void on_closer(struct window *w, struct pane *pane, const struct rx_note *note)
{
    if (note->kind == RX_NEXT)
        w->windowing->closed(w, pane, note->span);
    else
        pane->closer = NULL;
    if (note->kind == RX_ERROR)
        rx_fail(&w->op, note->error);
}

void rx_window_inner(struct rx_op *op, struct rx_instance *instance, const struct rx_note *note)
{
    struct window *w = (struct window *)op;
    struct pane_tag *tag = rx_instance_tag(instance);
    if (tag && tag->closes) {
        on_closer(w, tag->pane, note);
        return;
    }
    if (note->kind == RX_NEXT) {
        rx_emit(op, note->span, note->count);
        return;
    }
    if (tag)
        tag->pane->instance = NULL;
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else
        finish_when_quiet(w);
}

void rx_window_dispose(struct rx_op *op)
{
    struct window *w = (struct window *)op;
    rx_boundary_leave(&w->member);
    for (struct pane *pane = w->first, *following; pane; pane = following) {
        following = pane->next;
        rx_event_list_finish(&pane->kept);
        free(pane);
    }
    rx_reorder_finish(&w->ahead);
    rx_reorder_finish(&w->signs);
    rx_event_list_finish(&w->history);
    free(w->calendar);
}
