/* Streams among the options of a step. A mapping there may name options, name streams (with: {p: prices}), or be a stream itself
 * (with: {of: [1, 2]}): that one is written out as {from: ...}, so that whoever asks how many streams there are sees one. */
#include <errno.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/registry.h"

static bool takes_streams(const struct rx_option *o)
{
    return (o->type == RX_OPTION_STREAM || o->type == RX_OPTION_STREAMS) && !(o->flags & RX_OPENED);
}

/* {of: [1, 2]}, {timer: {every: 1s}}; but {timer: tick}, {timer: {from: ...}} give a stream the name `timer`. */
static bool is_made(const struct rx_planner *planner, const struct rx_tree *tree)
{
    if (tree->kind != RX_TREE_MAP || tree->count != 1)
        return false;
    const struct rx_tree *item = tree->items[0];
    const char *name = tree->keys[0]->text;
    bool names = item->kind == RX_TREE_SCALAR ? rx_logical_find_outlet(planner->plan, item->text) != NULL
                                              : rx_tree_get(item, "from") != NULL;
    return !names && (rx_registry_creation(name) || rx_registry_source(name));
}

static struct rx_tree *map_of_one(struct rx_planner *planner, const char *name, const struct rx_tree *item)
{
    struct rx_tree *map = rx_planner_map(planner, item, 1), *key = rx_planner_scalar(planner, item, name);
    if (!map || !key)
        return NULL;
    rx_planner_put(map, key, (struct rx_tree *)(uintptr_t)item);
    return map;
}

/* `- merge_with: {of: [1, 2]}`: the value is no mapping of options, but what the positional one takes. */
static int place_whole(struct rx_planner *planner, struct rx_written_step *step)
{
    const struct rx_class *class = &step->class->base;
    const struct rx_tree *value = step->value;
    const char *positional = rx_class_positional(class);
    for (const struct rx_option *o = class->options; o->name; o++) {
        if (!takes_streams(o) || !(o->flags & RX_POSITIONAL))
            continue;
        bool written_out = rx_tree_get(value, "from") && !rx_class_has_option(class, "from");
        if (!written_out && (!is_made(planner, value) || rx_class_has_option(class, value->keys[0]->text)))
            return 0;
        step->value = map_of_one(planner, positional, value);
        return step->value ? 0 : -ENOMEM;
    }
    return 0;
}

/* Of one option among others. */
static int place_inside(struct rx_planner *planner, struct rx_written_step *step, const struct rx_option *o)
{
    const struct rx_tree *value = step->value, *stream = rx_option_tree(&step->class->base, value, o);
    if (!stream || !is_made(planner, stream))
        return 0;
    struct rx_tree *copy = rx_planner_map(planner, value, value->count), *out = map_of_one(planner, "from", stream);
    if (!copy || !out)
        return -ENOMEM;
    copy->options = value->options;
    for (size_t i = 0; i < value->count; i++)
        rx_planner_put(copy, value->keys[i], value->items[i] == stream ? out : value->items[i]);
    step->value = copy;
    return 0;
}

int rx_planner_place_streams(struct rx_planner *planner, struct rx_written_step *step)
{
    const struct rx_option *o = step->class->base.options;
    if (!o || !step->value || step->value->kind != RX_TREE_MAP)
        return 0;
    int r = place_whole(planner, step);
    for (; r == 0 && o->name; o++)
        if (takes_streams(o))
            r = place_inside(planner, step, o);
    return r;
}
