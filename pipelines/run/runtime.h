/* The running plan: sources and pipelines produce into hubs; a supervisor holds one subscription to every pipeline, hands
 * its events to the sinks, and restarts it after an error with exponential backoff. One worker. */
#ifndef RX_PIPELINES_RUNTIME_H
#define RX_PIPELINES_RUNTIME_H

#include "pipelines/run/state.h"

struct rx_runtime;

enum rx_pipeline_state { RX_PIPELINE_RUNNING, RX_PIPELINE_WAITING /* to be restarted */, RX_PIPELINE_COMPLETED };

struct rx_pipeline_status {
    enum rx_pipeline_state state;
    uint64_t restarts;
    bool failing;         /* waits for a restart, or has not yet run for long enough to trust it */
    char last_error[480]; /* "": none */
};

/* Makes hubs produce, subscribes; sources start last. The plan is borrowed and must have been made with a site. `state`, of
 * rx_runtime_save, may be NULL: pipelines whose steps are in it as they are go on from there, and so do their sinks, sources
 * of the same options, and the supervisor; the others begin anew. -EBADMSG: the state is damaged, nothing runs. */
int rx_runtime_start(struct rx_plan *, const struct rx_state *state, struct rx_runtime **ret, struct rx_error *reterr);
/* All that runs, between two turns. */
void rx_runtime_save(struct rx_runtime *, struct rx_writer *);
/* What was saved is another's now, what the sinks hold among it: then destroy it. */
void rx_runtime_hand_over(struct rx_runtime *);
bool rx_runtime_kept(const struct rx_runtime *, size_t pipeline); /* it goes on from the state */
/* Cancels all pipelines, stops sources; what sinks still hold may then be drained. */
void rx_runtime_stop(struct rx_runtime *);
void rx_runtime_settle(struct rx_runtime *);  /* brings the accounts of all sinks up to date */
bool rx_runtime_drained(struct rx_runtime *); /* nothing is left in the sinks */
void rx_runtime_destroy(struct rx_runtime *);

struct rx_pipeline_status rx_runtime_status(const struct rx_runtime *, size_t pipeline); /* by its place in the plan */

/* What came on an error stream, by position of its source or pipeline in the plan. */
struct rx_bad_events {
    uint64_t count;
    const char *last; /* why the latest could not be used; "": none yet. Valid until the next turn */
};
struct rx_bad_events rx_runtime_source_errors(const struct rx_runtime *, size_t source);
struct rx_bad_events rx_runtime_pipeline_errors(const struct rx_runtime *, size_t pipeline);

#endif
