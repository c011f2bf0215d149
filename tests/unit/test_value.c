/* Values: numbers across kinds, equality, order, hash, times; and errors as values. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/value/event.h"

static struct rx_heap *heap;

static void set_up(void) { heap = rx_heap_create(NULL); }

static void tear_down(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

START_TEST(numbers_compare_exactly_across_kinds)
{
    static const struct {
        struct rx_value a, b;
        int order;
    } rows[] = {
        {{.kind = RX_INT, .u.i = 1}, {.kind = RX_DOUBLE, .u.d = 1.0}, 0},
        {{.kind = RX_INT, .u.i = 1}, {.kind = RX_DOUBLE, .u.d = 1.5}, -1},
        {{.kind = RX_INT, .u.i = -1}, {.kind = RX_DOUBLE, .u.d = -1.5}, 1},
        {{.kind = RX_INT, .u.i = 9007199254740993}, {.kind = RX_DOUBLE, .u.d = 9007199254740992.0}, 1},
        {{.kind = RX_INT, .u.i = INT64_MAX}, {.kind = RX_DOUBLE, .u.d = 9223372036854775808.0}, -1},
        {{.kind = RX_INT, .u.i = INT64_MIN}, {.kind = RX_DOUBLE, .u.d = -9223372036854775808.0}, 0},
        {{.kind = RX_UINT, .u.u = UINT64_MAX}, {.kind = RX_DOUBLE, .u.d = 18446744073709551616.0}, -1},
        {{.kind = RX_UINT, .u.u = UINT64_MAX}, {.kind = RX_INT, .u.i = -1}, 1},
        {{.kind = RX_UINT, .u.u = 0}, {.kind = RX_DOUBLE, .u.d = -0.5}, 1},
        {{.kind = RX_DOUBLE, .u.d = -0.0}, {.kind = RX_INT, .u.i = 0}, 0},
        {{.kind = RX_INT, .u.i = 0}, {.kind = RX_DOUBLE, .u.d = NAN}, 2},
        {{.kind = RX_DOUBLE, .u.d = NAN}, {.kind = RX_DOUBLE, .u.d = NAN}, 2},
        {{.kind = RX_DOUBLE, .u.d = INFINITY}, {.kind = RX_UINT, .u.u = UINT64_MAX}, 1},
        {{.kind = RX_BOOL, .u.u = 0}, {.kind = RX_BOOL, .u.u = 1}, -1},
        {{.kind = RX_BOOL, .u.u = 0}, {.kind = RX_INT, .u.u = 0}, 2},
        {{.kind = RX_TIMESTAMP, .u.i = -1, .aux = 5}, {.kind = RX_TIMESTAMP, .u.i = -1, .aux = 6}, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int order = rows[i].order;
        ck_assert_int_eq(rx_value_compare(rows[i].a, rows[i].b), order);
        ck_assert_int_eq(rx_value_compare(rows[i].b, rows[i].a), order == 2 ? 2 : -order);
        ck_assert_int_eq(rx_value_equal(rows[i].a, rows[i].b), order == 0);
        if (order == 0)
            ck_assert_uint_eq(rx_value_hash(rows[i].a), rx_value_hash(rows[i].b));
    }
}
END_TEST

static struct rx_value text(const char *s) { return rx_string_static(s, (uint32_t)strlen(s)); }

START_TEST(strings_order_by_code_point)
{
    ck_assert_int_eq(rx_value_compare(text("a"), text("ab")), -1);
    ck_assert_int_eq(rx_value_compare(text("b"), text("ab")), 1);
    ck_assert_int_eq(rx_value_compare(text("z"), text("\xC3\xA9")), -1);
    ck_assert_int_eq(rx_value_compare(text(""), text("")), 0);
    ck_assert(rx_value_equal(text("x"), text("x")));
    ck_assert(!rx_value_equal(text("x"), rx_null()));
}
END_TEST

START_TEST(times_keep_every_nanosecond)
{
    static const rx_time times[] = {0, 1, -1, 999999999, -1000000001, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        rx_time back = 7;
        ck_assert_int_eq(rx_value_time(rx_timestamp(times[i]), &back), 0);
        ck_assert_int_eq(back, times[i]);
        ck_assert_int_eq(rx_value_time(rx_duration(times[i]), &back), 0);
        ck_assert_int_eq(back, times[i]);
        ck_assert_uint_lt(rx_duration(times[i]).aux, 1000000000);
    }
    rx_time untouched = 7;
    struct rx_value far = {.kind = RX_TIMESTAMP, .u.i = INT64_MAX / 2};
    ck_assert_int_eq(rx_value_time(far, &untouched), -ERANGE);
    ck_assert_int_eq(rx_value_time(rx_int(1), &untouched), -EINVAL);
    ck_assert_int_eq(untouched, 7);
}
END_TEST

START_TEST(lists_are_equal_by_content)
{
    struct rx_value a = rx_list_take(heap, (struct rx_value[]){rx_int(1), rx_null()}, 2);
    struct rx_value b = rx_list_take(heap, (struct rx_value[]){rx_double(1), rx_null()}, 2);
    struct rx_value c = rx_list_take(heap, (struct rx_value[]){rx_int(1)}, 1);
    ck_assert(rx_value_equal(a, b));
    ck_assert_uint_eq(rx_value_hash(a), rx_value_hash(b));
    ck_assert(!rx_value_equal(a, c));
    struct rx_value nan = rx_list_take(heap, (struct rx_value[]){rx_double(NAN)}, 1);
    ck_assert(!rx_value_equal(nan, nan));
    rx_value_unref(a);
    rx_value_unref(b);
    rx_value_unref(c);
    rx_value_unref(nan);
}
END_TEST

START_TEST(depth_is_bounded)
{
    struct rx_value a = rx_int(1), b = rx_int(1);
    for (size_t i = 0; i < 100000; i++) {
        a = rx_list_take(heap, &a, 1);
        b = rx_list_take(heap, &b, 1);
    }
    ck_assert(!rx_value_equal(a, b));
    rx_value_hash(a);
    rx_value_unref(rx_value_compact(heap, a));
    rx_value_unref(a);
    rx_value_unref(b);
}
END_TEST

START_TEST(compaction_lets_the_large_block_go)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    rx_object_put_take(&builder, text("name"), rx_string(heap, "abc", 3));
    struct rx_value inner = rx_list_take(heap, (struct rx_value[]){rx_string(heap, "x", 1), rx_int(4)}, 2);
    rx_object_put_take(&builder, text("list"), rx_optional_take(heap, inner));
    struct rx_value original = rx_object_finish(&builder);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 5);
    struct rx_value compact = rx_value_compact(heap, original);
    ck_assert(rx_value_equal(compact, original));
    rx_value_unref(original);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 1);
    struct rx_value name = rx_value_ref(*rx_object_get_text(compact, "name"));
    rx_value_unref(compact);
    ck_assert_mem_eq(name.u.text, "abc", 3);
    rx_value_unref(name);
}
END_TEST

START_TEST(marks_append_keys_and_carry_windows)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    rx_object_put_take(&builder, text("city"), rx_string(heap, "Ulm", 3));
    struct rx_value city = rx_object_finish(&builder);
    rx_object_init(&builder, heap);
    rx_object_put_take(&builder, text("device"), rx_int(7));
    struct rx_value device = rx_object_finish(&builder);
    const struct rx_mark *outer = rx_mark_with_key(heap, NULL, city);
    ck_assert(!rx_mark_has_window(outer));
    const struct rx_mark *window = rx_mark_with_window(heap, outer, 5, 10, RX_WINDOW_PARTIAL);
    const struct rx_mark *inner = rx_mark_with_key(heap, window, device);
    rx_value_unref(city);
    rx_value_unref(device);
    rx_mark_unref(outer);
    rx_mark_unref(window);
    ck_assert(rx_mark_has_window(inner));
    ck_assert_int_eq(inner->start, 5);
    ck_assert_uint_eq(inner->flags, RX_WINDOW_PARTIAL);
    ck_assert_uint_eq(rx_object_count(inner->key), 2);
    ck_assert_int_eq(rx_object_get_text(inner->key, "device")->u.i, 7);
    ck_assert(rx_value_equal(*rx_object_get_text(inner->key, "city"), text("Ulm")));
    rx_mark_unref(inner);
}
END_TEST

START_TEST(an_error_is_cut_at_a_code_point)
{
    struct rx_error error;
    char longer[1000];
    for (size_t i = 0; i + 3 < sizeof longer; i += 3)
        memcpy(longer + i, "\xE2\x82\xAC", 4);
    for (size_t shift = 0; shift < 3; shift++) {
        ck_assert_int_eq(rx_error_set(&error, -EINVAL, "%.*s%s", (int)shift, "ab", longer), -EINVAL);
        size_t length = strlen(error.message);
        ck_assert_uint_eq((length - shift) % 3, 0);
        ck_assert_uint_gt(length, sizeof error.message - 4);
    }
    ck_assert_int_eq(rx_error_set(NULL, -ENOMEM, "nowhere"), -ENOMEM);
    rx_error_hint(&error, "write %s", "this");
    ck_assert_str_eq(error.hint, "write this");
}
END_TEST

START_TEST(the_nearest_word_is_within_a_third)
{
    static const char *const words[] = {"filter", "map", "window", "group_by", NULL};
    ck_assert_str_eq(rx_nearest("fliter", words), "filter");
    ck_assert_str_eq(rx_nearest("windw", words), "window");
    ck_assert_str_eq(rx_nearest("groupby", words), "group_by");
    ck_assert_str_eq(rx_nearest("mpa", words), "map");
    ck_assert_ptr_null(rx_nearest("xyz", words));
    ck_assert_ptr_null(rx_nearest("", words));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value");
    TCase *tests = tcase_create("value");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, numbers_compare_exactly_across_kinds);
    tcase_add_test(tests, strings_order_by_code_point);
    tcase_add_test(tests, times_keep_every_nanosecond);
    tcase_add_test(tests, lists_are_equal_by_content);
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, compaction_lets_the_large_block_go);
    tcase_add_test(tests, marks_append_keys_and_carry_windows);
    tcase_add_test(tests, an_error_is_cut_at_a_code_point);
    tcase_add_test(tests, the_nearest_word_is_within_a_third);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
