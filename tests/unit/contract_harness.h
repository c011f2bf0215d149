/* One run of any operator's own example, or of a chain, on an engine of its own: what the contract's tests have in common. */
#ifndef CONTRACT_HARNESS_H
#define CONTRACT_HARNESS_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/request.h"
#include "pipelines/plan/plan.h"
#include "pipelines/plan/registry.h"

enum { EVENTS = 60, STEP_MS = 130 };

static const char *const chains[] = {
    "[group_by: device, window: 1s, aggregate: {n: count(), top: max(value)}]",
    "[group_by: device, window: {size: 2s, every: 500ms}, aggregate: {n: count()}]",
    "[group_by: {by: device, max_keys: 2}, window: 1s, aggregate: {n: count()}]",
    "[group_by: {by: device, idle: 300ms}, scan: acc, merge, pairwise]",
    "[group_by: {by: device, duration: 700ms, expect: [d1]}, scan: acc, merge, pairwise]",
    "[distinct: {key: device, ttl: 500ms, max_keys: 3, flush: prices}]",
    "[{timeout: {first: 2s, after: {from: prices, pipe: [skip: 1]}, with: other_sensors}}, pairwise]",
    "[window: {size: 1s, align: start, emit_empty: true}, count]",
    "[window: {size: 3, every: 2}, map: value, to_array]",
    "[buffer: {size: 1s, max: 3, align: start}, delay: 200ms]",
    "[group_by: device, window: {session: 500ms, max: 1s}, aggregate: {n: count()}]",
    "[window: {opening: prices, closing: {from: other_sensors, pipe: [{take: 1}]}}, to_array]",
    "[window: {size: 500ms, every: event}, {map: value}, to_array]",
    "[buffer: {latest_by: device, boundary: prices, max_events: 3}]",
    "[window: {close_when: value > 5, emit: 300ms}, {aggregate: {n: count(), last: last(value)}}]",
    "[{map: 10 / (value - 3), on_error: fail}, retry: {count: 2, delay: 100ms}]",
    "[merge_with: [prices, other_sensors], debounce: 200ms, take: 5]",
    "[merge_with: {with: {again: {from: a, pipe: [map: event]}}}]",
    "[{flat_map: {from: prices, pipe: [{take: 2}, {set: {of: outer.device}}]}}]",
    "[{concat_map: {from: prices, queue: 3, pipe: [{take: 2}, {set: {of: outer.device}}]}}]",
    "[{switch_map: {from: prices, pipe: [{take: 3}]}}]",
    "[{exhaust_map: {from: prices, pipe: [{take: 2}]}}]",
    "[{expand: {from: prices, pipe: [{filter: outer.value > 3}, {map: {value: outer.value / 2}}], queue: 4, "
    "concurrency: 5}}]",
    "[{delay_when: {from: prices, max: 4, pipe: [{filter: outer.value > 3}]}}]",
    "[{debounce: {with: {from: prices, pipe: [{filter: outer.value > 3}]}}}]",
    "[group_by: device, {throttle: {trailing: true, with: {from: prices, pipe: [{skip: 1}]}}}, merge, audit: {with: "
    "other_sensors}]",
    "[distinct, log: '{metric}', distinct_until_changed]",
    "[join: {with: {p: prices}, by: {d: {p: device, main: device}}, within: {before: 1s, after: 300ms}, kind: full, "
    "max_held: 4}]",
    "[group_by: city, window: 1s, aggregate: {n: count()}, merge, join: {with: {p: {from: prices, pipe: [group_by: "
    "city, window: 1s, count]}, o: {from: other_sensors, pipe: [group_by: city, window: 1s, to_array]}}, by: [city, "
    "window], kind: full, max_held: 8}]",
    "[join: {with: {p: prices, o: other_sensors}, by: city, kind: full, max_held: 6}]",
    "[log, group_by: device, with_latest_from: prices, window: 1s, to_array]",
    "[group_by: device, window: {size: 2s, every: 500ms}, aggregate: {i: increase(value), t: time_avg(value), e: "
    "'ewma(value, 0.5)'}]",
    "[window: 1s, aggregate: {m: median(value), d: count_distinct(text), c: 'collect(text, 3)', t: 'top(2, value, "
    "text)', v: stddev(value)}]",
    "[group_by: device, {aggregate: {n: count(), m: max(value)}, emit: 500ms}]",
    "[{aggregate: {n: count(), m: max(value)}, emit: updates}]",
    "[window: {size: 5, every: 2}, aggregate: {n: count(), v: variance(value)}]",
    "[parallel: {by: device, lanes: 2}, set: {double: value * 2}, group_by: device, window: 1s, aggregate: {s: "
    "sum(double)}]",
    "[parallel: city, group_by: [device, city], {debounce: 200ms}, merge, merge, scan: acc]",
    "[{http: {post: 'http://127.0.0.1/{value}', mode: concat, retry: {count: 1, delay: 300ms}, queue: 5}}]",
    "[group_by: device, {http: {get: 'http://{text}/{value}', into: r, mode: switch, concurrency: 2, timeout: 150ms}}]",
    "[group_by: city, {http: {get: 'http://127.0.0.1/{value}', into: r, ordered: true, concurrency: 2, breaker: "
    "{failures: 2, cooldown: 1s}}}, merge, pairwise]",
    "[{http: {put: 'http://127.0.0.1/{value}', body: {d: '{device}'}, mode: exhaust}, on_error: 'null'}]",
    "[{http: {get: 'http://127.0.0.1/{value}', into: r, cache: {ttl: 2s, max: 3}, concurrency: 2}}]",
    "[group_by: device, {http: {post: 'http://127.0.0.1/{city}', into: r, batch: {count: 3, every: 700ms}, mode: "
    "concat, "
    "retry: {count: 1, delay: 100ms}}}]",
    "[{http: {post: 'http://127.0.0.1/{city}', batch: {count: 4, every: 500ms}, mode: switch}}]",
    "[{http: {post: 'http://127.0.0.1/{unit}', body: '{value}', batch: 2, mode: exhaust, ordered: true, queue: 5}}]",
    "[delay: 300ms, throttle: {for: 400ms, trailing: true}, distinct_until_changed: device]",
};
enum { CHAINS = sizeof chains / sizeof *chains };

/* How a run is made; zeroed: as the planner would, all fields decoded. */
struct variant {
    bool no_fusion;
    bool pruned; /* events hold what the plan says that the source must decode, and no more */
    struct rx_heap_limits limits;
    unsigned sequence; /* that the scheduler's numbers begin later by */
};

/* One run of a pipeline on an engine of its own. */
struct run {
    struct variant variant;
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
};

static const char *behind = ""; /* one more step behind those of the case */

static inline size_t operator_count(void)
{
    size_t n = 0;
    while (rx_registry_operators()[n])
        n++;
    return n;
}

/* NULL: not a step that a user writes, or none that another may stand behind. */
static const char *pipe_of(int i, char *out, size_t size)
{
    if ((size_t)i >= operator_count())
        return chains[(size_t)i - operator_count()];
    const struct rx_operator_class *class = rx_registry_operators()[i];
    if (class->base.flags & RX_INTERNAL || (*behind && class->base.flags & RX_ENDS_PIPE))
        return NULL;
    if (class->base.flags & RX_CREATES) {
        snprintf(out, size, "[{with_latest_from: {with: {x: {%s, pipe: [{catch: {value: 0}}]}}}}]",
                 class->base.example);
        return out;
    }
    if (class->base.flags & RX_BEGINS)
        return class->base.example;
    bool closes = class->base.flags & RX_CLOSES_SCOPE, lanes = class->base.flags & RX_OPENS_LANES;
    snprintf(out, size, "[%s%s%s]", closes ? "group_by: device, " : "",
             class->base.example ? class->base.example : class->base.name, lanes && *behind ? ", merge" : "");
    return out;
}

/* The outside: each is answered after a while, and some not well; by the URL, so that it is the same in every run. */
static inline int answer_by_url(void *arg, struct rx_call *call, struct rx_error *reterr)
{
    struct rx_request request;
    struct run *r = arg;
    if (!rx_request_read(call->request, &request) || request.url.aux == 0)
        return rx_error_set(reterr, -EINVAL, "no request"); /* of a damaged state */
    unsigned last = (unsigned char)request.url.u.text[request.url.aux - 1] % 10u;
    struct rx_value items[] = {rx_int(1), rx_int(2), rx_int(3)}; /* to a batch of three */
    struct rx_value body = strcmp(request.method, "POST") == 0 ? rx_list_take(r->heap, items, 3) : rx_int(last);
    struct rx_reply reply = {.status = last == 3 ? 503 : last == 4 ? 404 : 200, .body = body};
    struct rx_value answer = rx_reply_value(r->heap, &reply);
    rx_value_unref(body);
    int result = rx_call_answer_later(call, (rx_time)(50 + 40 * last) * RX_MSEC, answer);
    rx_value_unref(answer);
    return result;
}

static inline bool run_init_variant(struct run *r, int which, const struct variant *variant)
{
    char pipe[512], text[2048];
    const char *steps = pipe_of(which, pipe, sizeof pipe);
    if (!steps)
        return false;
    memset(r, 0, sizeof *r);
    size_t length = strlen(steps);
    bool begins = steps[0] != '[';
    snprintf(text, sizeof text,
             "sources: {a: {http: {}}, prices: {http: {}}, other_sensors: {http: {}}}\n"
             "pipelines: {out: {%s, pipe: %.*s%s%s]}}\n",
             begins ? steps : "from: a", begins ? 1 : (int)length - 1, begins ? "[" : steps,
             *behind && !begins ? ", " : "", behind);
    r->variant = *variant;
    r->heap = rx_heap_create(&variant->limits);
    r->sched = rx_sched_create(0);
    for (unsigned i = 0; i < variant->sequence; i++)
        rx_sched_reserve(r->sched);
    r->engine = rx_engine_create(r->heap, r->sched);
    r->engine->caller = (struct rx_caller){.begin = answer_by_url, .arg = r};
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_logical_options replay = {.replay = true};
    struct rx_plan_options options = {.no_fusion = variant->no_fusion};
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

static inline bool run_init(struct run *r, int which, bool no_fusion)
{
    return run_init_variant(r, which, &(struct variant){.no_fusion = no_fusion});
}

static inline void on_note(void *arg, const struct rx_note *note)
{
    struct run *r = arg;
    ck_assert_msg(!r->inside, "a notification inside another");
    ck_assert_msg(r->ends == 0, "a notification after the end");
    ck_assert_msg(!r->cancelled, "a notification after cancel");
    if (note->kind == RX_WATERMARK || note->kind == RX_BARRIER)
        return;
    r->inside = true;
    r->notes++;
    for (size_t i = 0; i < note->count && note->kind == RX_NEXT; i++) {
        rx_buffer_printf(&r->out, "%lld ", (long long)rx_sched_now(r->sched));
        rx_json_write(&r->out, note->span[i].value);
        rx_buffer_text(&r->out, "\n");
    }
    if (note->kind != RX_NEXT)
        rx_buffer_printf(&r->out, "%lld %s\n", (long long)rx_sched_now(r->sched),
                         note->kind == RX_ERROR ? "error" : "complete");
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

static inline void begin(struct run *r)
{
    rx_engine_enter(r->engine);
    struct rx_instance *instance = rx_graph_start(r->engine, r->plan->pipelines[0].graph, on_note, r);
    if (!r->ends)
        r->instance = instance;
    rx_engine_leave(r->engine);
}

static inline void run_finish(struct run *r)
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

static inline int event_text(int i, char *json, size_t size)
{
    return snprintf(json, size,
                    "{\"device\":\"d%d\",\"city\":\"c%d\",\"metric\":\"temperature\",\"value\":%d,\"avg\":%d.5,"
                    "\"text\":\"x\",\"unit\":\"C\"}",
                    i % 3, i % 2, i * 7 % 11, i % 5);
}

/* Of the i-th event: mostly the main source, now and then one of the others. */
static inline struct rx_plan_source *source_of(struct run *r, int i)
{
    return &r->plan->sources[i % 5 == 4 ? 1 : i % 7 == 6 ? 2 : 0];
}

/* The caller's to unref. */
static inline struct rx_event event_of(struct run *r, const struct rx_plan_source *source, int i)
{
    char json[200];
    struct rx_event event = {.time = rx_sched_now(r->sched)};
    const struct rx_fields *fields = r->variant.pruned ? source->fields : NULL;
    int length = event_text(i, json, sizeof json);
    ck_assert_int_eq(rx_json_decode(r->heap, fields, NULL, json, (size_t)length, &event.value, NULL), 0);
    return event;
}

static inline void push(struct run *r, int i)
{
    struct rx_plan_source *source = source_of(r, i);
    struct rx_event event = event_of(r, source, i);
    rx_hub_next(source->hub, &event, 1);
    rx_event_unref(&event);
}

static inline void drive(struct run *r, int from, int to)
{
    for (int i = from; i < to; i++) {
        ck_assert_int_ge(rx_sched_run_until(r->sched, (rx_time)i * STEP_MS * RX_MSEC, false), 0);
        push(r, i);
        ck_assert_int_ge(rx_sched_run_until(r->sched, (rx_time)i * STEP_MS * RX_MSEC, true), 0);
    }
}

static inline size_t listeners(const struct run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->plan->source_count; i++)
        n += rx_hub_subscribers(r->plan->sources[i].hub);
    return n;
}

/* How often the sources must complete until the end: `repeat: {count: 3}` begins anew twice, concat_map and expand open streams
 * for what waits when those that are open have completed. */
static inline unsigned completions(const struct run *r)
{
    const struct rx_subgraph *graph = r->plan->pipelines[0].graph;
    for (size_t i = 0; i < graph->count; i++) {
        const char *name = graph->nodes[i].class->base.name;
        if (strcmp(name, "repeat") == 0)
            return 3;
        if (strcmp(name, "concat_map") == 0 || strcmp(name, "expand") == 0)
            return 4;
    }
    return 1;
}

static inline void complete_all(struct run *r)
{
    for (unsigned round = completions(r); round > 0; round--) {
        for (size_t i = 0; i < r->plan->source_count; i++)
            rx_hub_complete(r->plan->sources[i].hub);
        ck_assert_int_ge(rx_sched_run_until(r->sched, rx_sched_now(r->sched) + 3600 * RX_SEC, true), 0);
    }
}

/* The ledger of each step: what came in is accounted for once. */
static inline void check_ledgers(const struct rx_plan *plan, struct rx_instance *instance)
{
    rx_graph_account(instance);
    for (size_t k = 0; k < plan->logical->step_count; k++) {
        const struct rx_ledger *l = &plan->ledgers[k];
        uint64_t sum = (uint64_t)l->held;
        for (int i = 0; i < RX_ACCOUNTS; i++)
            sum += i == RX_ABSENT ? 0 : l->accounts[i];
        ck_assert_msg(sum == l->in, "%s: %llu came in, %llu accounted for", plan->steps[k]->id,
                      (unsigned long long)l->in, (unsigned long long)sum);
    }
}

static inline char *text_of(const struct run *r) { return strndup(r->out.data ? r->out.data : "", r->out.length); }

/* What comes out of the whole run; NULL: not a step that a user writes. */
static inline char *whole_run(int which, bool no_fusion, bool pruned)
{
    struct run r;
    if (!run_init_variant(&r, which, &(struct variant){.no_fusion = no_fusion, .pruned = pruned}))
        return NULL;
    begin(&r);
    drive(&r, 0, EVENTS);
    complete_all(&r);
    char *text = text_of(&r);
    run_finish(&r);
    return text;
}

/* A loop over all operators and chains, one test each. */
static inline int contract_main(const char *name, const TTest *const *tests)
{
    Suite *suite = suite_create(name);
    TCase *t = tcase_create(name);
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    for (; *tests; tests++)
        tcase_add_loop_test(t, *tests, 0, (int)operator_count() + CHAINS);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
