// layer: pipelines
/* Steps with deadlines, on event time that a source tells: events in order, deadlines between them, what is behind; a watermark
 * that stands and one that runs; and a silence that stands still while a source is away. */
#include "tests/unit/notes_harness.h"

/* On from 50, off below 50. */
#define HOT "{hysteresis: {on: v >= 50, for: 1s, into: hot}}, {map: '[v, hot]'}"

static void run_to(struct run *r, rx_time ms) { rx_sched_run_until(r->world.sched, ms * RX_MSEC, true); }

/* Begins where no event has come yet, and event time is told. */
static void begin_told(struct run *r, const char *pipe)
{
    begin(r, pipe);
    mark(r, 'a', 0);
    expect(r, "mark 0\n");
}

START_TEST(events_are_taken_in_order_as_event_time_reaches_them)
{
    struct run r;
    begin_told(&r, "[" HOT "]");
    push(&r, 'a', 60, 2000);
    push(&r, 'a', 10, 2500); /* against it, though it came before the deadline's event */
    push(&r, 'a', 70, 1000);
    expect(&r, "");
    mark(&r, 'a', 2000); /* something at 2000 may still come */
    expect(&r, "mark 2000\n");
    mark(&r, 'a', 2001);
    expect(&r, "[70,true] at 2000\nmark 2001\n");
    mark(&r, 'a', 4000);
    expect(&r, "[10,false] at 3500\nmark 4000\n");
    end(&r);
}
END_TEST

START_TEST(an_event_against_it_at_the_deadline_starts_over_however_late_it_comes)
{
    struct run r;
    begin_told(&r, "[" HOT "]");
    push(&r, 'a', 70, 1000);
    mark(&r, 'a', 2000);
    push(&r, 'a', 10, 2000);
    mark(&r, 'a', 9000);
    expect(&r, "mark 2000\nmark 9000\n");
    end(&r);
}
END_TEST

START_TEST(a_deadline_passes_before_the_event_that_comes_after_it)
{
    struct run r;
    begin_told(&r, "[" HOT "]");
    push(&r, 'a', 70, 1000);
    push(&r, 'a', 10, 2500);
    mark(&r, 'a', 2600);
    expect(&r, "[70,true] at 2000\nmark 2600\n");
    end(&r);
}
END_TEST

static uint64_t late(struct run *r) { return rx_hub_stats(r->world.plan->pipelines[1].late).unheard; }

START_TEST(what_is_behind_goes_to_the_late_stream_and_changes_nothing)
{
    struct run r;
    begin_told(&r, "[" HOT "]");
    push(&r, 'a', 70, 1000);
    mark(&r, 'a', 1500);
    push(&r, 'a', 10, 1499);
    ck_assert_uint_eq(late(&r), 1);
    push(&r, 'a', 71, 1500); /* not behind */
    ck_assert_uint_eq(late(&r), 1);
    mark(&r, 'a', 2100);
    expect(&r, "mark 1500\n[70,true] at 2000\nmark 2100\n");
    end(&r);
}
END_TEST

START_TEST(without_for_nothing_waits_and_nothing_is_late)
{
    struct run r;
    begin_told(&r, "[{hysteresis: {on: v >= 50, into: hot}}, {map: '[v, hot]'}]");
    mark(&r, 'a', 1500);
    push(&r, 'a', 60, 1000);
    expect(&r, "mark 1500\n[60,true] at 1000\n");
    ck_assert_uint_eq(late(&r), 0);
    end(&r);
}
END_TEST

START_TEST(a_watermark_that_runs_reaches_events_and_deadlines_by_the_clock)
{
    struct run r;
    begin_told(&r, "[" HOT "]");
    push(&r, 'a', 70, 1000);
    mark(&r, 'a', 500);
    expect(&r, "mark 500\n");
    run_to(&r, 10000);
    rx_hub_watermark(source(&r, 'a'), rx_watermark_running(500 * RX_MSEC, 10000 * RX_MSEC));
    rx_buffer_clear(&r.out);
    run_to(&r, 11499);
    expect(&r, "");
    run_to(&r, 11500); /* 1.5 s after 0.5 */
    expect(&r, "[70,true] at 2000\n");
    push(&r, 'a', 10, 1900); /* judged by what has passed */
    ck_assert_uint_eq(late(&r), 1);
    push(&r, 'a', 10, 2000);
    ck_assert_uint_eq(late(&r), 1);
    run_to(&r, 12500);
    expect(&r, "[10,false] at 3000\n");
    end(&r);
}
END_TEST

START_TEST(past_the_limit_the_earliest_does_not_wait)
{
    struct run r;
    begin_told(&r, "[{hysteresis: {on: v >= 50, for: 1s, into: hot, max_waiting: 1}}, {map: '[v, hot]'}]");
    push(&r, 'a', 70, 1000);
    push(&r, 'a', 71, 5000);
    expect(&r, "");
    push(&r, 'a', 72, 6000); /* 5000 is taken, so that 2000 has passed */
    expect(&r, "[70,true] at 2000\n");
    push(&r, 'a', 10, 4999);
    ck_assert_uint_eq(late(&r), 1);
    end(&r);
}
END_TEST

START_TEST(completion_takes_what_waits_and_passes_what_event_time_has_reached)
{
    struct run r;
    begin_told(&r, "[" HOT "]");
    push(&r, 'a', 70, 1000);
    push(&r, 'a', 10, 2001);
    rx_hub_complete(source(&r, 'a'));
    expect(&r, "[70,true] at 2000\ncomplete\n");
    end(&r);
}
END_TEST

#define PAIR "{match: {pattern: 'a{2} -> !b', where: {a: v < 50, b: v >= 50}, within: 1s}}, {map: 'a.map(e, e.v)'}"

START_TEST(a_match_is_of_events_in_order_and_put_out_when_nothing_can_follow_any_more)
{
    struct run r;
    begin_told(&r, "[" PAIR "]");
    push(&r, 'a', 3, 1500);
    push(&r, 'a', 1, 1000);
    mark(&r, 'a', 2000);
    expect(&r, "mark 2000\n");
    mark(&r, 'a', 2001);
    expect(&r, "[1,3] at 2000\nmark 2001\n");
    push(&r, 'a', 60, 3500); /* follows the two that come after it */
    push(&r, 'a', 5, 3000);
    push(&r, 'a', 7, 3100);
    mark(&r, 'a', 9000);
    expect(&r, "mark 9000\n");
    end(&r);
}
END_TEST

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* What was put out, without the watermarks; groups are in any order. */
static char *sorted_rows(struct run *r)
{
    char *lines[200], *out = calloc(1, r->out.length + 1);
    size_t n = 0;
    rx_buffer_append(&r->out, "", 1);
    for (char *line = strtok(r->out.data, "\n"); line && n < 200; line = strtok(NULL, "\n"))
        if (strncmp(line, "mark", 4) != 0)
            lines[n++] = line;
    qsort(lines, n, sizeof *lines, by_text);
    for (size_t i = 0; i < n; i++)
        strcat(strcat(out, lines[i]), "\n");
    return out;
}

/* Each arrival as late as it may be: the same results as in order. */
START_TEST(any_order_within_the_lateness_gives_the_same)
{
    enum { EVENTS = 60, LATENESS = 7 };
    char *first = NULL;
    for (unsigned seed = 0; seed < 200; seed++) {
        struct run r;
        int delays[EVENTS];
        begin_told(&r,
                   _i ? "[{group_by: k}, {match: {pattern: 'a -> b+ -> !a for 3ms', where: {a: v < 50, b: v >= 50}, "
                        "within: 9ms}}, {map: '[a[0].v, b[0].v]'}]"
                      : "[{group_by: k}, {hysteresis: {on: v >= 50, for: 3ms, into: hot}}, {map: '[v, hot]'}]");
        srand(seed);
        for (int i = 0; i < EVENTS; i++)
            delays[i] = seed ? rand() % (LATENESS + 1) : 0;
        for (int now = 0, most = 0; now < EVENTS + LATENESS; now++) {
            for (int i = 0; i < EVENTS; i++) {
                if (i + delays[i] != now)
                    continue;
                push(&r, 'a', (i * 37 + i / 3 * 11) % 100, i);
                most = i > most ? i : most;
                mark(&r, 'a', most - LATENESS);
            }
        }
        mark(&r, 'a', 5000);
        ck_assert_uint_eq(late(&r), 0);
        char *rows = sorted_rows(&r);
        if (!first)
            first = strdup(rows);
        ck_assert_uint_gt(strlen(first), 20);
        ck_assert_str_eq(rows, first);
        free(rows);
        end(&r);
    }
    free(first);
}
END_TEST

/* ---- a source that is away ---- */

START_TEST(silence_stands_still_while_the_source_is_away_and_counts_anew)
{
    struct run r;
    begin(&r, "[{group_by: {by: k, expect: [x, z]}}, {silence: 1s}, {map: '[k, silent]'}]");
    push(&r, 'a', 1, 0);
    run_to(&r, 900);
    rx_hub_link(source(&r, 'a'), true);
    run_to(&r, 5000);
    expect(&r, "away\n");
    push(&r, 'a', 2, 5000); /* of a new group, meanwhile */
    rx_hub_link(source(&r, 'a'), false);
    run_to(&r, 5999);
    expect(&r, "back\n");
    run_to(&r, 6000);
    expect(&r, "[\"x\",true] at 6000\n[\"z\",true] at 6000\n[\"y\",true] at 6000\n");
    rx_hub_link(source(&r, 'a'), true); /* what is silent stays so */
    rx_hub_link(source(&r, 'a'), false);
    run_to(&r, 9000);
    expect(&r, "away\nback\n");
    push(&r, 'a', 3, 9000);
    expect(&r, "[\"x\",false] at 9000\n");
    end(&r);
}
END_TEST

START_TEST(one_source_of_several_that_is_away_is_enough)
{
    struct run r;
    begin(&r, "[{merge_with: b}, {silence: 1s}, {map: silent}]");
    push(&r, 'a', 1, 0);
    rx_hub_link(source(&r, 'b'), true);
    rx_hub_link(source(&r, 'a'), true);
    rx_hub_link(source(&r, 'b'), false);
    run_to(&r, 3000);
    expect(&r, "away\n");
    rx_hub_complete(source(&r, 'a')); /* it brings nothing any more, connected or not */
    expect(&r, "back\n");
    run_to(&r, 4000);
    expect(&r, "true at 4000\n");
    end(&r);
}
END_TEST

START_TEST(who_subscribes_while_the_source_is_away_knows_it)
{
    struct run r;
    begin_plan(&r, "[{group_by: {by: k, expect: [x]}}, {silence: 1s}, {map: silent}]", false);
    rx_hub_link(source(&r, 'a'), true);
    rx_hub_subscribe(r.world.plan->pipelines[1].hub, &r.output);
    rx_buffer_clear(&r.out);
    run_to(&r, 3000);
    expect(&r, "");
    rx_hub_link(source(&r, 'a'), false);
    run_to(&r, 4000);
    expect(&r, "back\ntrue at 4000\n");
    end(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("in_order");
    TCase *t = tcase_create("in_order");
    suite_add_tcase(suite, t);
    tcase_add_test(t, events_are_taken_in_order_as_event_time_reaches_them);
    tcase_add_test(t, an_event_against_it_at_the_deadline_starts_over_however_late_it_comes);
    tcase_add_test(t, a_deadline_passes_before_the_event_that_comes_after_it);
    tcase_add_test(t, what_is_behind_goes_to_the_late_stream_and_changes_nothing);
    tcase_add_test(t, without_for_nothing_waits_and_nothing_is_late);
    tcase_add_test(t, a_watermark_that_runs_reaches_events_and_deadlines_by_the_clock);
    tcase_add_test(t, past_the_limit_the_earliest_does_not_wait);
    tcase_add_test(t, completion_takes_what_waits_and_passes_what_event_time_has_reached);
    tcase_add_test(t, a_match_is_of_events_in_order_and_put_out_when_nothing_can_follow_any_more);
    tcase_add_loop_test(t, any_order_within_the_lateness_gives_the_same, 0, 2);
    tcase_add_test(t, silence_stands_still_while_the_source_is_away_and_counts_anew);
    tcase_add_test(t, one_source_of_several_that_is_away_is_enough);
    tcase_add_test(t, who_subscribes_while_the_source_is_away_knows_it);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
