/* ignore_elements: nothing but the end. */
#include "core/graph/operator.h"

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port, (void)span;
    rx_count(op, RX_FILTERED, n);
}

const struct rx_operator_class rx_operator_ignore_elements = {
    .base = {.name = "ignore_elements",
             .summary = "leave out all events; the end comes through",
             .state_size = sizeof(struct rx_op),
             .flags = RX_SPAN_SAFE | RX_REPLACES,
             .example = "ignore_elements"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
