/* Hubs: where a named stream is shared. A source or a pipeline produces into its hub; sub-graphs, sinks and the
 * supervisor subscribe. Reference counted: the producer starts with the first subscriber and stops with the last
 * (RxJS's share(): reset on error, on completion and on the last unsubscription; share.h says what else may be asked for). One
 * worker. */
#ifndef RX_CORE_HUB_H
#define RX_CORE_HUB_H

#include "core/graph/note.h"
#include "core/graph/share.h"
#include "core/value/codec.h"

struct rx_engine;
struct rx_hub;

struct rx_observer;

struct rx_producer {
    /* Called before the first subscriber's subscription returns; may produce at once. */
    void (*start)(void *arg, struct rx_hub *);
    void (*stop)(void *arg, struct rx_hub *);
    /* Each subscription and its end, whatever ended it; may be NULL. A producer that serves every subscriber on its own
     * (a cold one) hands out with rx_observer_next and so on, and never calls rx_hub_next. */
    void (*subscribed)(void *arg, struct rx_hub *, struct rx_observer *);
    void (*unsubscribed)(void *arg, struct rx_hub *, struct rx_observer *);
    /* State: what the producer knows of one subscriber, its ticket; NULL: nothing. In load the observer is in its place
     * and has no ticket yet. */
    void (*save_ticket)(void *arg, struct rx_observer *, struct rx_writer *);
    void (*load_ticket)(void *arg, struct rx_hub *, struct rx_observer *, struct rx_reader *);
    void *arg;
    bool sticky; /* a terminal is kept for later subscribers instead of a new start (a replayed hot source) */
};

struct rx_hub *rx_hub_create(struct rx_engine *, const char *name);
void rx_hub_destroy(struct rx_hub *); /* no subscriber may be left */
void rx_hub_set_producer(struct rx_hub *, const struct rx_producer *);
/* Deliver events one by one to all subscribers, however they come: where two branches meet again, order would show. */
void rx_hub_set_singles(struct rx_hub *, bool);
bool rx_hub_singles(const struct rx_hub *);
/* Before anybody subscribes. `timed`: its events have times of their own. */
void rx_hub_set_share(struct rx_hub *, const struct rx_share *, bool timed);
bool rx_hub_lingers(const struct rx_hub *); /* its producer runs with no subscriber, for the grace time */
/* Its producer tells event time (rx_hub_watermark): until it has, nothing is known, and it is not the clock. */
void rx_hub_set_told(struct rx_hub *);
const char *rx_hub_name(const struct rx_hub *);

/* The producer's side. Events are borrowed; n up to RX_SPAN_MAX. A hub remembers the watermark, the clock until told
 * otherwise, for those who subscribe later. */
void rx_hub_note(struct rx_hub *, const struct rx_note *);
void rx_hub_next(struct rx_hub *, const struct rx_event *span, size_t n);
void rx_hub_complete(struct rx_hub *);
void rx_hub_error(struct rx_hub *, const struct rx_error *);
void rx_hub_watermark(struct rx_hub *, rx_time);
void rx_hub_barrier(struct rx_hub *, uint64_t number);
rx_time rx_hub_reached(const struct rx_hub *); /* the watermark */
/* The one that a new subscriber begins with: none yet where it is first given events that were kept. */
rx_time rx_hub_begins_at(const struct rx_hub *);
/* The producer lost its connection to the outside, or has it again; told where it is news, and remembered likewise. */
void rx_hub_link(struct rx_hub *, bool away);
bool rx_hub_is_away(const struct rx_hub *);

/* A subscriber that begins with a condition: hubs with many of them look up whom an event may concern (hub_index.h), and keep the account
 * of the others. Private to core/graph. */
struct rx_gated {
    const struct rx_node *leaf, *gate; /* the subscription, and the step that tests */
    struct rx_hub_field *field;        /* where it is looked up; NULL: it is not */
    bool alone;                        /* its condition asks for nothing else: absent there is absent to it */
    uint64_t seen, absent;             /* the hub's and the field's counts when its account was up to date */
    uint64_t given;                    /* since then */
};

/* A subscriber. Embedded by its owner and linked in order of subscription. */
struct rx_observer {
    void (*note)(struct rx_observer *, const struct rx_note *); /* at an end it is unsubscribed already */
    struct rx_gated *gated;                                     /* NULL: it is given all events */
    struct rx_hub *hub;                                         /* private from here on; NULL: not subscribed */
    struct rx_observer *previous, *following;
    struct rx_observer *previous_plain, *following_plain; /* of those without `gated` */
    uint64_t born;
    void *ticket; /* the producer's, see `subscribed` */
};
void rx_hub_subscribe(struct rx_hub *, struct rx_observer *);
void rx_hub_unsubscribe(struct rx_observer *); /* no-op when not subscribed */
size_t rx_hub_subscribers(const struct rx_hub *);
void rx_observer_account(struct rx_observer *); /* brings the ledgers of a gated one up to date */

/* For cold producers: to one subscriber. */
void rx_observer_next(struct rx_observer *, const struct rx_event *span, size_t n);
void rx_observer_end(struct rx_observer *, const struct rx_error *); /* NULL: completed */

struct rx_hub_stats {
    uint64_t events;     /* put out by the producer */
    uint64_t deliveries; /* taken in by subscribers */
    uint64_t unheard;    /* events without any subscriber */
    uint64_t replayed;   /* deliveries of events that were kept for late subscribers */
    uint64_t unkept;     /* not kept for late subscribers, for want of memory */
    rx_time last_time;   /* event time of the newest event; 0: none yet */
};
struct rx_hub_stats rx_hub_stats(const struct rx_hub *);

/* State. Hubs are loaded before their observers; an observer takes the place that it had among the others, and a
 * producer that does not run yet is started. */
void rx_hub_save(const struct rx_hub *, struct rx_writer *);
void rx_hub_load(struct rx_hub *, struct rx_reader *);
void rx_hub_resume(struct rx_hub *); /* when its producer is loaded too: one that lingered goes on */
void rx_hub_forget(struct rx_hub *); /* its producer is another than was saved: nothing is kept of that one */
void rx_observer_save(struct rx_observer *, struct rx_writer *); /* also one that is not subscribed */
void rx_observer_load(struct rx_hub *, struct rx_observer *, struct rx_reader *);

#endif
