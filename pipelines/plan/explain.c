/* Explaining a plan. */
#include "pipelines/plan/explain.h"

#include <stdio.h>
#include <string.h>

#include "pipelines/plan/registry.h"

struct walk {
    struct rx_buffer *out;
    const char *pipeline;
    bool spans;
};

/* ---- the value of an option, as text; the options speak through their table ---- */

static const void *option_of(const struct rx_node *node, const char *name, enum rx_option_type type)
{
    for (const struct rx_option *o = node->class->base.options; node->image && o && o->name; o++)
        if (strcmp(o->name, name) == 0 && o->type == type)
            return (const char *)node->image + o->offset;
    return NULL;
}

static int64_t int_of(const struct rx_node *node, const char *name, int64_t otherwise)
{
    const void *at = option_of(node, name, RX_OPTION_INT);
    int64_t value = otherwise;
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

static struct rx_extent extent_of(const struct rx_node *node, const char *name)
{
    struct rx_extent extent = {0};
    const void *at = option_of(node, name, RX_OPTION_EXTENT);
    if (at)
        memcpy(&extent, at, sizeof extent);
    return extent;
}

static void put_exprs(struct rx_buffer *out, const struct rx_node *node)
{
    for (const struct rx_option *o = node->class->base.options; node->image && o && o->name; o++) {
        if (o->type != RX_OPTION_EXPR)
            continue;
        struct rx_expr *expr;
        memcpy(&expr, (const char *)node->image + o->offset, sizeof expr);
        if (expr)
            rx_buffer_printf(out, "  %s: %s", o->name, rx_expr_text(expr));
    }
}

static void put_extents(struct rx_buffer *out, const struct rx_node *node)
{
    static const char *const names[] = {"size", "every"};
    for (size_t i = 0; i < 2; i++) {
        struct rx_extent extent = extent_of(node, names[i]);
        char text[40];
        if (extent.duration) {
            rx_format_duration(extent.duration, text, sizeof text);
            rx_buffer_printf(out, "  %s: %s", names[i], text);
        } else if (extent.count) {
            rx_buffer_printf(out, "  %s: %llu", names[i], (unsigned long long)extent.count);
        }
    }
}

/* ---- state bounds and first output ---- */

static void put_bound(struct rx_buffer *out, const struct rx_node *node)
{
    int64_t keys = int_of(node, "max_keys", 0), max = int_of(node, "max", 0);
    struct rx_extent size = extent_of(node, "size");
    if (keys)
        rx_buffer_printf(out, "  state: at most %lld keys", (long long)keys);
    else if (size.count)
        rx_buffer_printf(out, "  state: at most %llu events", (unsigned long long)size.count);
    else if (max)
        rx_buffer_printf(out, "  state: at most %lld events", (long long)max);
    else if (node->class->save && !node->subgraphs[0])
        rx_buffer_text(out, "  state: fixed");
}

/* "2.group_by+window+aggregate": the first step's label, and the names of those that run with it. */
static void put_label(struct rx_buffer *out, const struct rx_node *node)
{
    rx_buffer_text(out, node->step->label);
    for (unsigned i = 1; i < node->step_count; i++)
        rx_buffer_printf(out, "+%s", node->steps[i]->class->base.name);
}

static void put_node(void *arg, const struct rx_node *node, unsigned depth)
{
    struct walk *w = arg;
    if (node->class == &rx_operator_entry)
        return;
    rx_buffer_printf(w->out, "    %*s", (int)depth * 2, "");
    put_label(w->out, node);
    if (node->class == &rx_operator_subscription) {
        rx_buffer_text(w->out, "  (subscription)");
    } else {
        put_exprs(w->out, node);
        put_extents(w->out, node);
        put_bound(w->out, node);
        if (node->span_ok && w->spans)
            rx_buffer_text(w->out, "  [spans]");
    }
    rx_buffer_text(w->out, "\n");
}

struct first {
    rx_time after;
    bool counted;
};

static void add_delay(void *arg, const struct rx_node *node, unsigned depth)
{
    struct first *f = arg;
    (void)depth;
    struct rx_extent size = extent_of(node, "size");
    const void *delay = option_of(node, "for", RX_OPTION_DURATION);
    rx_time wait = size.duration;
    if (delay)
        memcpy(&wait, delay, sizeof wait);
    f->after += wait;
    f->counted = f->counted || size.count;
}

static void put_first_output(struct rx_buffer *out, const struct rx_plan_pipeline *p)
{
    struct first f = {0};
    char text[40];
    rx_plan_walk(p->graph, add_delay, &f);
    rx_buffer_text(out, "  first output: ");
    if (f.after) {
        rx_format_duration(f.after, text, sizeof text);
        rx_buffer_printf(out, "at most %s after the first event", text);
    } else {
        rx_buffer_text(out, "with the first event that passes");
    }
    rx_buffer_text(out, f.counted ? ", and when a count is full\n" : "\n");
}

/* ---- the whole ---- */

static void put_sources(const struct rx_plan *plan, struct rx_buffer *out)
{
    rx_buffer_text(out, "sources\n");
    for (size_t i = 0; i < plan->source_count; i++) {
        const struct rx_plan_source *s = &plan->sources[i];
        rx_buffer_printf(out, "  %s (%s)  decodes:", s->name, s->source->class->base.name);
        if (!s->used)
            rx_buffer_text(out, " nothing, as no pipeline reads it");
        else if (rx_fields_all(s->fields))
            rx_buffer_text(out, " all fields");
        else
            for (size_t k = 0; k < rx_fields_count(s->fields); k++)
                rx_buffer_printf(out, " %s", rx_fields_at(s->fields, k)->text);
        rx_buffer_text(out, "\n");
    }
}

static void put_pipeline(const struct rx_plan_pipeline *logical, const struct rx_plan_pipeline *physical,
                         struct rx_buffer *out)
{
    struct walk w = {.out = out, .pipeline = logical->name};
    rx_buffer_printf(out, "\npipeline %s\n  logical plan\n", logical->name);
    rx_plan_walk(logical->graph, put_node, &w);
    rx_buffer_text(out, "  physical plan\n");
    w.spans = true;
    rx_plan_walk(physical->graph, put_node, &w);
    rx_buffer_text(out, "  to:");
    for (size_t i = 0; i < physical->sink_count; i++)
        rx_buffer_printf(out, " %s", physical->sinks[i].sink->class->base.name);
    rx_buffer_text(out, "\n");
    put_first_output(out, logical);
}

void rx_explain(const struct rx_plan *logical, const struct rx_plan *physical, const char *name, struct rx_buffer *out)
{
    put_sources(physical, out);
    for (size_t i = 0; i < logical->pipeline_count; i++)
        if (!name || strcmp(logical->pipelines[i].name, name) == 0)
            put_pipeline(&logical->pipelines[i], &physical->pipelines[i], out);
}

/* ---- Graphviz ---- */

static void put_dot_graph(const struct rx_subgraph *graph, const char *prefix, const char *feeds, struct rx_buffer *out)
{
    char inner[256];
    for (size_t i = 0; i < graph->count; i++) {
        const struct rx_node *node = &graph->nodes[i];
        rx_buffer_printf(out, "  \"%s/%zu\" [label=\"", prefix, i);
        put_label(out, node);
        rx_buffer_text(out, "\"];\n");
        if (node->hub && node->class == &rx_operator_subscription)
            rx_buffer_printf(out, "  \"%s\" -> \"%s/%zu\";\n", rx_hub_name(node->hub), prefix, i);
        if (node->down >= 0)
            rx_buffer_printf(out, "  \"%s/%zu\" -> \"%s/%d\";\n", prefix, i, prefix, node->down);
        else
            rx_buffer_printf(out, "  \"%s/%zu\" -> \"%s\";\n", prefix, i, feeds);
        if (!node->subgraphs[0])
            continue;
        snprintf(inner, sizeof inner, "%.200s/%zu", prefix, i);
        rx_buffer_printf(out, "  \"%s\" -> \"%s/0\" [style=dashed];\n", inner, inner);
        put_dot_graph(node->subgraphs[0], inner, inner, out);
    }
}

void rx_explain_dot(const struct rx_plan *plan, const char *name, struct rx_buffer *out)
{
    rx_buffer_text(out, "digraph rxd {\n  rankdir=LR;\n  node [shape=box];\n");
    for (size_t i = 0; i < plan->source_count; i++)
        if (plan->sources[i].used)
            rx_buffer_printf(out, "  \"%s\" [shape=ellipse];\n", plan->sources[i].name);
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        const struct rx_plan_pipeline *p = &plan->pipelines[i];
        if (name && strcmp(p->name, name) != 0)
            continue;
        rx_buffer_printf(out, "  \"%s\" [shape=ellipse, style=bold];\n", p->name);
        put_dot_graph(p->graph, p->name, p->name, out);
    }
    rx_buffer_text(out, "}\n");
}
