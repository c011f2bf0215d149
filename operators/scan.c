/* scan, reduce: an accumulator over the events, put out at each, or at the end. */
#include "core/graph/operator.h"

struct scan {
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
     .offset = RX_AT(struct scan, expr, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL,
     .locals = locals},
    {.name = "seed",
     .help = "what `acc` is at the first event; without it the first event is the accumulator",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct scan, seed, struct rx_value)},
    {0},
};

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct scan *s = (struct scan *)op;
    (void)reterr;
    s->begun = s->seed.kind != RX_NULL;
    s->acc = rx_value_ref(s->seed);
    return 0;
}

/* The accumulator after an event. 1, 0: a bad event, -1: bad, and null by on_error; both leave the accumulator as it was. */
static int accumulate(struct scan *s, const struct rx_event *event)
{
    struct rx_expr_env env = {.event = event, .locals = &s->acc};
    struct rx_value value;
    struct rx_error error;
    if (!s->begun)
        value = rx_value_ref(event->value);
    else if (rx_expr_eval(s->expr, &env, &value, NULL) < 0 && rx_expr_eval(s->expr, &env, &value, &error) < 0)
        return rx_bad_event(&s->op, event, &error) == RX_USE_NULL ? -1 : 0;
    s->begun = true;
    rx_value_unref(s->acc);
    s->acc = value;
    return 1;
}

static bool scan_one(struct scan *s, const struct rx_event *event, struct rx_value *ret)
{
    int r = accumulate(s, event);
    *ret = r > 0 ? rx_value_ref(s->acc) : rx_null();
    return r != 0;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct scan *s = (struct scan *)op;
    struct rx_event out[RX_SPAN_MAX];
    size_t made = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        out[made] = span[i];
        made += scan_one(s, &span[i], &out[made].value);
    }
    rx_count(op, RX_USED, made);
    rx_emit(op, out, made);
    for (size_t i = 0; i < made; i++)
        rx_value_unref(out[i].value);
}

/* ---- reduce: at the end ---- */

static void next_reduce(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        if (accumulate((struct scan *)op, &span[i]) != 0)
            rx_count(op, RX_USED, 1);
}

static void peek_reduce(struct rx_op *op, rx_time at)
{
    struct scan *r = (struct scan *)op;
    if (r->begun)
        rx_emit_result_at_take(op, rx_value_ref(r->acc), at);
}

static void complete_reduce(struct rx_op *op, unsigned port)
{
    struct scan *r = (struct scan *)op;
    (void)port;
    if (r->begun)
        rx_emit_result_take(op, rx_value_ref(r->acc));
    rx_finish(op);
}

/* ---- the state of both ---- */

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct scan *s = (struct scan *)op;
    rx_write_bool(w, s->begun);
    rx_write_value(w, s->acc);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct scan *s = (struct scan *)op;
    rx_value_unref(s->acc);
    s->begun = rx_read_bool(r);
    s->acc = rx_read_value(r);
    return 0;
}

static void dispose(struct rx_op *op) { rx_value_unref(((struct scan *)op)->acc); }

/* An accumulator grows to what the expression makes of it; an object is usual. */
static void describe(const void *image, struct rx_facts *facts)
{
    (void)image;
    facts->values = 16;
}

const struct rx_operator_class rx_operator_scan = {
    .base = {.name = "scan",
             .summary = "carry an accumulator over the events and put it out at each",
             .options = options,
             .state_size = sizeof(struct scan),
             .flags = RX_SPAN_SAFE,
             .example = "scan: {expr: acc + value, seed: 0}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .describe = describe,
    .next = next,
    .save = save,
    .load = load,
    .dispose = dispose,
};

const struct rx_operator_class rx_operator_reduce = {
    .base = {.name = "reduce",
             .summary = "carry an accumulator over the events and put it out at the end",
             .options = options,
             .state_size = sizeof(struct scan),
             .flags = RX_SPAN_SAFE | RX_REDUCES,
             .example = "reduce: {expr: acc + value, seed: 0}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .describe = describe,
    .next = next_reduce,
    .complete = complete_reduce,
    .peek = peek_reduce,
    .save = save,
    .load = load,
    .dispose = dispose,
};
