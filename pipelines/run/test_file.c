/* Users' tests: the file. */
#include "pipelines/run/test_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/utf8.h"
#include "core/option/option.h"
#include "pipelines/run/pattern.h"
#include "pipelines/run/test_private.h"

static const char *const file_keys[] = {"config", "tests", "values", "mock", "tick", "match", NULL};
static const char *const test_keys[] = {"name",  "input", "values", "mock",    "expect",
                                        "match", "tick",  "end",    "restart", NULL};
static const char *const matches[] = {"exact", "subset", NULL};

static void check_keys(const struct rx_tree *map, const char *const *names, const char *of, struct rx_diagnostics *d)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->keys[i]->text, *near = rx_nearest(key, names);
        size_t k = 0;
        char hint[100] = "";
        while (names[k] && strcmp(names[k], key) != 0)
            k++;
        if (near)
            snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
        if (!names[k])
            rx_diagnosef(d, map->keys[i], hint[0] ? hint : NULL, "there is no key \"%.60s\" in %s", key, of);
    }
}

/* ---- scalars ---- */

/* A duration, or a number of milliseconds. */
int test_time_of(const struct rx_tree *tree, rx_time *ret)
{
    char *end = NULL;
    if (tree->kind != RX_TREE_SCALAR || tree->length == 0)
        return -EINVAL;
    double ms = strtod(tree->text, &end);
    if (*end)
        return rx_parse_duration(tree->text, ret, NULL);
    if (!(ms >= 0 && ms <= 9e12))
        return -EINVAL;
    *ret = (rx_time)(ms * (double)RX_MSEC + 0.5);
    return 0;
}

static void read_tick(const struct rx_tree *map, rx_time *ret, struct rx_diagnostics *d)
{
    const struct rx_tree *tick = rx_tree_get(map, "tick");
    if (tick && (test_time_of(tick, ret) < 0 || *ret <= 0))
        rx_diagnosef(d, tick, "for example 10ms, which it is without it",
                     "`tick` is what a character of a diagram is worth");
}

static void read_match(const struct rx_tree *map, bool *ret, struct rx_diagnostics *d)
{
    const struct rx_tree *match = rx_tree_get(map, "match");
    bool subset = match && match->kind == RX_TREE_SCALAR && strcmp(match->text, matches[1]) == 0;
    if (match && !subset && (match->kind != RX_TREE_SCALAR || strcmp(match->text, matches[0]) != 0))
        rx_diagnosef(d, match, NULL, "`match` is `exact` or `subset`");
    else if (match)
        *ret = subset;
}

static int leave_at(void *arg, const struct rx_marble *marble)
{
    rx_time *at = arg;
    if (marble->kind != RX_MARBLE_LEAVE || *at >= 0)
        return -EINVAL;
    *at = marble->at;
    return 0;
}

static void read_end(struct rx_test *t, struct rx_diagnostics *d)
{
    const struct rx_tree *end = rx_tree_get(t->tree, "end");
    t->end = -1;
    if (!end || test_time_of(end, &t->end) == 0)
        return;
    t->end = -1;
    if (end->kind != RX_TREE_SCALAR || rx_marble_parse(end->text, end->length, t->tick, leave_at, &t->end, NULL) < 0 ||
        t->end < 0)
        rx_diagnosef(d, end, "for example: 30s, or \"-----!\"", "`end` is when the clock is stopped");
}

static void read_restart(struct rx_test *t, struct rx_diagnostics *d)
{
    const struct rx_tree *restart = rx_tree_get(t->tree, "restart");
    char *end = NULL;
    if (!restart)
        return;
    bool digits = restart->kind == RX_TREE_SCALAR && restart->length > 0 && restart->length < 10;
    t->restart = digits ? strtoul(restart->text, &end, 10) : 0;
    if (t->restart == 0 || *end)
        rx_diagnosef(d, restart, "for one restart at an instant draw [restart] into a diagram of the input",
                     "`restart: N` restarts after every N-th event or timer");
}

/* ---- tests ---- */

static const struct rx_tree *map_of(const struct rx_tree *tree, const char *key, struct rx_diagnostics *d)
{
    const struct rx_tree *found = rx_tree_get(tree, key);
    if (found && found->kind != RX_TREE_MAP) {
        rx_diagnosef(d, found, NULL, "`%s` is a mapping", key);
        return NULL;
    }
    return found;
}

static void check_values(const struct rx_tree *values, struct rx_heap *heap, struct rx_diagnostics *d)
{
    for (size_t i = 0; values && i < values->count; i++) {
        const struct rx_tree *key = values->keys[i];
        if (key->length == 0 || rx_utf8_next(key->text, key->length) != key->length ||
            strchr("-()[]|^! \t\n", key->text[0]))
            rx_diagnosef(d, key, NULL, "a name in `values` is one character that a diagram can have");
        rx_pattern_check(values->items[i], heap, d);
    }
}

static int read_test(const struct rx_test_file *f, const struct rx_tree *tree, struct rx_test *t, struct rx_heap *heap,
                     struct rx_diagnostics *d)
{
    *t = (struct rx_test){.tree = tree,
                          .name = rx_tree_get(tree, "name"),
                          .input = rx_tree_get(tree, "input"),
                          .values = map_of(tree, "values", d),
                          .mock = map_of(tree, "mock", d),
                          .expect = map_of(tree, "expect", d),
                          .common_values = map_of(f->root, "values", d),
                          .common_mock = map_of(f->root, "mock", d),
                          .tick = 10 * RX_MSEC};
    check_keys(tree, test_keys, "a test", d);
    if (!t->name || t->name->kind != RX_TREE_SCALAR)
        rx_diagnosef(d, t->name ? t->name : tree, NULL, "a test has a `name`");
    if (!rx_tree_get(tree, "expect"))
        rx_diagnosef(d, tree, "for example: expect: {STREAM: []}, and `rxd test --update` writes what came",
                     "a test has an `expect`");
    read_tick(f->root, &t->tick, d);
    read_tick(tree, &t->tick, d);
    read_match(f->root, &t->subset, d);
    read_match(tree, &t->subset, d);
    read_end(t, d);
    read_restart(t, d);
    size_t before = rx_diagnostics_count(d);
    check_values(t->values, heap, d);
    if (rx_diagnostics_count(d) > before)
        return 0;
    int r = test_legend_read(t, heap);
    if (r == 0)
        r = test_input_read(f, t, heap, d);
    return r == 0 ? test_expect_read(t, heap, d) : r;
}

static int read_tests(struct rx_test_file *f, struct rx_heap *heap, struct rx_diagnostics *d)
{
    const struct rx_tree *tests = rx_tree_get(f->root, "tests");
    if (!tests || tests->kind != RX_TREE_LIST || tests->count == 0 || tests->count > RX_TESTS_MAX) {
        rx_diagnosef(d, tests ? tests : f->root, "tests: [{name: ..., input: ..., expect: ...}]",
                     "a test file has a list `tests`, of 1 to %d", RX_TESTS_MAX);
        return 0;
    }
    f->tests = calloc(tests->count, sizeof *f->tests);
    if (!f->tests)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < tests->count && r == 0; i++) {
        if (tests->items[i]->kind == RX_TREE_MAP)
            r = read_test(f, tests->items[i], &f->tests[f->count++], heap, d);
        else
            rx_diagnosef(d, tests->items[i], NULL, "a test is a mapping: name, input, expect");
    }
    return r;
}

/* ---- configs ---- */

char *rx_test_file_path(const struct rx_test_file *f, const char *written)
{
    const char *slash = strrchr(f->path, '/');
    size_t folder = written[0] == '/' || !slash ? 0 : (size_t)(slash + 1 - f->path);
    size_t size = folder + strlen(written) + 1;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%.*s%s", (int)folder, f->path, written);
    return path;
}

static int add_config(struct rx_test_file *f, size_t i, const struct rx_tree *path, struct rx_diagnostics *d)
{
    if (path->kind != RX_TREE_SCALAR || path->length == 0) {
        rx_diagnosef(d, path, NULL, "`config` is the path of a config, or a list of paths");
        return 0;
    }
    f->configs[i] = rx_test_file_path(f, path->text);
    return f->configs[i] ? 0 : -ENOMEM;
}

static int read_configs(struct rx_test_file *f, struct rx_diagnostics *d)
{
    const struct rx_tree *config = rx_tree_get(f->root, "config");
    size_t n = config && config->kind == RX_TREE_LIST ? config->count : 1;
    int r = 0;
    if (!config || (config->kind == RX_TREE_LIST && n == 0)) {
        rx_diagnosef(d, f->root, "config: PATH, counted from the test file's folder", "a test file names its `config`");
        return 0;
    }
    f->configs = calloc(n + 1, sizeof *f->configs);
    if (!f->configs)
        return -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_config(f, i, config->kind == RX_TREE_LIST ? config->items[i] : config, d);
    return r;
}

/* ---- the whole ---- */

int rx_test_file_parse(const char *text, size_t length, const char *path, struct rx_heap *heap,
                       struct rx_diagnostics *d, struct rx_test_file *ret)
{
    *ret = (struct rx_test_file){.path = path};
    int r = rx_forest_read_text(text, length, path, RX_FOREST_FRAGMENT, d, &ret->forest);
    if (r < 0)
        return r;
    ret->root = rx_forest_root(ret->forest);
    if (!ret->root || ret->root->kind != RX_TREE_MAP) {
        rx_diagnosef(d, ret->root ? ret->root : rx_forest_start(ret->forest), NULL,
                     "a test file is a mapping with `config` and `tests`");
        return -EINVAL;
    }
    check_keys(ret->root, file_keys, "a test file", d);
    check_values(map_of(ret->root, "values", d), heap, d);
    r = read_configs(ret, d);
    if (r == 0 && rx_diagnostics_count(d) == 0)
        r = read_tests(ret, heap, d);
    return r == 0 && rx_diagnostics_count(d) > 0 ? -EINVAL : r;
}

int rx_test_file_read(const char *path, struct rx_heap *heap, struct rx_diagnostics *d, struct rx_test_file *ret)
{
    struct rx_file_stamp stamp;
    struct rx_error error;
    char *text = NULL;
    size_t length = 0;
    *ret = (struct rx_test_file){.path = path};
    int r = rx_file_read(path, RX_CONFIG_BYTES_MAX, &text, &length, &stamp, &error);
    if (r < 0) {
        rx_diagnosef(d, NULL, NULL, "%.200s: %.200s", path, error.message);
        return r;
    }
    r = rx_test_file_parse(text, length, path, heap, d, ret);
    free(text);
    return r;
}

static void finish_test(struct rx_test *t)
{
    for (size_t i = 0; i < t->in.count; i++)
        free(t->in.lines[i].text);
    free(t->in.lines);
    for (size_t i = 0; i < t->expected_count; i++)
        rx_output_stream_finish(&t->expected[i].stream);
    free(t->expected);
    test_legend_finish(&t->legend);
}

void rx_test_file_finish(struct rx_test_file *f)
{
    for (size_t i = 0; i < f->count; i++)
        finish_test(&f->tests[i]);
    for (size_t i = 0; f->configs && f->configs[i]; i++)
        free(f->configs[i]);
    free(f->configs);
    free(f->tests);
    rx_forest_destroy(f->forest);
    *f = (struct rx_test_file){0};
}
