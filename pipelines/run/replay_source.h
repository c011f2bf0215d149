/* A replayed source: hot (its events happen whether or not somebody listens) or cold (each subscription gets all of
 * them, timed from itself). */
#ifndef RX_PIPELINES_REPLAY_SOURCE_H
#define RX_PIPELINES_REPLAY_SOURCE_H

#include "pipelines/plan/plan.h"

struct rx_replay_note {
    rx_time at;
    enum rx_note_kind kind;  /* RX_NEXT, RX_COMPLETE, RX_ERROR, RX_LINK; RX_BARRIER: a restart, of no source */
    bool away;               /* RX_LINK */
    struct rx_value value;   /* RX_NEXT, while it is new */
    struct rx_buffer frozen; /* RX_NEXT, once it is kept: written down, since a restart takes the heap away */
    char *error;             /* RX_ERROR: malloc'ed */
    bool retained;           /* RX_NEXT, with a topic: the broker had kept it */
    char *topic;             /* RX_NEXT, of a source whose messages have one: malloc'ed; NULL: none was given */
};

/* What a kept note holds no longer lives in any heap. -ENOMEM. */
int rx_replay_note_freeze(struct rx_replay_note *);
void rx_replay_note_finish(struct rx_replay_note *);

struct rx_replay_subscription {
    rx_time subscribed, unsubscribed; /* RX_TIME_NEVER: still there */
};

struct rx_replay_feed {
    struct rx_engine *engine;
    struct rx_plan_source *source;
    size_t span_max;
    struct rx_replay_note *notes; /* cold: all, in order */
    size_t note_count, note_capacity;
    struct rx_replay_subscription *subscriptions;
    size_t subscription_count, subscription_capacity;
    bool failed; /* an allocation failed */
    bool quiet;  /* what is cancelled now is no end of a subscription: the world is being replaced */
};

/* Takes the place of the source as its hub's producer: of a zeroed feed with span_max set, or, in a new world, of one
 * that goes on with what it has kept. */
void rx_replay_feed_bind(struct rx_replay_feed *, struct rx_engine *, struct rx_plan_source *);
void rx_replay_feed_finish(struct rx_replay_feed *);
/* Cold: keeps a note for all subscriptions to come. Hot: hands it to the hub now (events may wait for
 * rx_replay_feed_flush). What the note holds is taken. -ENOMEM. */
int rx_replay_feed_add_take(struct rx_replay_feed *, struct rx_replay_note *);
void rx_replay_feed_flush(struct rx_replay_feed *);

#endif
