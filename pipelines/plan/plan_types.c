/* Types known early: what aggregate and map declare, the expressions of the steps behind them may rely on. */
#include <string.h>

#include "pipelines/plan/plan_private.h"

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

static void declare(struct rx_planner *planner, const struct rx_shaper *shaper, const struct rx_tree *object)
{
    struct rx_plan_arena *arena = planner->plan->arena;
    struct rx_expr_type *types = rx_plan_alloc(arena, object->count * sizeof *types);
    if (!types || rx_shaper_expr_count(shaper) != object->count) {
        rx_plan_know(arena, NULL, 0);
        return;
    }
    for (size_t i = 0; i < object->count; i++)
        types[i] =
            (struct rx_expr_type){.name = object->keys[i]->text, .kinds = rx_expr_kinds(rx_shaper_expr(shaper, i))};
    rx_plan_know(arena, types, object->count);
}

/* Steps that add or overwrite fields pass events on too, but not as they were. */
static bool leaves_alone(const struct rx_operator_class *class, unsigned inputs)
{
    for (const struct rx_option *o = class->base.options; o && o->name; o++)
        if (o->flags & RX_WHOLE)
            return false;
    return class->base.flags & RX_PASSES && inputs == 1 && strcmp(class->base.name, "unset") != 0;
}

void rx_plan_types_after(struct rx_planner *planner, const struct rx_node *node, const struct rx_tree *value)
{
    const struct rx_option *maker = maker_of(&node->class->base);
    if (maker && is_flat(value) && node->image) {
        const struct rx_shaper *shaper;
        memcpy(&shaper, (const char *)node->image + maker->offset, sizeof shaper);
        declare(planner, shaper, value);
    } else if (!leaves_alone(node->class, node->input_count)) {
        rx_plan_know(planner->plan->arena, NULL, 0);
    }
}
