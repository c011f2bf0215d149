/* The lanes of a worker, between lanes.c (life), lanes_out.c (what goes to them, and their timers), lanes_back.c (what comes back)
 * and lanes_state.c. On the worker's thread, but for what says otherwise. */
#ifndef RX_PIPELINES_LANES_PRIVATE_H
#define RX_PIPELINES_LANES_PRIVATE_H

#include "pipelines/run/lane.h"
#include "pipelines/run/lanes.h"

struct rx_lanes_host {
    struct rx_lane_host base;
    struct rx_crew *crew;
    struct rx_engine *engine;
    struct rx_loop *loop;
    struct rx_wake *wake;
    struct rx_plan *plan;
    void (*press)(void *arg, const char *pipeline, bool full);
    void *press_arg;
    struct rx_lanes *groups;
    struct rx_parcel *done, **done_tail; /* under the crew's lock */
    size_t in_flight;                    /* parcels */
};

/* Those of one op. */
struct rx_lanes {
    struct rx_lanes *next, **link;
    struct rx_lanes_host *host;
    struct rx_op *op;
    struct rx_plan *plan;
    struct rx_plan_pipeline *pipeline;
    struct rx_timer due; /* of the lanes' timers */
    rx_time passed;      /* the watermark that was sent last */
    bool full, ending;
    struct rx_error error; /* ending: code 0, completed */
    uint64_t barrier;
    size_t step_count; /* of the steps in the lanes, which are numbered behind the op's */
    unsigned count;
    struct rx_lane *lanes[RX_PARTS_MAX];
};

static inline struct rx_lanes_host *rx_lanes_host_of(struct rx_lane_host *base)
{
    return (struct rx_lanes_host *)(void *)base;
}
static inline struct rx_sched *rx_lanes_sched(const struct rx_lanes *g) { return g->host->engine->sched; }
rx_time rx_lanes_monotonic(void);

/* lanes_out.c */
void rx_lanes_bind_out(struct rx_lane_host *);
struct rx_parcel *rx_lanes_parcel(struct rx_lane *); /* that goes when the turn is over; NULL: no memory */
void rx_lanes_set_full(struct rx_lanes *, bool full);
bool rx_lanes_have_room(const struct rx_lanes *); /* so much that the sources may go on */
void rx_lanes_tell_time(struct rx_lanes *);       /* downstream: how far event time has come out of all lanes */
void rx_lanes_arm(struct rx_lanes *);             /* for the first of the lanes' timers */
void rx_lanes_on_due(struct rx_timer *);
void rx_lanes_on_clock(void *host, enum rx_clock_news, rx_time by);

/* lanes_back.c */
void rx_lanes_on_done(struct rx_parcel *); /* on a thread of the crew, with its lock */
void rx_lanes_on_wake(void *host);
void rx_lanes_land(struct rx_lane *); /* the first that is on its way is no more */
void rx_lanes_add_accounts(struct rx_lanes *, const struct rx_ledger *from);

/* lanes_state.c */
void rx_lanes_bind_state(struct rx_lane_host *);

#endif
