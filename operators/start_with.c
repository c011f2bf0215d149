/* start_with, end_with: values before the first event, or after the last. */
#include "core/graph/operator.h"

struct start_with {
    struct rx_op op;
    struct rx_value values;
};

static const struct rx_option options[] = {
    {.name = "values",
     .help = "a literal value, or a list of them",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct start_with, values, struct rx_value),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static void emit_values(struct rx_op *op)
{
    struct rx_value values = ((struct start_with *)op)->values;
    if (values.kind == RX_LIST)
        rx_emit_own_list(op, values);
    else
        rx_emit_own(op, values);
}

static void start_first(struct rx_op *op)
{
    emit_values(op);
    rx_subscribe(op, 0);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static void complete_last(struct rx_op *op, unsigned port)
{
    (void)port;
    emit_values(op);
    rx_finish(op);
}

const struct rx_operator_class rx_operator_start_with = {
    .base = {.name = "start_with",
             .summary = "put out values before the first event",
             .options = options,
             .state_size = sizeof(struct start_with),
             .flags = RX_SPAN_SAFE | RX_EDITS,
             .example = "start_with: {value: 0}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .start = start_first,
    .next = next,
};

const struct rx_operator_class rx_operator_end_with = {
    .base = {.name = "end_with",
             .summary = "put out values when the stream completes",
             .options = options,
             .state_size = sizeof(struct start_with),
             .flags = RX_SPAN_SAFE | RX_EDITS | RX_AT_END,
             .example = "end_with: {value: 0}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .complete = complete_last,
};
