/* Sharing out: pipelines that read a common stream, directly or through others, form a component (union-find); the
 * components are dealt to the workers in turn. */
#include <errno.h>
#include <stdlib.h>

#include "pipelines/plan/logical_private.h"

struct sharing {
    const struct rx_logical *plan;
    size_t *parent; /* sources first, then pipelines */
};

static size_t root_of(struct sharing *s, size_t i)
{
    while (s->parent[i] != i)
        i = s->parent[i] = s->parent[s->parent[i]];
    return i;
}

static void join(struct sharing *s, size_t a, size_t b)
{
    size_t x = root_of(s, a), y = root_of(s, b);
    s->parent[x > y ? x : y] = x < y ? x : y;
}

static void join_readers(struct sharing *s, size_t read, const struct rx_outlet *outlet)
{
    for (const struct rx_reading *r = outlet->readings; r; r = r->next)
        join(s, read, s->plan->source_count + r->by->position);
}

static void join_all(struct sharing *s)
{
    const struct rx_logical *plan = s->plan;
    for (size_t i = 0; i < plan->source_count; i++) {
        join_readers(s, i, &plan->sources[i]->out);
        join_readers(s, i, &plan->sources[i]->errors);
    }
    for (size_t i = 0; i < plan->pipeline_count; i++)
        for (size_t k = 0; k < plan->pipelines[i].depend_count; k++)
            join(s, plan->source_count + i, plan->source_count + plan->pipelines[i].depends[k]);
}

/* Components are numbered in order of their first pipeline. */
static void deal(struct sharing *s, size_t *numbers, unsigned workers, unsigned number, bool *here)
{
    size_t components = 0;
    for (size_t i = 0; i < s->plan->pipeline_count; i++) {
        size_t root = root_of(s, s->plan->source_count + i);
        if (!numbers[root])
            numbers[root] = ++components;
        here[i] = (numbers[root] - 1) % workers == number;
    }
}

int rx_logical_share(const struct rx_logical *plan, unsigned workers, unsigned number, bool **ret)
{
    struct sharing s = {.plan = plan};
    size_t count = plan->source_count + plan->pipeline_count;
    *ret = NULL;
    if (workers <= 1)
        return 0;
    s.parent = calloc(count + 1, sizeof *s.parent);
    size_t *numbers = calloc(count + 1, sizeof *numbers);
    bool *here = calloc(plan->pipeline_count + 1, sizeof *here);
    if (s.parent && numbers && here) {
        for (size_t i = 0; i < count; i++)
            s.parent[i] = i;
        join_all(&s);
        deal(&s, numbers, workers, number, here);
        *ret = here;
        here = NULL;
    }
    free(s.parent);
    free(numbers);
    free(here);
    return *ret ? 0 : -ENOMEM;
}
