/* The plan as a whole: names, sections, order, ranks. */
#include "pipelines/plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/names.h"
#include "pipelines/plan/plan_private.h"

char *rx_plan_text(struct rx_planner *planner, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = rx_plan_alloc(planner->plan->arena, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- names ---- */

static void check_name(struct rx_planner *planner, const struct rx_tree *key)
{
    if (!rx_is_name(key->text))
        rx_diagnosef(planner->diagnostics, key, "letters, digits, _ and -; not a digit first. Dots are rxd's own",
                     "\"%s\" cannot be a name", key->text);
}

struct rx_plan_source *rx_plan_find_source(struct rx_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->source_count; i++)
        if (strcmp(plan->sources[i].name, name) == 0)
            return &plan->sources[i];
    return NULL;
}

struct rx_plan_pipeline *rx_plan_find_pipeline(struct rx_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->pipeline_count; i++)
        if (strcmp(plan->pipelines[i].name, name) == 0)
            return &plan->pipelines[i];
    return NULL;
}

/* X, X.errors or X.BRANCH. */
struct rx_hub *rx_plan_find_hub(struct rx_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->source_count; i++) {
        if (strcmp(rx_hub_name(plan->sources[i].hub), name) == 0)
            return plan->sources[i].hub;
        if (strcmp(rx_hub_name(plan->sources[i].errors), name) == 0)
            return plan->sources[i].errors;
    }
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_plan_pipeline *p = &plan->pipelines[i];
        if (strcmp(rx_hub_name(p->hub), name) == 0)
            return p->hub;
        if (strcmp(rx_hub_name(p->errors), name) == 0)
            return p->errors;
        for (size_t k = 0; k < p->branch_count; k++)
            if (strcmp(p->branches[k].name, name) == 0)
                return p->branches[k].hub;
    }
    return NULL;
}

static const char *nearest_stream(struct rx_plan *plan, const char *name)
{
    const char *names[256];
    size_t n = 0;
    for (size_t i = 0; i < plan->source_count && n < 255; i++)
        names[n++] = plan->sources[i].name;
    for (size_t i = 0; i < plan->pipeline_count && n < 255; i++)
        names[n++] = plan->pipelines[i].name;
    names[n] = NULL;
    return rx_nearest(name, names);
}

struct rx_hub *rx_plan_hub(struct rx_planner *planner, const char *name, const struct rx_tree *where)
{
    struct rx_hub *hub = rx_plan_find_hub(planner->plan, name);
    if (hub)
        return hub;
    const char *near = nearest_stream(planner->plan, name);
    char hint[200] = "a stream is the name of a source or of a pipeline";
    if (near)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    rx_diagnosef(planner->diagnostics, where, hint, "there is no source or pipeline \"%s\"", name);
    return NULL;
}

/* ---- pipelines: declared first, so that they may read one another in any order ---- */

static struct rx_hub *make_hub(struct rx_planner *planner, const char *name, const char *suffix)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", name, suffix ? "." : "", suffix ? suffix : "");
    struct rx_hub *hub = rx_hub_create(planner->plan->engine, text);
    if (hub && rx_plan_defer(planner->plan->arena, (void (*)(void *))rx_hub_destroy, hub) < 0)
        return NULL;
    return hub;
}

/* The name of a tap step, `- tap: NAME` or `- tap: {name: NAME}`; NULL if it has none. */
static const struct rx_tree *branch_name(const struct rx_tree *step)
{
    const struct rx_tree *tap = rx_tree_get(step, "tap");
    if (tap && tap->kind == RX_TREE_MAP)
        tap = rx_tree_get(tap, "name");
    return tap && tap->kind == RX_TREE_SCALAR && tap->length ? tap : NULL;
}

static void add_branch(struct rx_planner *planner, struct rx_plan_pipeline *p, const struct rx_tree *name)
{
    check_name(planner, name);
    struct rx_hub *hub = make_hub(planner, p->name, name->text);
    if (!hub)
        return;
    if (rx_plan_find_hub(planner->plan, rx_hub_name(hub)))
        rx_diagnosef(planner->diagnostics, name, NULL, "there is a stream \"%s\" already", rx_hub_name(hub));
    p->branches[p->branch_count++] = (struct rx_plan_branch){.name = rx_hub_name(hub), .hub = hub};
}

static int declare_branches(struct rx_planner *planner, struct rx_plan_pipeline *p)
{
    const struct rx_tree *pipe = rx_tree_get(p->tree, "pipe");
    if (!pipe || pipe->kind != RX_TREE_LIST)
        return 0;
    p->branches = rx_plan_alloc(planner->plan->arena, (pipe->count + 1) * sizeof *p->branches);
    if (!p->branches)
        return -ENOMEM;
    for (size_t i = 0; i < pipe->count; i++) {
        const struct rx_tree *name = branch_name(pipe->items[i]);
        if (name)
            add_branch(planner, p, name);
    }
    return 0;
}

static int declare_pipeline(struct rx_planner *planner, const struct rx_tree *key, const struct rx_tree *tree)
{
    struct rx_plan *plan = planner->plan;
    struct rx_plan_source *clash = rx_plan_find_source(plan, key->text);
    check_name(planner, key);
    if (clash)
        rx_diagnosef(planner->diagnostics, key, "sources and pipelines share one namespace",
                     "\"%s\" is the name of a source already (%s:%u)", key->text, clash->tree->file->path,
                     clash->tree->at.line);
    struct rx_plan_pipeline *p = &plan->pipelines[plan->pipeline_count];
    *p = (struct rx_plan_pipeline){.name = key->text, .tree = tree};
    p->hub = make_hub(planner, p->name, NULL);
    p->errors = make_hub(planner, p->name, "errors");
    if (!p->hub || !p->errors)
        return -ENOMEM;
    plan->pipeline_count++;
    return declare_branches(planner, p);
}

static int declare_pipelines(struct rx_planner *planner)
{
    struct rx_plan *plan = planner->plan;
    const struct rx_tree *section = rx_forest_section(planner->forest, "pipelines");
    size_t n = section && section->kind == RX_TREE_MAP ? section->count : 0;
    if (section && section->kind != RX_TREE_MAP)
        rx_diagnosef(planner->diagnostics, section, NULL, "pipelines is a mapping of name to pipeline");
    plan->pipelines = rx_plan_alloc(plan->arena, (n + 1) * sizeof *plan->pipelines);
    plan->ordered = rx_plan_alloc(plan->arena, (n + 1) * sizeof *plan->ordered);
    if (!plan->pipelines || !plan->ordered)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (planner->options->pipelines_here && !planner->options->pipelines_here[i])
            continue;
        int r = declare_pipeline(planner, section->keys[i], section->items[i]);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        plan->pipelines[i].depends = rx_plan_alloc(plan->arena, (n + 1) * sizeof(size_t));
        if (!plan->pipelines[i].depends)
            return -ENOMEM;
    }
    return 0;
}

static void check_pipeline_keys(struct rx_planner *planner, const struct rx_tree *tree)
{
    static const char *const known[] = {"from", "pipe", "to", NULL};
    for (size_t i = 0; i < tree->count; i++) {
        const char *key = tree->keys[i]->text;
        if (strcmp(key, "from") == 0 || strcmp(key, "pipe") == 0 || strcmp(key, "to") == 0)
            continue;
        const char *near = rx_nearest(key, known);
        char hint[120] = "a pipeline has from, pipe and to";
        if (near)
            snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
        rx_diagnosef(planner->diagnostics, tree->keys[i], hint, "unknown key \"%s\" in a pipeline", key);
    }
}

static void build_graph(struct rx_planner *planner, struct rx_plan_pipeline *p, const struct rx_tree *from)
{
    p->first_step = planner->plan->step_count;
    p->graph = rx_plan_steps(planner, from, rx_tree_get(p->tree, "pipe"));
    p->step_count = planner->plan->step_count - p->first_step;
}

static int build_pipeline(struct rx_planner *planner, struct rx_plan_pipeline *p)
{
    planner->pipeline = p;
    if (p->tree->kind != RX_TREE_MAP) {
        rx_diagnosef(planner->diagnostics, p->tree, "{from: SOURCE, pipe: [filter: value > 3]}",
                     "pipeline \"%s\" must be a mapping", p->name);
        return 0;
    }
    check_pipeline_keys(planner, p->tree);
    const struct rx_tree *from = rx_tree_get(p->tree, "from");
    if (!from)
        rx_diagnosef(planner->diagnostics, p->tree, "from: NAME of a source or pipeline",
                     "pipeline \"%s\" does not say what it reads", p->name);
    else
        build_graph(planner, p, from);
    return rx_plan_sinks(planner, p, rx_tree_get(p->tree, "to"));
}

/* ---- the whole ---- */

static int build_all(struct rx_planner *planner)
{
    struct rx_plan *plan = planner->plan;
    int r = rx_plan_sources(planner);
    if (r == 0)
        r = declare_pipelines(planner);
    for (size_t i = 0; r == 0 && i < plan->pipeline_count; i++)
        r = build_pipeline(planner, &plan->pipelines[i]);
    if (r == 0)
        r = rx_plan_order(planner);
    if (r == 0 && rx_diagnostics_count(planner->diagnostics) > 0)
        r = -EINVAL;
    for (size_t i = 0; r == 0 && !planner->options->no_fusion && i < plan->pipeline_count; i++)
        r = rx_plan_fuse(planner, plan->pipelines[i].graph);
    if (r < 0)
        return r;
    rx_plan_rank(plan);
    r = rx_plan_ledgers(plan);
    if (r == 0)
        r = rx_plan_fields(planner);
    return r == 0 && rx_diagnostics_count(planner->diagnostics) > 0 ? -EINVAL : r;
}

int rx_plan_create(const struct rx_forest *forest, struct rx_engine *engine, const struct rx_plan_options *options,
                   struct rx_diagnostics *diagnostics, struct rx_plan **ret)
{
    struct rx_plan_arena *arena = rx_plan_arena_create(engine->heap);
    struct rx_plan *plan = arena ? rx_plan_alloc(arena, sizeof *plan) : NULL;
    if (!plan) {
        rx_plan_arena_destroy(arena);
        return -ENOMEM;
    }
    plan->engine = engine;
    plan->site = options->site;
    plan->whole = !options->pipelines_here;
    plan->arena = arena;
    struct rx_planner planner = {
        .forest = forest, .options = options, .plan = plan, .diagnostics = diagnostics, .ids = rx_names_create()};
    int r = planner.ids ? build_all(&planner) : -ENOMEM;
    rx_plan_finish_steps(&planner);
    rx_names_destroy(planner.ids);
    if (r < 0) {
        rx_plan_destroy(plan);
        return r;
    }
    *ret = plan;
    return 0;
}

void rx_plan_destroy(struct rx_plan *plan)
{
    if (!plan)
        return;
    free(plan->steps);
    rx_plan_arena_destroy(plan->arena);
}

void rx_plan_walk(const struct rx_subgraph *graph, void (*each)(void *arg, const struct rx_node *, unsigned depth),
                  void *arg)
{
    struct {
        const struct rx_subgraph *graph;
        size_t next;
    } stack[RX_SCOPES_MAX + 2] = {{graph, 0}};
    size_t depth = graph ? 1 : 0;
    while (depth > 0) {
        if (stack[depth - 1].next == stack[depth - 1].graph->count) {
            depth--;
            continue;
        }
        const struct rx_node *node = &stack[depth - 1].graph->nodes[stack[depth - 1].next++];
        each(arg, node, (unsigned)depth - 1);
        if (node->subgraphs[0] && depth < RX_SCOPES_MAX + 2) {
            stack[depth].graph = node->subgraphs[0];
            stack[depth++].next = 0;
        }
    }
}
