/* Lanes: where the steps behind an operator run on other threads than its own, each lane for some parts of the keys.
 *
 * Who runs the engine may have threads for that (rx_engine.lanes); where nobody has, the operator runs the parts itself. What crosses
 * is copied: values stay with their thread. What is sent comes to each lane in order, and is answered in order of each lane by
 * class->inner with no instance: the events of all parts, then, once for all lanes, a watermark, a completion or an error. The
 * functions are called on the engine's thread. */
#ifndef RX_CORE_LANES_H
#define RX_CORE_LANES_H

#include "core/graph/graph.h"

struct rx_lanes; /* of one operator; the host's */

struct rx_lane_host {
    /* Lanes for the operator's sub-graph 0, dealt as part modulo `lanes` (0: as many as the host likes). */
    int (*open)(struct rx_lane_host *, struct rx_op *, unsigned parts, unsigned lanes, struct rx_lanes **ret,
                struct rx_error *reterr);
    /* False: there was no room, and what stands for it has been counted. */
    bool (*event)(struct rx_lanes *, unsigned part, const struct rx_event *);
    void (*watermark)(struct rx_lanes *, rx_time);
    void (*link)(struct rx_lanes *, bool away);
    /* False: no memory, and it will not come out. */
    bool (*barrier)(struct rx_lanes *, uint64_t number);     /* passed on when it has come out of all lanes */
    bool (*end)(struct rx_lanes *, const struct rx_error *); /* NULL: completed */
    void (*close)(struct rx_lanes *); /* what is still in them is dropped: the op is being disposed. NULL is fine */
    /* While nothing is on its way. */
    int (*save)(struct rx_lanes *, struct rx_writer *);
    int (*load)(struct rx_lanes *, struct rx_reader *);
    void (*flush)(struct rx_lane_host *); /* the turn is over: what has been gathered goes */
    bool gathered;                        /* there is such */
};

/* A root instance of a lane's part: no operator opened it, and its events keep their marks. */
struct rx_instance *rx_lane_instance_start(struct rx_engine *, const struct rx_subgraph *,
                                           void (*on_note)(void *arg, const struct rx_note *), void *arg,
                                           rx_time watermark, bool away);
void rx_lane_instance_link(struct rx_instance *, bool away);

/* For the host: a note out of the lanes for the op, on its thread. */
void rx_lanes_tell(struct rx_op *, const struct rx_note *);
/* Accounts what came back: `n` events that were sent are held no more. */
void rx_lanes_back(struct rx_op *, size_t n);
/* With this sequence number a timer of the op goes first at its instant, behind those of steps upstream. */
uint64_t rx_lanes_sequence(const struct rx_op *);

#endif
