/* The physical plan as a whole. */
#include "pipelines/plan/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/plan_private.h"

struct rx_plan_source *rx_plan_find_source(struct rx_plan *plan, const char *name)
{
    const struct rx_logical_source *s = rx_logical_find_source(plan->logical, name);
    return s ? &plan->sources[s->position] : NULL;
}

/* Pipelines stand in order of the config. */
struct rx_plan_pipeline *rx_plan_find_pipeline(struct rx_plan *plan, const char *name)
{
    const struct rx_logical_pipeline *p = rx_logical_find_pipeline(plan->logical, name);
    size_t low = 0, high = plan->pipeline_count;
    while (p && low < high) {
        size_t middle = (low + high) / 2;
        if (plan->pipelines[middle].logical->position < p->position)
            low = middle + 1;
        else
            high = middle;
    }
    return p && low < plan->pipeline_count && plan->pipelines[low].logical == p ? &plan->pipelines[low] : NULL;
}

/* ---- hubs ---- */

static struct rx_hub *make_hub(struct rx_plan *plan, const struct rx_outlet *outlet)
{
    struct rx_hub *hub = rx_hub_create(plan->engine, outlet->name);
    if (!hub || rx_plan_defer(plan->arena, (void (*)(void *))rx_hub_destroy, hub) < 0) {
        rx_hub_destroy(hub);
        return NULL;
    }
    rx_hub_set_singles(hub, outlet->singles);
    rx_hub_set_share(hub, &outlet->share, outlet->told);
    return hub;
}

static struct rx_hub *hub_of(const struct rx_plan *plan, const struct rx_plan_pipeline *p,
                             const struct rx_outlet *outlet)
{
    if (outlet->source) {
        const struct rx_plan_source *s = &plan->sources[outlet->source->position];
        return outlet == &outlet->source->out ? s->hub : s->errors;
    }
    const struct rx_logical_pipeline *logical = outlet->pipeline;
    if (!p)
        return NULL;
    if (outlet == &logical->out || outlet == &logical->errors || outlet == &logical->late)
        return outlet == &logical->out ? p->hub : outlet == &logical->errors ? p->errors : p->late;
    return p->branches[outlet - logical->branches].hub;
}

struct rx_hub *rx_assembly_hub(const struct rx_assembly *a, const struct rx_outlet *outlet)
{
    return hub_of(a->plan, outlet->pipeline ? a->pipelines[outlet->pipeline->position] : NULL, outlet);
}

struct rx_hub *rx_plan_find_hub(struct rx_plan *plan, const char *name)
{
    const struct rx_outlet *outlet = rx_logical_find_outlet(plan->logical, name);
    if (!outlet)
        return NULL;
    return hub_of(plan, outlet->pipeline ? rx_plan_find_pipeline(plan, outlet->pipeline->name) : NULL, outlet);
}

static int make_source_hubs(struct rx_assembly *a)
{
    struct rx_plan *plan = a->plan;
    plan->source_count = a->logical->source_count;
    plan->sources = rx_plan_alloc(plan->arena, plan->source_count * sizeof *plan->sources);
    for (size_t i = 0; plan->sources && i < plan->source_count; i++) {
        struct rx_plan_source *s = &plan->sources[i];
        s->hub = make_hub(plan, &a->logical->sources[i]->out);
        s->errors = make_hub(plan, &a->logical->sources[i]->errors);
        if (!s->hub || !s->errors)
            return -ENOMEM;
    }
    return plan->sources ? 0 : -ENOMEM;
}

static int make_branches(struct rx_plan *plan, struct rx_plan_pipeline *p)
{
    p->branch_count = p->logical->branch_count;
    p->branches = rx_plan_alloc(plan->arena, p->branch_count * sizeof *p->branches);
    for (size_t i = 0; p->branches && i < p->branch_count; i++) {
        struct rx_hub *hub = make_hub(plan, &p->logical->branches[i]);
        if (!hub)
            return -ENOMEM;
        p->branches[i] = (struct rx_plan_branch){.name = rx_hub_name(hub), .hub = hub};
    }
    return p->branches ? 0 : -ENOMEM;
}

static int make_pipeline(struct rx_assembly *a, struct rx_logical_pipeline *logical)
{
    struct rx_plan *plan = a->plan;
    struct rx_plan_pipeline *p = &plan->pipelines[plan->pipeline_count++];
    a->pipelines[logical->position] = p;
    *p = (struct rx_plan_pipeline){.logical = logical,
                                   .name = logical->name,
                                   .tree = logical->tree,
                                   .first_step = logical->first_step,
                                   .step_count = logical->step_count};
    p->hub = make_hub(plan, &logical->out);
    p->errors = make_hub(plan, &logical->errors);
    p->late = make_hub(plan, &logical->late);
    return p->hub && p->errors && p->late ? make_branches(plan, p) : -ENOMEM;
}

static int make_pipelines(struct rx_assembly *a)
{
    struct rx_plan *plan = a->plan;
    size_t n = a->logical->pipeline_count;
    plan->pipelines = rx_plan_alloc(plan->arena, n * sizeof *plan->pipelines);
    plan->ordered = rx_plan_alloc(plan->arena, n * sizeof *plan->ordered);
    if (!plan->pipelines || !plan->ordered)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        if (!a->options->pipelines_here || a->options->pipelines_here[i])
            r = make_pipeline(a, &a->logical->pipelines[i]);
    for (size_t i = 0, k = 0; r == 0 && i < n; i++) {
        struct rx_plan_pipeline *p = a->pipelines[a->logical->ordered[i]];
        if (p)
            plan->ordered[k++] = (size_t)(p - plan->pipelines);
    }
    return r;
}

/* ---- the whole ---- */

static void finish_runs(void *arg)
{
    struct rx_plan *plan = arg;
    for (size_t i = 0; i < plan->logical->step_count; i++)
        rx_node_run_finish(&plan->runs[i]);
}

static int make_all(struct rx_assembly *a)
{
    struct rx_plan *plan = a->plan;
    plan->ledgers = rx_plan_alloc(plan->arena, a->logical->step_count * sizeof *plan->ledgers);
    plan->runs = rx_plan_alloc(plan->arena, a->logical->step_count * sizeof *plan->runs);
    if (!plan->ledgers || !plan->runs || rx_plan_defer(plan->arena, finish_runs, plan) < 0)
        return -ENOMEM;
    int r = make_source_hubs(a);
    if (r == 0)
        r = make_pipelines(a);
    for (size_t i = 0; r == 0 && i < plan->pipeline_count; i++)
        r = rx_assembly_graph(a, &plan->pipelines[i]);
    if (r == 0)
        r = rx_assembly_sources(a);
    for (size_t i = 0; r == 0 && i < plan->pipeline_count; i++)
        r = rx_assembly_sinks(a, &plan->pipelines[i]);
    if (r == 0)
        rx_assembly_rank(plan);
    return r == 0 && rx_diagnostics_count(a->diagnostics) > 0 ? -EINVAL : r;
}

static struct rx_plan *create(const struct rx_logical *logical, struct rx_engine *engine,
                              const struct rx_plan_options *options)
{
    struct rx_plan_arena *arena = rx_plan_arena_create(engine->heap);
    struct rx_plan *plan = arena ? rx_plan_alloc(arena, sizeof *plan) : NULL;
    if (!plan) {
        rx_plan_arena_destroy(arena);
        return NULL;
    }
    *plan = (struct rx_plan){.logical = logical,
                             .engine = engine,
                             .steps = logical->steps,
                             .site = options->site,
                             .arena = arena,
                             .whole = !options->pipelines_here};
    if (options->index_from)
        engine->index_from = options->index_from;
    return plan;
}

int rx_plan_create(const struct rx_logical *logical, struct rx_engine *engine, const struct rx_plan_options *options,
                   struct rx_diagnostics *diagnostics, struct rx_plan **ret)
{
    struct rx_plan *plan = create(logical, engine, options);
    if (!plan)
        return -ENOMEM;
    struct rx_assembly a = {.logical = logical, .options = options, .plan = plan, .diagnostics = diagnostics};
    a.pipelines = calloc(logical->pipeline_count + 1, sizeof *a.pipelines);
    int r = a.pipelines ? make_all(&a) : -ENOMEM;
    free(a.pipelines);
    if (r < 0) {
        rx_plan_destroy(plan);
        return r;
    }
    *ret = plan;
    return 0;
}

void rx_plan_destroy(struct rx_plan *plan)
{
    if (plan)
        rx_plan_arena_destroy(plan->arena);
}

void rx_plan_walk(const struct rx_subgraph *graph, void (*each)(void *arg, const struct rx_node *, unsigned depth),
                  void *arg)
{
    struct {
        const struct rx_subgraph *graph;
        size_t next;
    } stack[2 * RX_SCOPES_MAX + 4] = {{graph, 0}};
    size_t depth = graph ? 1 : 0;
    while (depth > 0) {
        if (stack[depth - 1].next == stack[depth - 1].graph->count) {
            depth--;
            continue;
        }
        const struct rx_node *node = &stack[depth - 1].graph->nodes[stack[depth - 1].next++];
        each(arg, node, (unsigned)depth - 1);
        for (size_t i = 2; i-- > 0;) {
            if (!node->subgraphs[i] || depth == sizeof stack / sizeof *stack)
                continue;
            stack[depth].graph = node->subgraphs[i];
            stack[depth++].next = 0;
        }
    }
}
