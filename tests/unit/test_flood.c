// layer: pipelines
/* A flood of keys under max_keys: memory stays level, each group that makes room is complete and marked partial, and the counters say
 * so. As planned and as written. And a flood of windows. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/step.h"
#include "pipelines/plan/plan.h"

/* What is planned as one step meets the flood whole; the rest a tenth of it. */
enum { KEYS = 100000, LIMIT = 1000, MANY_KEYS = 1000000, MANY_LIMIT = 10000 };

static const char *const pipes[] = {
    "[{group_by: {by: k, max_keys: 10000}}, {window: 1h}, {aggregate: {n: count(), m: max(v), a: avg(v)}}]",
    "[{group_by: {by: k, max_keys: 1000}}, {window: 1h}, {aggregate: {n: count(), m: max(v), i: increase(v)}}]",
    "[{group_by: {by: k, max_keys: 1000}}, {window: {size: 1h, every: 30m}}, {aggregate: {n: count(), q: median(v)}}]",
    "[{group_by: {by: k, max_keys: 1000}}, {window: {size: 100, every: 10}}, {aggregate: {d: count_distinct(v)}}]",
};

static struct {
    uint64_t results, partial, events, failures;
} seen;

static void on_note(void *arg, const struct rx_note *note)
{
    (void)arg;
    seen.failures += note->kind == RX_ERROR;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++) {
        const struct rx_value *n = rx_object_get_text(note->span[i].value, "n");
        seen.results++;
        seen.partial += rx_object_get_text(note->span[i].value, "partial") != NULL;
        seen.events += n ? (uint64_t)n->u.i : 0;
    }
}

static void push(struct rx_heap *heap, struct rx_hub *hub, int i)
{
    char text[80];
    struct rx_event event = {.time = RX_SEC};
    int length = snprintf(text, sizeof text, "{\"k\":\"key-%d\",\"v\":%d}", i, i);
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, text, (size_t)length, &event.value, NULL), 0);
    rx_hub_next(hub, &event, 1);
    rx_hub_next(hub, &event, 1);
    rx_event_unref(&event);
}

static uint64_t evicted(const struct rx_plan *plan)
{
    uint64_t n = 0;
    for (size_t i = 0; i < plan->logical->step_count; i++)
        n += plan->ledgers[i].keys_evicted;
    return n;
}

static struct {
    struct rx_diagnostics *diagnostics;
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_plan *plan;
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
} w;

static void begin(const char *beside, const char *pipe, bool no_fusion)
{
    char text[400];
    struct rx_logical_options checks = {.replay = true};
    struct rx_plan_options options = {.no_fusion = no_fusion};
    w.diagnostics = rx_diagnostics_create();
    w.heap = rx_heap_create(NULL);
    w.sched = rx_sched_create(RX_SEC);
    w.engine = rx_engine_create(w.heap, w.sched);
    memset(&seen, 0, sizeof seen);
    snprintf(text, sizeof text, "sources: {a: {http: {}%s}}\npipelines: {p: {from: a, pipe: %s}}\n", beside, pipe);
    ck_assert_int_eq(rx_forest_read_text(text, strlen(text), "test", 0, w.diagnostics, &w.forest), 0);
    ck_assert_int_eq(rx_logical_create(w.forest, &checks, w.diagnostics, &w.logical), 0);
    ck_assert_int_eq(rx_plan_create(w.logical, w.engine, &options, w.diagnostics, &w.plan), 0);
    rx_engine_enter(w.engine);
    rx_graph_start(w.engine, w.plan->pipelines[0].graph, on_note, NULL);
    rx_engine_leave(w.engine);
}

static void finish(void)
{
    rx_plan_destroy(w.plan);
    rx_logical_destroy(w.logical);
    rx_forest_destroy(w.forest);
    rx_engine_destroy(w.engine);
    rx_sched_destroy(w.sched);
    ck_assert_uint_eq(rx_heap_live_blocks(w.heap), 0);
    rx_heap_destroy(w.heap);
    rx_diagnostics_destroy(w.diagnostics);
}

START_TEST(a_flood_of_keys)
{
    const uint64_t keys = _i == 0 ? MANY_KEYS : KEYS, limit = _i < 2 ? MANY_LIMIT : LIMIT;
    begin("", pipes[_i / 2], _i % 2 == 1);
    size_t level = 0;
    for (int i = 0; i < (int)keys; i++) {
        push(w.heap, w.plan->sources[0].hub, i);
        if (i == (int)keys / 2)
            level = rx_heap_live_bytes(w.heap);
    }
    ck_assert_uint_eq(seen.results, seen.partial);
    ck_assert_uint_ge(seen.partial, keys - limit); /* where windows overlap each of them has its result */
    ck_assert_uint_eq(seen.events % (2 * (uint64_t)(keys - limit)), 0); /* both events of each */
    ck_assert_uint_eq(evicted(w.plan), keys - limit);
    ck_assert_msg(rx_heap_live_bytes(w.heap) < level + level / 20, "%zu bytes, and %zu half way",
                  rx_heap_live_bytes(w.heap), level);
    rx_hub_complete(w.plan->sources[0].hub);
    ck_assert_uint_gt(seen.results, seen.partial);
    finish();
}
END_TEST

static void push_at(rx_time time, int key)
{
    char text[40];
    struct rx_event event = {.time = time};
    int length = snprintf(text, sizeof text, "{\"k\":%d,\"v\":1}", key);
    ck_assert_int_eq(rx_json_decode(w.heap, NULL, NULL, text, (size_t)length, &event.value, NULL), 0);
    rx_hub_next(w.plan->sources[0].hub, &event, 1);
    rx_event_unref(&event);
}

/* More than a million instants at once, each the end of a window: the config asks for as much, and each is told. */
START_TEST(event_time_jumps_over_many_windows)
{
    begin(", event_time: {field: t}", "[{group_by: k}, {window: {size: 1000s, every: 1ms}}, {aggregate: {n: count()}}]",
          false);
    rx_hub_watermark(w.plan->sources[0].hub, 0);
    push_at(0, 1);
    push_at(500 * RX_MSEC, 2);
    ck_assert_uint_eq(seen.results, 0);
    rx_hub_watermark(w.plan->sources[0].hub, 3000 * RX_SEC);
    ck_assert_uint_eq(seen.results, 2000000);
    ck_assert_uint_eq(seen.failures, 0);
    push_at(3000 * RX_SEC, 1);
    rx_hub_complete(w.plan->sources[0].hub);
    ck_assert_uint_eq(seen.results, 3000000);
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flood");
    TCase *t = tcase_create("flood");
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);
    tcase_add_loop_test(t, a_flood_of_keys, 0, 2 * (int)(sizeof pipes / sizeof *pipes));
    tcase_add_test(t, event_time_jumps_over_many_windows);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
