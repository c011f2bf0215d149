/* A replayed source: hot (its events happen whether or not somebody listens) or cold (each subscription gets all of
 * them, timed from itself). */
#ifndef RX_PIPELINES_REPLAY_SOURCE_H
#define RX_PIPELINES_REPLAY_SOURCE_H

#include "pipelines/plan/plan.h"

struct rx_replay_note {
    rx_time at;
    enum rx_note_kind kind;
    struct rx_value value; /* RX_NEXT */
    char *error;           /* RX_ERROR: malloc'ed */
};

struct rx_replay_subscription {
    rx_time subscribed, unsubscribed; /* RX_TIME_NEVER: still there */
};

struct rx_replay_feed {
    struct rx_engine *engine;
    struct rx_plan_source *source;
    size_t span_max;
    struct rx_event span[RX_SPAN_MAX]; /* hot: events of this instant, not yet handed over */
    size_t span_length;
    struct rx_replay_note *notes; /* cold: all, in order */
    size_t note_count, note_capacity;
    struct rx_replay_subscription *subscriptions;
    size_t subscription_count, subscription_capacity;
    bool failed; /* an allocation failed */
};

/* `span_max` 0: 1. Takes the place of the source as its hub's producer. */
void rx_replay_feed_init(struct rx_replay_feed *, struct rx_engine *, struct rx_plan_source *, size_t span_max);
void rx_replay_feed_finish(struct rx_replay_feed *);
/* Cold: keeps a note for all subscriptions to come. Hot: hands it to the hub now (events may wait for
 * rx_replay_feed_flush). What the note holds is taken. -ENOMEM. */
int rx_replay_feed_add_take(struct rx_replay_feed *, struct rx_replay_note *);
void rx_replay_feed_flush(struct rx_replay_feed *);

#endif
