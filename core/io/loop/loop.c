/* The event loop: libevent dispatches descriptors, one timerfd stands for the scheduler's next due time.
 *
 * The timerfd is set once a turn at most, and only if the next due time has come nearer: a due time that moved away
 * costs one early wake-up instead of a system call on every change. */
#include "core/io/loop/loop.h"

#include "core/io/loop/loop_private.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct signal_hook {
    struct signal_hook *next;
    struct rx_loop *loop;
    struct event *event;
    void (*on_signal)(void *arg);
    void *arg;
};

struct rx_loop {
    struct event_base *base;
    struct rx_sched *sched;
    struct event *tick, *limit, *set;
    struct rx_wake *stopper;
    struct signal_hook *signals;

    rx_time offset; /* the scheduler's now = monotonic + offset */
    rx_time armed;  /* what the timerfd is set to; RX_TIME_NEVER: nothing */
    int timer_fd;
    bool ticked;       /* the timerfd has fired and stays readable until it is set again */
    bool driving;      /* timers are firing */
    bool spent;        /* timers have had their slice of this turn */
    unsigned fired;    /* timers, in this turn */
    rx_time slice_end; /* monotonic; 0: not begun */
    rx_time turn_end;  /* the same, of the turn's input */

    int set_fd; /* readable when the wall clock was set */
    struct reading {
        rx_time wall, monotonic, suspended; /* suspended: so far, since the machine was started */
        rx_time uncertain;
    } last; /* of the clocks */
    rx_time (*read_wall)(void *arg);
    void *wall_arg;
    struct rx_timer caught_up; /* by the wall clock: when it has reached what it was set back from */
    rx_clock_fn told;
    void *told_arg;
    const void *entered; /* the watch or wake whose callback is about to run; NULL once it is destroyed */
    atomic_bool stopping;
    atomic_uint_fast64_t turns;
};

struct rx_wake {
    struct rx_loop *loop;
    struct event *event;
    void (*on_wake)(void *arg);
    void *arg;
    int fd;
    atomic_bool signalled;
};

static rx_time read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

/* The clock is read once for so many timers. */
enum { TIMERS_A_LOOK = 64 };
#define SLICE       (10 * RX_MSEC)
#define INPUT_SLICE (2 * RX_MSEC)
#define LOOK_PERIOD RX_SEC /* at the wall clock, beside the word that it was set */

static bool is_spent(struct rx_loop *loop)
{
    if (++loop->fired % TIMERS_A_LOOK)
        return false;
    rx_time now = read_clock(CLOCK_MONOTONIC);
    if (!loop->slice_end)
        loop->slice_end = now + SLICE;
    return loop->spent = now >= loop->slice_end;
}

/* Fires nothing when called from within a timer: the outer run goes on with what is due, in order. */
static rx_time drive(struct rx_loop *loop, rx_time t, bool through)
{
    if (!loop->driving && !loop->spent) {
        loop->driving = true;
        while (rx_sched_step(loop->sched, t, through) && !is_spent(loop)) {
        }
        if (!loop->spent)
            rx_sched_run_until(loop->sched, t, through);
        loop->driving = false;
    }
    return rx_sched_now(loop->sched);
}

rx_time rx_loop_clock(const struct rx_loop *loop) { return read_clock(CLOCK_MONOTONIC) + loop->offset; }
/* With thousands of descriptors ready at once libevent would go through all of them before the turn is over, and timers that have had
 * their slice would wait for that: what is ready beyond comes in the next turn. */
static void bound_turn(struct rx_loop *loop, rx_time now)
{
    if (!loop->turn_end)
        loop->turn_end = now + INPUT_SLICE;
    else if (now >= loop->turn_end)
        event_base_loopbreak(loop->base);
}

rx_time rx_loop_now(struct rx_loop *loop) { return drive(loop, read_clock(CLOCK_MONOTONIC) + loop->offset, false); }

static void set_timer(struct rx_loop *loop, rx_time due)
{
    struct itimerspec spec = {0};
    if (due != RX_TIME_NEVER) {
        rx_time at = due - loop->offset;
        at = at > 0 ? at : 1;
        spec.it_value = (struct timespec){.tv_sec = at / RX_SEC, .tv_nsec = at % RX_SEC};
    }
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    loop->armed = due;
    loop->ticked = false;
}

/* The end of a turn: what is due at the instant of the last input, then the timer for what comes next. */
static void settle(struct rx_loop *loop)
{
    if (rx_sched_now(loop->sched) - loop->offset - loop->last.monotonic >= LOOK_PERIOD)
        rx_loop_look_at_clock(loop);
    if (rx_sched_next_due(loop->sched) <= rx_sched_now(loop->sched))
        drive(loop, rx_sched_now(loop->sched), true);
    rx_time due = rx_sched_next_due(loop->sched);
    if (loop->ticked || due < loop->armed)
        set_timer(loop, due);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct rx_loop *loop = arg;
    (void)fd, (void)what;
    loop->ticked = true;
    drive(loop, rx_loop_clock(loop), true);
}

/* ---- the wall clock ---- */

#define NOISE        RX_MSEC         /* clocks that differ by less have not been set */
#define WORTH_A_WORD (100 * RX_MSEC) /* steps that somebody is told of */

static rx_time read_realtime(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_REALTIME);
}

/* The wall clock between two readings of the monotonic one: the narrowest of three, since the thread may be put aside. */
static struct reading read_clocks(const struct rx_loop *loop)
{
    struct reading best = {.uncertain = RX_TIME_NEVER};
    for (int i = 0; i < 3; i++) {
        rx_time before = read_clock(CLOCK_MONOTONIC), wall = loop->read_wall(loop->wall_arg);
        rx_time after = read_clock(CLOCK_MONOTONIC);
        if (after - before < best.uncertain)
            best = (struct reading){.wall = wall, .monotonic = before, .uncertain = after - before};
    }
    best.suspended = read_clock(CLOCK_BOOTTIME) - best.monotonic;
    return best;
}

static void tell(struct rx_loop *loop, enum rx_clock_news news, rx_time by)
{
    if (loop->told)
        loop->told(loop->told_arg, news, by);
}

static void on_caught_up(struct rx_timer *timer)
{
    struct rx_loop *loop = (struct rx_loop *)(void *)((char *)timer - offsetof(struct rx_loop, caught_up));
    tell(loop, RX_CLOCK_CAUGHT_UP, 0);
}

static void follow(struct rx_loop *loop, rx_time drift, rx_time by, bool suspended)
{
    rx_time held = rx_sched_wall(loop->sched);
    rx_sched_set_drift(loop->sched, drift);
    if (by > -WORTH_A_WORD && by < WORTH_A_WORD)
        return;
    tell(loop, by < 0 ? RX_CLOCK_BACK : suspended ? RX_CLOCK_SUSPENDED : RX_CLOCK_FORWARD, by < 0 ? -by : by);
    if (by < 0)
        rx_sched_arm_wall(loop->sched, &loop->caught_up, held + 1, rx_sched_reserve(loop->sched));
}

void rx_loop_look_at_clock(struct rx_loop *loop)
{
    struct reading now = read_clocks(loop);
    rx_time drift = now.wall - now.monotonic - loop->offset, by = drift - rx_sched_drift(loop->sched);
    bool suspended = now.suspended - loop->last.suspended > WORTH_A_WORD;
    loop->last = now;
    if (by > NOISE + now.uncertain || by < -(NOISE + now.uncertain))
        follow(loop, drift, by, suspended);
}

void rx_loop_on_clock(struct rx_loop *loop, rx_clock_fn told, void *arg)
{
    loop->told = told;
    loop->told_arg = arg;
}

void rx_loop_set_wall(struct rx_loop *loop, rx_time (*read)(void *arg), void *arg)
{
    loop->read_wall = read;
    loop->wall_arg = arg;
}

/* Far in the future: what makes it readable is that the clock was set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). */
static void wait_for_set(struct rx_loop *loop)
{
    struct itimerspec spec = {.it_value = {.tv_sec = RX_TIME_NEVER / RX_SEC}};
    timerfd_settime(loop->set_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
}

static void on_set(evutil_socket_t fd, short what, void *arg)
{
    struct rx_loop *loop = arg;
    uint64_t ignored;
    (void)what;
    while (read(fd, &ignored, sizeof ignored) < 0 && errno == EINTR) {
    }
    wait_for_set(loop);
    rx_loop_look_at_clock(loop);
}

/* ---- life ---- */

static void on_limit(evutil_socket_t fd, short what, void *arg) { (void)fd, (void)what, (void)arg; }

static void nothing(void *arg) { (void)arg; }

static int add_event(struct rx_loop *loop, int fd, short what, event_callback_fn fn, void *arg, struct event **ret)
{
    *ret = event_new(loop->base, fd, what, fn, arg);
    if (!*ret)
        return -ENOMEM;
    return event_add(*ret, NULL) ? -EIO : 0;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

static int init(struct rx_loop *loop)
{
    loop->base = event_base_new();
    loop->read_wall = read_realtime;
    loop->last = read_clocks(loop);
    loop->offset = loop->last.wall - loop->last.monotonic;
    loop->caught_up.fire = on_caught_up;
    loop->sched = rx_sched_create(rx_loop_clock(loop));
    loop->limit = loop->base ? evtimer_new(loop->base, on_limit, NULL) : NULL;
    if (!loop->limit || !loop->sched)
        return -ENOMEM;
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->timer_fd < 0)
        return -errno;
    loop->set_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->set_fd < 0)
        return -errno;
    wait_for_set(loop);
    int r = add_event(loop, loop->timer_fd, EV_READ | EV_PERSIST, on_tick, loop, &loop->tick);
    if (r == 0)
        r = add_event(loop, loop->set_fd, EV_READ | EV_PERSIST, on_set, loop, &loop->set);
    return r ? r : rx_wake_create(loop, nothing, NULL, &loop->stopper);
}

int rx_loop_create(struct rx_loop **ret)
{
    struct rx_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->timer_fd = loop->set_fd = -1;
    loop->armed = RX_TIME_NEVER;
    int r = init(loop);
    if (r) {
        rx_loop_destroy(loop);
        return r;
    }
    *ret = loop;
    return 0;
}

void rx_loop_destroy(struct rx_loop *loop)
{
    if (!loop)
        return;
    for (struct signal_hook *hook; (hook = loop->signals);) {
        loop->signals = hook->next;
        free_event(hook->event);
        free(hook);
    }
    rx_wake_destroy(loop->stopper);
    free_event(loop->tick);
    free_event(loop->limit);
    free_event(loop->set);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->set_fd >= 0)
        close(loop->set_fd);
    rx_sched_destroy(loop->sched);
    if (loop->base)
        event_base_free(loop->base);
    free(loop);
}

static void begin_slice(struct rx_loop *loop)
{
    loop->spent = false;
    loop->fired = 0;
    loop->slice_end = loop->turn_end = 0;
}

static int turn(struct rx_loop *loop, int flags)
{
    settle(loop);
    begin_slice(loop);
    int r = event_base_loop(loop->base, flags | EVLOOP_NO_EXIT_ON_EMPTY);
    settle(loop);
    atomic_fetch_add_explicit(&loop->turns, 1, memory_order_relaxed);
    return r < 0 ? -EIO : 0;
}

int rx_loop_run(struct rx_loop *loop)
{
    int r = 0;
    while (r == 0 && !atomic_load_explicit(&loop->stopping, memory_order_acquire))
        r = turn(loop, EVLOOP_ONCE);
    atomic_store(&loop->stopping, false);
    return r;
}

int rx_loop_once(struct rx_loop *loop, int ms)
{
    if (ms == 0)
        return turn(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    if (ms > 0 && event_add(loop->limit, &limit))
        return -ENOMEM;
    int r = turn(loop, EVLOOP_ONCE);
    event_del(loop->limit);
    return r;
}

void rx_loop_stop(struct rx_loop *loop)
{
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    rx_wake_signal(loop->stopper);
}

struct rx_sched *rx_loop_sched(struct rx_loop *loop) { return loop->sched; }
struct event_base *rx_loop_base(struct rx_loop *loop) { return loop->base; }

uint64_t rx_loop_turns(const struct rx_loop *loop)
{
    return atomic_load_explicit(&((struct rx_loop *)(uintptr_t)loop)->turns, memory_order_relaxed);
}

/* Fires the timers that were due. False if one of them destroyed the object whose callback comes next. */
static bool enter(struct rx_loop *loop, const void *object)
{
    rx_time now = read_clock(CLOCK_MONOTONIC);
    loop->entered = object;
    bound_turn(loop, now);
    drive(loop, now + loop->offset, false);
    return loop->entered == object;
}

static void leave(struct rx_loop *loop, const void *object)
{
    if (loop->entered == object)
        loop->entered = NULL;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct rx_watch *watch = arg;
    unsigned events = (what & EV_READ ? RX_READABLE : 0u) | (what & EV_WRITE ? RX_WRITABLE : 0u);
    if (enter(watch->loop, watch) && (events & watch->events))
        watch->ready(watch->arg, fd, events & watch->events);
}

static short event_bits(unsigned events)
{
    return (short)(EV_PERSIST | (events & RX_READABLE ? EV_READ : 0) | (events & RX_WRITABLE ? EV_WRITE : 0));
}

void rx_watch_init(struct rx_watch *watch, struct rx_loop *loop, int fd, rx_watch_fn ready, void *arg)
{
    *watch = (struct rx_watch){.loop = loop, .ready = ready, .arg = arg, .fd = fd};
}

int rx_watch_create(struct rx_loop *loop, int fd, unsigned events, rx_watch_fn ready, void *arg, struct rx_watch **ret)
{
    struct rx_watch *watch = malloc(sizeof *watch);
    if (!watch)
        return -ENOMEM;
    rx_watch_init(watch, loop, fd, ready, arg);
    int r = rx_watch_set(watch, events);
    if (r) {
        rx_watch_destroy(watch);
        return r;
    }
    *ret = watch;
    return 0;
}

int rx_watch_set(struct rx_watch *watch, unsigned events)
{
    if (events == watch->events)
        return 0;
    if (watch->events)
        event_del(&watch->event);
    watch->events = 0;
    if (!events)
        return 0;
    if (event_assign(&watch->event, watch->loop->base, watch->fd, event_bits(events), on_ready, watch) ||
        event_add(&watch->event, NULL))
        return -EIO;
    watch->events = events;
    return 0;
}

void rx_watch_finish(struct rx_watch *watch)
{
    leave(watch->loop, watch);
    if (watch->events)
        event_del(&watch->event);
}

void rx_watch_destroy(struct rx_watch *watch)
{
    if (!watch)
        return;
    rx_watch_finish(watch);
    free(watch);
}

/* The flag falls before the callback looks at the work: a signal from then on writes to the eventfd again. */
static void on_signalled(evutil_socket_t fd, short what, void *arg)
{
    struct rx_wake *wake = arg;
    eventfd_t count;
    (void)what;
    eventfd_read(fd, &count);
    atomic_exchange_explicit(&wake->signalled, false, memory_order_acq_rel);
    if (enter(wake->loop, wake))
        wake->on_wake(wake->arg);
}

int rx_wake_create(struct rx_loop *loop, void (*on_wake)(void *arg), void *arg, struct rx_wake **ret)
{
    struct rx_wake *wake = calloc(1, sizeof *wake);
    if (!wake)
        return -ENOMEM;
    *wake = (struct rx_wake){.loop = loop, .on_wake = on_wake, .arg = arg};
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int r = wake->fd < 0 ? -errno : add_event(loop, wake->fd, EV_READ | EV_PERSIST, on_signalled, wake, &wake->event);
    if (r) {
        rx_wake_destroy(wake);
        return r;
    }
    *ret = wake;
    return 0;
}

void rx_wake_signal(struct rx_wake *wake)
{
    if (!atomic_exchange_explicit(&wake->signalled, true, memory_order_acq_rel))
        eventfd_write(wake->fd, 1);
}

void rx_wake_destroy(struct rx_wake *wake)
{
    if (!wake)
        return;
    leave(wake->loop, wake);
    free_event(wake->event);
    if (wake->fd >= 0)
        close(wake->fd);
    free(wake);
}

static void on_posix_signal(evutil_socket_t number, short what, void *arg)
{
    struct signal_hook *hook = arg;
    (void)number, (void)what;
    rx_loop_now(hook->loop);
    hook->on_signal(hook->arg);
}

int rx_loop_signal(struct rx_loop *loop, int signal_number, void (*on_signal)(void *arg), void *arg)
{
    struct signal_hook *hook = malloc(sizeof *hook);
    if (!hook)
        return -ENOMEM;
    *hook = (struct signal_hook){.next = loop->signals, .loop = loop, .on_signal = on_signal, .arg = arg};
    loop->signals = hook;
    return add_event(loop, signal_number, EV_SIGNAL | EV_PERSIST, on_posix_signal, hook, &hook->event);
}
