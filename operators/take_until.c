/* take_until, skip_until: the events before, or after, another stream has its first. */
#include "core/graph/operator.h"

struct take_until {
    struct rx_op op;
    const struct rx_tree *until;

    bool open; /* skip_until: the other stream has spoken */
};

static const struct rx_option options[] = {
    {.name = "until",
     .help = "the other stream; its end alone changes nothing",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct take_until, until, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

/* The other stream first, as in RxJS: at one instant it goes before. */
static void start(struct rx_op *op)
{
    rx_subscribe(op, 1);
    rx_subscribe(op, 0);
}

static void next_take(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    rx_count(op, RX_USED, n);
    if (port == 0)
        rx_emit(op, span, n);
    else
        rx_finish(op);
}

static void next_skip(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct take_until *t = (struct take_until *)op;
    bool passes = port == 1 || t->open;
    rx_count(op, passes ? RX_USED : RX_FILTERED, n);
    if (port == 0 && passes) {
        rx_emit(op, span, n);
    } else if (port == 1) {
        t->open = true;
        rx_cancel(op, 1);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    if (port == 0)
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_bool(w, ((struct take_until *)op)->open);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct take_until *)op)->open = rx_read_bool(r);
    return 0;
}

const struct rx_operator_class rx_operator_take_until = {
    .base = {.name = "take_until",
             .summary = "let events through until another stream has its first event, then complete",
             .options = options,
             .state_size = sizeof(struct take_until),
             .flags = RX_PASSES | RX_ENDS_EARLY,
             .example = "take_until: other_sensors"},
    .min_inputs = 2,
    .max_inputs = 2,
    .start = start,
    .next = next_take,
    .complete = complete,
};

const struct rx_operator_class rx_operator_skip_until = {
    .base = {.name = "skip_until",
             .summary = "leave out events until another stream has its first event",
             .options = options,
             .state_size = sizeof(struct take_until),
             .flags = RX_PASSES,
             .example = "skip_until: other_sensors"},
    .min_inputs = 2,
    .max_inputs = 2,
    .start = start,
    .next = next_skip,
    .complete = complete,
    .save = save,
    .load = load,
};
