/* Order: what reads what, which pipeline comes first, where events must go one by one, and what can end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"

/* ---- who reads what ---- */

static int add_reading(struct rx_planner *planner, struct rx_logical_pipeline *by, struct rx_logical_graph *graph,
                       size_t node)
{
    struct rx_outlet *outlet = graph->nodes[node].reads;
    struct rx_reading *reading = rx_planner_alloc(planner, sizeof *reading);
    if (!reading)
        return -ENOMEM;
    *reading = (struct rx_reading){.next = outlet->readings, .by = by, .graph = graph, .node = node};
    outlet->readings = reading;
    if (outlet->source)
        outlet->source->used = true;
    return 0;
}

/* The leaves of a graph and of those inside it: a subscription inside a scope reads a stream as well. */
static int each_leaf(struct rx_planner *planner, struct rx_logical_pipeline *p, struct rx_logical_graph *graph,
                     int (*each)(struct rx_planner *, struct rx_logical_pipeline *, struct rx_logical_graph *, size_t))
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < graph->count; i++) {
        if (graph->nodes[i].reads)
            r = each(planner, p, graph, i);
        if (r == 0 && graph->nodes[i].scope)
            r = each_leaf(planner, p, graph->nodes[i].scope, each);
        if (r == 0 && graph->nodes[i].opened)
            r = each_leaf(planner, p, graph->nodes[i].opened, each);
    }
    return r;
}

static int count_pipeline(struct rx_planner *planner, struct rx_logical_pipeline *p, struct rx_logical_graph *graph,
                          size_t node)
{
    (void)planner;
    p->depend_count += graph->nodes[node].reads->pipeline != NULL;
    return 0;
}

static int note_pipeline(struct rx_planner *planner, struct rx_logical_pipeline *p, struct rx_logical_graph *graph,
                         size_t node)
{
    struct rx_logical_pipeline *other = graph->nodes[node].reads->pipeline;
    (void)planner;
    if (other && other->reader != p) {
        other->reader = p;
        p->depends[p->depend_count++] = other->position;
    }
    return 0;
}

int rx_planner_readings(struct rx_planner *planner, struct rx_logical_pipeline *p)
{
    int r = each_leaf(planner, p, p->graph, add_reading);
    if (r == 0)
        r = each_leaf(planner, p, p->graph, count_pipeline);
    if (r < 0 || p->depend_count == 0)
        return r;
    p->depends = rx_planner_alloc(planner, p->depend_count * sizeof *p->depends);
    p->depend_count = 0;
    return p->depends ? each_leaf(planner, p, p->graph, note_pipeline) : -ENOMEM;
}

static bool is_read_by(const struct rx_outlet *outlet, const struct rx_logical_pipeline *by)
{
    for (const struct rx_reading *reading = outlet->readings; reading; reading = reading->next)
        if (reading->by == by)
            return true;
    return false;
}

bool rx_logical_reads_branch(const struct rx_logical_pipeline *by, const struct rx_logical_pipeline *p)
{
    bool found = is_read_by(&p->errors, by) || is_read_by(&p->late, by);
    for (size_t k = 0; k < p->branch_count && !found; k++)
        found = is_read_by(&p->branches[k], by);
    return found;
}

/* ---- a topological order: depth first, on a stack of its own ---- */

struct ordering {
    struct rx_planner *planner;
    struct visit {
        size_t position, next;
    } * path;
    unsigned char *state; /* 0 new, 1 on the path, 2 done */
    size_t depth, done;
    bool circle; /* then there is no telling how long the chains are */
};

static void enter(struct ordering *o, size_t position)
{
    o->state[position] = 1;
    o->path[o->depth++] = (struct visit){.position = position};
}

static void leave(struct ordering *o)
{
    struct rx_logical *plan = o->planner->plan;
    struct rx_logical_pipeline *p = &plan->pipelines[o->path[--o->depth].position];
    o->state[p->position] = 2;
    p->order = (unsigned)o->done;
    plan->ordered[o->done++] = p->position;
    for (size_t i = 0; i < p->depend_count; i++)
        if (p->chain <= plan->pipelines[p->depends[i]].chain)
            p->chain = plan->pipelines[p->depends[i]].chain + 1;
    if (p->chain == RX_CHAIN_MAX && !o->circle)
        rx_diagnosef(o->planner->diagnostics, p->tree, "let some of them read further up",
                     "\"%s\" is the end of more than %d pipelines that read one another", p->name, RX_CHAIN_MAX);
}

static void look_at(struct ordering *o, struct rx_logical_pipeline *p, size_t other)
{
    o->circle = o->circle || o->state[other] == 1;
    if (o->state[other] == 1)
        rx_diagnosef(o->planner->diagnostics, p->key,
                     "a stream cannot be made from itself: let one of them read something else",
                     "\"%s\" and \"%s\" read each other in a circle", p->name, o->planner->plan->pipelines[other].name);
    else if (o->state[other] == 0)
        enter(o, other);
}

static void order_from(struct ordering *o, size_t position)
{
    enter(o, position);
    while (o->depth > 0) {
        struct visit *top = &o->path[o->depth - 1];
        struct rx_logical_pipeline *p = &o->planner->plan->pipelines[top->position];
        if (top->next == p->depend_count)
            leave(o);
        else
            look_at(o, p, p->depends[top->next++]);
    }
}

int rx_planner_order(struct rx_planner *planner)
{
    size_t n = planner->plan->pipeline_count;
    struct ordering o = {.planner = planner, .state = calloc(n + 1, 1), .path = calloc(n + 1, sizeof *o.path)};
    for (size_t i = 0; o.state && o.path && i < n; i++)
        if (o.state[i] == 0)
            order_from(&o, i);
    int r = o.state && o.path ? 0 : -ENOMEM;
    free(o.state);
    free(o.path);
    return r;
}

/* ---- where branches meet ---- */

static int mark_single(struct rx_planner *planner, struct rx_logical_pipeline *p, struct rx_logical_graph *graph,
                       size_t node)
{
    struct rx_outlet *outlet = graph->nodes[node].reads;
    (void)planner, (void)p;
    outlet->singles = true;
    if (outlet->pipeline)
        outlet->pipeline->singles = true;
    return 0;
}

static int count_leaf(struct rx_planner *planner, struct rx_logical_pipeline *p, struct rx_logical_graph *graph,
                      size_t node)
{
    (void)planner, (void)graph, (void)node;
    p->leaves++;
    return 0;
}

static int mark_again(struct rx_planner *planner, struct rx_logical_pipeline *p, struct rx_logical_graph *graph,
                      size_t node)
{
    struct rx_outlet *outlet = graph->nodes[node].reads;
    (void)planner, (void)p;
    if (outlet->pipeline)
        outlet->pipeline->again = true;
    return 0;
}

static bool subscribes_again(const struct rx_logical_graph *graph)
{
    bool again = false;
    for (size_t i = 0; i < graph->count && !again; i++)
        again = graph->nodes[i].step->class->base.flags & RX_RESUBSCRIBES;
    return again;
}

/* Whether one of its steps may end, or be left, at an event. */
static bool may_end_at_an_event(const struct rx_logical_graph *graph)
{
    bool may = false;
    for (size_t i = 0; i < graph->count && !may; i++) {
        const struct rx_step *step = graph->nodes[i].step;
        may = !(step->class->base.flags & RX_RESUBSCRIBES) && (!step->facts.spans || step->on_error == RX_FAIL);
    }
    return may;
}

/* A pipeline that reads several streams may be where branches meet: then what it reads, near or far, goes one by one. So it does
 * where a step says so (logical_time.c), and where an event may end what is then subscribed again: the events behind it are for that. */
void rx_planner_singles(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    for (size_t i = plan->pipeline_count; i-- > 0;) {
        struct rx_logical_pipeline *p = &plan->pipelines[plan->ordered[i]];
        each_leaf(planner, p, p->graph, count_leaf);
        p->again = p->again || subscribes_again(p->graph);
        p->singles = p->singles || p->leaves > 1 || (p->again && may_end_at_an_event(p->graph));
        if (p->singles)
            each_leaf(planner, p, p->graph, mark_single);
        if (p->again)
            each_leaf(planner, p, p->graph, mark_again);
    }
}

/* ---- what can end, and what would wait for ever ---- */

struct ending {
    struct rx_planner *planner;
    bool in_group; /* in a group, with no window around it that would close */
    bool entry;    /* what comes in at the entry may end */
};

static bool outlet_ends(const struct rx_outlet *outlet)
{
    return outlet->source ? outlet->source->class->base.flags & RX_SOURCE_ENDS : outlet->pipeline->ends;
}

static bool input_ends(const struct ending *e, const struct rx_logical_graph *graph, const struct rx_logical_node *node)
{
    if (node->reads)
        return outlet_ends(node->reads);
    if (node->step->class->base.flags & RX_CREATES)
        return false; /* unless it says that it does */
    if (node->input_count == 0)
        return e->entry;
    bool all = node->step->facts.ends_with_all;
    bool ends = graph->nodes[node->inputs[0].node].ends;
    for (unsigned i = 1; all && ends && i < node->input_count; i++)
        ends = graph->nodes[node->inputs[i].node].ends;
    return ends;
}

static void check_reduction(const struct ending *e, const struct rx_step *step)
{
    if (step->facts.reduces && e->in_group && !e->planner->options->replay)
        rx_diagnosef(e->planner->diagnostics, step->where,
                     "put a window between them: \"- window: 5s\" before this step",
                     "\"%s\" would wait for the end of the group, which never comes", step->class->base.name);
}

static void check_wait(const struct ending *e, const struct rx_step *step)
{
    if (step->facts.waits_for_end && !e->planner->options->replay)
        rx_diagnosef(e->planner->diagnostics, step->where,
                     "say how near events must be, \"within: 5m\"; or join results of windows, with \"window\" in `by`",
                     "\"%s\" would keep all events until its inputs end, which they never do", step->class->base.name);
}

/* At the top of a pipeline it is only odd: a reload may end it, and someone may wait for that. */
static void remark_end(const struct ending *e, const struct rx_step *step)
{
    struct rx_error note = {0};
    if (!step->facts.at_end || e->in_group || e->planner->options->replay)
        return;
    rx_error_set(&note, -EINVAL, "`%s` puts out at the end of the stream, and this stream never ends",
                 step->where->text);
    rx_error_hint(&note, "put a window before it: \"- window: 5s\"; or end the stream: \"- take: 100\"");
    rx_remark(e->planner->diagnostics, step->where, &note);
}

static void find_ends(const struct ending *e, struct rx_logical_graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct rx_logical_node *node = &graph->nodes[i];
        bool ends = input_ends(e, graph, node);
        if (!ends) {
            check_reduction(e, node->step);
            check_wait(e, node->step);
            remark_end(e, node->step);
        }
        node->ends = ends || node->step->facts.ends_early;
        if (node->opened)
            find_ends(&(struct ending){.planner = e->planner, .entry = true}, node->opened);
        if (!node->scope)
            continue;
        unsigned flags = node->step->class->base.flags;
        bool lasts = flags & (RX_OPENS_GROUP | RX_OPENS_LANES); /* as long as its input */
        struct ending inner = {.planner = e->planner,
                               .in_group = flags & RX_OPENS_GROUP,
                               .entry = !lasts || ends || node->step->facts.scope_ends};
        find_ends(&inner, node->scope);
    }
}

void rx_planner_ends(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_logical_pipeline *p = &plan->pipelines[plan->ordered[i]];
        if (!p->graph)
            continue;
        find_ends(&(struct ending){.planner = planner}, p->graph);
        p->ends = p->graph->nodes[p->graph->count - 1].ends;
    }
}
