/* Work that never ends at one instant: a step that gives itself the next round before the clock can move on.
 *
 * Rounds are counted from a moment on. What comes from outside begins one, so that a burst of input is no endless work; what a
 * timer does belongs to the instant of the clock, however many turns of the loop it takes. */
#include <errno.h>

#include "core/graph/graph_private.h"

static uint32_t moment_of(const struct rx_engine *engine)
{
    return rx_sched_is_firing(engine->sched) ? rx_sched_instant(engine->sched) << 1 : engine->turn << 1 | 1;
}

static uint32_t count_round(struct rx_rounds *rounds, uint32_t moment)
{
    if (rounds->moment != moment)
        *rounds = (struct rx_rounds){.moment = moment};
    return ++rounds->count;
}

/* What the worker's other steps do at this moment is not to be laid to their charge. */
void rx_fail_endless(struct rx_op *op, const char *doing, unsigned limit, const struct rx_error *why)
{
    const struct rx_step *step = op->node->step;
    struct rx_error error;
    rx_op_engine(op)->rounds.count = 0;
    rx_error_set(&error, -ELOOP, "the step %s goes on without end: it has %s more than %u times at one instant%s%s",
                 step->label, doing, limit, why ? "; at last: " : "", why ? why->message : "");
    rx_error_hint(&error, "let time pass between, by a delay, or say how often");
    rx_fail(op, &error);
}

bool rx_op_again(struct rx_op *op, const char *doing, const struct rx_error *why)
{
    struct rx_engine *engine = rx_op_engine(op);
    uint32_t moment = moment_of(engine);
    uint32_t own = count_round(&op->rounds, moment), all = count_round(&engine->rounds, moment);
    if (own <= RX_ROUNDS_MAX && all <= RX_ROUNDS_ALL_MAX)
        return true;
    rx_fail_endless(op, doing, own > RX_ROUNDS_MAX ? RX_ROUNDS_MAX : RX_ROUNDS_ALL_MAX, why);
    return false;
}

bool rx_op_may_fire(struct rx_op *op, const struct rx_timer *timer)
{
    if (!rx_timer_runs_away(timer))
        return true;
    rx_fail_endless(op, "set its timer", RX_TIMER_REPEATS_MAX, NULL);
    return false;
}
