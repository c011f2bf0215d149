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

static void declare(struct rx_planner *planner, const struct rx_shaper *shaper, const struct rx_tree *object)
{
    struct rx_expr_type *types = rx_planner_alloc(planner, object->count * sizeof *types);
    if (!types || rx_shaper_expr_count(shaper) != object->count) {
        rx_plan_know(planner->scratch, NULL, 0);
        return;
    }
    for (size_t i = 0; i < object->count; i++)
        types[i] =
            (struct rx_expr_type){.name = object->keys[i]->text, .kinds = rx_expr_kinds(rx_shaper_expr(shaper, i))};
    rx_plan_know(planner->scratch, types, object->count);
}

void rx_planner_types_after(struct rx_planner *planner, const struct rx_step *step, unsigned inputs, const void *image)
{
    const struct rx_option *maker = maker_of(&step->class->base);
    if (maker && is_flat(step->options)) {
        const struct rx_shaper *shaper;
        memcpy(&shaper, (const char *)image + maker->offset, sizeof shaper);
        declare(planner, shaper, step->options);
    } else if (step->facts.output != RX_OUTPUT_PASSES || inputs > 1) {
        rx_plan_know(planner->scratch, NULL, 0);
    }
}
