/* The running graph: subscription, emission, timers and the end of operators. */
#include "core/graph/graph_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rx_engine *rx_op_engine(const struct rx_op *op) { return op->instance->engine; }
struct rx_heap *rx_op_heap(const struct rx_op *op) { return op->instance->engine->heap; }
rx_time rx_now(const struct rx_op *op) { return rx_sched_now(op->instance->engine->sched); }
rx_time rx_wall(const struct rx_op *op) { return rx_sched_wall(op->instance->engine->sched); }
unsigned rx_op_inputs(const struct rx_op *op) { return op->node->input_count; }
const struct rx_mark *rx_op_mark(const struct rx_op *op) { return op->instance->mark; }
bool rx_op_live(const struct rx_op *op) { return op->state == RX_OP_LIVE; }

const struct rx_key *rx_op_input_name(const struct rx_op *op, unsigned port) { return op->node->input_names[port]; }

bool rx_input_live(const struct rx_op *op, unsigned port) { return op->live_ports & (1u << port); }

void rx_count(struct rx_op *op, enum rx_account account, size_t n) { op->node->ledger->accounts[account] += n; }

void rx_count_key_evicted(struct rx_op *op) { op->node->ledger->keys_evicted++; }

void rx_count_of(struct rx_op *op, unsigned which, enum rx_account account, size_t n)
{
    op->node->ledgers[which]->accounts[account] += n;
}

void rx_count_in(struct rx_op *op, unsigned which, size_t n) { op->node->ledgers[which]->in += n; }

void rx_count_out(struct rx_op *op, unsigned which, size_t n) { op->node->ledgers[which]->out += n; }

void rx_hold(struct rx_op *op, int64_t delta)
{
    op->held += delta;
    op->node->ledger->held += delta;
}

/* ---- creation and reclaim ---- */

static void on_op_timer(struct rx_timer *timer)
{
    struct rx_op_timer *slot = (struct rx_op_timer *)timer;
    struct rx_op *op = slot->op;
    struct rx_engine *engine = rx_op_engine(op);
    rx_engine_enter(engine);
    rx_pass_begin(engine);
    op->busy = true;
    if (rx_op_may_fire(op, timer))
        op->class->timer(op, slot->slot);
    op->busy = false;
    rx_op_drain(op);
    rx_pass_end(engine);
    rx_engine_leave(engine);
}

static size_t timers_offset(const struct rx_operator_class *class)
{
    return (class->base.state_size + 15) & ~(size_t)15;
}

static void attach_timers(struct rx_op *op)
{
    op->timers = (struct rx_op_timer *)(void *)((char *)op + timers_offset(op->class));
    for (unsigned i = 0; i < op->class->timer_slots; i++) {
        op->timers[i].op = op;
        op->timers[i].slot = i;
        op->timers[i].timer.fire = on_op_timer;
    }
}

struct rx_op *rx_op_create(struct rx_instance *instance, uint16_t index, struct rx_error *reterr)
{
    const struct rx_node *node = &instance->subgraph->nodes[index];
    const struct rx_operator_class *class = node->class;
    struct rx_op *op = calloc(1, timers_offset(class) + class->timer_slots * sizeof(struct rx_op_timer));
    if (!op) {
        rx_error_set(reterr, -ENOMEM, "out of memory");
        return NULL;
    }
    if (node->image)
        memcpy(op, node->image, class->base.state_size);
    op->class = class;
    op->born = ++instance->engine->births;
    op->instance = instance;
    op->node = node;
    op->opened = NULL;
    op->kept = NULL;
    op->opened_tail = &op->opened;
    op->reached = op->watermark = RX_WATERMARK_CLOCK;
    attach_timers(op);
    instance->ops[index] = op;
    if (class == &rx_operator_entry) {
        instance->entry = op;
        op->reached = op->watermark = instance->opener ? instance->opener->reached : RX_WATERMARK_CLOCK;
        op->away = instance->opener && instance->opener->away;
    }
    if (class->init && class->init(op, reterr) < 0)
        return NULL;
    return op;
}

void rx_op_start(struct rx_op *op)
{
    if (op->class->start) {
        op->class->start(op);
        return;
    }
    op->starting = true; /* an input that ends while it is subscribed is not the last */
    for (unsigned port = 0; port < op->node->input_count && op->state == RX_OP_LIVE; port++)
        rx_subscribe(op, port);
    op->starting = false;
    if (op->node->input_count && !op->live_ports && !op->class->complete)
        rx_finish(op);
}

void rx_op_reclaim(struct rx_op *op)
{
    if (op->class->dispose)
        op->class->dispose(op);
    rx_op_drop_queue(op);
    rx_kept_finish(op);
    rx_want_finish(op);
    if (op->held) {
        op->node->ledger->held -= op->held;
        op->node->ledger->accounts[RX_UNHEARD] += (uint64_t)op->held;
    }
    free(op);
}

/* Takes the op out of its instance and silences it; its memory stays until the turn ends. */
static void end(struct rx_op *op, enum rx_op_state state)
{
    struct rx_instance *instance = op->instance;
    op->state = (uint8_t)state;
    for (unsigned i = 0; i < op->class->timer_slots; i++)
        rx_sched_stop(instance->engine->sched, &op->timers[i].timer);
    rx_want_stop(op);
    rx_settle_forget(op);
    for (unsigned port = 0; port < op->node->input_count; port++)
        rx_cancel(op, port);
    rx_instances_close_all(op);
    rx_calls_cancel_all(op);
    if (op->class == &rx_operator_subscription)
        rx_hub_unsubscribe((struct rx_observer *)(void *)(op + 1));
    if (instance->ops[op->node->index] == op)
        instance->ops[op->node->index] = NULL;
    if (instance->entry == op)
        instance->entry = NULL;
    op->next_dead = instance->engine->dead;
    instance->engine->dead = op;
}

void rx_op_cancel(struct rx_op *op)
{
    if (!op || op->state != RX_OP_LIVE)
        return;
    if (op->class->cancel)
        op->class->cancel(op);
    end(op, RX_OP_CANCELLED);
}

/* ---- inputs ---- */

void rx_subscribe(struct rx_op *op, unsigned port)
{
    if (op->state != RX_OP_LIVE || port >= op->node->input_count || rx_input_live(op, port))
        return;
    struct rx_error error = {0};
    uint16_t index = op->node->inputs[port];
    struct rx_point before = rx_engine_point(rx_op_engine(op));
    op->live_ports |= (uint16_t)(1u << port);
    struct rx_op *child = rx_op_create(op->instance, index, &error);
    if (child) {
        rx_op_start(child);
        rx_op_relink(op);
        rx_op_reach(op);
        if (!rx_input_live(op, port))
            rx_engine_reclaim_since(rx_op_engine(op), &before);
        return;
    }
    child = op->instance->ops[index];
    if (child)
        rx_fail(child, &error);
    else
        rx_fail(op, &error);
}

/* With something in the queue already it would overtake that. */
void rx_subscribe_last(struct rx_op *op, unsigned port)
{
    bool open = op->busy && !op->queued;
    op->busy = op->busy && !open;
    rx_subscribe(op, port);
    op->busy = op->busy || open;
}

void rx_cancel(struct rx_op *op, unsigned port)
{
    if (!rx_input_live(op, port))
        return;
    op->live_ports &= (uint16_t) ~(1u << port);
    rx_op_cancel(op->instance->ops[op->node->inputs[port]]);
    rx_op_port_ended(op);
}

/* ---- ends ---- */

/* The upstream is released first, so that a resubscription in the terminal's wake finds the place free. */
static void terminate(struct rx_op *op, const struct rx_error *error)
{
    if (op->state != RX_OP_LIVE)
        return;
    struct rx_engine *engine = rx_op_engine(op);
    rx_engine_enter(engine);
    end(op, RX_OP_DONE);
    rx_op_send(op, &(struct rx_note){.kind = error ? RX_ERROR : RX_COMPLETE, .error = error});
    rx_engine_leave(engine);
}

void rx_finish(struct rx_op *op) { terminate(op, NULL); }

void rx_fail(struct rx_op *op, const struct rx_error *error)
{
    struct rx_error copy = *error;
    terminate(op, &copy);
}

void rx_fail_memory(struct rx_op *op)
{
    struct rx_error error;
    rx_error_set(&error, -ENOMEM, "out of memory");
    rx_fail(op, &error);
}

/* ---- timers ---- */

void rx_timer_arm(struct rx_op *op, unsigned slot, rx_time due)
{
    if (op->state == RX_OP_LIVE && rx_sched_arm(rx_op_engine(op)->sched, &op->timers[slot].timer, due) < 0)
        rx_fail_memory(op);
}

void rx_timer_arm_at(struct rx_op *op, unsigned slot, rx_time due, uint64_t sequence)
{
    if (op->state == RX_OP_LIVE && rx_sched_arm_at(rx_op_engine(op)->sched, &op->timers[slot].timer, due, sequence) < 0)
        rx_fail_memory(op);
}

uint64_t rx_timer_reserve(struct rx_op *op) { return rx_sched_reserve(rx_op_engine(op)->sched); }

void rx_timer_stop(struct rx_op *op, unsigned slot) { rx_sched_stop(rx_op_engine(op)->sched, &op->timers[slot].timer); }

void rx_timer_background(struct rx_op *op, unsigned slot, bool background)
{
    op->timers[slot].timer.background = background;
}

void rx_timer_endless(struct rx_op *op, unsigned slot, bool endless) { op->timers[slot].timer.endless = endless; }

bool rx_timer_is_armed(const struct rx_op *op, unsigned slot) { return rx_timer_armed(&op->timers[slot].timer); }

/* ---- what all instances of a node have in common ---- */

static void on_common_timer(struct rx_timer *timer)
{
    struct rx_common *common = (struct rx_common *)timer;
    struct rx_engine *engine = common->engine;
    rx_engine_enter(engine);
    rx_pass_begin(engine);
    common->class->timer(common);
    rx_pass_end(engine);
    rx_engine_leave(engine);
}

static void load_common(struct rx_common *common, struct rx_buffer *saved)
{
    struct rx_reader r = {
        .data = (const unsigned char *)saved->data, .length = saved->length, .heap = common->engine->heap};
    if (saved->length && common->class->load)
        common->class->load(common, &r);
    rx_buffer_finish(saved);
}

struct rx_common *rx_common_get(struct rx_op *op, const struct rx_common_class *class)
{
    struct rx_node_run *run = op->node->run;
    if (run->common)
        return run->common;
    struct rx_common *common = calloc(1, sizeof *common + class->size);
    if (!common)
        return NULL;
    common->timer.fire = on_common_timer;
    common->engine = rx_op_engine(op);
    common->sequence = rx_node_sequence(op->node);
    common->class = class;
    load_common(common, &run->saved);
    return run->common = common;
}

void *rx_common_data(const struct rx_common *common) { return (void *)(uintptr_t)common->data; }

void rx_common_arm(struct rx_common *common, rx_time due)
{
    rx_sched_arm_wall(common->engine->sched, &common->timer, due, common->sequence);
}

void rx_common_stop(struct rx_common *common) { rx_sched_stop(common->engine->sched, &common->timer); }

void rx_node_run_finish(struct rx_node_run *run)
{
    if (!run)
        return;
    rx_buffer_finish(&run->saved);
    if (!run->common)
        return;
    rx_common_stop(run->common);
    if (run->common->class->finish)
        run->common->class->finish(run->common);
    free(run->common);
    run->common = NULL;
}
