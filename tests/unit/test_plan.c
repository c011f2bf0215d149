// layer: pipelines
/* Plans: the identity of steps, what they keep account of, and what planning costs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/plan.h"

static struct rx_heap *heap;
static struct rx_sched *sched;
static struct rx_engine *engine;
static struct rx_diagnostics *diagnostics;
static struct rx_forest *forest;
static struct rx_logical *logical;
static struct rx_plan *plan;
static struct rx_buffer rendered;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    sched = rx_sched_create(0);
    engine = rx_engine_create(heap, sched);
    diagnostics = rx_diagnostics_create();
}

static void drop_plan(void)
{
    rx_plan_destroy(plan);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    plan = NULL;
    logical = NULL;
    forest = NULL;
}

static void tear_down(void)
{
    drop_plan();
    rx_buffer_finish(&rendered);
    rx_diagnostics_destroy(diagnostics);
    rx_engine_destroy(engine);
    rx_sched_destroy(sched);
    rx_heap_destroy(heap);
}

static const char *render(void)
{
    rx_buffer_clear(&rendered);
    rx_diagnostics_render(diagnostics, &rendered);
    rx_buffer_append(&rendered, "", 1);
    return rendered.data;
}

static void plan_text(const char *text)
{
    struct rx_plan_options options = {0};
    drop_plan();
    int r = rx_forest_read_text(text, strlen(text), "rxd.yaml", 0, diagnostics, &forest);
    if (r == 0)
        r = rx_logical_create(forest, &(struct rx_logical_options){0}, diagnostics, &logical);
    if (r == 0)
        r = rx_plan_create(logical, engine, &options, diagnostics, &plan);
    ck_assert_msg(r == 0, "%s\n%s", text, render());
}

static const struct rx_step *step_of(const char *id)
{
    for (size_t i = 0; i < logical->step_count; i++)
        if (strcmp(plan->steps[i]->id, id) == 0)
            return plan->steps[i];
    ck_abort_msg("there is no step %s", id);
    return NULL;
}

static uint64_t hash_of(const char *pipe, const char *id)
{
    char text[1000];
    snprintf(text, sizeof text, "sources: {s: {http: {}}}\npipelines:\n  p:\n    from: s\n    pipe: %s\n", pipe);
    plan_text(text);
    return step_of(id)->hash;
}

START_TEST(a_step_keeps_its_identity_when_others_come_and_go)
{
    plan_text(
        "sources: {s: {http: {}}}\n"
        "pipelines:\n"
        "  first: {from: s, pipe: [filter: a > 1]}\n"
        "  p: {from: s, pipe: [filter: a > 1, {filter: b > 1, id: loud}, buffer: 3, filter: event.size() > 1]}\n");
    ck_assert_str_eq(step_of("p/filter/1")->label, "1.filter");
    ck_assert_str_eq(step_of("p/loud")->label, "loud");
    ck_assert_str_eq(step_of("p/filter/2")->label, "4.filter");
    ck_assert_str_eq(step_of("p/buffer/1/to_array")->class->base.name, "to_array");
    ck_assert_uint_eq(step_of("p/loud")->where->at.line, 4);
    uint64_t hash = step_of("p/filter/2")->hash;
    plan_text("sources: {s: {http: {}}}\n"
              "pipelines:\n"
              "  p: {from: s, pipe: [map: event, filter: a > 1, buffer: 3, filter: event.size() > 1]}\n"
              "  later: {from: s, pipe: [filter: a > 1]}\n");
    ck_assert_uint_eq(step_of("p/filter/2")->hash, hash);
}
END_TEST

START_TEST(steps_are_numbered_densely_and_have_ids_of_their_own)
{
    plan_text("sources: {s: {http: {}}, t: {http: {}}}\n"
              "pipelines:\n"
              "  p: {from: [s, t], pipe: [group_by: k, window: 1s, aggregate: {n: count()}, pairwise]}\n"
              "  q: {from: p, pipe: [merge_with: {with: {from: s, pipe: [filter: k > 1]}}, filter: k > 2]}\n");
    for (size_t i = 0; i < logical->step_count; i++) {
        ck_assert_uint_eq(plan->steps[i]->number, i);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(plan->steps[i]->id, plan->steps[k]->id);
    }
}
END_TEST

START_TEST(what_means_the_same_has_the_same_hash)
{
    uint64_t hash = hash_of("[window: 5s, count]", "p/window/1");
    ck_assert_uint_eq(hash_of("[window: 5000ms, count]", "p/window/1"), hash);
    ck_assert_uint_eq(hash_of("[window: {size: 5s}, count]", "p/window/1"), hash);
    ck_assert_uint_eq(hash_of("[window: {align: epoch, size: 5s}, count]", "p/window/1"), hash);
    ck_assert_uint_ne(hash_of("[window: 6s, count]", "p/window/1"), hash);
    ck_assert_uint_ne(hash_of("[window: {size: 5s, align: start}, count]", "p/window/1"), hash);
    ck_assert_uint_ne(hash_of("[window: 5, count]", "p/window/1"), hash);
    hash = hash_of("[window: 5s, aggregate: {a: avg(v), n: count()}]", "p/aggregate/1");
    ck_assert_uint_ne(hash_of("[window: 5s, aggregate: {n: count(), a: avg(v)}]", "p/aggregate/1"), hash);
    ck_assert_uint_ne(hash_of("[window: 5s, aggregate: {a: avg(w), n: count()}]", "p/aggregate/1"), hash);
}
END_TEST

static void check_fused(void *arg, const struct rx_node *node, unsigned depth)
{
    (void)depth;
    if (node->step_count < 3)
        return;
    ++*(unsigned *)arg;
    ck_assert_str_eq(node->steps[0]->id, "p/group_by/1");
    ck_assert_str_eq(node->steps[1]->id, "p/window/1");
    ck_assert_str_eq(node->steps[2]->id, "p/total");
    for (unsigned i = 0; i < node->step_count; i++)
        ck_assert_ptr_eq(node->ledgers[i], &plan->ledgers[node->steps[i]->number]);
}

START_TEST(a_fused_node_names_all_its_steps)
{
    unsigned fused = 0;
    plan_text("sources: {s: {http: {}}}\n"
              "pipelines: {p: {from: s, pipe: [group_by: k, window: 1s, {aggregate: {n: sum(v)}, id: total}]}}\n");
    rx_plan_walk(plan->pipelines[0].graph, check_fused, &fused);
    ck_assert_uint_eq(fused, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_step_keeps_its_identity_when_others_come_and_go);
    tcase_add_test(tests, steps_are_numbered_densely_and_have_ids_of_their_own);
    tcase_add_test(tests, what_means_the_same_has_the_same_hash);
    tcase_add_test(tests, a_fused_node_names_all_its_steps);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
