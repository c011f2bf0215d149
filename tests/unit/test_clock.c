// layer: pipelines
/* Pipelines while the wall clock is set: waits go on, windows on the epoch and times of events follow it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/world.h"

#define HOUR  (3600 * RX_SEC)
#define START (472222 * HOUR) /* a whole hour in 2023 */

static struct rx_forest *forest;
static struct rx_logical *logical;
static struct rx_world world;
static struct rx_observer observer;
static struct rx_buffer out;
static unsigned results;

static void on_note(struct rx_observer *o, const struct rx_note *note)
{
    (void)o;
    if (note->kind == RX_ERROR)
        rx_buffer_printf(&out, "error: %s ", note->error->message);
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++) {
        results++;
        if (out.length > 4096)
            continue;
        rx_buffer_printf(&out, "%lld:", (long long)((rx_sched_now(world.sched) - START) / RX_SEC));
        rx_json_write(&out, note->span[i].value);
        rx_buffer_text(&out, " ");
    }
}

/* Runs `pipe` from START on, both clocks together. */
static void begin(const char *pipe)
{
    char text[512];
    struct rx_error error = {0};
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    snprintf(text, sizeof text, "sources: {a: {http: {}}}\npipelines: {out: {from: a, pipe: %s}}\n", pipe);
    ck_assert_int_eq(rx_forest_read_text(text, strlen(text), "test", 0, diagnostics, &forest), 0);
    ck_assert_int_eq(rx_logical_create(forest, &(struct rx_logical_options){.replay = true}, diagnostics, &logical), 0);
    ck_assert_int_eq(rx_world_create(logical, &(struct rx_plan_options){0}, &world, &error), 0);
    rx_diagnostics_destroy(diagnostics);
    rx_sched_run_until(world.sched, START, false);
    observer = (struct rx_observer){.note = on_note};
    rx_engine_enter(world.engine);
    rx_hub_subscribe(rx_plan_find_hub(world.plan, "out"), &observer);
    rx_engine_leave(world.engine);
}

static void end(void)
{
    rx_engine_enter(world.engine);
    rx_hub_unsubscribe(&observer);
    rx_engine_leave(world.engine);
    rx_world_destroy(&world);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    rx_buffer_finish(&out);
    results = 0;
}

/* To `seconds` after START, by the clock that nobody sets. */
static void run_to(double seconds) { rx_sched_run_until(world.sched, START + (rx_time)(seconds * 1e9), true); }

static void push(int n)
{
    struct rx_event event = {.value = rx_int(n), .time = rx_sched_wall(world.sched)};
    rx_engine_enter(world.engine);
    rx_hub_next(rx_plan_find_hub(world.plan, "a"), &event, 1);
    rx_engine_leave(world.engine);
}

static void set_clock(rx_time by)
{
    rx_sched_set_drift(world.sched, rx_sched_drift(world.sched) + by);
    rx_sched_run_until(world.sched, rx_sched_now(world.sched), true);
}

static void expect(const char *text)
{
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, text);
    rx_buffer_clear(&out);
}

START_TEST(a_step_forward_closes_what_is_open_and_the_next_window_is_where_the_clock_is)
{
    begin("[{window: 10s}, {aggregate: {n: count(), s: sum(event)}}]");
    run_to(1);
    push(1);
    run_to(2);
    set_clock(HOUR);
    expect("2:{\"n\":1,\"s\":1,\"window\":{\"start\":\"2023-11-14T22:00:00Z\",\"end\":\"2023-11-14T22:00:10Z\"}} ");
    push(2);
    run_to(20);
    expect("10:{\"n\":1,\"s\":2,\"window\":{\"start\":\"2023-11-14T23:00:00Z\",\"end\":\"2023-11-14T23:00:10Z\"}} ");
    end();
}
END_TEST

START_TEST(after_a_step_back_the_open_window_waits_and_takes_in_what_comes)
{
    begin("[{window: 10s}, {aggregate: {n: count(), s: sum(event)}}]");
    run_to(1);
    push(1);
    set_clock(-HOUR);
    for (int i = 0; i < 3; i++) {
        run_to(100 + i * 1000);
        push(10);
    }
    run_to(3600 + 9);
    expect("");
    run_to(3600 + 10);
    expect("3610:{\"n\":4,\"s\":31,\"window\":{\"start\":\"2023-11-14T22:00:00Z\",\"end\":\"2023-11-14T22:00:10Z\"}} ");
    end();
}
END_TEST

START_TEST(an_hour_back_and_forward_again_is_as_if_nothing_had_happened)
{
    begin("[{window: 10s}, {aggregate: {n: count()}}, {map: n}]");
    push(1);
    run_to(5);
    set_clock(-HOUR);
    run_to(6);
    set_clock(HOUR);
    push(1);
    run_to(30);
    expect("10:2 ");
    end();
}
END_TEST

START_TEST(waits_do_not_hear_of_it)
{
    static const char *const pipes[] = {"[delay: 3s]", "[debounce: 3s]", "[audit: 3s]", "[sample: 3s]"};
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            begin(pipes[i]);
            push(7);
            run_to(1);
            set_clock(sign * HOUR);
            run_to(2.5);
            expect("");
            run_to(4);
            expect("3:7 ");
            end();
        }
    }
}
END_TEST

START_TEST(a_timeout_comes_when_nothing_came_for_so_long_and_only_then)
{
    begin("[timeout: {each: 5s}]");
    push(1);
    set_clock(HOUR);
    run_to(4);
    push(2);
    set_clock(-2 * HOUR);
    run_to(8);
    expect("0:1 4:2 ");
    run_to(10);
    rx_buffer_append(&out, "", 1);
    ck_assert_ptr_nonnull(strstr(out.data, "error: "));
    end();
}
END_TEST

/* What waited takes the time at which it went on, so that a window behind it does not find it late. */
START_TEST(what_waited_over_a_step_is_not_late)
{
    begin("[{delay: 3s}, {window: 10s}, {aggregate: {n: count()}}, {map: window.start}]");
    push(1);
    run_to(1);
    set_clock(HOUR);
    run_to(30);
    expect("10:\"2023-11-14T23:00:00Z\" ");
    end();
}
END_TEST

START_TEST(windows_from_the_subscription_are_as_long_as_they_say)
{
    begin("[{window: {size: 10s, align: start}}, {aggregate: {n: count()}}, {map: n}]");
    push(1);
    run_to(3);
    set_clock(HOUR);
    run_to(9.5);
    push(1);
    set_clock(-2 * HOUR);
    run_to(15);
    expect("10:2 ");
    end();
}
END_TEST

/* 1970, then the present: the empty windows of half a century are left out. */
START_TEST(empty_windows_are_not_told_from_1970_on)
{
    begin("[{window: {size: 1s, emit_empty: true}}, {aggregate: {n: count()}}, {map: n}]");
    push(1);
    run_to(2.5);
    ck_assert_uint_eq(results, 2);
    set_clock(20000 * HOUR);
    ck_assert_uint_le(results, 10010);
    unsigned before = results;
    run_to(6.5);
    ck_assert_uint_ge(results, before + 4);
    ck_assert_uint_le(results, before + 5);
    end();
}
END_TEST

START_TEST(a_short_gap_of_empty_windows_is_told)
{
    begin("[{window: {size: 1s, emit_empty: true}}, {aggregate: {n: count()}}, {map: n}]");
    push(1);
    run_to(0.5);
    set_clock(100 * RX_SEC);
    ck_assert_uint_eq(results, 100);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *t = tcase_create("clock");
    suite_add_tcase(suite, t);
    tcase_add_test(t, a_step_forward_closes_what_is_open_and_the_next_window_is_where_the_clock_is);
    tcase_add_test(t, after_a_step_back_the_open_window_waits_and_takes_in_what_comes);
    tcase_add_test(t, an_hour_back_and_forward_again_is_as_if_nothing_had_happened);
    tcase_add_test(t, waits_do_not_hear_of_it);
    tcase_add_test(t, a_timeout_comes_when_nothing_came_for_so_long_and_only_then);
    tcase_add_test(t, what_waited_over_a_step_is_not_late);
    tcase_add_test(t, windows_from_the_subscription_are_as_long_as_they_say);
    tcase_add_test(t, empty_windows_are_not_told_from_1970_on);
    tcase_add_test(t, a_short_gap_of_empty_windows_is_told);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
