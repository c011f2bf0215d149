/* average, sum, min, max: one aggregate function over the events, put out at the end. */
#include <errno.h>

#include "core/aggregate/aggregation.h"
#include "core/graph/operator.h"

struct fold {
    struct rx_op op;
    struct rx_expr *of;

    struct rx_accumulator accumulator;
};

static const struct rx_option options[] = {
    {.name = "of",
     .help = "what of each event; absent and null are skipped",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct fold, of, struct rx_expr *),
     .fallback = "event",
     .flags = RX_POSITIONAL},
    {0},
};

static const struct rx_aggregate_function *function_of(const struct rx_op *op)
{
    const char *name = op->class->base.name;
    return rx_aggregate_find(name[0] == 'a' ? "avg" : name);
}

/* False: a bad event. */
static bool fold_one(struct fold *f, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&f->op, event);
    struct rx_value value;
    struct rx_error error;
    int r = rx_expr_eval(f->of, &env, &value, NULL);
    if (r == -ENODATA)
        return true;
    if (r < 0 && !rx_op_eval(&f->op, f->of, &env, &value))
        return false;
    r = value.kind == RX_NULL ? 0 : rx_aggregate_add(function_of(&f->op), &f->accumulator, value, &error);
    rx_value_unref(value);
    return r == 0 || rx_bad_event(&f->op, event, &error) == RX_USE_NULL;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        rx_count(op, RX_USED, fold_one((struct fold *)op, &span[i]));
}

/* Of nothing: a sum is 0; a least, greatest or average there is none. */
static bool make_result(struct fold *f, struct rx_value *ret)
{
    const struct rx_aggregate_function *function = function_of(&f->op);
    if (!f->accumulator.count && function != rx_aggregate_find("sum"))
        return false;
    *ret = rx_aggregate_result(function, &f->accumulator);
    return true;
}

static void peek(struct rx_op *op, rx_time at)
{
    struct rx_value value;
    if (make_result((struct fold *)op, &value))
        rx_emit_result_at_take(op, value, at);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct rx_value value;
    (void)port;
    if (make_result((struct fold *)op, &value))
        rx_emit_result_take(op, value);
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_aggregate_save(function_of(op), &((struct fold *)op)->accumulator, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    return rx_aggregate_load(function_of(op), &((struct fold *)op)->accumulator, r);
}

static void dispose(struct rx_op *op) { rx_aggregate_clear(function_of(op), &((struct fold *)op)->accumulator); }

#define FOLD(name_, summary_, example_)                                                                                \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .options = options,                                                                                   \
                 .state_size = sizeof(struct fold),                                                                    \
                 .flags = RX_SPAN_SAFE | RX_REDUCES | RX_REPLACES,                                                     \
                 .example = example_},                                                                                 \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .next = next,                                                                                                  \
        .complete = complete,                                                                                          \
        .peek = peek,                                                                                                  \
        .save = save,                                                                                                  \
        .load = load,                                                                                                  \
        .dispose = dispose,                                                                                            \
    }

FOLD(average, "put out the mean of the events at the end", "average: value");
FOLD(sum, "put out the sum of the events at the end; 0 for none", "sum: value");
FOLD(min, "put out the least of the events at the end", "min: value");
FOLD(max, "put out the greatest of the events at the end", "max: value");
