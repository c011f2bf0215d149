/* every, is_empty: true or false about all events, as soon as it is certain. */
#include "core/graph/operator.h"

struct every {
    struct rx_op op;
    struct rx_expr *condition;
};

static const struct rx_option options[] = {
    {.name = "condition",
     .help = "what must hold for each event; an absent or null operand makes it false",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct every, condition, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void answer(struct rx_op *op, bool result)
{
    rx_emit_result_take(op, rx_bool(result));
    rx_finish(op);
}

static void next_every(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        int result = rx_op_test(op, ((struct every *)op)->condition, &span[i]);
        rx_count(op, RX_USED, result >= 0);
        if (result == 0)
            answer(op, false);
    }
}

static void next_is_empty(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port, (void)span;
    rx_count(op, RX_USED, n);
    answer(op, false);
}

/* Nothing has spoken against it. */
static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    answer(op, true);
}

static void peek(struct rx_op *op, rx_time at) { rx_emit_result_at_take(op, rx_bool(true), at); }

const struct rx_operator_class rx_operator_every = {
    .base = {.name = "every",
             .summary = "put out whether a condition holds for all events: false at the first for which it does not, "
                        "true at the end",
             .options = options,
             .state_size = sizeof(struct every),
             .flags = RX_REDUCES | RX_REPLACES | RX_ENDS_EARLY | RX_ANY_ORDER,
             .example = "every: value < 30"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_every,
    .complete = complete,
    .peek = peek,
};

const struct rx_operator_class rx_operator_is_empty = {
    .base = {.name = "is_empty",
             .summary = "put out false at the first event, or true at the end when there was none",
             .state_size = sizeof(struct rx_op),
             .flags = RX_REDUCES | RX_REPLACES | RX_ENDS_EARLY | RX_ANY_ORDER,
             .example = "is_empty"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_is_empty,
    .complete = complete,
    .peek = peek,
};
