/* What the files of the runtime share. */
#ifndef RX_PIPELINES_RUNTIME_PRIVATE_H
#define RX_PIPELINES_RUNTIME_PRIVATE_H

#include "core/value/event_queue.h"
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
    enum rx_pipeline_state state;
    uint64_t restarts;
    const char *last_error; /* NULL: none; by rx_delivery_note_error */

    struct rx_event_queue *waiting; /* by sink: what it had no room for; NULL: nothing so far */
    struct rx_timer room;           /* asks again */
    bool pausing;                   /* the sources that feed it, for one of the sinks */
    unsigned lanes_full;            /* so many of its steps want the same, whose lanes are full */
    bool *feeds;                    /* which those are; NULL: not looked for yet */
};

struct rx_runtime {
    struct rx_plan *plan;
    struct rx_delivery *deliveries; /* the pipelines first, as in the plan */
    size_t count, capacity;
    struct rx_sample **samples; /* of error streams: the sources', then the pipelines' */
    unsigned *pauses;           /* by source: how many deliveries want it paused */
    bool *wants_start;          /* while loading, by source: it is to run when everything is loaded */
    bool stopped;
    bool saved; /* another goes on from it */
};

/* runtime.c */
void rx_delivery_note_error(struct rx_delivery *, const char *message, size_t length);
/* backpressure.c */
void rx_delivery_write(struct rx_delivery *, size_t sink, const struct rx_event *);
bool rx_delivery_write_waiting(struct rx_delivery *); /* true when nothing waits any more */
void rx_delivery_on_room(struct rx_timer *);
void rx_delivery_press(struct rx_delivery *, bool full); /* lanes of its pipeline are full, or have room again */
void rx_delivery_finish(struct rx_delivery *);
void rx_delivery_save_waiting(const struct rx_delivery *, size_t sink, struct rx_writer *);
int rx_delivery_load_waiting(struct rx_delivery *, size_t sink, struct rx_reader *);
void rx_runtime_source_started(struct rx_runtime *, size_t source); /* it is paused again if anybody wants it so */
/* runtime_state.c. Loading: after the sinks have started, before anything is subscribed. */
int rx_runtime_load(struct rx_runtime *, const struct rx_state *, struct rx_error *reterr);

#endif
