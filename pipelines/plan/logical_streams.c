/* Streams where they are read: a name, a list of names, steps in place, a source in place, or one that is made there (of, interval). */
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/logical_build.h"
#include "pipelines/plan/registry.h"

static int leaf_of(struct rx_builder *b, struct rx_outlet *outlet, const struct rx_tree *where)
{
    if (!outlet)
        return rx_builder_fail(b);
    int leaf = rx_builder_add_node(
        b, &(struct rx_step_words){
               .class = &rx_operator_subscription, .name = "subscription", .where = where, .label = outlet->name});
    if (leaf >= 0)
        b->drafts[leaf].node.reads = outlet;
    return leaf;
}

/* Several names are one stream, merged. */
static int build_merged(struct rx_builder *b, const struct rx_tree *list)
{
    const struct rx_operator_class *merge = rx_registry_merging();
    int inputs[RX_PORTS_MAX];
    if (list->count == 0 || list->count > RX_PORTS_MAX) {
        rx_diagnosef(b->planner->diagnostics, list, NULL, "name between 1 and %d streams", RX_PORTS_MAX);
        return rx_builder_fail(b);
    }
    for (size_t i = 0; i < list->count; i++)
        inputs[i] = rx_builder_stream(b, list->items[i]);
    if (list->count == 1)
        return inputs[0];
    int node = rx_builder_add_node(
        b, &(struct rx_step_words){.class = merge, .name = "from", .where = list, .options = list, .label = "from"});
    for (size_t i = 0; i < list->count; i++)
        rx_builder_connect(b, inputs[i], node, list->items[i]->text);
    return node;
}

/* The steps behind a stream may count on what is known of it: one that is read by its name, or that is one source. */
void rx_builder_know(struct rx_builder *b, int node)
{
    const struct rx_outlet *outlet = node >= 0 ? b->drafts[node].node.reads : NULL;
    if (outlet)
        rx_plan_know(b->planner->scratch, rx_planner_types_of(b->planner, outlet));
}

static int build_inline_pipe(struct rx_builder *b, const struct rx_tree *stream)
{
    const char *outer = b->scopes;
    const struct rx_scope *outer_scope = b->scope;
    struct rx_position at = {.pipe = rx_tree_get(stream, "pipe")};
    for (size_t i = 0; i < stream->count; i++)
        if (strcmp(stream->keys[i]->text, "from") != 0 && strcmp(stream->keys[i]->text, "pipe") != 0)
            rx_diagnosef(b->planner->diagnostics, stream->keys[i], "a stream is a name or {from: .., pipe: [..]}",
                         "unknown key \"%s\"", stream->keys[i]->text);
    int upstream = rx_builder_stream(b, rx_tree_get(stream, "from"));
    rx_builder_know(b, upstream);
    b->scopes = "";
    b->scope = NULL;
    int last = at.pipe ? rx_builder_steps(b, upstream, &at) : upstream;
    b->scopes = outer;
    b->scope = outer_scope;
    return last;
}

/* An inline source: {timer: {every: 1s}}. It is named after the pipeline. */
static int build_inline_source(struct rx_builder *b, const struct rx_tree *tree)
{
    struct rx_planner *planner = b->planner;
    char name[200];
    snprintf(name, sizeof name, "%.180s.source%u", planner->pipeline->name, planner->inline_sources++);
    struct rx_logical_source *source = rx_planner_add_source(planner, name, tree);
    return leaf_of(b, source ? &source->out : NULL, tree);
}

/* A stream that is made where it is read, by a step without an input: there is no event for its expressions to name fields of. */
static int build_made(struct rx_builder *b, const struct rx_operator_class *class, const struct rx_tree *where,
                      const struct rx_tree *value)
{
    struct rx_plan_arena *scratch = b->planner->scratch;
    rx_plan_know(scratch, (struct rx_known){.closed = true});
    int node = rx_builder_node(
        b, -1,
        &(struct rx_written_step){
            .class = class, .name = class->base.name, .where = where, .value = value, .label = class->base.name});
    rx_plan_know(scratch, (struct rx_known){0});
    return node;
}

/* `never` and `empty` stand alone, unless a stream is called so. */
static int build_named(struct rx_builder *b, const struct rx_tree *name)
{
    const struct rx_operator_class *made = rx_registry_creation(name->text);
    if (!made || rx_logical_find_outlet(b->planner->plan, name->text))
        return leaf_of(b, rx_planner_outlet(b->planner, name->text, name), name);
    if (!made->base.options)
        return build_made(b, made, name, NULL);
    rx_diagnosef(b->planner->diagnostics, name, made->base.example,
                 "`%s` needs to be told more, and no stream has that name", made->base.name);
    return rx_builder_fail(b);
}

/* Beside a feed from outside more may be written: {timer: {every: 1s}, format: ...}. */
static int build_mapping(struct rx_builder *b, const struct rx_tree *stream)
{
    if (rx_tree_get(stream, "from"))
        return build_inline_pipe(b, stream);
    const struct rx_tree *first = stream->count ? stream->keys[0] : NULL;
    const struct rx_operator_class *made = first ? rx_registry_creation(first->text) : NULL;
    if (!made || (stream->count > 1 && rx_registry_source(first->text)))
        return build_inline_source(b, stream);
    if (stream->count == 1)
        return build_made(b, made, first, stream->items[0]);
    rx_diagnosef(b->planner->diagnostics, stream->keys[1], "steps go with it so: {from: {of: [1, 2]}, pipe: [...]}",
                 "nothing stands beside `%s`", first->text);
    return rx_builder_fail(b);
}

static int build_any_stream(struct rx_builder *b, const struct rx_tree *stream)
{
    if (!stream)
        return rx_builder_fail(b);
    if (stream->kind == RX_TREE_SCALAR)
        return build_named(b, stream);
    return stream->kind == RX_TREE_LIST ? build_merged(b, stream) : build_mapping(b, stream);
}

/* Nothing is known of another stream's events, nor does it tell of this one's. */
int rx_builder_stream(struct rx_builder *b, const struct rx_tree *stream)
{
    struct rx_plan_arena *scratch = b->planner->scratch;
    struct rx_known known = rx_plan_known(scratch);
    rx_plan_know(scratch, (struct rx_known){0});
    int node = build_any_stream(b, stream);
    rx_plan_know(scratch, known);
    return node;
}

/* ---- other streams of a step ---- */

/* Other streams of a step (with, other, until ...) become its further ports, in table order. */
void rx_builder_connect_streams(struct rx_builder *b, int node, const struct rx_written_step *step)
{
    const struct rx_option *o = step->class->base.options;
    for (; o && o->name; o++) {
        const struct rx_tree *tree =
            (o->type == RX_OPTION_STREAM || o->type == RX_OPTION_STREAMS) && !(o->flags & RX_OPENED)
                ? rx_option_tree(&step->class->base, step->value, o)
                : NULL;
        if (!tree)
            continue;
        size_t n = rx_stream_count(tree);
        if (n == 0) {
            rx_diagnosef(b->planner->diagnostics, tree, "name a source or a pipeline", "`%s` names no stream", o->name);
            rx_builder_fail(b);
        }
        if (b->drafts[node].node.input_count + n > RX_PORTS_MAX) {
            rx_diagnosef(b->planner->diagnostics, tree, NULL, "at most %d streams in one step", RX_PORTS_MAX - 1);
            rx_builder_fail(b);
            return;
        }
        for (size_t i = 0; i < n; i++) {
            const char *name;
            const struct rx_tree *stream = rx_stream_at(tree, i, &name);
            rx_builder_connect(b, rx_builder_stream(b, stream), node, name ? name : o->name);
        }
    }
}
