/* The config tree: look-up, places inside scalars, and how mistakes are collected and shown. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"
#include "core/option/diagnostics.h"

static const struct rx_file one = {
    .path = "one.yaml", .text = "key: value\n\tother: \xC3\xA4\xC3\xB6 x\n", .length = 28};
static const struct rx_file two = {.path = "two.yaml", .text = "single", .length = 6};

static struct rx_tree scalar_at(const struct rx_file *file, const char *text, unsigned line, unsigned column,
                                size_t offset)
{
    return (struct rx_tree){.kind = RX_TREE_SCALAR,
                            .text = text,
                            .length = strlen(text),
                            .file = file,
                            .at = {.line = line, .column = column, .offset = offset}};
}

static void assert_rendered(struct rx_diagnostics *diagnostics, const char *expected)
{
    struct rx_buffer out = {0};
    rx_diagnostics_render(diagnostics, &out);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, expected);
    rx_buffer_finish(&out);
    rx_diagnostics_destroy(diagnostics);
}

START_TEST(a_key_is_found_by_its_text)
{
    struct rx_tree key = scalar_at(&one, "key", 1, 1, 0), value = scalar_at(&one, "value", 1, 6, 5);
    struct rx_tree *keys[] = {&key}, *items[] = {&value};
    struct rx_tree map = {.kind = RX_TREE_MAP, .file = &one, .count = 1, .keys = keys, .items = items};
    ck_assert_ptr_eq(rx_tree_get(&map, "key"), &value);
    ck_assert_ptr_null(rx_tree_get(&map, "ke"));
    ck_assert_ptr_null(rx_tree_get(&value, "key"));
    ck_assert_ptr_null(rx_tree_get(NULL, "key"));
}
END_TEST

START_TEST(mistakes_are_shown_by_file_and_place_without_repeats)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_tree value = scalar_at(&one, "value", 1, 6, 5), other = scalar_at(&one, "x", 2, 12, 24);
    struct rx_tree single = scalar_at(&two, "single", 1, 1, 0);
    rx_diagnosef(diagnostics, &other, NULL, "second");
    rx_diagnosef(diagnostics, &single, "look here", "third");
    rx_diagnosef(diagnostics, &value, NULL, "first");
    rx_diagnosef(diagnostics, &value, NULL, "first");
    rx_diagnosef(diagnostics, NULL, NULL, "no place");
    ck_assert_uint_eq(rx_diagnostics_count(diagnostics), 4);
    assert_rendered(diagnostics, "no place\n"
                                 "one.yaml:1:6: first\n"
                                 "    key: value\n"
                                 "         ^\n"
                                 "one.yaml:2:12: second\n"
                                 "    \tother: \xC3\xA4\xC3\xB6 x\n"
                                 "    \t          ^\n"
                                 "two.yaml:1:1: third\n"
                                 "    single\n"
                                 "    ^\n"
                                 "  hint: look here\n");
}
END_TEST

START_TEST(an_error_inside_a_scalar_is_shown_inside_it)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_tree other = scalar_at(&one, "\xC3\xA4\xC3\xB6 x", 2, 9, 19);
    struct rx_error error = {.code = -22, .message = "no", .at = {.offset = 5}};
    rx_diagnose_inside(diagnostics, &other, &error);
    assert_rendered(diagnostics, "one.yaml:2:12: no\n"
                                 "    \tother: \xC3\xA4\xC3\xB6 x\n"
                                 "    \t          ^\n");
}
END_TEST

START_TEST(a_long_line_is_cut_around_the_caret)
{
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    text[1000] = 'X';
    struct rx_file file = {.path = "long", .text = text, .length = strlen(text)};
    struct rx_tree node = scalar_at(&file, text + 1000, 1, 1001, 1000);
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    rx_diagnosef(diagnostics, &node, NULL, "here");
    struct rx_buffer out = {0};
    rx_diagnostics_render(diagnostics, &out);
    rx_buffer_append(&out, "", 1);
    ck_assert_uint_lt(out.length, 400);
    char *line = strchr(out.data, '\n') + 1, *carets = strchr(line, '\n') + 1;
    ck_assert_int_eq(line[strchr(carets, '^') - carets], 'X');
    rx_buffer_finish(&out);
    rx_diagnostics_destroy(diagnostics);
}
END_TEST

START_TEST(many_mistakes_are_counted_not_all_shown)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    for (int i = 0; i < 3000; i++)
        rx_diagnosef(diagnostics, NULL, NULL, "mistake %d", i);
    ck_assert_uint_eq(rx_diagnostics_count(diagnostics), 3000);
    struct rx_buffer out = {0};
    rx_diagnostics_render(diagnostics, &out);
    rx_buffer_append(&out, "", 1);
    ck_assert_ptr_nonnull(strstr(out.data, "and 2950 more\n"));
    rx_buffer_finish(&out);
    rx_diagnostics_destroy(diagnostics);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tree");
    TCase *tests = tcase_create("tree");
    tcase_add_test(tests, a_key_is_found_by_its_text);
    tcase_add_test(tests, mistakes_are_shown_by_file_and_place_without_repeats);
    tcase_add_test(tests, an_error_inside_a_scalar_is_shown_inside_it);
    tcase_add_test(tests, a_long_line_is_cut_around_the_caret);
    tcase_add_test(tests, many_mistakes_are_counted_not_all_shown);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
