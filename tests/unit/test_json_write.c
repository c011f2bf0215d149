/* The JSON writer: every kind, shortest doubles, any depth. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"
#include "core/base/utf8.h"
#include "core/json/json.h"

static struct rx_heap *heap;
static struct rx_buffer out;

static void set_up(void) { heap = rx_heap_create(NULL); }

static void tear_down(void)
{
    rx_buffer_finish(&out);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static void expect(struct rx_value v, const char *text)
{
    rx_buffer_clear(&out);
    rx_json_write(&out, v);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, text);
    rx_value_unref(v);
}

static struct rx_value text(const char *s) { return rx_string_static(s, (uint32_t)strlen(s)); }

START_TEST(what_is_cut_ends_soon_and_whole)
{
    struct rx_value item = text("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"), list = rx_list_take(heap, &item, 1);
    for (int i = 0; i < 60; i++) { /* 2^60 times the text */
        struct rx_value items[2] = {rx_value_ref(list), list};
        list = rx_list_take(heap, items, 2);
    }
    for (size_t limit = 0; limit < 100; limit++) {
        rx_buffer_clear(&out);
        rx_json_write_cut(&out, list, limit);
        ck_assert_uint_le(out.length, limit + 4);
        ck_assert(rx_utf8_valid(out.data, out.length));
    }
    rx_buffer_clear(&out);
    rx_json_write_cut(&out, item, 5);
    ck_assert_mem_eq(out.data, "\"\xC3\xA9\xC3\xA9\"", 6);
    rx_value_unref(list);
}
END_TEST

START_TEST(doubles_are_written_as_ecmascript_does)
{
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"}, /* ECMAScript drops the sign */
        {3, "3"},
        {-3, "-3"},
        {21.37, "21.37"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {1e15, "1000000000000000"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {0.000001, "0.000001"},
        {1e-7, "1e-7"},
        {-1.25e-9, "-1.25e-9"},
        {5e-324, "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {9007199254740993.0, "9007199254740992"},
        {1234567890123456789.0, "1234567890123456768"},
        {999999999999999.9, "999999999999999.9"},
        {0x1p-44, "5.684341886080802e-14"},
        {100.5, "100.5"},
        {4.35, "4.35"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rx_double(rows[i].d), rows[i].text);
}
END_TEST

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed ^ seed >> 29;
}

static double from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* Any double, a decimal, a double with a fraction, a power of two and its neighbours. */
static double some_double(int i)
{
    uint64_t random = next_random();
    switch (i % 4) {
    case 0:
        return from_bits(random);
    case 1:
        return (double)(int64_t)(random >> 20) / rx_powers_of_ten[random % 12];
    case 2:
        return from_bits(random >> 12 | (1023 - 72 + next_random() % 127) << 52);
    default:
        return from_bits(((random % 2046) << 52) + (random >> 40) % 3 - (random % 2046 != 0));
    }
}

/* The significant digits of a text, without zeros at either end. */
static void significant(const char *text, char *digits)
{
    size_t count = 0, kept = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9' || (count == 0 && *p == '0'))
            continue;
        digits[count++] = *p;
        kept = *p == '0' ? kept : count;
    }
    digits[kept] = '\0';
}

START_TEST(doubles_have_the_fewest_and_nearest_digits)
{
    for (int i = 0; i < 300000; i++) {
        double d = some_double(i);
        if (!isfinite(d))
            continue;
        char ours[64], other[64], our_digits[64], other_digits[64];
        ours[rx_format_double(ours, d)] = '\0';
        ck_assert_double_eq(strtod(ours, NULL), d);
        int precision = 0;
        do
            snprintf(other, sizeof other, "%.*e", precision, d);
        while (strtod(other, NULL) != d && ++precision < 17);
        significant(ours, our_digits);
        significant(other, other_digits);
        int exponent;
        if (fabs(d) >= 1e15 && fabs(d) < 0x1p63)
            continue;                         /* whole ones there have all their digits */
        if (fabs(frexp(d, &exponent)) == 0.5) /* a shorter one may lie in the wider gap above, where printf looks not */
            ck_assert_uint_le(strlen(our_digits), strlen(other_digits));
        else
            ck_assert_msg(strcmp(our_digits, other_digits) == 0, "%s is not %s", ours, other);
    }
}
END_TEST

/* Numbers as they are measured; the other path finds the same digits where it takes them (a place more than 4). */
START_TEST(doubles_of_few_places_are_written_as_they_were_read)
{
    for (int places = 1; places <= 6; places++)
        for (unsigned i = 1; i < 40000; i++) {
            double whole = i % 7 ? (double)(i * 7919u % 100000) : i % 2 ? 99999999.0 : 0;
            char expected[64], ours[64];
            snprintf(expected, sizeof expected, "%.*f", places, whole + (double)i / rx_powers_of_ten[places]);
            double d = strtod(expected, NULL);
            for (size_t n = strlen(expected); expected[n - 1] == '0' || expected[n - 1] == '.'; n--) {
                bool point = expected[n - 1] == '.';
                expected[n - 1] = '\0';
                if (point)
                    break;
            }
            ours[rx_format_double(ours, d)] = '\0';
            if (d >= 1e-5)
                ck_assert_str_eq(ours, expected);
        }
}
END_TEST

START_TEST(integers_of_every_length_are_whole)
{
    for (uint64_t power = 1, n = 0; n < 20; n++, power *= 10)
        for (uint64_t u = power - 1; u != power + 2; u++) {
            char expected[32], ours[RX_NUMBER_TEXT_MAX + 1];
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)u);
            ours[rx_format_uint(ours, u)] = '\0';
            ck_assert_str_eq(ours, expected);
        }
}
END_TEST

START_TEST(integers_keep_every_digit)
{
    expect(rx_int(0), "0");
    expect(rx_int(INT64_MIN), "-9223372036854775808");
    expect(rx_json_int(INT64_MAX), "9223372036854775807");
    expect(rx_uint(UINT64_MAX), "18446744073709551615");
    expect(rx_int(-10), "-10");
    expect(rx_int(1234567), "1234567");
}
END_TEST

START_TEST(strings_are_escaped)
{
    struct rx_value control = rx_string(heap, "\0\x01\x1F\x7F", 4);
    expect(control, "\"\\u0000\\u0001\\u001f\x7F\"");
    expect(text("a\"b\\c\b\f\n\r\t/"), "\"a\\\"b\\\\c\\b\\f\\n\\r\\t/\"");
    expect(text("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
    expect(text(""), "\"\"");
}
END_TEST

START_TEST(an_escape_is_seen_wherever_it_stands)
{
    for (size_t length = 0; length <= 40; length++)
        for (size_t at = 0; at <= length; at++)
            for (unsigned kind = 0; kind < 4; kind++) {
                char plain[48], expected[64] = "\"";
                memset(plain, kind == 3 ? '\xBF' : 'a', length);
                if (at < length)
                    plain[at] = "\"\\\n\x7F"[kind];
                memcpy(expected + 1, plain, length);
                size_t n = length + 1;
                if (at < length && kind < 3) {
                    memcpy(expected + 1 + at, &"\\\"\\\\\\n"[2 * kind], 2);
                    memcpy(expected + 3 + at, plain + at + 1, length - at - 1);
                    n++;
                }
                expected[n++] = '"';
                rx_buffer_clear(&out);
                rx_json_write_string(&out, plain, length);
                ck_assert_uint_eq(out.length, n);
                ck_assert_mem_eq(out.data, expected, n);
            }
}
END_TEST

START_TEST(bytes_are_base64)
{
    expect(rx_bytes(heap, "", 0), "\"\"");
    expect(rx_bytes(heap, "f", 1), "\"Zg==\"");
    expect(rx_bytes(heap, "fo", 2), "\"Zm8=\"");
    expect(rx_bytes(heap, "foo", 3), "\"Zm9v\"");
    expect(rx_bytes(heap, "\xFF\xFE\xFD\x00", 4), "\"//79AA==\"");
}
END_TEST

static struct rx_value timestamp(int64_t seconds, uint32_t nanoseconds)
{
    return (struct rx_value){.kind = RX_TIMESTAMP, .u.i = seconds, .aux = nanoseconds};
}

START_TEST(timestamps_are_rfc_3339)
{
    expect(timestamp(0, 0), "\"1970-01-01T00:00:00Z\"");
    expect(timestamp(1700000000, 123000000), "\"2023-11-14T22:13:20.123Z\"");
    expect(timestamp(951782400, 1000), "\"2000-02-29T00:00:00.000001Z\"");
    expect(timestamp(-1, 999999999), "\"1969-12-31T23:59:59.999999999Z\"");
    expect(timestamp(-62135596800, 0), "\"0001-01-01T00:00:00Z\"");
    expect(timestamp(253402300799, 0), "\"9999-12-31T23:59:59Z\"");
    expect(timestamp(253402300800, 0), "null");
    expect(timestamp(-62135596801, 0), "null");
    expect(timestamp(-2203891200, 0), "\"1900-03-01T00:00:00Z\"");
}
END_TEST

START_TEST(durations_are_seconds)
{
    expect(rx_duration(0), "\"0s\"");
    expect(rx_duration(1500 * RX_MSEC), "\"1.5s\"");
    expect(rx_duration(-1500 * RX_MSEC), "\"-1.5s\"");
    expect(rx_duration(-2 * RX_SEC), "\"-2s\"");
    expect(rx_duration(1), "\"0.000000001s\"");
    expect(rx_duration(-1), "\"-0.000000001s\"");
}
END_TEST

START_TEST(containers_nest)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    rx_object_put_take(&builder, text("a"), rx_list_take(heap, (struct rx_value[]){rx_int(1), rx_null()}, 2));
    rx_object_put_take(&builder, text("b"), rx_optional_take(heap, rx_bool(true)));
    rx_object_put_take(&builder, text("c"), rx_optional_none());
    rx_object_put_take(&builder, text("t"), (struct rx_value){.kind = RX_TYPE, .u.i = RX_STRING});
    expect(rx_object_finish(&builder), "{\"a\":[1,null],\"b\":true,\"c\":null,\"t\":\"string\"}");
    rx_object_init(&builder, heap);
    rx_object_put_take(&builder, rx_int(1), rx_list_take(heap, NULL, 0));
    rx_object_put_take(&builder, rx_bool(false), rx_double(0.5));
    expect(rx_object_finish(&builder), "{\"1\":[],\"false\":0.5}");
    rx_object_init(&builder, heap);
    expect(rx_object_finish(&builder), "{}");
}
END_TEST

START_TEST(any_depth_is_written)
{
    struct rx_value v = rx_int(7);
    for (int i = 0; i < 100000; i++)
        v = rx_list_take(heap, &v, 1);
    rx_json_write(&out, v);
    ck_assert_uint_eq(out.length, 200001);
    ck_assert_int_eq(out.data[100000], '7');
    rx_value_unref(v);
}
END_TEST

START_TEST(a_buffer_formats_and_grows)
{
    for (int i = 0; i < 1000; i++)
        rx_buffer_printf(&out, "%d,", i);
    ck_assert_uint_eq(out.length, 10 * 2 + 90 * 3 + 900 * 4);
    ck_assert_mem_eq(out.data + out.length - 8, "998,999,", 8);
    ck_assert_int_lt(rx_buffer_reserve(&out, SIZE_MAX / 2), 0);
    ck_assert(out.failed);
    rx_buffer_text(&out, "ignored");
    ck_assert_mem_eq(out.data + out.length - 8, "998,999,", 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_write");
    TCase *tests = tcase_create("json_write");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_cut_ends_soon_and_whole);
    tcase_add_test(tests, doubles_are_written_as_ecmascript_does);
    tcase_add_test(tests, doubles_have_the_fewest_and_nearest_digits);
    tcase_add_test(tests, doubles_of_few_places_are_written_as_they_were_read);
    tcase_add_test(tests, integers_of_every_length_are_whole);
    tcase_add_test(tests, integers_keep_every_digit);
    tcase_add_test(tests, strings_are_escaped);
    tcase_add_test(tests, an_escape_is_seen_wherever_it_stands);
    tcase_add_test(tests, bytes_are_base64);
    tcase_add_test(tests, timestamps_are_rfc_3339);
    tcase_add_test(tests, durations_are_seconds);
    tcase_add_test(tests, containers_nest);
    tcase_add_test(tests, any_depth_is_written);
    tcase_add_test(tests, a_buffer_formats_and_grows);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
