/* Windows on the epoch: where they begin and end, and the clock that all instances of one step share.
 *
 * Windows are [offset + k * every, offset + k * every + size) for whole k: every < size overlaps, every > size leaves
 * gaps. A window closes at the first event at or after its end, or at the timer, for all members (the instances' ops of
 * one node) in order of joining. The timer runs only while some member has a window to close. */
#ifndef RX_CORE_BOUNDARY_H
#define RX_CORE_BOUNDARY_H

#include "core/graph/operator.h"

struct rx_schedule {
    rx_time size, every, offset; /* ns; size and every > 0 */
};

/* The least end that is after `t`: of the first window that holds `t`, or (in a gap) of the next one. The windows that
 * hold `t` are those that end here, `every` later and so on, while they start at or before `t` (end - size <= t). */
rx_time rx_schedule_end_after(const struct rx_schedule *, rx_time t);

/* What window and buffer take as `size` and `every`, and refuse: both are times or both counts; of windows that overlap at
 * most RX_WINDOWS_MAX are open at once, since each event goes to all of them; and what comes by the clock, events or not,
 * is RX_WINDOW_PERIOD_MIN apart. 0 or -EINVAL. */
#define RX_WINDOWS_MAX       1000
#define RX_WINDOW_PERIOD_MIN RX_MSEC
int rx_extents_check(const struct rx_extent *size, const struct rx_extent *every, bool by_clock,
                     struct rx_error *reterr);

struct rx_boundary;

/* Embedded in the op's state. */
struct rx_boundary_member {
    struct rx_op *op;
    /* Closes the member's window that ends at `end`. Called only for an end that it wanted; what it wants next (its other
     * open windows, the next one where empty ones count) it says by rx_boundary_want before it emits. */
    void (*close)(struct rx_boundary_member *, rx_time end);
    rx_time next; /* the earliest end that it wants; RX_TIME_NEVER: none. Private from here on */
    struct rx_boundary *boundary;
    uint64_t born; /* the order of joining, kept over save and load */
    struct rx_boundary_member *previous, *following;
};

/* Joins the clock of the op's node, with `op` and `close` set. -ENOMEM. */
int rx_boundary_join(struct rx_boundary_member *);
void rx_boundary_leave(struct rx_boundary_member *); /* no-op when it has not joined. Call in dispose */

/* Before an event at `time` is taken in: closes what ends at or before it, for all members, in order of ends. */
void rx_boundary_reach(struct rx_boundary_member *, rx_time time);
/* While `close` is called: how far time has gone on; an end that lies before it will be closed at once. */
rx_time rx_boundary_until(const struct rx_boundary_member *);
/* For the class's slot: event time is at `t`. Where that is fixed, it alone closes windows; where it runs, the timer does; where it
 * is the clock itself, rx_boundary_reach too. */
void rx_boundary_watermark(struct rx_boundary_member *, rx_time t);
/* The member has something in the window that ends at `end`. False: that window has been closed (the event is late). */
bool rx_boundary_want(struct rx_boundary_member *, rx_time end);

/* The clock's part of a member's state; load joins (in place of rx_boundary_join). */
void rx_boundary_save(const struct rx_boundary_member *, struct rx_writer *);
int rx_boundary_load(struct rx_boundary_member *, struct rx_reader *);

#endif
