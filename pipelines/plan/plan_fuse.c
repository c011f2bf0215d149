/* Fusion: group_by -> window -> aggregate on an epoch becomes one keyed, incremental operator. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/plan_private.h"
#include "pipelines/plan/registry.h"

static const struct rx_option *find_option(const struct rx_class *class, const char *name)
{
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

static const void *option_of(const struct rx_node *node, const char *name)
{
    return (const char *)node->image + find_option(&node->class->base, name)->offset;
}

static int64_t int_of(const struct rx_node *node, const char *name)
{
    int64_t value;
    memcpy(&value, option_of(node, name), sizeof value);
    return value;
}

static bool is(const struct rx_node *node, const char *name) { return strcmp(node->class->base.name, name) == 0; }

/* What the fused operator does not do: overlaps and gaps, early closing, empty windows, idle and expected groups. */
static bool plain_window(const struct rx_node *window)
{
    struct rx_extent size, every;
    int align;
    bool emit_empty;
    memcpy(&size, option_of(window, "size"), sizeof size);
    memcpy(&every, option_of(window, "every"), sizeof every);
    memcpy(&align, option_of(window, "align"), sizeof align);
    memcpy(&emit_empty, option_of(window, "emit_empty"), sizeof emit_empty);
    return size.duration > 0 && !every.count && (every.duration == 0 || every.duration == size.duration) &&
           !every.every_event && align == 0 && !emit_empty && int_of(window, "max") == 0;
}

static bool plain_group(const struct rx_node *group)
{
    struct rx_strings expect;
    memcpy(&expect, option_of(group, "expect"), sizeof expect);
    return int_of(group, "idle") == 0 && expect.count == 0;
}

static bool skips_bad_events(const struct rx_node *node)
{
    return node->step->on_error == RX_DEAD_LETTER || node->step->on_error == RX_DROP;
}

/* The window inside `group`, or NULL where the three do not stand together, alone and plain. */
static const struct rx_node *fusible_window(const struct rx_node *group)
{
    const struct rx_subgraph *in_group = group->subgraphs[0];
    if (!is(group, "group_by") || !in_group || in_group->count != 2 || !is(&in_group->nodes[1], "window"))
        return NULL;
    const struct rx_node *window = &in_group->nodes[1];
    const struct rx_subgraph *in_window = window->subgraphs[0];
    if (!in_window || in_window->count != 2 || !is(&in_window->nodes[1], "aggregate"))
        return NULL;
    const struct rx_node *aggregate = &in_window->nodes[1];
    bool plain = plain_group(group) && plain_window(window) && skips_bad_events(group) && skips_bad_events(aggregate);
    return plain ? window : NULL;
}

static void copy_option(const struct rx_class *to, void *image, const struct rx_node *from, const char *name,
                        size_t size)
{
    memcpy((char *)image + find_option(to, name)->offset, option_of(from, name), size);
}

static int fuse(struct rx_planner *planner, struct rx_node *group, const struct rx_node *window)
{
    const struct rx_node *aggregate = &window->subgraphs[0]->nodes[1];
    const struct rx_operator_class *class = &rx_operator_keyed_window;
    void *image = rx_plan_alloc(planner->plan->arena, class->base.state_size);
    const struct rx_step **steps = rx_plan_alloc(planner->plan->arena, 3 * sizeof *steps);
    if (!image || !steps)
        return -ENOMEM;
    copy_option(&class->base, image, group, "by", sizeof(void *));
    copy_option(&class->base, image, group, "max_keys", sizeof(int64_t));
    copy_option(&class->base, image, window, "size", sizeof(struct rx_extent));
    copy_option(&class->base, image, window, "on_complete", sizeof(int));
    copy_option(&class->base, image, aggregate, "fields", sizeof(void *));
    group->class = class;
    group->image = image;
    steps[0] = group->step;
    steps[1] = window->step;
    steps[2] = aggregate->step;
    group->steps = steps;
    group->step_count = 3;
    group->common_step = 1; /* the boundary clock is the window's */
    group->subgraphs[0] = NULL;
    return 0;
}

/* Not inside another scope: there windows close in the order in which the groups of all scopes began, and operators of
 * which each knows its own scope would close theirs together. */
int rx_plan_fuse(struct rx_planner *planner, struct rx_subgraph *graph)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < graph->count; i++) {
        const struct rx_node *window = fusible_window(&graph->nodes[i]);
        if (window)
            r = fuse(planner, &graph->nodes[i], window);
    }
    return r;
}
