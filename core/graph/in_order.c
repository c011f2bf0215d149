/* Events and deadlines in order of event time. */
#include "core/graph/in_order.h"

#include "core/graph/graph_private.h"

void rx_in_order_init(struct rx_in_order *o, struct rx_op *op, const struct rx_in_order_class *class, size_t max)
{
    o->class = class;
    o->op = op;
    o->settled = INT64_MIN;
    rx_reorder_init(&o->ahead, op, max);
}

void rx_in_order_finish(struct rx_in_order *o) { rx_reorder_finish(&o->ahead); }

static bool is_running(const struct rx_in_order *o) { return rx_watermark_is_running(rx_op_watermark(o->op)); }

/* In a window that hands over its events in order, when it closes, nothing is left to be put in order. */
static bool comes_in_order(const struct rx_in_order *o)
{
    const struct rx_instance *i = o->op->instance;
    while (i->opener && !i->opener->node->inner_ordered)
        i = i->opener->instance;
    return i->opener != NULL;
}

/* Deadlines before `t`, and those at it where `through`. */
static void pass_deadlines(struct rx_in_order *o, rx_time t, bool through)
{
    for (rx_time d; rx_op_live(o->op) && (d = o->class->deadline(o->op)) != RX_TIME_NEVER;) {
        if (through ? d > t : d >= t)
            return;
        if (d > o->settled)
            o->settled = d;
        o->class->due(o->op, d);
    }
}

static void take(struct rx_in_order *o, const struct rx_event *event, rx_time at)
{
    pass_deadlines(o, at, false);
    if (rx_op_live(o->op))
        o->class->take(o->op, event, at);
    else
        rx_count(o->op, RX_UNHEARD, 1);
}

static void take_up_to(struct rx_in_order *o, rx_time t)
{
    struct rx_event event;
    while (rx_op_live(o->op) && rx_reorder_pop(&o->ahead, t, &event)) {
        take(o, &event, event.time);
        rx_event_unref(&event);
    }
}

/* Where the watermark is fixed a deadline is over when that is past it. */
static void want_next(struct rx_in_order *o)
{
    if (!rx_op_live(o->op))
        return;
    rx_time event = rx_reorder_earliest(&o->ahead), deadline = o->class->deadline(o->op);
    deadline += deadline != RX_TIME_NEVER && !is_running(o);
    rx_time first = event < deadline ? event : deadline;
    if (first != RX_TIME_NEVER)
        rx_watermark_want(o->op, first);
}

static void settle(struct rx_in_order *o)
{
    rx_time reached = rx_op_reached(o->op);
    take_up_to(o, reached);
    pass_deadlines(o, reached, is_running(o));
    if (!is_running(o) && reached > o->settled)
        o->settled = reached;
    want_next(o);
}

void rx_in_order_reached(struct rx_in_order *o)
{
    if (!comes_in_order(o))
        settle(o);
}

static void put_in_order(struct rx_in_order *o, const struct rx_event *event)
{
    rx_time reached = is_running(o) ? o->settled : rx_op_reached(o->op);
    if (rx_reorder_is_behind(&o->ahead, reached > o->settled ? reached : o->settled, event->time))
        rx_late_event(o->op, event);
    else if (rx_reorder_push(&o->ahead, event) < 0)
        rx_fail_memory(o->op);
    else
        take_up_to(o, rx_op_reached(o->op));
}

void rx_in_order_next(struct rx_in_order *o, const struct rx_event *span, size_t n)
{
    bool ordered = comes_in_order(o), clock = rx_op_watermark(o->op) == RX_WATERMARK_CLOCK;
    for (size_t i = 0; i < n && rx_op_live(o->op); i++) {
        if (ordered || clock)
            take(o, &span[i], ordered ? span[i].time : rx_wall(o->op));
        else
            put_in_order(o, &span[i]);
    }
    if (!ordered)
        want_next(o);
}

void rx_in_order_complete(struct rx_in_order *o)
{
    take_up_to(o, RX_TIME_NEVER);
    rx_time last = o->ahead.gone > o->settled ? o->ahead.gone : o->settled;
    pass_deadlines(o, last, true);
}

void rx_in_order_save(const struct rx_in_order *o, struct rx_writer *w)
{
    rx_write_int(w, o->settled);
    rx_reorder_save(&o->ahead, w);
}

int rx_in_order_load(struct rx_in_order *o, struct rx_reader *r)
{
    o->settled = rx_read_int(r);
    return rx_reorder_load(&o->ahead, r);
}
