// layer: pipelines
/* Steps in a row, as one with column programs and one after the other: random steps on random events give the same bytes, the same bad
 * events in the same order, and the same accounts. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/plan.h"

enum { EVENTS = 300, PIPES = 1600 };

static uint64_t seed;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % n;
}

#define ONE_OF(array) ((array)[pick(sizeof(array) / sizeof *(array))])

/* ---- random steps ---- */

static const char *const fields[] = {"a", "b", "c", "d", "t"};
static const char *const rare[] = {"value", "gone"};

static const char *name(void) { return pick(15) ? fields[pick(5)] : rare[pick(2)]; }

static void put_operand(struct rx_buffer *out, unsigned depth);

static void put_number(struct rx_buffer *out, unsigned depth)
{
    static const char *const operators[] = {"+", "-", "*", "/", "%"};
    rx_buffer_text(out, "(");
    put_operand(out, depth);
    rx_buffer_printf(out, " %s ", pick(8) ? operators[pick(4)] : operators[4]);
    put_operand(out, depth);
    rx_buffer_text(out, ")");
}

static void put_operand(struct rx_buffer *out, unsigned depth)
{
    static const char *const literals[] = {"1",     "2.5", "-3", "0", "9007199254740993", "9223372036854775807",
                                           "1e300", "0.1", "7u"};
    unsigned what = pick(10);
    if (depth > 0 && what < 4)
        put_number(out, depth - 1);
    else if (what < 8)
        rx_buffer_text(out, name());
    else if (what == 8 && depth > 0)
        rx_buffer_printf(out, "-%s", name());
    else
        rx_buffer_text(out, ONE_OF(literals));
}

static void put_condition(struct rx_buffer *out, unsigned depth)
{
    static const char *const comparisons[] = {"<", "<=", ">", ">=", "==", "!="};
    static const char *const texts[] = {"'x'", "'temperature'", "''", "true", "null", "1", "2.0"};
    unsigned what = pick(10);
    if (depth > 0 && what < 4) {
        rx_buffer_text(out, "(");
        put_condition(out, depth - 1);
        rx_buffer_text(out, pick(3) ? " && " : " || ");
        put_condition(out, depth - 1);
        rx_buffer_text(out, ")");
    } else if (what == 4) {
        rx_buffer_text(out, "!(");
        put_condition(out, depth ? depth - 1 : 0);
        rx_buffer_text(out, ")");
    } else if (what < 7) {
        rx_buffer_printf(out, "%s %s %s", name(), pick(4) ? "==" : "!=", ONE_OF(texts));
    } else if (what == 7) {
        rx_buffer_text(out, name());
    } else {
        put_operand(out, 1);
        rx_buffer_printf(out, " %s ", ONE_OF(comparisons));
        put_operand(out, 1);
    }
}

static void put_expression(struct rx_buffer *out)
{
    static const char *const others[] = {"event",   "string(a)", "has(b) ? b : 0", "coalesce(c, 1)",
                                         "event.a", "'a' + t",   "[a, b]"};
    unsigned what = pick(12);
    if (what < 5)
        put_operand(out, 2);
    else if (what < 8)
        rx_buffer_text(out, name());
    else if (what < 11)
        put_condition(out, 1);
    else
        rx_buffer_text(out, ONE_OF(others));
}

static void put_fields(struct rx_buffer *out)
{
    unsigned first = pick(5), count = 1 + pick(3);
    rx_buffer_text(out, "{");
    for (unsigned i = 0; i < count; i++) {
        rx_buffer_printf(out, "%s%s: \"", i ? ", " : "", fields[(first + i) % 5]);
        put_expression(out);
        rx_buffer_text(out, "\"");
    }
    rx_buffer_text(out, "}");
}

static void put_step(struct rx_buffer *out)
{
    static const char *const on_error[] = {"dead_letter", "drop", "null", "dead_letter"};
    static const char *const removed[] = {"unset: a", "unset: [b, t]", "unset: gone", "unset: value"};
    static const char *const added[] = {"default: {gone: 1}", "default: {a: 0, t: temperature}",
                                        "default: {value: 2.5}"};
    unsigned what = pick(10);
    rx_buffer_text(out, "{");
    if (what < 3) {
        rx_buffer_text(out, "filter: \"");
        put_condition(out, 2);
        rx_buffer_text(out, "\"");
    } else if (what < 7) {
        bool bare = pick(4) == 0 && what < 5;
        rx_buffer_text(out, what < 5 ? "map: " : "set: ");
        if (bare) {
            rx_buffer_text(out, "\"");
            put_expression(out);
            rx_buffer_text(out, "\"");
        } else {
            put_fields(out);
        }
    } else {
        rx_buffer_text(out, what == 7 ? ONE_OF(removed) : what == 8 ? ONE_OF(added) : "map: event");
    }
    rx_buffer_printf(out, ", on_error: %s}", ONE_OF(on_error));
}

/* ---- random events: mostly of one shape and kind in each field, but for some ---- */

static void put_value(struct rx_buffer *out, unsigned kind)
{
    static const char *const odd[] = {"null",
                                      "\"x\"",
                                      "true",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "18446744073709551615",
                                      "[1]",
                                      "{\"a\":1}",
                                      "\"\"",
                                      "9007199254740993",
                                      "-0.0",
                                      "1e308"};
    switch (kind) {
    case 0:
        rx_buffer_printf(out, "%d.%02u", (int)pick(8) - 3, 25 * pick(4));
        break;
    case 1:
        rx_buffer_printf(out, "%d", (int)pick(8) - 3);
        break;
    case 2:
        rx_buffer_text(out, pick(2) ? "\"temperature\"" : "\"x\"");
        break;
    case 3:
        rx_buffer_text(out, pick(2) ? "true" : "false");
        break;
    default:
        rx_buffer_text(out, ONE_OF(odd));
    }
}

static void make_event(struct rx_heap *heap, const unsigned *kinds, unsigned oddity, struct rx_event *event)
{
    struct rx_buffer text = {0};
    if (pick(100) < oddity) {
        put_value(&text, pick(5));
    } else {
        rx_buffer_text(&text, "{");
        for (unsigned i = 0; i < 5; i++) {
            if (pick(100) < oddity)
                continue;
            rx_buffer_printf(&text, "%s\"%s\":", text.length > 1 ? "," : "", fields[i]);
            put_value(&text, pick(100) < oddity ? pick(5) : kinds[i]);
        }
        rx_buffer_text(&text, "}");
    }
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, text.data, text.length, &event->value, NULL), 0);
    rx_buffer_finish(&text);
}

/* ---- a run ---- */

struct watch {
    struct rx_observer observer;
    struct rx_buffer *out;
};

static void put_events(struct rx_buffer *out, char mark, const struct rx_note *note)
{
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++) {
        rx_buffer_printf(out, "%c %" PRId64 " %d%d ", mark, note->span[i].time, note->span[i].value.kind,
                         note->span[i].value.flags & RX_FLAG_JSON);
        rx_json_write(out, note->span[i].value);
        rx_buffer_text(out, "\n");
    }
}

static void on_letter(struct rx_observer *o, const struct rx_note *note)
{
    put_events(((struct watch *)o)->out, '!', note);
}

static void on_note(void *arg, const struct rx_note *note) { put_events(arg, ' ', note); }

static void put_accounts(struct rx_buffer *out, const struct rx_plan *plan)
{
    const struct rx_logical_pipeline *p = plan->pipelines[0].logical;
    for (uint32_t i = 0; i < p->step_count; i++) {
        const struct rx_ledger *l = &plan->ledgers[p->first_step + i];
        rx_buffer_printf(out, "step %" PRIu32 ": in %" PRIu64 " out %" PRIu64, i, l->in, l->out);
        uint64_t sum = 0;
        for (unsigned k = 0; k < RX_ACCOUNTS; k++) {
            rx_buffer_printf(out, " %" PRIu64, l->accounts[k]);
            sum += k == RX_ABSENT ? 0 : l->accounts[k];
        }
        ck_assert_uint_eq(sum, l->in);
        rx_buffer_text(out, "\n");
    }
}

static size_t room;   /* for what steps make of events, in bytes; 0: all there is */
static size_t needed; /* by the last run's events */

/* False: the config is refused. */
static bool run(const char *text, const unsigned *kinds, unsigned oddity, size_t span, bool fused,
                struct rx_buffer *out)
{
    struct rx_heap_limits limits = {.max_bytes = room ? needed + room : 0};
    struct rx_heap *heap = rx_heap_create(&limits);
    struct rx_sched *sched = rx_sched_create(0);
    struct rx_engine *engine = rx_engine_create(heap, sched);
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_logical_options replay = {.replay = true};
    struct rx_plan_options options = {.no_fusion = !fused};
    struct rx_forest *forest = NULL;
    struct rx_logical *logical = NULL;
    struct rx_plan *plan = NULL;
    static struct rx_event events[EVENTS];
    bool made = rx_forest_read_text(text, strlen(text), "test", 0, diagnostics, &forest) == 0 &&
                rx_logical_create(forest, &replay, diagnostics, &logical) == 0 &&
                rx_plan_create(logical, engine, &options, diagnostics, &plan) == 0;
    if (made) {
        struct watch watch = {.observer = {.note = on_letter}, .out = out};
        for (size_t i = 0; i < EVENTS; i++) {
            events[i] = (struct rx_event){.time = (rx_time)i};
            make_event(heap, kinds, oddity, &events[i]);
        }
        needed = rx_heap_live_bytes(heap);
        rx_engine_enter(engine);
        rx_hub_subscribe(plan->pipelines[0].errors, &watch.observer);
        struct rx_instance *instance = rx_graph_start(engine, plan->pipelines[0].graph, on_note, out);
        for (size_t i = 0; i < EVENTS; i += span)
            rx_hub_next(plan->sources[0].hub, events + i, i + span < EVENTS ? span : EVENTS - i);
        put_accounts(out, plan);
        rx_graph_stop(instance);
        rx_hub_unsubscribe(&watch.observer);
        rx_engine_leave(engine);
        for (size_t i = 0; i < EVENTS; i++)
            rx_event_unref(&events[i]);
    }
    rx_plan_destroy(plan);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    rx_diagnostics_destroy(diagnostics);
    rx_engine_destroy(engine);
    rx_sched_destroy(sched);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
    return made;
}

static void compare(const char *text, const unsigned *kinds, unsigned oddity, size_t span)
{
    struct rx_buffer fused = {0}, apart = {0};
    uint64_t again = seed;
    if (run(text, kinds, oddity, span, true, &fused)) {
        seed = again;
        run(text, kinds, oddity, span, false, &apart);
        bool same = fused.length == apart.length && memcmp(fused.data, apart.data, apart.length) == 0;
        size_t at = 0, line = 0;
        while (!same && at < fused.length && at < apart.length && fused.data[at] == apart.data[at])
            line = fused.data[at++] == '\n' ? at : line;
        ck_assert_msg(same, "%s\nspans of %zu, as one:\n%.300s\none after the other:\n%.300s", text, span,
                      fused.data + line, apart.data + line);
    }
    rx_buffer_finish(&fused);
    rx_buffer_finish(&apart);
}

START_TEST(random_steps_do_the_same_as_one)
{
    static const size_t spans[] = {1, 7, 64, 256};
    static const unsigned oddities[] = {0, 2, 30};
    struct rx_buffer text = {0};
    seed = 88172645463325252u + 7919u * (unsigned)_i;
    for (unsigned n = 0; n < PIPES / 8; n++) {
        unsigned kinds[5], steps = 1 + pick(6);
        for (unsigned i = 0; i < 5; i++)
            kinds[i] = i == 4 ? 2 : pick(5) ? pick(2) : pick(4);
        rx_buffer_clear(&text);
        rx_buffer_text(&text, "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [");
        for (unsigned i = 0; i < steps; i++) {
            rx_buffer_text(&text, i ? ", " : "");
            put_step(&text);
        }
        rx_buffer_printf(&text, "]}}\n%c", 0);
        compare(text.data, kinds, ONE_OF(oddities), ONE_OF(spans));
    }
    rx_buffer_finish(&text);
}
END_TEST

/* ---- what programs are made of ---- */

static void one(const char *pipe, unsigned oddity)
{
    static const unsigned kinds[] = {0, 1, 2, 0, 2};
    char text[4096];
    snprintf(text, sizeof text, "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [%s]}}\n", pipe);
    seed = 88172645463325252u;
    for (size_t span = 1; span <= 256; span *= 16)
        compare(text, kinds, oddity, span);
}

START_TEST(records_of_more_fields_than_a_shape_or_a_program_has)
{
    struct rx_buffer pipe = {0};
    for (unsigned step = 0; step < 3; step++) {
        rx_buffer_printf(&pipe, "%sset: {", step ? ", " : "");
        for (unsigned i = 0; i < 23; i++)
            rx_buffer_printf(&pipe, "%sf%u: a + %u", i ? ", " : "", step * 23 + i, i);
        rx_buffer_text(&pipe, "}");
    }
    rx_buffer_printf(&pipe, ", map: {x: f1 + f68, y: f30}%c", 0);
    one(pipe.data, 0);
    rx_buffer_finish(&pipe);
}
END_TEST

START_TEST(more_steps_than_a_program_takes)
{
    struct rx_buffer pipe = {0};
    rx_buffer_text(&pipe, "map: {a: a}");
    for (unsigned i = 0; i < 40; i++)
        rx_buffer_printf(&pipe, ", map: {a: a + %u}", i);
    rx_buffer_printf(&pipe, "%c", 0);
    one(pipe.data, 2);
    rx_buffer_finish(&pipe);
}
END_TEST

START_TEST(fields_taken_away_and_put_back_are_where_the_steps_put_them)
{
    one("unset: a, default: {a: 1}, set: {b: a}, unset: [b, c], set: {b: a + 1}, default: {c: new, t: old}", 2);
    one("set: {a: b, b: a}, set: {a: b, b: a}, filter: a != b", 2);
    one("map: a, set: {x: value + 1}, default: {value: 3, y: 4}, unset: value", 2);
    one("map: {}, default: {a: 1}, map: a, map: value * 2, map: event", 0);
}
END_TEST

START_TEST(a_text_is_compared_where_it_is_needed_again)
{
    one("map: {m: t, k: t == 'x'}, filter: m == 'x' || k", 2);
    one("filter: \"t == 'x' && t != 'y' && a > 0\"", 2);
    one("filter: \"cel.bind(x, t, x == 'x' || x == 'temperature')\"", 30);
    one("map: {m: t}, filter: m == 'x', filter: m != 'y'", 30);
}
END_TEST

START_TEST(where_memory_ends_some_events_are_bad_and_all_accounted_for)
{
    static const unsigned kinds[] = {0, 1, 2, 0, 2};
    static const char text[] = "sources: {a: {http: {}}}\n"
                               "pipelines: {p: {from: a, pipe: [{set: {x: a + 1, y: b}}, {set: {z: x * 2}}]}}\n";
    for (room = 2000; room < 40000; room *= 4) {
        struct rx_buffer out = {0};
        size_t kept = room;
        room = 0;
        seed = 88172645463325252u;
        ck_assert(run(text, kinds, 0, 256, true, &out));
        rx_buffer_clear(&out);
        room = kept;
        seed = 88172645463325252u;
        ck_assert(run(text, kinds, 0, 256, true, &out));
        rx_buffer_append(&out, "", 1);
        ck_assert_ptr_nonnull(strstr(out.data, "\"z\":"));
        ck_assert_ptr_null(strstr(out.data, "step 1: in 300 out 300"));
        rx_buffer_finish(&out);
    }
    room = 0;
}
END_TEST

START_TEST(numbers_at_their_bounds)
{
    one("map: {x: b + 9223372036854775807, y: b * 9223372036854775807, z: -9223372036854775807 - b}", 0);
    one("map: {x: a * 0 + 9007199254740992.0}, map: {y: x == 9007199254740993, z: x < 9007199254740993, w: -x}", 0);
    one("map: {x: b / 0, y: b / 4, z: b % 3}, filter: y > 0, map: {x: int(y) + 1, z: x - y}", 0);
    one("map: b / 0, filter: value != value || value > 3", 0);
    one("filter: b < 18446744073709551616.0", 30); /* among them the greatest of uint64 */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("columns");
    TCase *t = tcase_create("columns");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, random_steps_do_the_same_as_one, 0, 8);
    tcase_add_test(t, records_of_more_fields_than_a_shape_or_a_program_has);
    tcase_add_test(t, more_steps_than_a_program_takes);
    tcase_add_test(t, fields_taken_away_and_put_back_are_where_the_steps_put_them);
    tcase_add_test(t, a_text_is_compared_where_it_is_needed_again);
    tcase_add_test(t, where_memory_ends_some_events_are_bad_and_all_accounted_for);
    tcase_add_test(t, numbers_at_their_bounds);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
