/* Worlds without an outside. */
#include "pipelines/run/world.h"

#include <errno.h>

#include "pipelines/run/pipeline_run.h"

static int make(struct rx_world *world, const struct rx_logical *logical, const struct rx_plan_options *options)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    world->heap = rx_heap_create(NULL);
    world->sched = rx_sched_create(0);
    world->engine = world->heap && world->sched ? rx_engine_create(world->heap, world->sched) : NULL;
    int r = world->engine && diagnostics ? rx_plan_create(logical, world->engine, options, diagnostics, &world->plan)
                                         : -ENOMEM;
    rx_diagnostics_destroy(diagnostics);
    return r == 0 ? rx_pipelines_bind(world->plan) : r;
}

int rx_world_create(const struct rx_logical *logical, const struct rx_plan_options *options, struct rx_world *ret,
                    struct rx_error *reterr)
{
    struct rx_world world = {0};
    int r = make(&world, logical, options);
    if (r == 0) {
        *ret = world;
        return 0;
    }
    rx_world_destroy(&world);
    return rx_error_set(reterr, r, r == -ENOMEM ? "out of memory" : "the config cannot be planned");
}

void rx_world_destroy(struct rx_world *world)
{
    rx_plan_destroy(world->plan);
    rx_engine_destroy(world->engine);
    rx_sched_destroy(world->sched);
    rx_heap_destroy(world->heap);
    *world = (struct rx_world){0};
}
