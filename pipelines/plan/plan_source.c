/* Sources and sinks: from their config to their state structs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/plan_private.h"
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

/* ---- sources ---- */

struct source_keys {
    const struct rx_tree *kind, *options; /* mqtt: {...} */
    bool cold;
};

static void read_replay(struct rx_planner *planner, const struct rx_tree *value, struct source_keys *keys)
{
    keys->cold = value->text && strcmp(value->text, "cold") == 0;
    if (!keys->cold && (!value->text || strcmp(value->text, "hot") != 0))
        rx_diagnosef(planner->diagnostics, value, NULL, "replay is hot or cold");
}

static bool read_source_keys(struct rx_planner *planner, const char *name, const struct rx_tree *tree,
                             struct source_keys *keys)
{
    *keys = (struct source_keys){0};
    for (size_t i = 0; tree->kind == RX_TREE_MAP && i < tree->count; i++) {
        const char *key = tree->keys[i]->text;
        if (strcmp(key, "replay") == 0) {
            read_replay(planner, tree->items[i], keys);
        } else if (!rx_registry_source(key)) {
            diagnose_unknown(planner, tree->keys[i], "kind of source", key, rx_registry_nearest_source(key));
            return false;
        } else if (keys->kind) {
            rx_diagnosef(planner->diagnostics, tree->keys[i], "declare two sources and merge them: from: [a, b]",
                         "source \"%s\" is of kind \"%s\" already", name, keys->kind->text);
            return false;
        } else {
            keys->kind = tree->keys[i];
            keys->options = tree->items[i];
        }
    }
    if (!keys->kind)
        rx_diagnosef(planner->diagnostics, tree, "ticks: {timer: {every: 1s}}",
                     "source \"%s\" must say what feeds it: mqtt, http, timer, simulate, file", name);
    return keys->kind != NULL;
}

static struct rx_hub *source_hub(struct rx_planner *planner, const char *name, const char *suffix)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s", name, suffix);
    struct rx_hub *hub = rx_hub_create(planner->plan->engine, text);
    if (hub && rx_plan_defer(planner->plan->arena, (void (*)(void *))rx_hub_destroy, hub) < 0)
        return NULL;
    return hub;
}

static void destroy_source(void *what)
{
    struct rx_source *source = what;
    if (source->class->dispose)
        source->class->dispose(source);
    rx_source_finish(source);
}

static int fill_source(struct rx_planner *planner, struct rx_plan_source *s, const struct rx_source_class *class)
{
    struct rx_plan *plan = planner->plan;
    s->hub = source_hub(planner, s->name, "");
    s->errors = source_hub(planner, s->name, ".errors");
    s->source = rx_plan_alloc(plan->arena, class->base.state_size);
    s->fields = rx_fields_create(plan->engine->heap);
    if (s->fields && rx_plan_defer(plan->arena, (void (*)(void *))rx_fields_destroy, s->fields) < 0)
        return -ENOMEM;
    if (!s->hub || !s->errors || !s->source || !s->fields)
        return -ENOMEM;
    return 0;
}

static void init_source(struct rx_planner *planner, struct rx_plan_source *s, const struct rx_source_class *class)
{
    struct rx_plan *plan = planner->plan;
    struct rx_source *source = s->source;
    source->class = class;
    source->name = s->name;
    source->engine = plan->engine;
    source->heap = plan->engine->heap;
    source->sched = plan->engine->sched;
    source->site = planner->options->site;
    source->hub = s->hub;
    source->errors = s->errors;
    if (!source->max_message)
        source->max_message = 1u << 20;
    struct rx_error error;
    if (source->site && class->init && class->init(source, &error) < 0)
        rx_diagnose(planner->diagnostics, s->tree, &error);
    rx_plan_defer(plan->arena, destroy_source, source);
}

struct rx_plan_source *rx_plan_add_source(struct rx_planner *planner, const char *name, const struct rx_tree *tree)
{
    struct rx_plan *plan = planner->plan;
    struct source_keys keys;
    if (plan->source_count == RX_SOURCES_MAX) {
        rx_diagnosef(planner->diagnostics, tree, NULL, "at most %d sources", RX_SOURCES_MAX);
        return NULL;
    }
    if (!read_source_keys(planner, name, tree, &keys))
        return NULL;
    const struct rx_source_class *class = rx_registry_source(keys.kind->text);
    struct rx_plan_source *s = &plan->sources[plan->source_count];
    const char *copy = rx_plan_text(planner, name);
    if (!copy)
        return NULL;
    *s = (struct rx_plan_source){.name = copy, .tree = tree, .cold = keys.cold};
    if (fill_source(planner, s, class) < 0)
        return NULL;
    plan->source_count++;
    if (rx_options_parse(&class->base, keys.options, keys.kind, plan->arena, s->source, planner->diagnostics) == 0)
        init_source(planner, s, class);
    else
        s->source->class = class;
    return s;
}

int rx_plan_sources(struct rx_planner *planner)
{
    struct rx_plan *plan = planner->plan;
    const struct rx_tree *section = rx_forest_section(planner->forest, "sources");
    plan->sources = rx_plan_alloc(plan->arena, RX_SOURCES_MAX * sizeof *plan->sources);
    if (!plan->sources)
        return -ENOMEM;
    if (section && section->kind != RX_TREE_MAP) {
        rx_diagnosef(planner->diagnostics, section, NULL, "sources is a mapping of name to source");
        return 0;
    }
    for (size_t i = 0; section && i < section->count; i++) {
        if (strchr(section->keys[i]->text, '.'))
            rx_diagnosef(planner->diagnostics, section->keys[i], "letters, digits, _ and -", "\"%s\" cannot be a name",
                         section->keys[i]->text);
        rx_plan_add_source(planner, section->keys[i]->text, section->items[i]);
    }
    return 0;
}

/* ---- sinks ---- */

static void destroy_sink(void *what)
{
    struct rx_sink *sink = what;
    if (sink->class && sink->class->dispose)
        sink->class->dispose(sink);
}

static void init_sink(struct rx_planner *planner, struct rx_plan_pipeline *p, struct rx_sink *sink,
                      const struct rx_sink_class *class, const struct rx_tree *where)
{
    sink->class = class;
    sink->pipeline = p->name;
    sink->engine = planner->plan->engine;
    sink->heap = planner->plan->engine->heap;
    sink->sched = planner->plan->engine->sched;
    sink->site = planner->options->site;
    sink->errors = p->errors;
    struct rx_error error;
    if (sink->site && class->init && class->init(sink, &error) < 0)
        rx_diagnose(planner->diagnostics, where, &error);
    rx_plan_defer(planner->plan->arena, destroy_sink, sink);
}

static int add_sink(struct rx_planner *planner, struct rx_plan_pipeline *p, const char *name,
                    const struct rx_tree *where, const struct rx_tree *options)
{
    const struct rx_sink_class *class = rx_registry_sink(name);
    if (!class) {
        diagnose_unknown(planner, where, "sink", name, rx_registry_nearest_sink(name));
        return 0;
    }
    struct rx_sink *sink = rx_plan_alloc(planner->plan->arena, class->base.state_size);
    if (!sink)
        return -ENOMEM;
    if (rx_options_parse(&class->base, options, where, planner->plan->arena, sink, planner->diagnostics) == 0)
        init_sink(planner, p, sink, class, where);
    p->sinks[p->sink_count++] = (struct rx_plan_sink){.sink = sink, .tree = where};
    return 0;
}

static int add_sink_item(struct rx_planner *planner, struct rx_plan_pipeline *p, const struct rx_tree *item)
{
    if (item->kind == RX_TREE_SCALAR)
        return strcmp(item->text, "none") == 0 ? 0 : add_sink(planner, p, item->text, item, NULL);
    if (item->kind == RX_TREE_MAP && item->count == 1)
        return add_sink(planner, p, item->keys[0]->text, item->keys[0], item->items[0]);
    rx_diagnosef(planner->diagnostics, item, "to: [stream, mqtt: {broker: home, topic: alerts}]",
                 "expected one sink here: its name, with its options");
    return 0;
}

int rx_plan_sinks(struct rx_planner *planner, struct rx_plan_pipeline *p, const struct rx_tree *to)
{
    size_t n = !to ? 1 : to->kind == RX_TREE_LIST ? to->count : 1;
    p->sinks = rx_plan_alloc(planner->plan->arena, (n + 1) * sizeof *p->sinks);
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
