/* reduce: an accumulator over the events, put out at the end. */
#include "core/operator.h"

struct reduce {
    struct rx_op op;
    struct rx_expr *expr;
    struct rx_value seed;

    bool begun;
    struct rx_value acc;
};

static const char *const locals[] = {"acc", NULL};

static const struct rx_option options[] = {
    {.name = "expr",
     .help = "the next accumulator, from `acc` and the event",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct reduce, expr, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL,
     .locals = locals},
    {.name = "seed",
     .help = "what `acc` is at the first event; without it the first event is the accumulator",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct reduce, seed, struct rx_value)},
    {0},
};

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct reduce *r = (struct reduce *)op;
    (void)reterr;
    r->begun = r->seed.kind != RX_NULL;
    r->acc = rx_value_ref(r->seed);
    return 0;
}

static void set_acc_take(struct reduce *r, struct rx_value value)
{
    r->begun = true;
    rx_value_unref(r->acc);
    r->acc = value;
}

static void accumulate(struct reduce *r, const struct rx_event *event)
{
    struct rx_expr_env env = {.event = event, .locals = &r->acc};
    struct rx_value value;
    if (!r->begun)
        set_acc_take(r, rx_value_ref(event->value));
    else if (!rx_op_eval(&r->op, r->expr, &env, &value))
        return;
    else if (value.kind != RX_NULL) /* null, by on_error, leaves the accumulator as it was */
        set_acc_take(r, value);
    rx_count(&r->op, RX_USED, 1);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        accumulate((struct reduce *)op, &span[i]);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct reduce *r = (struct reduce *)op;
    (void)port;
    if (r->begun)
        rx_emit_result_take(op, rx_value_ref(r->acc));
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct reduce *r = (struct reduce *)op;
    rx_write_bool(w, r->begun);
    rx_write_value(w, r->acc);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *reader)
{
    struct reduce *r = (struct reduce *)op;
    rx_value_unref(r->acc);
    r->begun = rx_read_bool(reader);
    r->acc = rx_read_value(reader);
    return 0;
}

static void dispose(struct rx_op *op) { rx_value_unref(((struct reduce *)op)->acc); }

const struct rx_operator_class rx_operator_reduce = {
    .base = {.name = "reduce",
             .summary = "carry an accumulator over the events and put it out at the end",
             .options = options,
             .state_size = sizeof(struct reduce),
             .flags = RX_SPAN_SAFE | RX_REDUCES,
             .example = "reduce: {expr: acc + value, seed: 0}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .next = next,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
