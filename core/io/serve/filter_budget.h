/* What the filters of all subscribers may take of the front's time: so much a second each, and so much in all.
 *
 * Counted in steps of about 10 ns (core/expr), within whole seconds. Where all together have used up what there is, those
 * go on that are within an equal share of it. One thread (the front's). */
#ifndef RX_IO_FILTER_BUDGET_H
#define RX_IO_FILTER_BUDGET_H

#include "core/graph/sched.h"

#define RX_FILTER_EACH       ((uint64_t)10 * 1000 * 1000) /* steps a second: 100 ms */
#define RX_FILTER_ALL        ((uint64_t)20 * 1000 * 1000)
#define RX_FILTER_EVALUATION ((uint64_t)100 * 1000) /* steps for one frame: 1 ms */

struct rx_filter_budget {
    const struct rx_sched *sched; /* whose clock counts the seconds; borrowed */
    uint64_t each, all;           /* steps a second; 0: the defaults above */

    int64_t second; /* private: that of what follows */
    uint64_t spent, active;
};

struct rx_filter_account { /* of one filter; zero-initialise */
    int64_t second;
    uint64_t spent;
};

/* False: the filter has had what it may have. */
bool rx_filter_charge(struct rx_filter_budget *, struct rx_filter_account *, uint64_t steps);
/* False: there is nothing left in this second for one more filter. */
bool rx_filter_may_begin(struct rx_filter_budget *);

#endif
