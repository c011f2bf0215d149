/* Bounds: what every step may keep, in bytes, from what its class says of it (facts.h), times the groups and windows around
 * it. Keys, texts and events may be of any size: they are counted as most are, and docs/config.md says how. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"

enum {
    VALUE_BYTES = 64,     /* a number, or a text of up to 40 bytes in its block */
    EVENT_BYTES = 128,    /* without its fields */
    FIELDS_UNKNOWN = 14,  /* of an event that nothing is known of: 1 KiB in all */
    KEY_BYTES = 192,      /* a key in its table, and its mark */
    INSTANCE_BYTES = 512, /* what an open group or window takes besides the state of the steps in it */
    TIMER_BYTES = 64,
};

struct bound {
    struct rx_planner *planner;
    uint64_t total;          /* of the pipeline at hand */
    struct rx_step *largest; /* of all */
};

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* ---- fields ---- */

static unsigned width_of_outlet(const struct rx_outlet *outlet)
{
    const struct rx_logical_source *source = outlet->source;
    const struct rx_logical_pipeline *p = outlet->pipeline;
    if (source && outlet == &source->out)
        return rx_fields_all(source->fields) ? FIELDS_UNKNOWN : (unsigned)rx_fields_count(source->fields);
    if (p && outlet == &p->out)
        return p->graph->nodes[p->graph->count - 1].width;
    return FIELDS_UNKNOWN;
}

static unsigned width_after(const struct rx_logical_node *node, unsigned in)
{
    const struct rx_tree *options = rx_tree_whole(node->step->options);
    unsigned named = options && options->kind == RX_TREE_MAP ? (unsigned)options->count : 1;
    switch (node->step->facts.output) {
    case RX_OUTPUT_PASSES:
        return in;
    case RX_OUTPUT_EDITS:
        return in + named;
    case RX_OUTPUT_REPLACES:
        return named + 2; /* a key, and the window */
    default:
        return FIELDS_UNKNOWN;
    }
}

static unsigned width_before(const struct rx_logical_graph *graph, const struct rx_logical_node *node, unsigned entry)
{
    unsigned widest = node->input_count == 0 ? entry : 0;
    for (unsigned i = 0; i < node->input_count; i++) {
        unsigned width = graph->nodes[node->inputs[i].node].width;
        widest = width > widest ? width : widest;
    }
    return widest;
}

/* ---- bytes ---- */

/* So many scopes may be open behind a step at once. */
static uint64_t scopes_of(const struct rx_facts *facts)
{
    uint64_t n = facts->parts ? facts->parts : facts->keys ? facts->keys : facts->windows;
    return n ? n : 1;
}

/* What a scope runs in: so many of it at once, and so many events in each. */
struct around {
    uint64_t scopes, events;
};

static uint64_t less(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t bytes_of(const struct rx_logical_node *node, unsigned width, uint64_t limit)
{
    const struct rx_step *step = node->step;
    const struct rx_facts *facts = &step->facts;
    uint64_t each = plus(times(less(facts->events, limit), EVENT_BYTES + (uint64_t)width * VALUE_BYTES),
                         plus(times(facts->values, VALUE_BYTES), facts->bytes));
    each = plus(each, (uint64_t)(facts->keys ? KEY_BYTES : 0) + (node->scope ? INSTANCE_BYTES : 0));
    return plus(times(scopes_of(facts), each),
                step->class->base.state_size + (uint64_t)step->class->timer_slots * TIMER_BYTES);
}

/* In a group each step has a struct of its own, whether it keeps anything or not; what stands once for all counts only where it
 * keeps something. */
static void bound_step(struct bound *b, const struct rx_logical_node *node, unsigned width, const struct around *around)
{
    struct rx_step *step = b->planner->plan->steps[node->step->number];
    if (step->class->base.flags & RX_INTERNAL || (around->scopes == 1 && !step->class->save && !node->scope))
        return;
    step->bytes = times(around->scopes, bytes_of(node, width, around->events));
    b->total = plus(b->total, step->bytes);
    if (!b->largest || step->bytes > b->largest->bytes)
        b->largest = step;
}

static struct around inside(const struct around *around, const struct rx_facts *facts)
{
    uint64_t limit = facts->scope_events ? facts->scope_events : UINT64_MAX;
    return (struct around){.scopes = times(around->scopes, scopes_of(facts)), .events = less(around->events, limit)};
}

static void bound_graph(struct bound *b, struct rx_logical_graph *graph, unsigned entry, const struct around *around)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct rx_logical_node *node = &graph->nodes[i];
        unsigned in = node->reads ? width_of_outlet(node->reads) : width_before(graph, node, entry);
        bound_step(b, node, in, around);
        struct around scope = inside(around, &node->step->facts);
        if (node->scope)
            bound_graph(b, node->scope, in, &scope);
        if (node->opened)
            bound_graph(b, node->opened, in, &scope);
        node->width = node->scope ? node->scope->nodes[node->scope->count - 1].width : width_after(node, in);
    }
}

static void bound_outlet(struct rx_planner *planner, struct rx_outlet *outlet)
{
    uint64_t each = EVENT_BYTES + (uint64_t)width_of_outlet(outlet) * VALUE_BYTES;
    outlet->bytes = times((uint64_t)outlet->share.replay, each);
    planner->plan->bytes = plus(planner->plan->bytes, outlet->bytes);
}

/* ---- the budget ---- */

static void read_budget(struct rx_planner *planner)
{
    const struct rx_tree *tree = rx_forest_section(planner->forest, "max_state");
    struct rx_error error = {0};
    planner->plan->max_state = UINT64_MAX;
    if (!tree)
        return;
    if (tree->kind != RX_TREE_SCALAR)
        rx_diagnosef(planner->diagnostics, tree, "max_state: 512MiB", "max_state is a size");
    else if (rx_parse_size(tree->text, &planner->plan->max_state, &error) < 0)
        rx_diagnose(planner->diagnostics, tree, &error);
}

/* "max_keys", "max, max_keys": the options that bound what a step keeps; false: it has none. */
static bool name_limits(const struct rx_step *step, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (const struct rx_option *o = step->class->base.options; o && o->name && used < size; o++)
        if (strncmp(o->name, "max", 3) == 0 && strcmp(o->name, "max_age") != 0)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", o->name);
    return used > 0;
}

/* What to lower: of the nearest step around it that multiplies it, or else its own. */
static void advise(const struct rx_step *step, const struct rx_step *around, char *hint, size_t size)
{
    char limits[100], own[100];
    bool limited = name_limits(step, own, sizeof own);
    if (around && name_limits(around, limits, sizeof limits))
        snprintf(hint, size, "it runs once per group: lower %s of `%s` in line %u%s%s, or raise max_state", limits,
                 around->class->base.name, around->where->at.line, limited ? ", or its own " : "", limited ? own : "");
    else if (limited)
        snprintf(hint, size, "lower its %s, or raise max_state; `rxd explain` shows what each step may keep", own);
    else
        snprintf(hint, size, "let it keep less, or raise max_state; `rxd explain` shows what each step may keep");
}

struct search {
    const struct rx_step *step, *around;
    const struct rx_step *openers[RX_SCOPES_MAX + 2]; /* of the scopes around the node at hand, by depth */
};

static void find_around(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct search *s = arg;
    s->openers[depth] = node->step;
    if (node->step != s->step)
        return;
    while (depth > 0 && !s->around)
        if (s->openers[--depth]->facts.keys)
            s->around = s->openers[depth];
}

static void refuse(struct rx_planner *planner, const struct rx_step *largest)
{
    const struct rx_logical *plan = planner->plan;
    char bytes[24], all[24], budget[24], hint[400];
    struct search s = {.step = largest};
    for (size_t i = 0; i < plan->pipeline_count; i++)
        rx_logical_walk(plan->pipelines[i].graph, find_around, &s);
    rx_format_size(largest->bytes, bytes, sizeof bytes);
    rx_format_size(plan->bytes, all, sizeof all);
    rx_format_size(plan->max_state, budget, sizeof budget);
    advise(largest, s.around, hint, sizeof hint);
    rx_diagnosef(planner->diagnostics, largest->where, hint,
                 "all steps may keep %s, and max_state is %s: the largest part, %s, is of this `%s`", all, budget,
                 bytes, largest->where->text ? largest->where->text : largest->class->base.name);
}

static void refuse_share(struct rx_planner *planner, const struct rx_outlet *outlet)
{
    char bytes[24], all[24], budget[24];
    rx_format_size(outlet->bytes, bytes, sizeof bytes);
    rx_format_size(planner->plan->bytes, all, sizeof all);
    rx_format_size(planner->plan->max_state, budget, sizeof budget);
    rx_diagnosef(planner->diagnostics, outlet->share_tree, "lower its replay, or raise max_state",
                 "all may keep %s, and max_state is %s: the largest part, %s, is what %s keeps for late subscribers",
                 all, budget, bytes, outlet->name);
}

static const struct rx_outlet *larger(const struct rx_outlet *a, const struct rx_outlet *b)
{
    return b->bytes > (a ? a->bytes : 0) ? b : a;
}

static void hold_to_budget(struct rx_planner *planner, const struct rx_step *largest)
{
    const struct rx_logical *plan = planner->plan;
    const struct rx_outlet *kept = NULL;
    if (plan->bytes <= plan->max_state)
        return;
    for (size_t i = 0; i < plan->source_count; i++)
        kept = larger(kept, &plan->sources[i]->out);
    for (size_t i = 0; i < plan->pipeline_count; i++)
        kept = larger(kept, &plan->pipelines[i].out);
    if (kept && (!largest || kept->bytes > largest->bytes))
        refuse_share(planner, kept);
    else if (largest)
        refuse(planner, largest);
}

void rx_planner_bound(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    struct bound b = {.planner = planner};
    read_budget(planner);
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_logical_pipeline *p = &plan->pipelines[plan->ordered[i]];
        b.total = 0;
        bound_graph(&b, p->graph, FIELDS_UNKNOWN, &(struct around){.scopes = 1, .events = UINT64_MAX});
        p->bytes = b.total;
        plan->bytes = plus(plan->bytes, b.total);
        bound_outlet(planner, &p->out);
    }
    for (size_t i = 0; i < plan->source_count; i++)
        bound_outlet(planner, &plan->sources[i]->out);
    hold_to_budget(planner, b.largest);
}
