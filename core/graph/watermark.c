/* Event time in the running graph: the least of the live inputs, and who waits for an instant of it. */
#include <errno.h>
#include <stdlib.h>

#include "core/graph/graph_private.h"

/* What is not told asks further up. */
rx_time rx_op_watermark(const struct rx_op *op)
{
    while (op->instance->subgraph->timeless && op->instance->opener)
        op = op->instance->opener;
    return op->reached;
}

rx_time rx_op_reached(const struct rx_op *op) { return rx_watermark_at(rx_op_watermark(op), rx_wall(op)); }

static rx_time input_watermark(const struct rx_op *op)
{
    rx_time least = INT64_MAX;
    for (unsigned port = 0; port < op->node->input_count; port++) {
        const struct rx_op *child = op->instance->ops[op->node->inputs[port]];
        if (rx_input_live(op, port) && child && child->watermark < least)
            least = child->watermark;
    }
    return least == INT64_MAX ? RX_WATERMARK_CLOCK : least;
}

void rx_emit_watermark(struct rx_op *op, rx_time t)
{
    if (op->state != RX_OP_LIVE || op->watermark == t)
        return;
    op->watermark = t;
    rx_op_send(op, &(struct rx_note){.kind = RX_WATERMARK, .watermark = t});
}

/* ---- instances: thousands of groups need not hear of every instant ---- */

static void look_for_wants(struct rx_instance *instance)
{
    instance->wanted = RX_TIME_NEVER;
    for (size_t i = 0; i < instance->subgraph->count; i++) {
        const struct rx_op *op = instance->ops[i];
        if (op && op->want && op->want->t < instance->wanted)
            instance->wanted = op->want->t;
    }
}

static void tell_instance(struct rx_instance *instance, rx_time t)
{
    instance->told_fixed = !rx_watermark_is_running(t);
    rx_instance_watermark(instance, t);
    if (instance->subgraph->patient && !instance->ended)
        look_for_wants(instance);
}

static bool can_wait(const struct rx_instance *instance, rx_time t)
{
    return instance->subgraph->patient && instance->told_fixed && t < instance->wanted && !rx_watermark_is_running(t);
}

void rx_instance_refresh(struct rx_instance *instance)
{
    rx_time t = instance->opener ? instance->opener->watermark : RX_WATERMARK_NONE;
    if (instance->told_fixed && instance->entry->reached < t && !rx_watermark_is_running(t))
        tell_instance(instance, t);
}

/* An instance may end while it hears of it, and others with it. */
void rx_pass_watermark(struct rx_op *op, rx_time t)
{
    for (struct rx_instance *i = op->opened, *next; i && op->state == RX_OP_LIVE; i = next) {
        if (!i->subgraph->timeless && !can_wait(i, t))
            tell_instance(i, t);
        next = i->ended ? op->opened : i->next;
    }
    rx_emit_watermark(op, t);
}

/* ---- who waits for an instant ---- */

static bool wants(const struct rx_op *op) { return op->want && op->want->t != RX_TIME_NEVER; }

static void tell(struct rx_op *op)
{
    op->busy = true;
    if (op->class->watermark)
        op->class->watermark(op, op->reached);
    else
        rx_pass_watermark(op, op->reached);
    op->busy = false;
}

static void on_want(struct rx_timer *timer)
{
    struct rx_op *op = ((struct rx_op_want *)timer)->op;
    struct rx_engine *engine = rx_op_engine(op);
    rx_engine_enter(engine);
    rx_pass_begin(engine);
    op->want->t = RX_TIME_NEVER;
    tell(op);
    rx_op_drain(op);
    rx_pass_end(engine);
    rx_engine_leave(engine);
}

/* What has been reached already is told at this instant. */
static void arm(struct rx_op *op)
{
    struct rx_op_want *want = op->want;
    struct rx_sched *sched = rx_op_engine(op)->sched;
    rx_time now = rx_wall(op), due = now;
    if (want->t > rx_op_reached(op)) {
        if (!rx_watermark_is_running(op->reached)) {
            rx_sched_stop(sched, &want->timer);
            return;
        }
        due = now + (want->t - rx_op_reached(op));
    }
    if (rx_sched_arm_wall(sched, &want->timer, due, want->sequence) < 0)
        rx_fail_memory(op);
}

static struct rx_op_want *want_of(struct rx_op *op)
{
    if (op->want)
        return op->want;
    op->want = calloc(1, sizeof *op->want);
    if (!op->want)
        return NULL;
    *op->want = (struct rx_op_want){.timer = {.fire = on_want}, .op = op, .t = RX_TIME_NEVER};
    return op->want;
}

void rx_watermark_want(struct rx_op *op, rx_time t)
{
    struct rx_op_want *want = op->state == RX_OP_LIVE ? want_of(op) : NULL;
    if (!want) {
        if (op->state == RX_OP_LIVE)
            rx_fail_memory(op);
        return;
    }
    if (t >= want->t)
        return;
    want->t = t;
    if (t < op->instance->wanted)
        op->instance->wanted = t;
    want->sequence = rx_node_sequence(op->node) | (uint32_t)rx_sched_reserve(rx_op_engine(op)->sched);
    arm(op);
}

void rx_want_stop(struct rx_op *op)
{
    if (!op->want)
        return;
    op->want->t = RX_TIME_NEVER;
    rx_sched_stop(rx_op_engine(op)->sched, &op->want->timer);
}

void rx_want_finish(struct rx_op *op) { free(op->want); }

/* ---- another time has been reached ---- */

static void advance(struct rx_op *op, rx_time t)
{
    op->reached = t;
    if (wants(op) && op->want->t <= rx_op_reached(op))
        rx_want_stop(op);
    tell(op);
    if (wants(op) && op->state == RX_OP_LIVE)
        arm(op);
    rx_op_drain(op);
}

/* Never back: a watermark that would be behind is held where it stands, or runs on from there. But from arrival time it may go
 * back, when a source begins to tell; and to it, as when the last source that told has ended. */
static rx_time not_back(const struct rx_op *op, rx_time t)
{
    if (op->reached == RX_WATERMARK_CLOCK || t == RX_WATERMARK_CLOCK)
        return t;
    rx_time wall = rx_wall(op), stands = rx_watermark_at(op->reached, wall);
    if (rx_watermark_at(t, wall) >= stands)
        return t;
    return rx_watermark_is_running(t) ? rx_watermark_running(stands, wall) : stands;
}

void rx_op_reach(struct rx_op *op)
{
    op->reach_again = op->busy;
    if (op->state != RX_OP_LIVE || op->busy || !op->live_ports)
        return;
    rx_time t = not_back(op, input_watermark(op));
    if (t == op->reached)
        return;
    if (op->unsettled)
        rx_op_settle(op);
    if (op->state == RX_OP_LIVE)
        advance(op, t);
}

/* ---- state. Most know no event time but the clock ---- */

enum { TOLD = 1, WANTS = 2, AWAY = 4 };

static void save(const struct rx_op *op, bool with_want, struct rx_writer *w)
{
    bool told = op->reached != RX_WATERMARK_CLOCK || op->watermark != RX_WATERMARK_CLOCK;
    rx_write_uint(w, (told ? TOLD : 0u) | (with_want ? WANTS : 0u) | (op->away ? AWAY : 0u));
    if (told) {
        rx_write_int(w, op->reached);
        rx_write_int(w, op->watermark);
    }
    if (with_want) {
        rx_write_int(w, op->want->t);
        rx_write_uint(w, op->want->sequence);
    }
}

void rx_watermarks_save(const struct rx_op *op, struct rx_writer *w) { save(op, wants(op), w); }
void rx_watermarks_save_step(const struct rx_op *as, struct rx_writer *w) { save(as, false, w); }

static void load_want(struct rx_op *op, struct rx_reader *r)
{
    rx_time t = rx_read_int(r);
    uint64_t sequence = rx_read_uint(r);
    if (rx_reader_failed(r))
        return;
    struct rx_op_want *want = want_of(op);
    if (!want) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    want->t = t;
    want->sequence = sequence;
    arm(op);
}

void rx_watermarks_load(struct rx_op *op, struct rx_reader *r)
{
    uint64_t flags = rx_read_uint(r);
    op->away = flags & AWAY;
    op->reached = flags & TOLD ? rx_read_int(r) : RX_WATERMARK_CLOCK;
    op->watermark = flags & TOLD ? rx_read_int(r) : RX_WATERMARK_CLOCK;
    if (flags & WANTS)
        load_want(op, r);
}

/* The op that runs in its place knows these already; and none that is run so wants an instant. */
void rx_watermarks_skip_step(struct rx_reader *r)
{
    uint64_t flags = rx_read_uint(r);
    if (flags & TOLD) {
        rx_read_int(r);
        rx_read_int(r);
    }
    if (flags & WANTS)
        rx_reader_fail(r, -EBADMSG);
}
