// layer: core
/* The scheduler: order at one instant, timers that run away, and the wall clock beside now. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/sched.h"

static struct rx_sched *sched;
static char trace[256];

struct test_timer {
    struct rx_timer timer;
    char name;
    rx_time again; /* armed for so much later when it fires; -1: not */
    rx_time fired_at, fired_wall;
    unsigned times;
};

static void on_timer(struct rx_timer *timer)
{
    struct test_timer *t = (struct test_timer *)timer;
    size_t length = strlen(trace);
    t->fired_at = rx_sched_now(sched);
    t->fired_wall = rx_sched_wall(sched);
    t->times++;
    if (length + 1 < sizeof trace)
        trace[length] = t->name;
    if (t->again >= 0 && !rx_timer_runs_away(timer))
        rx_sched_arm(sched, timer, rx_sched_now(sched) + t->again);
}

static struct test_timer named(char name)
{
    return (struct test_timer){.timer.fire = on_timer, .name = name, .again = -1};
}

static void set_up(void)
{
    memset(trace, 0, sizeof trace);
    sched = rx_sched_create(1000);
}

static void tear_down(void) { rx_sched_destroy(sched); }

START_TEST(at_one_instant_the_order_of_arming_is_the_order_of_firing)
{
    struct test_timer t[26];
    for (int i = 0; i < 26; i++) {
        t[i] = named((char)('a' + i));
        rx_sched_arm(sched, &t[i].timer, i % 3 ? 2000 : 1500);
    }
    rx_sched_run_until(sched, 2000, true);
    ck_assert_str_eq(trace, "adgjmpsvybcefhiklnoqrtuwxz");
}
END_TEST

START_TEST(a_timer_armed_again_goes_to_the_end_of_its_instant)
{
    struct test_timer a = named('a'), b = named('b'), c = named('c');
    rx_sched_arm(sched, &a.timer, 2000);
    rx_sched_arm(sched, &b.timer, 2000);
    rx_sched_arm(sched, &c.timer, 2000);
    rx_sched_arm(sched, &a.timer, 2000);
    rx_sched_run_until(sched, 2000, true);
    ck_assert_str_eq(trace, "bca");
}
END_TEST

START_TEST(a_reserved_place_keeps_its_order_however_late_it_is_armed)
{
    struct test_timer early = named('e'), late = named('l'), ranked = named('r');
    uint64_t place = rx_sched_reserve(sched);
    rx_sched_arm(sched, &late.timer, 2000);
    rx_sched_arm_at(sched, &early.timer, 2000, place);
    rx_sched_arm_at(sched, &ranked.timer, 2000, 7); /* a fixed rank goes before all that is armed */
    rx_sched_run_until(sched, 2000, true);
    ck_assert_str_eq(trace, "rel");
}
END_TEST

START_TEST(what_is_due_now_fires_behind_what_waits_for_now)
{
    struct test_timer first = named('1'), second = named('2'), past = named('p');
    first.again = 0;
    rx_sched_arm(sched, &first.timer, 2000);
    rx_sched_arm(sched, &second.timer, 2000);
    rx_sched_arm(sched, &past.timer, 10);
    rx_sched_run_until(sched, 1000, true);
    ck_assert_str_eq(trace, "p");
    ck_assert_int_eq(past.fired_at, 1000);
    ck_assert(rx_sched_step(sched, 2000, true));
    ck_assert(rx_sched_step(sched, 2000, true));
    ck_assert_str_eq(trace, "p12");
    rx_sched_stop(sched, &first.timer);
}
END_TEST

START_TEST(input_at_an_instant_comes_before_the_timers_of_that_instant)
{
    struct test_timer a = named('a'), b = named('b');
    rx_sched_arm(sched, &a.timer, 1999);
    rx_sched_arm(sched, &b.timer, 2000);
    rx_sched_run_until(sched, 2000, false);
    ck_assert_str_eq(trace, "a");
    ck_assert_int_eq(rx_sched_now(sched), 2000);
    rx_sched_run_until(sched, 2000, true);
    ck_assert_str_eq(trace, "ab");
}
END_TEST

START_TEST(a_timer_that_is_armed_for_its_own_instant_for_ever_runs_away)
{
    struct test_timer wild = named('w'), calm = named('c');
    wild.again = 0;
    calm.again = 1;
    rx_sched_arm(sched, &wild.timer, 2000);
    rx_sched_arm(sched, &calm.timer, 1001);
    rx_sched_run_until(sched, 2000 + 3 * RX_TIMER_REPEATS_MAX, true);
    ck_assert_uint_eq(wild.times, RX_TIMER_REPEATS_MAX + 2);
    ck_assert_int_eq(wild.fired_at, 2000);
    ck_assert_uint_eq(calm.times, 1000 + 3 * RX_TIMER_REPEATS_MAX);
    ck_assert(!rx_timer_runs_away(&calm.timer));
    rx_sched_stop(sched, &calm.timer);
}
END_TEST

/* A delay of many events: one timer, armed for the next that is due, at a place reserved long before. */
START_TEST(many_places_reserved_at_one_instant_are_no_runaway)
{
    struct test_timer t = named('d');
    uint64_t place = rx_sched_reserve(sched);
    for (int i = 0; i < 2 * RX_TIMER_REPEATS_MAX; i++)
        rx_sched_reserve(sched);
    for (int i = 0; i < 2 * RX_TIMER_REPEATS_MAX; i++) {
        rx_sched_arm_at(sched, &t.timer, 2000, place++);
        ck_assert(rx_sched_step(sched, 2000, true));
        ck_assert(!rx_timer_runs_away(&t.timer));
    }
}
END_TEST

START_TEST(a_timer_that_was_wild_once_may_go_on_later)
{
    struct test_timer t = named('t');
    t.again = 0;
    rx_sched_arm(sched, &t.timer, 2000);
    rx_sched_run_until(sched, 2000, true);
    ck_assert(rx_timer_runs_away(&t.timer));
    t.again = -1;
    rx_sched_arm(sched, &t.timer, 2001);
    rx_sched_run_until(sched, 2001, true);
    ck_assert(!rx_timer_runs_away(&t.timer));
}
END_TEST

#define HOUR (3600 * RX_SEC)

START_TEST(a_step_forward_brings_what_the_wall_clock_is_past)
{
    struct test_timer wait = named('w'), soon = named('s'), later = named('l'), far = named('f');
    rx_sched_run_until(sched, HOUR, true);
    rx_sched_arm(sched, &wait.timer, HOUR + 5 * RX_SEC);
    rx_sched_arm_wall(sched, &later.timer, HOUR + 20 * RX_SEC, 1);
    rx_sched_arm_wall(sched, &soon.timer, HOUR + 10 * RX_SEC, 2);
    rx_sched_arm_wall(sched, &far.timer, 2 * HOUR + 2 * RX_SEC, 3);
    rx_sched_set_drift(sched, HOUR);
    ck_assert_int_eq(rx_sched_wall(sched), 2 * HOUR);
    rx_sched_run_until(sched, HOUR, true);
    ck_assert_str_eq(trace, "sl"); /* in the order of their times */
    rx_sched_run_until(sched, HOUR + 5 * RX_SEC, true);
    ck_assert_str_eq(trace, "slfw");
    ck_assert_int_eq(far.fired_at, HOUR + 2 * RX_SEC);
    ck_assert_int_eq(far.fired_wall, 2 * HOUR + 2 * RX_SEC);
    ck_assert_int_eq(wait.fired_at, HOUR + 5 * RX_SEC);
}
END_TEST

START_TEST(after_a_step_back_the_wall_clock_stands_until_it_has_caught_up)
{
    struct test_timer wait = named('w'), end = named('e'), due = named('d');
    rx_sched_run_until(sched, 2 * HOUR, true);
    rx_sched_arm(sched, &wait.timer, 2 * HOUR + RX_SEC);
    rx_sched_arm_wall(sched, &end.timer, 2 * HOUR + RX_SEC, 1);
    rx_sched_set_drift(sched, -HOUR);
    rx_sched_arm_wall(sched, &due.timer, 2 * HOUR, 2); /* the wall clock says so already */
    rx_sched_run_until(sched, 2 * HOUR + 10 * RX_SEC, true);
    ck_assert_str_eq(trace, "dw");
    ck_assert_int_eq(wait.fired_at, 2 * HOUR + RX_SEC);
    ck_assert_int_eq(rx_sched_wall(sched), 2 * HOUR);
    rx_sched_run_until(sched, 3 * HOUR, true);
    ck_assert_int_eq(rx_sched_wall(sched), 2 * HOUR);
    rx_sched_run_until(sched, 3 * HOUR + 2 * RX_SEC, true);
    ck_assert_str_eq(trace, "dwe");
    ck_assert_int_eq(end.fired_at, 3 * HOUR + RX_SEC);
    ck_assert_int_eq(rx_sched_wall(sched), 2 * HOUR + 2 * RX_SEC);
}
END_TEST

START_TEST(what_is_overdue_stays_so_over_a_step_back)
{
    struct test_timer overdue = named('o');
    rx_sched_arm_wall(sched, &overdue.timer, 5 * RX_SEC, 1);
    rx_sched_set_drift(sched, HOUR);
    rx_sched_set_drift(sched, 0);
    rx_sched_run_until(sched, 1001, true);
    ck_assert_str_eq(trace, "o");
}
END_TEST

START_TEST(from_1970_to_now_and_back_no_time_overflows)
{
    struct test_timer t = named('t'), never = named('n');
    rx_time now = 1800000000 * RX_SEC;
    rx_sched_arm_wall(sched, &t.timer, now + RX_SEC, 1);
    rx_sched_set_drift(sched, -now);
    rx_sched_arm_wall(sched, &never.timer, RX_TIME_NEVER - 1, 1);
    rx_sched_set_drift(sched, now);
    rx_sched_run_until(sched, 2 * RX_SEC, true);
    ck_assert_str_eq(trace, "t");
    rx_sched_set_drift(sched, 0);
    ck_assert_int_eq(rx_sched_wall(sched), now + 2 * RX_SEC);
    rx_sched_stop(sched, &never.timer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched");
    TCase *t = tcase_create("sched");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, at_one_instant_the_order_of_arming_is_the_order_of_firing);
    tcase_add_test(t, a_timer_armed_again_goes_to_the_end_of_its_instant);
    tcase_add_test(t, a_reserved_place_keeps_its_order_however_late_it_is_armed);
    tcase_add_test(t, what_is_due_now_fires_behind_what_waits_for_now);
    tcase_add_test(t, input_at_an_instant_comes_before_the_timers_of_that_instant);
    tcase_add_test(t, a_timer_that_is_armed_for_its_own_instant_for_ever_runs_away);
    tcase_add_test(t, many_places_reserved_at_one_instant_are_no_runaway);
    tcase_add_test(t, a_timer_that_was_wild_once_may_go_on_later);
    tcase_add_test(t, a_step_forward_brings_what_the_wall_clock_is_past);
    tcase_add_test(t, after_a_step_back_the_wall_clock_stands_until_it_has_caught_up);
    tcase_add_test(t, what_is_overdue_stays_so_over_a_step_back);
    tcase_add_test(t, from_1970_to_now_and_back_no_time_overflows);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
