/* A world: a heap, a virtual clock, an engine and a plan on them, with no outside. One thread. */
#ifndef RX_PIPELINES_WORLD_H
#define RX_PIPELINES_WORLD_H

#include "pipelines/plan/plan.h"

struct rx_world {
    struct rx_heap *heap;
    struct rx_sched *sched; /* stands at 0 */
    struct rx_engine *engine;
    struct rx_plan *plan; /* bound: pipelines produce into their hubs while somebody subscribes */
};

/* The logical plan is borrowed and must outlive the world. */
int rx_world_create(const struct rx_logical *, const struct rx_plan_options *, struct rx_world *ret,
                    struct rx_error *reterr);
void rx_world_destroy(struct rx_world *); /* nothing of it may run any more; safe on zeroes */

#endif
