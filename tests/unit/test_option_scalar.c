/* Durations, sizes and truth values as users spell them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"

static const struct spelled {
    const char *text;
    int64_t value; /* -1: refused */
} durations[] = {
    {"500ms", 500 * RX_MSEC},
    {"5s", 5 * RX_SEC},
    {"1m30s", 90 * RX_SEC},
    {"1h", 3600 * RX_SEC},
    {"2d", 172800 * RX_SEC},
    {"1.5s", 1500 * RX_MSEC},
    {"10us", 10000},
    {"7ns", 7},
    {"0", 0},
    {"1h 30m", 5400 * RX_SEC},
    {"5 s", 5 * RX_SEC},
    {"1w", 604800 * RX_SEC},
    {"5", -1},
    {"", -1},
    {"s", -1},
    {"-5s", -1},
    {"5S", -1},
    {"1h30", -1},
    {"9999999d", -1},
    {"99999999999999999999s", -1},
    {"300y", -1},
    {"1..5s", -1},
    {"106751d", INT64_C(106751) * 86400 * RX_SEC},
};

START_TEST(durations_are_read_exactly)
{
    rx_time time = -1;
    struct rx_error error = {0};
    int r = rx_parse_duration(durations[_i].text, &time, &error);
    ck_assert_int_eq(time, durations[_i].value);
    ck_assert_int_eq(r == 0, durations[_i].value >= 0);
    ck_assert_int_eq(error.code, r);
}
END_TEST

static const struct spelled sizes[] = {
    {"4096", 4096},     {"64KiB", 65536},
    {"10MB", 10000000}, {"1.5KiB", 1536},
    {"1 GiB", 1 << 30}, {"10mb", 10000000},
    {"5B", 5},          {"", -1},
    {"KB", -1},         {"10K", -1},
    {"-1", -1},         {"1.5", -1},
    {"10 MB x", -1},    {"99999999999TiB", -1},
};

START_TEST(sizes_are_read_exactly)
{
    uint64_t size = UINT64_MAX;
    int r = rx_parse_size(sizes[_i].text, &size, NULL);
    ck_assert_int_eq((int64_t)size, sizes[_i].value);
    ck_assert_int_eq(r == 0, sizes[_i].value >= 0);
}
END_TEST

START_TEST(durations_are_written_as_they_are_read)
{
    static const char *const texts[] = {"1m30s", "0s", "500ms", "2d", "1h1ms", "1s500ms", "7ns"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char out[64];
        rx_time time;
        ck_assert_int_eq(rx_parse_duration(texts[i], &time, NULL), 0);
        rx_format_duration(time, out, sizeof out);
        ck_assert_str_eq(out, texts[i]);
    }
}
END_TEST

START_TEST(truth_is_spelled_in_yaml_s_ways)
{
    bool flag = false;
    ck_assert_int_eq(rx_parse_bool("Yes", &flag, NULL), 0);
    ck_assert(flag);
    ck_assert_int_eq(rx_parse_bool("off", &flag, NULL), 0);
    ck_assert(!flag);
    ck_assert_int_lt(rx_parse_bool("y", &flag, NULL), 0);
    ck_assert_int_lt(rx_parse_bool("", &flag, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("option_scalar");
    TCase *tests = tcase_create("option_scalar");
    tcase_add_loop_test(tests, durations_are_read_exactly, 0, (int)(sizeof durations / sizeof *durations));
    tcase_add_loop_test(tests, sizes_are_read_exactly, 0, (int)(sizeof sizes / sizeof *sizes));
    tcase_add_test(tests, durations_are_written_as_they_are_read);
    tcase_add_test(tests, truth_is_spelled_in_yaml_s_ways);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
