/* The last samples of calls that carry them into later windows. Where windows follow one another that is one a call. Where they
 * overlap, and each sees its events only when it closes, it is one for each start of a window that is still to close. One thread. */
#ifndef RX_CORE_CARRY_H
#define RX_CORE_CARRY_H

#include "core/aggregate/aggregation.h"

enum {
    RX_CARRIES_MAX = 10000
}; /* samples of one call, where windows begin anywhere; past it the oldest are forgotten */

/* Zeroed is empty. */
struct rx_carries {
    size_t count; /* calls; 0: nothing yet */
    struct rx_carry_log {
        struct rx_carry *items;
        uint32_t count, room;
    } * logs;
};

/* Notes the last sample of each call. `apart`: how far apart windows begin, of which one begins at `start`; 0: anywhere,
 * RX_TIME_NEVER: they do not overlap. -ENOMEM. */
int rx_carries_note(struct rx_carries *, const struct rx_aggregation *, const struct rx_accumulator *, rx_time start,
                    rx_time apart);
/* Of each call the last sample before `start`; where windows do not overlap, the last. `ret`: one a call. */
void rx_carries_find(const struct rx_carries *, rx_time start, rx_time apart, struct rx_carry *ret, size_t count);
/* A window that began at `start` has closed: what only it and those before it needed goes. */
void rx_carries_prune(struct rx_carries *, rx_time start, rx_time apart);
void rx_carries_finish(struct rx_carries *);
void rx_carries_save(const struct rx_carries *, struct rx_writer *);
int rx_carries_load(struct rx_carries *, struct rx_reader *);

#endif
