/* Pipelines as producers of their hubs: a sub-graph runs while somebody subscribes. */
#include "pipelines/run/runtime.h"

struct binding {
    struct rx_plan_pipeline *pipeline;
    struct rx_engine *engine;
    struct rx_instance *instance;
};

static void on_note(void *arg, const struct rx_note *note)
{
    struct binding *b = arg;
    if (note->kind == RX_NEXT) {
        rx_hub_next(b->pipeline->hub, note->span, note->count);
        return;
    }
    b->instance = NULL;
    if (note->kind == RX_COMPLETE)
        rx_hub_complete(b->pipeline->hub);
    else
        rx_hub_error(b->pipeline->hub, note->error);
}

static void start(void *arg, struct rx_hub *hub)
{
    struct binding *b = arg;
    (void)hub;
    b->instance = rx_graph_start(b->engine, b->pipeline->graph, on_note, b);
}

static void stop(void *arg, struct rx_hub *hub)
{
    struct binding *b = arg;
    (void)hub;
    rx_graph_stop(b->instance);
    b->instance = NULL;
}

void rx_runtime_bind(struct rx_plan *plan)
{
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct binding *b = rx_plan_alloc(plan->arena, sizeof *b);
        if (!b)
            continue;
        *b = (struct binding){.pipeline = &plan->pipelines[i], .engine = plan->engine};
        rx_hub_set_producer(b->pipeline->hub, &(struct rx_producer){.start = start, .stop = stop, .arg = b});
    }
}
