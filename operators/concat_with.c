/* concat_with: other streams, one after the other, when those before have completed; on_error_resume_next: or failed. */
#include "core/graph/operator.h"

struct concat_with {
    struct rx_op op;
    const struct rx_tree *with;
};

static const struct rx_option options[] = {
    {.name = "with",
     .help = "the stream that follows, or several in order",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct concat_with, with, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void start(struct rx_op *op) { rx_subscribe(op, 0); }

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static void complete(struct rx_op *op, unsigned port)
{
    if (port + 1 < rx_op_inputs(op))
        rx_subscribe_last(op, port + 1);
    else
        rx_finish(op);
}

const struct rx_operator_class rx_operator_concat_with = {
    .base = {.name = "concat_with",
             .summary = "go on with other streams, one after the other, when those before have completed",
             .options = options,
             .state_size = sizeof(struct concat_with),
             .flags = RX_PASSES | RX_AT_END,
             .example = "concat_with: other_sensors"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .start = start,
    .next = next,
    .complete = complete,
};

/* The error is passed over, as in RxJS: who wants to know of it puts a catch in front. */
static void error(struct rx_op *op, unsigned port, const struct rx_error *passed_over)
{
    (void)passed_over;
    complete(op, port);
}

const struct rx_operator_class rx_operator_on_error_resume_next = {
    .base = {.name = "on_error_resume_next",
             .summary = "go on with other streams, one after the other, when those before have completed or failed",
             .options = options,
             .state_size = sizeof(struct concat_with),
             .flags = RX_PASSES | RX_AT_END | RX_CATCHES,
             .example = "on_error_resume_next: other_sensors"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .start = start,
    .next = next,
    .complete = complete,
    .error = error,
};
