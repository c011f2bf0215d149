/* Logical graphs to the sub-graphs of one worker: nodes, their compiled options, ranks, and where spans may flow. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/graph/boundary.h"
#include "pipelines/plan/plan_private.h"

void *rx_assembly_image(struct rx_assembly *a, const struct rx_logical_node *logical)
{
    const struct rx_step *step = logical->step;
    struct rx_plan_arena *arena = a->plan->arena;
    void *image = rx_plan_alloc(arena, step->class->base.state_size);
    rx_plan_know(arena, logical->known);
    int r = image ? rx_options_parse(&step->class->base, step->options, step->where, arena, image, a->diagnostics)
                  : -ENOMEM;
    rx_plan_know(arena, (struct rx_known){0});
    return r == 0 ? image : NULL;
}

/* ---- nodes ---- */

static int give_ledgers(struct rx_assembly *a, struct rx_node *node)
{
    struct rx_ledger **ledgers = rx_plan_alloc(a->plan->arena, node->step_count * sizeof *ledgers);
    if (!ledgers)
        return -ENOMEM;
    for (unsigned i = 0; i < node->step_count; i++)
        ledgers[i] = &a->plan->ledgers[node->steps[i]->number];
    if (node->steps[0]->class->answer && !ledgers[0]->requests)
        ledgers[0]->requests = rx_plan_alloc(a->plan->arena, sizeof *ledgers[0]->requests);
    if (node->steps[0]->class->answer && !ledgers[0]->requests)
        return -ENOMEM;
    node->ledgers = (struct rx_ledger *const *)ledgers;
    node->ledger = ledgers[0];
    node->run = &a->plan->runs[node->steps[node->common_step]->number];
    return 0;
}

static int give_step(struct rx_assembly *a, const struct rx_logical_node *logical, struct rx_node *node)
{
    const struct rx_step **steps = rx_plan_alloc(a->plan->arena, sizeof *steps);
    if (!steps)
        return -ENOMEM;
    steps[0] = logical->step;
    node->steps = steps;
    node->step_count = 1;
    node->class = logical->step->class;
    bool bare = logical->reads || node->class == &rx_operator_entry;
    if (!bare && !node->image)
        node->image = rx_assembly_image(a, logical);
    return bare || node->image ? 0 : -ENOMEM;
}

static int give_feeds(const struct rx_assembly *a, const struct rx_logical_node *logical, struct rx_node *node)
{
    if (logical->feed_count == 0)
        return 0;
    struct rx_hub **feeds = rx_plan_alloc(a->plan->arena, logical->feed_count * sizeof *feeds);
    if (!feeds)
        return -ENOMEM;
    for (unsigned i = 0; i < logical->feed_count; i++)
        feeds[i] = rx_assembly_hub(a, logical->feeds[i]);
    node->feeds = feeds;
    node->feed_count = (uint16_t)logical->feed_count;
    return 0;
}

static int give_inputs(const struct rx_assembly *a, const struct rx_logical_node *logical, const uint16_t *places,
                       struct rx_node *node)
{
    struct rx_plan_arena *arena = a->plan->arena;
    if (logical->input_count == 0)
        return 0;
    uint16_t *inputs = rx_plan_alloc(arena, logical->input_count * sizeof *inputs);
    const struct rx_key **names = rx_plan_alloc(arena, logical->input_count * sizeof *names);
    if (!inputs || !names)
        return -ENOMEM;
    for (unsigned i = 0; i < logical->input_count; i++) {
        const char *name = logical->inputs[i].name;
        inputs[i] = places[logical->inputs[i].node];
        names[i] = rx_key_intern(a->plan->engine->heap, name, strlen(name));
        if (!names[i])
            return -ENOMEM;
    }
    node->inputs = inputs;
    node->input_names = names;
    node->input_count = (uint8_t)logical->input_count;
    return 0;
}

/* `places`: where each node of the logical graph has come to stand. Consumers do not have theirs yet: connect_down. */
static int connect(const struct rx_assembly *a, const struct rx_logical_node *logical, const uint16_t *places,
                   struct rx_node *node)
{
    if (give_inputs(a, logical, places, node) < 0)
        return -ENOMEM;
    if (logical->reads)
        node->hub = rx_assembly_hub(a, logical->reads);
    if (give_feeds(a, logical, node) < 0)
        return -ENOMEM;
    if (logical->reads && logical->reads->source)
        a->plan->sources[logical->reads->source->position].used = true;
    return 0;
}

static struct rx_subgraph *make_graph(struct rx_assembly *a, const struct rx_plan_pipeline *p,
                                      const struct rx_logical_graph *logical);

/* Where each event goes to all windows that are open, they are not many. */
static void check_overlap(struct rx_assembly *a, const struct rx_step *step)
{
    uint64_t open = step->facts.windows > 0 ? step->facts.windows - 1 : 0; /* one more while one closes */
    if (open <= RX_WINDOWS_MAX || a->options->no_fusion)
        return;
    rx_diagnosef(
        a->diagnostics, step->where,
        "make `every` at least a thousandth of `size`; or let nothing but an aggregate stand behind the window, "
        "without collect, top, quantiles and what needs order: that shares its parts among windows",
        "%" PRIu64 " windows would be open at once, and each event would go to all of them; at most %d may be", open,
        RX_WINDOWS_MAX);
}

/* How many nodes of the logical graph, from the i-th on, `node` is to run in a row; 0: one, with what may be inside it; -ENOMEM.
 * Nothing inside is fused inside another scope: there windows close in the order in which the groups of all scopes began, and
 * operators of which each knows its own scope would close theirs together. */
static int fuse(struct rx_assembly *a, const struct rx_logical_graph *graph, size_t i, struct rx_node *node)
{
    int r = rx_assembly_run(a, graph, i, node);
    if (r != 0)
        return r;
    r = graph->outer ? 0 : rx_assembly_fuse(a, &graph->nodes[i], node);
    if (r == 0 && (r = give_step(a, &graph->nodes[i], node)) == 0)
        check_overlap(a, graph->nodes[i].step);
    return r < 0 ? r : 0;
}

static int make_scopes(struct rx_assembly *a, const struct rx_plan_pipeline *p, const struct rx_logical_node *logical,
                       struct rx_node *node)
{
    const struct rx_logical_graph *inside[] = {logical->scope, logical->opened};
    for (unsigned i = 0; i < 2; i++) {
        node->subgraphs[i] = inside[i] ? make_graph(a, p, inside[i]) : NULL;
        if (inside[i] && !node->subgraphs[i])
            return -ENOMEM;
    }
    return 0;
}

/* How many nodes of the logical graph it runs; -ENOMEM. */
static int make_node(struct rx_assembly *a, const struct rx_plan_pipeline *p, const struct rx_logical_graph *graph,
                     size_t i, const uint16_t *places, struct rx_node *node)
{
    const struct rx_logical_node *logical = &graph->nodes[i];
    int row = fuse(a, graph, i, node);
    if (row < 0)
        return row;
    bool single = node->step_count == 1 && !node->in_row;
    node->step = node->steps[0];
    node->errors = p->errors;
    node->late = p->late;
    node->told = logical->told;
    if (single)
        node->inner_ordered = logical->inner_ordered;
    if (connect(a, logical, places, node) < 0 || give_ledgers(a, node) < 0 || rx_assembly_table(a, node) < 0 ||
        (single && make_scopes(a, p, logical, node) < 0))
        return -ENOMEM;
    return row ? row : 1;
}

static bool is_timeless(const struct rx_subgraph *graph)
{
    bool timeless = true;
    for (size_t i = 0; i < graph->count && timeless; i++)
        timeless = !graph->nodes[i].class->watermark &&
                   (!graph->nodes[i].subgraphs[0] || graph->nodes[i].subgraphs[0]->timeless) &&
                   (!graph->nodes[i].subgraphs[1] || graph->nodes[i].subgraphs[1]->timeless);
    return timeless;
}

/* One chain from its entry, in which all that waits for event time says for which instant. */
static bool is_patient(const struct rx_subgraph *graph)
{
    bool patient = !graph->timeless && graph->nodes[0].class == &rx_operator_entry;
    for (size_t i = 0; i < graph->count && patient; i++) {
        const struct rx_node *node = &graph->nodes[i];
        patient = (!node->class->watermark || node->class->base.flags & RX_TOLD_WHEN_WANTED) && !node->subgraphs[0] &&
                  !node->subgraphs[1] && (i == 0 || node->input_count == 1);
    }
    return patient;
}

static struct rx_subgraph *make_graph(struct rx_assembly *a, const struct rx_plan_pipeline *p,
                                      const struct rx_logical_graph *logical)
{
    struct rx_subgraph *graph = rx_plan_alloc(a->plan->arena, sizeof *graph);
    struct rx_node *nodes = rx_plan_alloc(a->plan->arena, logical->count * sizeof *nodes);
    uint16_t places[RX_STEPS_MAX];
    if (!graph || !nodes)
        return NULL;
    *graph = (struct rx_subgraph){.nodes = nodes};
    for (size_t i = 0; i < logical->count; graph->count++) {
        struct rx_node *node = &nodes[graph->count];
        node->index = (uint16_t)graph->count;
        int row = make_node(a, p, logical, i, places, node);
        if (row < 0)
            return NULL;
        for (; row > 0; row--)
            places[i++] = node->index;
        node->down = logical->nodes[i - 1].down; /* in the logical graph, until all have their places */
        node->down_port = logical->nodes[i - 1].down_port;
    }
    for (size_t i = 0; i < graph->count; i++)
        if (nodes[i].down >= 0)
            nodes[i].down = places[nodes[i].down];
    graph->timeless = is_timeless(graph);
    graph->patient = is_patient(graph);
    return graph;
}

/* Steps that read a stream and begin with a condition that can be looked up. */
static void mark_indexed(struct rx_subgraph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct rx_node *node = &graph->nodes[i];
        bool reads = node->class->condition && node->input_count == 1 && graph->nodes[node->inputs[0]].hub;
        const struct rx_expr *condition = reads ? node->class->condition(node->image) : NULL;
        node->indexed = condition && rx_expr_gate(condition);
    }
}

int rx_assembly_graph(struct rx_assembly *a, struct rx_plan_pipeline *p)
{
    p->graph = make_graph(a, p, p->logical->graph);
    if (p->graph)
        mark_indexed(p->graph);
    return p->graph ? 0 : -ENOMEM;
}

/* ---- ranks and spans ---- */

static void rank_nodes(struct rx_subgraph *graph, uint32_t *rank)
{
    for (size_t i = 0; i < graph->count; i++) {
        graph->nodes[i].rank = ++*rank;
        for (unsigned k = 0; k < 2; k++)
            if (graph->nodes[i].subgraphs[k])
                rank_nodes(graph->nodes[i].subgraphs[k], rank);
    }
}

static bool takes_spans(const struct rx_node *node)
{
    for (unsigned i = 0; i < node->step_count; i++)
        if (node->steps[i]->on_error == RX_FAIL)
            return false;
    bool safe = node->step_count > 1 || node->in_row ? node->class->base.flags & RX_SPAN_SAFE : node->step->facts.spans;
    return safe && node->span_ok;
}

/* A node may emit spans where everything behind it takes them. The exit of a root feeds a hub, which does, and that of a lane what
 * puts the lanes together. */
static void mark_spans(struct rx_subgraph *graph, bool root)
{
    for (size_t i = graph->count; i-- > 0;) {
        struct rx_node *node = &graph->nodes[i];
        node->span_ok = node->down < 0 ? root : takes_spans(&graph->nodes[node->down]);
        for (unsigned k = 0; k < 2; k++)
            if (node->subgraphs[k])
                mark_spans(node->subgraphs[k], node->class->base.flags & RX_OPENS_LANES);
    }
}

void rx_assembly_rank(struct rx_plan *plan)
{
    uint32_t rank = 0;
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_plan_pipeline *p = &plan->pipelines[plan->ordered[i]];
        rank_nodes(p->graph, &rank);
        mark_spans(p->graph, true);
    }
}
