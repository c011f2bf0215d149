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

static void check_broker(struct rx_planner *planner, const struct rx_class *class, const struct rx_tree *options)
{
    const struct rx_tree *brokers = rx_forest_section(planner->forest, "brokers");
    for (const struct rx_option *o = class->options; o && o->name; o++) {
        const struct rx_tree *name = o->flags & RX_BROKER ? rx_option_tree(class, options, o) : NULL;
        if (!name || name->kind != RX_TREE_SCALAR || rx_tree_get(brokers, name->text))
            continue;
        const char *near = rx_tree_nearest(brokers, name->text);
        char hint[200];
        if (near)
            snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
        else
            snprintf(hint, sizeof hint, "brokers: {%.60s: {url: \"mqtt://127.0.0.1:1883\"}}", name->text);
        rx_diagnosef(planner->diagnostics, name, hint, "no broker is named \"%s\"", name->text);
    }
}

/* Parses options to see whether they are right; `reaches` may be NULL. */
static int try_options(struct rx_planner *planner, const struct rx_class *class, const struct rx_tree *options,
                       const struct rx_tree *where, struct rx_known known, unsigned *reaches)
{
    struct rx_plan_arena *arena = rx_plan_arena_create(planner->plan->heap);
    if (arena)
        rx_plan_know(arena, known);
    void *image = arena ? rx_plan_alloc(arena, class->state_size) : NULL;
    int r = image ? rx_options_parse(class, options, where, arena, image, planner->diagnostics) : -ENOMEM;
    check_broker(planner, class, options);
    if (r == 0 && reaches) {
        struct rx_need need = {0};
        r = rx_planner_need(planner, class, image, &need);
        *reaches |= need.reaches;
    }
    rx_plan_arena_destroy(arena);
    return r == -ENOMEM ? r : 0;
}

/* ---- sources ---- */

static void find_kind(struct rx_planner *planner, const struct rx_tree *tree, struct rx_logical_source *s)
{
    for (size_t i = 0; tree->kind == RX_TREE_MAP && i < tree->count; i++) {
        const struct rx_tree *key = tree->keys[i];
        if (!rx_registry_source(key->text))
            continue;
        if (s->kind)
            rx_diagnosef(planner->diagnostics, key, "declare two sources and merge them: from: [a, b]",
                         "source \"%s\" is of kind \"%s\" already", s->name, s->kind->text);
        else
            *s = (struct rx_logical_source){.name = s->name, .kind = key, .options = tree->items[i]};
    }
}

/* What is made inside has no outside to be replaced by in a replay; as a pipeline it is shared, too. */
static void refuse_made(struct rx_planner *planner, const struct rx_tree *key)
{
    char hint[200];
    snprintf(hint, sizeof hint, "under `pipelines:` it can have a name and be shared: NAME: {%s, to: []}",
             rx_registry_creation(key->text)->base.example);
    rx_diagnosef(planner->diagnostics, key, hint,
                 "`%s` is no feed from outside, but a stream that is written where it is read", key->text);
}

static void refuse_source_key(struct rx_planner *planner, const struct rx_tree *key, const struct rx_logical_source *s)
{
    char hint[200];
    if (!s->kind && rx_registry_creation(key->text)) {
        refuse_made(planner, key);
    } else if (!s->kind) {
        diagnose_unknown(planner, key, "kind of source", key->text, rx_registry_nearest_creation(key->text));
    } else if (rx_class_has_option(&rx_registry_source(s->kind->text)->base, key->text)) {
        snprintf(hint, sizeof hint, "indent it further than `%s:`, or write %s: {%s: ...}", s->kind->text,
                 s->kind->text, key->text);
        rx_diagnosef(planner->diagnostics, key, hint, "`%s` is an option of `%s`, and stands beside it", key->text,
                     s->kind->text);
    } else {
        const char *near = rx_planner_nearest_common(key->text);
        snprintf(hint, sizeof hint,
                 near ? "did you mean \"%s\"?" : "`rxd operators source` lists what stands beside a kind", near);
        rx_diagnosef(planner->diagnostics, key, hint, "unknown key \"%s\" in a source", key->text);
    }
}

static void refuse_without_kind(struct rx_planner *planner, const struct rx_tree *tree,
                                const struct rx_logical_source *s)
{
    char kinds[200] = "";
    const struct rx_source_class *const *class = rx_registry_sources();
    for (size_t used = 0; *class && used < sizeof kinds; class ++)
        used += (size_t)snprintf(kinds + used, sizeof kinds - used, "%s%s", used ? ", " : "", (*class)->base.name);
    rx_diagnosef(planner->diagnostics, tree, "sensors: {http: {}}, or ticks: {timer: {every: 1s}}",
                 "source \"%s\" must say what feeds it: %s", s->name, kinds);
}

static bool read_source_keys(struct rx_planner *planner, const struct rx_tree *tree, struct rx_logical_source *s)
{
    size_t mistakes = rx_diagnostics_count(planner->diagnostics);
    find_kind(planner, tree, s);
    for (size_t i = 0; tree->kind == RX_TREE_MAP && i < tree->count; i++) {
        const struct rx_tree *key = tree->keys[i];
        if (!rx_source_common_has(key->text) && !rx_registry_source(key->text))
            refuse_source_key(planner, key, s);
    }
    if (!s->kind && rx_diagnostics_count(planner->diagnostics) == mistakes)
        refuse_without_kind(planner, tree, s);
    return s->kind != NULL;
}

/* What stands beside the kind, and what it needs of the events. */
static int read_common(struct rx_planner *planner, struct rx_logical_source *s)
{
    struct rx_source_common common = {.replay = RX_REPLAY_HOT};
    if (rx_planner_source_common(planner, s) < 0)
        return -ENOMEM;
    struct rx_plan_arena *arena = rx_plan_arena_create(planner->plan->heap);
    int r = arena ? rx_options_parse(rx_source_common_of(s->class), s->common, s->kind, arena, &common,
                                     planner->diagnostics)
                  : -ENOMEM;
    if (r == 0) {
        s->cold = common.replay == RX_REPLAY_COLD;
        s->out.share = common.share;
        s->out.share_tree = rx_tree_get(s->common, "share");
        s->out.told = common.event_time.expr || s->class->base.flags & RX_SOURCE_TIMED;
        r = rx_planner_need(planner, &rx_source_common, &common, &s->need);
    }
    rx_plan_arena_destroy(arena);
    return r == -ENOMEM ? r : 0;
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
    if (!s || !(s->name = rx_planner_text(planner, name)))
        return NULL;
    bool known = read_source_keys(planner, tree, s);
    s->tree = tree;
    s->class = known ? rx_registry_source(s->kind->text) : NULL;
    if (known && read_common(planner, s) < 0) {
        rx_diagnose_starved(planner->diagnostics, tree);
        return NULL;
    }
    int r = keep(planner, s); /* one that cannot be is there all the same for who reads it: one mistake is enough */
    if (r == -ENOMEM)
        rx_diagnose_starved(planner->diagnostics, tree);
    if (r < 0)
        return NULL;
    return known && try_options(planner, &s->class->base, s->options, s->kind, (struct rx_known){0}, NULL) < 0 ? NULL
                                                                                                               : s;
}

int rx_planner_sources(struct rx_planner *planner)
{
    const struct rx_tree *section = rx_forest_section(planner->forest, "sources");
    for (size_t i = 0; section && section->kind == RX_TREE_MAP && i < section->count; i++)
        rx_planner_add_source(planner, section->keys[i]->text, section->items[i]);
    return 0;
}

/* ---- sinks ---- */

static void refuse_second(struct rx_planner *planner, const struct rx_logical_pipeline *p,
                          const struct rx_sink_class *class, const struct rx_tree *where)
{
    for (size_t i = 0; class->base.flags & RX_SINK_ONCE && i < p->sink_count; i++)
        if (p->sinks[i].class == class)
            rx_diagnosef(planner->diagnostics, where, "keep one of them",
                         "a pipeline has one `%s`, and this is its second", class->base.name);
}

static int add_sink(struct rx_planner *planner, struct rx_logical_pipeline *p, const char *name,
                    const struct rx_tree *where, const struct rx_tree *options, struct rx_known known)
{
    const struct rx_sink_class *class = rx_registry_sink(name);
    if (!class) {
        diagnose_unknown(planner, where, "sink", name, rx_registry_nearest_sink(name));
        return 0;
    }
    refuse_second(planner, p, class, where);
    p->sinks[p->sink_count++] = (struct rx_logical_sink){.class = class, .where = where, .options = options};
    return try_options(planner, &class->base, options, where, known, &p->out.reaches);
}

static int add_sink_item(struct rx_planner *planner, struct rx_logical_pipeline *p, const struct rx_tree *item,
                         struct rx_known known)
{
    if (item->kind == RX_TREE_SCALAR)
        return strcmp(item->text, "none") == 0 ? 0 : add_sink(planner, p, item->text, item, NULL, known);
    if (item->kind == RX_TREE_MAP && item->count == 1)
        return add_sink(planner, p, item->keys[0]->text, item->keys[0], item->items[0], known);
    rx_diagnosef(planner->diagnostics, item, "to: [stream, mqtt: {broker: home, topic: alerts}]",
                 "expected one sink here: its name, with its options");
    return 0;
}

int rx_planner_sinks(struct rx_planner *planner, struct rx_logical_pipeline *p, const struct rx_tree *to,
                     struct rx_known known)
{
    size_t n = !to || to->kind != RX_TREE_LIST ? 1 : to->count;
    p->sinks = rx_planner_alloc(planner, n * sizeof *p->sinks);
    if (!p->sinks)
        return -ENOMEM;
    if (!to)
        return add_sink(planner, p, "stream", p->tree, NULL, known);
    if (to->kind != RX_TREE_LIST)
        return add_sink_item(planner, p, to, known);
    int r = 0;
    for (size_t i = 0; r == 0 && i < to->count; i++)
        r = add_sink_item(planner, p, to->items[i], known);
    return r;
}
