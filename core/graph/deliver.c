/* Delivery: notes along the edges, what waits for a busy receiver, and barriers over several inputs. */
#include <errno.h>
#include <stdlib.h>

#include "core/graph/graph_private.h"

/* How many notes may wait for a busy receiver. */
enum { QUEUE_MAX = 65536 };

static struct rx_op *consumer_of(const struct rx_op *op)
{
    struct rx_op *down = op->instance->ops[op->node->down];
    return down && rx_input_live(down, op->node->down_port) ? down : NULL;
}

/* ---- barriers ---- */

void rx_pass_barrier(struct rx_op *op)
{
    rx_op_send(op, &(struct rx_note){.kind = RX_BARRIER, .barrier = op->barrier});
}

static void take_barrier(struct rx_op *op)
{
    op->barrier_ports = 0;
    if (op->class->barrier)
        op->class->barrier(op, op->barrier);
    else
        rx_pass_barrier(op);
}

static void pass_if_aligned(struct rx_op *op)
{
    if (op->barrier_ports && (op->barrier_ports & op->live_ports) == op->live_ports)
        take_barrier(op);
}

static void receive_barrier(struct rx_op *op, unsigned port, uint64_t number)
{
    if (number <= op->barrier && !op->barrier_ports)
        return; /* it has passed */
    op->barrier = number;
    op->barrier_ports |= (uint16_t)(1u << port);
    pass_if_aligned(op);
}

void rx_op_port_ended(struct rx_op *op)
{
    if (op->state != RX_OP_LIVE)
        return;
    pass_if_aligned(op);
    rx_op_relink(op);
    rx_op_reach(op);
}

/* Who waits for a timer alone has no input that could bring it. */
void rx_graph_barrier(struct rx_instance *instance, uint64_t number)
{
    rx_engine_enter(instance->engine);
    for (size_t i = 0; i < instance->subgraph->count; i++) {
        struct rx_op *op = instance->ops[i];
        if (!op || op->live_ports || op->class == &rx_operator_subscription || op->barrier >= number)
            continue;
        op->barrier = number;
        take_barrier(op);
    }
    rx_engine_leave(instance->engine);
}

/* ---- receiving ---- */

static void receive_end(struct rx_op *to, unsigned port, const struct rx_error *error)
{
    to->live_ports &= (uint16_t) ~(1u << port);
    to->busy = true;
    to->node->ledger->failures += error != NULL;
    if (error && to->class->error)
        to->class->error(to, port, error);
    else if (error)
        rx_fail(to, error);
    else if (to->class->complete)
        to->class->complete(to, port);
    else if (!to->live_ports && !to->starting)
        rx_finish(to);
    to->busy = false;
    rx_op_port_ended(to);
}

static void receive_now(struct rx_op *to, unsigned port, const struct rx_note *note)
{
    switch (note->kind) {
    case RX_NEXT:
        to->busy = true;
        to->class->next(to, port, note->span, note->count);
        to->busy = false;
        break;
    case RX_WATERMARK:
        rx_op_reach(to);
        break;
    case RX_BARRIER:
        receive_barrier(to, port, note->barrier);
        break;
    case RX_LINK:
        rx_op_relink(to);
        break;
    case RX_COMPLETE:
        receive_end(to, port, NULL);
        break;
    case RX_ERROR:
        receive_end(to, port, note->error);
        break;
    }
}

/* ---- what waits ---- */

static void free_emission(struct rx_emission *e)
{
    rx_event_unref(&e->event);
    free(e->error);
    free(e);
}

static struct rx_emission *copy_of(unsigned port, const struct rx_note *note)
{
    struct rx_emission *e = calloc(1, sizeof *e);
    struct rx_error *error = note->kind == RX_ERROR ? malloc(sizeof *error) : NULL;
    if (!e || (note->kind == RX_ERROR && !error)) {
        free(e);
        free(error);
        return NULL;
    }
    e->port = port;
    e->note = *note;
    if (error) {
        *error = *note->error;
        e->note.error = e->error = error;
    } else if (note->kind == RX_NEXT) {
        e->event = rx_event_ref(note->span);
        e->note.span = &e->event;
    }
    return e;
}

/* An end is never dropped for want of room. */
static void enqueue(struct rx_op *to, unsigned port, const struct rx_note *note)
{
    bool full = note->kind == RX_NEXT && to->queued_count >= QUEUE_MAX;
    struct rx_emission *e = full ? NULL : copy_of(port, note);
    if (!e) {
        rx_count(to, RX_EVICTED, note->kind == RX_NEXT);
        return;
    }
    if (!to->queued)
        to->queued_tail = &to->queued;
    *to->queued_tail = e;
    to->queued_tail = &e->next;
    to->queued_count++;
}

static void enqueue_all(struct rx_op *to, unsigned port, const struct rx_note *note)
{
    if (note->kind != RX_NEXT)
        enqueue(to, port, note);
    else
        for (size_t i = 0; i < note->count; i++)
            enqueue(to, port, &(struct rx_note){.kind = RX_NEXT, .span = &note->span[i], .count = 1});
}

static struct rx_emission *dequeue(struct rx_op *op)
{
    struct rx_emission *e = op->queued;
    op->queued = e->next;
    op->queued_count--;
    return e;
}

void rx_op_drain(struct rx_op *to)
{
    while (to->queued && !to->busy && to->state == RX_OP_LIVE) {
        struct rx_emission *e = dequeue(to);
        if (rx_input_live(to, e->port))
            receive_now(to, e->port, &e->note);
        else if (e->note.kind == RX_NEXT)
            rx_count(to, RX_UNHEARD, 1);
        free_emission(e);
    }
    if (to->reach_again)
        rx_op_reach(to);
}

void rx_op_drop_queue(struct rx_op *op)
{
    while (op->queued) {
        struct rx_emission *e = dequeue(op);
        rx_count(op, RX_UNHEARD, e->note.kind == RX_NEXT);
        free_emission(e);
    }
}

/* ---- sending ---- */

void rx_op_send(struct rx_op *op, const struct rx_note *note)
{
    if (op->node->down < 0) {
        rx_instance_note(op->instance, note);
        return;
    }
    struct rx_op *down = consumer_of(op);
    if (!down)
        return;
    if (down->busy)
        enqueue_all(down, op->node->down_port, note);
    else
        receive_now(down, op->node->down_port, note);
    rx_op_drain(down);
}

static void emit_some(struct rx_op *op, const struct rx_event *span, size_t n)
{
    struct rx_op *down = op->node->down < 0 ? NULL : consumer_of(op);
    if (!down && op->node->down >= 0)
        return;
    op->node->ledgers[op->node->step_count - 1]->out += n;
    if (down)
        down->node->ledger->in += n;
    rx_op_send(op, &(struct rx_note){.kind = RX_NEXT, .span = span, .count = n});
}

void rx_emit(struct rx_op *op, const struct rx_event *span, size_t n)
{
    if (n == 1 || op->node->span_ok) {
        if (op->state == RX_OP_LIVE && n)
            emit_some(op, span, n);
        return;
    }
    for (size_t i = 0; i < n && op->state == RX_OP_LIVE; i++)
        emit_some(op, &span[i], 1);
}

void rx_emit_value_take(struct rx_op *op, const struct rx_event *in, struct rx_value value)
{
    struct rx_event out = {.value = value, .time = in->time, .mark = in->mark, .meta = in->meta};
    rx_emit(op, &out, 1);
    rx_value_unref(value);
}

void rx_emit_result_at_take(struct rx_op *op, struct rx_value value, rx_time at)
{
    struct rx_event out = {.value = value, .time = at, .mark = rx_op_mark(op)};
    rx_emit(op, &out, 1);
    rx_value_unref(value);
}

void rx_emit_result_take(struct rx_op *op, struct rx_value value)
{
    const struct rx_mark *mark = rx_op_mark(op);
    bool ends = rx_mark_has_window(mark) && mark->end != RX_TIME_NEVER;
    rx_emit_result_at_take(op, value, ends ? rx_mark_time(mark) : rx_wall(op));
}

void rx_emit_own(struct rx_op *op, struct rx_value value)
{
    struct rx_event out = {.value = value, .time = rx_wall(op), .mark = rx_op_mark(op)};
    rx_pass_begin(rx_op_engine(op));
    rx_emit(op, &out, 1);
    rx_pass_end(rx_op_engine(op));
}

void rx_emit_own_list(struct rx_op *op, struct rx_value list)
{
    for (uint32_t i = 0; i < list.u.list->count && rx_op_live(op); i++)
        rx_emit_own(op, list.u.list->items[i]);
}

void rx_op_relay(struct rx_op *op, const struct rx_note *note)
{
    switch (note->kind) {
    case RX_NEXT:
        rx_emit(op, note->span, note->count);
        break;
    case RX_WATERMARK:
        op->reached = note->watermark;
        rx_emit_watermark(op, note->watermark);
        break;
    case RX_BARRIER:
        op->barrier = note->barrier;
        take_barrier(op);
        break;
    case RX_LINK:
        op->away = note->away;
        rx_op_send(op, note);
        break;
    case RX_COMPLETE:
        rx_finish(op);
        break;
    case RX_ERROR:
        rx_fail(op, note->error);
        break;
    }
}
