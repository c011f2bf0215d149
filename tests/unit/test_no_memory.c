// layer: pipelines
/* The n-th allocation fails, for every n: each layer answers -ENOMEM, leaves nothing behind, and lives. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/dedupe.h"
#include "core/feed/table.h"
#include "core/graph/reorder.h"
#include "core/graph/request.h"
#include "pipelines/run/world.h"
#include "sinks/render.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static long countdown; /* allocations until one fails; 0: none does */

#ifndef SANITIZED
static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    errno = ENOMEM;
    return true;
}

/* In place of the C library's, which these stand in front of (glibc's manual, Replacing malloc). */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fails() ? NULL : __libc_realloc(p, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
#endif

/* As ck_assert, which allocates also where all is well. */
static void expect(bool good, const char *what, int r, const char *said)
{
    if (good)
        return;
    countdown = 0;
    ck_abort_msg("%s: %d %s", what, r, said);
}

static const char message[] = "{\"device\":\"a\",\"list\":[1,{\"n\":1.5e300,\"t\":\"x\\u00e9\"}],\"value\":3}";

static int decode_scenario(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_value v = rx_null(), compact = rx_null();
    if (!heap)
        return -ENOMEM;
    int r = rx_json_decode(heap, NULL, NULL, message, sizeof message - 1, &v, NULL);
    if (r == 0 && (compact = rx_value_compact(heap, v)).kind == RX_NULL)
        r = -ENOMEM;
    rx_value_unref(v);
    rx_value_unref(compact);
    expect(rx_heap_live_blocks(heap) == 0, "blocks are left", r, "");
    rx_heap_destroy(heap);
    return r;
}

static const char *const expressions[] = {
    "device == \"a\" && value * 2 > 1",
    "{\"n\": value, \"l\": list.map(x, [x]), \"s\": device.matches(\"^a+$\")}",
    "timestamp(\"2024-01-01T00:00:00Z\").getHours(\"Europe/Berlin\") + size(list)",
};

static int expr_scenario(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_expr_options options = {.heap = heap};
    struct rx_event event = {.value = rx_null()};
    int r = heap ? rx_json_decode(heap, NULL, NULL, message, sizeof message - 1, &event.value, NULL) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < sizeof expressions / sizeof *expressions; i++) {
        struct rx_expr *expr = NULL;
        struct rx_error error = {0};
        struct rx_value value;
        r = rx_expr_compile(expressions[i], strlen(expressions[i]), &options, &expr, &error);
        if (r == 0 && (r = rx_expr_eval(expr, &(struct rx_expr_env){.event = &event}, &value, &error)) == 0)
            rx_value_unref(value);
        expect(r == 0 || r == -ENOMEM, expressions[i], r, error.message);
        rx_expr_destroy(expr);
    }
    rx_value_unref(event.value);
    expect(!heap || rx_heap_live_blocks(heap) == 0, "blocks are left", r, "");
    rx_heap_destroy(heap);
    return r;
}

static const char config[] =
    "sources: {a: {http: {}, dedupe: id, format: csv, csv: {header: [id, value, device]}}, b: {timer: 1s}}\n"
    "pipelines:\n"
    "  p: {from: a, pipe: [{filter: value > 1}, {set: {x: value * 2, t: \"'a'\"}}, {group_by: device}, {window: 1s},"
    " {aggregate: {n: count(), m: avg(value)}}, {debounce: 1s}]}\n"
    "  q: {from: [a, b], pipe: [{buffer: {size: 3, every: 2}}, pairwise, {template: {x: \"{value}\"}}]}\n"
    "  r: {from: p, pipe: [{combine_latest: q}, {delay: 1s}, {scan: {expr: acc, seed: 0}}]}\n";

static int outcome(struct rx_diagnostics *diagnostics, int r)
{
    struct rx_buffer said = {0};
    if (r < 0 && rx_diagnostics_starved(diagnostics))
        r = -ENOMEM;
    if (r < 0 && r != -ENOMEM) {
        countdown = 0;
        rx_diagnostics_render(diagnostics, &said);
        rx_buffer_append(&said, "", 1);
        ck_abort_msg("%d: %s", r, said.data ? said.data : "");
    }
    rx_diagnostics_destroy(diagnostics);
    return r;
}

static int plan_scenario(void)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_forest *forest = NULL;
    struct rx_logical *logical = NULL;
    struct rx_world world = {0};
    if (!diagnostics)
        return -ENOMEM;
    int r = rx_forest_read_text(config, sizeof config - 1, "test", 0, diagnostics, &forest);
    if (r == 0)
        r = rx_logical_create(forest, &(struct rx_logical_options){.replay = true}, diagnostics, &logical);
    if (r == 0)
        r = rx_world_create(logical, &(struct rx_plan_options){0}, &world, NULL);
    rx_world_destroy(&world);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    return outcome(diagnostics, r);
}

static int push_all(struct rx_reorder *ahead, const struct rx_event *event)
{
    int r = 0;
    for (int i = 0; i < 300 && r == 0; i++)
        r = rx_reorder_push(ahead, event);
    return r;
}

static int reorder_scenario(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_reorder ahead;
    struct rx_event event = {.value = heap ? rx_string(heap, "a", 1) : rx_null()};
    rx_reorder_init(&ahead, NULL, 1000);
    int r = event.value.kind == RX_NULL ? -ENOMEM : push_all(&ahead, &event);
    rx_event_unref(&event);
    expect(r < 0 || ahead.count == 300, "not all are held", r, "");
    rx_reorder_finish(&ahead);
    expect(!heap || rx_heap_live_blocks(heap) == 0, "blocks are left", r, "");
    rx_heap_destroy(heap);
    return r;
}

/* ---- a hub that keeps events for late subscribers, and itself running for a while ---- */

struct listener {
    struct rx_observer observer;
    size_t seen;
    int code;
};

static void listen_note(struct rx_observer *o, const struct rx_note *note)
{
    struct listener *l = (struct listener *)(void *)o;
    l->seen += note->kind == RX_NEXT ? note->count : 0;
    l->code = note->kind == RX_ERROR ? note->error->code : l->code;
}

enum { SHARED = 40 };

static int share_all(struct rx_hub *hub)
{
    struct listener early = {.observer = {.note = listen_note}}, late = early;
    rx_hub_set_share(hub, &(struct rx_share){.grace = RX_SEC, .replay = SHARED}, false);
    rx_hub_subscribe(hub, &early.observer);
    for (int i = 0; i < SHARED; i++)
        rx_hub_next(hub, &(struct rx_event){.value = rx_int(i)}, 1);
    rx_hub_unsubscribe(&early.observer);
    bool lingers = rx_hub_lingers(hub); /* else it has stopped, and nothing is kept */
    rx_hub_subscribe(hub, &late.observer);
    struct rx_hub_stats s = rx_hub_stats(hub);
    size_t kept = lingers ? SHARED - (size_t)s.unkept : 0;
    expect(early.seen == SHARED && early.code == 0, "who is there has lost something", early.code, "");
    expect(late.seen == (late.code ? 0 : kept) && s.replayed == late.seen, "what was kept has not come", late.code, "");
    rx_hub_unsubscribe(&late.observer);
    return s.unkept || late.code || !lingers ? -ENOMEM : 0;
}

static int share_scenario(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_sched *sched = rx_sched_create(0);
    struct rx_engine *engine = heap && sched ? rx_engine_create(heap, sched) : NULL;
    struct rx_hub *hub = engine ? rx_hub_create(engine, "s") : NULL;
    int r = hub ? share_all(hub) : -ENOMEM;
    rx_hub_destroy(hub);
    if (engine)
        rx_engine_destroy(engine);
    rx_sched_destroy(sched);
    rx_heap_destroy(heap);
    return r;
}

#define BYTES(text) text, sizeof text - 1

/* Of each format a message that meets all that it makes: long texts, a list, a key that is no text, a row with gaps. */
static const struct {
    enum rx_format format;
    bool body;
    const char *bytes;
    size_t length;
} messages[] = {
    {RX_FORMAT_AUTO, false, BYTES("plain text that is not short")},
    {RX_FORMAT_JSON, true, BYTES("[{\"a\":1},\"x\"]")},
    {RX_FORMAT_CSV, true, BYTES("a,b,c\n1,\"say \"\"x\"\"\",\n,y,2\nb,a\n3,4\n")},
    {RX_FORMAT_INFLUX, true, BYTES("m,t=a\\ b f=1,g=\"x\\\"y\" 5\n")},
    {RX_FORMAT_CBOR, true, BYTES("\xA2\x61\x61\x82\x01\x7F\x61\x78\x61\x79\xFF\x05\xA1\x61\x62\x41\x01")},
    {RX_FORMAT_MSGPACK, true, BYTES("\x82\xA1\x61\x92\x01\xA1\x78\x05\x81\xA1\x62\xC4\x01\x01")},
};

static int read_message(struct rx_format_state *state, size_t i)
{
    struct rx_format_cursor c = {.start = messages[i].bytes,
                                 .at = messages[i].bytes,
                                 .end = messages[i].bytes + messages[i].length,
                                 .body = messages[i].body};
    struct rx_error error;
    struct rx_value value;
    int r;
    while ((r = state->class->next(state, &c, &value, &error)) == 1)
        rx_value_unref(value);
    expect(r == 0 || r == -ENOMEM, messages[i].bytes, r, r ? error.message : "");
    return r;
}

static int format_scenario(void)
{
    static const struct rx_format_options no_options = {0};
    struct rx_heap *heap = rx_heap_create(NULL);
    int r = heap ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < sizeof messages / sizeof *messages; i++) {
        struct rx_format_state *state = rx_format_create(messages[i].format, heap, &no_options, NULL);
        r = state ? read_message(state, i) : -ENOMEM;
        rx_format_destroy(state);
    }
    expect(!heap || rx_heap_live_blocks(heap) == 0, "blocks are left", r, "");
    rx_heap_destroy(heap);
    return r;
}

static int remember(struct rx_heap *heap, struct rx_dedupe *dedupe)
{
    int r = 0;
    for (int i = 0; i < 200 && r == 0; i++) {
        struct rx_event event = {.value = rx_int(i)};
        r = rx_dedupe_test(dedupe, &event, i, NULL);
    }
    struct rx_writer w = {0};
    rx_dedupe_save(dedupe, &w);
    r = r == 0 && w.buffer.failed ? -ENOMEM : r;
    struct rx_reader reader = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = heap};
    struct rx_dedupe *again = r == 0 ? rx_dedupe_create(&(struct rx_dedupe_options){.max = 100}) : NULL;
    if (r == 0)
        r = again ? rx_dedupe_load(again, &reader) : -ENOMEM;
    rx_dedupe_destroy(again);
    rx_buffer_finish(&w.buffer);
    return r;
}

static int dedupe_scenario(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_dedupe_options options = {.max = 150, .within = RX_SEC};
    struct rx_expr_options how = {.heap = heap};
    int r = heap ? rx_expr_compile("event", 5, &how, &options.by, NULL) : -ENOMEM;
    struct rx_dedupe *dedupe = r == 0 ? rx_dedupe_create(&options) : NULL;
    if (r == 0)
        r = dedupe ? remember(heap, dedupe) : -ENOMEM;
    rx_dedupe_destroy(dedupe);
    rx_expr_destroy(options.by);
    rx_heap_destroy(heap);
    return r;
}

static int render_all(struct rx_heap *heap, const struct rx_event *event)
{
    int r = 0;
    for (int format = RX_RENDER_CSV; format <= RX_RENDER_INFLUX && r == 0; format++) {
        struct rx_render_options options = {.format = format};
        struct rx_render render;
        struct rx_buffer out = {0};
        struct rx_error error = {0};
        r = rx_render_init(&render, &options, heap, "s");
        if (r == 0)
            r = rx_render_line(&render, &out, event, &error);
        if (r == 0)
            r = rx_render_message(&render, &out, event, &error);
        expect(r == 0 || r == -ENOMEM, "render", r, error.message);
        rx_render_finish(&render);
        rx_buffer_finish(&out);
    }
    return r;
}

static int render_scenario(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_event event = {.value = rx_null()};
    int r = heap ? rx_json_decode(heap, NULL, NULL, message, sizeof message - 1, &event.value, NULL) : -ENOMEM;
    if (r == 0)
        r = render_all(heap, &event);
    rx_event_unref(&event);
    expect(!heap || rx_heap_live_blocks(heap) == 0, "blocks are left", r, "");
    rx_heap_destroy(heap);
    return r;
}

static const struct {
    enum rx_table_format format;
    const char *column, *text;
} tables[] = {
    {RX_TABLE_CSV, NULL, "id,room name,level\na1,a text that is not short,1\nb2,\"x \"\"y\"\"\",2.5\na1,,3\n"},
    {RX_TABLE_CSV, "level", "id,room name,level\na1,a text that is not short,1\n"},
    {RX_TABLE_JSON, NULL, "[{\"id\": 1.5, \"room\": {\"name\": \"a text that is not short\"}}, {\"id\": [1]}]"},
    {RX_TABLE_JSON, NULL, "{\"a\": {\"x\": 1}, \"b\": \"a text that is not short\"}"},
};

/* The row that came last under the key, whole; and one whose key is no text. */
static void expect_rows(struct rx_table *table, size_t which)
{
    if (which == 2)
        expect(rx_table_find(table, rx_string_static("1.5", 3)), "a row has another key", 0, "");
    if (which != 0)
        return;
    const struct rx_value *row = rx_table_find(table, rx_string_static("b2", 2));
    expect(row && rx_object_get_text(*row, "room name")->kind == RX_STRING, "a cell is not whole", 0, "");
    row = rx_table_find(table, rx_string_static("a1", 2));
    const struct rx_value *level = row ? rx_object_get_text(*row, "level") : NULL;
    expect(level && level->kind == RX_INT && level->u.i == 3 && rx_object_count(*row) == 2, "the row is not whole", 0,
           "");
}

static int table_scenario(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    int r = heap ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < sizeof tables / sizeof *tables; i++) {
        struct rx_table_options options = {.format = tables[i].format, .column = tables[i].column, .max_rows = 10};
        struct rx_table *table = NULL;
        struct rx_error error = {0};
        r = rx_table_parse(heap, &options, tables[i].text, strlen(tables[i].text), &table, &error);
        expect(r == 0 || r == -ENOMEM, tables[i].text, r, error.message);
        if (r == 0)
            expect_rows(table, i);
        rx_table_destroy(table);
    }
    expect(!heap || rx_heap_live_blocks(heap) == 0, "blocks are left", r, "");
    rx_heap_destroy(heap);
    return r;
}

static const char *const matches[] = {
    "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [{match: {where: {low: v == 1, high: v == 2},"
    " pattern: \"low -> high\", within: 1h}}]}}\n",
    "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [{match: {where: {low: v == 1, high: v == 2},"
    " pattern: \"low -> high\", within: 1h, into: found}}]}}\n",
};
enum { PAIRS = 20 };
static unsigned matched, told; /* results; what was said of having none */
static bool ended;

static void on_match(void *arg, const struct rx_note *note)
{
    (void)arg;
    ended |= note->kind == RX_ERROR;
    told += note->kind == RX_ERROR;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++, matched++) {
        struct rx_value found = note->span[i].value;
        const struct rx_value *inner = rx_object_get_text(found, "found");
        const struct rx_value *high = rx_object_get_text(inner ? *inner : found, "high");
        expect(high && high->kind == RX_LIST && high->u.list->count == 1, "a match is not whole", 0, "");
    }
}

static void on_letter(struct rx_observer *o, const struct rx_note *note)
{
    (void)o;
    told += note->kind == RX_NEXT;
}

/* Only while events come does an allocation fail: what the plan needs is another scenario's. */
static int match_all(const struct rx_world *w, long n)
{
    struct rx_observer letters = {.note = on_letter};
    rx_hub_subscribe(w->plan->pipelines[0].errors, &letters);
    rx_engine_enter(w->engine);
    struct rx_instance *instance = rx_graph_start(w->engine, w->plan->pipelines[0].graph, on_match, NULL);
    rx_engine_leave(w->engine);
    struct rx_event events[2] = {{.value = rx_null()}, {.value = rx_null()}};
    expect(rx_json_decode(w->heap, NULL, NULL, "{\"v\":1}", 7, &events[0].value, NULL) == 0 &&
               rx_json_decode(w->heap, NULL, NULL, "{\"v\":2}", 7, &events[1].value, NULL) == 0,
           "events", 0, "");
    countdown = n;
    for (int i = 0; i < 2 * PAIRS; i++)
        rx_hub_next(w->plan->sources[0].hub, &events[i % 2], 1);
    n = countdown;
    countdown = 0;
    rx_event_unref(&events[0]);
    rx_event_unref(&events[1]);
    if (!ended)
        rx_graph_stop(instance);
    rx_hub_unsubscribe(&letters);
    expect(told || matched == PAIRS, "matches are missing", (int)matched, "");
    countdown = n;
    return told ? -ENOMEM : 0;
}

static int drive_scenario(const char *text, int (*drive)(const struct rx_world *, long n))
{
    struct rx_forest *forest = NULL;
    struct rx_logical *logical = NULL;
    struct rx_world world = {0};
    long n = countdown;
    countdown = matched = told = 0;
    ended = false;
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    int r = rx_forest_read_text(text, strlen(text), "test", 0, diagnostics, &forest);
    if (r == 0)
        r = rx_logical_create(forest, &(struct rx_logical_options){.replay = true}, diagnostics, &logical);
    if (r == 0)
        r = rx_world_create(logical, &(struct rx_plan_options){0}, &world, NULL);
    if (r == 0)
        r = drive(&world, n);
    n = countdown;
    countdown = 0;
    rx_world_destroy(&world);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    r = outcome(diagnostics, told ? 0 : r);
    countdown = n;
    return told ? -ENOMEM : r;
}

static int match_plain_scenario(void) { return drive_scenario(matches[0], match_all); }
static int match_into_scenario(void) { return drive_scenario(matches[1], match_all); }

/* ---- asking ---- */

static const char *const asked[] = {
    "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [{http: {get: \"http://h/{v}\", headers: {X: \"{v}\"},"
    " into: r, cache: {ttl: 1h, max: 1}, breaker: 3, concurrency: 2}}]}}\n",
    "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [{group_by: v}, {http: {post: \"http://h/{v}\", into: r,"
    " batch: 2, retry: 3, ordered: true}}]}}\n",
};

static unsigned turn;

/* A list of two, after the status that it is tried again for, where it is a batch. */
static int answer(void *arg, struct rx_call *call, struct rx_error *reterr)
{
    struct rx_heap *heap = arg;
    struct rx_value items[] = {rx_int(1), rx_int(2)};
    struct rx_reply reply = {.status = ++turn % 4 == 1 ? 503 : 200, .body = rx_list_take(heap, items, 2)};
    struct rx_request request;
    bool read = rx_request_read(call->request, &request);
    expect(read, "the request is not whole", 0, "");
    reply.status = strcmp(request.method, "GET") == 0 ? 200 : reply.status;
    struct rx_value value = reply.body.kind == RX_NULL ? rx_null() : rx_reply_value(heap, &reply);
    int r = value.kind == RX_NULL ? -ENOMEM : rx_call_answer_later(call, RX_SEC, value);
    rx_value_unref(reply.body);
    rx_value_unref(value);
    return r < 0 ? rx_error_set(reterr, r, "out of memory") : 0;
}

static void on_answered(void *arg, const struct rx_note *note)
{
    (void)arg;
    ended |= note->kind == RX_ERROR || note->kind == RX_COMPLETE;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++, matched++)
        expect(rx_object_get_text(note->span[i].value, "r") != NULL, "a result is not whole", 0, "");
}

/* Each event has its result, is an error, had no place to wait, or the stream has failed. */
static void expect_account(const struct rx_world *w)
{
    for (size_t i = 0; i < w->plan->pipelines[0].step_count; i++) {
        const struct rx_ledger *l = &w->plan->ledgers[i];
        if (!l->requests)
            continue;
        expect(l->held == 0 && l->requests->under_way == 0, "something is held", (int)l->held, "");
        uint64_t lost = l->accounts[RX_ERRORED] + l->accounts[RX_EVICTED] + l->accounts[RX_UNHEARD];
        expect(l->accounts[RX_USED] + lost == l->in, "the account does not add up", (int)l->accounts[RX_USED], "");
        expect(matched + lost >= l->in, "results are missing", (int)matched, "");
        told += lost > 0;
    }
}

static int ask_all(const struct rx_world *w, long n)
{
    struct rx_event event = {.value = rx_null()};
    turn = 0;
    w->engine->caller = (struct rx_caller){.begin = answer, .arg = w->heap};
    rx_engine_enter(w->engine);
    struct rx_instance *instance = rx_graph_start(w->engine, w->plan->pipelines[0].graph, on_answered, NULL);
    rx_engine_leave(w->engine);
    for (int i = 0; i < 2 * PAIRS; i++) {
        char text[16];
        int length = snprintf(text, sizeof text, "{\"v\":%d}", i / 2 % 3);
        countdown = 0;
        expect(rx_json_decode(w->heap, NULL, NULL, text, (size_t)length, &event.value, NULL) == 0, "an event", 0, "");
        countdown = n;
        rx_hub_next(w->plan->sources[0].hub, &event, 1);
        rx_sched_run_until(w->sched, rx_sched_now(w->sched) + RX_SEC / 4, true);
        n = countdown;
        rx_event_unref(&event);
    }
    countdown = n;
    rx_hub_complete(w->plan->sources[0].hub);
    rx_sched_run_until(w->sched, rx_sched_now(w->sched) + 100 * RX_SEC, true);
    n = countdown;
    countdown = 0;
    expect_account(w);
    if (!ended)
        rx_graph_stop(instance);
    countdown = n;
    return told ? -ENOMEM : 0;
}

static int ask_and_keep_scenario(void) { return drive_scenario(asked[0], ask_all); }
static int ask_in_batches_scenario(void) { return drive_scenario(asked[1], ask_all); }

static const struct {
    const char *name;
    int (*run)(void);
} scenarios[] = {{"decode", decode_scenario},
                 {"expr", expr_scenario},
                 {"plan", plan_scenario},
                 {"reorder", reorder_scenario},
                 {"share", share_scenario},
                 {"format", format_scenario},
                 {"dedupe", dedupe_scenario},
                 {"render", render_scenario},
                 {"table", table_scenario},
                 {"match", match_plain_scenario},
                 {"match into", match_into_scenario},
                 {"ask and keep", ask_and_keep_scenario},
                 {"ask in batches", ask_in_batches_scenario}};

START_TEST(every_allocation_may_fail)
{
    long n = 1;
    int r;
    do {
        countdown = n;
        r = scenarios[_i].run();
        bool reached = countdown == 0;
        countdown = 0;
        ck_assert_msg(r == 0 || (r == -ENOMEM && reached), "%s: allocation %ld: %d", scenarios[_i].name, n, r);
        if (!reached)
            break;
    } while (++n < 100000);
    ck_assert_int_eq(r, 0);
#ifndef SANITIZED
    ck_assert_int_gt(n, 10);
#endif
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("no_memory");
    TCase *t = tcase_create("no_memory");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 100);
    tcase_add_loop_test(t, every_allocation_may_fail, 0, (int)(sizeof scenarios / sizeof *scenarios));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
