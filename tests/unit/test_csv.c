/* CSV: what is a row, what is not and where, and what was written reads back. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"

/* The rows as the reader sees them: cells in brackets (quoted ones in braces), an error as its place and first words. */
static char *rows_of(const char *text, size_t length, char delimiter)
{
    static char out[4096];
    size_t used = 0;
    struct rx_csv csv = {0};
    struct rx_error error;
    rx_csv_begin(&csv, text, length, delimiter);
    out[0] = '\0';
    for (int r; (r = rx_csv_next(&csv, &error)) != 0;) {
        used += (size_t)snprintf(out + used, sizeof out - used, "%u", r < 0 ? error.at.line : csv.line);
        if (r < 0)
            used += (size_t)snprintf(out + used, sizeof out - used, ":%u: %s", error.at.column, error.message);
        ck_assert_uint_eq(r < 0 ? csv.count : 0, 0);
        for (size_t i = 0; i < csv.count; i++)
            used += (size_t)snprintf(out + used, sizeof out - used, csv.cells[i].quoted ? "{%.*s}" : "[%.*s]",
                                     (int)csv.cells[i].length, csv.cells[i].text);
        used += (size_t)snprintf(out + used, sizeof out - used, "\n");
    }
    rx_csv_finish(&csv);
    return out;
}

struct reading {
    const char *text, *rows;
};

/* RFC 4180, section 2, its seven points in order; then what it leaves open. */
static const struct reading right[] = {
    {"aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", "1[aaa][bbb][ccc]\n2[zzz][yyy][xxx]\n"},
    {"aaa,bbb,ccc\r\nzzz,yyy,xxx", "1[aaa][bbb][ccc]\n2[zzz][yyy][xxx]\n"},
    {"field_name,field_name,field_name\r\naaa,bbb,ccc\r\n",
     "1[field_name][field_name][field_name]\n2[aaa][bbb][ccc]\n"},
    {"aaa, bbb ,ccc", "1[aaa][ bbb ][ccc]\n"},
    {"\"aaa\",\"bbb\",\"ccc\"\r\nzzz,yyy,xxx", "1{aaa}{bbb}{ccc}\n2[zzz][yyy][xxx]\n"},
    {"\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx", "1{aaa}{b\r\nbb}{ccc}\n3[zzz][yyy][xxx]\n"},
    {"\"aaa\",\"b\"\"bb\",\"ccc\"", "1{aaa}{b\"bb}{ccc}\n"},
    {"", ""},
    {"\n\r\n\n", ""},
    {"a\n\nb\n", "1[a]\n3[b]\n"},
    {"a,,\n,\n", "1[a][][]\n2[][]\n"},
    {"\"\",\"\"\"\"\n", "1{}{\"}\n"},
    {"\"a,b\";c\n", "1{a,b}[c]\n"},
    {"\"x\"\"\"\"y\",\"\"\"z\"\n", "1{x\"\"y}{\"z}\n"},
    {"a\rb,c\r", "1[a\rb][c]\n"},
    {"\xEF\xBB\xBF"
     "a,b\n1,2\n",
     "1[a][b]\n2[1][2]\n"},
    {"gr\xC3\xBC\xC3\x9F,\xE6\xB8\xA9\n", "1[gr\xC3\xBC\xC3\x9F][\xE6\xB8\xA9]\n"},
};

/* The reader goes on behind what is wrong. */
static const struct reading wrong[] = {
    {"a,5\" pipe,b\nc\n", "1:4: a quote in a cell that does not begin with one\n2[c]\n"},
    {"a,\"b\"c,d\ne\n", "1:6: text behind a closing quote\n2[e]\n"},
    {"a,\"b\" ,d\ne\n", "1:6: text behind a closing quote\n2[e]\n"},
    {"a,\"b\nc,d\ne\n", "1:3: a quote that is never closed\n2[c][d]\n3[e]\n"},
    {"x\n\"", "1[x]\n2:1: a quote that is never closed\n"},
    {"\xC3\xBC,\"a\nb\"c\nd\n", "2:3: text behind a closing quote\n3[d]\n"},
    {"a\nb,\xFF\xFE,c\nd\n", "1[a]\n2:3: not UTF-8\n3[d]\n"},
    {"\xC3", "1:1: not UTF-8\n"},
};

START_TEST(rows_are_read_as_rfc_4180_says)
{
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        char delimiter = strchr(right[i].text, ';') ? ';' : ',';
        ck_assert_str_eq(rows_of(right[i].text, strlen(right[i].text), delimiter), right[i].rows);
    }
}
END_TEST

START_TEST(a_wrong_row_is_told_with_its_place_and_the_next_is_read)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_str_eq(rows_of(wrong[i].text, strlen(wrong[i].text), ','), wrong[i].rows);
}
END_TEST

START_TEST(a_row_of_too_many_cells_is_refused_and_the_next_is_read)
{
    size_t length = RX_CSV_CELLS_MAX + 2;
    char *text = malloc(length);
    struct rx_csv csv = {0};
    struct rx_error error;
    memset(text, ',', length);
    text[length - 2] = '\n';
    text[length - 1] = 'x';
    rx_csv_begin(&csv, text, length, ',');
    ck_assert_int_eq(rx_csv_next(&csv, &error), -E2BIG);
    ck_assert_uint_eq(error.at.column, RX_CSV_CELLS_MAX + 1);
    ck_assert_int_eq(rx_csv_next(&csv, &error), 1);
    ck_assert_uint_eq(csv.line, 2);
    rx_csv_begin(&csv, text + 1, length - 1, ','); /* one less is as many as may be */
    ck_assert_int_eq(rx_csv_next(&csv, &error), 1);
    ck_assert_uint_eq(csv.count, RX_CSV_CELLS_MAX);
    rx_csv_finish(&csv);
    free(text);
}
END_TEST

START_TEST(the_end_of_a_row_is_found_in_a_stream_where_the_reader_finds_it)
{
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        const char *text = right[i].text, *end = text + strlen(text), *at = text;
        char delimiter = strchr(text, ';') ? ';' : ',';
        char rows[4096] = "", *alone;
        unsigned line = 1;
        while (at < end) {
            const char *behind = rx_csv_row_end(at, end, delimiter);
            alone = rows_of(at, (size_t)((behind ? behind : end) - at), delimiter);
            if (*alone)
                snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%u%s", line, alone + 1);
            for (const char *c = at; behind && c < behind; c++)
                line += *c == '\n';
            ck_assert(!behind || behind[-1] == '\n');
            at = behind ? behind : end;
        }
        ck_assert_str_eq(rows, right[i].rows);
    }
    static const char open[] = "\"a\nb";
    ck_assert_ptr_null(rx_csv_row_end(open, &open[4], ','));
}
END_TEST

START_TEST(a_cell_that_was_written_reads_back)
{
    static const char *const cells[] = {"", "a", "a b", " a", "a,b", "\"", "a\"b\"", "a\nb", "a\r", "\"\"", "-1.5"};
    struct rx_buffer out = {0};
    size_t count = sizeof cells / sizeof *cells;
    for (size_t i = 0; i < count; i++) {
        rx_buffer_text(&out, i ? "," : "");
        rx_csv_write_cell(&out, cells[i], strlen(cells[i]), ',');
    }
    struct rx_csv csv = {0};
    rx_csv_begin(&csv, out.data, out.length, ',');
    ck_assert_int_eq(rx_csv_next(&csv, NULL), 1);
    ck_assert_uint_eq(csv.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert(csv.cells[i].length == strlen(cells[i]) &&
                  memcmp(csv.cells[i].text, cells[i], csv.cells[i].length) == 0);
    rx_csv_finish(&csv);
    rx_buffer_finish(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("csv");
    TCase *t = tcase_create("csv");
    tcase_add_test(t, rows_are_read_as_rfc_4180_says);
    tcase_add_test(t, a_wrong_row_is_told_with_its_place_and_the_next_is_read);
    tcase_add_test(t, a_row_of_too_many_cells_is_refused_and_the_next_is_read);
    tcase_add_test(t, the_end_of_a_row_is_found_in_a_stream_where_the_reader_finds_it);
    tcase_add_test(t, a_cell_that_was_written_reads_back);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
