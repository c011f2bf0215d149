/* The event clock of a source: the times of its events, and the watermark that follows from them.
 *
 * The watermark is the greatest event time less `lateness`, and never goes back (Akidau et al., The Dataflow Model, VLDB 2015).
 * When no event has come for `idle_timeout` it runs on with the clock from where it stood, until the next one comes. Live, that
 * counts from when the source has caught up: when nothing came for 1 s after it connected, or `catch_up` has passed. One worker. */
#ifndef RX_CORE_EVENT_CLOCK_H
#define RX_CORE_EVENT_CLOCK_H

#include "core/feed/source_common.h"
#include "core/graph/hub.h"
#include "core/graph/sched.h"
#include "core/value/event.h"

struct rx_event_clock {
    struct rx_timer timer; /* until it falls idle, or has caught up */
    const struct rx_source_common *options;
    struct rx_engine *engine;
    struct rx_sched *sched;
    struct rx_hub *hub;
    bool live;      /* it has an outside: it may have to catch up, and the future is bounded */
    bool connected; /* said by the source; true of one that knows no connection */
    bool started, caught_up, idle;
    bool by_arrival; /* events have no times of their own after all */
    rx_time newest;  /* the greatest event time; RX_WATERMARK_NONE: none yet */
    rx_time told;    /* the watermark that the hub was told */
    rx_time began,
        active; /* the scheduler's now: of the subscription, and connection; of the last event, and of catching up */
};

/* `options` with an event_time, or of a source whose messages bring their times; all borrowed. The hub is one that is told. */
void rx_event_clock_init(struct rx_event_clock *, const struct rx_source_common *options, struct rx_engine *,
                         struct rx_sched *, struct rx_hub *, bool live);
void rx_event_clock_start(struct rx_event_clock *); /* subscribed: what was known is forgotten */
void rx_event_clock_stop(struct rx_event_clock *);  /* no-op on NULL */
void rx_event_clock_connected(struct rx_event_clock *, bool connected);

/* Where there is no event_time: events are stamped on arrival, and the watermark is the clock; or no longer. */
void rx_event_clock_by_arrival(struct rx_event_clock *, bool);
bool rx_event_clock_reads(const struct rx_event_clock *); /* there is an event_time */
/* A time that came with its message: 0, or -EOVERFLOW: it lies too far ahead. With a message. */
int rx_event_clock_check(const struct rx_event_clock *, rx_time t, struct rx_error *reterr);

/* The event's time, of one that has just arrived: 0; -EINVAL: it has no usable one; -EOVERFLOW: it lies too far ahead;
 * -ENOMEM. With a message. */
int rx_event_clock_read(struct rx_event_clock *, const struct rx_event *, rx_time *ret, struct rx_error *reterr);
/* True: those before must be handed over and told of before this one comes: it is behind the watermark that they bring, or
 * they end what the clock did, or all go one by one. */
bool rx_event_clock_splits(const struct rx_event_clock *, rx_time t);
void rx_event_clock_take(struct rx_event_clock *, rx_time t); /* an event of that time goes into the span */
void rx_event_clock_tell(struct rx_event_clock *);            /* the span has been handed over */

void rx_event_clock_save(const struct rx_event_clock *, struct rx_writer *);
void rx_event_clock_load(struct rx_event_clock *,
                         struct rx_reader *); /* in place of start; the hub knows its watermark */

#endif
