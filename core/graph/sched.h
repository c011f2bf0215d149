/* The scheduler: `now` and timers in order of (due, sequence number).
 *
 * One per worker, one thread. It has no clock of its own: a driver (the event loop, or a virtual clock) moves it. While
 * a timer fires, `now` is the instant it was due, so that a late wake-up never shows. Order at one instant t: timers due
 * before t, then the input at t, then timers due at t; among equals the lower sequence number, which is the order of
 * arming (as in libuv's timers and the RxJS virtual scheduler).
 *
 * Two clocks: `now` never stops, jumps or goes back, and waits are counted in it. What events are stamped with, and where
 * windows on the epoch end, is the wall clock: now + drift. The driver sets the drift where the wall clock was set; after a
 * step back the wall clock stands still here until it has caught up. Under a virtual clock the two are one. */
#ifndef RX_CORE_SCHED_H
#define RX_CORE_SCHED_H

#include "core/value/codec.h"
#include "core/value/value.h"

struct rx_sched;

/* Embedded by its owner; zero-initialised is stopped. */
struct rx_timer {
    rx_time due;
    uint64_t sequence;
    uint32_t position; /* private: heap index + 1; 0: not armed */
    bool background;   /* does not keep a replay going: periodic work that only waits for input */
    bool endless;      /* armed again for ever by itself (interval): rx_sched_endless */
    bool wall;         /* private: armed by the wall clock */
    bool fresh;        /* private: armed in the order of now, not with a place reserved before */
    uint32_t repeats;  /* private: fired so often at this instant, each time armed at it */
    uint32_t instant;  /* private: which one that is */
    void (*fire)(struct rx_timer *);
};

struct rx_sched *rx_sched_create(rx_time now);
void rx_sched_destroy(struct rx_sched *);

rx_time rx_sched_now(const struct rx_sched *);
rx_time rx_sched_wall(const struct rx_sched *);
/* The wall clock is at now + drift from here on: timers that are due by it fire earlier or later. */
void rx_sched_set_drift(struct rx_sched *, rx_time drift);
rx_time rx_sched_drift(const struct rx_sched *);
/* The next sequence number, taken: for who wants its place in the order of now, and arms later (delay). */
uint64_t rx_sched_reserve(struct rx_sched *);

/* The number that the next reservation gets; and, on loading, the number that it is to get. Never back. */
uint64_t rx_sched_next_sequence(const struct rx_sched *);
void rx_sched_restore(struct rx_sched *, uint64_t next_sequence);

/* Arms (again) for `due`, in the order of now, or at a reserved sequence number. A due time in the past fires at the
 * current instant. -ENOMEM. */
int rx_sched_arm(struct rx_sched *, struct rx_timer *, rx_time due);
int rx_sched_arm_at(struct rx_sched *, struct rx_timer *, rx_time due, uint64_t sequence);
/* The same by the wall clock. */
int rx_sched_arm_wall(struct rx_sched *, struct rx_timer *, rx_time due, uint64_t sequence);
void rx_sched_stop(struct rx_sched *, struct rx_timer *); /* no-op when not armed */
static inline bool rx_timer_armed(const struct rx_timer *t) { return t->position != 0; }

/* A timer as it stands: its due time and its place in the order, if it is armed, and whether it is in the background. Load arms it
 * again, of the owner that has set `fire`; -ENOMEM. */
void rx_timer_save(const struct rx_timer *, struct rx_writer *);
int rx_timer_load(struct rx_sched *, struct rx_timer *, struct rx_reader *);

/* Counts the values that now has had; and whether a timer is firing: else what happens comes from outside. */
uint32_t rx_sched_instant(const struct rx_sched *);
bool rx_sched_is_firing(const struct rx_sched *);

/* For drivers. */
rx_time rx_sched_next_due(const struct rx_sched *); /* RX_TIME_NEVER: none */
size_t rx_sched_armed(const struct rx_sched *);
size_t rx_sched_foreground(const struct rx_sched *); /* armed, and neither in the background nor endless */
size_t rx_sched_endless(const struct rx_sched *);    /* armed, and endless */
/* Fires what is due before `t` (`through`: at `t` too), each at its own instant; then sets now to `t` if that is
 * later. Answers the number fired. */
long rx_sched_run_until(struct rx_sched *, rx_time t, bool through);
/* Fires the first of what is due by `t`, at its own instant. False when nothing is due. */
bool rx_sched_step(struct rx_sched *, rx_time t, bool through);

/* A timer that fires, and is armed for the same instant each time, again and again: time stands still. Who fires work of
 * others asks, and ends it. */
#define RX_TIMER_REPEATS_MAX 100000
static inline bool rx_timer_runs_away(const struct rx_timer *t) { return t->repeats > RX_TIMER_REPEATS_MAX; }

#endif
