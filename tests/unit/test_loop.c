// layer: io
/* The loop: descriptors, timers in order of time, wake-ups from other threads, and destruction in mid-callback. */
#include "core/base/ring.h"
#include "core/io/loop/errand.h"
#include "core/io/loop/loop.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rx_loop *loop;
static int pipe_fds[2];
static char trace[64];

static void setup(void)
{
    trace[0] = 0;
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_int_eq(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
}

static void teardown(void)
{
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    rx_loop_destroy(loop);
}

static void note(const char *what) { strncat(trace, what, sizeof trace - strlen(trace) - 1); }

/* Turns until the trace is as long as wanted; each turn waits for an event, five seconds at most. */
static void turn_until(size_t length)
{
    rx_time end = rx_loop_now(loop) + 5 * RX_SEC;
    while (strlen(trace) < length && rx_loop_now(loop) < end)
        ck_assert_int_eq(rx_loop_once(loop, 1000), 0);
}

struct test_timer {
    struct rx_timer timer;
    const char *name;
    rx_time fired_at;
    struct rx_watch *victim;
};

static void on_timer(struct rx_timer *timer)
{
    struct test_timer *t = (struct test_timer *)timer;
    t->fired_at = rx_sched_now(rx_loop_sched(loop));
    rx_watch_destroy(t->victim);
    t->victim = NULL;
    note(t->name);
}

static void read_all(void *arg, int fd, unsigned events)
{
    char buffer[64];
    ck_assert_uint_eq(events, RX_READABLE);
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
    note(arg);
}

START_TEST(timers_fire_in_order_at_their_own_instant)
{
    struct test_timer late = {.timer.fire = on_timer, .name = "b"}, early = {.timer.fire = on_timer, .name = "a"};
    rx_time now = rx_loop_now(loop);
    ck_assert_int_eq(rx_sched_arm(rx_loop_sched(loop), &late.timer, now + 3 * RX_MSEC), 0);
    ck_assert_int_eq(rx_sched_arm(rx_loop_sched(loop), &early.timer, now + 2 * RX_MSEC), 0);
    turn_until(2);
    ck_assert_str_eq(trace, "ab");
    ck_assert_int_eq(early.fired_at, now + 2 * RX_MSEC);
    ck_assert_int_eq(late.fired_at, now + 3 * RX_MSEC);
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire_and_a_later_one_still_does)
{
    struct test_timer stopped = {.timer.fire = on_timer, .name = "x"}, kept = {.timer.fire = on_timer, .name = "k"};
    struct rx_sched *sched = rx_loop_sched(loop);
    rx_time now = rx_loop_now(loop);
    rx_sched_arm(sched, &stopped.timer, now + RX_MSEC);
    rx_loop_once(loop, 0);
    rx_sched_stop(sched, &stopped.timer);
    rx_sched_arm(sched, &kept.timer, now + 4 * RX_MSEC);
    turn_until(1);
    ck_assert_str_eq(trace, "k");
}
END_TEST

START_TEST(a_descriptor_is_reported_when_readable)
{
    struct rx_watch *watch;
    char name[] = "r";
    ck_assert_int_eq(rx_watch_create(loop, pipe_fds[0], RX_READABLE, read_all, name, &watch), 0);
    ck_assert_int_eq(rx_loop_once(loop, 0), 0);
    ck_assert_str_eq(trace, "");
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    turn_until(1);
    ck_assert_str_eq(trace, "r");
    rx_watch_destroy(watch);
}
END_TEST

START_TEST(a_watch_without_interest_is_silent_until_it_is_set)
{
    struct rx_watch *watch;
    char name[] = "r";
    ck_assert_int_eq(rx_watch_create(loop, pipe_fds[0], 0, read_all, name, &watch), 0);
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    ck_assert_int_eq(rx_loop_once(loop, 0), 0);
    ck_assert_str_eq(trace, "");
    ck_assert_int_eq(rx_watch_set(watch, RX_READABLE), 0);
    turn_until(1);
    ck_assert_str_eq(trace, "r");
    ck_assert_int_eq(rx_watch_set(watch, 0), 0);
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    ck_assert_int_eq(rx_loop_once(loop, 0), 0);
    ck_assert_str_eq(trace, "r");
    rx_watch_destroy(watch);
}
END_TEST

/* Burns time until the scheduler's timer is overdue, so that the timer and the input are found in one turn. */
static void let_pass(rx_time due)
{
    struct timespec t;
    do
        clock_gettime(CLOCK_REALTIME, &t);
    while ((rx_time)t.tv_sec * RX_SEC + t.tv_nsec < due + RX_MSEC);
}

START_TEST(a_timer_due_before_the_input_fires_before_its_callback)
{
    struct test_timer due = {.timer.fire = on_timer, .name = "t"};
    struct rx_watch *watch;
    char name[] = "r";
    rx_time when = rx_loop_now(loop) + RX_MSEC;
    ck_assert_int_eq(rx_watch_create(loop, pipe_fds[0], RX_READABLE, read_all, name, &watch), 0);
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    rx_sched_arm(rx_loop_sched(loop), &due.timer, when);
    let_pass(when);
    turn_until(2);
    ck_assert_str_eq(trace, "tr");
    ck_assert_int_eq(due.fired_at, when);
    rx_watch_destroy(watch);
}
END_TEST

START_TEST(a_timer_may_destroy_the_watch_that_comes_next)
{
    struct test_timer due = {.timer.fire = on_timer, .name = "t"};
    char name[] = "r";
    rx_time when = rx_loop_now(loop) + RX_MSEC;
    ck_assert_int_eq(rx_watch_create(loop, pipe_fds[0], RX_READABLE, read_all, name, &due.victim), 0);
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    rx_sched_arm(rx_loop_sched(loop), &due.timer, when);
    let_pass(when);
    turn_until(1);
    rx_loop_once(loop, 0);
    ck_assert_str_eq(trace, "t");
}
END_TEST

static struct rx_watch *own;
static void destroy_self(void *arg, int fd, unsigned events)
{
    (void)arg, (void)fd, (void)events;
    rx_watch_destroy(own);
    note("d");
}

START_TEST(a_watch_may_destroy_itself_in_its_callback)
{
    ck_assert_int_eq(rx_watch_create(loop, pipe_fds[0], RX_READABLE, destroy_self, NULL, &own), 0);
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    turn_until(1);
    rx_loop_once(loop, 0);
    ck_assert_str_eq(trace, "d");
}
END_TEST

static struct test_timer zero;
static void arm_zero(void *arg, int fd, unsigned events)
{
    read_all(arg, fd, events);
    rx_sched_arm(rx_loop_sched(loop), &zero.timer, 0);
}

START_TEST(work_for_the_same_instant_is_done_in_the_same_turn)
{
    struct rx_watch *watch;
    char name[] = "r";
    zero = (struct test_timer){.timer.fire = on_timer, .name = "z"};
    ck_assert_int_eq(rx_watch_create(loop, pipe_fds[0], RX_READABLE, arm_zero, name, &watch), 0);
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    ck_assert_int_eq(rx_loop_once(loop, 1000), 0);
    ck_assert_str_eq(trace, "rz");
    rx_watch_destroy(watch);
}
END_TEST

START_TEST(now_follows_the_wall_clock_and_never_goes_back)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    rx_time wall = (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
    rx_time now = rx_loop_now(loop), before = now;
    ck_assert_int_ge(now, wall - 100 * RX_MSEC);
    ck_assert_int_le(now, wall + 10 * RX_SEC);
    for (int i = 0; i < 1000; i++, before = now) {
        now = rx_loop_now(loop);
        ck_assert_int_ge(now, before);
        if (i % 100 == 0)
            rx_loop_look_at_clock(loop);
    }
}
END_TEST

START_TEST(a_timer_fires_on_time_after_the_clock_was_looked_at)
{
    struct test_timer t = {.timer.fire = on_timer, .name = "t"};
    rx_time now = rx_loop_now(loop);
    rx_sched_arm(rx_loop_sched(loop), &t.timer, now + 2 * RX_MSEC);
    rx_loop_once(loop, 0);
    rx_loop_look_at_clock(loop);
    turn_until(1);
    ck_assert_str_eq(trace, "t");
}
END_TEST

/* ---- a wall clock that is set ---- */

#define HOUR (3600 * RX_SEC)

static rx_time set_by; /* so much the clock was set, from what the machine says */
static rx_time told_by;

static rx_time read_set_clock(void *arg)
{
    struct timespec t;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec + set_by;
}

static void hear_of_clock(void *arg, enum rx_clock_news news, rx_time by)
{
    (void)arg;
    told_by = by;
    note(news == RX_CLOCK_FORWARD ? "F" : news == RX_CLOCK_BACK ? "B" : news == RX_CLOCK_CAUGHT_UP ? "c" : "S");
}

static void set_clock(rx_time by)
{
    set_by += by;
    rx_loop_look_at_clock(loop);
}

static void use_set_clock(void)
{
    set_by = 0;
    rx_loop_set_wall(loop, read_set_clock, NULL);
    rx_loop_on_clock(loop, hear_of_clock, NULL);
}

START_TEST(waits_do_not_hear_of_a_clock_that_is_set)
{
    struct test_timer wait = {.timer.fire = on_timer, .name = "w"};
    struct rx_sched *sched = rx_loop_sched(loop);
    use_set_clock();
    rx_time now = rx_loop_now(loop), wall = rx_sched_wall(sched);
    rx_sched_arm(sched, &wait.timer, now + 20 * RX_MSEC);
    set_clock(HOUR);
    ck_assert_int_ge(rx_sched_wall(sched), wall + HOUR - 100 * RX_MSEC);
    set_clock(-2 * HOUR);
    turn_until(3);
    ck_assert_str_eq(trace, "FBw");
    ck_assert_int_eq(wait.fired_at, now + 20 * RX_MSEC);
}
END_TEST

START_TEST(the_wall_clock_follows_forward_at_once_and_stands_still_after_a_step_back)
{
    struct rx_sched *sched = rx_loop_sched(loop);
    use_set_clock();
    rx_loop_now(loop);
    set_clock(HOUR);
    ck_assert_int_ge(told_by, HOUR - RX_SEC);
    rx_time high = rx_sched_wall(sched);
    set_clock(-100 * RX_MSEC - 5 * RX_MSEC);
    ck_assert_int_eq(rx_sched_wall(sched), high);
    ck_assert_int_ge(told_by, 100 * RX_MSEC);
    turn_until(3);
    ck_assert_str_eq(trace, "FBc");
    ck_assert_int_gt(rx_sched_wall(sched), high);
}
END_TEST

START_TEST(a_machine_without_a_clock_chip_gets_the_time)
{
    struct rx_sched *sched = rx_loop_sched(loop);
    struct test_timer end = {.timer.fire = on_timer, .name = "e"};
    use_set_clock();
    rx_loop_now(loop);
    rx_sched_arm_wall(sched, &end.timer, rx_sched_wall(sched) + 5 * RX_SEC, 1);
    set_clock(56L * 365 * 24 * HOUR);
    turn_until(2);
    ck_assert_str_eq(trace, "Fe");
    ck_assert_int_lt(end.fired_at, rx_loop_now(loop) + 1);
}
END_TEST

START_TEST(small_differences_are_no_news)
{
    use_set_clock();
    set_clock(50 * RX_MSEC);
    set_clock(-40 * RX_MSEC);
    for (int i = 0; i < 1000; i++)
        rx_loop_look_at_clock(loop);
    ck_assert_str_eq(trace, "");
}
END_TEST

/* ---- more timers than a turn has time for ---- */

enum { MANY = 300000 };
static unsigned many_fired, reads_meanwhile;
static void on_one_of_many(struct rx_timer *timer)
{
    struct timespec t;
    (void)timer;
    clock_gettime(CLOCK_MONOTONIC, &t);
    many_fired++;
}

static void read_meanwhile(void *arg, int fd, unsigned events)
{
    (void)arg, (void)fd, (void)events;
    reads_meanwhile += many_fired > 0 && many_fired < MANY;
}

START_TEST(input_comes_through_while_very_many_timers_are_due)
{
    struct rx_timer *timers = calloc(MANY, sizeof *timers);
    struct rx_watch *watch;
    rx_time due = rx_loop_now(loop) + RX_MSEC;
    many_fired = reads_meanwhile = 0;
    for (int i = 0; i < MANY; i++) {
        timers[i].fire = on_one_of_many;
        ck_assert_int_eq(rx_sched_arm(rx_loop_sched(loop), &timers[i], due), 0);
    }
    ck_assert_int_eq(rx_watch_create(loop, pipe_fds[1], RX_WRITABLE, read_meanwhile, NULL, &watch), 0);
    uint64_t turns = rx_loop_turns(loop);
    while (many_fired < MANY)
        ck_assert_int_eq(rx_loop_once(loop, 1000), 0);
    ck_assert_uint_gt(reads_meanwhile, 0);
    ck_assert_uint_gt(rx_loop_turns(loop), turns + 1);
    rx_watch_destroy(watch);
    free(timers);
}
END_TEST

static struct {
    struct rx_ring *ring;
    struct rx_wake *wake;
    uint64_t expected;
} crossing;
enum { CROSSINGS = 100000 };

static void *produce(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CROSSINGS; i++) {
        while (!rx_ring_push(crossing.ring, &(struct rx_message){.a = i}))
            sched_yield();
        rx_wake_signal(crossing.wake);
    }
    return NULL;
}

static void consume(void *arg)
{
    struct rx_message m;
    (void)arg;
    while (rx_ring_pop(crossing.ring, &m))
        ck_assert_uint_eq(m.a, crossing.expected++);
    if (crossing.expected == CROSSINGS)
        rx_loop_stop(loop);
}

START_TEST(no_wake_up_is_lost_between_threads)
{
    pthread_t producer;
    crossing.ring = rx_ring_create(256);
    ck_assert_int_eq(rx_wake_create(loop, consume, NULL, &crossing.wake), 0);
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, NULL), 0);
    ck_assert_int_eq(rx_loop_run(loop), 0);
    pthread_join(producer, NULL);
    ck_assert_uint_eq(crossing.expected, CROSSINGS);
    ck_assert_uint_ge(rx_loop_turns(loop), 1);
    rx_wake_destroy(crossing.wake);
    rx_ring_destroy(crossing.ring, NULL);
}
END_TEST

static void *stop_from_outside(void *arg)
{
    rx_loop_stop(arg);
    return NULL;
}

struct errand {
    struct rx_errand errand;
    atomic_bool may_end;
    int found;
};
static atomic_int orphans;

static void look_for_it(struct rx_errand *errand)
{
    struct errand *e = (struct errand *)errand;
    while (!atomic_load(&e->may_end))
        sched_yield();
    e->found = 42;
}

static void count_orphan(struct rx_errand *errand)
{
    free(errand);
    atomic_fetch_add(&orphans, 1);
}

static void note_wake(void *arg) { *(bool *)arg = true; }

START_TEST(an_errand_is_taken_when_it_is_over_and_freed_by_its_thread_when_it_was_left)
{
    bool woken = false;
    struct rx_wake *wake;
    ck_assert_int_eq(rx_wake_create(loop, note_wake, &woken, &wake), 0);
    struct errand taken = {.found = 0}, late = {.found = 0}, *left = calloc(1, sizeof *left);
    ck_assert_int_eq(rx_errand_start(&taken.errand, wake, look_for_it, count_orphan), 0);
    ck_assert(!rx_errand_take(&taken.errand));
    atomic_store(&taken.may_end, true);
    while (!woken)
        ck_assert_int_eq(rx_loop_once(loop, 1000), 0);
    ck_assert(rx_errand_take(&taken.errand));
    ck_assert_int_eq(taken.found, 42);

    ck_assert_int_eq(rx_errand_start(&left->errand, wake, look_for_it, count_orphan), 0);
    ck_assert(!rx_errand_abandon(&left->errand));
    atomic_store(&left->may_end, true);
    while (atomic_load(&orphans) == 0)
        sched_yield();

    woken = false;
    atomic_store(&late.may_end, true);
    ck_assert_int_eq(rx_errand_start(&late.errand, wake, look_for_it, count_orphan), 0);
    while (!woken)
        ck_assert_int_eq(rx_loop_once(loop, 1000), 0);
    ck_assert(rx_errand_abandon(&late.errand)); /* it is over: the caller's */
    ck_assert_int_eq(atomic_load(&orphans), 1);
    rx_wake_destroy(wake);
}
END_TEST

START_TEST(another_thread_can_stop_the_loop)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_from_outside, loop), 0);
    ck_assert_int_eq(rx_loop_run(loop), 0);
    pthread_join(thread, NULL);
}
END_TEST

static void on_signal(void *arg) { note(arg); }

START_TEST(a_posix_signal_arrives_in_the_loop)
{
    char name[] = "s";
    ck_assert_int_eq(rx_loop_signal(loop, SIGUSR1, on_signal, name), 0);
    raise(SIGUSR1);
    turn_until(1);
    ck_assert_str_eq(trace, "s");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *t = tcase_create("loop");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, timers_fire_in_order_at_their_own_instant);
    tcase_add_test(t, a_stopped_timer_does_not_fire_and_a_later_one_still_does);
    tcase_add_test(t, a_descriptor_is_reported_when_readable);
    tcase_add_test(t, a_watch_without_interest_is_silent_until_it_is_set);
    tcase_add_test(t, a_timer_due_before_the_input_fires_before_its_callback);
    tcase_add_test(t, a_timer_may_destroy_the_watch_that_comes_next);
    tcase_add_test(t, a_watch_may_destroy_itself_in_its_callback);
    tcase_add_test(t, work_for_the_same_instant_is_done_in_the_same_turn);
    tcase_add_test(t, now_follows_the_wall_clock_and_never_goes_back);
    tcase_add_test(t, a_timer_fires_on_time_after_the_clock_was_looked_at);
    tcase_add_test(t, waits_do_not_hear_of_a_clock_that_is_set);
    tcase_add_test(t, the_wall_clock_follows_forward_at_once_and_stands_still_after_a_step_back);
    tcase_add_test(t, a_machine_without_a_clock_chip_gets_the_time);
    tcase_add_test(t, small_differences_are_no_news);
    tcase_add_test(t, input_comes_through_while_very_many_timers_are_due);
    tcase_add_test(t, no_wake_up_is_lost_between_threads);
    tcase_add_test(t, an_errand_is_taken_when_it_is_over_and_freed_by_its_thread_when_it_was_left);
    tcase_add_test(t, another_thread_can_stop_the_loop);
    tcase_add_test(t, a_posix_signal_arrives_in_the_loop);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
