/* Links: whether what feeds an operator has its connection. One source without it is enough: nobody can tell by which of them
 * an event that does not come would have come. */
#include "core/graph/graph_private.h"

bool rx_op_is_away(const struct rx_op *op) { return op->away; }

static bool input_away(const struct rx_op *op)
{
    for (unsigned port = 0; port < op->node->input_count; port++) {
        const struct rx_op *child = op->instance->ops[op->node->inputs[port]];
        if (rx_input_live(op, port) && child && child->away)
            return true;
    }
    return false;
}

static void tell(struct rx_op *op)
{
    bool busy = op->busy;
    op->busy = true;
    op->class->link(op, op->away);
    op->busy = busy;
}

/* Nothing is put out on the way, so that nothing ends. */
void rx_op_relink(struct rx_op *op)
{
    struct rx_note note = {.kind = RX_LINK, .away = input_away(op)};
    if (op->state != RX_OP_LIVE || op->away == note.away)
        return;
    op->away = note.away;
    if (op->class->link)
        tell(op);
    for (struct rx_instance *i = op->opened; i; i = i->next)
        if (!i->ended && i->entry)
            rx_op_relay(i->entry, &note);
    rx_op_send(op, &note);
}
