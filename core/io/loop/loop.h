/* The event loop of one thread: libevent's, driving a scheduler on a monotonic clock.
 *
 * Everything here belongs to the loop's thread, but rx_loop_stop and rx_wake_signal, which any thread may call. */
#ifndef RX_IO_LOOP_H
#define RX_IO_LOOP_H

#include "core/graph/sched.h"

struct rx_loop;
struct event_base;

int rx_loop_create(struct rx_loop **ret);
void rx_loop_destroy(struct rx_loop *);
/* Runs until rx_loop_stop. 0, or -EIO when the loop itself failed. */
int rx_loop_run(struct rx_loop *);
/* Handles what is ready and what is due, waiting at most `ms` (tests; -1: until something happens). */
int rx_loop_once(struct rx_loop *, int ms);
void rx_loop_stop(struct rx_loop *);

struct rx_sched *rx_loop_sched(struct rx_loop *);
/* Moves the scheduler to the present: fires what was due before, sets now. Every watch callback is entered this way
 * already; call it after long work inside one. Timers get 10 ms of a turn: where more are due, now stays at the last that
 * fired, and the others fire in the turns to come, with input and health in between. */
rx_time rx_loop_now(struct rx_loop *);
/* The present, without moving the scheduler: for who must not run timers where it stands. */
rx_time rx_loop_clock(const struct rx_loop *);
/* The scheduler's now is the monotonic clock plus an offset taken at creation, when it is the wall clock's. Where the wall
 * clock is set, or the machine was suspended, the scheduler's wall clock follows (sched.h); `told` hears of steps of 100 ms
 * and more, and of the end of standing still after one backwards. NULL: nobody. */
enum rx_clock_news { RX_CLOCK_FORWARD, RX_CLOCK_BACK, RX_CLOCK_SUSPENDED, RX_CLOCK_CAUGHT_UP };
typedef void (*rx_clock_fn)(void *arg, enum rx_clock_news, rx_time by);
void rx_loop_on_clock(struct rx_loop *, rx_clock_fn told, void *arg);
/* For tests: the wall clock is what `read` answers; looked at once a second, or when it is set, or at once by
 * rx_loop_look_at_clock. */
void rx_loop_set_wall(struct rx_loop *, rx_time (*read)(void *arg), void *arg);
void rx_loop_look_at_clock(struct rx_loop *);
/* Turns of the loop so far: progress, for watchdogs (readable from any thread). */
uint64_t rx_loop_turns(const struct rx_loop *);

/* A watched descriptor. The callback is entered with the scheduler at the present. */
enum { RX_READABLE = 1, RX_WRITABLE = 2 };
struct rx_watch;
typedef void (*rx_watch_fn)(void *arg, int fd, unsigned events);
int rx_watch_create(struct rx_loop *, int fd, unsigned events, rx_watch_fn, void *arg, struct rx_watch **ret);
int rx_watch_set(struct rx_watch *, unsigned events); /* 0: none for now */
void rx_watch_destroy(struct rx_watch *);             /* does not close the descriptor; safe inside its callback */

/* A wake-up from another thread (eventfd): signals coalesce. */
struct rx_wake;
int rx_wake_create(struct rx_loop *, void (*on_wake)(void *arg), void *arg, struct rx_wake **ret);
void rx_wake_signal(struct rx_wake *);
void rx_wake_destroy(struct rx_wake *);

/* POSIX signals, for the main thread's loop. Destroyed with the loop. */
int rx_loop_signal(struct rx_loop *, int signal_number, void (*on_signal)(void *arg), void *arg);

struct event_base *rx_loop_base(struct rx_loop *); /* for core/io only */

#endif
