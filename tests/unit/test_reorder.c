/* Events put in order: by (time, arrival), up to a time; a bound; saved and loaded; memory that is out. */
#include "core/graph/reorder.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rx_heap *heap;
static struct rx_reorder ahead;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    rx_reorder_init(&ahead, NULL, 1000);
}

static void tear_down(void)
{
    rx_reorder_finish(&ahead);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

/* An event whose value is a text of its own: a reference too many or too few shows. */
static void push(rx_time time, const char *text)
{
    struct rx_event event = {.value = rx_string(heap, text, strlen(text)), .time = time};
    ck_assert_int_eq(rx_reorder_push(&ahead, &event), 0);
    rx_event_unref(&event);
}

/* What comes out up to `t`, as "a b c". */
static const char *popped(rx_time t)
{
    static char out[4096];
    struct rx_event event;
    size_t n = 0;
    out[0] = '\0';
    while (rx_reorder_pop(&ahead, t, &event)) {
        n +=
            (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", n ? " " : "", (int)event.value.aux, event.value.u.text);
        rx_event_unref(&event);
    }
    return out;
}

START_TEST(events_come_out_by_time_and_equals_by_arrival)
{
    push(5, "e1");
    push(3, "c");
    push(5, "e2");
    push(-1, "a");
    push(5, "e3");
    ck_assert_int_eq(rx_reorder_earliest(&ahead), -1);
    ck_assert_str_eq(popped(INT64_MAX), "a c e1 e2 e3");
    ck_assert_int_eq(rx_reorder_earliest(&ahead), RX_TIME_NEVER);
}
END_TEST

START_TEST(none_comes_out_before_time_has_reached_it)
{
    push(10, "a");
    push(20, "b");
    ck_assert_str_eq(popped(9), "");
    ck_assert_str_eq(popped(10), "a");
    ck_assert_str_eq(popped(19), "");
    ck_assert_uint_eq(ahead.count, 1);
    ck_assert_str_eq(popped(20), "b");
}
END_TEST

START_TEST(one_is_behind_when_time_has_passed_it_not_when_it_stands_there)
{
    ck_assert(!rx_reorder_is_behind(&ahead, 10, 10));
    ck_assert(rx_reorder_is_behind(&ahead, 10, 9));
    ck_assert(!rx_reorder_is_behind(&ahead, INT64_MIN, INT64_MIN));
}
END_TEST

START_TEST(where_more_are_held_than_may_be_the_earliest_goes_on)
{
    rx_reorder_finish(&ahead);
    rx_reorder_init(&ahead, NULL, 2);
    push(30, "c");
    push(20, "b");
    ck_assert_str_eq(popped(0), "");
    push(40, "d");
    ck_assert_uint_eq(ahead.count, 3);
    ck_assert_str_eq(popped(0), "b");
    ck_assert(rx_reorder_is_behind(&ahead, 0, 19));
    ck_assert(!rx_reorder_is_behind(&ahead, 0, 20));
    push(10, "a");
    ck_assert_str_eq(popped(0), "a");
    ck_assert_msg(rx_reorder_is_behind(&ahead, 0, 19), "what goes on late moved the mark back");
    ck_assert_str_eq(popped(INT64_MAX), "c d");
}
END_TEST

/* Writes and reads the state; the first `cut` bytes of it. */
static int reload(size_t cut)
{
    struct rx_writer w = {0};
    size_t max = ahead.max;
    rx_reorder_save(&ahead, &w);
    struct rx_reader r = {.data = (const unsigned char *)w.buffer.data,
                          .length = cut < w.buffer.length ? cut : w.buffer.length,
                          .heap = heap};
    rx_reorder_finish(&ahead);
    rx_reorder_init(&ahead, NULL, max);
    int result = rx_reorder_load(&ahead, &r);
    rx_buffer_finish(&w.buffer);
    return result;
}

/* Against a stable insertion into a list, with the state saved and loaded on the way. */
START_TEST(random_streams_come_out_as_a_stable_sort_would_put_them)
{
    enum { EVENTS = 2000 };
    rx_time times[EVENTS];
    size_t held = 0;
    srand((unsigned)_i + 1);
    for (rx_time now = 0; now < EVENTS; now++) {
        rx_time time = now + rand() % 50;
        struct rx_event event = {.value = rx_int(now), .time = time};
        size_t at = held++;
        for (; at > 0 && (times[at - 1] >> 12) > time; at--)
            times[at] = times[at - 1];
        times[at] = time << 12 | now;
        ck_assert_int_eq(rx_reorder_push(&ahead, &event), 0);
        if (rand() % 20 == 0)
            ck_assert_int_eq(reload(SIZE_MAX), 0);
        size_t out = 0;
        while (rx_reorder_pop(&ahead, now, &event))
            ck_assert_int_eq(event.time << 12 | event.value.u.i, times[out++]);
        ck_assert(out == held || (times[out] >> 12) > now);
        memmove(times, times + out, (held -= out) * sizeof *times);
    }
}
END_TEST

START_TEST(what_was_saved_goes_on_with_its_arrivals_and_its_mark)
{
    push(7, "b");
    push(5, "a");
    push(7, "c");
    ck_assert_str_eq(popped(5), "a");
    ck_assert_int_eq(reload(SIZE_MAX), 0);
    push(7, "d");
    ck_assert(rx_reorder_is_behind(&ahead, 0, 4));
    ck_assert_str_eq(popped(7), "b c d");
}
END_TEST

START_TEST(a_state_that_is_cut_off_is_refused_and_leaves_nothing)
{
    push(7, "a");
    push(8, "b");
    for (size_t cut = 0; reload(cut) < 0; cut++) {
        rx_reorder_finish(&ahead);
        rx_reorder_init(&ahead, NULL, 1000);
        push(7, "a");
        push(8, "b");
        ck_assert_uint_lt(cut, 100);
    }
    ck_assert_str_eq(popped(8), "a b");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reorder");
    TCase *t = tcase_create("reorder");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, events_come_out_by_time_and_equals_by_arrival);
    tcase_add_test(t, none_comes_out_before_time_has_reached_it);
    tcase_add_test(t, one_is_behind_when_time_has_passed_it_not_when_it_stands_there);
    tcase_add_test(t, where_more_are_held_than_may_be_the_earliest_goes_on);
    tcase_add_loop_test(t, random_streams_come_out_as_a_stable_sort_would_put_them, 0, 5);
    tcase_add_test(t, what_was_saved_goes_on_with_its_arrivals_and_its_mark);
    tcase_add_test(t, a_state_that_is_cut_off_is_refused_and_leaves_nothing);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
