/* rxd test: users' tests of their pipelines, under virtual time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/command.h"
#include "pipelines/run/test_mock.h"
#include "pipelines/run/test_run.h"

struct arguments {
    const char *files[RX_PATHS_MAX];
    size_t file_count;
    const char *filter;
};

/* What all files together came to. */
struct tally {
    size_t passed, failed, bad; /* bad: files that could not be run */
};

static int parse(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            a->filter = argv[++i];
        else if (argv[i][0] == '-')
            return rx_usage("test", "there is no option \"%s\"", argv[i]);
        else if (a->file_count < RX_PATHS_MAX)
            a->files[a->file_count++] = argv[i];
        else
            return rx_usage("test", "at most %d files", RX_PATHS_MAX);
    }
    return a->file_count ? 0 : rx_usage("test", "name a test file");
}

/* ---- one file ---- */

static void tell(const struct rx_test_file *f, const struct rx_test *t, const struct rx_test_result *result)
{
    printf("%-4s %s\n", result->passed ? "ok" : "FAIL", t->name->text);
    if (result->passed)
        return;
    printf("     %s:%u:%u\n", f->path, t->name->at.line, t->name->at.column);
    const char *line = result->report.data, *end = line + result->report.length;
    while (line < end) {
        size_t n = strcspn(line, "\n");
        printf("     %.*s\n", (int)n, line);
        line += n + 1;
    }
}

static int run_test(const struct rx_test_file *f, const struct rx_test *t, const struct rx_loaded *loaded,
                    struct rx_heap *heap, struct tally *tally)
{
    struct rx_diagnostics *d = rx_diagnostics_create();
    struct rx_test_result result = {0};
    int r = d ? rx_test_run(t, loaded->logical, heap, d, &result) : -ENOMEM;
    rx_buffer_append(&result.report, "", 1);
    result.report.length -= result.report.length > 0;
    if (r == -EINVAL && rx_diagnostics_count(d) > 0) {
        rx_show(d);
        tally->bad++;
    } else if (r == -ENOMEM) {
        rx_config_status(d, r);
    } else {
        tell(f, t, &result);
        tally->passed += result.passed;
        tally->failed += !result.passed;
    }
    rx_test_result_finish(&result);
    rx_diagnostics_destroy(d);
    return r == -ENOMEM ? r : 0;
}

/* The streams that any test looks at: their events are decoded whole. */
static const char **shown_of(const struct rx_test_file *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += f->tests[i].expected_count;
    const char **names = calloc(n + 1, sizeof *names);
    n = 0;
    for (size_t i = 0; names && i < f->count; i++)
        for (size_t k = 0; k < f->tests[i].expected_count; k++)
            names[n++] = f->tests[i].expected[k].key->text;
    return names;
}

static int load_config(const struct rx_test_file *f, struct rx_loaded *ret)
{
    struct rx_paths paths = {0};
    const char **shown = shown_of(f);
    *ret = (struct rx_loaded){0};
    if (!shown)
        return rx_config_status(NULL, -ENOMEM);
    for (size_t i = 0; f->configs[i]; i++)
        rx_paths_add(&paths, f->configs[i]);
    struct rx_load_options options = {
        .replay = true, .shown = shown, .rows = rx_test_file_rows, .rows_arg = (void *)(uintptr_t)f};
    int status = rx_load(&paths, &options, ret);
    free(shown);
    return status;
}

static int run_tests(const struct rx_test_file *f, const struct arguments *a, struct rx_heap *heap, struct tally *tally)
{
    struct rx_loaded loaded;
    int status = load_config(f, &loaded);
    tally->bad += status == RX_EXIT_CONFIG;
    for (size_t i = 0; i < f->count && status == 0; i++)
        if (!a->filter || strstr(f->tests[i].name->text, a->filter))
            status = run_test(f, &f->tests[i], &loaded, heap, tally) < 0;
    rx_unload(&loaded);
    return status;
}

static int run_file(const char *path, const struct arguments *a, struct tally *tally)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_diagnostics *d = rx_diagnostics_create();
    struct rx_test_file file = {0};
    int r = heap && d ? rx_test_file_read(path, heap, d, &file) : -ENOMEM, status = 0;
    if (r < 0) {
        if (d)
            rx_show(d);
        status = rx_config_status(d, r);
        tally->bad += status == RX_EXIT_CONFIG;
    } else {
        status = run_tests(&file, a, heap, tally);
    }
    rx_test_file_finish(&file);
    rx_diagnostics_destroy(d);
    rx_heap_destroy(heap);
    return status == RX_EXIT_CONFIG ? 0 : status;
}

/* ---- the command ---- */

static int summarise(const struct tally *tally)
{
    size_t n = tally->passed + tally->failed;
    printf("%s%zu %s, %zu passed, %zu failed\n", n ? "\n" : "", n, n == 1 ? "test" : "tests", tally->passed,
           tally->failed);
    if (tally->bad)
        return RX_EXIT_CONFIG;
    if (n == 0)
        fputs("rxd: no test has run\n", stderr);
    return tally->failed > 0 || n == 0;
}

int rx_command_test(int argc, char **argv)
{
    struct arguments a = {0};
    struct tally tally = {0};
    int status = parse(argc, argv, &a);
    for (size_t i = 0; i < a.file_count && status == 0; i++)
        status = run_file(a.files[i], &a, &tally);
    return status ? status : summarise(&tally);
}
