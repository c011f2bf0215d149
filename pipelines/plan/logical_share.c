/* Sharing out: pipelines that read a common stream, directly or through others, form a component (union-find); the
 * components are dealt to the workers in turn. After a reload each stays where one of its pipelines ran before. */
#include <errno.h>
#include <stdlib.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/names.h"

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

/* The worker on which one of the component's pipelines ran before. */
static void keep_workers(struct sharing *s, const struct rx_logical *before, const struct rx_shares *shares,
                         unsigned *dealt)
{
    for (size_t i = 0; i < before->pipeline_count; i++) {
        const struct rx_outlet *same = rx_names_get(s->plan->outlets, before->pipelines[i].name);
        if (!same || !same->pipeline)
            continue;
        unsigned *worker = &dealt[root_of(s, s->plan->source_count + same->pipeline->position)];
        if (*worker == RX_NOWHERE)
            *worker = shares->pipelines[i];
    }
}

static void deal(struct sharing *s, unsigned workers, unsigned *dealt, struct rx_shares *ret)
{
    unsigned turn = 0;
    for (size_t i = 0; i < s->plan->pipeline_count; i++) {
        unsigned *worker = &dealt[root_of(s, s->plan->source_count + i)];
        if (*worker == RX_NOWHERE)
            *worker = turn++ % workers;
        ret->pipelines[i] = *worker;
    }
    for (size_t i = 0; i < s->plan->source_count; i++)
        ret->sources[i] = dealt[root_of(s, i)];
}

int rx_logical_share(const struct rx_logical *plan, unsigned workers, const struct rx_logical *before,
                     const struct rx_shares *shares, struct rx_shares *ret)
{
    struct sharing s = {.plan = plan};
    size_t count = plan->source_count + plan->pipeline_count;
    struct rx_shares made = {.pipelines = calloc(plan->pipeline_count + 1, sizeof(unsigned)),
                             .sources = calloc(plan->source_count + 1, sizeof(unsigned))};
    unsigned *dealt = calloc(count + 1, sizeof *dealt);
    s.parent = calloc(count + 1, sizeof *s.parent);
    bool whole = made.pipelines && made.sources && dealt && s.parent;
    for (size_t i = 0; whole && i < count; i++) {
        s.parent[i] = i;
        dealt[i] = RX_NOWHERE;
    }
    if (whole) {
        join_all(&s);
        if (before)
            keep_workers(&s, before, shares, dealt);
        deal(&s, workers, dealt, &made);
        *ret = made;
    } else {
        rx_shares_finish(&made);
    }
    free(dealt);
    free(s.parent);
    return whole ? 0 : -ENOMEM;
}

void rx_shares_finish(struct rx_shares *shares)
{
    free(shares->pipelines);
    free(shares->sources);
    *shares = (struct rx_shares){0};
}
