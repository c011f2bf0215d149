/* Order: which pipeline comes first, the rank of every node, and where spans may flow. */
#include <errno.h>
#include <stdlib.h>

#include "pipelines/plan/plan_private.h"

static bool is_stream_of(const struct rx_plan_pipeline *p, const struct rx_hub *hub)
{
    for (size_t i = 0; i < p->branch_count; i++)
        if (p->branches[i].hub == hub)
            return true;
    return p->hub == hub || p->errors == hub;
}

static void add_dependency(struct rx_plan_pipeline *p, size_t position)
{
    for (size_t i = 0; i < p->depend_count; i++)
        if (p->depends[i] == position)
            return;
    p->depends[p->depend_count++] = position;
}

void rx_plan_note_dependency(struct rx_planner *planner, const struct rx_hub *hub)
{
    struct rx_plan *plan = planner->plan;
    for (size_t i = 0; i < plan->source_count; i++)
        if (plan->sources[i].hub == hub || plan->sources[i].errors == hub)
            plan->sources[i].used = true;
    for (size_t i = 0; i < plan->pipeline_count; i++)
        if (is_stream_of(&plan->pipelines[i], hub))
            add_dependency(planner->pipeline, i);
}

struct ordering {
    struct rx_planner *planner;
    unsigned char *state; /* 0 new, 1 on the path, 2 done */
    size_t done;
};

static void order_from(struct ordering *o, size_t position)
{
    struct rx_plan *plan = o->planner->plan;
    struct rx_plan_pipeline *p = &plan->pipelines[position];
    o->state[position] = 1;
    for (size_t i = 0; i < p->depend_count; i++) {
        size_t other = p->depends[i];
        if (o->state[other] == 1)
            rx_diagnosef(o->planner->diagnostics, p->tree, "a stream cannot be made from itself",
                         "\"%s\" and \"%s\" read each other in a circle", p->name, plan->pipelines[other].name);
        else if (o->state[other] == 0)
            order_from(o, other);
    }
    o->state[position] = 2;
    p->order = (unsigned)o->done;
    plan->ordered[o->done++] = position;
}

int rx_plan_order(struct rx_planner *planner)
{
    struct ordering o = {.planner = planner};
    o.state = calloc(planner->plan->pipeline_count + 1, 1);
    if (!o.state)
        return -ENOMEM;
    for (size_t i = 0; i < planner->plan->pipeline_count; i++)
        if (o.state[i] == 0)
            order_from(&o, i);
    free(o.state);
    return 0;
}

static void rank_nodes(struct rx_subgraph *graph, uint32_t *rank)
{
    for (size_t i = 0; i < graph->count; i++) {
        graph->nodes[i].rank = ++*rank;
        if (graph->nodes[i].subgraphs[0])
            rank_nodes(graph->nodes[i].subgraphs[0], rank);
    }
}

static bool takes_spans(const struct rx_node *node)
{
    return node->class->base.flags & RX_SPAN_SAFE && node->step->on_error != RX_FAIL && node->span_ok;
}

/* A node may emit spans where everything behind it takes them. The exit of a root feeds a hub, which does. */
static void mark_spans(struct rx_subgraph *graph, bool root)
{
    for (size_t i = graph->count; i-- > 0;) {
        struct rx_node *node = &graph->nodes[i];
        node->span_ok = node->down < 0 ? root : takes_spans(&graph->nodes[node->down]);
        if (node->subgraphs[0])
            mark_spans(node->subgraphs[0], false);
    }
}

/* A pipeline that reads several streams may be where branches meet: then what it reads, near or far, goes one by one. */
static bool meets(const struct rx_plan_pipeline *p)
{
    unsigned leaves = 0;
    for (size_t i = 0; i < p->graph->count; i++)
        leaves += p->graph->nodes[i].class == &rx_operator_subscription;
    return leaves > 1;
}

static void single(struct rx_plan *plan, const struct rx_plan_pipeline *p)
{
    for (size_t i = 0; i < p->graph->count; i++)
        if (p->graph->nodes[i].class == &rx_operator_subscription)
            rx_hub_set_singles(p->graph->nodes[i].hub, true);
    for (size_t i = 0; i < p->depend_count; i++)
        single(plan, &plan->pipelines[p->depends[i]]);
}

void rx_plan_rank(struct rx_plan *plan)
{
    uint32_t rank = 0;
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_plan_pipeline *p = &plan->pipelines[plan->ordered[i]];
        rank_nodes(p->graph, &rank);
        mark_spans(p->graph, true);
        if (meets(p))
            single(plan, p);
    }
}
