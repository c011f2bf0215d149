/* The leaves of a sub-graph: the entry of a scope, and a subscription to a hub. */
#include "core/graph/graph_private.h"

const struct rx_operator_class rx_operator_entry = {
    .base = {.name = "entry",
             .summary = "what the steps of a scope read",
             .state_size = sizeof(struct rx_op),
             .flags = RX_INTERNAL | RX_SPAN_SAFE},
    .start = rx_instance_start_entry,
};

/* The observer stands directly behind the head: graph.c relies on it to unsubscribe. */
struct subscription {
    struct rx_op op;
    struct rx_observer observer;
    struct rx_gated gated;
};

static struct subscription *of_observer(struct rx_observer *o)
{
    return (struct subscription *)(void *)((char *)o - offsetof(struct subscription, observer));
}

/* What comes into a group or window from elsewhere, and has no key or window of its own, is in that of the scope. */
static void emit_in_scope(struct rx_op *op, const struct rx_event *span, size_t n)
{
    const struct rx_mark *mark = rx_op_mark(op);
    struct rx_event marked;
    if (!mark) {
        rx_emit(op, span, n);
        return;
    }
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        marked = span[i];
        marked.mark = marked.mark ? marked.mark : mark;
        rx_emit(op, &marked, 1);
    }
}

static void on_note(struct rx_observer *o, const struct rx_note *note)
{
    struct rx_op *op = &of_observer(o)->op;
    if (note->kind == RX_NEXT) {
        op->node->ledger->in += note->count;
        rx_count(op, RX_USED, note->count);
        emit_in_scope(op, note->span, note->count);
    } else {
        rx_op_relay(op, note);
    }
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct subscription *s = (struct subscription *)op;
    (void)reterr;
    s->observer = (struct rx_observer){.note = on_note};
    const struct rx_node *down = op->node->down < 0 ? NULL : &op->instance->subgraph->nodes[op->node->down];
    if (down && down->indexed) {
        s->gated = (struct rx_gated){.leaf = op->node, .gate = down};
        s->observer.gated = &s->gated;
    }
    op->reached = op->watermark = rx_hub_begins_at(op->node->hub);
    op->away = rx_hub_is_away(op->node->hub);
    return 0;
}

static void start(struct rx_op *op) { rx_hub_subscribe(op->node->hub, &((struct subscription *)op)->observer); }

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_observer_save(&((struct subscription *)op)->observer, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    rx_observer_load(op->node->hub, &((struct subscription *)op)->observer, r);
    return r->failed;
}

const struct rx_operator_class rx_operator_subscription = {
    .base = {.name = "subscription",
             .summary = "a subscription to a source or pipeline",
             .state_size = sizeof(struct subscription),
             .flags = RX_INTERNAL | RX_SPAN_SAFE},
    .init = init,
    .start = start,
    .save = save,
    .load = load,
};
