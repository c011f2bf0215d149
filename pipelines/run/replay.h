/* Replay: recorded notifications through a plan, under virtual time. The same input gives the same output, byte for
 * byte. */
#ifndef RX_PIPELINES_REPLAY_H
#define RX_PIPELINES_REPLAY_H

#include "pipelines/run/world.h"

struct rx_replay;

struct rx_replay_options {
    const char *const *names; /* streams to write, a pipeline with its branches; NULL-terminated. NULL: all pipelines */
    size_t span;              /* events of one source at one instant handed over together; 0: 1 */
    /* After every n-th event or timer everything is saved, and goes on from there in a new engine; 0: never. */
    unsigned long restart;
    bool alternate_fusion; /* each restart takes the other kind of plan, fused or as written */
    bool subscriptions;    /* add {"source", "subscribed", "unsubscribed"} lines */
    /* Of each world, the first and those after a restart: when it has been made and nothing runs yet, and before it goes. May be
     * NULL. */
    void (*enter)(void *world_arg, struct rx_world *);
    void (*leave)(void *world_arg, struct rx_world *);
    void *world_arg;
    /* A whole number of output lines, at the end of each instant. */
    void (*write)(void *arg, const char *text, size_t length);
    void *arg;
};

/* The logical plan is borrowed. */
int rx_replay_create(const struct rx_logical *, const struct rx_plan_options *, const struct rx_replay_options *,
                     struct rx_replay **ret, struct rx_error *reterr);
/* One input line: {"at": ms, "source": NAME, "next" | "complete" | "error" | "disconnect" | "connect": ...},
 * {"at": ms, "restart": true} or {"at": ms, "end": true}. Empty lines are skipped. -EINVAL with the reason (reterr->at.line is the count of lines so far). */
int rx_replay_line(struct rx_replay *, const char *line, size_t length, struct rx_error *reterr);
/* The input's end: runs on until nothing is scheduled, unless an end was given; writes the subscriptions. */
int rx_replay_finish(struct rx_replay *, struct rx_error *reterr);
/* What went to the error streams, of those where anything did. */
void rx_replay_losses(const struct rx_replay *, void (*each)(void *arg, const char *stream, uint64_t n), void *arg);
void rx_replay_destroy(struct rx_replay *);

#endif
