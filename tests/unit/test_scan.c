/* Scanning 16 bytes at a time: the same answer as the scalar twin, wherever the text begins and ends, and no byte beyond. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/scan.h"

static uint64_t seed = 7;

static unsigned pick(unsigned count)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % count;
}

enum { LONGEST = 70 };

/* Of exactly `length` bytes, mostly plain ones. */
static char *make_text(size_t length, unsigned rare)
{
    static const char special[] = "\"\\\n\r;,\x01\x1F\x20\x7F\x80\xC3\xFF/:09";
    char *text = malloc(length ? length : 1);
    for (size_t i = 0; i < length; i++)
        text[i] = pick(rare) ? "0123456789abcxyz"[pick(i % 2 ? 10 : 16)] : special[pick(sizeof special)];
    return text;
}

START_TEST(twins_agree)
{
    for (int round = 0; round < 200000; round++) {
        size_t length = pick(LONGEST), from = pick((unsigned)length + 1);
        char *text = make_text(length, round % 2 ? 8 : 60);
        const char *p = text + from, *end = text + length;
        const char *floor = pick(2) ? text : p;
        ck_assert_ptr_eq(rx_scan_string(floor, p, end), rx_scan_string_scalar(p, end));
        ck_assert_ptr_eq(rx_scan_digits(floor, p, end), rx_scan_digits_scalar(p, end));
        ck_assert_ptr_eq(rx_scan_cell(floor, p, end, ';'), rx_scan_cell_scalar(p, end, ';'));
        free(text);
    }
}
END_TEST

START_TEST(each_byte_is_classed_alike)
{
    char text[32];
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, '5', sizeof text);
            text[at] = (char)byte;
            const char *end = text + sizeof text;
            ck_assert_ptr_eq(rx_scan_string(text, text, end), rx_scan_string_scalar(text, end));
            ck_assert_ptr_eq(rx_scan_digits(text, text, end), rx_scan_digits_scalar(text, end));
            ck_assert_ptr_eq(rx_scan_cell(text, text, end, '\t'), rx_scan_cell_scalar(text, end, '\t'));
        }
}
END_TEST

START_TEST(what_is_the_same_is_found_alike)
{
    char a[RX_LANES], b[RX_LANES];
    for (size_t length = 1; length <= RX_LANES; length++)
        for (size_t at = 0; at < RX_LANES; at++) {
            memset(a, 'a', sizeof a);
            memset(b, 'a', sizeof b);
            ck_assert(rx_scan_same(a, b, length));
            b[at] = 'b';
            ck_assert_int_eq(rx_scan_same(a, b, length), at >= length);
            ck_assert_int_eq(rx_scan_same_scalar(a, b, length), at >= length);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *tests = tcase_create("scan");
    tcase_add_test(tests, twins_agree);
    tcase_add_test(tests, each_byte_is_classed_alike);
    tcase_add_test(tests, what_is_the_same_is_found_alike);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
