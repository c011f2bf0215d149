/* Replay: recorded notifications through a plan, under virtual time. The same input gives the same output, byte for
 * byte. */
#ifndef RX_PIPELINES_REPLAY_H
#define RX_PIPELINES_REPLAY_H

#include "pipelines/plan/plan.h"

struct rx_replay;

struct rx_replay_options {
    const char *const *names; /* pipelines to subscribe, NULL-terminated; NULL: all */
    size_t span;              /* events of one source at one instant handed over together; 0: 1 */
    bool subscriptions;       /* add {"source", "subscribed", "unsubscribed"} lines */
    /* A whole number of output lines, at the end of each instant. */
    void (*write)(void *arg, const char *text, size_t length);
    void *arg;
};

/* The plan must have been made with options.replay, on an engine whose scheduler stands at 0. Borrowed. */
int rx_replay_create(struct rx_plan *, const struct rx_replay_options *, struct rx_replay **ret,
                     struct rx_error *reterr);
/* One input line: {"at": ms, "source": NAME, "next" | "complete" | "error": ...} or {"at": ms, "end": true}. Empty lines are
 * skipped. -EINVAL with the reason (reterr->at.line is the count of lines so far). */
int rx_replay_line(struct rx_replay *, const char *line, size_t length, struct rx_error *reterr);
/* The input's end: runs on until nothing is scheduled, unless an end was given; writes the subscriptions. */
int rx_replay_finish(struct rx_replay *, struct rx_error *reterr);
void rx_replay_destroy(struct rx_replay *);

#endif
