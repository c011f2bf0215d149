/* rxd test: users' tests of their pipelines, under virtual time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/cmd_test.h"
#include "daemon/command.h"
#include "pipelines/run/test_mock.h"
#include "pipelines/run/test_update.h"

static int parse(int argc, char **argv, struct test_arguments *a)
{
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--filter") == 0 && next)
            a->filter = argv[++i];
        else if (strcmp(argv[i], "--junit") == 0 && next)
            a->junit = argv[++i];
        else if (strcmp(argv[i], "--tap") == 0)
            a->tap = true;
        else if (strcmp(argv[i], "--coverage") == 0)
            a->coverage = true;
        else if (strcmp(argv[i], "--update") == 0)
            a->update = true;
        else if (strcmp(argv[i], "--watch") == 0)
            a->watch = true;
        else if (argv[i][0] == '-')
            return rx_usage("test", "there is no option \"%s\"%s", argv[i],
                            next ? "" : ", or something belongs behind it");
        else if (a->file_count < RX_PATHS_MAX)
            a->files[a->file_count++] = argv[i];
        else
            return rx_usage("test", "at most %d files", RX_PATHS_MAX);
    }
    return a->file_count ? 0 : rx_usage("test", "name a test file");
}

/* ---- one test ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_test(struct test_session *s, const struct rx_test *t, struct rx_test_result *result)
{
    struct rx_diagnostics *d = rx_diagnostics_create();
    double began = now();
    int r = d ? rx_test_run(t, s->loaded.logical, s->heap, d, s->coverage, result) : -ENOMEM;
    if (r == -ENOMEM || rx_diagnostics_starved(d)) {
        rx_config_status(d, r);
        r = -ENOMEM;
    } else if (r == -EINVAL && rx_diagnostics_count(d) > 0) {
        rx_show(d);
        test_report_bad(s->report, s->file.path, t->name->text);
    } else {
        test_report_test(s->report, &s->file, t, result, now() - began);
    }
    rx_diagnostics_destroy(d);
    return r == -ENOMEM ? r : 0;
}

/* ---- one file ---- */

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

static int load_config(struct test_session *s)
{
    struct rx_paths paths = {0};
    const char **shown = shown_of(&s->file);
    if (!shown)
        return rx_config_status(NULL, -ENOMEM);
    for (size_t i = 0; s->file.configs[i]; i++)
        rx_paths_add(&paths, s->file.configs[i]);
    struct rx_load_options options = {.replay = true, .shown = shown, .rows = rx_test_file_rows, .rows_arg = &s->file};
    int status = paths.lost ? RX_EXIT_CONFIG : rx_load(&paths, &options, &s->loaded);
    if (paths.lost)
        fprintf(stderr, "rxd: %s: `config` names at most %d files\n", s->file.path, RX_PATHS_MAX);
    free(shown);
    return status;
}

/* In place of the file, whole or not at all. */
static int replace_file(const char *path, const struct rx_buffer *text)
{
    char *real = realpath(path, NULL), *beside = NULL;
    struct stat status;
    int r = real && stat(real, &status) == 0 && asprintf(&beside, "%s.XXXXXX", real) >= 0 ? 0 : -1;
    int fd = r == 0 ? mkstemp(beside) : -1;
    r = fd >= 0 && write(fd, text->data, text->length) == (ssize_t)text->length && fchmod(fd, status.st_mode) == 0 &&
                (fchown(fd, status.st_uid, status.st_gid) == 0 || errno == EPERM) && fsync(fd) == 0
            ? 0
            : -1;
    if (fd >= 0 && close(fd) != 0)
        r = -1;
    if (r == 0)
        r = rename(beside, real);
    if (r != 0)
        fprintf(stderr, "rxd: cannot write %s: %s\n", path, strerror(errno));
    if (r != 0 && fd >= 0)
        unlink(beside);
    free(beside);
    free(real);
    return r != 0;
}

/* What is written must read as a test file, or nothing is. */
static bool is_sound(const struct test_session *s, const struct rx_buffer *text)
{
    struct rx_diagnostics *d = rx_diagnostics_create();
    struct rx_test_file file = {0};
    bool sound = d && rx_test_file_parse(text->data, text->length, s->file.path, s->heap, d, &file) == 0;
    rx_test_file_finish(&file);
    rx_diagnostics_destroy(d);
    return sound;
}

static int update(struct test_session *s, const struct rx_test_result *results)
{
    struct rx_buffer text = {0};
    struct rx_error error = {0};
    size_t changed = 0;
    int r = rx_test_update(&s->file, results, s->heap, &text, &changed, &error);
    if (r == 0 && changed && !is_sound(s, &text))
        r = rx_error_set(&error, -EINVAL, "%s is left as it is: what came cannot be written into it", s->file.path);
    int status = r < 0;
    if (r < 0)
        fprintf(stderr, "rxd: %s\n", error.message);
    else if (changed)
        status = replace_file(s->file.path, &text);
    if (status == 0 && changed)
        fprintf(stderr, "rxd: %s: wrote what came in place of %zu %s\n", s->file.path, changed,
                changed == 1 ? "expectation" : "expectations");
    rx_buffer_finish(&text);
    return status;
}

static int run_all(struct test_session *s, struct rx_test_result *results)
{
    int status = 0;
    for (size_t i = 0; i < s->file.count && status == 0; i++)
        if (!s->arguments->filter || strstr(s->file.tests[i].name->text, s->arguments->filter))
            status = run_test(s, &s->file.tests[i], &results[i]) < 0;
    if (status == 0 && s->arguments->update)
        status = update(s, results);
    if (status == 0 && s->coverage)
        test_tally_add(s->tally, s->coverage);
    return status;
}

static int run_tests(struct test_session *s)
{
    struct rx_test_result *results = calloc(s->file.count + 1, sizeof *results);
    int status = results ? load_config(s) : rx_config_status(NULL, -ENOMEM);
    if (status == 0 && s->arguments->coverage && !(s->coverage = rx_test_coverage_create(s->loaded.logical)))
        status = rx_config_status(NULL, -ENOMEM);
    if (status == 0)
        status = run_all(s, results);
    for (size_t i = 0; results && i < s->file.count; i++)
        rx_test_result_finish(&results[i]);
    free(results);
    return status;
}

static int read_and_run(struct test_session *s, const char *path)
{
    struct rx_diagnostics *d = rx_diagnostics_create();
    int r = s->heap && d ? rx_test_file_read(path, s->heap, d, &s->file) : -ENOMEM;
    if (r < 0 && d)
        rx_show(d);
    int status = r < 0 ? rx_config_status(d, r) : run_tests(s);
    rx_diagnostics_destroy(d);
    return status;
}

static int run_file(const struct test_arguments *a, struct test_report *report, struct test_tally *tally,
                    const char *path, struct test_watch *watch)
{
    struct test_session s = {.arguments = a, .report = report, .tally = tally, .heap = rx_heap_create(NULL)};
    test_report_begin_file(report, path);
    int status = read_and_run(&s, path);
    if (status == RX_EXIT_CONFIG)
        test_report_bad(report, path, NULL);
    test_report_end_file(report, path);
    if (watch)
        test_watch_add(watch, path, &s);
    rx_test_coverage_destroy(s.coverage);
    rx_unload(&s.loaded);
    rx_test_file_finish(&s.file);
    rx_heap_destroy(s.heap);
    return status == RX_EXIT_CONFIG ? 0 : status;
}

/* ---- the command ---- */

int test_run_files(const struct test_arguments *a, struct test_watch *watch)
{
    struct test_report report = {.tap = a->tap, .junit = a->junit, .updating = a->update};
    struct test_tally tally = {0};
    int status = 0;
    test_report_begin(&report);
    for (size_t i = 0; i < a->file_count && status == 0; i++)
        status = run_file(a, &report, &tally, a->files[i], watch);
    if (status == 0 && a->coverage && test_tally_write(&tally, a->tap ? stderr : stdout) < 0)
        status = rx_config_status(NULL, -ENOMEM);
    test_tally_finish(&tally);
    int outcome = test_report_end(&report);
    return status ? status : outcome;
}

int rx_command_test(int argc, char **argv)
{
    struct test_arguments a = {0};
    int status = parse(argc, argv, &a);
    if (status)
        return status;
    return a.watch ? test_watch_run(&a) : test_run_files(&a, NULL);
}
