/* The plan: a checked config as sources, pipelines and the sub-graphs that run. Belongs to one worker (its engine).
 *
 * Planning validates everything and starts nothing: `rxd check` is a plan thrown away. */
#ifndef RX_PIPELINES_PLAN_H
#define RX_PIPELINES_PLAN_H

#include "core/feed/sink.h"
#include "core/feed/source.h"
#include "core/graph/graph.h"
#include "pipelines/config/config_read.h"

struct rx_plan_options {
    bool no_fusion;             /* keep group_by -> window -> aggregate as written */
    bool replay;                /* sources will be replaced: they may end, none is initialised */
    struct rx_site *site;       /* NULL: check, explain, replay */
    const bool *pipelines_here; /* by position in the config: which to plan on this worker; NULL: all */
};

struct rx_plan_source {
    const char *name;
    const struct rx_tree *tree;
    struct rx_source *source; /* the class's state struct, options set */
    struct rx_fields *fields;
    unsigned reaches;
    bool cold; /* replay: cold */
    bool used;
    struct rx_hub *hub, *errors;
};

struct rx_plan_sink {
    struct rx_sink *sink;
    const struct rx_tree *tree;
};

/* A stream made inside a pipeline by a step (tap): X.NAME. */
struct rx_plan_branch {
    const char *name;
    struct rx_hub *hub;
};

struct rx_plan_pipeline {
    const char *name;
    const struct rx_tree *tree;
    struct rx_subgraph *graph;
    struct rx_hub *hub, *errors;
    struct rx_plan_sink *sinks;
    size_t sink_count;
    struct rx_plan_branch *branches;
    size_t branch_count;
    size_t first_step, step_count; /* its steps in rx_plan.steps */
    struct rx_pipeline_run *run;   /* pipelines/run/pipeline_run.c: its running instance */
    size_t *depends;               /* positions of pipelines that it reads */
    size_t depend_count;
    unsigned order; /* topological: what it reads comes first */
};

struct rx_plan {
    struct rx_engine *engine;
    struct rx_site *site; /* NULL: nothing outside is reached */
    struct rx_plan_arena *arena;
    bool whole; /* all pipelines of the config; else those of one worker, and a source that is not used is another's */
    struct rx_plan_source *sources;
    size_t source_count;
    struct rx_plan_pipeline *pipelines; /* as written */
    size_t pipeline_count;
    size_t *ordered;           /* positions of pipelines, upstream first */
    struct rx_step **steps;    /* by number */
    struct rx_ledger *ledgers; /* of this engine's, by number of step */
    struct rx_node_run *runs;  /* likewise */
    size_t step_count;
};

/* 0, or -EINVAL with every mistake in the diagnostics. The forest must outlive the plan. */
int rx_plan_create(const struct rx_forest *, struct rx_engine *, const struct rx_plan_options *,
                   struct rx_diagnostics *, struct rx_plan **ret);
void rx_plan_destroy(struct rx_plan *); /* nothing of it may run any more */

struct rx_plan_source *rx_plan_find_source(struct rx_plan *, const char *name);
struct rx_plan_pipeline *rx_plan_find_pipeline(struct rx_plan *, const char *name);
struct rx_hub *rx_plan_find_hub(struct rx_plan *, const char *name); /* of any stream: X, X.errors, X.BRANCH */

/* Calls `each` for every node of a sub-graph and of those inside it, outer first. */
void rx_plan_walk(const struct rx_subgraph *, void (*each)(void *arg, const struct rx_node *, unsigned depth),
                  void *arg);

#endif
