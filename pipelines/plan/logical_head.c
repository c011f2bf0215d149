/* How a pipeline begins: `from`, or a step that stands in its place with its options beside it (`join`); and which keys it may
 * have. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/registry.h"

static const char *const everywhere[] = {"pipe", "to", "share"};
enum { EVERYWHERE = sizeof everywhere / sizeof *everywhere, KEYS_MAX = 32 };

static bool is_everywhere(const char *key)
{
    for (size_t i = 0; i < EVERYWHERE; i++)
        if (strcmp(everywhere[i], key) == 0)
            return true;
    return false;
}

static bool has_option(const struct rx_operator_class *class, const char *name)
{
    for (const struct rx_option *o = class ? class->base.options : NULL; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return true;
    return false;
}

/* What other systems call the parts of a pipeline. */
static const char *known_elsewhere_as(const char *key)
{
    static const char *const words[][2] = {
        {"steps", "pipe"},   {"pipeline", "pipe"},   {"operators", "pipe"},  {"input", "from"},  {"source", "from"},
        {"sources", "from"}, {"output", "to"},       {"sink", "to"},         {"sinks", "to"},    {"inputs", "from"},
        {"outputs", "to"},   {"processors", "pipe"}, {"transforms", "pipe"}, {"stages", "pipe"}, {"filters", "pipe"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(key, words[i][0]) == 0)
            return words[i][1];
    return NULL;
}

/* The options of the step that it begins with, or `from`; NULL-terminated. */
static void list_keys(const struct rx_operator_class *class, const char *names[KEYS_MAX])
{
    size_t n = 0;
    if (!class)
        names[n++] = "from";
    for (const struct rx_option *o = class ? class->base.options : NULL; o && o->name && n < KEYS_MAX - EVERYWHERE; o++)
        names[n++] = o->name;
    for (size_t i = 0; i < EVERYWHERE; i++)
        names[n++] = everywhere[i];
    names[n] = NULL;
}

/* The step in front of whose options this one stands alone; NULL: there is none. */
static const struct rx_operator_class *missing_class(const char *key)
{
    const struct rx_operator_class *const *class = rx_registry_operators();
    while (*class && !((*class)->base.flags & RX_BEGINS && has_option(*class, key)))
        class ++;
    return *class;
}

static void refuse_key(struct rx_planner *planner, const struct rx_operator_class *class, const struct rx_tree *key)
{
    const char *names[KEYS_MAX];
    char hint[160] = "a pipeline has from, pipe, to and share";
    list_keys(class, names);
    const char *other = known_elsewhere_as(key->text), *near = other ? other : rx_nearest(key->text, names);
    for (size_t i = 0, used = 0; class && names[i] && used < sizeof hint; i++)
        used += (size_t)snprintf(hint + used, sizeof hint - used, "%s%s", i ? ", " : "it has: ", names[i]);
    const struct rx_operator_class *missing = class ? NULL : missing_class(key->text);
    if (missing)
        snprintf(hint, sizeof hint, "it goes with `%s`, in place of `from`: %.100s", missing->base.name,
                 missing->base.example);
    else if (near)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    rx_diagnosef(planner->diagnostics, key, hint, "unknown key \"%s\" in a pipeline", key->text);
}

static void check_keys(struct rx_planner *planner, const struct rx_pipeline_head *head, const struct rx_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        const struct rx_tree *key = tree->keys[i];
        if (strcmp(key->text, "from") == 0 && head->class)
            rx_diagnosef(planner->diagnostics, key, "leave out one of the two",
                         "a pipeline begins with `from` or with `%s`, and this one has both", head->class->base.name);
        else if (strcmp(key->text, "from") != 0 && !is_everywhere(key->text) && !has_option(head->class, key->text))
            refuse_key(planner, head->class, key);
    }
}

/* The options that stand among the pipeline's keys, as a mapping of their own. */
static const struct rx_tree *options_among(struct rx_planner *planner, const struct rx_operator_class *class,
                                           const struct rx_tree *tree)
{
    struct rx_tree *options = rx_planner_alloc(planner, sizeof *options);
    struct rx_tree **items = rx_planner_alloc(planner, tree->count * sizeof *items);
    struct rx_tree **keys = rx_planner_alloc(planner, tree->count * sizeof *keys);
    if (!options || !items || !keys)
        return NULL;
    *options = (struct rx_tree){.kind = RX_TREE_MAP, .file = tree->file, .at = tree->at, .items = items, .keys = keys};
    for (size_t i = 0; i < tree->count; i++) {
        if (!has_option(class, tree->keys[i]->text))
            continue;
        items[options->count] = tree->items[i];
        keys[options->count++] = tree->keys[i];
    }
    return options;
}

/* Under the name that another system has for it: then that is told, and is enough. */
static bool says_otherwise(const struct rx_tree *tree, const char *what)
{
    for (size_t i = 0; i < tree->count; i++) {
        const char *known = known_elsewhere_as(tree->keys[i]->text);
        if (known && strcmp(known, what) == 0)
            return true;
    }
    return false;
}

static void read_share(struct rx_planner *planner, struct rx_logical_pipeline *p)
{
    p->out.share_tree = rx_tree_get(p->tree, "share");
    if (p->out.share_tree)
        rx_options_parse(&rx_share_class, p->out.share_tree, p->out.share_tree, planner->scratch, &p->out.share,
                         planner->diagnostics);
}

int rx_planner_head(struct rx_planner *planner, struct rx_logical_pipeline *p, struct rx_pipeline_head *ret)
{
    const struct rx_tree *tree = p->tree;
    *ret = (struct rx_pipeline_head){.from = rx_tree_get(tree, "from")};
    for (size_t i = 0; i < tree->count && !ret->class; i++) {
        ret->class = rx_registry_beginning(tree->keys[i]->text);
        ret->where = tree->keys[i];
    }
    check_keys(planner, ret, tree);
    read_share(planner, p);
    if (ret->class)
        ret->options = options_among(planner, ret->class, tree);
    else if (!ret->from && !says_otherwise(tree, "from"))
        rx_diagnosef(planner->diagnostics, p->key, "from: NAME of a source or pipeline",
                     "pipeline \"%s\" does not say what it reads", p->name);
    return ret->class && !ret->options ? -ENOMEM : 0;
}
