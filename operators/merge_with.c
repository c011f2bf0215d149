/* merge_with: events of other streams, as they come. */
#include "core/graph/operator.h"

struct merge_with {
    struct rx_op op;
    const struct rx_tree *with;
};

static const struct rx_option options[] = {
    {.name = "with",
     .help = "the other stream, or several",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct merge_with, with, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

const struct rx_operator_class rx_operator_merge_with = {
    .base = {.name = "merge_with",
             .summary = "add the events of other streams as they come; complete when all have",
             .options = options,
             .state_size = sizeof(struct merge_with),
             .flags = RX_SPAN_SAFE | RX_PASSES | RX_MERGES,
             .example = "merge_with: other_sensors"},
    .min_inputs = 1,
    .max_inputs = RX_PORTS_MAX,
    .next = next,
};
