/* Settling: what an op says once about all that comes of one event, however many ways that takes to it.
 *
 * A pass is all that follows at once from one thing that comes into the graph: an event of a source, a timer that fires, an answer.
 * When the outermost is over, those that asked for it are told, upstream first. */
#include <stdlib.h>
#include <string.h>

#include "core/graph/graph_private.h"

static bool make_room(struct rx_unsettled *u)
{
    if (u->count < u->capacity)
        return true;
    uint32_t capacity = u->capacity ? 2 * u->capacity : 8;
    struct rx_op **ops = realloc(u->ops, capacity * sizeof *ops);
    if (!ops)
        return false;
    u->ops = ops;
    u->capacity = capacity;
    return true;
}

void rx_settle_later(struct rx_op *op)
{
    struct rx_unsettled *u = &rx_op_engine(op)->unsettled;
    if (op->unsettled || op->state != RX_OP_LIVE)
        return;
    if (!make_room(u)) {
        rx_fail_memory(op);
        return;
    }
    uint32_t at = u->count++;
    for (; at > 0 && u->ops[at - 1]->node->rank > op->node->rank; at--)
        u->ops[at] = u->ops[at - 1];
    u->ops[at] = op;
    op->unsettled = true;
}

void rx_settle_forget(struct rx_op *op)
{
    struct rx_unsettled *u = &rx_op_engine(op)->unsettled;
    uint32_t at = 0;
    if (!op->unsettled)
        return;
    while (u->ops[at] != op)
        at++;
    memmove(&u->ops[at], &u->ops[at + 1], (--u->count - at) * sizeof *u->ops);
    op->unsettled = false;
}

void rx_op_settle(struct rx_op *op)
{
    rx_settle_forget(op);
    op->busy = true;
    op->class->settle(op);
    op->busy = false;
    rx_op_drain(op);
}

void rx_engine_settle(struct rx_engine *engine)
{
    engine->passes++;
    while (engine->unsettled.count)
        rx_op_settle(engine->unsettled.ops[0]);
    engine->passes--;
}
