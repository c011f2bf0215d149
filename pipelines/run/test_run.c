/* Users' tests, run. */
#include "pipelines/run/test_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/outputs_diff.h"
#include "pipelines/run/replay.h"
#include "pipelines/run/test_losses.h"
#include "pipelines/run/test_mock.h"

struct run {
    const struct rx_test *test;
    const struct rx_logical *logical;
    struct rx_diagnostics *diagnostics;
    struct rx_heap *heap;
    struct rx_test_result *result;
    struct rx_test_mock *mock;
    struct rx_test_coverage *coverage;
    struct test_losses lost;
    struct rx_buffer losses; /* what went to error streams, a line each */
    const char **expected;   /* the streams that are */
    const char **shown;      /* all pipelines and error streams, and those */
};

/* ---- before ---- */

static int check_stream(struct run *run, const struct rx_tree *key)
{
    const char *names[RX_SOURCES_MAX + 1];
    size_t n = 0;
    if (rx_logical_find_outlet(run->logical, key->text))
        return 0;
    for (size_t i = 0; i < run->logical->pipeline_count && n < RX_SOURCES_MAX; i++)
        names[n++] = run->logical->pipelines[i].name;
    names[n] = NULL;
    const char *near = rx_nearest(key->text, names);
    char hint[160] = "";
    if (near)
        snprintf(hint, sizeof hint, "did you mean \"%.100s\"?", near);
    rx_diagnosef(run->diagnostics, key, hint[0] ? hint : NULL, "there is no stream \"%.100s\" in the config",
                 key->text);
    return -EINVAL;
}

/* All pipelines run, and tell their errors. */
static size_t show_all(const struct rx_logical *logical, const char **shown)
{
    size_t n = 0;
    for (size_t i = 0; i < logical->pipeline_count; i++) {
        const struct rx_logical_pipeline *p = &logical->pipelines[i];
        shown[n++] = p->name;
        shown[n++] = p->errors.name;
        if (p->lates)
            shown[n++] = p->late.name;
    }
    return n;
}

static int name_streams(struct run *run)
{
    size_t n = run->test->expected_count;
    int r = 0;
    run->expected = calloc(n + 1, sizeof *run->expected);
    run->shown = calloc(n + run->logical->pipeline_count * 3 + 1, sizeof *run->shown);
    if (!run->expected || !run->shown)
        return -ENOMEM;
    size_t all = show_all(run->logical, run->shown);
    for (size_t i = 0; i < n; i++) {
        run->expected[i] = run->shown[all + i] = run->test->expected[i].key->text;
        if (check_stream(run, run->test->expected[i].key) < 0)
            r = -EINVAL;
    }
    return r;
}

/* ---- the run ---- */

/* A line that the replay refuses is a mistake of the file. */
static int blame_line(struct run *run, const struct rx_test_line *line, const struct rx_error *error)
{
    struct rx_error placed = *error;
    placed.at = (struct rx_place){.line = 1, .column = 1, .offset = line->offset};
    if (line->where->kind == RX_TREE_SCALAR)
        rx_diagnose_inside(run->diagnostics, line->where, &placed);
    else
        rx_diagnose(run->diagnostics, line->where, &placed);
    return -EINVAL;
}

static int feed(struct run *run, struct rx_replay *replay)
{
    const struct rx_test_input *in = &run->test->in;
    struct rx_error error = {0};
    for (size_t i = 0; i < in->count; i++) {
        int r = rx_replay_line(replay, in->lines[i].text, in->lines[i].length, &error);
        if (r == -EINVAL)
            return blame_line(run, &in->lines[i], &error);
        if (r < 0) {
            rx_buffer_printf(&run->result->report, "the run ended: %s\n", error.message);
            return r;
        }
    }
    int r = rx_replay_finish(replay, &error);
    if (r < 0)
        rx_buffer_printf(&run->result->report, "the run ended: %s\n", error.message);
    return r;
}

static void take_line(void *arg, const char *text, size_t length)
{
    struct run *run = arg;
    rx_outputs_take_line(&run->result->outputs, text, length);
    test_losses_take(&run->lost, text, length);
}

static void tell_loss(void *arg, const char *stream, uint64_t n)
{
    struct run *run = arg;
    bool expected = false;
    for (size_t i = 0; run->expected[i]; i++)
        expected = expected || strcmp(run->expected[i], stream) == 0;
    if (!expected)
        test_losses_tell(&run->lost, stream, n, &run->losses);
}

static void enter(void *arg, struct rx_world *world) { rx_test_mock_enter(((struct run *)arg)->mock, world); }

static void leave(void *arg, struct rx_world *world)
{
    struct run *run = arg;
    if (run->coverage)
        rx_test_coverage_add(run->coverage, world);
}

static int play(struct run *run)
{
    struct rx_replay_options options = {.names = run->shown,
                                        .restart = run->test->restart,
                                        .enter = enter,
                                        .leave = leave,
                                        .world_arg = run,
                                        .write = take_line,
                                        .arg = run};
    struct rx_plan_options plan_options = {.rows = rx_test_mock_rows, .rows_arg = run->mock};
    struct rx_replay *replay = NULL;
    struct rx_error error = {0};
    run->result->outputs = (struct rx_outputs){.heap = run->heap, .only = run->expected};
    int r = rx_replay_create(run->logical, &plan_options, &options, &replay, &error);
    if (r < 0)
        rx_buffer_printf(&run->result->report, "the run did not begin: %s\n", error.message);
    else
        r = feed(run, replay);
    if (r == 0)
        rx_replay_losses(replay, tell_loss, run);
    rx_replay_destroy(replay);
    if (r == 0 && (r = rx_outputs_verdict(&run->result->outputs, &error)) < 0)
        rx_buffer_printf(&run->result->report, "%s\n", error.message);
    return r;
}

/* ---- the comparison ---- */

/* What counts of what came: of values without an end, the end does not, but for an error. Shares the values. */
static int view(const struct rx_test_expectation *e, const struct rx_output_stream *came, struct rx_output_stream *ret)
{
    *ret = (struct rx_output_stream){.items = calloc(came ? came->count + 1 : 1, sizeof *ret->items)};
    if (!ret->items)
        return -ENOMEM;
    for (size_t i = 0; came && i < came->count; i++)
        if (e->ends || came->items[i].kind != RX_COMPLETE)
            ret->items[ret->count++] = came->items[i];
    return 0;
}

static struct rx_diff_options options_of(const struct rx_test *test, const struct rx_test_expectation *e,
                                         struct rx_heap *heap)
{
    return (struct rx_diff_options){.heap = heap,
                                    .words = {"expected", "came"},
                                    .flags = test->subset ? RX_PATTERN_SUBSET : 0,
                                    .untimed = e->untimed,
                                    .tick = test->tick,
                                    .legend = &test->legend,
                                    .indent = "  "};
}

static const struct rx_output_stream *came_of(const struct rx_test_result *result, const struct rx_test_expectation *e)
{
    return rx_outputs_stream((struct rx_outputs *)(uintptr_t)&result->outputs, e->key->text, false);
}

bool rx_test_expectation_holds(const struct rx_test *test, const struct rx_test_expectation *e,
                               const struct rx_test_result *result, struct rx_heap *heap)
{
    struct rx_diff_options options = options_of(test, e, heap);
    struct rx_output_stream came;
    bool holds = view(e, came_of(result, e), &came) == 0 && rx_outputs_same(&e->stream, &came, &options);
    free(came.items);
    return holds;
}

static int compare(struct run *run, const struct rx_test_expectation *e)
{
    struct rx_diff_options options = options_of(run->test, e, run->heap);
    struct rx_buffer *report = &run->result->report;
    struct rx_output_stream came;
    if (view(e, came_of(run->result, e), &came) < 0)
        return -ENOMEM;
    if (!rx_outputs_same(&e->stream, &came, &options)) {
        run->result->passed = false;
        rx_buffer_printf(report, "%s\n", e->key->text);
        rx_outputs_diff(&e->stream, &came, &options, report);
    }
    free(came.items);
    return 0;
}

int rx_test_run(const struct rx_test *test, const struct rx_logical *logical, struct rx_heap *heap,
                struct rx_diagnostics *diagnostics, struct rx_test_coverage *coverage, struct rx_test_result *ret)
{
    struct run run = {.test = test,
                      .logical = logical,
                      .diagnostics = diagnostics,
                      .heap = heap,
                      .result = ret,
                      .coverage = coverage,
                      .lost = {.heap = heap, .firsts = {.heap = heap}}};
    *ret = (struct rx_test_result){.passed = true};
    int r = name_streams(&run);
    if (r == 0)
        r = rx_test_mock_create(test, logical, heap, diagnostics, &run.mock);
    if (r == 0)
        r = play(&run);
    for (size_t i = 0; i < test->expected_count && r == 0; i++)
        r = compare(&run, &test->expected[i]);
    ret->passed = ret->passed && r == 0;
    ret->ran = r == 0;
    if (!ret->passed && run.losses.length)
        rx_buffer_append(&ret->report, run.losses.data, run.losses.length);
    rx_buffer_finish(&run.losses);
    test_losses_finish(&run.lost);
    rx_test_mock_destroy(run.mock);
    free(run.expected);
    free(run.shown);
    ret->outputs.only = NULL;
    return r == 0 && ret->report.failed ? -ENOMEM : r;
}

void rx_test_result_finish(struct rx_test_result *result)
{
    rx_buffer_finish(&result->report);
    rx_outputs_finish(&result->outputs);
}
