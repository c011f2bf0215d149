/* Saving and loading the running graph: one frame for each operator, in the order of the sub-graph's nodes. */
#include <errno.h>

#include "core/graph/graph_private.h"

static bool opens_scopes(const struct rx_op *op) { return op->node->subgraphs[0] || op->node->subgraphs[1]; }

/* ---- saving ---- */

static void save_timers(const struct rx_op *op, struct rx_writer *w)
{
    for (unsigned i = 0; i < op->class->timer_slots; i++)
        rx_timer_save(&op->timers[i].timer, w);
}

/* Instances that their opener has let go, and in which something is still on its way (a delay in a closed window). */
static void save_orphans(const struct rx_op *op, struct rx_writer *w)
{
    uint64_t n = 0;
    for (const struct rx_instance *i = op->opened; i; i = i->next)
        n += i->tag == NULL;
    rx_write_uint(w, n);
    for (struct rx_instance *i = op->opened; i; i = i->next) {
        if (i->tag)
            continue;
        rx_write_bool(w, i->subgraph == op->node->subgraphs[1]);
        rx_write_mark(w, i->mark);
        rx_instance_save(i, w);
    }
}

static void save_op(struct rx_op *op, struct rx_writer *w)
{
    size_t frame = rx_frame_begin(w);
    rx_write_uint(w, op->live_ports);
    rx_watermarks_save(op, w);
    save_timers(op, w);
    if (op->class->save)
        op->class->save(op, w);
    if (opens_scopes(op))
        save_orphans(op, w);
    if (op->class->base.flags & RX_OPENS_WINDOW)
        rx_kept_save(op, w);
    if (op->class->answer)
        rx_calls_save(op, w);
    rx_frame_end(w, frame);
}

/* Steps that stand behind the first one, and that the op stands for: they keep nothing. */
static unsigned others_in_row(const struct rx_node *node) { return node->in_row ? node->step_count - 1u : 0; }

static void save_others(const struct rx_node *node, const struct rx_op *op, struct rx_writer *w)
{
    for (unsigned i = 0; i < others_in_row(node); i++) {
        if (op)
            rx_frame_end(w, rx_frame_begin_step(w, op, 1, 0));
        else
            rx_write_bool(w, false);
    }
}

int rx_instance_save(struct rx_instance *instance, struct rx_writer *w)
{
    if (instance->opener)
        rx_instance_save_input(instance, w);
    for (size_t i = 0; i < instance->subgraph->count; i++) {
        rx_write_bool(w, instance->ops[i] != NULL);
        if (instance->ops[i])
            save_op(instance->ops[i], w);
        save_others(&instance->subgraph->nodes[i], instance->ops[i], w);
    }
    return w->buffer.failed ? -ENOMEM : 0;
}

/* ---- loading ---- */

static void load_timers(struct rx_op *op, struct rx_reader *r)
{
    for (unsigned i = 0; i < op->class->timer_slots && !rx_reader_failed(r); i++)
        if (rx_timer_load(rx_op_engine(op)->sched, &op->timers[i].timer, r) < 0)
            rx_reader_fail(r, -ENOMEM);
}

static void load_orphans(struct rx_op *op, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        unsigned which = rx_read_bool(r);
        const struct rx_mark *mark = rx_read_mark(r);
        if (!op->node->subgraphs[which])
            rx_mark_unref(mark);
        if (!op->node->subgraphs[which] || !rx_instance_load(op, which, mark, NULL, r))
            rx_reader_fail(r, -EBADMSG);
    }
}

static void load_op(struct rx_op *op, struct rx_reader *outer)
{
    struct rx_reader r = rx_frame_open(outer);
    uint64_t ports = rx_read_uint(&r);
    if (ports >> op->node->input_count)
        rx_reader_fail(&r, -EBADMSG);
    op->live_ports = rx_reader_failed(&r) ? 0 : (uint16_t)ports;
    rx_watermarks_load(op, &r);
    load_timers(op, &r);
    if (!rx_reader_failed(&r) && op->class->load && op->class->load(op, &r) < 0)
        rx_reader_fail(&r, -EBADMSG);
    if (opens_scopes(op) && !rx_reader_failed(&r))
        load_orphans(op, &r);
    if (op->class->base.flags & RX_OPENS_WINDOW && !rx_reader_failed(&r))
        rx_kept_load(op, &r);
    if (op->class->answer && !rx_reader_failed(&r))
        rx_calls_load(op, &r);
    rx_frame_close(outer, &r);
}

/* Every port that is live has what feeds it, and everything that runs feeds a live port. */
static bool whole(const struct rx_instance *instance)
{
    size_t count = instance->subgraph->count;
    for (size_t i = 0; i < count; i++) {
        const struct rx_op *op = instance->ops[i];
        const struct rx_node *node = &instance->subgraph->nodes[i];
        const struct rx_op *down = node->down < 0 ? NULL : instance->ops[node->down];
        bool read = node->down < 0 || (down && rx_input_live(down, node->down_port));
        if ((op != NULL) != read)
            return false;
    }
    return true;
}

static void load_others(const struct rx_node *node, struct rx_reader *r)
{
    for (unsigned i = 0; i < others_in_row(node); i++) {
        struct rx_reader frame = rx_frame_open_step(r, 1, 0);
        rx_frame_close(r, &frame);
    }
}

/* In a row all have ended, or none. */
static void skip_absent(const struct rx_node *node, struct rx_reader *r)
{
    for (unsigned i = 0; i < others_in_row(node); i++)
        if (rx_read_bool(r))
            rx_reader_fail(r, -EBADMSG);
}

static int load_ops(struct rx_instance *instance, struct rx_reader *r)
{
    struct rx_error error = {0};
    for (size_t i = 0; i < instance->subgraph->count && !rx_reader_failed(r); i++) {
        const struct rx_node *node = &instance->subgraph->nodes[i];
        if (!rx_read_bool(r)) {
            skip_absent(node, r);
            continue;
        }
        struct rx_op *op = rx_op_create(instance, (uint16_t)i, &error);
        if (op)
            load_op(op, r);
        else
            rx_reader_fail(r, error.code);
        load_others(node, r);
    }
    if (!rx_reader_failed(r) && !whole(instance))
        rx_reader_fail(r, -EBADMSG);
    return r->failed;
}

static struct rx_instance *load_into(struct rx_instance *instance, struct rx_reader *r)
{
    struct rx_engine *engine = instance->engine;
    rx_engine_enter(engine);
    if (instance->opener)
        rx_instance_load_input(instance, r);
    bool failed = load_ops(instance, r) < 0;
    if (failed)
        rx_instance_bury(instance);
    rx_engine_leave(engine);
    return failed ? NULL : instance;
}

struct rx_instance *rx_instance_load(struct rx_op *op, unsigned which, const struct rx_mark *mark, void *tag,
                                     struct rx_reader *r)
{
    if (rx_reader_failed(r)) {
        rx_mark_unref(mark);
        return NULL;
    }
    struct rx_instance *instance = mark ? rx_instance_link(op, which, mark, tag) : NULL;
    if (instance)
        return load_into(instance, r);
    rx_reader_fail(r, -EBADMSG);
    return NULL;
}

struct rx_instance *rx_instance_load_own(struct rx_op *op, unsigned which, void *tag, struct rx_reader *r)
{
    struct rx_instance *instance = rx_reader_failed(r) ? NULL : rx_instance_link(op, which, NULL, tag);
    if (instance)
        return load_into(instance, r);
    rx_reader_fail(r, -EBADMSG);
    return NULL;
}

struct rx_instance *rx_instance_load_for(struct rx_op *op, unsigned which, void *tag, const struct rx_event *outer,
                                         struct rx_reader *r)
{
    struct rx_instance *instance =
        rx_reader_failed(r) ? NULL : rx_instance_link(op, which, rx_mark_ref(outer->mark), tag);
    if (!instance) {
        rx_reader_fail(r, -EBADMSG);
        return NULL;
    }
    rx_instance_set_outer(instance, outer);
    return load_into(instance, r);
}

struct rx_instance *rx_graph_load(struct rx_engine *engine, const struct rx_subgraph *subgraph,
                                  void (*on_note)(void *arg, const struct rx_note *), void *arg, struct rx_reader *r)
{
    struct rx_instance *instance = rx_instance_create(engine, subgraph);
    if (!instance) {
        rx_reader_fail(r, -ENOMEM);
        return NULL;
    }
    instance->on_note = on_note;
    instance->arg = arg;
    return load_into(instance, r);
}

/* ---- steps that another op stands for ---- */

size_t rx_frame_begin_step(struct rx_writer *w, const struct rx_op *as, unsigned inputs, unsigned timers)
{
    rx_write_bool(w, true);
    size_t frame = rx_frame_begin(w);
    rx_write_uint(w, (1u << inputs) - 1);
    rx_watermarks_save_step(as, w);
    for (unsigned i = 0; i < timers; i++)
        rx_write_uint(w, 0);
    return frame;
}

struct rx_reader rx_frame_open_step(struct rx_reader *outer, unsigned inputs, unsigned timers)
{
    if (!rx_read_bool(outer))
        rx_reader_fail(outer, -EBADMSG);
    struct rx_reader r = rx_frame_open(outer);
    if (rx_read_uint(&r) != (1u << inputs) - 1)
        rx_reader_fail(&r, -EBADMSG);
    rx_watermarks_skip_step(&r);
    for (unsigned i = 0; i < timers; i++)
        if (rx_read_uint(&r) != 0)
            rx_reader_fail(&r, -EBADMSG);
    return r;
}

/* ---- what a step has beside its ops ---- */

void rx_node_run_save(const struct rx_node_run *run, struct rx_writer *w)
{
    size_t frame = rx_frame_begin(w);
    if (run->common && run->common->class->save)
        run->common->class->save(run->common, w);
    else if (!run->common)
        rx_buffer_append(&w->buffer, run->saved.data, run->saved.length);
    rx_frame_end(w, frame);
}

void rx_node_run_load(struct rx_node_run *run, struct rx_reader *r)
{
    struct rx_reader common = rx_frame_open(r);
    rx_buffer_clear(&run->saved);
    rx_buffer_append(&run->saved, common.data, common.length);
    if (run->saved.failed)
        rx_reader_fail(r, -ENOMEM);
}

void rx_ledger_save(const struct rx_ledger *l, struct rx_writer *w)
{
    rx_write_uint(w, l->in);
    rx_write_uint(w, l->out);
    for (unsigned i = 0; i < RX_ACCOUNTS; i++)
        rx_write_uint(w, l->accounts[i]);
    rx_write_int(w, l->held);
    rx_write_uint(w, l->keys_evicted);
}

void rx_ledger_load(struct rx_ledger *l, struct rx_reader *r, int64_t *ret_held)
{
    *l = (struct rx_ledger){.requests = l->requests};
    l->in = rx_read_uint(r);
    l->out = rx_read_uint(r);
    for (unsigned i = 0; i < RX_ACCOUNTS; i++)
        l->accounts[i] = rx_read_uint(r);
    *ret_held = rx_read_int(r);
    l->keys_evicted = rx_read_uint(r);
}
