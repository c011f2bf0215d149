/* The inside of a hub, for hub.c and hub_share.c. */
#ifndef RX_CORE_HUB_PRIVATE_H
#define RX_CORE_HUB_PRIVATE_H

#include "core/graph/graph_private.h"
#include "core/value/event_queue.h"

struct rx_hub {
    struct rx_engine *engine;
    struct rx_producer producer;
    struct rx_observer *first, *last;
    struct rx_observer *first_plain, *last_plain; /* those without `gated` */
    size_t gated;
    struct rx_hub_index *index; /* of those with it; NULL: none */
    bool index_stale;           /* one of them came or went since it was made */
    uint64_t seen;              /* events that went by an index */
    struct cursor *cursors;
    struct rx_hub *next_idle;
    size_t subscribers;
    uint64_t births;
    bool running, listed_idle, singles, away;
    enum { OPEN, COMPLETED, FAILED } ended; /* kept only by a sticky producer */
    struct rx_error *error;                 /* why it FAILED */
    rx_time watermark, initial;
    struct rx_hub_stats stats;
    struct rx_share share;
    bool timed;                 /* its events have times of their own */
    struct rx_event_queue kept; /* for late subscribers: at most share.replay */
    struct rx_timer leaving;    /* armed while it lingers, and then in this list: */
    struct rx_hub *next_lingering;
    char name[];
};

/* Its producer is to stop at the end of the turn, unless somebody subscribes meanwhile. */
void rx_hub_list_idle(struct rx_hub *);

/* ---- hub_share.c ---- */

void rx_hub_init_share(struct rx_hub *);
/* False: there is no grace time, or no memory for it. */
bool rx_hub_linger(struct rx_hub *);
void rx_hub_stay(struct rx_hub *); /* it does not linger any more, for one reason or another */
void rx_hub_keep(struct rx_hub *, const struct rx_event *);
void rx_hub_forget_kept(struct rx_hub *);
/* The kept events as they are now, as RxJS's ReplaySubject does. -ENOMEM: none of them. */
int rx_hub_give_kept(struct rx_hub *, struct rx_observer *);
void rx_hub_save_share(const struct rx_hub *, struct rx_writer *);
void rx_hub_load_share(struct rx_hub *, struct rx_reader *);

/* The subscription `born` is there still: who is given an event may leave at it, and even subscribe again. */
static inline bool rx_hub_has(const struct rx_hub *hub, const struct rx_observer *o, uint64_t born)
{
    return o->hub == hub && o->born == born;
}

#endif
