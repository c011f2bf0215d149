/* The lanes of a worker: what `parallel` opens (core/graph/lanes.h), on the threads of a crew. On the worker's thread. */
#ifndef RX_PIPELINES_LANES_H
#define RX_PIPELINES_LANES_H

#include "core/io/loop/loop.h"
#include "pipelines/plan/plan.h"
#include "pipelines/run/crew.h"

struct rx_lane_host;

/* For the engine, whose loop is woken when something has come out; the crew is borrowed and may be others' too. From then on
 * engine->lanes is it. -ENOMEM, or what the loop says. */
int rx_lane_host_create(struct rx_crew *, struct rx_loop *, struct rx_engine *, struct rx_lane_host **ret);
void rx_lane_host_destroy(struct rx_lane_host *); /* nothing is open; NULL is fine */

/* The plan that runs from now on; `press` is told by pipeline when its lanes are full, and when they have room again. */
void rx_lane_host_use(struct rx_lane_host *, struct rx_plan *,
                      void (*press)(void *arg, const char *pipeline, bool full), void *arg);
/* Waits until nothing is on its way, and hands on what comes out; at most for so long (RX_TIME_NEVER: without a bound). */
void rx_lane_host_settle(struct rx_lane_host *, rx_time at_most);

struct rx_lane_status {
    const struct rx_step *step;
    unsigned lane;
    size_t in_flight;    /* events sent and not back */
    uint64_t sent, busy; /* events; ns of CPU */
    bool full;           /* one of the step's lanes is */
};
void rx_lane_host_each(const struct rx_lane_host *, void (*each)(void *arg, const struct rx_lane_status *), void *arg);

#endif
