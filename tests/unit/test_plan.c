// layer: pipelines
/* Plans: the identity of steps, what they keep account of, and what planning costs. */
#include <check.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/replay.h"

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

/* Above that many panes a key the steps run on their own. */
START_TEST(windows_share_a_million_panes_at_the_most)
{
    unsigned fused = 0;
    plan_text("sources: {s: {http: {}}}\npipelines: {p: {from: s, pipe: [group_by: k, window: {size: 1000000, every: "
              "999999}, "
              "{aggregate: {n: sum(v)}, id: total}]}}\n");
    rx_plan_walk(plan->pipelines[0].graph, check_fused, &fused);
    ck_assert_uint_eq(fused, 1);
    fused = 0;
    plan_text("sources: {s: {http: {}}}\npipelines: {p: {from: s, pipe: [group_by: k, window: {size: 1000001, every: "
              "1000000}, "
              "{aggregate: {n: sum(v)}, id: total}]}}\n");
    rx_plan_walk(plan->pipelines[0].graph, check_fused, &fused);
    ck_assert_uint_eq(fused, 0);
}
END_TEST

/* ---- what planning costs ---- */

static void plan_of(struct rx_buffer *text, int count, const char *pipe)
{
    rx_buffer_clear(text);
    rx_buffer_text(text, "sources: {s: {http: {}}, t: {http: {}}}\npipelines:\n");
    for (int i = 0; i < count; i++)
        rx_buffer_printf(text, "  p%d: {from: s, pipe: %s}\n", i, pipe);
    rx_buffer_append(text, "", 1);
    plan_text(text->data);
}

START_TEST(ten_thousand_pipelines_take_100_megabytes)
{
    struct rx_buffer text = {0};
    size_t before = mallinfo2().uordblks;
    plan_of(&text, 10000, "[filter: a > 3]");
    size_t after = mallinfo2().uordblks;
    ck_assert_uint_eq(plan->pipeline_count, 10000);
    ck_assert_ptr_nonnull(rx_plan_find_pipeline(plan, "p9999"));
    ck_assert_ptr_null(rx_plan_find_pipeline(plan, "p10000"));
    ck_assert_msg(after - before < 100u << 20, "%zu KiB", (after - before) >> 10);
    rx_buffer_finish(&text);
}
END_TEST

/* Walks that follow every path would take 2^60 steps here. */
START_TEST(pipelines_that_read_two_others_are_planned_in_a_moment)
{
    struct rx_buffer text = {0};
    rx_buffer_text(&text,
                   "sources: {s: {http: {}}, t: {http: {}}}\npipelines:\n"
                   "  p0: {from: [s, t], pipe: [filter: a > 1]}\n  p1: {from: [s, p0], pipe: [filter: a > 1]}\n");
    for (int i = 2; i < 60; i++)
        rx_buffer_printf(&text, "  p%d: {from: [p%d, p%d], pipe: [filter: b%d > 1]}\n", i, i - 1, i - 2, i);
    rx_buffer_append(&text, "", 1);
    plan_text(text.data);
    ck_assert(logical->sources[0]->out.singles);
    ck_assert_uint_eq(logical->pipelines[59].order, 59);
    rx_buffer_finish(&text);
}
END_TEST

/* ---- limits ---- */

static void assert_said(const char *text, const char *message)
{
    drop_plan();
    int r = rx_forest_read_text(text, strlen(text), "rxd.yaml", 0, diagnostics, &forest);
    if (r == 0)
        r = rx_logical_create(forest, &(struct rx_logical_options){0}, diagnostics, &logical);
    ck_assert_int_lt(r, 0);
    ck_assert_msg(strstr(render(), message) != NULL, "%s", render());
}

START_TEST(a_chain_of_pipelines_has_a_bound)
{
    struct rx_buffer text = {0};
    rx_buffer_text(&text, "sources: {s: {http: {}}}\npipelines:\n  p0: {from: s}\n");
    for (int i = 1; i < RX_CHAIN_MAX; i++)
        rx_buffer_printf(&text, "  p%d: {from: p%d}\n", i, i - 1);
    rx_buffer_append(&text, "", 1);
    plan_text(text.data);
    text.length--;
    rx_buffer_printf(&text, "  last: {from: p%d}\n", RX_CHAIN_MAX - 1);
    rx_buffer_append(&text, "", 1);
    assert_said(text.data, "\"last\" is the end of more than 256 pipelines that read one another");
    rx_buffer_finish(&text);
}
END_TEST

static void many(struct rx_buffer *text, const char *head, const char *one, int count, const char *tail)
{
    rx_buffer_clear(text);
    rx_buffer_text(text, head);
    for (int i = 0; i < count; i++)
        rx_buffer_printf(text, one, i);
    rx_buffer_text(text, tail);
    rx_buffer_append(text, "", 1);
}

START_TEST(a_pipeline_has_at_most_a_thousand_steps)
{
    struct rx_buffer text = {0};
    const char *head = "sources: {s: {http: {}}}\npipelines: {p: {from: s, pipe: [";
    many(&text, head, "pairwise,", RX_STEPS_MAX - 1, "]}}\n"); /* the subscription is one too */
    plan_text(text.data);
    many(&text, head, "pairwise,", RX_STEPS_MAX, "]}}\n");
    assert_said(text.data, "a pipeline has at most 1000 steps");
    rx_buffer_finish(&text);
}
END_TEST

START_TEST(scopes_nest_sixteen_deep)
{
    struct rx_buffer text = {0};
    const char *head = "sources: {s: {http: {}}}\npipelines: {p: {from: s, pipe: [";
    many(&text, head, "group_by: k%d,", RX_SCOPES_MAX, "pairwise]}}\n");
    plan_text(text.data);
    many(&text, head, "group_by: k%d,", RX_SCOPES_MAX + 1, "pairwise]}}\n");
    assert_said(text.data, "scopes nest at most 16 deep");
    rx_buffer_finish(&text);
}
END_TEST

START_TEST(a_config_has_at_most_1024_sources)
{
    struct rx_buffer text = {0};
    many(&text, "sources:\n", "  s%d: {http: {}}\n", RX_SOURCES_MAX, "pipelines: {p: {from: s1023}}\n");
    plan_text(text.data);
    many(&text, "sources:\n", "  s%d: {http: {}}\n", RX_SOURCES_MAX + 1, "pipelines: {p: {from: s1023}}\n");
    assert_said(text.data, "a config has at most 1024 sources");
    rx_buffer_finish(&text);
}
END_TEST

START_TEST(a_step_has_at_most_fifteen_other_streams)
{
    struct rx_buffer text = {0};
    const char *head = "sources: {s: {http: {}}}\npipelines: {p: {from: s, pipe: [merge_with: [";
    many(&text, head, "s,", RX_PORTS_MAX - 1, "]]}}\n");
    plan_text(text.data);
    many(&text, head, "s,", RX_PORTS_MAX, "]]}}\n");
    assert_said(text.data, "at most 15 streams in one step");
    many(&text, "sources: {s: {http: {}}}\npipelines: {p: {from: [", "s,", RX_PORTS_MAX + 1, "]}}\n");
    assert_said(text.data, "name between 1 and 16 streams");
    rx_buffer_finish(&text);
}
END_TEST

/* ---- a delay beyond the longest wait that nobody wrote ---- */

static void keep_line(void *arg, const char *text, size_t length) { rx_buffer_append(arg, text, length); }

static uint64_t bytes_of(const char *pipe, const char *id)
{
    char text[1000];
    snprintf(text, sizeof text, "sources: {s: {http: {}}}\npipelines:\n  p:\n    from: s\n    pipe: %s\n", pipe);
    plan_text(text);
    return step_of(id)->bytes;
}

START_TEST(a_bound_counts_events_keys_and_the_scopes_around)
{
    uint64_t ten = bytes_of("[take_last: 10]", "p/take_last/1"), twenty = bytes_of("[take_last: 20]", "p/take_last/1");
    ck_assert_uint_gt(ten, 10 * 1000);
    ck_assert_uint_lt(ten, 10 * 1100);
    ck_assert_uint_eq(twenty - ten, 10 * 1024);
    uint64_t alone = bytes_of("[take_last: 10]", "p/take_last/1");
    ck_assert_uint_eq(bytes_of("[{group_by: {by: k, max_keys: 7}}, take_last: 10]", "p/take_last/1"), 7 * alone);
    ck_assert_uint_eq(
        bytes_of("[{group_by: {by: k, max_keys: 7}}, window: {size: 4s, every: 1s}, take_last: 10]", "p/take_last/1"),
        7 * 5 * alone);
    ck_assert_uint_eq(logical->pipelines[0].bytes, logical->bytes);
    uint64_t group = bytes_of("[{group_by: {by: k, max_keys: 1}}, map: v]", "p/group_by/1");
    ck_assert_uint_eq(bytes_of("[{group_by: {by: k, max_keys: 1001}}, map: v]", "p/group_by/1") - group, 1000 * 768);
}
END_TEST

START_TEST(a_bound_knows_small_events_and_full_windows)
{
    uint64_t wide = bytes_of("[take_last: 100]", "p/take_last/1");
    uint64_t narrow = bytes_of("[{map: {a: v}}, take_last: 100]", "p/take_last/1");
    ck_assert_uint_lt(narrow, wide / 2);
    ck_assert_uint_lt(bytes_of("[buffer: 3]", "p/buffer/1/to_array"), 4 * 1100);
    ck_assert_uint_gt(bytes_of("[buffer: 3s]", "p/buffer/1/to_array"), 50 * 1000 * 1000);
}
END_TEST

START_TEST(a_retry_waits_as_long_as_it_was_told)
{
    struct rx_buffer out = {0};
    struct rx_replay *replay = NULL;
    struct rx_replay_options options = {.subscriptions = true, .write = keep_line, .arg = &out};
    const char *line = "{\"at\": 0, \"source\": \"s\", \"error\": \"x\"}";
    plan_text("sources: {s: {http: {}, replay: cold}}\n"
              "pipelines: {p: {from: s, pipe: [retry: {delay: 2h, count: 1}]}}\n");
    ck_assert_int_eq(rx_replay_create(logical, &(struct rx_plan_options){0}, &options, &replay, NULL), 0);
    ck_assert_int_eq(rx_replay_line(replay, line, strlen(line), NULL), 0);
    ck_assert_int_eq(rx_replay_finish(replay, NULL), 0);
    rx_buffer_append(&out, "", 1);
    ck_assert_ptr_nonnull(strstr(out.data, "\"subscribed\":7200000"));
    rx_replay_destroy(replay);
    rx_buffer_finish(&out);
}
END_TEST

/* Bits of one word: two flags that share one are one flag. What is made of several has no number. */
START_TEST(flags_of_classes_differ)
{
    static char text[1 << 16];
    unsigned value, shift, seen = 0, count = 0;
    char name[64];
    FILE *f = fopen("core/graph/operator.h", "re");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    char *from = strstr(text, "Flags of an operator class"), *end = from ? strstr(from, "};") : NULL;
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    for (const char *at = from; (at = strstr(at, " RX_")); at++) {
        int found = sscanf(at, " RX_%63[A-Z_] = %u << %u", name, &value, &shift);
        if (found < 2)
            continue;
        value <<= found == 3 ? shift : 0;
        ck_assert_msg((value & (value - 1)) == 0 && !(seen & value), "RX_%s is another's too, %#x", name, value);
        seen |= value;
        count++;
    }
    ck_assert_uint_ge(count, 17);
    ck_assert_uint_eq(seen & (RX_TOLD_WHEN_WANTED | RX_ANY_ORDER), RX_TOLD_WHEN_WANTED | RX_ANY_ORDER);
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
    tcase_add_test(tests, windows_share_a_million_panes_at_the_most);
    tcase_add_test(tests, ten_thousand_pipelines_take_100_megabytes);
    tcase_add_test(tests, pipelines_that_read_two_others_are_planned_in_a_moment);
    tcase_add_test(tests, a_chain_of_pipelines_has_a_bound);
    tcase_add_test(tests, a_pipeline_has_at_most_a_thousand_steps);
    tcase_add_test(tests, scopes_nest_sixteen_deep);
    tcase_add_test(tests, a_config_has_at_most_1024_sources);
    tcase_add_test(tests, a_step_has_at_most_fifteen_other_streams);
    tcase_add_test(tests, a_bound_counts_events_keys_and_the_scopes_around);
    tcase_add_test(tests, a_bound_knows_small_events_and_full_windows);
    tcase_add_test(tests, a_retry_waits_as_long_as_it_was_told);
    tcase_add_test(tests, flags_of_classes_differ);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
