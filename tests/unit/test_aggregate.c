/* The aggregate functions: each against a plain computation of what it says, and each call of a step on its own. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/aggregate/carry.h"
#include "tests/unit/page.h"

static struct rx_heap *heap;

static void setup(void) { heap = rx_heap_create(NULL); }

static void teardown(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

/* What a function makes of some values; those that it refuses are counted. */
static struct rx_value run(const char *name, const struct rx_value *values, size_t count, unsigned *ret_refused)
{
    const struct rx_aggregate_function *f = rx_aggregate_find(name);
    struct rx_accumulator a = {0};
    ck_assert_msg(f, "%s", name);
    *ret_refused = 0;
    for (size_t i = 0; i < count; i++) {
        struct rx_error error = {0};
        struct rx_gathered in = {.value = values[i], .time = (rx_time)i};
        int r = rx_aggregate_add(f, &a, &in, &error);
        ck_assert((r < 0) == (error.message[0] != '\0'));
        *ret_refused += r < 0;
    }
    struct rx_value result = rx_aggregate_result(f, &a, 0.5, heap);
    rx_aggregate_clear(f, &a);
    return result;
}

static void expect(const char *name, const struct rx_value *values, size_t count, const char *want, unsigned refused)
{
    struct rx_buffer out = {0};
    unsigned got;
    struct rx_value result = run(name, values, count, &got);
    rx_json_write(&out, result);
    rx_buffer_append(&out, "", 1);
    ck_assert_msg(strcmp(out.data, want) == 0, "%s: got %s, want %s", name, out.data, want);
    ck_assert_msg(got == refused, "%s: %u refused, want %u", name, got, refused);
    rx_buffer_finish(&out);
    rx_value_unref(result);
}
#define EXPECT(name, want, refused, ...)                                                                               \
    do {                                                                                                               \
        struct rx_value values_[] = {__VA_ARGS__};                                                                     \
        expect(name, values_, sizeof values_ / sizeof *values_, want, refused);                                        \
    } while (0)

#define D(x) rx_double(x)
#define N(x) rx_json_int(x)
#define S(x) rx_string_static(x, (uint32_t)strlen(x))

START_TEST(sums_are_compensated)
{
    EXPECT("sum", "2", 0, D(1), D(1e100), D(1), D(-1e100));
    EXPECT("avg", "0.5", 0, D(1), D(1e100), D(1), D(-1e100));
    struct rx_value tenths[1000];
    for (size_t i = 0; i < 1000; i++)
        tenths[i] = D(0.1);
    expect("sum", tenths, 1000, "100", 0);
}
END_TEST

START_TEST(sums_of_whole_numbers_are_exact)
{
    EXPECT("sum", "9007199254740995", 0, N(9007199254740993), N(1), N(1));
    EXPECT("sum", "9223372036854775807", 0, N(INT64_MAX));
    EXPECT("sum", "9223372036854776000", 0, N(INT64_MAX), N(1));
    EXPECT("sum", "0", 0, N(0));
    EXPECT("sum", "1.5", 0, N(1), D(0.5));
    EXPECT("sum", "1", 1, N(1), S("x"));
}
END_TEST

START_TEST(least_and_greatest_skip_nan_wherever_it_stands)
{
    EXPECT("min", "1", 0, D(NAN), D(2), D(1));
    EXPECT("min", "1", 0, D(2), D(NAN), D(1));
    EXPECT("max", "2", 0, D(2), D(1), D(NAN));
    EXPECT("max", "2", 0, D(NAN), D(2));
    EXPECT("max", "null", 0, D(NAN), D(NAN));
}
END_TEST

START_TEST(least_and_greatest_refuse_what_has_no_order)
{
    EXPECT("min", "1", 1, N(1), S("a"));
    EXPECT("min", "\"a\"", 2, S("a"), N(1), D(0.5));
    EXPECT("max", "\"b\"", 1, S("a"), S("b"), D(7));
    EXPECT("max", "3.5", 0, N(3), D(3.5), rx_uint(2));
    EXPECT("max", "null", 1, rx_optional_none());
}
END_TEST

START_TEST(of_nothing)
{
    expect("count", NULL, 0, "0", 0);
    expect("sum", NULL, 0, "0", 0);
    expect("avg", NULL, 0, "null", 0);
    expect("min", NULL, 0, "null", 0);
    expect("last", NULL, 0, "null", 0);
}
END_TEST

START_TEST(what_the_expressions_name_is_what_there_is)
{
    for (size_t i = 0; rx_expr_aggregate_name(i); i++)
        ck_assert_msg(rx_aggregate_find(rx_expr_aggregate_name(i)), "%s", rx_expr_aggregate_name(i));
    ck_assert_ptr_null(rx_aggregate_find("mean"));
}
END_TEST

/* How each is written, tried as it is written, and what it gives: docs/expressions.md has it from here. */
START_TEST(the_page_of_aggregates)
{
    struct rx_buffer table = {0};
    rx_buffer_text(&table, "<!-- aggregates: begin -->\n| aggregate | gives |\n|---|---|\n");
    for (size_t i = 0; rx_expr_aggregate_name(i); i++) {
        const char *signature, *gives;
        rx_expr_aggregate_describe(i, &signature, &gives);
        rx_buffer_printf(&table, "| `%s` | %s |\n", signature, gives);
    }
    rx_buffer_text(&table, "<!-- aggregates: end -->\n");
    rx_buffer_append(&table, "", 1);
    page_holds("docs/expressions.md", "<!-- aggregates: begin -->\n", "<!-- aggregates: end -->\n", table.data);
    rx_buffer_finish(&table);
}
END_TEST

static void refused(const char *text, const char *why)
{
    struct rx_expr_options options = {.heap = heap, .flags = RX_EXPR_AGGREGATES};
    struct rx_error error = {0};
    struct rx_expr *expr = NULL;
    ck_assert_int_eq(rx_expr_compile(text, strlen(text), &options, &expr, &error), -EINVAL);
    ck_assert_msg(strstr(error.message, why), "%s: %s", text, error.message);
}

START_TEST(numbers_that_are_the_same_for_all_events)
{
    refused("quantile(x, 1.5)", "quantile takes a number from 0 to 1 here");
    refused("quantile(x, y)", "the same for all events");
    refused("ewma(x, -0.1)", "ewma takes a number from 0 to 1");
    refused("collect(x, 0)", "collect takes a whole number from 1 to 100000");
    refused("collect(x, 2.5)", "whole number");
    refused("top(1001, x, y)", "top takes a whole number from 1 to 1000");
    refused("top(k, x, y)", "the same for all events");
    refused("quantile(x)", "quantile does not take 1 argument");
}
END_TEST

/* ---- the calls of a step ---- */

static struct rx_expr *compile(const char *text)
{
    struct rx_expr_options options = {.heap = heap, .flags = RX_EXPR_AGGREGATES};
    struct rx_error error = {0};
    struct rx_expr *expr = NULL;
    ck_assert_msg(rx_expr_compile(text, strlen(text), &options, &expr, &error) == 0, "%s: %s", text, error.message);
    return expr;
}

START_TEST(each_call_skips_what_fails_for_it)
{
    static const char *const texts[] = {"sum(v)", "avg(v * 2)", "min(w)", "count()", "count(v > 2)", "last(v)"};
    static const char *const want[] = {"4", "4", "1", "4", "1", "3"};
    static const char *const events[] = {"{\"v\":1,\"w\":1}", "{\"v\":\"x\",\"w\":2}", "{\"v\":3,\"w\":\"z\"}",
                                         "{\"v\":null}"};
    static const char *const failures[] = {NULL, "expected a number", "string has no order with the int", NULL};
    enum { CALLS = sizeof texts / sizeof *texts };
    struct rx_expr *exprs[CALLS];
    struct rx_aggregation a = {0};
    struct rx_accumulator accumulators[CALLS] = {0};
    for (size_t i = 0; i < CALLS; i++)
        ck_assert_int_eq(rx_aggregation_add_call(&a, rx_expr_aggregate(exprs[i] = compile(texts[i]), 0), NULL), 0);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        struct rx_event event = {0};
        struct rx_error error = {0};
        ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, events[i], strlen(events[i]), &event.value, NULL), 0);
        int r = rx_aggregation_add(&a, accumulators, &event, &error);
        ck_assert_msg((r < 0) == (failures[i] != NULL), "%s: %s", events[i], error.message);
        ck_assert_msg(!failures[i] || strstr(error.message, failures[i]), "%s: %s", events[i], error.message);
        rx_event_unref(&event);
    }
    for (size_t i = 0; i < CALLS; i++) {
        struct rx_value result =
            rx_aggregate_result(a.slots[i].function, rx_accumulator_of(&a, accumulators, i), 0, heap);
        struct rx_buffer out = {0};
        rx_json_write(&out, result);
        rx_buffer_append(&out, "", 1);
        ck_assert_msg(strcmp(out.data, want[i]) == 0, "%s: %s, want %s", texts[i], out.data, want[i]);
        rx_buffer_finish(&out);
        rx_value_unref(result);
    }
    rx_aggregation_clear(&a, accumulators);
    for (size_t i = 0; i < CALLS; i++)
        rx_expr_destroy(exprs[i]);
}
END_TEST

/* ---- samples that go on into later windows ---- */

/* Of windows that begin anywhere each sample may be the one before a window that is still to close. */
START_TEST(so_many_samples_are_carried_at_the_most)
{
    const struct rx_aggregate_function *f = rx_aggregate_find("increase");
    struct rx_aggregation a = {.count = 1, .slots = {{.function = f}}};
    struct rx_carries carries = {0};
    struct rx_carry found;
    for (rx_time t = 1; t <= RX_CARRIES_MAX + 1; t++) {
        struct rx_accumulator one = {0};
        struct rx_gathered in = {.value = rx_int(t), .time = t};
        ck_assert_int_eq(rx_aggregate_add(f, &one, &in, NULL), 0);
        ck_assert_int_eq(rx_carries_note(&carries, &a, &one, t, 0), 0);
        rx_aggregate_clear(f, &one);
        ck_assert_int_eq(carries.logs[0].count, t <= RX_CARRIES_MAX ? t : t - RX_CARRIES_MAX / 10);
    }
    rx_carries_find(&carries, RX_CARRIES_MAX + 1, 0, &found, 1);
    ck_assert(found.known && found.time == RX_CARRIES_MAX);
    rx_carries_find(&carries, RX_CARRIES_MAX / 10 + 1, 0, &found, 1); /* the oldest are forgotten */
    ck_assert(!found.known);
    rx_carries_find(&carries, RX_CARRIES_MAX / 10 + 2, 0, &found, 1);
    ck_assert(found.known && found.time == RX_CARRIES_MAX / 10 + 1);
    rx_carries_finish(&carries);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aggregate");
    TCase *tests = tcase_create("aggregate");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, sums_are_compensated);
    tcase_add_test(tests, sums_of_whole_numbers_are_exact);
    tcase_add_test(tests, least_and_greatest_skip_nan_wherever_it_stands);
    tcase_add_test(tests, least_and_greatest_refuse_what_has_no_order);
    tcase_add_test(tests, of_nothing);
    tcase_add_test(tests, what_the_expressions_name_is_what_there_is);
    tcase_add_test(tests, the_page_of_aggregates);
    tcase_add_test(tests, numbers_that_are_the_same_for_all_events);
    tcase_add_test(tests, each_call_skips_what_fails_for_it);
    tcase_add_test(tests, so_many_samples_are_carried_at_the_most);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
