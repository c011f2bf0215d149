// layer: feed
/* Tables: rows by the text of a column, from CSV and JSON; what is refused, and leaves the former table; limits. */
#include "core/feed/table.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/json/json.h"

static struct rx_heap *heap;
static struct rx_table_handle handle;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    handle = (struct rx_table_handle){.heap = heap, .path = "t", .options = {.max_rows = 1000}};
}

static void tear_down(void)
{
    rx_table_handle_finish(&handle);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static int replace(enum rx_table_format format, const char *column, const char *text, struct rx_error *reterr)
{
    handle.options.format = format;
    handle.options.column = column;
    char *copy = strdup(text); /* gone afterwards: nothing of it may be kept */
    int r = rx_table_replace(&handle, copy, strlen(copy), reterr);
    memset(copy, 'z', strlen(copy));
    free(copy);
    return r;
}

static const char *found(struct rx_value key)
{
    static char out[200];
    struct rx_buffer text = {0};
    const struct rx_value *row = rx_table_find(handle.table, key);
    if (!row)
        return "none";
    rx_json_write(&text, *row);
    snprintf(out, sizeof out, "%.*s", (int)text.length, text.data);
    rx_buffer_finish(&text);
    return out;
}

static const char *found_text(const char *key) { return found(rx_string_static(key, (uint32_t)strlen(key))); }

START_TEST(a_csv_cell_is_a_number_true_or_false_where_it_reads_as_such)
{
    ck_assert_int_eq(replace(RX_TABLE_CSV, NULL,
                             "id,name,n,on\r\na,\"x, \"\"y\"\"\nz\",1.50,true\r\nb,007,,\"\"\r\n3,t,-2e1,null\r\n",
                             NULL),
                     0);
    ck_assert_uint_eq(rx_table_rows(handle.table), 3);
    ck_assert_str_eq(found_text("a"), "{\"id\":\"a\",\"name\":\"x, \\\"y\\\"\\nz\",\"n\":1.5,\"on\":true}");
    ck_assert_str_eq(found_text("b"), "{\"id\":\"b\",\"name\":\"007\",\"on\":\"\"}");
    ck_assert_str_eq(found(rx_json_int(3)), "{\"id\":3,\"name\":\"t\",\"n\":-20,\"on\":\"null\"}");
    ck_assert_str_eq(found(rx_double(3)), found_text("3"));
    ck_assert_str_eq(found_text("c"), "none");
}
END_TEST

START_TEST(a_named_column_finds_the_row_and_the_last_of_equal_keys_counts)
{
    ck_assert_int_eq(replace(RX_TABLE_CSV, "k", "n,k\n1,x\n2,y\n3,x\n", NULL), 0);
    ck_assert_str_eq(found_text("x"), "{\"n\":3,\"k\":\"x\"}");
    ck_assert_uint_eq(rx_table_rows(handle.table), 2);
}
END_TEST

START_TEST(a_json_table_is_a_list_of_objects_or_an_object_of_rows)
{
    ck_assert_int_eq(replace(RX_TABLE_JSON, NULL, "[{\"id\":1,\"n\":\"a\"},{\"n\":\"b\",\"id\":true}]", NULL), 0);
    ck_assert_str_eq(found(rx_json_int(1)), "{\"id\":1,\"n\":\"a\"}");
    ck_assert_str_eq(found(rx_bool(true)), "{\"n\":\"b\",\"id\":true}");
    ck_assert_int_eq(replace(RX_TABLE_JSON, "n", "[{\"id\":1,\"n\":\"a\"}]", NULL), 0);
    ck_assert_str_eq(found_text("a"), "{\"id\":1,\"n\":\"a\"}");
    ck_assert_int_eq(replace(RX_TABLE_JSON, NULL, "{\"a\":{\"n\":1},\"b\":5}", NULL), 0);
    ck_assert_str_eq(found_text("a"), "{\"n\":1}");
    ck_assert_str_eq(found_text("b"), "5");
    ck_assert_int_eq(replace(RX_TABLE_JSON, "id", "{\"a\":{\"id\":1}}", NULL), 0);
    ck_assert_str_eq(found_text("1"), "{\"id\":1}");
    ck_assert_int_eq(replace(RX_TABLE_JSON, NULL, "[]", NULL), 0);
    ck_assert_uint_eq(rx_table_rows(handle.table), 0);
}
END_TEST

static const struct {
    enum rx_table_format format;
    const char *column, *text, *message;
} bad[] = {
    {RX_TABLE_CSV, NULL, "", "t: there is no row that names the columns"},
    {RX_TABLE_CSV, "z", "a,b\n1,2\n", "t:1: no column is called \"z\""},
    {RX_TABLE_CSV, NULL, "a,b,a\n", "t:1: two columns are called \"a\""},
    {RX_TABLE_CSV, NULL, "a,b\n1,2\n3\n", "t:3: a row with 1 cells, and there are 2 columns"},
    {RX_TABLE_CSV, NULL, "a,b\n1,2\n,4\n", "t:3: a row without a key"},
    {RX_TABLE_CSV, NULL, "a,b\n1,\"2\n", "t:2: "},
    {RX_TABLE_JSON, NULL, "", "t:1: "},
    {RX_TABLE_JSON, NULL, "[{\"a\":1},", "t:1: "},
    {RX_TABLE_JSON, NULL, "7", "t: a table is a list of objects, or an object of rows by key"},
    {RX_TABLE_JSON, NULL, "[{\"a\":1},2]", "t: row 2 is a int, and must be an object"},
    {RX_TABLE_JSON, "b", "[{\"b\":1},{\"a\":2}]", "t: row 2 has no \"b\""},
    {RX_TABLE_JSON, NULL, "[{\"a\":1},{\"b\":2}]", "t: row 2 has no \"a\""},
    {RX_TABLE_JSON, NULL, "[{}]", "t: row 1 has no \"field\""},
};

START_TEST(a_bad_table_says_why_and_leaves_the_former)
{
    ck_assert_int_eq(replace(RX_TABLE_CSV, NULL, "id,n\na,1\n", NULL), 0);
    ck_assert_int_lt(replace(bad[_i].format, bad[_i].column, bad[_i].text, NULL), 0);
    ck_assert_msg(strncmp(handle.fault, bad[_i].message, strlen(bad[_i].message)) == 0, "%s, and not %s", handle.fault,
                  bad[_i].message);
    ck_assert_str_eq(found_text("a"), "{\"id\":\"a\",\"n\":1}");
    ck_assert_uint_eq(handle.loads, 1);
    ck_assert_uint_eq(handle.failures, 1);
    ck_assert_int_eq(replace(RX_TABLE_CSV, NULL, "id,n\na,2\n", NULL), 0);
    ck_assert_str_eq(handle.fault, "");
    ck_assert_str_eq(found_text("a"), "{\"id\":\"a\",\"n\":2}");
}
END_TEST

START_TEST(a_table_has_so_many_rows_and_bytes_at_the_most)
{
    struct rx_error error;
    handle.options.max_rows = 2;
    ck_assert_int_eq(replace(RX_TABLE_CSV, NULL, "a\n1\n2\n2\n", NULL), 0);
    ck_assert_int_eq(replace(RX_TABLE_CSV, NULL, "a\n1\n2\n3\n", &error), -E2BIG);
    ck_assert_str_eq(error.message, "more than max_rows, 2");
    ck_assert_int_eq(rx_table_replace(&handle, "", RX_TABLE_BYTES_MAX + 1, &error), -E2BIG);
    ck_assert_str_eq(error.message, "a table has at most 16 MiB");
    ck_assert_uint_eq(rx_table_rows(handle.table), 2);
}
END_TEST

START_TEST(the_format_is_the_ending)
{
    enum rx_table_format format;
    struct rx_error error;
    ck_assert_int_eq(rx_table_format_of("/a.b/rooms.csv", &format, &error), 0);
    ck_assert_int_eq(format, RX_TABLE_CSV);
    ck_assert_int_eq(rx_table_format_of("rooms.json", &format, &error), 0);
    ck_assert_int_eq(format, RX_TABLE_JSON);
    ck_assert_int_eq(rx_table_format_of("csv", &format, &error), -EINVAL);
    ck_assert_int_eq(rx_table_format_of("rooms.txt", &format, &error), -EINVAL);
}
END_TEST

START_TEST(a_file_is_read_whole_or_not_at_all)
{
    char path[] = "/tmp/rxd-table-XXXXXX", *text = NULL;
    size_t length;
    struct rx_file_stamp stamp;
    struct rx_error error;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "abc", 3), 3);
    ck_assert_int_eq(rx_file_read(path, 3, &text, &length, &stamp, &error), 0);
    ck_assert_str_eq(text, "abc");
    ck_assert(rx_file_stamp_same(stamp, rx_file_stamp(path)));
    free(text);
    ck_assert_int_eq(rx_file_read(path, 2, &text, &length, &stamp, &error), -E2BIG);
    ck_assert_int_eq(write(fd, "d", 1), 1);
    ck_assert(!rx_file_stamp_same(stamp, rx_file_stamp(path)));
    close(fd);
    unlink(path);
    ck_assert_int_eq(rx_file_read(path, 3, &text, &length, &stamp, &error), -ENOENT);
    ck_assert_int_eq(rx_file_read("/tmp", 3, &text, &length, &stamp, &error), -EINVAL);
    ck_assert(rx_file_stamp_same(rx_file_stamp(path), (struct rx_file_stamp){0}));
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* nobody writes, and nobody waits */
    ck_assert_int_eq(rx_file_read(path, 3, &text, &length, &stamp, &error), -EINVAL);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *t = tcase_create("table");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_csv_cell_is_a_number_true_or_false_where_it_reads_as_such);
    tcase_add_test(t, a_named_column_finds_the_row_and_the_last_of_equal_keys_counts);
    tcase_add_test(t, a_json_table_is_a_list_of_objects_or_an_object_of_rows);
    tcase_add_loop_test(t, a_bad_table_says_why_and_leaves_the_former, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(t, a_table_has_so_many_rows_and_bytes_at_the_most);
    tcase_add_test(t, the_format_is_the_ending);
    tcase_add_test(t, a_file_is_read_whole_or_not_at_all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
