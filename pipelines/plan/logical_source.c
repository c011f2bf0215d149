/* Sources and sinks of the logical plan: what each is, and whether its options are right. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/registry.h"

static void diagnose_unknown(struct rx_planner *planner, const struct rx_tree *where, const char *what,
                             const char *name, const char *near)
{
    char hint[200];
    if (near)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    else
        snprintf(hint, sizeof hint, "`rxd operators` lists every %s", what);
    rx_diagnosef(planner->diagnostics, where, hint, "there is no %s \"%s\"", what, name);
}

/* Parses options to see whether they are right; `reaches` may be NULL. */
static int try_options(struct rx_planner *planner, const struct rx_class *class, const struct rx_tree *options,
                       const struct rx_tree *where, unsigned *reaches)
{
    struct rx_plan_arena *arena = rx_plan_arena_create(planner->plan->heap);
    void *image = arena ? rx_plan_alloc(arena, class->state_size) : NULL;
    int r = image ? rx_options_parse(class, options, where, arena, image, planner->diagnostics) : -ENOMEM;
    if (r == 0 && reaches) {
        struct rx_need need = {0};
        r = rx_planner_need(planner, class, image, &need);
        *reaches |= need.reaches;
    }
    rx_plan_arena_destroy(arena);
    return r == -ENOMEM ? r : 0;
}

/* ---- sources ---- */

static void read_replay(struct rx_planner *planner, const struct rx_tree *value, struct rx_logical_source *s)
{
    s->cold = value->text && strcmp(value->text, "cold") == 0;
    if (!s->cold && (!value->text || strcmp(value->text, "hot") != 0))
        rx_diagnosef(planner->diagnostics, value, NULL, "replay is hot or cold");
}

static bool read_source_keys(struct rx_planner *planner, const char *name, const struct rx_tree *tree,
                             struct rx_logical_source *s)
{
    for (size_t i = 0; tree->kind == RX_TREE_MAP && i < tree->count; i++) {
        const char *key = tree->keys[i]->text;
        if (strcmp(key, "replay") == 0) {
            read_replay(planner, tree->items[i], s);
        } else if (!rx_registry_source(key)) {
            diagnose_unknown(planner, tree->keys[i], "kind of source", key, rx_registry_nearest_source(key));
            return false;
        } else if (s->kind) {
            rx_diagnosef(planner->diagnostics, tree->keys[i], "declare two sources and merge them: from: [a, b]",
                         "source \"%s\" is of kind \"%s\" already", name, s->kind->text);
            return false;
        } else {
            s->kind = tree->keys[i];
            s->options = tree->items[i];
        }
    }
    if (!s->kind)
        rx_diagnosef(planner->diagnostics, tree, "ticks: {timer: {every: 1s}}",
                     "source \"%s\" must say what feeds it: mqtt, http, timer, simulate, file", name);
    return s->kind != NULL;
}

static int keep(struct rx_planner *planner, struct rx_logical_source *s)
{
    struct rx_logical *plan = planner->plan;
    if (plan->source_count == planner->source_capacity) {
        size_t capacity = plan->source_count ? plan->source_count * 2 : 16;
        struct rx_logical_source **sources = realloc(plan->sources, capacity * sizeof *sources);
        if (!sources)
            return -ENOMEM;
        plan->sources = sources;
        planner->source_capacity = capacity;
    }
    s->out.source = s->errors.source = s;
    int r = rx_planner_add_outlet(planner, &s->out, s->name, NULL);
    if (r == 0)
        r = rx_planner_add_outlet(planner, &s->errors, s->name, "errors");
    if (r < 0)
        return r;
    s->position = plan->source_count;
    plan->sources[plan->source_count++] = s;
    return 0;
}

struct rx_logical_source *rx_planner_add_source(struct rx_planner *planner, const char *name,
                                                const struct rx_tree *tree)
{
    struct rx_logical_source *s = rx_planner_alloc(planner, sizeof *s);
    if (planner->plan->source_count == RX_SOURCES_MAX) {
        rx_diagnosef(planner->diagnostics, tree, NULL, "a config has at most %d sources", RX_SOURCES_MAX);
        return NULL;
    }
    if (!s || !read_source_keys(planner, name, tree, s))
        return NULL;
    s->name = rx_planner_text(planner, name);
    s->tree = tree;
    s->class = rx_registry_source(s->kind->text);
    if (!s->name || keep(planner, s) < 0 || try_options(planner, &s->class->base, s->options, s->kind, NULL) < 0)
        return NULL;
    return s;
}

int rx_planner_sources(struct rx_planner *planner)
{
    const struct rx_tree *section = rx_forest_section(planner->forest, "sources");
    if (section && section->kind != RX_TREE_MAP) {
        rx_diagnosef(planner->diagnostics, section, NULL, "sources is a mapping of name to source");
        return 0;
    }
    for (size_t i = 0; section && i < section->count; i++) {
        rx_planner_check_name(planner, section->keys[i]);
        rx_planner_add_source(planner, section->keys[i]->text, section->items[i]);
    }
    return 0;
}

/* ---- sinks ---- */

static int add_sink(struct rx_planner *planner, struct rx_logical_pipeline *p, const char *name,
                    const struct rx_tree *where, const struct rx_tree *options)
{
    const struct rx_sink_class *class = rx_registry_sink(name);
    if (!class) {
        diagnose_unknown(planner, where, "sink", name, rx_registry_nearest_sink(name));
        return 0;
    }
    p->sinks[p->sink_count++] = (struct rx_logical_sink){.class = class, .where = where, .options = options};
    return try_options(planner, &class->base, options, where, &p->out.reaches);
}

static int add_sink_item(struct rx_planner *planner, struct rx_logical_pipeline *p, const struct rx_tree *item)
{
    if (item->kind == RX_TREE_SCALAR)
        return strcmp(item->text, "none") == 0 ? 0 : add_sink(planner, p, item->text, item, NULL);
    if (item->kind == RX_TREE_MAP && item->count == 1)
        return add_sink(planner, p, item->keys[0]->text, item->keys[0], item->items[0]);
    rx_diagnosef(planner->diagnostics, item, "to: [stream, mqtt: {broker: home, topic: alerts}]",
                 "expected one sink here: its name, with its options");
    return 0;
}

int rx_planner_sinks(struct rx_planner *planner, struct rx_logical_pipeline *p, const struct rx_tree *to)
{
    size_t n = !to || to->kind != RX_TREE_LIST ? 1 : to->count;
    p->sinks = rx_planner_alloc(planner, n * sizeof *p->sinks);
    if (!p->sinks)
        return -ENOMEM;
    if (!to)
        return add_sink(planner, p, "stream", p->tree, NULL);
    if (to->kind != RX_TREE_LIST)
        return add_sink_item(planner, p, to);
    int r = 0;
    for (size_t i = 0; r == 0 && i < to->count; i++)
        r = add_sink_item(planner, p, to->items[i]);
    return r;
}
