/* What the files of the physical plan share while it is made. */
#ifndef RX_PIPELINES_PLAN_PRIVATE_H
#define RX_PIPELINES_PLAN_PRIVATE_H

#include "pipelines/plan/plan.h"

struct rx_assembly {
    const struct rx_logical *logical;
    const struct rx_plan_options *options;
    struct rx_plan *plan;
    struct rx_diagnostics *diagnostics;
    struct rx_plan_pipeline **pipelines; /* by position in the config; NULL: another worker's */
};

/* plan.c */
struct rx_hub *rx_assembly_hub(const struct rx_assembly *, const struct rx_outlet *);
/* plan_source.c */
int rx_assembly_sources(struct rx_assembly *);
int rx_assembly_sinks(struct rx_assembly *, struct rx_plan_pipeline *);
/* plan_graph.c: the sub-graph of a pipeline, fused where that is wanted. */
int rx_assembly_graph(struct rx_assembly *, struct rx_plan_pipeline *);
/* plan_graph.c: the options of a step, compiled for this worker; NULL: no memory. */
void *rx_assembly_image(struct rx_assembly *, const struct rx_logical_node *);
void rx_assembly_rank(struct rx_plan *); /* ranks, and where spans may flow */
/* plan_table.c: the table of a node that has one. What is wrong with its file is diagnosed. -ENOMEM. */
int rx_assembly_table(struct rx_assembly *, struct rx_node *);
/* plan_fuse.c: makes `node` run the steps of `logical` and of what is inside it as one. 1: it does, 0: it cannot, -ENOMEM. */
int rx_assembly_fuse(struct rx_assembly *, const struct rx_logical_node *logical, struct rx_node *node);
/* The same of steps that stand behind one another, from the i-th of the graph on: how many it runs, 0: it cannot
 * (the image is the first step's then, where it was made), -ENOMEM. */
int rx_assembly_run(struct rx_assembly *, const struct rx_logical_graph *, size_t i, struct rx_node *node);

#endif
