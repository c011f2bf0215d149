// layer: pipelines
/* What `check` refuses although each option is right by itself: configs that would stall a worker. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/plan.h"

static const struct {
    const char *pipe;
    const char *said; /* NULL: it is accepted */
} cases[] = {
    {"[window: {size: 1000, every: 1}, count]", NULL},
    {"[window: {size: 1001, every: 1}, count]", "1001 windows would be open at once"},
    {"[window: {size: 1000000000, every: 1}, count]", "1000000000 windows would be open at once"},
    {"[window: {size: 10s, every: 10ms}, count]", NULL},
    {"[window: {size: 10s, every: 1ms}, count]", "10000 windows would be open at once"},
    {"[window: {size: 10001ms, every: 10ms}, count]", "1001 windows would be open at once"},
    {"[window: {size: 10s, every: 1ms, align: start}, count]", "10000 windows would be open at once"},
    {"[buffer: {size: 1000000, every: 1}]", "1000000 windows would be open at once"},
    {"[buffer: {size: 1, every: 1000000}]", NULL},
    {"[buffer: {size: 1s, every: 10}]", "must both be durations, or both be counts"},
    {"[window: {size: 10, every: 1s}, count]", "must both be durations, or both be counts"},
    {"[window: 1ns, count]", NULL},
    {"[window: {size: 1ms, align: start}, count]", NULL},
    {"[window: {size: 999us, align: start}, count]", "must be at least 1ms apart"},
    {"[window: {size: 999us, emit_empty: true}, count]", "must be at least 1ms apart"},
    {"[buffer: {size: 1s, every: 999us, align: start}]", "must be at least 1ms apart"},
    {"[window: {size: 100000, every: 1}, aggregate: {a: avg(v), m: max(v)}]", NULL},
    {"[group_by: k, window: {size: 10s, every: 1ms}, aggregate: {n: count()}]", NULL},
    {"[window: {size: 2000000, every: 1}, aggregate: {n: count()}]", "2000000 windows would be open at once"},
    {"[window: {size: 1001, every: 1}, aggregate: {m: median(v)}]", "1001 windows would be open at once"},
    {"[window: {size: 1001, every: 1}, filter: v > 1, aggregate: {n: count()}]", "1001 windows would be open at once"},
    {"[group_by: k, group_by: j, window: {size: 1001, every: 1}, aggregate: {n: count()}]",
     "1001 windows would be open"},
    {"[buffer: {size: 100ms, every: 999us, align: start}]", "must be at least 1ms apart"},
    {"[buffer: {size: 10, emit_empty: true}]", NULL},
    {"[sample: 1ms]", NULL},
    {"[sample: 999us]", "must be between 1ms and"},
};

static int run_plan(const struct rx_logical *logical, struct rx_diagnostics *diagnostics)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_sched *sched = rx_sched_create(0);
    struct rx_engine *engine = rx_engine_create(heap, sched);
    struct rx_plan_options options = {0};
    struct rx_plan *made = NULL;
    int r = rx_plan_create(logical, engine, &options, diagnostics, &made);
    rx_plan_destroy(made);
    rx_engine_destroy(engine);
    rx_sched_destroy(sched);
    rx_heap_destroy(heap);
    return r;
}

static int plan(const char *pipe, struct rx_buffer *said)
{
    char text[512];
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_logical_options options = {0};
    struct rx_forest *forest = NULL;
    struct rx_logical *made = NULL;
    snprintf(text, sizeof text, "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: %s}}\n", pipe);
    int r = rx_forest_read_text(text, strlen(text), "test", 0, diagnostics, &forest);
    if (r == 0)
        r = rx_logical_create(forest, &options, diagnostics, &made);
    if (r == 0)
        r = run_plan(made, diagnostics);
    rx_diagnostics_render(diagnostics, said);
    rx_diagnostics_destroy(diagnostics);
    rx_logical_destroy(made);
    rx_forest_destroy(forest);
    return r;
}

START_TEST(what_would_stall_is_refused_with_a_sentence)
{
    struct rx_buffer said = {0};
    int r = plan(cases[_i].pipe, &said);
    rx_buffer_append(&said, "", 1);
    ck_assert_msg((r == 0) == (cases[_i].said == NULL), "%s: %d\n%s", cases[_i].pipe, r, said.data);
    ck_assert_msg(!cases[_i].said || strstr(said.data, cases[_i].said), "%s\n%s", cases[_i].pipe, said.data);
    rx_buffer_finish(&said);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *t = tcase_create("limits");
    suite_add_tcase(suite, t);
    tcase_add_loop_test(t, what_would_stall_is_refused_with_a_sentence, 0, (int)(sizeof cases / sizeof *cases));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
