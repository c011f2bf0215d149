/* Fusion: steps that stand alone inside one another, run as one operator where a class offers that (rx_operator_class.fuses). */
#include <errno.h>

#include "pipelines/plan/plan_private.h"
#include "pipelines/plan/registry.h"

enum { FUSED_MAX = 8, ROW_MAX = RX_COLUMN_STEPS_MAX };

/* The only step inside a scope; NULL: there are more, or other streams come in. */
static const struct rx_logical_node *only_inside(const struct rx_logical_node *node)
{
    const struct rx_logical_graph *scope = node->scope;
    return scope && scope->count == 2 && scope->nodes[1].input_count == 1 ? &scope->nodes[1] : NULL;
}

/* How many steps the class would run from `node` on, collected from the outside in; 0: they are not what it runs. Windows that
 * must sort their events run alone: what is fused keeps none. */
static unsigned match(const struct rx_operator_class *class, const struct rx_logical_node *node,
                      const struct rx_logical_node **found)
{
    unsigned n = 0;
    for (; class->fuses[n]; n++) {
        if (!node || n == FUSED_MAX || node->step->class != class->fuses[n] || node->inner_ordered)
            return 0;
        found[n] = node;
        node = only_inside(node);
    }
    return found[n - 1]->scope ? 0 : n;
}

/* 1: `image` is made of theirs, 0: their options say that they run alone, -ENOMEM. */
static int try_class(struct rx_assembly *a, const struct rx_operator_class *class,
                     const struct rx_logical_node *const *found, unsigned n, struct rx_node *node)
{
    struct rx_plan_arena *arena = a->plan->arena;
    const void *images[FUSED_MAX];
    const struct rx_step **steps = rx_plan_alloc(arena, n * sizeof *steps);
    void *image = rx_plan_alloc(arena, class->base.state_size);
    if (!steps || !image)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        steps[i] = found[i]->step;
        images[i] = rx_assembly_image(a, found[i]);
        if (!images[i])
            return -ENOMEM;
    }
    enum rx_fusing fusing = class->fuse(steps, images, found[0]->told, image);
    if (fusing == RX_FUSES_NOT || (fusing == RX_FUSES && a->options->no_fusion))
        return 0;
    node->class = class;
    node->image = image;
    node->steps = steps;
    node->step_count = (uint16_t)n;
    node->common_step = class->fused_common;
    return 1;
}

int rx_assembly_fuse(struct rx_assembly *a, const struct rx_logical_node *logical, struct rx_node *node)
{
    const struct rx_logical_node *found[FUSED_MAX];
    int r = 0;
    if (!logical->scope || (a->options->no_fusion && !a->options->fuse_states))
        return 0;
    for (const struct rx_operator_class *const *class = rx_registry_operators(); *class && r == 0; class ++) {
        unsigned n = (*class)->fuses ? match(*class, logical, found) : 0;
        if (n > 0)
            r = try_class(a, *class, found, n, node);
    }
    return r;
}

/* ---- steps behind one another ---- */

static const struct rx_operator_class *runner(void)
{
    const struct rx_operator_class *const *class = rx_registry_operators();
    while (!(*class)->run)
        class ++;
    return *class;
}

static bool stands_alone(const struct rx_logical_node *node)
{
    return node->step->class->each && node->input_count == 1 && node->feed_count == 0;
}

/* How many steps from the i-th on take each event by itself, and hand it to the next. */
static unsigned row_length(const struct rx_logical_graph *graph, size_t i)
{
    unsigned n = 0;
    while (i + n < graph->count && n < ROW_MAX && stands_alone(&graph->nodes[i + n]) &&
           (n == 0 || graph->nodes[i + n].inputs[0].node == i + n - 1))
        n++;
    return n;
}

int rx_assembly_run(struct rx_assembly *a, const struct rx_logical_graph *graph, size_t i, struct rx_node *node)
{
    const struct rx_operator_class *class = runner();
    struct rx_plan_arena *arena = a->plan->arena;
    const void *images[ROW_MAX];
    unsigned n = a->options->no_fusion ? 0 : row_length(graph, i);
    if (n == 0)
        return 0;
    const struct rx_step **steps = rx_plan_alloc(arena, n * sizeof *steps);
    void *image = rx_plan_alloc(arena, class->base.state_size);
    if (!steps || !image)
        return -ENOMEM;
    for (unsigned k = 0; k < n; k++) {
        steps[k] = graph->nodes[i + k].step;
        images[k] = rx_assembly_image(a, &graph->nodes[i + k]);
        if (!images[k])
            return -ENOMEM;
    }
    int r = class->run(steps, images, n, arena, image);
    if (r <= 0) {
        node->image = images[0];
        return r;
    }
    node->class = class;
    node->image = image;
    node->steps = steps;
    node->step_count = (uint16_t)n;
    node->in_row = true;
    return (int)n;
}
