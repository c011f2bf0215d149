/* Fields: what each source must decode, found by walking from every subscription to where its events end.
 *
 * Leaving out a field never changes a result: whatever this cannot see through counts as needing all. */
#include <errno.h>
#include <string.h>

#include "pipelines/plan/plan_private.h"

struct reach {
    struct rx_planner *planner;
    struct rx_fields *fields;
    unsigned reaches;
};

static void reach_pipeline(struct reach *r, const struct rx_plan_pipeline *p);

static int add_options(struct reach *r, const struct rx_node *node)
{
    unsigned reaches = 0;
    int result = node->image ? rx_options_reach(&node->class->base, node->image, r->fields, &reaches) : 0;
    r->reaches |= reaches;
    return result;
}

/* Follows the events out of `node`. False once they have been replaced; true when they leave the sub-graph whole. */
static bool reach_from(struct reach *r, const struct rx_subgraph *graph, const struct rx_node *node)
{
    while (node->down >= 0) {
        node = &graph->nodes[node->down];
        unsigned flags = node->class->base.flags;
        if (add_options(r, node) < 0 || !(flags & (RX_PASSES | RX_REPLACES))) {
            rx_fields_add_all(r->fields);
            r->reaches = ~0u;
            return false;
        }
        if (node->hub && flags & RX_BRANCHES)
            rx_fields_add_all(r->fields);
        if (flags & RX_REPLACES)
            return false;
        if (node->subgraphs[0] && !reach_from(r, node->subgraphs[0], &node->subgraphs[0]->nodes[0]))
            return false;
    }
    return true;
}

static void reach_sinks(struct reach *r, const struct rx_plan_pipeline *p)
{
    for (size_t i = 0; i < p->sink_count; i++) {
        unsigned reaches = 0;
        rx_options_reach(&p->sinks[i].sink->class->base, p->sinks[i].sink, r->fields, &reaches);
        r->reaches |= reaches;
    }
    if (p->sink_count)
        rx_fields_add_all(r->fields);
}

/* Where a pipeline's events come out unchanged: its sinks, and all that read it. */
static void reach_hub(struct reach *r, const struct rx_hub *hub)
{
    const struct rx_plan *plan = r->planner->plan;
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        const struct rx_plan_pipeline *p = &plan->pipelines[i];
        for (size_t k = 0; k < p->graph->count; k++) {
            const struct rx_node *leaf = &p->graph->nodes[k];
            if (leaf->hub == hub && leaf->class == &rx_operator_subscription && reach_from(r, p->graph, leaf))
                reach_pipeline(r, p);
        }
    }
}

static void reach_pipeline(struct reach *r, const struct rx_plan_pipeline *p)
{
    reach_sinks(r, p);
    rx_fields_add_all(r->fields);
    reach_hub(r, p->hub);
}

int rx_plan_fields(struct rx_planner *planner)
{
    struct rx_plan *plan = planner->plan;
    for (size_t i = 0; i < plan->source_count; i++) {
        struct rx_plan_source *s = &plan->sources[i];
        struct reach r = {.planner = planner, .fields = s->fields};
        reach_hub(&r, s->hub);
        s->reaches = r.reaches;
        s->source->fields = s->fields;
        s->source->reaches = r.reaches;
    }
    return 0;
}
