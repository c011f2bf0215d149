// layer: pipelines
/* A flood of keys under max_keys: memory stays level, each group that makes room is complete and marked partial, and the counters say
 * so. As planned and as written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/step.h"
#include "pipelines/plan/plan.h"

enum { KEYS = 100000, LIMIT = 1000, HALF = KEYS / 2 };

static const char *const pipes[] = {
    "[{group_by: {by: k, max_keys: 1000}}, {window: 1h}, {aggregate: {n: count(), m: max(v), i: increase(v)}}]",
    "[{group_by: {by: k, max_keys: 1000}}, {window: {size: 1h, every: 30m}}, {aggregate: {n: count(), q: median(v)}}]",
    "[{group_by: {by: k, max_keys: 1000}}, {window: {size: 100, every: 10}}, {aggregate: {n: count(), d: "
    "count_distinct(v)}}]",
};

static struct {
    uint64_t results, partial, events;
} seen;

static void on_note(void *arg, const struct rx_note *note)
{
    (void)arg;
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

START_TEST(a_flood_of_keys)
{
    char text[400];
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_logical_options checks = {.replay = true};
    struct rx_plan_options options = {.no_fusion = _i % 2 == 1};
    struct rx_forest *forest = NULL;
    struct rx_logical *logical = NULL;
    struct rx_plan *plan = NULL;
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_sched *sched = rx_sched_create(RX_SEC);
    struct rx_engine *engine = rx_engine_create(heap, sched);
    memset(&seen, 0, sizeof seen);
    snprintf(text, sizeof text, "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: %s}}\n", pipes[_i / 2]);
    ck_assert_int_eq(rx_forest_read_text(text, strlen(text), "test", 0, diagnostics, &forest), 0);
    ck_assert_int_eq(rx_logical_create(forest, &checks, diagnostics, &logical), 0);
    ck_assert_int_eq(rx_plan_create(logical, engine, &options, diagnostics, &plan), 0);
    rx_engine_enter(engine);
    struct rx_instance *instance = rx_graph_start(engine, plan->pipelines[0].graph, on_note, NULL);
    rx_engine_leave(engine);
    size_t level = 0;
    for (int i = 0; i < KEYS; i++) {
        push(heap, plan->sources[0].hub, i);
        if (i == HALF)
            level = rx_heap_live_bytes(heap);
    }
    ck_assert_uint_eq(seen.results, seen.partial);
    ck_assert_uint_ge(seen.partial, KEYS - LIMIT); /* where windows overlap each of them has its result */
    ck_assert_uint_eq(seen.events % (2 * (uint64_t)(KEYS - LIMIT)), 0); /* both events of each */
    ck_assert_uint_eq(evicted(plan), KEYS - LIMIT);
    ck_assert_msg(rx_heap_live_bytes(heap) < level + level / 20, "%zu bytes, and %zu half way",
                  rx_heap_live_bytes(heap), level);
    rx_hub_complete(plan->sources[0].hub);
    ck_assert_uint_gt(seen.results, seen.partial);
    (void)instance;
    rx_plan_destroy(plan);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    rx_engine_destroy(engine);
    rx_sched_destroy(sched);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
    rx_diagnostics_destroy(diagnostics);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flood");
    TCase *t = tcase_create("flood");
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);
    tcase_add_loop_test(t, a_flood_of_keys, 0, 2 * (int)(sizeof pipes / sizeof *pipes));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
