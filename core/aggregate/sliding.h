/* A window that slides over panes: accumulators of neighbouring times, the oldest leaving, the total at hand. One thread.
 *
 * Two stacks in one ring (Tangwongsan, Hirzel, Schneider, Wu, "General incremental sliding-window aggregation", VLDB 2015): the
 * panes at the front each hold the total from themselves to the last of the front, those behind are in `back`. Each pane is put
 * together with others twice in its life, however many there are. Behind those come panes that are still open: in no total yet. */
#ifndef RX_CORE_SLIDING_H
#define RX_CORE_SLIDING_H

#include "core/aggregate/aggregation.h"

struct rx_sliding_pane {
    rx_time start, last; /* where it begins; of its last event */
    uint64_t events;
    struct rx_accumulator accumulators[]; /* one a call; behind them the last samples, where calls carry */
};

struct rx_sliding {
    const struct rx_aggregation *calls; /* borrowed */
    char *ring;
    size_t stride, room, head, count;
    size_t front, settled;       /* panes whose total is theirs and of those up to `front`; panes that are in a total */
    struct rx_accumulator *back; /* of the panes from `front` to `settled` */
    struct rx_carry *carries;    /* the last samples of what has gone; NULL: no call carries */
};

int rx_sliding_init(struct rx_sliding *, const struct rx_aggregation *); /* -ENOMEM: empty, may be finished */
void rx_sliding_finish(struct rx_sliding *);

struct rx_sliding_pane *rx_sliding_at(const struct rx_sliding *, size_t i); /* 0: the oldest */
/* The first pane that begins at `start` or later; `count` if there is none. From the newest on, as most are. */
size_t rx_sliding_search(const struct rx_sliding *, rx_time start);
/* A pane before the i-th, empty and open (or, among those in a total, with what that position holds). NULL: no memory. */
struct rx_sliding_pane *rx_sliding_insert(struct rx_sliding *, size_t i, rx_time start);
/* Adds the event to the i-th pane, and to the totals that it is in. As rx_aggregation_add. */
int rx_sliding_add(struct rx_sliding *, size_t i, struct rx_aggregation *, const struct rx_event *,
                   struct rx_error *reterr);
int rx_sliding_settle(struct rx_sliding *, size_t n); /* the first n panes are in the total now. -ENOMEM */
int rx_sliding_pop(struct rx_sliding *);              /* the oldest goes; it is settled. -ENOMEM */
/* The total of the settled panes, into accumulators that are not yet anything and that the caller clears. -ENOMEM: some of it. */
int rx_sliding_total(const struct rx_sliding *, struct rx_accumulator *ret);

/* With the panes as they are; load into one that is initialised and empty. */
void rx_sliding_save(const struct rx_sliding *, struct rx_writer *);
int rx_sliding_load(struct rx_sliding *, struct rx_reader *);

#endif
