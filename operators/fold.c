/* average, sum, min, max, median, quantile: one aggregate function over the events, put out at the end. */
#include <errno.h>
#include <string.h>

#include "core/aggregate/aggregation.h"
#include "core/graph/operator.h"

struct fold {
    struct rx_op op;
    struct rx_expr *of;
    double q; /* quantile */

    const struct rx_aggregate_function *function;
    struct rx_accumulator accumulator;
};

#define OF(flags_)                                                                                                     \
    {                                                                                                                  \
        .name = "of", .help = "what of each event; absent and null are skipped", .type = RX_OPTION_EXPR,               \
        .offset = RX_AT(struct fold, of, struct rx_expr *), .fallback = "event", .flags = flags_                       \
    }

static const struct rx_option options[] = {OF(RX_POSITIONAL), {0}};

static const struct rx_option quantile_options[] = {
    {.name = "q",
     .help = "which part of the events lies below it: 0.95",
     .type = RX_OPTION_DOUBLE,
     .offset = RX_AT(struct fold, q, double),
     .min = 0,
     .max = 1,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    OF(0),
    {0},
};

static int init(struct rx_op *op, struct rx_error *reterr)
{
    const char *name = op->class->base.name;
    (void)reterr;
    ((struct fold *)op)->function = rx_aggregate_find(strcmp(name, "average") == 0 ? "avg" : name);
    return 0;
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
    struct rx_gathered in = {.value = value, .time = event->time};
    r = value.kind == RX_NULL ? 0 : rx_aggregate_add(f->function, &f->accumulator, &in, &error);
    rx_value_unref(value);
    return r == 0 || rx_bad_event(&f->op, event, &error) == RX_USE_NULL;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        rx_count(op, RX_USED, fold_one((struct fold *)op, &span[i]));
}

/* Of nothing: a sum is 0; of all else there is none. */
static bool make_result(struct fold *f, struct rx_value *ret)
{
    if (rx_aggregate_is_empty(f->function, &f->accumulator) && f->function != rx_aggregate_find("sum"))
        return false;
    *ret = rx_aggregate_result(f->function, &f->accumulator, f->q, NULL);
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
    struct fold *f = (struct fold *)op;
    rx_aggregate_save(f->function, &f->accumulator, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct fold *f = (struct fold *)op;
    return rx_aggregate_load(f->function, &f->accumulator, r);
}

static void dispose(struct rx_op *op)
{
    struct fold *f = (struct fold *)op;
    if (f->function)
        rx_aggregate_clear(f->function, &f->accumulator);
}

#define FOLD(name_, options_, summary_, example_)                                                                      \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .options = options_,                                                                                  \
                 .state_size = sizeof(struct fold),                                                                    \
                 .flags = RX_SPAN_SAFE | RX_REDUCES | RX_REPLACES | RX_ANY_ORDER,                                      \
                 .example = example_},                                                                                 \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .init = init,                                                                                                  \
        .next = next,                                                                                                  \
        .complete = complete,                                                                                          \
        .peek = peek,                                                                                                  \
        .save = save,                                                                                                  \
        .load = load,                                                                                                  \
        .dispose = dispose,                                                                                            \
    }

FOLD(average, options, "put out the mean of the events at the end", "average: value");
FOLD(sum, options, "put out the sum of the events at the end; 0 for none", "sum: value");
FOLD(min, options, "put out the least of the events at the end", "min: value");
FOLD(max, options, "put out the greatest of the events at the end", "max: value");
FOLD(median, options, "put out the median of the events at the end; exact up to 128 of them, then off by at most 0.4 %",
     "median: value");
FOLD(quantile, quantile_options,
     "put out at the end what a part of the events lies below; exact up to 128 of them, then off by at most 0.4 %",
     "quantile: {q: 0.95, of: value}");
