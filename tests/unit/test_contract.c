// layer: pipelines
/* The Rx contract, held against every operator of the registry, and against a few chains: the grammar, no overlap, silence
 * after the end and after cancel, the upstream released, nothing leaked, and a saved state that goes on as if nothing
 * had happened. Each runs its own example. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/plan.h"
#include "pipelines/plan/registry.h"

enum { EVENTS = 60, STEP_MS = 130 };

static const char *const chains[] = {
    "[group_by: device, window: 1s, aggregate: {n: count(), top: max(value)}]",
    "[group_by: device, window: {size: 2s, every: 500ms}, aggregate: {n: count()}]",
    "[group_by: {by: device, max_keys: 2}, window: 1s, aggregate: {n: count()}]",
    "[group_by: {by: device, idle: 300ms}, scan: acc, merge, pairwise]",
    "[window: {size: 1s, align: start, emit_empty: true}, count]",
    "[window: {size: 3, every: 2}, map: value, to_array]",
    "[buffer: {size: 1s, max: 3, align: start}, delay: 200ms]",
    "[{map: 10 / (value - 3), on_error: fail}, retry: {count: 2, delay: 100ms}]",
    "[merge_with: [prices, other_sensors], debounce: 200ms, take: 5]",
    "[distinct, log: '{metric}', distinct_until_changed]",
    "[log, group_by: device, with_latest_from: prices, window: 1s, to_array]",
    "[delay: 300ms, throttle: {for: 400ms, trailing: true}, distinct_until_changed: device]",
};
enum { CHAINS = sizeof chains / sizeof *chains };

/* One run of a pipeline on an engine of its own. */
struct run {
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_plan *plan;
    struct rx_instance *instance;
    struct rx_buffer out;
    unsigned notes, ends, cancel_after;
    bool inside, cancelled;
    bool pruned; /* events hold what the plan says that the source must decode, and no more */
};

static const char *behind = ""; /* one more step behind those of the case */

static size_t operator_count(void)
{
    size_t n = 0;
    while (rx_registry_operators()[n])
        n++;
    return n;
}

/* NULL: not a step that a user writes. */
static const char *pipe_of(int i, char *out, size_t size)
{
    if ((size_t)i >= operator_count())
        return chains[(size_t)i - operator_count()];
    const struct rx_operator_class *class = rx_registry_operators()[i];
    if (class->base.flags & RX_INTERNAL)
        return NULL;
    bool closes = class->base.flags & RX_CLOSES_SCOPE;
    snprintf(out, size, "[%s%s]", closes ? "group_by: device, " : "",
             class->base.example ? class->base.example : class->base.name);
    return out;
}

static bool run_init(struct run *r, int which, bool no_fusion)
{
    char pipe[512], text[2048];
    const char *steps = pipe_of(which, pipe, sizeof pipe);
    if (!steps)
        return false;
    memset(r, 0, sizeof *r);
    size_t length = strlen(steps);
    snprintf(text, sizeof text,
             "sources: {a: {http: {}}, prices: {http: {}}, other_sensors: {http: {}}}\n"
             "pipelines:\n  out:\n    from: a\n    pipe: %.*s%s%s]\n",
             (int)length - 1, steps, *behind ? ", " : "", behind);
    r->heap = rx_heap_create(NULL);
    r->sched = rx_sched_create(0);
    r->engine = rx_engine_create(r->heap, r->sched);
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_logical_options replay = {.replay = true};
    struct rx_plan_options options = {.no_fusion = no_fusion};
    int result = rx_forest_read_text(text, strlen(text), "test", 0, diagnostics, &r->forest);
    if (result == 0)
        result = rx_logical_create(r->forest, &replay, diagnostics, &r->logical);
    if (result == 0)
        result = rx_plan_create(r->logical, r->engine, &options, diagnostics, &r->plan);
    struct rx_buffer said = {0};
    rx_diagnostics_render(diagnostics, &said);
    ck_assert_msg(result == 0, "%s\n%.*s", text, (int)said.length, said.data);
    rx_buffer_finish(&said);
    rx_diagnostics_destroy(diagnostics);
    return true;
}

static void on_note(void *arg, const struct rx_note *note)
{
    struct run *r = arg;
    ck_assert_msg(!r->inside, "a notification inside another");
    ck_assert_msg(r->ends == 0, "a notification after the end");
    ck_assert_msg(!r->cancelled, "a notification after cancel");
    r->inside = true;
    r->notes++;
    rx_buffer_printf(&r->out, "%lld ", (long long)rx_sched_now(r->sched));
    for (size_t i = 0; i < note->count && note->kind == RX_NEXT; i++)
        rx_json_write(&r->out, note->span[i].value);
    rx_buffer_text(&r->out, note->kind == RX_NEXT ? "\n" : note->kind == RX_ERROR ? "error\n" : "complete\n");
    r->ends += note->kind != RX_NEXT;
    if (note->kind != RX_NEXT)
        r->instance = NULL;
    r->inside = false;
    /* What comes while it is still being started has nothing to cancel yet. */
    if (r->cancel_after && r->notes >= r->cancel_after && r->instance && note->kind == RX_NEXT) {
        r->cancelled = true;
        rx_graph_stop(r->instance);
        r->instance = NULL;
    }
}

static void begin(struct run *r)
{
    rx_engine_enter(r->engine);
    struct rx_instance *instance = rx_graph_start(r->engine, r->plan->pipelines[0].graph, on_note, r);
    if (!r->ends)
        r->instance = instance;
    rx_engine_leave(r->engine);
}

static void run_finish(struct run *r)
{
    rx_graph_stop(r->instance);
    rx_buffer_finish(&r->out);
    rx_plan_destroy(r->plan);
    rx_logical_destroy(r->logical);
    rx_forest_destroy(r->forest);
    rx_engine_destroy(r->engine);
    ck_assert_uint_eq(rx_sched_armed(r->sched), 0);
    rx_sched_destroy(r->sched);
    ck_assert_uint_eq(rx_heap_live_blocks(r->heap), 0);
    rx_heap_destroy(r->heap);
}

static int event_text(int i, char *json, size_t size)
{
    return snprintf(json, size,
                    "{\"device\":\"d%d\",\"city\":\"c%d\",\"metric\":\"temperature\",\"value\":%d,\"avg\":%d.5,"
                    "\"text\":\"x\",\"unit\":\"C\"}",
                    i % 3, i % 2, i * 7 % 11, i % 5);
}

static void push(struct run *r, int i)
{
    char json[200];
    const struct rx_plan_source *source = &r->plan->sources[i % 5 == 4 ? 1 : i % 7 == 6 ? 2 : 0];
    struct rx_event event = {.time = rx_sched_now(r->sched)};
    int length = event_text(i, json, sizeof json);
    ck_assert_int_eq(
        rx_json_decode(r->heap, r->pruned ? source->fields : NULL, NULL, json, (size_t)length, &event.value, NULL), 0);
    rx_hub_next(source->hub, &event, 1);
    rx_value_unref(event.value);
}

static void drive(struct run *r, int from, int to)
{
    for (int i = from; i < to; i++) {
        ck_assert_int_ge(rx_sched_run_until(r->sched, (rx_time)i * STEP_MS * RX_MSEC, false), 0);
        push(r, i);
        ck_assert_int_ge(rx_sched_run_until(r->sched, (rx_time)i * STEP_MS * RX_MSEC, true), 0);
    }
}

static size_t listeners(const struct run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->plan->source_count; i++)
        n += rx_hub_subscribers(r->plan->sources[i].hub);
    return n;
}

/* How often the sources must complete until the end: `repeat: {count: 3}` begins anew twice. */
static unsigned completions(const struct run *r)
{
    const struct rx_subgraph *graph = r->plan->pipelines[0].graph;
    for (size_t i = 0; i < graph->count; i++)
        if (strcmp(graph->nodes[i].class->base.name, "repeat") == 0)
            return 3;
    return 1;
}

static void complete_all(struct run *r)
{
    for (unsigned round = completions(r); round > 0; round--) {
        for (size_t i = 0; i < r->plan->source_count; i++)
            rx_hub_complete(r->plan->sources[i].hub);
        ck_assert_int_ge(rx_sched_run_until(r->sched, rx_sched_now(r->sched) + 3600 * RX_SEC, true), 0);
    }
}

START_TEST(completion_ends_it_once_and_releases_everything)
{
    struct run r;
    if (!run_init(&r, _i, false))
        return;
    begin(&r);
    drive(&r, 0, EVENTS);
    complete_all(&r);
    ck_assert_uint_eq(r.ends, 1);
    ck_assert_uint_eq(listeners(&r), 0);
    unsigned notes = r.notes;
    drive(&r, EVENTS, EVENTS + 5);
    ck_assert_uint_eq(r.notes, notes);
    run_finish(&r);
}
END_TEST

START_TEST(an_error_goes_through_or_is_answered_by_a_new_subscription)
{
    struct run r;
    struct rx_error error;
    if (!run_init(&r, _i, false))
        return;
    begin(&r);
    drive(&r, 0, EVENTS / 2);
    if (r.ends) {
        run_finish(&r);
        return;
    }
    rx_error_set(&error, -5, "broken");
    rx_hub_error(r.plan->sources[0].hub, &error);
    rx_sched_run_until(r.sched, rx_sched_now(r.sched) + 10 * RX_SEC, true);
    ck_assert_msg(r.ends == 1 || listeners(&r) > 0, "neither ended nor subscribed anew");
    if (r.ends)
        ck_assert_uint_eq(listeners(&r), 0);
    run_finish(&r);
}
END_TEST

START_TEST(cancel_inside_a_notification_is_silence_from_then_on)
{
    for (unsigned after = 1; after <= 9; after += 4) {
        struct run r;
        if (!run_init(&r, _i, after == 5))
            return;
        r.cancel_after = after;
        begin(&r);
        drive(&r, 0, EVENTS);
        if (r.cancelled)
            ck_assert_uint_eq(listeners(&r), 0);
        complete_all(&r);
        run_finish(&r);
    }
}
END_TEST

START_TEST(cancel_from_outside_releases_the_upstream_and_the_timers)
{
    struct run r;
    if (!run_init(&r, _i, false))
        return;
    begin(&r);
    drive(&r, 0, EVENTS / 3);
    rx_graph_stop(r.instance);
    r.instance = NULL;
    r.cancelled = true;
    ck_assert_uint_eq(listeners(&r), 0);
    drive(&r, EVENTS / 3, EVENTS);
    complete_all(&r);
    run_finish(&r);
}
END_TEST

/* The ledger of each step: what came in is accounted for once. */
static void check_ledgers(const struct rx_plan *plan)
{
    for (size_t k = 0; k < plan->logical->step_count; k++) {
        const struct rx_ledger *l = &plan->ledgers[k];
        uint64_t sum = (uint64_t)l->held;
        for (int i = 0; i < RX_ACCOUNTS; i++)
            sum += i == RX_ABSENT ? 0 : l->accounts[i];
        ck_assert_msg(sum == l->in, "%s: %llu came in, %llu accounted for", plan->steps[k]->id,
                      (unsigned long long)l->in, (unsigned long long)sum);
    }
}

START_TEST(every_event_is_accounted_for_in_mid_stream_and_at_the_end)
{
    for (int fused = 0; fused < 2; fused++) {
        struct run r;
        if (!run_init(&r, _i, !fused))
            return;
        begin(&r);
        drive(&r, 0, EVENTS / 2);
        check_ledgers(r.plan);
        drive(&r, EVENTS / 2, EVENTS);
        rx_graph_stop(r.instance);
        r.instance = NULL;
        check_ledgers(r.plan);
        run_finish(&r);
    }
}
END_TEST

/* A step keeps the same account whether it runs alone or in one node with others. */
START_TEST(fused_steps_keep_the_accounts_of_single_ones)
{
    struct run fused, single;
    if (!run_init(&fused, _i, false) || !run_init(&single, _i, true))
        return;
    begin(&fused);
    begin(&single);
    drive(&fused, 0, EVENTS);
    drive(&single, 0, EVENTS);
    complete_all(&fused);
    complete_all(&single);
    for (size_t k = 0; k < single.logical->step_count; k++) {
        const struct rx_step *step = single.plan->steps[k];
        if (step->class->base.flags & RX_INTERNAL)
            continue;
        const struct rx_ledger *a = &single.plan->ledgers[k], *b = &fused.plan->ledgers[k];
        ck_assert_str_eq(fused.plan->steps[k]->id, step->id);
        ck_assert_msg(memcmp(a, b, sizeof *a) == 0, "%s: alone in %llu out %llu, fused in %llu out %llu", step->id,
                      (unsigned long long)a->in, (unsigned long long)a->out, (unsigned long long)b->in,
                      (unsigned long long)b->out);
    }
    run_finish(&fused);
    run_finish(&single);
}
END_TEST

static char *whole_run(int which, bool no_fusion, bool pruned)
{
    struct run r;
    if (!run_init(&r, which, no_fusion))
        return NULL;
    r.pruned = pruned;
    begin(&r);
    drive(&r, 0, EVENTS);
    complete_all(&r);
    char *text = strndup(r.out.data ? r.out.data : "", r.out.length);
    run_finish(&r);
    return text;
}

/* Stops after `cut` events, saves, loads on a new engine at the same time, and goes on. */
static char *interrupted_run(int which, bool no_fusion, int cut)
{
    struct run first, second;
    struct rx_writer saved = {0};
    run_init(&first, which, no_fusion);
    begin(&first);
    drive(&first, 0, cut);
    if (!first.instance) {
        run_finish(&first);
        return NULL;
    }
    ck_assert_int_eq(rx_instance_save(first.instance, &saved), 0);
    run_init(&second, which, no_fusion);
    rx_buffer_append(&second.out, first.out.data, first.out.length);
    rx_sched_run_until(second.sched, rx_sched_now(first.sched), true);
    struct rx_reader reader = {
        .data = (const unsigned char *)saved.buffer.data, .length = saved.buffer.length, .heap = second.heap};
    second.instance = rx_graph_load(second.engine, second.plan->pipelines[0].graph, on_note, &second, &reader);
    ck_assert_msg(second.instance && reader.position == reader.length, "what was saved does not load");
    drive(&second, cut, EVENTS);
    complete_all(&second);
    char *text = strndup(second.out.data ? second.out.data : "", second.out.length);
    rx_buffer_finish(&saved.buffer);
    run_finish(&first);
    run_finish(&second);
    return text;
}

/* ---- what a class says of itself ---- */

START_TEST(what_is_not_decoded_is_not_missed)
{
    static const char *const readers[] = {"", "map: \"coalesce(device, 0)\"", "filter: \"coalesce(value, 0) != 3\"",
                                          "aggregate: {n: count()}"};
    for (size_t k = 0; k < sizeof readers / sizeof *readers; k++) {
        behind = readers[k];
        char *whole = whole_run(_i, false, false), *pruned = whole_run(_i, false, true);
        ck_assert_msg(!whole || strcmp(pruned, whole) == 0, "case %d with %s:\n%.200s\nand not\n%.200s", _i, readers[k],
                      pruned, whole);
        free(whole);
        free(pruned);
    }
    behind = "";
}
END_TEST

static bool was_pushed(const char *value)
{
    char json[200];
    for (int i = 0; i < EVENTS; i++) {
        event_text(i, json, sizeof json);
        if (strcmp(json, value) == 0)
            return true;
    }
    return false;
}

static void check_passed(const char *out, const char *class)
{
    for (const char *line = out, *end; (end = strchr(line, '\n')); line = end + 1) {
        const char *value = memchr(line, '{', (size_t)(end - line));
        char copy[400];
        if (!value)
            continue;
        snprintf(copy, sizeof copy, "%.*s", (int)(end - value), value);
        ck_assert_msg(was_pushed(copy), "%s passes events as they are, it says, and put out %s", class, copy);
    }
}

START_TEST(a_class_says_the_truth_of_itself)
{
    struct run r;
    if ((size_t)_i >= operator_count() || !run_init(&r, _i, false))
        return;
    const struct rx_logical_graph *graph = r.logical->pipelines[0].graph;
    const struct rx_logical_node *exit = &graph->nodes[graph->count - 1];
    const struct rx_facts *facts = &exit->step->facts;
    begin(&r);
    drive(&r, 0, EVENTS);
    ck_assert_msg(facts->ends_early || r.ends == 0, "%s ended before its input", exit->step->id);
    ck_assert_msg(!facts->spans || !facts->ends_early, "%s takes spans and ends early", exit->step->id);
    complete_all(&r);
    if (facts->output == RX_OUTPUT_PASSES && exit->input_count == 1)
        check_passed(strndupa(r.out.data ? r.out.data : "", r.out.length), exit->step->id);
    if (facts->reduces)
        ck_assert_uint_le(r.notes, 2);
    run_finish(&r);
}
END_TEST

START_TEST(a_saved_state_goes_on_as_if_nothing_had_happened)
{
    for (int fused = 0; fused < 2; fused++) {
        char *whole = whole_run(_i, !fused, false);
        for (int cut = 1; whole && cut < EVENTS; cut += 7) {
            char *interrupted = interrupted_run(_i, !fused, cut);
            if (interrupted)
                ck_assert_str_eq(interrupted, whole);
            free(interrupted);
        }
        free(whole);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("contract");
    TCase *t = tcase_create("contract");
    int n = (int)operator_count() + CHAINS;
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, completion_ends_it_once_and_releases_everything, 0, n);
    tcase_add_loop_test(t, an_error_goes_through_or_is_answered_by_a_new_subscription, 0, n);
    tcase_add_loop_test(t, cancel_inside_a_notification_is_silence_from_then_on, 0, n);
    tcase_add_loop_test(t, cancel_from_outside_releases_the_upstream_and_the_timers, 0, n);
    tcase_add_loop_test(t, every_event_is_accounted_for_in_mid_stream_and_at_the_end, 0, n);
    tcase_add_loop_test(t, what_is_not_decoded_is_not_missed, 0, n);
    tcase_add_loop_test(t, a_class_says_the_truth_of_itself, 0, n);
    tcase_add_loop_test(t, fused_steps_keep_the_accounts_of_single_ones, 0, n);
    tcase_add_loop_test(t, a_saved_state_goes_on_as_if_nothing_had_happened, 0, n);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
