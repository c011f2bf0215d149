/* Steps to graphs: a pipeline's `from` and `pipe` as trees of nodes, scopes as graphs inside. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/logical_build.h"
#include "pipelines/plan/names.h"
#include "pipelines/plan/registry.h"

int rx_builder_fail(struct rx_builder *b)
{
    b->failed = true;
    return -1;
}

int rx_builder_no_memory(struct rx_builder *b, const struct rx_tree *where)
{
    rx_diagnose_starved(b->planner->diagnostics, where);
    return rx_builder_fail(b);
}

static bool grow(struct rx_builder *b)
{
    size_t capacity = b->capacity ? b->capacity * 2 : 8;
    struct rx_draft *drafts = realloc(b->drafts, capacity * sizeof *drafts);
    if (!drafts)
        return false;
    b->drafts = drafts;
    b->capacity = capacity;
    return true;
}

/* A new node without inputs, for one new step; -1 when the pipeline is full or memory is out. */
int rx_builder_add_node(struct rx_builder *b, const struct rx_step_words *words)
{
    struct rx_planner *planner = b->planner;
    size_t so_far = planner->plan->step_count - planner->pipeline->first_step;
    if (so_far == RX_STEPS_MAX)
        rx_diagnosef(planner->diagnostics, words->where, "cut it in two: one pipeline can read another",
                     "a pipeline has at most %d steps", RX_STEPS_MAX);
    if (so_far >= RX_STEPS_MAX)
        return rx_builder_fail(b);
    struct rx_step *step = rx_planner_add_step(planner, words);
    if (!step || (b->count == b->capacity && !grow(b)))
        return rx_builder_no_memory(b, words->where);
    b->drafts[b->count].node = (struct rx_logical_node){.step = step, .down = -1};
    return (int)b->count++;
}

void rx_builder_connect(struct rx_builder *b, int from, int to, const char *name)
{
    if (from < 0 || to < 0)
        return;
    struct rx_draft *up = &b->drafts[from], *down = &b->drafts[to];
    up->node.down = to;
    up->node.down_port = (uint8_t)down->node.input_count;
    down->inputs[down->node.input_count++] =
        (struct rx_logical_input){.node = (uint16_t)from, .name = name ? name : ""};
}

/* ---- one step ---- */

static struct rx_outlet *branch_named(const struct rx_logical_pipeline *p, const struct rx_tree *name)
{
    size_t prefix = strlen(p->name) + 1;
    for (size_t i = 0; i < p->branch_count; i++)
        if (strcmp(p->branches[i].name + prefix, name->text) == 0)
            return &p->branches[i];
    return NULL;
}

/* The streams that a step feeds were declared with the pipeline; one that could not be was told of. */
static int give_branches(struct rx_builder *b, const struct rx_written_step *step, struct rx_logical_node *node)
{
    const struct rx_tree *names = rx_planner_branches(step->class, step->value);
    struct rx_outlet **feeds = rx_planner_alloc(b->planner, rx_branch_count(names) * sizeof *feeds);
    if (!feeds)
        return -ENOMEM;
    for (size_t i = 0; i < rx_branch_count(names); i++) {
        struct rx_outlet *branch = branch_named(b->planner->pipeline, rx_branch_at(names, i));
        if (branch)
            feeds[node->feed_count++] = branch;
    }
    node->feeds = feeds;
    return 0;
}

/* What the options say, parsed in the scratch arena; NULL after a mistake. */
static void *parse_options(struct rx_builder *b, const struct rx_written_step *step)
{
    struct rx_planner *planner = b->planner;
    const struct rx_class *class = &step->class->base;
    void *image = rx_plan_alloc(planner->scratch, class->state_size);
    if (!image) {
        rx_builder_no_memory(b, step->where);
        return NULL;
    }
    if (rx_options_parse(class, step->value, step->where, planner->scratch, image, planner->diagnostics) == 0)
        return image;
    rx_builder_fail(b);
    return NULL;
}

static int ask(struct rx_builder *b, struct rx_step *step, struct rx_logical_node *node, const void *image)
{
    const struct rx_operator_class *class = step->class;
    step->hash = rx_options_hash(&class->base, step->options, image);
    if (class->describe)
        class->describe(image, &step->facts);
    return rx_planner_need(b->planner, &class->base, image, &node->need);
}

int rx_builder_node(struct rx_builder *b, int upstream, const struct rx_written_step *step)
{
    struct rx_planner *planner = b->planner;
    planner->steps += !step->label;
    int index = rx_builder_add_node(b, &(struct rx_step_words){.class = step->class,
                                                               .name = step->class->base.name,
                                                               .id = step->id,
                                                               .where = step->where,
                                                               .options = step->value,
                                                               .on_error = step->on_error,
                                                               .label = step->label});
    if (index < 0)
        return -1;
    struct rx_logical_node *node = &b->drafts[index].node;
    struct rx_step *made = planner->plan->steps[node->step->number];
    node->known = rx_plan_known(planner->scratch);
    if (give_branches(b, step, node) < 0)
        return rx_builder_no_memory(b, step->where);
    const void *image = parse_options(b, step);
    if (image && ask(b, made, node, image) < 0)
        rx_builder_no_memory(b, step->where);
    rx_planner_check_names(planner, made, b->scope);
    rx_builder_connect(b, upstream, index, "");
    if (image)
        rx_builder_connect_streams(b, index, step); /* the drafts may have moved */
    if (image)
        rx_planner_types_after(planner, made, b->drafts[index].node.input_count, image, b->scope);
    return index;
}

/* ---- scopes ---- */

/* Connecting later streams may have put nodes behind their consumer: order them so that inputs come first. */
static void order_nodes(const struct rx_builder *b, size_t node, size_t *order, size_t *count)
{
    const struct rx_draft *d = &b->drafts[node];
    for (unsigned i = 0; i < d->node.input_count; i++)
        order_nodes(b, d->inputs[i].node, order, count);
    order[(*count)++] = node;
}

static int copy_node(struct rx_builder *b, const struct rx_draft *draft, const uint16_t *place,
                     struct rx_logical_node *out)
{
    struct rx_logical_input *inputs = rx_planner_alloc(b->planner, draft->node.input_count * sizeof *inputs);
    if (!inputs)
        return -ENOMEM;
    for (unsigned i = 0; i < draft->node.input_count; i++)
        inputs[i] = (struct rx_logical_input){.node = place[draft->inputs[i].node], .name = draft->inputs[i].name};
    *out = draft->node;
    out->inputs = inputs;
    out->down = draft->node.down < 0 ? -1 : place[draft->node.down];
    return 0;
}

static void place_inside(struct rx_logical_graph *graph, size_t opener, struct rx_logical_graph *inside)
{
    if (!inside)
        return;
    inside->outer = graph;
    inside->opener = opener;
}

static int fill_graph(struct rx_builder *b, int exit_node, struct rx_logical_graph *graph)
{
    size_t order[RX_STEPS_MAX];
    uint16_t place[RX_STEPS_MAX];
    order_nodes(b, (size_t)exit_node, order, &graph->count);
    graph->nodes = rx_planner_alloc(b->planner, graph->count * sizeof *graph->nodes);
    if (!graph->nodes)
        return -ENOMEM;
    for (size_t i = 0; i < graph->count; i++)
        place[order[i]] = (uint16_t)i;
    int r = 0;
    for (size_t i = 0; r == 0 && i < graph->count; i++) {
        r = copy_node(b, &b->drafts[order[i]], place, &graph->nodes[i]);
        place_inside(graph, i, graph->nodes[i].scope);
        place_inside(graph, i, graph->nodes[i].opened);
    }
    return r;
}

static struct rx_logical_graph *seal(struct rx_builder *b, int exit_node)
{
    if (b->failed || exit_node < 0)
        return NULL;
    struct rx_logical_graph *graph = rx_planner_alloc(b->planner, sizeof *graph);
    return graph && fill_graph(b, exit_node, graph) == 0 ? graph : NULL;
}

static int add_entry(struct rx_builder *b, const struct rx_step *opener)
{
    return rx_builder_add_node(
        b, &(struct rx_step_words){
               .class = &rx_operator_entry, .name = "entry", .where = opener->where, .parent = opener});
}

/* Results before the close: the last step inside must be able to say its own, and nothing may end the window by itself. */
static void check_no_end(struct rx_builder *b, const struct rx_logical_graph *scope)
{
    for (size_t i = 0; i < scope->count; i++) {
        const struct rx_logical_node *node = &scope->nodes[i];
        if (node->step->facts.ends_early && node->input_count > 0)
            rx_diagnosef(b->planner->diagnostics, node->step->where, "leave `emit` out, or this step",
                         "with `emit` a window puts out results until it closes, and \"%s\" may end it earlier",
                         node->step->class->base.name);
        if (node->scope && node->step->class->base.flags & RX_OPENS_GROUP)
            check_no_end(b, node->scope);
    }
}

static void check_early(struct rx_builder *b, const struct rx_logical_node *opener)
{
    if (!opener->step->facts.early || !opener->scope)
        return;
    check_no_end(b, opener->scope);
    const struct rx_logical_node *last = &opener->scope->nodes[opener->scope->count - 1];
    while (last->scope && last->step->class->base.flags & RX_OPENS_GROUP)
        last = &last->scope->nodes[last->scope->count - 1];
    if (!last->step->class->peek)
        rx_diagnosef(
            b->planner->diagnostics, opener->step->where, "end it with a step that reduces: - aggregate: {n: count()}",
            "`emit` puts out the window's result before it closes, and \"%s\" has none", last->step->class->base.name);
}

/* The steps behind an opener, up to the one that closes its scope, as a graph of its own. */
static void build_scope(struct rx_builder *outer, int opener, char kind, struct rx_position *at)
{
    char scopes[RX_SCOPES_MAX + 2];
    struct rx_logical_node *node = &outer->drafts[opener].node;
    if (strlen(outer->scopes) >= RX_SCOPES_MAX) {
        rx_diagnosef(outer->planner->diagnostics, node->step->where, NULL, "scopes nest at most %d deep",
                     RX_SCOPES_MAX);
        rx_builder_fail(outer);
        return;
    }
    snprintf(scopes, sizeof scopes, "%s%c", outer->scopes, kind);
    struct rx_scope scope = {.outer = outer->scope, .opener = node->step};
    struct rx_builder b = {.planner = outer->planner, .scopes = scopes, .scope = &scope, .opened = outer->opened};
    int last = rx_builder_steps(&b, add_entry(&b, node->step), at);
    node->scope = seal(&b, last);
    if (!node->scope)
        rx_builder_fail(outer);
    else if (kind == 'l')
        rx_planner_check_lanes(outer->planner, node->step, node->scope);
    check_early(outer, node);
    free(b.drafts);
}

/* What collects has a window's scope of its own, with one step in it. */
static void build_collection(struct rx_builder *outer, int opener, const struct rx_operator_class *class)
{
    struct rx_logical_node *node = &outer->drafts[opener].node;
    struct rx_builder b = {.planner = outer->planner, .scopes = "w"};
    int entry = add_entry(&b, node->step);
    int last = rx_builder_add_node(
        &b, &(struct rx_step_words){
                .class = class, .name = class->base.name, .where = node->step->where, .parent = node->step});
    rx_builder_connect(&b, entry, last, "");
    void *image =
        last < 0 ? NULL : parse_options(&b, &(struct rx_written_step){.class = class, .where = node->step->where});
    if (image && class->describe)
        class->describe(image, &b.planner->plan->steps[b.drafts[last].node.step->number]->facts);
    node->scope = seal(&b, last);
    if (!node->scope)
        rx_builder_fail(outer);
    free(b.drafts);
}

/* The stream that a step opens as often as it wants: a graph of its own, which reads nothing of the step's input but by
 * `outer`. */
static void build_opened(struct rx_builder *outer, int opener, const struct rx_written_step *step)
{
    const struct rx_tree *from = NULL, *pipe = NULL;
    for (const struct rx_option *o = step->class->base.options; o && o->name; o++) {
        if (o->type == RX_OPTION_STREAM && o->flags & RX_OPENED)
            from = rx_option_tree(&step->class->base, step->value, o);
        else if (o->type == RX_OPTION_PIPE)
            pipe = rx_option_tree(&step->class->base, step->value, o);
    }
    if (!from)
        return;
    struct rx_logical_node *node = &outer->drafts[opener].node;
    struct rx_builder b = {.planner = outer->planner, .scopes = "", .opened = true};
    struct rx_position at = {.pipe = pipe};
    struct rx_plan_arena *scratch = outer->planner->scratch;
    struct rx_known known = rx_plan_known(scratch);
    rx_plan_know(scratch, (struct rx_known){0});
    int last = rx_builder_stream(&b, from);
    rx_builder_know(&b, last);
    if (pipe)
        last = rx_builder_steps(&b, last, &at);
    rx_plan_know(scratch, known);
    struct rx_logical_graph *graph = seal(&b, last);
    if (node->scope || step->class->base.flags & RX_OPENS_WINDOW)
        node->opened = graph;
    else
        node->scope = graph;
    if (!graph)
        rx_builder_fail(outer);
    free(b.drafts);
}

/* How many scopes a reducing step closes: up to and with the innermost window; 0 when there is none. */
static size_t closed_by_reduction(const char *scopes)
{
    const char *window = strrchr(scopes, 'w');
    return window ? strlen(window) : 0;
}

static size_t scopes_closed(struct rx_builder *b, const struct rx_written_step *step)
{
    if (step->class->base.flags & RX_REDUCES)
        return closed_by_reduction(b->scopes);
    if (!(step->class->base.flags & RX_CLOSES_SCOPE))
        return 0;
    if (b->scopes[0])
        return 1;
    rx_diagnosef(b->planner->diagnostics, step->where, "to join other streams in, use merge_with",
                 "there is no group or window open here that \"%s\" could close", step->name);
    rx_builder_fail(b);
    return 0;
}

static bool may_open_lanes(struct rx_builder *b, const struct rx_written_step *step)
{
    bool inside = b->scopes[0] || b->opened;
    if (inside)
        rx_diagnosef(b->planner->diagnostics, step->where, "put it first, and the group or window behind it",
                     "`%s` stands at the top of a pipeline, not in a group, a window or another `%s`", step->name,
                     step->name);
    b->failed = b->failed || inside;
    return !inside;
}

static void open_scope(struct rx_builder *b, int node, const struct rx_written_step *step, struct rx_position *at)
{
    unsigned flags = step->class->base.flags;
    if (step->class->collects)
        build_collection(b, node, step->class->collects);
    build_opened(b, node, step);
    at->closing = scopes_closed(b, step);
    if (!(flags & (RX_OPENS_GROUP | RX_OPENS_WINDOW | RX_OPENS_LANES)))
        return;
    if (flags & RX_OPENS_LANES && !may_open_lanes(b, step))
        return;
    build_scope(b, node, flags & RX_OPENS_GROUP ? 'g' : flags & RX_OPENS_WINDOW ? 'w' : 'l', at);
    if (at->closing > 0)
        at->closing--;
}

static void refuse_behind(struct rx_builder *b, const struct rx_written_step *last, const struct rx_tree *step)
{
    const struct rx_tree *names = rx_planner_branches(last->class, last->value);
    char hint[300];
    snprintf(hint, sizeof hint, "let another pipeline go on: {from: %.100s.%.60s, pipe: [...]}",
             b->planner->pipeline->name, rx_branch_count(names) ? rx_branch_at(names, 0)->text : "NAME");
    rx_diagnosef(b->planner->diagnostics, step, hint, "no step may stand behind `%s`", last->name);
    rx_builder_fail(b);
}

int rx_builder_steps(struct rx_builder *b, int upstream, struct rx_position *at)
{
    if (at->pipe->kind != RX_TREE_LIST) {
        bool map = at->pipe->kind == RX_TREE_MAP;
        rx_diagnosef(b->planner->diagnostics, at->pipe,
                     map ? "begin each step with a dash: \"- filter: value > 3\"" : "pipe: [filter: value > 3]",
                     "a pipe is a list of steps");
        rx_builder_fail(b);
        return upstream;
    }
    while (at->next < at->pipe->count && at->closing == 0) {
        struct rx_written_step step;
        if (rx_planner_read_step(b->planner, at->pipe->items[at->next++], &step) < 0) {
            rx_builder_fail(b);
            continue;
        }
        int node = rx_builder_node(b, upstream, &step);
        if (node < 0)
            return -1;
        upstream = node;
        open_scope(b, node, &step, at);
        if (step.class->base.flags & RX_ENDS_PIPE && at->next < at->pipe->count) {
            refuse_behind(b, &step, at->pipe->items[at->next]);
            return upstream;
        }
    }
    return upstream;
}

/* The first node: what the head's step makes of its streams, or the stream that is read. */
static int build_head(struct rx_builder *b, const struct rx_pipeline_head *head)
{
    struct rx_written_step step = {.class = head->class, .where = head->where, .value = head->options};
    if (!head->class)
        return rx_builder_stream(b, head->from);
    step.name = head->class->base.name;
    return rx_builder_node(b, -1, &step);
}

struct rx_logical_graph *rx_planner_steps(struct rx_planner *planner, const struct rx_pipeline_head *head,
                                          const struct rx_tree *pipe)
{
    struct rx_builder b = {.planner = planner, .scopes = ""};
    rx_plan_know(planner->scratch, (struct rx_known){0});
    int last = build_head(&b, head);
    rx_builder_know(&b, last);
    struct rx_position at = {.pipe = pipe};
    if (pipe) /* whatever is wrong with what it reads: its steps may have mistakes too */
        last = rx_builder_steps(&b, last, &at);
    struct rx_logical_graph *graph = seal(&b, last);
    free(b.drafts);
    return graph;
}
