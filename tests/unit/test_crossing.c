/* Events that cross from one heap to another are what they were. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"
#include "core/value/crossing.h"

struct rig {
    struct rx_heap *from, *to;
    struct rx_crossing_out out;
    struct rx_crossing_in in;
    struct rx_writer w;
    struct rx_reader r;
};

static void begin(struct rig *rig, const struct rx_heap_limits *limits)
{
    *rig = (struct rig){.from = rx_heap_create(NULL), .to = rx_heap_create(limits)};
    ck_assert(rig->from && rig->to);
    rig->in.heap = rig->to;
}

static void end(struct rig *rig)
{
    rx_crossing_out_finish(&rig->out);
    rx_crossing_in_finish(&rig->in);
    rx_buffer_finish(&rig->w.buffer);
    ck_assert_uint_eq(rx_heap_live_blocks(rig->from), 0);
    ck_assert_uint_eq(rx_heap_live_blocks(rig->to), 0);
    rx_heap_destroy(rig->from);
    rx_heap_destroy(rig->to);
}

static struct rx_event event_of(struct rig *rig, const char *json, rx_time time)
{
    struct rx_event e = {.time = time};
    ck_assert_int_eq(rx_json_decode(rig->from, NULL, NULL, json, strlen(json), &e.value, NULL), 0);
    return e;
}

static void cross(struct rig *rig, const struct rx_event *e) { rx_cross_event(&rig->out, &rig->w, e); }

static struct rx_event arrive(struct rig *rig)
{
    rig->r = (struct rx_reader){.data = (const unsigned char *)rig->w.buffer.data,
                                .length = rig->w.buffer.length,
                                .position = rig->r.position,
                                .heap = rig->to};
    struct rx_event e = rx_crossed_event(&rig->in, &rig->r);
    ck_assert_int_eq(rig->r.failed, 0);
    return e;
}

static void check_same(struct rx_value a, struct rx_value b)
{
    struct rx_buffer x = {0}, y = {0};
    rx_json_write(&x, a);
    rx_json_write(&y, b);
    rx_buffer_append(&x, "", 1);
    rx_buffer_append(&y, "", 1);
    ck_assert_str_eq(x.data, y.data);
    ck_assert(rx_value_equal(a, b));
    rx_buffer_finish(&x);
    rx_buffer_finish(&y);
}

static void cross_and_check(struct rig *rig, const char *json, rx_time time)
{
    struct rx_event e = event_of(rig, json, time);
    cross(rig, &e);
    struct rx_event came = arrive(rig);
    check_same(e.value, came.value);
    ck_assert_int_eq(came.time, time);
    ck_assert_ptr_null(came.mark);
    ck_assert_int_eq(came.meta.kind, RX_NULL);
    rx_event_unref(&e);
    rx_event_unref(&came);
}

static const char *const values[] = {
    "{\"k\":\"a\",\"v\":1,\"w\":2.5,\"x\":true,\"y\":null}",
    "{\"k\":\"\",\"v\":-1,\"w\":\"\",\"x\":\"\\u00e9\\u4e2d\",\"y\":false}",
    "{}",
    "{\"deep\":{\"k\":[1,2,{\"z\":\"t\"}]},\"v\":1}",
    "[1,\"two\",null]",
    "\"a text\"",
    "17",
    "null",
    "{\"a key that is no name\":1,\"\":2}",
};

START_TEST(all_kinds_of_values_arrive)
{
    struct rig rig;
    begin(&rig, NULL);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            cross_and_check(&rig, values[i], (rx_time)i * RX_SEC - 5);
    ck_assert_uint_eq(rig.r.position, rig.w.buffer.length);
    end(&rig);
}
END_TEST

/* More shapes than either end remembers, in turn, so that slots are taken over again and again. */
START_TEST(more_shapes_than_are_remembered)
{
    struct rig rig;
    char json[100];
    begin(&rig, NULL);
    for (int i = 0; i < 5 * RX_CROSSING_SHAPES; i++) {
        snprintf(json, sizeof json, "{\"k%d\":%d,\"name\":\"n%d\"}", i % (2 * RX_CROSSING_SHAPES + 1), i, i);
        cross_and_check(&rig, json, i);
    }
    end(&rig);
}
END_TEST

/* Where the other heap has no room for shapes, objects arrive as maps. */
START_TEST(no_room_for_shapes_at_the_other_end)
{
    struct rig rig;
    char json[100];
    struct rx_heap_limits limits = {.max_shapes = 2, .max_keys = 3};
    begin(&rig, &limits);
    struct rx_event kept[20];
    for (int i = 0; i < 20; i++) {
        snprintf(json, sizeof json, "{\"k%d\":%d,\"name\":\"n%d\"}", i, i, i);
        struct rx_event e = event_of(&rig, json, i);
        cross(&rig, &e);
        kept[i] = arrive(&rig);
        check_same(e.value, kept[i].value);
        rx_event_unref(&e);
    }
    for (int i = 0; i < 20; i++)
        rx_event_unref(&kept[i]);
    end(&rig);
}
END_TEST

static const struct rx_mark *mark_of(struct rig *rig, const char *key, rx_time start)
{
    struct rx_event e = event_of(rig, key, 0);
    const struct rx_mark *keyed = rx_mark_with_key(rig->from, NULL, e.value);
    const struct rx_mark *mark = rx_mark_with_window(rig->from, keyed, start, start + 10, RX_WINDOW_FINAL);
    rx_mark_unref(keyed);
    rx_event_unref(&e);
    return mark;
}

START_TEST(marks_and_meta_arrive_and_events_of_one_scope_share_them)
{
    struct rig rig;
    begin(&rig, NULL);
    const struct rx_mark *before = NULL;
    for (int i = 0; i < 6; i++) {
        struct rx_event e = event_of(&rig, "{\"v\":1}", i);
        if (i != 4)
            e.mark = mark_of(&rig, i < 3 ? "{\"g\":\"x\"}" : "{\"g\":\"y\"}", i < 3 ? 100 : 200 + i);
        if (i == 1) { /* the very one that went before */
            rx_mark_unref(e.mark);
            e.mark = rx_mark_ref(rig.out.mark);
        }
        if (i == 2) {
            struct rx_event meta = event_of(&rig, "{\"topic\":\"t/1\",\"retained\":true}", 0);
            e.meta = meta.value;
        }
        cross(&rig, &e);
        struct rx_event came = arrive(&rig);
        ck_assert_int_eq(came.mark == NULL, i == 4);
        if (came.mark) {
            check_same(came.mark->key, e.mark->key);
            ck_assert_int_eq(came.mark->start, e.mark->start);
            ck_assert_int_eq(came.mark->end, e.mark->end);
            ck_assert_uint_eq(came.mark->flags, e.mark->flags);
        }
        if (i == 1)
            ck_assert_ptr_eq(came.mark, before);
        check_same(came.meta, e.meta);
        before = i == 0 ? came.mark : NULL;
        rx_event_unref(&came);
        rx_event_unref(&e);
    }
    end(&rig);
}
END_TEST

START_TEST(what_is_cut_short_fails_and_leaves_nothing)
{
    for (size_t length = 0;; length++) {
        struct rig rig;
        begin(&rig, NULL);
        struct rx_event e = event_of(&rig, values[0], 1);
        e.mark = mark_of(&rig, "{\"g\":\"x\"}", 100);
        cross(&rig, &e);
        rx_event_unref(&e);
        bool whole = length == rig.w.buffer.length;
        rig.r = (struct rx_reader){.data = (const unsigned char *)rig.w.buffer.data, .length = length, .heap = rig.to};
        struct rx_event came = rx_crossed_event(&rig.in, &rig.r);
        ck_assert_int_eq(rx_reader_failed(&rig.r), !whole);
        rx_event_unref(&came);
        end(&rig);
        if (whole)
            break;
    }
}
END_TEST

START_TEST(a_heap_that_is_full_fails_the_read)
{
    struct rig rig;
    struct rx_heap_limits limits = {.max_bytes = 64};
    begin(&rig, &limits);
    struct rx_event e = event_of(&rig, values[0], 1);
    cross(&rig, &e);
    rx_event_unref(&e);
    rig.r = (struct rx_reader){
        .data = (const unsigned char *)rig.w.buffer.data, .length = rig.w.buffer.length, .heap = rig.to};
    struct rx_event came = rx_crossed_event(&rig.in, &rig.r);
    ck_assert_int_eq(rig.r.failed, -ENOMEM);
    rx_event_unref(&came);
    end(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crossing");
    TCase *t = tcase_create("crossing");
    suite_add_tcase(suite, t);
    tcase_add_test(t, all_kinds_of_values_arrive);
    tcase_add_test(t, more_shapes_than_are_remembered);
    tcase_add_test(t, no_room_for_shapes_at_the_other_end);
    tcase_add_test(t, marks_and_meta_arrive_and_events_of_one_scope_share_them);
    tcase_add_test(t, what_is_cut_short_fails_and_leaves_nothing);
    tcase_add_test(t, a_heap_that_is_full_fails_the_read);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
