/* What the files of the planner share. */
#ifndef RX_PIPELINES_PLAN_PRIVATE_H
#define RX_PIPELINES_PLAN_PRIVATE_H

#include "pipelines/plan/plan.h"

#define RX_STEPS_MAX   1000
#define RX_SCOPES_MAX  16
#define RX_SOURCES_MAX 1024

struct rx_names;
struct rx_ordinals;

struct rx_planner {
    const struct rx_forest *forest;
    const struct rx_plan_options *options;
    struct rx_plan *plan;
    struct rx_diagnostics *diagnostics;
    struct rx_plan_pipeline *pipeline; /* being built */
    unsigned steps;                    /* in this pipeline, so far: labels and the limit */
    struct rx_names *ids;              /* of steps, in the whole config */
    struct rx_ordinals *ordinals;      /* of steps, in this pipeline */
    size_t step_capacity;
};

/* plan_step.c: identities. */
struct rx_step_words {
    const struct rx_operator_class *class;
    const char *name;            /* what stands in the id in place of the user's */
    const struct rx_tree *id;    /* the user's; NULL: none */
    const struct rx_tree *where; /* the operator's name */
    const struct rx_tree *options;
    enum rx_on_error on_error;
    uint64_t hash;
    const struct rx_step *parent; /* the planner adds it to this step; NULL: the user wrote it */
    const char *label;            /* NULL: by position */
};
/* A new step; NULL: no memory. An id that cannot be is diagnosed. */
struct rx_step *rx_plan_add_step(struct rx_planner *, const struct rx_step_words *);
void rx_plan_begin_steps(struct rx_planner *); /* of a pipeline */
void rx_plan_finish_steps(struct rx_planner *);
/* Gives every node the ledgers of its steps. */
int rx_plan_ledgers(struct rx_plan *);

/* plan.c: a copy of a text that lives as long as the plan; NULL: no memory. */
char *rx_plan_text(struct rx_planner *, const char *);
/* plan_steps.c: the sub-graph of a pipeline from its `from` and `pipe`. NULL after a mistake (diagnosed). */
struct rx_subgraph *rx_plan_steps(struct rx_planner *, const struct rx_tree *from, const struct rx_tree *pipe);
/* plan_source.c */
int rx_plan_sources(struct rx_planner *);
struct rx_plan_source *rx_plan_add_source(struct rx_planner *, const char *name, const struct rx_tree *);
int rx_plan_sinks(struct rx_planner *, struct rx_plan_pipeline *, const struct rx_tree *to);
/* plan_types.c: what the expressions behind a step may know of its output. */
void rx_plan_types_after(struct rx_planner *, const struct rx_node *, const struct rx_tree *value);
/* plan_order.c: pipelines in topological order (a circle is a mistake); ranks; where spans may flow. */
/* The pipeline being built reads this stream. */
void rx_plan_note_dependency(struct rx_planner *, const struct rx_hub *);
int rx_plan_order(struct rx_planner *);
void rx_plan_rank(struct rx_plan *);
/* plan_fuse.c: rewrites group_by -> window -> aggregate, in place. */
int rx_plan_fuse(struct rx_planner *, struct rx_subgraph *);
/* plan_fields.c: which fields each source must decode. */
int rx_plan_fields(struct rx_planner *);
/* Finds a stream by name; diagnoses an unknown one at `where`. NULL then. */
struct rx_hub *rx_plan_hub(struct rx_planner *, const char *name, const struct rx_tree *where);

#endif
