/* tap: lets everything through; with a name it is also a stream of its own, PIPELINE.NAME. */
#include "core/graph/graph.h"

struct tap {
    struct rx_op op;
    const char *name;
};

static const struct rx_option options[] = {
    {.name = "name",
     .help = "what passes here is also the stream PIPELINE.NAME",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct tap, name, const char *),
     .flags = RX_POSITIONAL | RX_BRANCH},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_count(op, RX_USED, n);
    if (op->node->feed_count)
        rx_hub_next(op->node->feeds[0], span, n);
    rx_emit(op, span, n);
}

const struct rx_operator_class rx_operator_tap = {
    .base = {.name = "tap",
             .summary = "let everything through, and show it as a stream of its own",
             .options = options,
             .state_size = sizeof(struct tap),
             .flags = RX_SPAN_SAFE | RX_PASSES | RX_BRANCHES,
             .example = "tap: before_window"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
