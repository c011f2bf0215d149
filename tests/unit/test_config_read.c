// layer: pipelines
/* Config files: one tree with places, sections merged, and messages that a beginner can act on. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json/json.h"
#include "pipelines/config/config_read.h"

static struct rx_diagnostics *diagnostics;
static struct rx_buffer rendered;

static void set_up(void) { diagnostics = rx_diagnostics_create(); }

static void tear_down(void)
{
    rx_diagnostics_destroy(diagnostics);
    rx_buffer_finish(&rendered);
}

static const char *render(void)
{
    rx_buffer_clear(&rendered);
    rx_diagnostics_render(diagnostics, &rendered);
    rx_buffer_append(&rendered, "", 1);
    return rendered.data;
}

static struct rx_forest *read_flags(const char *text, unsigned flags)
{
    struct rx_forest *forest = NULL;
    int r = rx_forest_read_text(text, strlen(text), "rxd.yaml", flags, diagnostics, &forest);
    ck_assert_msg(r == 0, "%s", render());
    return forest;
}

static struct rx_forest *read_good(const char *text) { return read_flags(text, 0); }

/* The text is refused, and this is what is said. */
static void assert_refused(const char *text, const char *expected)
{
    struct rx_forest *forest = NULL;
    ck_assert_int_lt(rx_forest_read_text(text, strlen(text), "rxd.yaml", 0, diagnostics, &forest), 0);
    rx_forest_destroy(forest);
    ck_assert_str_eq(render(), expected);
}

/* Follows "a.b.0" from the root. */
static const struct rx_tree *at(const struct rx_forest *forest, const char *path)
{
    const struct rx_tree *node = rx_forest_root(forest);
    char part[64];
    while (node && sscanf(path, "%63[^/]", part) == 1) {
        node = node->kind == RX_TREE_LIST ? node->items[atoi(part)] : rx_tree_get(node, part);
        path += strlen(part);
        path += *path == '/';
    }
    return node;
}

static void assert_text(const struct rx_forest *forest, const char *path, const char *expected)
{
    const struct rx_tree *node = at(forest, path);
    ck_assert_ptr_nonnull(node);
    ck_assert_int_eq(node->kind, RX_TREE_SCALAR);
    ck_assert_str_eq(node->text, expected);
    ck_assert_uint_eq(node->length, strlen(expected));
}

START_TEST(nodes_know_their_places)
{
    struct rx_forest *forest = read_good("http: { listen: 127.0.0.1:8088 }\n"
                                         "pipelines:\n"
                                         "  cold: { \xC3\xA4: 1, from: x }\n"
                                         "  hot:\n"
                                         "    from: sensors\n");
    assert_text(forest, "http/listen", "127.0.0.1:8088");
    const struct rx_tree *from = at(forest, "pipelines/hot/from");
    ck_assert_uint_eq(from->at.line, 5);
    ck_assert_uint_eq(from->at.column, 11);
    ck_assert_int_eq(memcmp(from->file->text + from->at.offset, "sensors", 7), 0);
    ck_assert_uint_eq(at(forest, "pipelines/cold/from")->at.column, 23);
    rx_forest_destroy(forest);
}
END_TEST

START_TEST(scalars_stay_text)
{
    struct rx_forest *forest =
        read_flags("{a: 0123, b: no, c: 22:30, d: ~, e: 1e3, f: '', g: \"x\\ty\", h: null}", RX_FOREST_FRAGMENT);
    assert_text(forest, "a", "0123");
    assert_text(forest, "b", "no");
    assert_text(forest, "c", "22:30");
    assert_text(forest, "d", "~");
    assert_text(forest, "e", "1e3");
    assert_text(forest, "f", "");
    assert_text(forest, "g", "x\ty");
    assert_text(forest, "h", "null");
    ck_assert(!at(forest, "h")->quoted);
    ck_assert(at(forest, "f")->quoted);
    rx_forest_destroy(forest);
}
END_TEST

START_TEST(json_is_read_with_its_surrogate_pairs)
{
    struct rx_forest *forest =
        read_flags("\xEF\xBB\xBF{\"a\":\"\\ud83d\\ude00!\", \"b\\/\": [1,true,null,\"\\\\ud83d\"],\n"
                   "\t\"c\": \"d\"}",
                   RX_FOREST_FRAGMENT);
    assert_text(forest, "a", "\xF0\x9F\x98\x80!");
    ck_assert_uint_eq(rx_tree_get(rx_forest_root(forest), "b/")->count, 4);
    ck_assert_str_eq(rx_tree_get(rx_forest_root(forest), "b/")->items[3]->text, "\\ud83d");
    const struct rx_tree *d = at(forest, "c");
    ck_assert_uint_eq(d->at.line, 2);
    ck_assert_uint_eq(d->at.column, 7);
    ck_assert_int_eq(memcmp(d->file->text + d->at.offset, "\"d\"", 3), 0);
    rx_forest_destroy(forest);
}
END_TEST

START_TEST(variables_are_expanded_in_values)
{
    char path[] = "/tmp/rxd-test-secret-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, "s3cret\n", 7), 7);
    close(fd);
    setenv("RXD_TEST_HOST", "broker", 1);
    unsetenv("RXD_TEST_NONE");
    char text[400];
    snprintf(text, sizeof text,
             "a: mqtt://${RXD_TEST_HOST}:1883\nb: '${RXD_TEST_NONE:-fall back}'\nc: ${file:%s}\nd: $${X} $5\n"
             "${RXD_TEST_HOST}: key\n",
             path);
    struct rx_forest *forest = read_flags(text, RX_FOREST_FRAGMENT);
    assert_text(forest, "a", "mqtt://broker:1883");
    assert_text(forest, "b", "fall back");
    assert_text(forest, "c", "s3cret");
    assert_text(forest, "d", "${X} $5");
    assert_text(forest, "${RXD_TEST_HOST}", "key");
    rx_forest_destroy(forest);
    unlink(path);
}
END_TEST

START_TEST(a_raw_text_stays_as_written)
{
    setenv("RXD_TEST_HOST", "broker", 1);
    struct rx_forest *forest = read_flags("a: !raw \"{{ x }} ${RXD_TEST_HOST}\"\n"
                                          "b: !raw 007\n"
                                          "c: !raw ''\n"
                                          "d: &n !raw no\n"
                                          "e: *n\n"
                                          "f: !raw |\n  $${x}\n",
                                          RX_FOREST_FRAGMENT);
    assert_text(forest, "a", "{{ x }} ${RXD_TEST_HOST}");
    assert_text(forest, "b", "007");
    assert_text(forest, "c", "");
    assert_text(forest, "e", "no");
    assert_text(forest, "f", "$${x}\n");
    ck_assert(at(forest, "b")->quoted && at(forest, "b")->raw && at(forest, "e")->raw);
    ck_assert_uint_eq(at(forest, "b")->at.column, 9);
    ck_assert_uint_eq(at(forest, "d")->at.column, 12);
    rx_forest_destroy(forest);
}
END_TEST

START_TEST(expansion_has_a_bound)
{
    struct rx_buffer text = {0};
    struct rx_forest *forest = NULL;
    char big[100001] = "", path[] = "/tmp/rxd-test-large-XXXXXX", with_file[80];
    memset(big, 'x', sizeof big - 1);
    setenv("RXD_TEST_BIG", big, 1);
    for (int i = 0; i < 200; i++) /* 20 MB in all, no text of more than 100 KB */
        rx_buffer_printf(&text, "k%d: ${RXD_TEST_BIG}\n", i);
    ck_assert_int_lt(rx_forest_read_text(text.data, text.length, "x", RX_FOREST_FRAGMENT, diagnostics, &forest), 0);
    ck_assert_ptr_nonnull(strstr(render(), "x:168:7: the config is too large once its `${` are expanded"));
    rx_forest_destroy(forest);
    rx_buffer_finish(&text);
    unsetenv("RXD_TEST_BIG");
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, big, 100000), 100000);
    close(fd);
    snprintf(with_file, sizeof with_file, "k: ${file:%s}\n", path);
    forest = NULL;
    ck_assert_int_lt(rx_forest_read_text(with_file, strlen(with_file), "y", RX_FOREST_FRAGMENT, diagnostics, &forest),
                     0);
    ck_assert_msg(strstr(render(), "y:1:4: cannot read the file") != NULL, "%s", render());
    rx_forest_destroy(forest);
    unlink(path);
}
END_TEST

START_TEST(a_client_cannot_read_the_environment)
{
    struct rx_forest *forest = NULL;
    const char *text = "from: ${HOME}";
    int r = rx_forest_read_text(text, strlen(text), "<request>", RX_FOREST_LITERAL | RX_FOREST_FRAGMENT, diagnostics,
                                &forest);
    ck_assert_int_lt(r, 0);
    ck_assert_ptr_nonnull(strstr(render(), "`${HOME}` is not expanded here"));
    rx_forest_destroy(forest);
}
END_TEST

START_TEST(aliases_share_a_value)
{
    struct rx_forest *forest = read_flags("a: &x [1, 2]\nb: *x\n", RX_FOREST_FRAGMENT);
    assert_text(forest, "b/1", "2");
    rx_forest_destroy(forest);
}
END_TEST

START_TEST(aliases_cannot_blow_up)
{
    struct rx_buffer text = {0};
    rx_buffer_text(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        rx_buffer_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            rx_buffer_printf(&text, "%s*a%d", k ? ", " : "", i - 1);
        rx_buffer_text(&text, "]\n");
    }
    struct rx_forest *forest = NULL;
    int r = rx_forest_read_text(text.data, text.length, "x", RX_FOREST_FRAGMENT, diagnostics, &forest);
    ck_assert_int_lt(r, 0);
    ck_assert_ptr_nonnull(strstr(render(), "over 1,000,000 entries"));
    rx_buffer_finish(&text);
}
END_TEST

START_TEST(anchors_have_a_bound)
{
    struct rx_buffer text = {0};
    for (int i = 0; i < 1000; i++)
        rx_buffer_printf(&text, "a%d: &a%d 1\n", i, i);
    rx_buffer_append(&text, "", 1);
    rx_forest_destroy(read_flags(text.data, RX_FOREST_FRAGMENT));
    text.length--;
    rx_buffer_text(&text, "one: &more 1\n");
    struct rx_forest *forest = NULL;
    ck_assert_int_lt(rx_forest_read_text(text.data, text.length, "x", RX_FOREST_FRAGMENT, diagnostics, &forest), 0);
    ck_assert_ptr_nonnull(strstr(render(), "too many anchors: at most 1,000"));
    rx_buffer_finish(&text);
}
END_TEST

START_TEST(aliases_cannot_nest_deeper_than_the_limit)
{
    struct rx_buffer text = {0};
    rx_buffer_text(&text, "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for (int i = 1; i < 9; i++)
        rx_buffer_printf(&text, "a%d: &a%d [[[[[[[[[[*a%d]]]]]]]]]]\n", i, i, i - 1);
    struct rx_forest *forest = NULL;
    int r = rx_forest_read_text(text.data, text.length, "x", RX_FOREST_FRAGMENT, diagnostics, &forest);
    ck_assert_int_lt(r, 0);
    ck_assert_ptr_nonnull(strstr(render(), "at most 64 levels"));
    rx_buffer_finish(&text);
}
END_TEST

START_TEST(depth_is_bounded)
{
    char deep[20001];
    memset(deep, '[', 20000);
    deep[20000] = 0;
    struct rx_forest *forest = NULL;
    ck_assert_int_lt(rx_forest_read_text(deep, 20000, "x", 0, diagnostics, &forest), 0);
    ck_assert_ptr_nonnull(strstr(render(), "x:1:65: too deeply nested: at most 64 levels"));
}
END_TEST

START_TEST(an_empty_text_has_no_sections)
{
    struct rx_forest *forest = read_good("# nothing\n");
    ck_assert_ptr_null(rx_forest_section(forest, "pipelines"));
    ck_assert_ptr_null(rx_forest_root(forest));
    rx_forest_destroy(forest);
}
END_TEST

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *folder, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"a.yaml", "b.json", "c.txt"};
    char path[300];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

START_TEST(a_folder_is_read_sorted_and_merged)
{
    char folder[] = "/tmp/rxd-test-config-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file(folder, "b.json", "{\"pipelines\": {\"two\": {\"from\": \"s\"}}}");
    write_file(folder, "a.yaml", "sources: {s: {timer: {every: 1s}}}\npipelines: {one: {from: s}}\n");
    static const char *const others[] = {"c.txt",    ".d.yaml",     "a.yaml~",        "a.yaml.bak",
                                         "#a.yaml#", ".a.yaml.swp", "a.yaml.dpkg-old"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        write_file(folder, others[i], "{{{{ not a config");
    const char *paths[] = {folder};
    struct rx_forest *forest = NULL;
    ck_assert_msg(rx_forest_read(paths, 1, diagnostics, &forest) == 0, "%s", render());
    const struct rx_tree *pipelines = rx_forest_section(forest, "pipelines");
    ck_assert_uint_eq(pipelines->count, 2);
    ck_assert_str_eq(pipelines->keys[0]->text, "one");
    ck_assert_str_eq(pipelines->keys[1]->text, "two");
    rx_forest_destroy(forest);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        remove_file(folder, others[i]);
    remove_folder(folder);
}
END_TEST

START_TEST(a_name_defined_in_two_files_names_both_places)
{
    char folder[] = "/tmp/rxd-test-config-XXXXXX", expected[600];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file(folder, "a.yaml", "sources: {s: {timer: {every: 1s}}}\npipelines: {one: {from: s}}\n");
    write_file(folder, "b.json", "{\"pipelines\": {\"one\": {\"from\": \"s\"}}}");
    const char *paths[] = {folder};
    struct rx_forest *forest = NULL;
    ck_assert_int_lt(rx_forest_read(paths, 1, diagnostics, &forest), 0);
    snprintf(expected, sizeof expected,
             "%s/b.json:1:16: `one` is defined twice: first at %s/a.yaml:2:13\n"
             "    {\"pipelines\": {\"one\": {\"from\": \"s\"}}}\n"
             "                   ^\n"
             "  hint: rename one of them\n",
             folder, folder);
    ck_assert_str_eq(render(), expected);
    rx_forest_destroy(forest);
    remove_folder(folder);
}
END_TEST

START_TEST(a_missing_file_is_told)
{
    const char *paths[] = {"/nonexistent/rxd.yaml"};
    struct rx_forest *forest = NULL;
    ck_assert_int_lt(rx_forest_read(paths, 1, diagnostics, &forest), 0);
    ck_assert_str_eq(render(), "cannot read `/nonexistent/rxd.yaml`: No such file or directory\n");
}
END_TEST

START_TEST(diagnostics_outlive_their_text)
{
    struct rx_forest *forest = read_flags("a: \"x\\\"y\"", RX_FOREST_FRAGMENT);
    rx_diagnosef(diagnostics, at(forest, "a"), "a hint", "a \"message\"");
    rx_diagnosef(diagnostics, at(forest, "a"), "a hint", "a \"message\"");
    rx_forest_destroy(forest);
    ck_assert_str_eq(render(), "rxd.yaml:1:4: a \"message\"\n    a: \"x\\\"y\"\n       ^\n  hint: a hint\n");
}
END_TEST

/* Where the word `HERE` of a scalar's text stands in the file. */
static void assert_here(const char *text, unsigned line, unsigned column)
{
    struct rx_forest *forest = read_flags(text, RX_FOREST_FRAGMENT);
    const struct rx_tree *scalar = at(forest, "k");
    const char *here = strstr(scalar->text, "HERE");
    ck_assert_ptr_nonnull(here);
    struct rx_place place = rx_tree_place(scalar, (size_t)(here - scalar->text));
    ck_assert_uint_eq(place.line, line);
    ck_assert_uint_eq(place.column, column);
    ck_assert_int_eq(memcmp(text + place.offset, "HERE", 4), 0);
    rx_forest_destroy(forest);
}

START_TEST(places_inside_scalars_are_mapped_back)
{
    setenv("RXD_TEST_HOST", "a much longer text", 1);
    assert_here("k: a + HERE", 1, 8);
    assert_here("k: 'it''s HERE'", 1, 11);
    assert_here("k: \"\\\"\\u00e4\\x41\\U0001F600 HERE\"", 1, 28);
    assert_here("k: \"\\ud83d\\ude00 HERE\"", 1, 18);
    assert_here("k: a\n   b  \n   HERE", 3, 4);
    assert_here("k: \"a\n\n   b \\\n   HERE\"", 4, 4);
    assert_here("k: |\n    a\n      b\n    HERE\n", 4, 5);
    assert_here("k: >-\n\n  a\n  b\n\n  HERE\n", 6, 3);
    assert_here("k: ${RXD_TEST_HOST} + HERE", 1, 23);
    assert_here("k: $${x} ${RXD_TEST_NONE:-} HERE", 1, 29);
    assert_here("k: &anchor \xC3\xA4 HERE", 1, 14);
}
END_TEST

START_TEST(bytes_that_are_not_text_are_told)
{
    assert_refused("sources: {a: \"\xFF\"}\n", "rxd.yaml:1:15: the text is not valid UTF-8\n"
                                               "    sources: {a: \"?\"}\n"
                                               "                  ^\n"
                                               "  hint: save the file as UTF-8\n");
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
    assert_refused("sources: {a: \"\x1B[2J\"}\n", "rxd.yaml:1:15: a control character that YAML does not allow\n"
                                                  "    sources: {a: \"?[2J\"}\n"
                                                  "                  ^\n"
                                                  "  hint: remove it, or write it as an escape in double quotes\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_read");
    TCase *tests = tcase_create("config_read");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, nodes_know_their_places);
    tcase_add_test(tests, scalars_stay_text);
    tcase_add_test(tests, json_is_read_with_its_surrogate_pairs);
    tcase_add_test(tests, variables_are_expanded_in_values);
    tcase_add_test(tests, a_raw_text_stays_as_written);
    tcase_add_test(tests, expansion_has_a_bound);
    tcase_add_test(tests, a_client_cannot_read_the_environment);
    tcase_add_test(tests, aliases_share_a_value);
    tcase_add_test(tests, anchors_have_a_bound);
    tcase_add_test(tests, aliases_cannot_blow_up);
    tcase_add_test(tests, aliases_cannot_nest_deeper_than_the_limit);
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, an_empty_text_has_no_sections);
    tcase_add_test(tests, a_folder_is_read_sorted_and_merged);
    tcase_add_test(tests, a_name_defined_in_two_files_names_both_places);
    tcase_add_test(tests, a_missing_file_is_told);
    tcase_add_test(tests, diagnostics_outlive_their_text);
    tcase_add_test(tests, places_inside_scalars_are_mapped_back);
    tcase_add_test(tests, bytes_that_are_not_text_are_told);
    tcase_add_test(tests, control_characters_do_not_reach_the_terminal);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
