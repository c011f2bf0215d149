/* The logical plan as a whole: names, sections, order. */
#include "pipelines/plan/logical.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/names.h"
#include "pipelines/plan/registry.h"

/* Says itself that memory is out: what then is missing is no mistake of the config. */
void *rx_planner_alloc(struct rx_planner *planner, size_t size)
{
    void *memory = rx_plan_alloc(planner->plan->arena, size);
    if (!memory)
        rx_diagnose_starved(planner->diagnostics, NULL);
    return memory;
}

char *rx_planner_text(struct rx_planner *planner, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = rx_planner_alloc(planner, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* ---- names ---- */

static struct rx_outlet *find_outlet(const struct rx_logical *plan, const char *name)
{
    return rx_names_get(plan->outlets, name);
}

const struct rx_outlet *rx_logical_find_outlet(const struct rx_logical *plan, const char *name)
{
    return find_outlet(plan, name);
}

struct rx_logical_source *rx_logical_find_source(const struct rx_logical *plan, const char *name)
{
    struct rx_outlet *outlet = find_outlet(plan, name);
    return outlet && outlet->source && outlet == &outlet->source->out ? outlet->source : NULL;
}

struct rx_logical_pipeline *rx_logical_find_pipeline(const struct rx_logical *plan, const char *name)
{
    struct rx_outlet *outlet = find_outlet(plan, name);
    return outlet && outlet->pipeline && outlet == &outlet->pipeline->out ? outlet->pipeline : NULL;
}

int rx_planner_add_outlet(struct rx_planner *planner, struct rx_outlet *outlet, const char *name, const char *suffix)
{
    size_t size = strlen(name) + (suffix ? strlen(suffix) + 1 : 0) + 1;
    char *text = rx_planner_alloc(planner, size);
    if (!text)
        return -ENOMEM;
    snprintf(text, size, "%s%s%s", name, suffix ? "." : "", suffix ? suffix : "");
    outlet->name = text;
    int r = find_outlet(planner->plan, text) ? -EEXIST : rx_names_put(planner->plan->outlets, text, outlet);
    if (r == -ENOMEM)
        rx_diagnose_starved(planner->diagnostics, NULL);
    return r;
}

static const char *nearest_stream(const struct rx_logical *plan, const char *name)
{
    const char *names[256];
    size_t n = 0;
    for (size_t i = 0; i < plan->source_count && n < 127; i++)
        names[n++] = plan->sources[i]->name;
    for (size_t i = 0; i < plan->pipeline_count && n < 255; i++) {
        const struct rx_logical_pipeline *p = &plan->pipelines[i];
        names[n++] = p->name;
        for (size_t k = 0; k < p->branch_count && n < 255; k++)
            names[n++] = p->branches[k].name;
    }
    names[n] = NULL;
    return rx_nearest(name, names);
}

static bool has_outlet(const struct rx_logical *plan, const char *name, size_t length)
{
    char head[128];
    snprintf(head, sizeof head, "%.*s", (int)length, name);
    return length < sizeof head && find_outlet(plan, head);
}

struct rx_outlet *rx_planner_outlet(struct rx_planner *planner, const char *name, const struct rx_tree *where)
{
    struct rx_outlet *outlet = find_outlet(planner->plan, name);
    if (outlet)
        return outlet;
    const char *near = nearest_stream(planner->plan, name), *dot = strchr(name, '.');
    char hint[200] = "a stream is the name of a source or of a pipeline";
    if (near)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    else if (dot && has_outlet(planner->plan, name, (size_t)(dot - name)))
        snprintf(hint, sizeof hint,
                 "beside \"%.*s\" there are \"%.*s.errors\", \"%.*s.late\" and the streams of its taps",
                 (int)(dot - name), name, (int)(dot - name), name, (int)(dot - name), name);
    rx_diagnosef(planner->diagnostics, where, hint, "there is no source or pipeline \"%s\"", name);
    return NULL;
}

/* ---- pipelines: declared first, so that they may read one another in any order ---- */

/* What names the streams that a step makes: `- tap: NAME`, `- tap: {name: NAME}`, `- route: {NAME: CONDITION, ...}`; NULL: it
 * makes none. */
static const struct rx_tree *branches_of(const struct rx_tree *step)
{
    for (size_t i = 0; step->kind == RX_TREE_MAP && i < step->count; i++) {
        const struct rx_operator_class *class = rx_registry_operator(step->keys[i]->text);
        const struct rx_tree *names = class ? rx_planner_branches(class, step->items[i]) : NULL;
        if (names)
            return names;
    }
    return NULL;
}

const struct rx_tree *rx_planner_branches(const struct rx_operator_class *class, const struct rx_tree *value)
{
    for (const struct rx_option *o = class->base.options; class->base.flags & RX_BRANCHES && o && o->name; o++) {
        const struct rx_tree *names = o->flags & RX_BRANCH ? rx_option_tree(&class->base, value, o) : NULL;
        if (names && ((names->kind == RX_TREE_SCALAR && names->length) || names->kind == RX_TREE_MAP))
            return names;
    }
    return NULL;
}

size_t rx_branch_count(const struct rx_tree *names)
{
    return !names ? 0 : names->kind == RX_TREE_SCALAR ? 1 : names->count;
}

const struct rx_tree *rx_branch_at(const struct rx_tree *names, size_t i)
{
    return names->kind == RX_TREE_SCALAR ? names : names->keys[i];
}

static void refuse_branch_name(struct rx_planner *planner, const struct rx_tree *name)
{
    if (!rx_is_name(name->text))
        rx_diagnosef(planner->diagnostics, name, "letters, digits, _ and -; not a digit first",
                     "\"%s\" cannot be a name", name->text);
    else if (strcmp(name->text, "errors") == 0 || strcmp(name->text, "late") == 0)
        rx_diagnosef(planner->diagnostics, name, "give it another name",
                     "\"%s\" is rxd's own: every pipeline has a stream of that name", name->text);
}

static int add_branch(struct rx_planner *planner, struct rx_logical_pipeline *p, const struct rx_tree *name)
{
    struct rx_outlet *branch = &p->branches[p->branch_count];
    refuse_branch_name(planner, name);
    *branch = (struct rx_outlet){.pipeline = p};
    int r = rx_planner_add_outlet(planner, branch, p->name, name->text);
    if (r == -EEXIST && strcmp(name->text, "errors") != 0 && strcmp(name->text, "late") != 0)
        rx_diagnosef(planner->diagnostics, name, "give it another name", "there is a stream \"%s\" already",
                     branch->name);
    p->branch_count += r == 0;
    return r == -ENOMEM ? r : 0;
}

/* Of the steps of a `pipe`, and of the streams that are written out in them. Without `p` they are only counted. */
static int find_branches(struct rx_planner *planner, struct rx_logical_pipeline *p, const struct rx_tree *tree,
                         size_t *count)
{
    int r = 0;
    for (size_t i = 0; tree && tree->kind != RX_TREE_SCALAR && r == 0 && i < tree->count; i++) {
        const struct rx_tree *item = tree->items[i];
        bool steps = tree->kind == RX_TREE_MAP && strcmp(tree->keys[i]->text, "pipe") == 0;
        for (size_t k = 0; steps && item->kind == RX_TREE_LIST && r == 0 && k < item->count; k++) {
            const struct rx_tree *names = branches_of(item->items[k]);
            *count += rx_branch_count(names);
            for (size_t n = 0; p && r == 0 && n < rx_branch_count(names); n++)
                r = add_branch(planner, p, rx_branch_at(names, n));
        }
        if (r == 0)
            r = find_branches(planner, p, item, count);
    }
    return r;
}

static int declare_branches(struct rx_planner *planner, struct rx_logical_pipeline *p)
{
    size_t n = 0;
    find_branches(planner, NULL, p->tree, &n);
    if (n == 0)
        return 0;
    p->branches = rx_planner_alloc(planner, n * sizeof *p->branches);
    return p->branches ? find_branches(planner, p, p->tree, &n) : -ENOMEM;
}

static int declare_pipeline(struct rx_planner *planner, const struct rx_tree *key, const struct rx_tree *tree)
{
    struct rx_logical *plan = planner->plan;
    struct rx_logical_pipeline *p = &plan->pipelines[plan->pipeline_count];
    *p = (struct rx_logical_pipeline){.name = key->text, .key = key, .tree = tree, .position = plan->pipeline_count};
    p->out.pipeline = p->errors.pipeline = p->late.pipeline = p;
    int r = rx_planner_add_outlet(planner, &p->out, p->name, NULL);
    if (r == 0) /* a clash of names was told by who read the files */
        r = rx_planner_add_outlet(planner, &p->errors, p->name, "errors");
    if (r == 0)
        r = rx_planner_add_outlet(planner, &p->late, p->name, "late");
    if (r == -ENOMEM)
        return r;
    plan->pipeline_count++;
    return declare_branches(planner, p);
}

static int declare_pipelines(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    const struct rx_tree *section = rx_forest_section(planner->forest, "pipelines");
    size_t n = section && section->kind == RX_TREE_MAP ? section->count : 0;
    plan->pipelines = rx_planner_alloc(planner, n * sizeof *plan->pipelines);
    plan->ordered = rx_planner_alloc(planner, n * sizeof *plan->ordered);
    if (!plan->pipelines || !plan->ordered)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = declare_pipeline(planner, section->keys[i], section->items[i]);
    return r;
}

static int make_steps(struct rx_planner *planner, struct rx_logical_pipeline *p)
{
    struct rx_pipeline_head head;
    int r = rx_planner_head(planner, p, &head);
    if (r < 0 || (!head.from && !head.class))
        return r;
    r = rx_planner_begin_steps(planner);
    if (r < 0)
        return r;
    p->first_step = (uint32_t)planner->plan->step_count;
    p->graph = rx_planner_steps(planner, &head, rx_tree_get(p->tree, "pipe"));
    p->step_count = (uint32_t)planner->plan->step_count - p->first_step;
    rx_planner_finish_steps(planner);
    return p->graph ? rx_planner_readings(planner, p) : 0;
}

static int make_pipeline(struct rx_planner *planner, struct rx_logical_pipeline *p)
{
    planner->pipeline = p;
    if (p->tree->kind != RX_TREE_MAP) {
        rx_diagnosef(planner->diagnostics, p->tree, "{from: SOURCE, pipe: [filter: value > 3]}",
                     "pipeline \"%s\" must be a mapping", p->name);
        return 0;
    }
    planner->scratch = rx_plan_arena_create(planner->plan->heap);
    if (!planner->scratch)
        return -ENOMEM;
    int r = make_steps(planner, p);
    if (r == 0)
        r = rx_planner_sinks(planner, p, rx_tree_get(p->tree, "to"), rx_plan_known(planner->scratch));
    p->known = rx_plan_known(planner->scratch);
    p->known.declared = p->known.declared || p->known.closed;
    p->known.closed = false;
    rx_plan_arena_destroy(planner->scratch);
    planner->scratch = NULL;
    return r;
}

/* ---- the whole ---- */

static int make_all(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    int r = rx_planner_sources(planner);
    if (r == 0)
        r = declare_pipelines(planner);
    for (size_t i = 0; r == 0 && i < plan->pipeline_count; i++)
        r = make_pipeline(planner, &plan->pipelines[i]);
    if (r == 0)
        r = rx_planner_order(planner);
    if (r == 0 && rx_diagnostics_count(planner->diagnostics) > 0)
        r = -EINVAL;
    for (size_t i = 0; r == 0 && i < plan->pipeline_count; i++)
        r = plan->pipelines[i].graph ? 0 : -ENOMEM; /* no mistake was told of, so it is that */
    if (r < 0)
        return r;
    rx_planner_ends(planner);
    rx_planner_times(planner);
    rx_planner_singles(planner);
    r = rx_planner_fields(planner);
    if (r == 0)
        rx_planner_bound(planner);
    if (r == 0 && !planner->options->replay) {
        rx_planner_paces(planner);
        r = rx_planner_remarks(planner);
    }
    return r == 0 && rx_diagnostics_count(planner->diagnostics) > 0 ? -EINVAL : r;
}

static struct rx_logical *create(void)
{
    struct rx_logical *plan = calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->heap = rx_heap_create(NULL);
    plan->arena = plan->heap ? rx_plan_arena_create(plan->heap) : NULL;
    plan->outlets = rx_names_create();
    if (plan->arena && plan->outlets)
        return plan;
    rx_logical_destroy(plan);
    return NULL;
}

int rx_logical_create(const struct rx_forest *forest, const struct rx_logical_options *options,
                      struct rx_diagnostics *diagnostics, struct rx_logical **ret)
{
    struct rx_logical *plan = create();
    if (!plan)
        return -ENOMEM;
    struct rx_planner planner = {.forest = forest, .options = options, .plan = plan, .diagnostics = diagnostics};
    int r = make_all(&planner);
    if (r < 0) {
        rx_logical_destroy(plan);
        return r;
    }
    *ret = plan;
    return 0;
}

void rx_logical_destroy(struct rx_logical *plan)
{
    if (!plan)
        return;
    free(plan->steps);
    free(plan->sources);
    rx_names_destroy(plan->outlets);
    rx_plan_arena_destroy(plan->arena);
    rx_heap_destroy(plan->heap);
    free(plan);
}

void rx_logical_walk(const struct rx_logical_graph *graph,
                     void (*each)(void *arg, const struct rx_logical_node *, unsigned depth), void *arg)
{
    struct {
        const struct rx_logical_graph *graph;
        size_t next;
    } stack[2 * RX_SCOPES_MAX + 4] = {{graph, 0}};
    size_t depth = graph ? 1 : 0;
    while (depth > 0) {
        if (stack[depth - 1].next == stack[depth - 1].graph->count) {
            depth--;
            continue;
        }
        const struct rx_logical_node *node = &stack[depth - 1].graph->nodes[stack[depth - 1].next++];
        each(arg, node, (unsigned)depth - 1);
        const struct rx_logical_graph *inside[] = {node->opened, node->scope}; /* the scope is walked first */
        for (size_t i = 0; i < 2; i++) {
            if (!inside[i] || depth == sizeof stack / sizeof *stack)
                continue;
            stack[depth].graph = inside[i];
            stack[depth++].next = 0;
        }
    }
}
