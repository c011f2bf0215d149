/* The clock of windows, which all instances of one step share.
 *
 * Who has something to do at an instant wants it; when event time has reached it all members (the instances' ops of one node)
 * that want it are told, in order of instants, at one instant in order of joining. By arrival time that is at the first event at
 * or after the instant, or at the timer; where the watermark is told, when it is; where it runs on, at the timer. The timer runs only
 * while some member wants something. Upstream nodes are told of an instant before those downstream.
 *
 * What one op does for many keys (keyed_window) is one member: it goes through its keys in order of creation, and its output is
 * that of a member for each. For the end of a window [start, end) it wants `end`; for an instant that what comes at it may still
 * change (a session: an event exactly `gap` later joins) it wants it as `past`. */
#ifndef RX_CORE_BOUNDARY_H
#define RX_CORE_BOUNDARY_H

#include "core/graph/operator.h"
#include "core/graph/schedule.h"

/* What window and buffer take as `size` and `every`, and refuse: both are times or both counts, and what comes by the clock, events
 * or not, is RX_WINDOW_PERIOD_MIN apart. 0 or -EINVAL. Of windows that overlap at most RX_WINDOWS_MAX are open at once where each event goes to
 * all of them: the planner sees to that, as it knows which share their panes. */
#define RX_WINDOWS_MAX       1000
#define RX_WINDOW_PERIOD_MIN RX_MSEC
int rx_extents_check(const struct rx_extent *size, const struct rx_extent *every, bool by_clock,
                     struct rx_error *reterr);

struct rx_boundary;

/* Embedded in the op's state. */
struct rx_boundary_member {
    struct rx_op *op;
    /* Event time has reached `end` (m->past: and what came at it is in). Called only for an instant that it wanted; what it
     * wants next (its other open windows, the next one where empty ones count) it says by rx_boundary_want. */
    void (*close)(struct rx_boundary_member *, rx_time end);
    rx_time next; /* the earliest instant that it wants; RX_TIME_NEVER: none. Private from here on */
    bool past;    /* as rx_boundary_want_past has it; read it in `close` */
    struct rx_boundary *boundary;
    uint64_t born;  /* the order of joining, kept over save and load */
    uint32_t place; /* in the heap, + 1; 0: it wants nothing */
};

/* Joins the clock of the op's node, with `op` and `close` set. -ENOMEM. */
int rx_boundary_join(struct rx_boundary_member *);
void rx_boundary_leave(struct rx_boundary_member *); /* no-op when it has not joined. Call in dispose */

/* Before an event at `time` is taken in: by arrival time closes what ends at or before it, for all members, in order of ends. */
void rx_boundary_reach(struct rx_boundary_member *, rx_time time);
/* The earliest instant at which rx_boundary_reach has something to do, as things stand; RX_TIME_NEVER: it has not. */
rx_time rx_boundary_quiet(const struct rx_boundary_member *);
/* While `close` is called: how far time has gone on; an end that lies before it will be closed at once. */
rx_time rx_boundary_until(const struct rx_boundary_member *);
/* The instant that event time has reached as the member sees it: while `close` is called, that instant; else rx_op_reached. */
rx_time rx_boundary_now(const struct rx_boundary_member *);
/* For the class's slot: event time is at `t`. Where that is fixed, it alone closes windows; where it runs, the timer does; where it
 * is the clock itself, rx_boundary_reach too. */
void rx_boundary_watermark(struct rx_boundary_member *, rx_time t);
/* Whether what ends at `end` is closed: of such a window an event is late. */
bool rx_boundary_is_closed(const struct rx_boundary_member *, rx_time end);
/* The member has something in the window that ends at `end`. False: that window is closed. */
bool rx_boundary_want(struct rx_boundary_member *, rx_time end);
/* The same for `end` and all that comes at it: closed when event time is past it, or by the clock after that instant's input. It
 * is never refused: at the latest it is told at this instant. */
void rx_boundary_want_past(struct rx_boundary_member *, rx_time end);

/* The clock's part of a member's state; load joins (in place of rx_boundary_join). */
void rx_boundary_save(const struct rx_boundary_member *, struct rx_writer *);
int rx_boundary_load(struct rx_boundary_member *, struct rx_reader *);
/* What a member would write that joined as the `born`-th (from 1) and wants `next`; and one that is read and left. Of who does for
 * many keys what each would as a member; what they wanted it wants again by rx_boundary_rewant. */
void rx_boundary_save_as(struct rx_writer *, uint64_t born, rx_time next, bool past);
rx_time rx_boundary_read(struct rx_reader *, bool *ret_past);
void rx_boundary_rewant(struct rx_boundary_member *, rx_time end, bool past);

#endif
