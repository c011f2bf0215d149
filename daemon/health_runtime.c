/* What a worker knows to be wrong with its sources, pipelines and sinks. */
#include <stdio.h>

#include "daemon/health.h"

static void state_bad_events(struct rx_health *h, const char *name, struct rx_bad_events bad)
{
    rx_health_counts(h, RX_CONDITION_BAD_EVENTS, name, "", bad.count, bad.last);
}

static void state_sink(struct rx_health *h, const struct rx_sink *sink, size_t position)
{
    char part[32];
    snprintf(part, sizeof part, position ? "%s %zu" : "%s", sink->class->base.name, position + 1);
    if (sink->fault)
        rx_health_holds(h, RX_CONDITION_SINK_FAILING, sink->pipeline, part, sink->fault, sink->held);
    const char *why = sink->fault ? sink->fault : sink->loss;
    rx_health_counts(h, RX_CONDITION_SINK_DROPS, sink->pipeline, part, sink->dropped_full + sink->lost + sink->refused,
                     why ? why : "it takes no more");
}

static void state_source(struct rx_health *h, const struct rx_source *source)
{
    if (source->running && source->fault)
        rx_health_holds(h, RX_CONDITION_SOURCE_FAILING, source->name, "", source->fault, source->failures);
}

/* ---- pipelines ---- */

/* A stream without its connection among those that a pipeline reads. */
struct reading {
    struct rx_plan *plan;
    const struct rx_outlet *away; /* NULL: none yet */
};

static void look_at_reading(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct reading *reading = arg;
    (void)depth;
    const struct rx_hub *hub =
        node->reads && !reading->away ? rx_plan_find_hub(reading->plan, node->reads->name) : NULL;
    if (hub && rx_hub_is_away(hub))
        reading->away = node->reads;
}

/* NULL: all that it reads is there. */
static const struct rx_logical_source *waited_for(struct rx_plan *plan, const struct rx_logical_pipeline *p)
{
    for (;;) {
        struct reading reading = {.plan = plan};
        rx_logical_walk(p->graph, look_at_reading, &reading);
        if (!reading.away || reading.away->source)
            return reading.away ? reading.away->source : NULL;
        p = reading.away->pipeline;
    }
}

static void state_waiting(struct rx_health *h, struct rx_plan *plan, const struct rx_plan_pipeline *p)
{
    char reason[128];
    const struct rx_logical_source *source = rx_hub_is_away(p->hub) ? waited_for(plan, p->logical) : NULL;
    if (!source)
        return;
    snprintf(reason, sizeof reason, "the source %s", source->name);
    rx_health_holds(h, RX_CONDITION_PIPELINE_WAITS, p->name, "", reason, 0);
}

static void state_pipeline(struct rx_health *h, struct rx_plan *plan, const struct rx_plan_pipeline *p,
                           const struct rx_pipeline_status *s)
{
    if (s->failing)
        rx_health_holds(h, RX_CONDITION_PIPELINE_FAILING, p->name, "", s->last_error, s->restarts);
    state_waiting(h, plan, p);
    for (size_t i = 0; i < p->sink_count; i++)
        state_sink(h, p->sinks[i].sink, i);
}

static void state_table(struct rx_health *h, const struct rx_plan_table *t)
{
    if (t->handle.fault[0])
        rx_health_holds(h, RX_CONDITION_TABLE_BAD, t->step->pipeline, t->step->label, t->handle.fault,
                        t->handle.failures);
}

void rx_health_of_runtime(struct rx_health *h, struct rx_plan *plan, const struct rx_runtime *runtime)
{
    for (size_t i = 0; i < plan->source_count; i++)
        if (plan->whole || plan->sources[i].used) {
            state_source(h, plan->sources[i].source);
            state_bad_events(h, plan->sources[i].name, rx_runtime_source_errors(runtime, i));
        }
    for (const struct rx_plan_table *t = plan->tables; t; t = t->next)
        state_table(h, t);
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_pipeline_status status = rx_runtime_status(runtime, i);
        state_pipeline(h, plan, &plan->pipelines[i], &status);
        state_bad_events(h, plan->pipelines[i].name, rx_runtime_pipeline_errors(runtime, i));
    }
}
