/* Lanes: the graph's part. */
#include "core/graph/lanes.h"

#include "core/graph/graph_private.h"

struct rx_instance *rx_lane_instance_start(struct rx_engine *engine, const struct rx_subgraph *subgraph,
                                           void (*on_note)(void *arg, const struct rx_note *), void *arg,
                                           rx_time watermark, bool away)
{
    struct rx_instance *instance = rx_graph_start(engine, subgraph, on_note, arg);
    if (instance && away)
        rx_lane_instance_link(instance, away);
    if (instance && watermark != RX_WATERMARK_CLOCK)
        rx_instance_watermark(instance, watermark);
    return instance;
}

void rx_lane_instance_link(struct rx_instance *instance, bool away)
{
    if (!instance->ended && instance->entry)
        rx_op_relay(instance->entry, &(struct rx_note){.kind = RX_LINK, .away = away});
}

void rx_lanes_tell(struct rx_op *op, const struct rx_note *note)
{
    struct rx_engine *engine = rx_op_engine(op);
    if (op->state != RX_OP_LIVE)
        return;
    rx_engine_enter(engine);
    rx_pass_begin(engine);
    if (note->kind == RX_BARRIER) {
        rx_op_send(op, note);
    } else {
        op->busy = true;
        op->class->inner(op, NULL, note);
        op->busy = false;
        rx_op_drain(op);
    }
    rx_pass_end(engine);
    rx_engine_leave(engine);
}

void rx_lanes_back(struct rx_op *op, size_t n)
{
    if (op->state != RX_OP_LIVE)
        return; /* what it held has been counted, or will be */
    rx_hold(op, -(int64_t)n);
    rx_count(op, RX_USED, n);
}

uint64_t rx_lanes_sequence(const struct rx_op *op) { return rx_node_sequence(op->node); }
