/* take: the first n events, then the end. */
#include "core/graph/operator.h"

struct take {
    struct rx_op op;
    int64_t count;

    int64_t seen;
};

static const struct rx_option options[] = {
    {.name = "count",
     .help = "how many events to let through",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct take, count, int64_t),
     .min = 0,
     .max = 1e15,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

/* take 0 completes without subscribing, as RxJS does. */
static void start(struct rx_op *op)
{
    if (((struct take *)op)->count == 0)
        rx_finish(op);
    else
        rx_subscribe(op, 0);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct take *t = (struct take *)op;
    (void)port;
    for (size_t i = 0; i < n && t->seen < t->count && rx_op_live(op); i++) {
        bool last = ++t->seen == t->count;
        rx_count(op, RX_USED, 1);
        rx_emit(op, &span[i], 1);
        if (last)
            rx_finish(op);
    }
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct take *)op)->seen);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct take *)op)->seen = rx_read_int(r);
    return 0;
}

const struct rx_operator_class rx_operator_take = {
    .base = {.name = "take",
             .summary = "let the first n events through, then complete",
             .options = options,
             .state_size = sizeof(struct take),
             .flags = RX_PASSES | RX_ENDS_EARLY,
             .example = "take: 10"},
    .min_inputs = 1,
    .max_inputs = 1,
    .start = start,
    .next = next,
    .save = save,
    .load = load,
};
