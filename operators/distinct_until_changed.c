/* distinct_until_changed: an event only when it differs from the one put out before it. */
#include "core/graph/operator.h"

struct distinct_until_changed {
    struct rx_op op;
    struct rx_expr *key;

    bool begun;
    struct rx_value last;
};

static const struct rx_option options[] = {
    {.name = "key",
     .help = "what is compared; the whole event where it is not given",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct distinct_until_changed, key, struct rx_expr *),
     .fallback = "event",
     .flags = RX_POSITIONAL},
    {0},
};

/* Keeps a compact copy of the key, so that a small key does not hold on to a large message. */
static bool passes(struct distinct_until_changed *d, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&d->op, event);
    struct rx_value key;
    if (!rx_op_eval(&d->op, d->key, &env, &key))
        return false;
    bool same = d->begun && rx_value_equal(d->last, key);
    rx_count(&d->op, same ? RX_FILTERED : RX_USED, 1);
    if (!same) {
        rx_value_unref(d->last);
        d->last = rx_value_compact(rx_op_heap(&d->op), key);
        d->begun = true;
    }
    rx_value_unref(key);
    return !same;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct rx_event out[RX_SPAN_MAX];
    size_t kept = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        if (passes((struct distinct_until_changed *)op, &span[i]))
            out[kept++] = span[i];
    rx_emit(op, out, kept);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct distinct_until_changed *d = (struct distinct_until_changed *)op;
    rx_write_bool(w, d->begun);
    rx_write_value(w, d->last);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct distinct_until_changed *d = (struct distinct_until_changed *)op;
    d->begun = rx_read_bool(r);
    d->last = rx_read_value(r);
    return 0;
}

static void dispose(struct rx_op *op) { rx_value_unref(((struct distinct_until_changed *)op)->last); }

static void describe(const void *image, struct rx_facts *facts)
{
    (void)image;
    facts->values = 16; /* the key may be the whole event */
}

const struct rx_operator_class rx_operator_distinct_until_changed = {
    .base = {.name = "distinct_until_changed",
             .summary = "let an event through only when it, or its key, differs from the one before",
             .options = options,
             .state_size = sizeof(struct distinct_until_changed),
             .flags = RX_SPAN_SAFE | RX_PASSES,
             .example = "distinct_until_changed: state"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .describe = describe,
    .save = save,
    .load = load,
    .dispose = dispose,
};
