/* What the files of the runtime share. */
#ifndef RX_PIPELINES_RUNTIME_PRIVATE_H
#define RX_PIPELINES_RUNTIME_PRIVATE_H

#include "pipelines/run/runtime.h"

/* A hub with sinks behind it: a pipeline, an error stream, a branch. */
struct rx_delivery {
    struct rx_observer observer;
    struct rx_timer restart;
    struct rx_runtime *runtime;
    struct rx_hub *hub;
    struct rx_plan_sink *sinks;
    size_t sink_count;
    struct rx_sample **sample; /* of an error stream */
    bool supervised;
    rx_time backoff;
    rx_time started;
    struct rx_pipeline_status status;
};

struct rx_runtime {
    struct rx_plan *plan;
    struct rx_delivery *deliveries; /* the pipelines first, as in the plan */
    size_t count, capacity;
    struct rx_sample **samples; /* of error streams: the sources', then the pipelines' */
    bool *wants_start;          /* while loading, by source: it is to run when everything is loaded */
    bool stopped;
};

/* runtime_state.c. Loading: after the sinks have started, before anything is subscribed. */
int rx_runtime_load(struct rx_runtime *, const struct rx_state *, struct rx_error *reterr);

#endif
