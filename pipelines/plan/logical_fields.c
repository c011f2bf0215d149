/* Fields: what each source must decode, found by walking from every subscription to where its events end. Streams are
 * taken downstream first, so that each graph is walked once for each stream that it reads.
 *
 * Leaving out a field never changes a result: whatever this cannot see through counts as needing all. */
#include <errno.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"

int rx_planner_need(struct rx_planner *planner, const struct rx_class *class, const void *image, struct rx_need *ret)
{
    struct rx_fields *fields = rx_fields_create(planner->plan->heap);
    int r = fields ? rx_options_reach(class, image, fields, &ret->reaches) : -ENOMEM;
    if (r == 0 && rx_fields_all(fields)) {
        ret->all = true;
    } else if (r == 0 && rx_fields_count(fields) > 0) {
        ret->fields = rx_planner_alloc(planner, rx_fields_count(fields) * sizeof *ret->fields);
        for (size_t i = 0; ret->fields && i < rx_fields_count(fields); i++)
            ret->fields[ret->count++] = rx_fields_at(fields, i)->text;
        r = ret->fields ? 0 : -ENOMEM;
    }
    rx_fields_destroy(fields);
    return r;
}

/* What is found for one stream. */
struct reach {
    struct rx_planner *planner;
    struct rx_fields *fields;
    unsigned reaches;
    uint32_t stamp; /* of nodes that were seen for this stream */
};

static void need_all(struct reach *r)
{
    if (r->fields)
        rx_fields_add_all(r->fields);
}

static void add_need(struct reach *r, const struct rx_need *need)
{
    r->reaches |= need->reaches;
    if (need->all)
        need_all(r);
    for (size_t i = 0; r->fields && i < need->count; i++)
        rx_fields_add(r->fields, need->fields[i], strlen(need->fields[i]));
}

/* True where the events go on, whole or with fields changed. */
static bool pass_node(struct reach *r, struct rx_logical_node *node)
{
    const struct rx_facts *facts = &node->step->facts;
    add_need(r, &node->need);
    if (facts->output == RX_OUTPUT_ANY) {
        need_all(r);
        r->reaches = ~0u;
        return false;
    }
    if (facts->reads_all || node->feed_count)
        need_all(r);
    for (unsigned i = 0; i < node->feed_count; i++)
        r->reaches |= node->feeds[i]->reaches;
    return facts->output != RX_OUTPUT_REPLACES;
}

/* Follows the events out of a node; true when they leave the pipeline. What comes into a node that was seen for this stream
 * is known already. */
static bool reach_from(struct reach *r, const struct rx_logical_graph *graph, size_t node)
{
    for (;;) {
        int32_t down = graph->nodes[node].down;
        if (down < 0) {
            if (!graph->outer)
                return true;
            node = graph->opener;
            graph = graph->outer;
            continue;
        }
        struct rx_logical_node *next = &graph->nodes[down];
        if (next->seen == r->stamp)
            return false;
        next->seen = r->stamp;
        if (!pass_node(r, next))
            return false;
        if (next->scope) {
            graph = next->scope;
            node = 0;
        } else {
            node = (size_t)down;
        }
    }
}

static bool is_shown(const struct rx_planner *planner, const struct rx_outlet *outlet)
{
    const char *const *names = planner->options->shown;
    while (names && *names && strcmp(*names, outlet->name) != 0)
        names++;
    return outlet->readings || (names && *names);
}

/* What goes wrong in a pipeline leaves it as it came in. */
static void reach_lost(struct reach *r, const struct rx_logical_pipeline *p)
{
    if (is_shown(r->planner, &p->errors) || is_shown(r->planner, &p->late))
        need_all(r);
}

static void reach_readings(struct reach *r, const struct rx_outlet *outlet)
{
    for (const struct rx_reading *reading = outlet->readings; reading; reading = reading->next) {
        reach_lost(r, reading->by);
        if (!reach_from(r, reading->graph, reading->node))
            continue;
        need_all(r);
        r->reaches |= reading->by->out.reaches;
    }
}

/* Beside the fields: of those that leave a pipeline all are needed. */
static void reach_outlet(struct rx_planner *planner, struct rx_outlet *outlet, uint32_t stamp)
{
    struct reach r = {.planner = planner, .reaches = outlet->reaches, .stamp = stamp};
    reach_readings(&r, outlet);
    outlet->reaches = r.reaches;
}

static int reach_source(struct rx_planner *planner, struct rx_logical_source *s, uint32_t stamp)
{
    struct reach r = {.planner = planner, .fields = rx_fields_create(planner->plan->heap), .stamp = stamp};
    if (!r.fields)
        return -ENOMEM;
    reach_readings(&r, &s->out);
    add_need(&r, &s->need);
    if (is_shown(planner, &s->errors))
        need_all(&r);
    s->fields = r.fields;
    s->reaches = r.reaches;
    return rx_plan_defer(planner->plan->arena, (void (*)(void *))rx_fields_destroy, r.fields);
}

int rx_planner_fields(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    uint32_t stamp = 0;
    for (size_t i = plan->pipeline_count; i-- > 0;) {
        struct rx_logical_pipeline *p = &plan->pipelines[plan->ordered[i]];
        reach_outlet(planner, &p->out, ++stamp);
        for (size_t k = 0; k < p->branch_count; k++)
            reach_outlet(planner, &p->branches[k], ++stamp);
    }
    int r = 0;
    for (size_t i = 0; r == 0 && i < plan->source_count; i++)
        r = reach_source(planner, plan->sources[i], ++stamp);
    return r;
}
