// layer: core/feed
/* The event clock of a source: watermarks from the times of events, falling idle, catching up, what lies too far ahead, and its
 * state. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/feed/event_clock.h"
#include "core/graph/graph.h"
#include "core/json/json.h"

/* What the hub was told, a word each: "5000" ms, "clock-2000": the clock less 2,000 ms. */
struct world {
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_hub *hub;
    struct rx_source_common options;
    struct rx_event_clock clock;
    struct rx_observer observer;
    struct rx_buffer told;
};

static void on_note(struct rx_observer *observer, const struct rx_note *note)
{
    struct world *w = (struct world *)(void *)((char *)observer - offsetof(struct world, observer));
    if (note->kind != RX_WATERMARK)
        return;
    if (rx_watermark_is_running(note->watermark))
        rx_buffer_printf(&w->told, "clock%+lld ", (long long)((note->watermark - RX_WATERMARK_CLOCK) / RX_MSEC));
    else
        rx_buffer_printf(&w->told, "%lld ", (long long)(note->watermark / RX_MSEC));
}

static void begin(struct world *w, bool live)
{
    struct rx_expr_options options;
    memset(w, 0, sizeof *w);
    w->heap = rx_heap_create(NULL);
    options = (struct rx_expr_options){.heap = w->heap};
    w->sched = rx_sched_create(0);
    w->engine = rx_engine_create(w->heap, w->sched);
    w->hub = rx_hub_create(w->engine, "s");
    ck_assert_int_eq(rx_expr_compile("ts", 2, &options, &w->options.event_time.expr, NULL), 0);
    w->options.event_time.unit = RX_UNIT_MS;
    w->options.catch_up = 30 * RX_SEC;
    rx_event_clock_init(&w->clock, &w->options, w->engine, w->sched, w->hub, live);
    w->observer.note = on_note;
    rx_hub_subscribe(w->hub, &w->observer);
}

static void end(struct world *w)
{
    rx_event_clock_stop(&w->clock);
    rx_hub_unsubscribe(&w->observer);
    rx_hub_destroy(w->hub);
    rx_expr_destroy(w->options.event_time.expr);
    rx_engine_destroy(w->engine);
    ck_assert_uint_eq(rx_sched_armed(w->sched), 0);
    rx_sched_destroy(w->sched);
    ck_assert_uint_eq(rx_heap_live_blocks(w->heap), 0);
    rx_heap_destroy(w->heap);
    rx_buffer_finish(&w->told);
}

/* 0, or why not. */
static int read_time(struct world *w, long long ms, rx_time *ret)
{
    char json[60];
    struct rx_error error;
    struct rx_event event = {0};
    int length = snprintf(json, sizeof json, "{\"ts\":%lld}", ms);
    ck_assert_int_eq(rx_json_decode(w->heap, NULL, NULL, json, (size_t)length, &event.value, NULL), 0);
    int r = rx_event_clock_read(&w->clock, &event, ret, &error);
    rx_event_unref(&event);
    return r;
}

static void push(struct world *w, rx_time now_ms, long long ms)
{
    rx_time t;
    rx_sched_run_until(w->sched, now_ms * RX_MSEC, false);
    ck_assert_int_eq(read_time(w, ms, &t), 0);
    rx_event_clock_take(&w->clock, t);
    rx_event_clock_tell(&w->clock);
}

static void expect(struct world *w, rx_time now_ms, const char *told)
{
    rx_sched_run_until(w->sched, now_ms * RX_MSEC, true);
    rx_buffer_append(&w->told, "", 1);
    ck_assert_str_eq(w->told.data, told);
    rx_buffer_clear(&w->told);
}

START_TEST(the_watermark_is_the_greatest_time_less_lateness_and_never_goes_back)
{
    struct world w;
    begin(&w, false);
    w.options.lateness = 2 * RX_SEC;
    rx_event_clock_start(&w.clock);
    ck_assert_int_eq(rx_hub_reached(w.hub), RX_WATERMARK_NONE);
    push(&w, 0, 10000);
    push(&w, 1, 9000);
    push(&w, 2, 13000);
    expect(&w, 100000, "8000 11000 ");
    ck_assert(rx_event_clock_splits(&w.clock, 10999 * RX_MSEC));
    ck_assert(!rx_event_clock_splits(&w.clock, 11000 * RX_MSEC));
    end(&w);
}
END_TEST

START_TEST(an_idle_source_runs_on_with_the_clock_until_its_next_event)
{
    struct world w;
    begin(&w, false);
    w.options.idle_timeout = 5 * RX_SEC;
    rx_event_clock_start(&w.clock);
    push(&w, 1000, 60000);
    push(&w, 3000, 61000);
    expect(&w, 7999, "60000 61000 ");
    expect(&w, 8000, "clock+53000 "); /* 61 s at 8 s */
    push(&w, 10000, 62000);           /* the clock has come to 63 s: that stays */
    expect(&w, 10000, "63000 ");
    push(&w, 11000, 70000);
    expect(&w, 11000, "70000 ");
    expect(&w, 16000, "clock+54000 ");
    end(&w);
}
END_TEST

START_TEST(a_source_without_any_event_is_idle_too_and_keeps_no_replay_going)
{
    struct world w;
    begin(&w, false);
    w.options.idle_timeout = 5 * RX_SEC;
    rx_event_clock_start(&w.clock);
    ck_assert_uint_eq(rx_sched_foreground(w.sched), 0);
    rx_sched_run_until(w.sched, 5 * RX_SEC, true);
    ck_assert(rx_watermark_is_running(rx_hub_reached(w.hub)));
    ck_assert_int_lt(rx_watermark_at(rx_hub_reached(w.hub), 5 * RX_SEC), -50 * RX_YEAR);
    push(&w, 6000, 1000);
    ck_assert_int_eq(rx_hub_reached(w.hub), RX_SEC);
    ck_assert_uint_eq(rx_sched_foreground(w.sched), 1);
    end(&w);
}
END_TEST

START_TEST(live_it_can_be_idle_only_when_it_has_caught_up)
{
    struct world w;
    begin(&w, true);
    w.options.idle_timeout = 5 * RX_SEC;
    w.clock.connected = false;
    rx_event_clock_start(&w.clock);
    rx_sched_run_until(w.sched, 10 * RX_SEC, true);
    rx_event_clock_connected(&w.clock, true);
    push(&w, 10500, 1000);
    push(&w, 11400, 2000);
    push(&w, 12300, 3000); /* quiet from here on: caught up at 13.3 s, idle at 18.3 s */
    expect(&w, 18299, "1000 2000 3000 ");
    expect(&w, 18300, "clock-15300 ");
    end(&w);
}
END_TEST

START_TEST(catching_up_ends_at_its_bound)
{
    struct world w;
    begin(&w, true);
    w.options.idle_timeout = RX_SEC;
    w.options.catch_up = 3 * RX_SEC;
    rx_event_clock_start(&w.clock);
    for (int i = 0; i < 5; i++)
        push(&w, 900 * i, 1000 * i); /* never quiet; the last at 3.6 s */
    expect(&w, 4599, "0 1000 2000 3000 4000 ");
    expect(&w, 4600, "clock-600 ");
    end(&w);
}
END_TEST

START_TEST(what_lies_too_far_ahead_is_refused_and_moves_nothing)
{
    struct world w;
    rx_time t;
    begin(&w, true);
    rx_event_clock_start(&w.clock);
    ck_assert_int_eq(read_time(&w, 3600 * 1000, &t), 0);
    ck_assert_int_eq(read_time(&w, 3600 * 1000 + 1, &t), -EOVERFLOW);
    w.options.max_ahead = RX_SEC;
    ck_assert_int_eq(read_time(&w, 1001, &t), -EOVERFLOW);
    ck_assert_int_eq(read_time(&w, 1000, &t), 0);
    end(&w);
    begin(&w, false); /* in a replay only where it is written */
    ck_assert_int_eq(read_time(&w, 366LL * 86400 * 1000, &t), 0);
    w.options.max_ahead = RX_SEC;
    ck_assert_int_eq(read_time(&w, 366LL * 86400 * 1000, &t), -EOVERFLOW);
    end(&w);
}
END_TEST

START_TEST(its_state_goes_on_in_another_world)
{
    struct world a, b;
    struct rx_writer saved = {0};
    begin(&a, false);
    a.options.idle_timeout = 5 * RX_SEC;
    rx_event_clock_start(&a.clock);
    push(&a, 1000, 60000);
    rx_event_clock_save(&a.clock, &saved);
    begin(&b, false);
    b.options.idle_timeout = 5 * RX_SEC;
    rx_sched_run_until(b.sched, RX_SEC, true);
    struct rx_reader r = {
        .data = (const unsigned char *)saved.buffer.data, .length = saved.buffer.length, .heap = b.heap};
    rx_event_clock_load(&b.clock, &r);
    ck_assert(!rx_reader_failed(&r));
    expect(&b, 5999, "");
    expect(&b, 6000, "clock+54000 ");
    end(&a);
    end(&b);
    for (size_t length = 0; length < saved.buffer.length; length++) {
        begin(&b, false);
        r = (struct rx_reader){.data = (const unsigned char *)saved.buffer.data, .length = length, .heap = b.heap};
        rx_event_clock_load(&b.clock, &r);
        ck_assert(rx_reader_failed(&r));
        end(&b);
    }
    rx_buffer_finish(&saved.buffer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event_clock");
    TCase *c = tcase_create("event_clock");
    tcase_add_test(c, the_watermark_is_the_greatest_time_less_lateness_and_never_goes_back);
    tcase_add_test(c, an_idle_source_runs_on_with_the_clock_until_its_next_event);
    tcase_add_test(c, a_source_without_any_event_is_idle_too_and_keeps_no_replay_going);
    tcase_add_test(c, live_it_can_be_idle_only_when_it_has_caught_up);
    tcase_add_test(c, catching_up_ends_at_its_bound);
    tcase_add_test(c, what_lies_too_far_ahead_is_refused_and_moves_nothing);
    tcase_add_test(c, its_state_goes_on_in_another_world);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
