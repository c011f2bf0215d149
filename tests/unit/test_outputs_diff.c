// layer: run
/* Where two outputs differ: what is the same, the marble lines and their mark, what is said of values; and patterns. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/run/outputs_diff.h"

static struct rx_heap *heap;

static void setup(void) { heap = rx_heap_create(NULL); }
static void teardown(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static struct rx_value json(const char *text)
{
    struct rx_value v;
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, text, strlen(text), &v, NULL), 0);
    return v;
}

static struct rx_outputs take(const char *const *lines)
{
    struct rx_outputs o = {.heap = heap};
    for (; *lines; lines++)
        rx_outputs_take_line(&o, *lines, strlen(*lines));
    ck_assert_int_eq(o.failed, 0);
    return o;
}

static struct rx_diff_options options(void)
{
    return (struct rx_diff_options){.heap = heap, .words = {"expected", "came"}, .tick = 10 * RX_MSEC, .indent = "  "};
}

static void differ(const char *const *a, const char *const *b, const struct rx_diff_options *o, const char *says)
{
    struct rx_outputs left = take(a), right = take(b);
    struct rx_buffer out = {0};
    const struct rx_output_stream none = {0};
    const struct rx_output_stream *l = rx_outputs_stream(&left, "s", false), *r = rx_outputs_stream(&right, "s", false);
    size_t n = rx_outputs_diff(l ? l : &none, r ? r : &none, o, &out);
    ck_assert_int_eq(n == 0, rx_outputs_same(l ? l : &none, r ? r : &none, o));
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, says);
    rx_buffer_finish(&out);
    rx_outputs_finish(&left);
    rx_outputs_finish(&right);
}

#define LINES(...)                                                                                                     \
    (const char *const[]) { __VA_ARGS__, NULL }

START_TEST(test_same_outputs_say_nothing)
{
    struct rx_diff_options o = options();
    differ(LINES("{\"at\":10,\"stream\":\"s\",\"next\":{\"a\":1,\"b\":2}}",
                 "{\"at\":20,\"stream\":\"s\",\"complete\":true}"),
           LINES("{\"at\":10,\"stream\":\"s\",\"next\":{\"b\":2,\"a\":1.0}}",
                 "{\"at\":20,\"stream\":\"s\",\"complete\":true}"),
           &o, "");
}
END_TEST

START_TEST(test_the_place_is_marked_and_the_parts_named)
{
    struct rx_diff_options o = options();
    differ(LINES("{\"at\":10,\"stream\":\"s\",\"next\":1}",
                 "{\"at\":60000,\"stream\":\"s\",\"next\":{\"n\":2,\"k\":\"x\"}}",
                 "{\"at\":60010,\"stream\":\"s\",\"complete\":true}"),
           LINES("{\"at\":10,\"stream\":\"s\",\"next\":1}",
                 "{\"at\":60000,\"stream\":\"s\",\"next\":{\"n\":3,\"k\":\"x\"}}",
                 "{\"at\":60010,\"stream\":\"s\",\"complete\":true}"),
           &o,
           "  expected  -1 59s980ms a|\n"
           "  came      -1 59s980ms b|\n"
           "                        ^\n"
           "  where a = {\"n\":2,\"k\":\"x\"}\n"
           "        b = {\"n\":3,\"k\":\"x\"}\n"
           "  at 1m: {\"n\":3,\"k\":\"x\"}\n"
           "      n: expected 2, came 3\n");
}
END_TEST

START_TEST(test_one_too_many_shifts_nothing)
{
    struct rx_diff_options o = options();
    differ(LINES("{\"at\":10,\"stream\":\"s\",\"next\":1}", "{\"at\":30,\"stream\":\"s\",\"next\":3}"),
           LINES("{\"at\":10,\"stream\":\"s\",\"next\":1}", "{\"at\":20,\"stream\":\"s\",\"next\":2}",
                 "{\"at\":30,\"stream\":\"s\",\"next\":3}"),
           &o,
           "  expected  -1-3\n"
           "  came      -123\n"
           "              ^\n"
           "  at 20ms: expected nothing, came 2\n");
}
END_TEST

START_TEST(test_without_times_only_the_order_counts)
{
    struct rx_diff_options o = options();
    o.untimed = true;
    differ(LINES("{\"at\":10,\"stream\":\"s\",\"next\":1}", "{\"at\":30,\"stream\":\"s\",\"next\":\"b\"}"),
           LINES("{\"at\":99,\"stream\":\"s\",\"next\":1}", "{\"at\":99,\"stream\":\"s\",\"error\":\"gone\"}"), &o,
           "  expected  1b\n"
           "  came      1#\n"
           "             ^\n"
           "  2: expected \"b\", came the error \"gone\"\n");
}
END_TEST

START_TEST(test_nothing_came)
{
    struct rx_diff_options o = options();
    differ(LINES("{\"at\":10,\"stream\":\"s\",\"next\":1}"), LINES("{\"at\":10,\"stream\":\"other\",\"next\":1}"), &o,
           "  expected  -1\n"
           "  came      --\n"
           "             ^\n"
           "  at 10ms: expected 1, came nothing\n");
}
END_TEST

START_TEST(test_long_outputs_are_shown_around_the_place_and_counted)
{
    struct rx_outputs a = {.heap = heap}, b = {.heap = heap};
    struct rx_diff_options o = options();
    struct rx_buffer out = {0};
    char line[100];
    o.most = 2;
    for (int i = 0; i < 3000; i++) {
        snprintf(line, sizeof line, "{\"at\":%d,\"stream\":\"s\",\"next\":%d}", i * 10, i % 7);
        rx_outputs_take_line(&a, line, strlen(line));
        snprintf(line, sizeof line, "{\"at\":%d,\"stream\":\"s\",\"next\":%d}", i * 10, i % 7 + (i % 1000 == 500));
        rx_outputs_take_line(&b, line, strlen(line));
    }
    ck_assert_uint_eq(rx_outputs_diff(rx_outputs_stream(&a, "s", false), rx_outputs_stream(&b, "s", false), &o, &out),
                      3);
    rx_buffer_append(&out, "", 1);
    ck_assert_ptr_nonnull(strstr(out.data, "  expected  ... "));
    ck_assert_ptr_nonnull(strstr(out.data, "at 5s: expected 3, came 4\n  at 15s: expected 2, came 3\n  and 1 more\n"));
    rx_buffer_finish(&out);
    rx_outputs_finish(&a);
    rx_outputs_finish(&b);
}
END_TEST

static void fits(const char *want, const char *got, unsigned flags, const char *why)
{
    struct rx_value w = json(want), g = json(got);
    struct rx_buffer out = {0};
    bool fit = rx_pattern_fits(heap, w, g, flags, &(struct rx_pattern_why){&out, "", {"expected", "came"}});
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, why);
    ck_assert_int_eq(fit, why[0] == '\0');
    rx_buffer_finish(&out);
    rx_value_unref(w);
    rx_value_unref(g);
}

START_TEST(test_patterns)
{
    fits("{\"a\":[1,2]}", "{\"a\":[1,2.0]}", 0, "");
    fits("{\"a\":1}", "{\"a\":1,\"b\":2}", 0, "b: expected nothing, came 2\n");
    fits("{\"a\":1}", "{\"a\":1,\"b\":2}", RX_PATTERN_SUBSET, "");
    fits("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"c\":2}}", RX_PATTERN_SUBSET, "");
    fits("{\"a\":1,\"odd key\":2}", "{\"a\":true}", 0,
         "a: expected 1, came true\n[\"odd key\"]: expected 2, came nothing\n");
    fits("[1,2]", "[1]", RX_PATTERN_SUBSET, "[1]: expected 2, came nothing\n");
    fits("{\"$any\":true}", "null", 0, "");
    fits("{\"t\":{\"$near\":21.5,\"within\":0.5}}", "{\"t\":22}", 0, "");
    fits("{\"t\":{\"$near\":21.5,\"within\":0.5}}", "{\"t\":22.1}", 0,
         "t: expected {\"$near\":21.5,\"within\":0.5}, came 22.1\n");
    fits("{\"$near\":0.3}", "0.30000000000000004", 0, "");
    fits("{\"$near\":0.3}", "\"0.3\"", 0, "expected {\"$near\":0.3}, came \"0.3\"\n");
    fits("{\"$matches\":\"^pump-[0-9]+$\"}", "\"pump-12\"", 0, "");
    fits("{\"$matches\":\"^pump-[0-9]+$\"}", "\"pump-x\"", 0,
         "expected {\"$matches\":\"^pump-[0-9]+$\"}, came \"pump-x\"\n");
    fits("{\"$where\":\"value > 3\"}", "4", 0, "");
    fits("{\"$where\":\"n > 3\"}", "{\"n\":4}", 0, "");
    fits("{\"$where\":\"n > 3\"}", "{\"n\":3}", 0, "expected {\"$where\":\"n > 3\"}, came {\"n\":3}\n");
    fits("{\"$subset\":{\"a\":1}}", "{\"a\":1,\"b\":2}", 0, "");
    fits("{\"a\":{\"$exact\":{\"b\":1}}}", "{\"a\":{\"b\":1},\"z\":1}", RX_PATTERN_SUBSET, "");
    fits("{\"a\":{\"$exact\":{\"b\":1}}}", "{\"a\":{\"b\":1,\"c\":1}}", RX_PATTERN_SUBSET,
         "a.c: expected nothing, came 1\n");
    fits("{\"$exact\":{\"$any\":true}}", "{\"$any\":true}", 0, "");
    fits("{\"$any\":true}", "1", RX_PATTERN_PLAIN, "expected {\"$any\":true}, came 1\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("outputs_diff");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_same_outputs_say_nothing);
    tcase_add_test(t, test_the_place_is_marked_and_the_parts_named);
    tcase_add_test(t, test_one_too_many_shifts_nothing);
    tcase_add_test(t, test_without_times_only_the_order_counts);
    tcase_add_test(t, test_nothing_came);
    tcase_add_test(t, test_long_outputs_are_shown_around_the_place_and_counted);
    tcase_add_test(t, test_patterns);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
