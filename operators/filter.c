/* filter: lets through the events for which a condition holds. */
#include "core/graph/operator.h"

struct filter {
    struct rx_op op;
    struct rx_expr *condition;
};

static const struct rx_option options[] = {
    {.name = "condition",
     .help = "kept when true; an absent or null operand makes it false",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct filter, condition, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static bool passes(struct filter *f, const struct rx_event *event)
{
    int result = rx_op_test(&f->op, f->condition, event);
    rx_count(&f->op, RX_USED, result > 0);
    rx_count(&f->op, RX_FILTERED, result == 0);
    return result > 0;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct filter *f = (struct filter *)op;
    struct rx_event out[RX_SPAN_MAX];
    size_t kept = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (passes(f, &span[i]))
            out[kept++] = span[i];
    }
    rx_emit(op, out, kept);
}

static const struct rx_expr *condition(const void *image) { return ((const struct filter *)image)->condition; }

const struct rx_operator_class rx_operator_filter = {
    .base = {.name = "filter",
             .summary = "let through the events for which a condition holds",
             .options = options,
             .state_size = sizeof(struct filter),
             .flags = RX_SPAN_SAFE | RX_PASSES,
             .example = "filter: metric == \"temperature\""},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .condition = condition,
};
