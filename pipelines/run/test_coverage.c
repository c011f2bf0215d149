/* Users' tests: which steps and branches of a config they reached. */
#include "pipelines/run/test_coverage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/pipeline_run.h"

struct reached {
    uint64_t in, out, filtered, errored, failures;
};

struct rx_test_coverage {
    const struct rx_logical *logical;
    struct reached *steps; /* by number */
    uint64_t *branches;    /* events of the streams that steps feed, in order of pipelines */
    size_t branch_count;
};

struct rx_test_coverage *rx_test_coverage_create(const struct rx_logical *logical)
{
    struct rx_test_coverage *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->logical = logical;
    for (size_t i = 0; i < logical->pipeline_count; i++)
        c->branch_count += logical->pipelines[i].branch_count;
    c->steps = calloc(logical->step_count + 1, sizeof *c->steps);
    c->branches = calloc(c->branch_count + 1, sizeof *c->branches);
    if (c->steps && c->branches)
        return c;
    rx_test_coverage_destroy(c);
    return NULL;
}

void rx_test_coverage_destroy(struct rx_test_coverage *c)
{
    if (!c)
        return;
    free(c->steps);
    free(c->branches);
    free(c);
}

static void add_step(struct reached *to, const struct rx_ledger *l)
{
    to->in += l->in;
    to->out += l->out;
    to->filtered += l->accounts[RX_FILTERED];
    to->errored += l->accounts[RX_ERRORED];
    to->failures += l->failures;
}

void rx_test_coverage_add(struct rx_test_coverage *c, const struct rx_world *world)
{
    const struct rx_plan *plan = world->plan;
    size_t branch = 0;
    rx_pipelines_account(plan);
    for (size_t i = 0; i < c->logical->step_count; i++)
        add_step(&c->steps[i], &plan->ledgers[i]);
    for (size_t i = 0; i < plan->pipeline_count; i++)
        for (size_t k = 0; k < plan->pipelines[i].branch_count; k++)
            c->branches[branch++] += rx_hub_stats(plan->pipelines[i].branches[k].hub).events;
}

/* ---- telling ---- */

struct telling {
    void (*each)(void *arg, const char *place, bool reached);
    void *arg;
};

static void tell(const struct telling *t, const struct rx_tree *where, const char *name, bool reached, const char *what)
{
    char place[1024];
    snprintf(place, sizeof place, "%.600s:%u:%u: %.200s: %s", where->file->path, where->at.line, where->at.column, name,
             what);
    t->each(t->arg, place, reached);
}

/* What the planner adds to a step is named behind it, and stands at its place; behind an operator's name is its number. */
static bool is_written(const struct rx_step *step)
{
    const char *own = step->id + strlen(step->pipeline) + 1, *slash = strchr(own, '/');
    bool internal = (step->class->base.flags & RX_INTERNAL) != 0;
    return !internal && (!slash || slash[1 + strspn(slash + 1, "0123456789")] == '\0');
}

/* `on_error` stands beside the operator, in the map that the step is. */
static bool has_on_error(const struct rx_step *step) { return step->on_error != RX_DEAD_LETTER; }

static void tell_step(const struct telling *t, const struct rx_step *step, const struct reached *r)
{
    tell(t, step->where, step->id, r->in > 0 || step->class->max_inputs == 0, "no event reached it");
    if (step->class->condition && r->in > 0) {
        tell(t, step->where, step->id, r->in > r->filtered + r->errored, "its condition was never true");
        tell(t, step->where, step->id, r->filtered > 0, "its condition was never false");
    }
    if (has_on_error(step))
        tell(t, step->where, step->id, r->errored > 0, "its on_error was never taken");
    if (step->class->base.flags & RX_CATCHES)
        tell(t, step->where, step->id, r->failures > 0, "no error came for it to catch");
}

struct finding {
    const struct rx_outlet *branch;
    const struct rx_step *step;
};

static void find_feeder(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct finding *f = arg;
    (void)depth;
    for (unsigned i = 0; i < node->feed_count; i++)
        if (node->feeds[i] == f->branch)
            f->step = node->step;
}

static void tell_branches(const struct rx_test_coverage *c, const struct telling *t,
                          const struct rx_logical_pipeline *p, size_t first)
{
    for (size_t k = 0; k < p->branch_count; k++) {
        struct finding f = {.branch = &p->branches[k]};
        rx_logical_walk(p->graph, find_feeder, &f);
        tell(t, f.step ? f.step->where : p->key, p->branches[k].name, c->branches[first + k] > 0,
             "no event took this branch");
    }
}

void rx_test_coverage_each(const struct rx_test_coverage *c, void (*each)(void *arg, const char *place, bool reached),
                           void *arg)
{
    struct telling t = {each, arg};
    size_t branch = 0;
    for (size_t i = 0; i < c->logical->pipeline_count; i++) {
        const struct rx_logical_pipeline *p = &c->logical->pipelines[i];
        for (uint32_t k = p->first_step; k < p->first_step + p->step_count; k++)
            if (is_written(c->logical->steps[k]))
                tell_step(&t, c->logical->steps[k], &c->steps[k]);
        tell_branches(c, &t, p, branch);
        branch += p->branch_count;
    }
}
