/* merge: closes a scope; what follows sees the events of all its groups or windows in one stream. */
#include "core/graph/operator.h"

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

const struct rx_operator_class rx_operator_merge = {
    .base = {.name = "merge",
             .summary = "close a group (or a window that nothing reduced): its events go on in one stream",
             .state_size = sizeof(struct rx_op),
             .flags = RX_CLOSES_SCOPE | RX_PASSES | RX_SPAN_SAFE,
             .example = "merge"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
