/* The physical plan: what one worker runs of a logical plan. Sources, sinks and sub-graphs with its own compiled options, on
 * its engine and heap. Belongs to the worker.
 *
 * Making it starts nothing: `rxd check` is a plan thrown away. */
#ifndef RX_PIPELINES_PLAN_H
#define RX_PIPELINES_PLAN_H

#include "core/base/file.h"
#include "core/feed/table.h"
#include "core/graph/graph.h"
#include "pipelines/plan/logical.h"

struct rx_plan_options {
    bool no_fusion;             /* run every step in a node of its own */
    bool fuse_states;           /* all the same, fuse what has a state of its own (RX_FUSES_STATE) */
    size_t index_from;          /* rx_engine.index_from; 0: as it is */
    struct rx_site *site;       /* NULL: explain, replay: sources and sinks are not initialised */
    const bool *pipelines_here; /* by position in the config: which to run on this worker; NULL: all */
    /* What stands in for the file of a step's table, of a test: its rows as JSON (a list of objects, or an object of keys to rows);
     * *ret_any: every key finds the first. NULL: the file is read. The text is borrowed for the moment. */
    const char *(*rows)(void *arg, const struct rx_step *, bool *ret_any);
    void *rows_arg;
};

struct rx_plan_source {
    const char *name;
    const struct rx_tree *tree;
    struct rx_source *source; /* the class's state struct, options set */
    struct rx_fields *fields;
    unsigned reaches;
    bool cold; /* replay: cold */
    bool used; /* by a pipeline of this worker */
    struct rx_hub *hub, *errors;
    uint64_t hash; /* of the options that shape its state */
};

struct rx_plan_sink {
    struct rx_sink *sink;
    uint64_t hash;
    const struct rx_tree *tree;
};

/* A stream made inside a pipeline by a step (tap): X.NAME. */
struct rx_plan_branch {
    const char *name;
    struct rx_hub *hub;
};

struct rx_plan_pipeline {
    const struct rx_logical_pipeline *logical;
    const char *name;
    const struct rx_tree *tree;
    struct rx_subgraph *graph;
    struct rx_hub *hub, *errors, *late; /* X, X.errors, X.late */
    struct rx_plan_sink *sinks;
    size_t sink_count;
    struct rx_plan_branch *branches;
    size_t branch_count;
    size_t first_step, step_count; /* its steps in rx_plan.steps */
    struct rx_pipeline_run *run;   /* pipelines/run/pipeline_run.c: its running instance */
};

/* The file that a step looks things up in. */
struct rx_plan_table {
    struct rx_plan_table *next;
    const struct rx_step *step;
    struct rx_table_handle handle;
    struct rx_file_stamp read; /* what was read of it when the plan was made */
};

struct rx_plan {
    const struct rx_logical *logical;
    struct rx_engine *engine;
    struct rx_site *site; /* NULL: nothing outside is reached */
    struct rx_plan_arena *arena;
    bool whole; /* all pipelines of the config; else those of one worker, and a source that is not used is another's */
    struct rx_plan_source *sources; /* as in the logical plan */
    size_t source_count;
    struct rx_plan_pipeline *pipelines; /* of this worker, in order of the config */
    size_t pipeline_count;
    size_t *ordered;              /* positions among them, upstream first */
    struct rx_step *const *steps; /* of the whole config, by number */
    struct rx_ledger *ledgers;    /* by number of step; those of other workers' stay zero */
    struct rx_node_run *runs;     /* likewise */
    struct rx_plan_table *tables; /* of its nodes */
};

/* 0, or -EINVAL with every mistake in the diagnostics, or -ENOMEM. The logical plan must outlive it. */
int rx_plan_create(const struct rx_logical *, struct rx_engine *, const struct rx_plan_options *,
                   struct rx_diagnostics *, struct rx_plan **ret);
void rx_plan_destroy(struct rx_plan *); /* nothing of it may run any more */

struct rx_plan_source *rx_plan_find_source(struct rx_plan *, const char *name);
struct rx_plan_pipeline *rx_plan_find_pipeline(struct rx_plan *, const char *name);
struct rx_hub *rx_plan_find_hub(struct rx_plan *, const char *name); /* of any stream: X, X.errors, X.BRANCH */

/* Calls `each` for every node of a sub-graph and of those inside it, outer first. */
void rx_plan_walk(const struct rx_subgraph *, void (*each)(void *arg, const struct rx_node *, unsigned depth),
                  void *arg);

#endif
