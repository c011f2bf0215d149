/* Steps to sub-graphs: a pipeline's `from` and `pipe` as trees of nodes, scopes as sub-graphs inside. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/plan_private.h"
#include "pipelines/plan/registry.h"

/* Nodes of one sub-graph while it grows. */
struct builder {
    struct rx_planner *planner;
    struct rx_node nodes[RX_STEPS_MAX];
    size_t count;
    const char *scopes; /* from the outermost: 'g' group, 'w' window */
    bool failed;
};

/* Where a list of steps stopped: the next step, and how many scopes are to be closed by those around. */
struct position {
    const struct rx_tree *pipe;
    size_t next;
    size_t closing;
};

static void *image_of(struct rx_planner *planner, const struct rx_class *class)
{
    return rx_plan_alloc(planner->plan->arena, class->state_size);
}

/* A new node without inputs, running one new step; -1 when the sub-graph is full or memory is out. */
static int add_node(struct builder *b, const struct rx_step_words *words)
{
    struct rx_planner *planner = b->planner;
    struct rx_plan_arena *arena = planner->plan->arena;
    const struct rx_step **steps = rx_plan_alloc(arena, sizeof *steps);
    if (b->count == RX_STEPS_MAX || !steps) {
        rx_diagnosef(planner->diagnostics, words->where, NULL, "a pipeline has at most %d steps", RX_STEPS_MAX);
        b->failed = true;
        return -1;
    }
    steps[0] = rx_plan_add_step(planner, words);
    if (!steps[0]) {
        b->failed = true;
        return -1;
    }
    struct rx_node *node = &b->nodes[b->count];
    *node = (struct rx_node){
        .class = words->class,
        .step = steps[0],
        .steps = steps,
        .step_count = 1,
        .index = (uint16_t)b->count,
        .down = -1,
        .errors = planner->pipeline->errors,
    };
    return (int)b->count++;
}

static void connect(struct builder *b, int from, int to, const char *name)
{
    if (from < 0 || to < 0)
        return;
    struct rx_node *down = &b->nodes[to];
    down->input_names[down->input_count] = rx_key_intern(b->planner->plan->engine->heap, name, strlen(name));
    if (!down->input_names[down->input_count])
        b->failed = true;
    down->inputs[down->input_count] = (uint16_t)from;
    b->nodes[from].down = to;
    b->nodes[from].down_port = down->input_count++;
}

/* ---- streams: names, lists of names, inline pipes ---- */

static int build_steps(struct builder *b, int upstream, struct position *at);

static int leaf_of_hub(struct builder *b, struct rx_hub *hub, const struct rx_tree *where)
{
    if (!hub) {
        b->failed = true;
        return -1;
    }
    int leaf = add_node(
        b, &(struct rx_step_words){
               .class = &rx_operator_subscription, .name = "subscription", .where = where, .label = rx_hub_name(hub)});
    if (leaf >= 0)
        b->nodes[leaf].hub = hub;
    rx_plan_note_dependency(b->planner, hub);
    return leaf;
}

static int build_stream(struct builder *b, const struct rx_tree *stream);

/* Several names are one stream, merged. */
static int build_merged(struct builder *b, const struct rx_tree *list)
{
    const struct rx_operator_class *merge = rx_registry_operator("merge_with");
    int inputs[RX_PORTS_MAX], node;
    if (list->count == 0 || list->count > RX_PORTS_MAX || !merge) {
        rx_diagnosef(b->planner->diagnostics, list, NULL, "name between 1 and %d streams", RX_PORTS_MAX);
        b->failed = true;
        return -1;
    }
    for (size_t i = 0; i < list->count; i++)
        inputs[i] = build_stream(b, list->items[i]);
    if (list->count == 1)
        return inputs[0];
    node = add_node(b, &(struct rx_step_words){.class = merge, .name = "from", .where = list, .label = "from"});
    if (node >= 0)
        b->nodes[node].image = image_of(b->planner, &merge->base);
    for (size_t i = 0; i < list->count; i++)
        connect(b, inputs[i], node, list->items[i]->text);
    return node;
}

static int build_inline_pipe(struct builder *b, const struct rx_tree *stream)
{
    const char *outer = b->scopes;
    struct position at = {.pipe = rx_tree_get(stream, "pipe")};
    for (size_t i = 0; i < stream->count; i++)
        if (strcmp(stream->keys[i]->text, "from") != 0 && strcmp(stream->keys[i]->text, "pipe") != 0)
            rx_diagnosef(b->planner->diagnostics, stream->keys[i], "a stream is a name or {from: .., pipe: [..]}",
                         "unknown key \"%s\"", stream->keys[i]->text);
    int upstream = build_stream(b, rx_tree_get(stream, "from"));
    b->scopes = "";
    int last = at.pipe ? build_steps(b, upstream, &at) : upstream;
    b->scopes = outer;
    return last;
}

/* An inline source: {timer: {every: 1s}}. It is named after the pipeline. */
static int build_inline_source(struct builder *b, const struct rx_tree *tree)
{
    char name[160];
    snprintf(name, sizeof name, "%s.source%u", b->planner->pipeline->name, b->planner->steps);
    struct rx_plan_source *source = rx_plan_add_source(b->planner, name, tree);
    return leaf_of_hub(b, source ? source->hub : NULL, tree);
}

static int build_any_stream(struct builder *b, const struct rx_tree *stream)
{
    if (!stream) {
        b->failed = true;
        return -1;
    }
    if (stream->kind == RX_TREE_SCALAR)
        return leaf_of_hub(b, rx_plan_hub(b->planner, stream->text, stream), stream);
    if (stream->kind == RX_TREE_LIST)
        return build_merged(b, stream);
    if (rx_tree_get(stream, "from"))
        return build_inline_pipe(b, stream);
    return build_inline_source(b, stream);
}

/* Nothing is known of another stream's events, nor does it tell of this one's. */
static int build_stream(struct builder *b, const struct rx_tree *stream)
{
    struct rx_plan_arena *arena = b->planner->plan->arena;
    size_t count;
    const struct rx_expr_type *types = rx_plan_known(arena, &count);
    rx_plan_know(arena, NULL, 0);
    int node = build_any_stream(b, stream);
    rx_plan_know(arena, types, count);
    return node;
}

/* ---- one step ---- */

struct step {
    const char *name;
    const struct rx_tree *id;    /* NULL: none given */
    const struct rx_tree *where; /* the name's node */
    const struct rx_tree *value; /* NULL: none given */
    enum rx_on_error on_error;
    const struct rx_operator_class *class;
};

static int read_on_error(struct builder *b, const struct rx_tree *value, enum rx_on_error *ret)
{
    static const char *const names[] = {"dead_letter", "drop", "fail", "null", NULL};
    for (int i = 0; value->text && names[i]; i++) {
        if (strcmp(value->text, names[i]) == 0) {
            *ret = (enum rx_on_error)i;
            return 0;
        }
    }
    rx_diagnosef(b->planner->diagnostics, value, "on_error: dead_letter | drop | fail | null",
                 "on_error cannot be \"%s\"", value->text ? value->text : "a mapping");
    return -EINVAL;
}

static int read_step_key(struct builder *b, const struct rx_tree *key, const struct rx_tree *value, struct step *step)
{
    if (strcmp(key->text, "id") == 0 && value->kind == RX_TREE_SCALAR) {
        step->id = value;
        return 0;
    }
    if (strcmp(key->text, "on_error") == 0)
        return read_on_error(b, value, &step->on_error);
    if (step->name) {
        rx_diagnosef(b->planner->diagnostics, key, "start each step with its own \"- \"",
                     "a step has one operator, and this one has \"%s\" already", step->name);
        return -EINVAL;
    }
    step->name = key->text;
    step->where = key;
    step->value = value;
    return 0;
}

static int find_class(struct builder *b, struct step *step)
{
    step->class = rx_registry_operator(step->name);
    if (step->class)
        return 0;
    const char *near = rx_registry_nearest_operator(step->name);
    char hint[200];
    if (near)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    else
        snprintf(hint, sizeof hint, "`rxd operators` lists them all");
    rx_diagnosef(b->planner->diagnostics, step->where, hint, "there is no operator \"%s\"", step->name);
    return -EINVAL;
}

static int read_step(struct builder *b, const struct rx_tree *tree, struct step *step)
{
    *step = (struct step){.on_error = RX_DEAD_LETTER};
    if (tree->kind == RX_TREE_SCALAR) {
        step->name = tree->text;
        step->where = tree;
        return find_class(b, step);
    }
    int failed = tree->kind == RX_TREE_MAP ? 0 : -EINVAL;
    for (size_t i = 0; failed == 0 && i < tree->count; i++)
        failed = read_step_key(b, tree->keys[i], tree->items[i], step);
    if (failed == 0 && step->name)
        return find_class(b, step);
    if (failed == 0 || tree->kind == RX_TREE_LIST)
        rx_diagnosef(b->planner->diagnostics, tree, "a step is \"- take: 3\" or \"- pairwise\"",
                     "expected a step here: an operator's name, with its options");
    return -EINVAL;
}

static const struct rx_tree *stream_at(const void *image, const struct rx_option *option)
{
    const struct rx_tree *tree;
    memcpy(&tree, (const char *)image + option->offset, sizeof tree);
    return tree;
}

/* Other streams of a step (with, other, until ...) become its further ports, in table order. */
static void connect_streams(struct builder *b, int node, const struct step *step, const void *image)
{
    const struct rx_option *o = step->class->base.options;
    for (; o && o->name; o++) {
        if (o->type != RX_OPTION_STREAM && o->type != RX_OPTION_STREAMS)
            continue;
        const struct rx_tree *tree = stream_at(image, o);
        if (!tree)
            continue;
        bool one = tree->kind == RX_TREE_SCALAR || rx_tree_get(tree, "from") || o->type == RX_OPTION_STREAM;
        size_t n = one ? 1 : tree->count;
        if (b->nodes[node].input_count + n > RX_PORTS_MAX) {
            rx_diagnosef(b->planner->diagnostics, tree, NULL, "at most %d streams in one step", RX_PORTS_MAX);
            b->failed = true;
            return;
        }
        for (size_t i = 0; i < n; i++) {
            const struct rx_tree *stream = one ? tree : tree->items[i];
            const char *name = !one && tree->kind == RX_TREE_MAP ? tree->keys[i]->text : stream->text;
            connect(b, build_stream(b, stream), node, name ? name : o->name);
        }
    }
}

static void name_branch(struct builder *b, int node, const struct step *step)
{
    struct rx_planner *planner = b->planner;
    struct rx_plan_pipeline *p = planner->pipeline;
    const char *prefix = p->name;
    for (size_t i = 0; step->value && step->value->text && i < p->branch_count; i++)
        if (strncmp(p->branches[i].name, prefix, strlen(prefix)) == 0 &&
            strcmp(p->branches[i].name + strlen(prefix) + 1, step->value->text) == 0)
            b->nodes[node].hub = p->branches[i].hub;
}

static int build_node(struct builder *b, int upstream, const struct step *step)
{
    struct rx_planner *planner = b->planner;
    planner->steps++;
    void *image = image_of(planner, &step->class->base);
    if (!image || rx_options_parse(&step->class->base, step->value, step->where, planner->plan->arena, image,
                                   planner->diagnostics) < 0)
        b->failed = true;
    int node = add_node(
        b, &(struct rx_step_words){.class = step->class,
                                   .name = step->class->base.name,
                                   .id = step->id,
                                   .where = step->where,
                                   .options = step->value,
                                   .on_error = step->on_error,
                                   .hash = b->failed ? 0 : rx_options_hash(&step->class->base, step->value, image)});
    if (node < 0 || !image)
        return -1;
    b->nodes[node].image = image;
    connect(b, upstream, node, "");
    if (!b->failed)
        connect_streams(b, node, step, image);
    if (step->class->base.flags & RX_BRANCHES)
        name_branch(b, node, step);
    if (!b->failed)
        rx_plan_types_after(planner, &b->nodes[node], step->value);
    return node;
}

/* ---- scopes ---- */

/* Connecting later streams may have put nodes behind their consumer: order them so that inputs come first. */
static void order_nodes(const struct builder *b, int node, struct rx_node *out, size_t *count, uint16_t *place)
{
    const struct rx_node *from = &b->nodes[node];
    for (unsigned i = 0; i < from->input_count; i++)
        order_nodes(b, from->inputs[i], out, count, place);
    place[node] = (uint16_t)*count;
    out[(*count)++] = *from;
}

static void renumber(struct rx_node *nodes, size_t count, const uint16_t *place)
{
    for (size_t i = 0; i < count; i++) {
        nodes[i].index = (uint16_t)i;
        nodes[i].down = nodes[i].down < 0 ? -1 : place[nodes[i].down];
        for (unsigned k = 0; k < nodes[i].input_count; k++)
            nodes[i].inputs[k] = place[nodes[i].inputs[k]];
    }
}

static struct rx_subgraph *seal(struct builder *b, int exit_node)
{
    struct rx_plan_arena *arena = b->planner->plan->arena;
    struct rx_subgraph *graph = rx_plan_alloc(arena, sizeof *graph);
    struct rx_node *nodes = rx_plan_alloc(arena, b->count * sizeof *nodes);
    uint16_t place[RX_STEPS_MAX];
    if (b->failed || !graph || !nodes || exit_node < 0)
        return NULL;
    graph->nodes = nodes;
    order_nodes(b, exit_node, nodes, &graph->count, place);
    renumber(nodes, graph->count, place);
    return graph;
}

static struct builder *builder_create(struct rx_planner *planner, const char *scopes)
{
    struct builder *b = calloc(1, sizeof *b);
    if (b) {
        b->planner = planner;
        b->scopes = scopes;
    }
    return b;
}

/* The steps behind an opener, up to the one that closes its scope, as a sub-graph of its own. */
static void build_scope(struct builder *outer, int opener, char kind, struct position *at)
{
    char scopes[RX_SCOPES_MAX + 2];
    if (strlen(outer->scopes) >= RX_SCOPES_MAX) {
        rx_diagnosef(outer->planner->diagnostics, at->pipe, NULL, "scopes nest at most %d deep", RX_SCOPES_MAX);
        outer->failed = true;
        return;
    }
    snprintf(scopes, sizeof scopes, "%s%c", outer->scopes, kind);
    struct builder *b = builder_create(outer->planner, scopes);
    if (!b) {
        outer->failed = true;
        return;
    }
    int entry = add_node(
        b, &(struct rx_step_words){
               .class = &rx_operator_entry, .name = "entry", .where = at->pipe, .parent = outer->nodes[opener].step});
    int last = build_steps(b, entry, at);
    outer->nodes[opener].subgraphs[0] = seal(b, last);
    if (!outer->nodes[opener].subgraphs[0])
        outer->failed = true;
    free(b);
}

/* How many scopes a reducing step closes: up to and with the innermost window; 0 when there is none. */
static size_t closed_by_reduction(const char *scopes)
{
    const char *window = strrchr(scopes, 'w');
    return window ? strlen(window) : 0;
}

static void check_reduction(struct builder *b, const struct step *step)
{
    if (b->planner->options->replay || b->scopes[0] == '\0' || strchr(b->scopes, 'w'))
        return;
    for (size_t i = 0; i < b->planner->plan->source_count; i++)
        if (b->planner->plan->sources[i].source->class->base.flags & RX_SOURCE_ENDS)
            return;
    for (size_t i = 0; i < b->count; i++)
        if (b->nodes[i].class->base.flags & RX_ENDS_EARLY)
            return;
    rx_diagnosef(b->planner->diagnostics, step->where, "put a window between them: \"- window: 5s\" before this step",
                 "\"%s\" would wait for the end of the group, which never comes", step->name);
    b->failed = true;
}

static size_t scopes_closed(struct builder *b, const struct step *step)
{
    if (step->class->base.flags & RX_REDUCES) {
        check_reduction(b, step);
        return closed_by_reduction(b->scopes);
    }
    if (!(step->class->base.flags & RX_CLOSES_SCOPE))
        return 0;
    if (b->scopes[0])
        return 1;
    rx_diagnosef(b->planner->diagnostics, step->where, "to join other streams in, use merge_with",
                 "there is no group or window open here that \"%s\" could close", step->name);
    b->failed = true;
    return 0;
}

/* What collects has a window's scope of its own, with to_array in it. */
static void build_collection(struct builder *outer, int opener, const struct rx_tree *where)
{
    const struct rx_operator_class *to_array = rx_registry_operator("to_array");
    struct builder *b = builder_create(outer->planner, "w");
    const struct rx_step *parent = outer->nodes[opener].step;
    int entry = b ? add_node(b,
                             &(struct rx_step_words){
                                 .class = &rx_operator_entry, .name = "entry", .where = where, .parent = parent})
                  : -1;
    int last =
        entry >= 0 && to_array
            ? add_node(b,
                       &(struct rx_step_words){.class = to_array, .name = "to_array", .where = where, .parent = parent})
            : -1;
    if (last >= 0) {
        b->nodes[last].image = image_of(outer->planner, &to_array->base);
        connect(b, entry, last, "");
        outer->nodes[opener].subgraphs[0] = seal(b, last);
    }
    outer->failed = outer->failed || !outer->nodes[opener].subgraphs[0];
    free(b);
}

static int build_steps(struct builder *b, int upstream, struct position *at)
{
    if (at->pipe->kind != RX_TREE_LIST) {
        rx_diagnosef(b->planner->diagnostics, at->pipe, "pipe: [filter: value > 3]", "a pipe is a list of steps");
        b->failed = true;
        return upstream;
    }
    while (at->next < at->pipe->count && at->closing == 0) {
        struct step step;
        if (read_step(b, at->pipe->items[at->next++], &step) < 0) {
            b->failed = true;
            continue;
        }
        unsigned flags = step.class->base.flags;
        int node = build_node(b, upstream, &step);
        if (node < 0)
            return -1;
        upstream = node;
        if (flags & RX_COLLECTS)
            build_collection(b, node, step.where);
        at->closing = scopes_closed(b, &step);
        if (flags & (RX_OPENS_GROUP | RX_OPENS_WINDOW)) {
            build_scope(b, node, flags & RX_OPENS_GROUP ? 'g' : 'w', at);
            if (at->closing > 0)
                at->closing--;
        }
        if (at->closing > 0)
            break;
    }
    return upstream;
}

struct rx_subgraph *rx_plan_steps(struct rx_planner *planner, const struct rx_tree *from, const struct rx_tree *pipe)
{
    struct builder *b = builder_create(planner, "");
    if (!b)
        return NULL;
    rx_plan_begin_steps(planner);
    rx_plan_know(planner->plan->arena, NULL, 0);
    int last = build_stream(b, from);
    struct position at = {.pipe = pipe};
    if (pipe)
        last = build_steps(b, last, &at);
    struct rx_subgraph *graph = seal(b, last);
    free(b);
    return graph;
}
