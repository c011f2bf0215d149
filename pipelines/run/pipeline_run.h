/* A pipeline as the producer of its hub: its sub-graph runs while somebody subscribes. One worker. */
#ifndef RX_PIPELINES_PIPELINE_RUN_H
#define RX_PIPELINES_PIPELINE_RUN_H

#include "pipelines/plan/plan.h"

struct rx_pipeline_run;

/* Connects every pipeline of the plan to its hub. -ENOMEM. */
int rx_pipelines_bind(struct rx_plan *);
struct rx_instance *rx_pipeline_run_instance(const struct rx_pipeline_run *); /* NULL: it does not run */

/* What hubs have counted for their steps goes into the plan's ledgers: before those are read. */
void rx_pipelines_account(const struct rx_plan *);

/* State: the steps with their accounts, the hub, the running instance. */
void rx_pipeline_run_save(struct rx_pipeline_run *, struct rx_writer *);
/* Whether the state behind the reader is of a pipeline with the same steps. */
bool rx_pipeline_run_same(const struct rx_pipeline_run *, const struct rx_reader *);
/* Into a pipeline that does not run; -EBADMSG: it still does not. */
int rx_pipeline_run_load(struct rx_pipeline_run *, struct rx_reader *);
bool rx_pipeline_run_kept(const struct rx_pipeline_run *); /* it was loaded */
void rx_pipeline_run_discard(struct rx_pipeline_run *);    /* stops what runs, telling nobody */

#endif
