/* race: the stream that has the first event. */
#include "core/graph/operator.h"

struct race {
    struct rx_op op;
    const struct rx_tree *with;

    bool won; /* not saved: then only one input is live, and there is nobody to leave */
};

static const struct rx_option options[] = {
    {.name = "with",
     .help = "the other stream, or several",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct race, with, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void start(struct rx_op *op)
{
    for (unsigned port = 0; port < rx_op_inputs(op) && !((struct race *)op)->won && rx_op_live(op); port++)
        rx_subscribe(op, port);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct race *r = (struct race *)op;
    for (unsigned other = 0; !r->won && other < rx_op_inputs(op); other++)
        if (other != port)
            rx_cancel(op, other);
    r->won = true;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    rx_finish(op);
}

const struct rx_operator_class rx_operator_race = {
    .base = {.name = "race",
             .summary = "follow the stream that has an event first, and leave the others",
             .options = options,
             .state_size = sizeof(struct race),
             .flags = RX_PASSES,
             .example = "race: [prices, other_sensors]"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .start = start,
    .next = next,
    .complete = complete,
};
