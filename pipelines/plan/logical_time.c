/* Event time in the plan: where events have times of their own, and which windows must sort them. */
#include "pipelines/plan/logical_private.h"

static bool needs_order(const struct rx_logical_graph *graph)
{
    bool needs = false;
    for (size_t i = 0; i < graph->count && !needs; i++)
        needs =
            graph->nodes[i].step->facts.needs_order || (graph->nodes[i].scope && needs_order(graph->nodes[i].scope));
    return needs;
}

static bool is_told(const struct rx_logical_graph *graph, const struct rx_logical_node *node, bool entry)
{
    bool told = node->reads ? node->reads->told : node->step->class == &rx_operator_entry && entry;
    for (unsigned i = 0; i < node->input_count; i++)
        told = told || graph->nodes[node->inputs[i].node].told;
    return told;
}

/* What waits for event time waits only where that is told. */
static void forget_waiting(struct rx_step *step)
{
    step->facts.events -= step->facts.waiting;
    step->facts.waiting = 0;
}

static void forget_sorted(struct rx_step *step)
{
    step->facts.events -= step->facts.sorted;
    step->facts.sorted = 0;
}

/* What it puts out at an event and what it puts out at a watermark would come in another order where several events come before
 * the watermark that the first of them brings. A window that only closes puts out at watermarks. */
static bool mixes(const struct rx_logical_node *node)
{
    const struct rx_facts *facts = &node->step->facts;
    bool closes = node->step->class->base.flags & RX_OPENS_WINDOW;
    return node->told && facts->lates && (!closes || facts->early || facts->counts);
}

static void look_at(struct rx_step **steps, struct rx_logical_pipeline *p, struct rx_logical_graph *graph, bool entry)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct rx_logical_node *node = &graph->nodes[i];
        node->told = is_told(graph, node, entry);
        if (!node->told)
            forget_waiting(steps[node->step->number]);
        p->lates = p->lates || node->step->facts.lates;
        p->singles = p->singles || mixes(node);
        if (node->opened)
            look_at(steps, p, node->opened, false);
        bool group = node->step->class->base.flags & (RX_OPENS_GROUP | RX_OPENS_LANES);
        node->inner_ordered = node->scope && node->told && !group && needs_order(node->scope);
        if (!node->inner_ordered)
            forget_sorted(steps[node->step->number]);
        if (node->scope)
            look_at(steps, p, node->scope, node->told);
    }
}

/* Upstream first. */
void rx_planner_times(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_logical_pipeline *p = &plan->pipelines[plan->ordered[i]];
        look_at(plan->steps, p, p->graph, false);
        p->out.told = p->graph->nodes[p->graph->count - 1].told;
        for (size_t k = 0; k < p->branch_count; k++)
            p->branches[k].told = p->out.told;
    }
}
