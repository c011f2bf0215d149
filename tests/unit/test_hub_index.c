// layer: pipelines
/* Conditions that a hub looks up instead of asking each pipeline: the same events for the same pipelines in the same order, and the same
 * accounts, as if each had been asked. Random conditions on random events. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/pipeline_run.h"
#include "pipelines/run/state.h"
#include "pipelines/run/world.h"

enum { RULES = 24, EVENTS = 600, SEEDS = 40, NEVER = 1 << 20 };

static uint64_t state;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static const char *pick(const char *const *from, unsigned n) { return from[draw(n)]; }

static const char *const literals[] = {
    "1",    "1.0",  "1u",   "2",  "-1",    "2.5", "9007199254740993",     "9007199254740992.0", "'x'", "'y'",
    "true", "null", "b'x'", "''", "1 + 1", "0.0", "18446744073709551615u"};
static const char *const numbers[] = {"0",    "1", "2.5", "3", "-1", "4u", "9007199254740993", "9007199254740992.0",
                                      "1e300"};
static const char *const fields[] = {"a", "b", "value"};
static const char *const signs[] = {"<", "<=", ">", ">="};
static const char *const others[] = {"b != 2",
                                     "has(a)",
                                     "a",
                                     "!b",
                                     "size(b) > 0",
                                     "b / a > 0",
                                     "a.size() == 1",
                                     "1 / b == 1",
                                     "b in [1, 'x', 2.5]",
                                     "[a].exists(x, x == 1)",
                                     "true",
                                     "a < b"};

#define PICK(from) pick(from, sizeof from / sizeof *from)

static int part(char *out, size_t size)
{
    const char *field = PICK(fields);
    switch (draw(7)) {
    case 0:
        return snprintf(out, size, "%s == %s", field, PICK(literals));
    case 1:
        return snprintf(out, size, "%s == %s", PICK(literals), field);
    case 2:
        return snprintf(out, size, "%s in [%s, %s, %s]", field, PICK(literals), PICK(literals), PICK(literals));
    case 3:
        return snprintf(out, size, "(%s == %s || %s == %s)", field, PICK(literals), field, PICK(literals));
    case 4:
        return snprintf(out, size, "%s %s %s", field, PICK(signs), PICK(numbers));
    case 5:
        return snprintf(out, size, "%s >= %s && %s %s %s", field, PICK(numbers), PICK(numbers), PICK(signs), field);
    default:
        return snprintf(out, size, "%s", PICK(others));
    }
}

/* Ways on behind the filter: spans may flow, may not, an early end. */
static const char *const behind[] = {"",
                                     ", {map: a}",
                                     ", {take: 3}",
                                     ", {set: {n: 1}}, {filter: b == 1}",
                                     ", {pairwise: {}}",
                                     ", {map: 1 / b}, {retry: 2}"};
static const char *const on_errors[] = {"dead_letter", "drop", "null", "fail"};

static void write_config(char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "sources: {s: {http: {}}}\npipelines:\n");
    for (int i = 0; i < RULES; i++) {
        char condition[300];
        size_t n = 0;
        for (unsigned parts = 1 + draw(3); parts > 0; parts--) {
            n += (size_t)part(condition + n, sizeof condition - n);
            if (parts > 1)
                n += (size_t)snprintf(condition + n, sizeof condition - n, " && ");
        }
        at += (size_t)snprintf(out + at, size - at, "  p%d: {from: s, pipe: [{filter: \"%s\", on_error: %s}%s]}\n", i,
                               condition, draw(3) ? "dead_letter" : PICK(on_errors), draw(2) ? "" : PICK(behind));
    }
    ck_assert_uint_lt(at, size);
}

struct run;
struct listener {
    struct rx_observer observer;
    struct run *run;
    int number;
};

struct run {
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_world world;
    struct listener out[RULES], errors[RULES];
    struct rx_buffer each[2 * RULES]; /* what came of each pipeline, and of its error stream */
    struct rx_buffer all;             /* in the order in which it came */
};

static void hear(struct rx_observer *o, const struct rx_note *note)
{
    struct listener *l = (struct listener *)(void *)o;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++) {
        size_t before = l->run->each[l->number].length;
        rx_json_write(&l->run->each[l->number], note->span[i].value);
        rx_buffer_printf(&l->run->all, "%d %.*s\n", l->number, (int)(l->run->each[l->number].length - before),
                         l->run->each[l->number].data + before);
    }
    if (rx_note_ends(note))
        rx_buffer_printf(&l->run->each[l->number], note->kind == RX_ERROR ? "error\n" : "complete\n");
}

static void subscribe(struct run *r, int i)
{
    if (!r->out[i].observer.hub)
        rx_hub_subscribe(r->world.plan->pipelines[i].hub, &r->out[i].observer);
}

static void begin(struct run *r, const char *config, size_t index_from)
{
    struct rx_diagnostics *d = rx_diagnostics_create();
    struct rx_error error = {0};
    *r = (struct run){0};
    ck_assert_int_eq(rx_forest_read_text(config, strlen(config), "test", 0, d, &r->forest), 0);
    int planned = rx_logical_create(r->forest, &(struct rx_logical_options){.replay = true}, d, &r->logical);
    ck_assert_msg(planned == 0, "%s", config);
    ck_assert_int_eq(
        rx_world_create(r->logical, &(struct rx_plan_options){.index_from = index_from}, &r->world, &error), 0);
    rx_diagnostics_destroy(d);
    for (int i = 0; i < RULES; i++) {
        r->out[i] = (struct listener){.observer = {.note = hear}, .run = r, .number = i};
        r->errors[i] = (struct listener){.observer = {.note = hear}, .run = r, .number = RULES + i};
        rx_hub_subscribe(r->world.plan->pipelines[i].errors, &r->errors[i].observer);
        subscribe(r, i);
    }
}

static void finish(struct run *r)
{
    for (int i = 0; i < RULES; i++) {
        rx_hub_unsubscribe(&r->out[i].observer);
        rx_hub_unsubscribe(&r->errors[i].observer);
        rx_buffer_finish(&r->each[i]);
        rx_buffer_finish(&r->each[RULES + i]);
    }
    rx_buffer_finish(&r->all);
    rx_world_destroy(&r->world);
    rx_logical_destroy(r->logical);
    rx_forest_destroy(r->forest);
}

static const char *const values[] = {"1",
                                     "2",
                                     "2.5",
                                     "-1",
                                     "0",
                                     "9007199254740993",
                                     "9007199254740992",
                                     "18446744073709551615",
                                     "null",
                                     "\"x\"",
                                     "\"y\"",
                                     "true",
                                     "\"\"",
                                     "[1]",
                                     "{\"size\":1}",
                                     "3",
                                     "1e300",
                                     "4",
                                     "1.0"};

static void make_event(struct rx_heap *heap, struct rx_event *event)
{
    char text[200];
    int n = snprintf(text, sizeof text, "{\"i\":%u", draw(100));
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        if (draw(5))
            n += snprintf(text + n, sizeof text - (size_t)n, ",\"%s\":%s", fields[i], PICK(values));
    n += snprintf(text + n, sizeof text - (size_t)n, "}");
    if (!draw(12))
        n = snprintf(text, sizeof text, "%s", PICK(values));
    *event = (struct rx_event){.time = RX_SEC};
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, text, (size_t)n, &event->value, NULL), 0);
}

static void drive(struct run *r, size_t span, uint64_t seed)
{
    struct rx_event events[RX_SPAN_MAX];
    state = seed;
    for (size_t done = 0; done < EVENTS;) {
        size_t n = 0;
        do
            make_event(r->world.heap, &events[n++]);
        while (++done % 64 && n < span && done < EVENTS);
        rx_hub_next(r->world.plan->sources[0].hub, events, n);
        for (size_t i = 0; i < n; i++)
            rx_event_unref(&events[i]);
        if (done % 64)
            continue;
        int one = (int)draw(RULES), other = (int)draw(RULES); /* they come and go between events */
        rx_hub_unsubscribe(&r->out[one].observer);
        subscribe(r, other);
    }
    rx_pipelines_account(r->world.plan);
}

static bool same_text(struct rx_buffer *a, struct rx_buffer *b)
{
    rx_buffer_append(a, "", 1);
    rx_buffer_append(b, "", 1);
    return strcmp(a->data, b->data) == 0;
}

static void compare_account(struct run *a, struct run *b, size_t step, const char *config)
{
    const struct rx_ledger *x = &a->world.plan->ledgers[step], *y = &b->world.plan->ledgers[step];
    ck_assert_msg(
        memcmp(x, y, sizeof *x) == 0,
        "%s: in %llu out %llu filtered %llu absent %llu, or in %llu out %llu filtered %llu absent %llu, of\n%s",
        a->logical->steps[step]->id, (unsigned long long)x->in, (unsigned long long)x->out,
        (unsigned long long)x->accounts[RX_FILTERED], (unsigned long long)x->accounts[RX_ABSENT],
        (unsigned long long)y->in, (unsigned long long)y->out, (unsigned long long)y->accounts[RX_FILTERED],
        (unsigned long long)y->accounts[RX_ABSENT], config);
}

/* Where a pipeline ends in the midst of a span, one that is asked has it counted as seen whole by its subscription. */
static void compare(struct run *a, struct run *b, bool subscriptions, const char *config)
{
    for (int i = 0; i < 2 * RULES; i++)
        ck_assert_msg(same_text(&a->each[i], &b->each[i]), "stream %d of\n%s", i, config);
    for (size_t k = 0; k < a->logical->step_count; k++)
        if (subscriptions || a->logical->steps[k]->class != &rx_operator_subscription)
            compare_account(a, b, k, config);
}

/* Also the order of what different pipelines put out. */
START_TEST(looked_up_or_asked_is_the_same)
{
    char config[1 << 14];
    state = (uint64_t)_i;
    write_config(config, sizeof config);
    struct run asked, found, spans, asked_spans;
    begin(&asked, config, NEVER);
    begin(&found, config, 1);
    begin(&spans, config, 1);
    begin(&asked_spans, config, NEVER);
    drive(&asked, 1, (uint64_t)_i);
    drive(&found, 1, (uint64_t)_i);
    drive(&spans, 256, (uint64_t)_i);
    drive(&asked_spans, 256, (uint64_t)_i);
    ck_assert_msg(same_text(&asked.all, &found.all), "%s", config);
    ck_assert_msg(same_text(&asked_spans.all, &spans.all), "%s", config);
    compare(&asked, &found, true, config);
    compare(&asked_spans, &spans, false, config);
    ck_assert_uint_eq(rx_hub_stats(asked.world.plan->sources[0].hub).deliveries,
                      rx_hub_stats(found.world.plan->sources[0].hub).deliveries);
    finish(&asked);
    finish(&found);
    finish(&spans);
    finish(&asked_spans);
}
END_TEST

/* Only then: the ledgers of those that are not asked are behind until somebody reads them. */
START_TEST(as_many_as_it_takes_are_looked_up)
{
    char config[1 << 14];
    for (int more = 0; more < 2; more++) {
        struct run r;
        size_t at = (size_t)snprintf(config, sizeof config, "sources: {s: {http: {}}}\npipelines:\n");
        for (int i = 0; i < RULES; i++)
            at += (size_t)snprintf(config + at, sizeof config - at, "  p%d: {from: s, pipe: [{filter: a == %d}]}\n", i,
                                   i);
        begin(&r, config, 0);
        for (int i = RX_INDEX_FROM - 1 + more; i < RULES; i++)
            rx_hub_unsubscribe(&r.out[i].observer);
        struct rx_event event = {.time = RX_SEC};
        ck_assert_int_eq(rx_json_decode(r.world.heap, NULL, NULL, "{\"a\":1}", 7, &event.value, NULL), 0);
        rx_hub_next(r.world.plan->sources[0].hub, &event, 1);
        rx_event_unref(&event);
        const struct rx_plan_pipeline *first = &r.world.plan->pipelines[0];
        ck_assert_uint_eq(r.world.plan->ledgers[first->first_step].in, !more);
        rx_pipelines_account(r.world.plan);
        ck_assert_uint_eq(r.world.plan->ledgers[first->first_step].in, 1);
        ck_assert_uint_gt(r.each[1].length, 0);
        finish(&r);
    }
}
END_TEST

/* More than one look-up finds room for: each gets them all, in order. */
START_TEST(a_span_that_many_want_is_cut)
{
    enum { WANT = 70 };
    char config[1 << 14];
    struct rx_event events[RX_SPAN_MAX];
    struct run r;
    struct rx_heap *heap;
    size_t at = (size_t)snprintf(config, sizeof config, "sources: {s: {http: {}}}\npipelines:\n");
    for (int i = 0; i < WANT; i++)
        at += (size_t)snprintf(config + at, sizeof config - at, "  p%d: {from: s, pipe: [{filter: a >= %d}]}\n", i, -i);
    begin(&r, config, 1);
    static struct listener more[WANT];
    for (int i = RULES; i < WANT; i++) {
        more[i] = (struct listener){.observer = {.note = hear}, .run = &r, .number = 0};
        rx_hub_subscribe(r.world.plan->pipelines[i].hub, &more[i].observer);
    }
    heap = r.world.heap;
    for (int i = 0; i < RX_SPAN_MAX; i++) {
        char text[20];
        int n = snprintf(text, sizeof text, "{\"a\":%d}", i);
        events[i] = (struct rx_event){.time = RX_SEC};
        ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, text, (size_t)n, &events[i].value, NULL), 0);
    }
    rx_hub_next(r.world.plan->sources[0].hub, events, RX_SPAN_MAX);
    rx_pipelines_account(r.world.plan);
    for (int i = 0; i < WANT; i++)
        ck_assert_uint_eq(rx_hub_stats(r.world.plan->pipelines[i].hub).events, RX_SPAN_MAX);
    for (int i = 0; i < RX_SPAN_MAX; i++)
        rx_event_unref(&events[i]);
    ck_assert(same_text(&r.each[1], &r.each[2]));
    for (int i = RULES; i < WANT; i++)
        rx_hub_unsubscribe(&more[i].observer);
    finish(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hub_index");
    TCase *tcase = tcase_create("hub_index");
    tcase_add_loop_test(tcase, looked_up_or_asked_is_the_same, 0, SEEDS);
    tcase_add_test(tcase, as_many_as_it_takes_are_looked_up);
    tcase_add_test(tcase, a_span_that_many_want_is_cut);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
