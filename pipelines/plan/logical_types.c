/* Types known early: what aggregate and map declare, the expressions of the steps behind them may rely on. */
#include <string.h>

#include "pipelines/plan/logical_private.h"

/* The one option that makes the whole event of named expressions; NULL: the class has none. */
static const struct rx_option *maker_of(const struct rx_class *class)
{
    if (!(class->flags & RX_REPLACES))
        return NULL;
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (o->type == RX_OPTION_SHAPER || o->type == RX_OPTION_AGGREGATES)
            return o;
    return NULL;
}

/* Expressions stand in order of writing; a nested object would come between them. */
static bool is_flat(const struct rx_tree *object)
{
    if (!object || object->kind != RX_TREE_MAP)
        return false;
    for (size_t i = 0; i < object->count; i++)
        if (object->items[i]->kind != RX_TREE_SCALAR)
            return false;
    return true;
}

/* ---- the types of an output: the keys of the scopes around it, then its own fields ---- */

struct types {
    struct rx_planner *planner;
    struct rx_expr_type *types; /* NULL: they are only counted */
    size_t count;
};

static void add_type(struct types *t, const char *name, unsigned kinds)
{
    if (t->types)
        t->types[t->count] = (struct rx_expr_type){.name = name, .kinds = kinds};
    t->count++;
}

static void add_key(void *arg, const char *name, size_t length)
{
    struct types *t = arg;
    char *copy = t->types ? rx_planner_alloc(t->planner, length + 1) : NULL;
    if (copy)
        memcpy(copy, name, length);
    add_type(t, copy ? copy : "", RX_EXPR_KIND_ANY);
}

static void add_scopes(struct types *t, const struct rx_scope *scope)
{
    for (; scope; scope = scope->outer) {
        if (scope->opener->class->base.flags & RX_OPENS_GROUP)
            rx_planner_each_key(scope->opener, add_key, t);
        else
            add_type(t, "window", RX_EXPR_KIND_ANY);
    }
}

static void add_fields(struct types *t, const struct rx_shaper *shaper, const struct rx_tree *object)
{
    for (size_t i = 0; i < object->count; i++)
        add_type(t, object->keys[i]->text, rx_expr_kinds(rx_shaper_expr(shaper, i)));
}

static struct rx_known known_of(struct rx_planner *planner, const struct rx_shaper *shaper,
                                const struct rx_tree *object, const struct rx_scope *scope)
{
    struct types t = {.planner = planner};
    if (rx_shaper_expr_count(shaper) != object->count)
        return (struct rx_known){0};
    add_scopes(&t, scope);
    t.types = rx_planner_alloc(planner, (t.count + object->count) * sizeof *t.types);
    t.count = 0;
    if (!t.types)
        return (struct rx_known){0};
    add_scopes(&t, scope);
    add_fields(&t, shaper, object);
    return (struct rx_known){.types = t.types, .count = t.count, .closed = true};
}

void rx_planner_types_after(struct rx_planner *planner, const struct rx_step *step, unsigned inputs, const void *image,
                            const struct rx_scope *scope)
{
    const struct rx_option *maker = maker_of(&step->class->base);
    if (maker && is_flat(step->options)) {
        const struct rx_shaper *shaper;
        memcpy(&shaper, (const char *)image + maker->offset, sizeof shaper);
        rx_plan_know(planner->scratch, known_of(planner, shaper, step->options, scope));
    } else if (step->facts.output != RX_OUTPUT_PASSES || inputs > 1) {
        rx_plan_know(planner->scratch, (struct rx_known){0});
    }
}
