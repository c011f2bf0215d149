// layer: pipelines
/* Watermarks and barriers: along edges, through hubs and scopes, over several inputs; arrival time as the case in which the
 * watermark is the clock; and the queue of a receiver that is busy. */
#include "tests/unit/notes_harness.h"

START_TEST(a_watermark_passes_steps_hubs_and_the_least_of_several_inputs)
{
    struct run r;
    begin(&r, "[{map: v}, {merge_with: b}]");
    mark(&r, 'a', 5000); /* b is on the clock: that does not hold it back */
    expect(&r, "mark 5000\n");
    mark(&r, 'b', 2000); /* never back */
    expect(&r, "");
    mark(&r, 'a', 9000);
    expect(&r, "");
    mark(&r, 'b', 7000);
    expect(&r, "mark 7000\n");
    rx_hub_complete(source(&r, 'b')); /* what has completed holds nothing back */
    expect(&r, "mark 9000\n");
    rx_hub_watermark(source(&r, 'a'), RX_WATERMARK_CLOCK);
    expect(&r, "mark clock\n");
    end(&r);
}
END_TEST

START_TEST(who_subscribes_later_knows_the_watermark)
{
    struct run r;
    begin_plan(&r, "[{map: v}]", false);
    struct rx_observer early = {.note = write_note};
    struct run ignored = {.output = early};
    rx_hub_subscribe(r.world.plan->pipelines[0].hub, &ignored.output);
    mark(&r, 'a', 3000);
    rx_hub_subscribe(r.world.plan->pipelines[1].hub, &r.output);
    expect(&r, "mark 3000\n");
    ck_assert_int_eq(rx_hub_reached(r.world.plan->pipelines[1].hub), 3000 * RX_MSEC);
    rx_hub_unsubscribe(&ignored.output);
    rx_buffer_finish(&ignored.out);
    end(&r);
}
END_TEST

/* Windows on told event time: the watermark alone closes them, whatever the clock and the events say; and what comes after
 * is late. */
START_TEST(told_event_time_closes_windows_and_the_clock_does_not)
{
    struct run r;
    begin_plan(&r, "[{group_by: k}, {window: 1s}, {aggregate: {n: sum(v)}}, {map: n}]", true);
    rx_hub_subscribe(r.world.plan->pipelines[1].hub, &r.output);
    mark(&r, 'a', 0);
    expect(&r, "mark 0\n");
    push(&r, 'a', 1, 100);
    push(&r, 'a', 2, 300);
    rx_sched_run_until(r.world.sched, 10 * RX_SEC, true);
    push(&r, 'a', 3, 1500); /* a second window beside the first, which is still open */
    push(&r, 'a', 5, 900);
    expect(&r, "");
    mark(&r, 'a', 999);
    expect(&r, "mark 999\n");
    mark(&r, 'a', 1000);
    expect(&r, "6 at 999\n2 at 999\nmark 1000\n");
    push(&r, 'a', 7, 950); /* late */
    mark(&r, 'a', 2500);
    expect(&r, "3 at 1999\nmark 2500\n");
    rx_hub_watermark(source(&r, 'a'), RX_WATERMARK_CLOCK);
    push(&r, 'a', 9, 10200);
    rx_sched_run_until(r.world.sched, 11 * RX_SEC, true);
    expect(&r, "mark clock\n9 at 10999\n");
    end(&r);
}
END_TEST

START_TEST(arrival_time_is_the_watermark_that_is_the_clock)
{
    struct run r;
    begin(&r, "[{group_by: k}, {window: 1s}, {aggregate: {n: sum(v)}}, {map: n}]");
    push(&r, 'a', 1, 0);
    rx_sched_run_until(r.world.sched, 1 * RX_SEC, true);
    expect(&r, "1 at 999\n");
    end(&r);
}
END_TEST

START_TEST(a_barrier_passes_when_it_has_come_on_all_live_inputs)
{
    static const char *const joins[] = {"[{merge_with: b}, {map: v}]", "[{combine_latest: b}, {map: v}]"};
    for (size_t i = 0; i < 2; i++) {
        struct run r;
        begin(&r, joins[i]);
        rx_hub_barrier(source(&r, 'a'), 1);
        expect(&r, "");
        rx_hub_barrier(source(&r, 'b'), 1);
        expect(&r, "barrier 1\n");
        rx_hub_barrier(source(&r, 'b'), 2);
        rx_hub_complete(source(&r, 'a')); /* it can bring none any more */
        expect(&r, "barrier 2\n");
        end(&r);
    }
}
END_TEST

START_TEST(a_barrier_passes_once_where_one_stream_comes_by_two_ways)
{
    struct run r;
    begin(&r, "[{with_latest_from: a}, {map: v}]");
    push(&r, 'a', 1, 0);
    rx_hub_barrier(source(&r, 'a'), 1);
    rx_buffer_append(&r.out, "", 1);
    ck_assert_ptr_nonnull(strstr(r.out.data, "barrier 1\n"));
    ck_assert_ptr_null(strstr(strstr(r.out.data, "barrier 1\n") + 1, "barrier"));
    end(&r);
}
END_TEST

START_TEST(a_step_that_waits_for_a_timer_alone_holds_no_barrier)
{
    struct run r;
    begin(&r, "[{map: 10 % v, on_error: fail}, {retry: {count: 3, delay: 1s}}]");
    push(&r, 'a', 0, 0); /* it fails, and is subscribed again a second later */
    rx_hub_barrier(source(&r, 'a'), 1);
    expect(&r, "");
    rx_graph_barrier(rx_pipeline_run_instance(r.world.plan->pipelines[1].run), 1);
    expect(&r, "barrier 1\n");
    end(&r);
}
END_TEST

START_TEST(event_time_and_what_waits_survive_a_save)
{
    struct run r, s;
    struct rx_writer w = {0};
    begin(&r, "[{merge_with: b}, {delay: 1s}]");
    mark(&r, 'a', 4000);
    mark(&r, 'b', 3000);
    rx_pipeline_run_save(r.world.plan->pipelines[1].run, &w);
    begin_plan(&s, "[{merge_with: b}, {delay: 1s}]", false);
    struct rx_reader reader = {
        .data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = s.world.heap};
    ck_assert_int_eq(rx_pipeline_run_load(s.world.plan->pipelines[1].run, &reader), 0);
    ck_assert_int_eq(rx_hub_reached(s.world.plan->pipelines[1].hub), rx_hub_reached(r.world.plan->pipelines[1].hub));
    rx_pipeline_run_discard(s.world.plan->pipelines[1].run);
    rx_buffer_finish(&w.buffer);
    end(&r);
    end(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notes");
    TCase *t = tcase_create("notes");
    suite_add_tcase(suite, t);
    tcase_add_test(t, a_watermark_passes_steps_hubs_and_the_least_of_several_inputs);
    tcase_add_test(t, who_subscribes_later_knows_the_watermark);
    tcase_add_test(t, told_event_time_closes_windows_and_the_clock_does_not);
    tcase_add_test(t, arrival_time_is_the_watermark_that_is_the_clock);
    tcase_add_test(t, a_barrier_passes_when_it_has_come_on_all_live_inputs);
    tcase_add_test(t, a_barrier_passes_once_where_one_stream_comes_by_two_ways);
    tcase_add_test(t, a_step_that_waits_for_a_timer_alone_holds_no_barrier);
    tcase_add_test(t, event_time_and_what_waits_survive_a_save);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
