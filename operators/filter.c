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

static int test(struct rx_op *op, unsigned which, const void *image, const struct rx_event *event)
{
    return rx_op_test_of(op, which, ((const struct filter *)image)->condition, event);
}

static int columns(const void *image, struct rx_heap *heap, struct rx_columns *program)
{
    (void)heap;
    return rx_columns_keep(program, ((const struct filter *)image)->condition);
}

static const struct rx_expr *condition(const void *image) { return ((const struct filter *)image)->condition; }

static const struct rx_each each = {.test = test, .columns = columns};

const struct rx_operator_class rx_operator_filter = {
    .base = {.name = "filter",
             .summary = "let through the events for which a condition holds",
             .options = options,
             .state_size = sizeof(struct filter),
             .flags = RX_SPAN_SAFE | RX_PASSES,
             .example = "filter: metric == \"temperature\""},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = rx_each_next,
    .each = &each,
    .condition = condition,
};
