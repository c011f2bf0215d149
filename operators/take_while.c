/* take_while, skip_while: the events before, or from, the first for which a condition does not hold. */
#include "core/graph/operator.h"

struct take_while {
    struct rx_op op;
    struct rx_expr *condition;
    bool inclusive;

    bool over; /* skip_while: the condition has failed once */
};

static const struct rx_option take_options[] = {
    {.name = "while",
     .help = "completes at the first event for which it is not true",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct take_while, condition, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "inclusive",
     .help = "let that event through too",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct take_while, inclusive, bool),
     .fallback = "false"},
    {0},
};

static const struct rx_option skip_options[] = {
    {.name = "while",
     .help = "events are left out up to the first for which it is not true",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct take_while, condition, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void next_take(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct take_while *t = (struct take_while *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        int result = rx_op_test(op, t->condition, &span[i]);
        bool passes = result > 0 || (result == 0 && t->inclusive);
        if (result >= 0)
            rx_count(op, passes ? RX_USED : RX_FILTERED, 1);
        if (passes)
            rx_emit(op, &span[i], 1);
        if (result == 0)
            rx_finish(op);
    }
}

static bool skips(struct take_while *t, const struct rx_event *event)
{
    int result = t->over ? 0 : rx_op_test(&t->op, t->condition, event);
    t->over |= result == 0;
    if (result >= 0)
        rx_count(&t->op, result > 0 ? RX_FILTERED : RX_USED, 1);
    return result != 0;
}

static void next_skip(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct rx_event out[RX_SPAN_MAX];
    size_t kept = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        if (!skips((struct take_while *)op, &span[i]))
            out[kept++] = span[i];
    rx_emit(op, out, kept);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_bool(w, ((struct take_while *)op)->over);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct take_while *)op)->over = rx_read_bool(r);
    return 0;
}

const struct rx_operator_class rx_operator_take_while = {
    .base = {.name = "take_while",
             .summary = "let events through while a condition holds, then complete",
             .options = take_options,
             .state_size = sizeof(struct take_while),
             .flags = RX_PASSES | RX_ENDS_EARLY,
             .example = "take_while: value < 9"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_take,
};

const struct rx_operator_class rx_operator_skip_while = {
    .base = {.name = "skip_while",
             .summary = "leave out events while a condition holds; all from then on go through",
             .options = skip_options,
             .state_size = sizeof(struct take_while),
             .flags = RX_SPAN_SAFE | RX_PASSES,
             .example = "skip_while: value < 9"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_skip,
    .save = save,
    .load = load,
};
