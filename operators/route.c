/* route: each event to the stream of the first condition that holds; what none takes goes on. */
#include <errno.h>

#include "core/graph/graph.h"

struct route {
    struct rx_op op;
    struct rx_keys *branches;
};

static const struct rx_option options[] = {
    {.name = "branches",
     .help = "{hot: CONDITION, rest: true}: each name is the stream PIPELINE.NAME of the events for which its "
             "condition is the "
             "first that holds; an absent or null operand makes it false",
     .type = RX_OPTION_CASES,
     .offset = RX_AT(struct route, branches, struct rx_keys *),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE | RX_BRANCH},
    {0},
};

enum { NOWHERE = -1, BAD = -2 };

static int branch_of(struct route *r, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&r->op, event);
    for (size_t i = 0; i < rx_keys_count(r->branches); i++) {
        struct rx_expr *condition = rx_keys_expr(r->branches, i);
        int result = rx_expr_test(condition, &env, NULL);
        if (result < 0 && result != -ENODATA && rx_op_test(&r->op, condition, event) < 0)
            return BAD;
        if (result > 0)
            return (int)i;
    }
    return NOWHERE;
}

/* One by one, so that the streams get them in order of arrival. */
static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        int branch = branch_of((struct route *)op, &span[i]);
        if (branch == BAD)
            continue;
        rx_count(op, RX_USED, 1);
        if (branch == NOWHERE)
            rx_emit(op, &span[i], 1);
        else
            rx_hub_next(op->node->feeds[branch], &span[i], 1);
    }
}

const struct rx_operator_class rx_operator_route = {
    .base = {.name = "route",
             .summary =
                 "send each event to a stream of its own, X.NAME, by the first condition that holds; the last step",
             .options = options,
             .state_size = sizeof(struct route),
             .flags = RX_SPAN_SAFE | RX_PASSES | RX_BRANCHES | RX_ENDS_PIPE,
             .example = "route: {high: value > 8, low: value < 3}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
