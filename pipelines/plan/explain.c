/* Explaining a plan. */
#include "pipelines/plan/explain.h"

#include <stdio.h>
#include <string.h>

#include "pipelines/plan/registry.h"

/* "2.group_by+window+aggregate": the first step's label, and the names of those that run with it. */
static void put_label(struct rx_buffer *out, const struct rx_node *node)
{
    rx_buffer_text(out, node->step->label);
    for (unsigned i = 1; i < node->step_count; i++)
        rx_buffer_printf(out, "+%s", node->steps[i]->class->base.name);
}

static bool is_shown(const struct rx_step *step) { return step->class != &rx_operator_entry; }

/* ---- what was written ---- */

static void put_value(struct rx_buffer *out, const char *name, const struct rx_tree *value)
{
    if (value && value->kind == RX_TREE_SCALAR)
        rx_buffer_printf(out, "  %s: %s", name, value->text);
}

static void put_options(struct rx_buffer *out, const struct rx_step *step)
{
    const struct rx_class *class = &step->class->base;
    for (const struct rx_option *o = class->options; o && o->name; o++)
        put_value(out, o->name, rx_option_tree(class, step->options, o));
}

/* ---- state bounds and first output ---- */

static void put_count(struct rx_buffer *out, uint64_t count, const char *what)
{
    rx_buffer_printf(out, " at most %llu %s%s", (unsigned long long)count, what, count == 1 ? "" : "s");
}

static void put_bound(struct rx_buffer *out, const struct rx_step *step)
{
    const struct rx_facts *facts = &step->facts;
    char bytes[24];
    if (step->bytes == 0)
        return;
    rx_format_size(step->bytes, bytes, sizeof bytes);
    rx_buffer_text(out, "  state:");
    if (facts->keys || facts->windows)
        put_count(out, facts->keys ? facts->keys : facts->windows, facts->keys ? "key" : "window");
    if (facts->events && facts->keys)
        rx_buffer_text(out, ", of each");
    if (facts->events)
        put_count(out, facts->events, "event");
    if (!facts->keys && !facts->windows && !facts->events)
        rx_buffer_text(out, " fixed");
    rx_buffer_printf(out, ", %s", bytes);
}

static void put_logical(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct rx_buffer *out = arg;
    if (!is_shown(node->step))
        return;
    rx_buffer_printf(out, "    %*s%s", (int)depth * 2, "", node->step->label);
    if (node->reads)
        rx_buffer_text(out, "  (subscription)");
    put_options(out, node->step);
    put_bound(out, node->step);
    rx_buffer_text(out, "\n");
}

/* Where many pipelines read one stream, it is not asked of each event. */
static void put_index(struct rx_buffer *out, const struct rx_expr_gate *gate)
{
    rx_buffer_printf(out, "  [index on %s, by %s]", gate->key->text, gate->kind == RX_GATE_EQUAL ? "value" : "range");
}

static void put_physical(void *arg, const struct rx_node *node, unsigned depth)
{
    struct rx_buffer *out = arg;
    if (!is_shown(node->step))
        return;
    rx_buffer_printf(out, "    %*s", (int)depth * 2, "");
    put_label(out, node);
    if (node->span_ok && node->class != &rx_operator_subscription)
        rx_buffer_text(out, "  [spans]");
    if (node->indexed)
        put_index(out, rx_expr_gate(node->class->condition(node->image)));
    rx_buffer_text(out, "\n");
}

static rx_time sum(rx_time a, rx_time b) { return a > RX_TIME_NEVER - b ? RX_TIME_NEVER : a + b; }

/* How long a graph makes its first output wait: where streams meet, as long as the last of them. */
static rx_time wait_of(const struct rx_logical_graph *graph)
{
    rx_time waits[RX_STEPS_MAX];
    for (size_t i = 0; i < graph->count; i++) {
        const struct rx_logical_node *node = &graph->nodes[i];
        waits[i] = 0;
        for (unsigned k = 0; k < node->input_count; k++)
            if (waits[node->inputs[k].node] > waits[i])
                waits[i] = waits[node->inputs[k].node];
        waits[i] = sum(waits[i], node->step->facts.wait);
        if (node->scope)
            waits[i] = sum(waits[i], wait_of(node->scope));
    }
    return graph->count ? waits[graph->count - 1] : 0;
}

static void note_count(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    (void)depth;
    *(bool *)arg = *(bool *)arg || node->step->facts.counts;
}

static void put_first_output(struct rx_buffer *out, const struct rx_logical_pipeline *p)
{
    rx_time after = wait_of(p->graph);
    bool counted = false;
    char text[40];
    rx_logical_walk(p->graph, note_count, &counted);
    rx_buffer_text(out, "  first output: ");
    if (after) {
        rx_format_duration(after, text, sizeof text);
        rx_buffer_printf(out, "at most %s after the first event", text);
    } else {
        rx_buffer_text(out, "with the first event that passes");
    }
    rx_buffer_text(out, counted ? ", and when a count is full\n" : "\n");
}

static void put_total(struct rx_buffer *out, const char *of, uint64_t total)
{
    char bytes[24];
    rx_format_size(total, bytes, sizeof bytes);
    rx_buffer_printf(out, "%s: at most %s\n", of, bytes);
}

/* ---- the whole ---- */

static void put_event_time(struct rx_buffer *out, const struct rx_logical_source *s)
{
    const struct rx_tree *time = rx_tree_get(s->common, "event_time"), *idle = rx_tree_get(s->common, "idle_timeout");
    if (!time && !(s->class->base.flags & RX_SOURCE_TIMED))
        return;
    rx_buffer_text(out, "    event time: ");
    const struct rx_tree *expr = rx_tree_get(time, "expr"), *unit = rx_tree_get(time, "unit");
    const char *brought = time ? "" : "as another rxd sends it, else the arrival";
    rx_buffer_printf(out, "%s%s%s", expr ? expr->text : brought, unit ? " in " : "", unit ? unit->text : "");
    static const char *const bounds[] = {"lateness", "max_ahead", NULL};
    for (size_t i = 0; bounds[i]; i++) {
        const struct rx_tree *value = rx_tree_get(s->common, bounds[i]);
        if (value)
            rx_buffer_printf(out, ", %s %s", bounds[i], value->text);
    }
    if (idle)
        rx_buffer_printf(out, "; idle after %s, it runs on with the clock\n", idle->text);
    else
        rx_buffer_text(out, "; without idle_timeout only events move it: the last windows wait for them\n");
}

static void put_holder(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct rx_buffer *out = arg;
    (void)depth;
    if (node->reads && node->reads->told)
        rx_buffer_printf(out, " %s", node->reads->name);
}

static void put_share(struct rx_buffer *out, const char *indent, const struct rx_outlet *outlet)
{
    char text[40];
    if (!outlet->share_tree)
        return;
    rx_buffer_printf(out, "%sshare:", indent);
    if (outlet->share.grace) {
        rx_format_duration(outlet->share.grace, text, sizeof text);
        rx_buffer_printf(out, " goes on for %s without a reader%s", text, outlet->share.replay ? ";" : "");
    }
    if (outlet->share.replay) {
        rx_format_size(outlet->bytes, text, sizeof text);
        rx_buffer_text(out, " late ones are given");
        put_count(out, (uint64_t)outlet->share.replay, "event");
        rx_buffer_printf(out, ", %s", text);
    }
    rx_buffer_text(out, "\n");
}

static void put_sources(const struct rx_logical *plan, struct rx_buffer *out)
{
    rx_buffer_text(out, "sources\n");
    for (size_t i = 0; i < plan->source_count; i++) {
        const struct rx_logical_source *s = plan->sources[i];
        rx_buffer_printf(out, "  %s (%s)  decodes:", s->name, s->class->base.name);
        if (!s->used)
            rx_buffer_text(out, " nothing, as no pipeline reads it");
        else if (rx_fields_all(s->fields))
            rx_buffer_text(out, " all fields");
        else
            for (size_t k = 0; k < rx_fields_count(s->fields); k++)
                rx_buffer_printf(out, " %s", rx_fields_at(s->fields, k)->text);
        rx_buffer_text(out, "\n");
        put_event_time(out, s);
        put_share(out, "    ", &s->out);
    }
}

static void put_pipeline(const struct rx_plan_pipeline *p, struct rx_buffer *out)
{
    rx_buffer_printf(out, "\npipeline %s\n  logical plan\n", p->name);
    rx_logical_walk(p->logical->graph, put_logical, out);
    rx_buffer_text(out, "  physical plan\n");
    rx_plan_walk(p->graph, put_physical, out);
    rx_buffer_text(out, "  to:");
    for (size_t i = 0; i < p->sink_count; i++)
        rx_buffer_printf(out, " %s", p->sinks[i].sink->class->base.name);
    rx_buffer_text(out, "\n");
    if (p->logical->out.told) {
        rx_buffer_text(out, "  event time: the least of those that it reads:");
        rx_logical_walk(p->logical->graph, put_holder, out);
        rx_buffer_text(out, "\n");
    }
    put_share(out, "  ", &p->logical->out);
    put_first_output(out, p->logical);
    put_total(out, "  state", p->logical->bytes);
}

void rx_explain(const struct rx_plan *plan, const char *name, struct rx_buffer *out)
{
    put_sources(plan->logical, out);
    for (size_t i = 0; i < plan->pipeline_count; i++)
        if (!name || strcmp(plan->pipelines[i].name, name) == 0)
            put_pipeline(&plan->pipelines[i], out);
    rx_buffer_text(out, "\n");
    put_total(out, "state of all pipelines", plan->logical->bytes);
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
