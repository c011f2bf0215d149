/* What callers rely on beside values: scopes, aggregates, reach, types known early, budgets, limits. */
#include <stdlib.h>

#include "core/expr/internal.h"
#include "tests/unit/expr_table.h"

static struct rx_expr *compile(struct rx_heap *heap, const char *text, struct rx_expr_options options)
{
    struct rx_expr *expr = NULL;
    struct rx_error error = {0};
    options.heap = heap;
    int r = rx_expr_compile(text, strlen(text), &options, &expr, &error);
    ck_assert_msg(r == 0, "%s: %s", text, error.message);
    return expr;
}

static void refuse(struct rx_heap *heap, const char *text, struct rx_expr_options options, const char *word)
{
    struct rx_expr *expr = NULL;
    struct rx_error error = {0};
    options.heap = heap;
    ck_assert_msg(rx_expr_compile(text, strlen(text), &options, &expr, &error) == -EINVAL, "%s compiles", text);
    ck_assert_msg(strstr(error.message, word) || strstr(error.hint, word), "%s: %s (%s)", text, error.message,
                  error.hint);
}

static void want(struct rx_expr *expr, const struct rx_expr_env *env, const char *json)
{
    struct rx_value value;
    struct rx_buffer out = {0};
    struct rx_error error = {0};
    ck_assert_msg(rx_expr_eval(expr, env, &value, &error) == 0, "%s: %s", rx_expr_text(expr), error.message);
    rx_json_write(&out, value);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, json);
    rx_buffer_finish(&out);
    rx_value_unref(value);
}

static struct rx_value decode(struct rx_heap *heap, const char *json)
{
    struct rx_value value;
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, json, strlen(json), &value, NULL), 0);
    return value;
}

static void evaluates(struct rx_heap *heap, const char *text, struct rx_expr_options options,
                      const struct rx_expr_env *env, const char *json)
{
    struct rx_expr *expr = compile(heap, text, options);
    want(expr, env, json);
    rx_expr_destroy(expr);
}

static void finish(struct rx_heap *heap)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

START_TEST(meta_and_mark_are_reached)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_value key = decode(heap, "{\"device\":\"a\"}");
    const struct rx_mark *outer = rx_mark_with_key(heap, NULL, key);
    const struct rx_mark *mark = rx_mark_with_window(heap, outer, 5 * RX_SEC, 10 * RX_SEC, 0);
    struct rx_event event = {.value = decode(heap, "{\"x\":1,\"meta\":2}"),
                             .mark = mark,
                             .meta = decode(heap, "{\"source\":\"s\",\"topic\":\"t/1\",\"retained\":false}"),
                             .time = 7 * RX_SEC};
    struct rx_value seen = decode(heap, "{\"y\":3}"), acc = rx_int(40);
    const char *locals[] = {"acc", NULL};
    struct rx_expr_env env = {.event = &event, .outer = &seen, .locals = &acc};
    struct rx_expr_options plain = {0}, marked = {.flags = RX_EXPR_MARK_NAMES}, local = {.locals = locals};
    evaluates(heap, "meta.topic + meta.source + meta.key", plain, &env, "\"t/1sa\"");
    evaluates(heap, "meta", plain, &env, "{\"source\":\"s\",\"topic\":\"t/1\",\"key\":\"a\",\"retained\":false}");
    evaluates(heap, "event.meta + x", plain, &env, "3");
    evaluates(heap, "outer.y + acc", local, &env, "43");
    evaluates(heap, "has(device)", plain, &env, "false");
    evaluates(heap, "has(device) && device == 'a'", marked, &env, "true");
    evaluates(heap, "string(window.start) + ' ' + string(event_time)", marked, &env,
              "\"1970-01-01T00:00:05Z 1970-01-01T00:00:07Z\"");
    rx_mark_unref(outer);
    rx_value_unref(key);
    rx_value_unref(seen);
    rx_event_unref(&event);
    finish(heap);
}
END_TEST

START_TEST(aggregates_become_slots)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_expr_options options = {.flags = RX_EXPR_AGGREGATES};
    struct rx_value slots[] = {rx_double(10), rx_int(4), rx_double(2)};
    struct rx_expr_env env = {.slots = slots};
    struct rx_expr *expr = compile(heap, "avg(t * 1.8 + 32) / count(t > 20.0) + max(h)", options);
    ck_assert_uint_eq(rx_expr_aggregate_count(expr), 3);
    ck_assert_str_eq(rx_expr_aggregate(expr, 0)->function, "avg");
    ck_assert_str_eq(rx_expr_text(rx_expr_aggregate(expr, 0)->args[0]), "t * 1.8 + 32");
    ck_assert_uint_eq(rx_expr_aggregate(expr, 2)->arg_count, 1);
    want(expr, &env, "4.5");
    struct rx_fields *fields = rx_fields_create(heap);
    ck_assert_int_eq(rx_expr_reach(expr, fields, NULL), 0);
    ck_assert_uint_eq(rx_fields_count(fields), 2);
    rx_fields_destroy(fields);
    rx_expr_destroy(expr);
    rx_expr_destroy(compile(heap, "sum((a + 1) * 2) + max((a)) + avg(2 * (a))", options));
    rx_expr_destroy(compile(heap, "sum(max(a, b)) + max(sum(l.map(x, x)))", options));
    finish(heap);
}
END_TEST

START_TEST(aggregates_that_cannot_be_are_refused)
{
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        {"avg(x, y)", "avg does not take 2 arguments", "avg(x)"},
        {"[1].map(x, avg(x))", "macro", ""},
        {"quantile(x, x)", "the same for all events", "quantile(x, 0.95)"},
        {"average(x)", "no function named \"average\"", "avg(x)"},
        {"mean(x)", "mean", "avg(x)"},
        {"cuont()", "cuont", "did you mean count?"},
        {"value", "value is of one event, and here are many", "first(value) or last(value)"},
        {"count", "count is a function", "count()"},
        {"value / count()", "value is of one event", "first(value)"},
        {"has(value) ? 1 : count()", "value is of one event", "first(value)"},
        {"event.value + sum(x)", "value is of one event", "last(value)"},
        {"[event_time, last(x)]", "event_time is of one event", "last(event_time)"},
        {"meta.source", "meta is of one event", ""},
        {"window.end - first(event_time)", "the window is not known", "window.start"},
        {"5", "there is no aggregate function in it", "set step"},
        {"\"hourly\"", "there is no aggregate function in it", "set step"},
        {"avg(count())", "count stands inside another one", "a step behind"},
        {"max(avg(x))", "avg stands inside another one", "avg(x.map(v, v))"},
        {"sum(last(x) + 1)", "last stands inside another one", "a step behind"},
    };
    struct rx_heap *heap = rx_heap_create(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_expr_options options = {.heap = heap, .flags = RX_EXPR_AGGREGATES};
        struct rx_error error = {0};
        struct rx_expr *expr;
        const char *text = cases[i].text;
        ck_assert_msg(rx_expr_compile(text, strlen(text), &options, &expr, &error) < 0, "%s", text);
        ck_assert_msg(strstr(error.message, cases[i].message) && error.at.line, "%s: %s", text, error.message);
        ck_assert_msg(strstr(error.hint, cases[i].hint), "%s: hint: %s", text, error.hint);
    }
    refuse(heap, "stddev(x)", (struct rx_expr_options){0}, "aggregate step");
    finish(heap);
}
END_TEST

static void reaches(struct rx_heap *heap, const char *text, const char *names, bool all, unsigned more)
{
    struct rx_expr *expr = compile(heap, text, (struct rx_expr_options){0});
    struct rx_fields *fields = rx_fields_create(heap);
    struct rx_buffer got = {0};
    unsigned reached = 0;
    ck_assert_int_eq(rx_expr_reach(expr, fields, &reached), 0);
    for (size_t i = 0; i < rx_fields_count(fields); i++)
        rx_buffer_printf(&got, "%s%s", i ? " " : "", rx_fields_at(fields, i)->text);
    rx_buffer_append(&got, "", 1);
    ck_assert_msg(rx_fields_all(fields) == all, "%s: all", text);
    if (!all)
        ck_assert_msg(strcmp(got.data, names) == 0, "%s reaches \"%s\", want \"%s\"", text, got.data, names);
    ck_assert_msg(reached == more, "%s: reaches %u", text, reached);
    rx_buffer_finish(&got);
    rx_fields_destroy(fields);
    rx_expr_destroy(expr);
}

START_TEST(reach_names_what_is_read)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    reaches(heap, "a + b.c * a", "a b", false, 0);
    reaches(heap, "event.a == event['x-y'] || 'q' in event || has(r) || coalesce(s, 1) > 2", "a x-y q r s", false, 0);
    reaches(heap, "event.?a.orValue(1)", "a", false, 0);
    reaches(heap, "event", "", true, 0);
    reaches(heap, "event[k]", "", true, 0);
    reaches(heap, "list.map(x, x.y + z)", "list z", false, 0);
    reaches(heap, "meta.topic", "", false, RX_REACHES_META);
    reaches(heap, "meta.key", "", false, RX_REACHES_MARK);
    reaches(heap, "outer.a + int(event_time)", "", false, RX_REACHES_OUTER | RX_REACHES_TIME);
    reaches(heap, "type(1) == int", "int", false, 0);
    finish(heap);
}
END_TEST

START_TEST(types_are_known_early)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    static const struct rx_expr_type types[] = {{"n", RX_EXPR_KIND(RX_INT)},
                                                {"avg", RX_EXPR_KIND_NUMBER},
                                                {"name", RX_EXPR_KIND(RX_STRING)},
                                                {"at", RX_EXPR_KIND(RX_TIMESTAMP)},
                                                {"any", RX_EXPR_KIND_ANY}};
    struct rx_expr_options options = {.types = types, .type_count = 5, .flags = RX_EXPR_CLOSED};
    refuse(heap, "name > 3", options, "cannot compare");
    refuse(heap, "name + n", options, "string(value)");
    refuse(heap, "at == n", options, "never equal");
    refuse(heap, "n && true", options, "true or false");
    refuse(heap, "name.size", options, "no fields");
    refuse(heap, "size(n)", options, "size works on");
    refuse(heap, "nme == 'x'", options, "did you mean name?");
    static const struct {
        const char *text;
        unsigned kinds;
    } cases[] = {
        {"n + 1", RX_EXPR_KIND(RX_INT)},
        {"n / 2.0", RX_EXPR_KIND(RX_DOUBLE)},
        {"n > 1 || any", RX_EXPR_KIND(RX_BOOL)},
        {"name + 'x'", RX_EXPR_KIND(RX_STRING)},
        {"at - at", RX_EXPR_KIND(RX_DURATION)},
        {"[n]", RX_EXPR_KIND(RX_LIST)},
        {"any", RX_EXPR_KIND_ANY},
        {"n > 1 ? name : null", RX_EXPR_KIND(RX_STRING) | RX_EXPR_KIND(RX_NULL)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_expr *expr = compile(heap, cases[i].text, options);
        ck_assert_msg(rx_expr_kinds(expr) == cases[i].kinds, "%s: %x", cases[i].text, rx_expr_kinds(expr));
        rx_expr_destroy(expr);
    }
    finish(heap);
}
END_TEST

START_TEST(an_evaluation_is_bounded)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_expr_options small = {.budget = 1000};
    struct rx_expr *expr = compile(heap, "l.map(x, l.map(y, x + y))", small);
    struct rx_buffer json = {0};
    struct rx_value value;
    struct rx_error error;
    rx_buffer_text(&json, "{\"l\":[0");
    for (int i = 1; i < 200; i++)
        rx_buffer_printf(&json, ",%d", i);
    rx_buffer_text(&json, "]}");
    rx_buffer_append(&json, "", 1);
    struct rx_event event = {.value = decode(heap, json.data)};
    struct rx_expr_env env = {.event = &event};
    ck_assert_int_eq(rx_expr_eval(expr, &env, &value, &error), -ETIME);
    ck_assert(strstr(error.message, "1000 steps"));
    ck_assert(rx_expr_cost(expr, 5) > 100 && rx_expr_cost(expr, 5) < 1000);
    ck_assert(rx_expr_cost(expr, 1e6) <= 1000);
    rx_expr_destroy(expr);
    rx_event_unref(&event);
    rx_buffer_finish(&json);
    finish(heap);
}
END_TEST

/* What one instruction looks at counts too: a large value inside a small list. */
START_TEST(comparing_large_values_is_bounded)
{
    static const char *const texts[] = {"lists.range(100000).all(i, l == l)",
                                        "lists.range(100000).all(i, l in [l, 1])",
                                        "lists.range(100000).all(i, [l, l].distinct().size() == 1)",
                                        "lists.range(100000).all(i, s == s)",
                                        "lists.range(100000).all(i, s <= s)",
                                        "lists.range(100000).all(i, s.contains('y') || true)",
                                        "lists.range(100000).all(i, sets.contains([l], [l]))"};
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_buffer json = {0};
    rx_buffer_text(&json, "{\"l\":[[0");
    for (int i = 0; i < 5000; i++)
        rx_buffer_text(&json, ",0");
    rx_buffer_text(&json, "]],\"s\":\"");
    for (int i = 0; i < 5000; i++)
        rx_buffer_text(&json, "xxxxxxxxxx");
    rx_buffer_text(&json, "\"}");
    rx_buffer_append(&json, "", 1);
    struct rx_event event = {.value = decode(heap, json.data)};
    struct rx_expr_env env = {.event = &event};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rx_expr *expr = compile(heap, texts[i], (struct rx_expr_options){0});
        struct rx_value value;
        ck_assert_msg(rx_expr_eval(expr, &env, &value, NULL) == -ETIME, "%s", texts[i]);
        rx_expr_destroy(expr);
    }
    rx_event_unref(&event);
    rx_buffer_finish(&json);
    finish(heap);
}
END_TEST

/* 100 elements each; the steps that were taken are inside. */
START_TEST(the_cost_is_a_bound)
{
    static const char *const texts[] = {"l.distinct()",
                                        "sets.contains(l, l)",
                                        "sets.equivalent(l, l)",
                                        "l.sort()",
                                        "l.sortBy(x, -x)",
                                        "l.map(x, l.indexOf(x))",
                                        "s.matches('^(\\\\w+,?)+x$')",
                                        "s.lower() + s.upper()",
                                        "json.encode(m)",
                                        "json.decode(s)",
                                        "l.all(x, l.exists(y, y == x))",
                                        "s.split(',')",
                                        "s.replace(',', 'bb')",
                                        "regex.replace(s, ',', 'bb')",
                                        "regex.extractAll(s, '1')",
                                        "m.keys()",
                                        "l.indexOf(99)",
                                        "event_time.strftime('%F %T', 'Europe/Berlin')",
                                        "'%s'.format([m])",
                                        "l.map(x, string(x)).join(',')",
                                        "m == m",
                                        "l in [l]",
                                        "99 in l",
                                        "l in l.map(x, l)",
                                        "sum(l) + max(l)",
                                        "s.lastIndexOf('x')",
                                        "s + s + s",
                                        "l + l",
                                        "m.transformMap(k, v, v + 1)",
                                        "l.flatten()",
                                        "l.reverse()",
                                        "s.reverse() < s"};
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_buffer json = {0};
    rx_buffer_text(&json, "{\"l\":[0");
    for (int i = 1; i < 100; i++)
        rx_buffer_printf(&json, ",%d", i);
    rx_buffer_text(&json, "],\"s\":\"[");
    for (int i = 0; i < 49; i++)
        rx_buffer_text(&json, "1,");
    rx_buffer_text(&json, "1]\",\"m\":{\"k\":1");
    for (int i = 1; i < 100; i++)
        rx_buffer_printf(&json, ",\"k%d\":%d", i, i);
    rx_buffer_text(&json, "}}");
    rx_buffer_append(&json, "", 1);
    struct rx_event event = {.value = decode(heap, json.data)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rx_expr *expr = compile(heap, texts[i], (struct rx_expr_options){0});
        struct rx_expr_env env = {.event = &event};
        struct rx_error error;
        struct rx_value value;
        for (int round = 0; round < 2; round++) { /* the first also fills caches */
            ck_assert_msg(rx_expr_eval(expr, &env, &value, &error) == 0, "%s: %s", texts[i], error.message);
            rx_value_unref(value);
        }
        ck_assert_msg((double)expr->steps <= rx_expr_cost(expr, 100), "%s: %llu steps, bound %g", texts[i],
                      (unsigned long long)expr->steps, rx_expr_cost(expr, 100));
        rx_expr_destroy(expr);
    }
    rx_event_unref(&event);
    rx_buffer_finish(&json);
    finish(heap);
}
END_TEST

/* Each level of it is a constant part that is too costly to compute at load; all together they are tried for 3 ms. */
START_TEST(computing_constants_at_load_is_bounded)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_buffer text = {0};
    rx_buffer_text(&text, "lists.range(9000)");
    for (int i = 0; i < 290; i++)
        rx_buffer_text(&text, ".map(x, x)");
    rx_buffer_text(&text, ".size() + 7 * 6");
    rx_buffer_append(&text, "", 1);
    struct rx_expr *expr = compile(heap, text.data, (struct rx_expr_options){0});
    ck_assert(!rx_expr_is_constant(expr));
    struct rx_buffer code = {0};
    rx_expr_disassemble(expr, &code);
    unsigned loops = 0;
    for (const char *p = code.data; (p = strstr(p, "  append")); p++)
        loops++;
    ck_assert_uint_eq(loops, 290); /* the innermost, which fit, are tried last: too late */
    rx_buffer_finish(&code);
    rx_buffer_finish(&text);
    rx_expr_destroy(expr);
    finish(heap);
}
END_TEST

/* Small in memory, endless when written; and what the message quotes of it is cut. */
START_TEST(what_an_evaluation_makes_is_bounded)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    static const char *const locals[] = {"acc", NULL};
    struct rx_expr_options with_acc = {.locals = locals};
    static const char *const turns[] = {"[acc, acc]", "[acc]", "{'a': acc, 'b': acc}", "[1, 2].map(x, acc)",
                                        "optional.of(acc)"};
    struct rx_event event = {.value = decode(heap, "{\"l\":[1]}")};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        struct rx_expr *expr = compile(heap, turns[i], with_acc);
        struct rx_value acc = rx_int(1), next;
        struct rx_error error = {0};
        unsigned turn = 0;
        for (; turn < 600; turn++) {
            struct rx_expr_env env = {.event = &event, .locals = &acc};
            if (rx_expr_eval(expr, &env, &next, &error) < 0)
                break;
            rx_value_unref(acc);
            acc = next;
        }
        ck_assert_msg(turn < 501 && error.code == -E2BIG, "%s: %u turns, %s", turns[i], turn, error.message);
        ck_assert(strstr(error.message, "1000000 parts"));
        struct rx_expr *wrong = compile(heap, "acc + 1", with_acc);
        struct rx_expr_env env = {.event = &event, .locals = &acc};
        ck_assert_int_eq(rx_expr_eval(wrong, &env, &next, &error), -EINVAL);
        ck_assert(strlen(error.message) < 200);
        rx_expr_destroy(wrong);
        rx_value_unref(acc);
        rx_expr_destroy(expr);
    }
    struct rx_expr *expr = compile(heap, "[event, event, l + l]", (struct rx_expr_options){0});
    want(expr, &(struct rx_expr_env){.event = &event}, "[{\"l\":[1]},{\"l\":[1]},[1,1]]");
    rx_expr_destroy(expr);
    rx_event_unref(&event);
    finish(heap);
}
END_TEST

/* langdef, "Syntax": at least 32 of everything. And what is hostile is refused, not survived by luck. */
static void nest(struct rx_heap *heap, const char *open, const char *middle, const char *close, unsigned n, bool works)
{
    struct rx_buffer text = {0};
    struct rx_expr_options options = {.heap = heap};
    struct rx_expr *expr;
    struct rx_error error = {0};
    for (unsigned i = 0; i < n; i++)
        rx_buffer_text(&text, open);
    rx_buffer_text(&text, middle);
    for (unsigned i = 0; i < n; i++)
        rx_buffer_text(&text, close);
    int r = rx_expr_compile(text.data, text.length, &options, &expr, &error);
    ck_assert_msg((r == 0) == works, "%u times %s: %s", n, open, error.message);
    if (r == 0)
        rx_expr_destroy(expr);
    else
        ck_assert(error.message[0] != '\0' && error.at.line == 1);
    rx_buffer_finish(&text);
}

START_TEST(limits_of_the_grammar_hold)
{
    enum { BRACKETS = 128, LEVELS = 299 }; /* a leaf is a level too */
    static const struct {
        const char *open, *middle, *close;
        unsigned limit;
    } forms[] = {
        {"(", "a", ")", BRACKETS},
        {"!", "b", "", LEVELS},
        {"!(", "b", ")", BRACKETS},
        {"-", "a", "", LEVELS},
        {"[", "1", "]", BRACKETS},
        {"[", "", "]", BRACKETS},
        {"{'a':", "1", "}", BRACKETS},
        {"a + ", "1", "", LEVELS},
        {"a || ", "b", "", LEVELS},
        {"a && ", "b", "", LEVELS},
        {"a ? 1 : ", "2", "", LEVELS},
        {"a ? 1 : (", "2", ")", BRACKETS},
        {"string(", "a", ")", BRACKETS},
        {"", "a", ".b", LEVELS},
        {"", "a", "[0]", LEVELS},
        {"a[", "0", "]", BRACKETS},
        {"", "a", ".?b", LEVELS},
        {"a == ", "true", "", LEVELS},
        {"a.map(x, ", "x", ")", BRACKETS},
        {"dyn(", "1", ")", BRACKETS},
        {"cel.bind(x, 1, ", "x", ")", BRACKETS},
        {"has(a.b) || ", "c", "", LEVELS - 2},
    };
    struct rx_heap *heap = rx_heap_create(NULL);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        nest(heap, forms[i].open, forms[i].middle, forms[i].close, 32, true);
        nest(heap, forms[i].open, forms[i].middle, forms[i].close, forms[i].limit, true);
        nest(heap, forms[i].open, forms[i].middle, forms[i].close, forms[i].limit + 1, false);
        nest(heap, forms[i].open, forms[i].middle, forms[i].close, 3000, false);
    }
    finish(heap);
}
END_TEST

START_TEST(hints_and_fields_and_constants_are_told)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_expr *expr = compile(heap, "battery-level > 3", (struct rx_expr_options){0});
    ck_assert_uint_eq(rx_expr_hint_count(expr), 1);
    ck_assert(strstr(rx_expr_hint(expr, 0)->hint, "event[\"battery-level\"]"));
    rx_expr_destroy(expr);
    expr = compile(heap, "battery - level", (struct rx_expr_options){0});
    ck_assert_uint_eq(rx_expr_hint_count(expr), 0);
    rx_expr_destroy(expr);
    expr = compile(heap, "event.temperature", (struct rx_expr_options){0});
    ck_assert_str_eq(rx_expr_as_field(expr)->text, "temperature");
    ck_assert(!rx_expr_is_constant(expr));
    rx_expr_destroy(expr);
    expr = compile(heap, "2 * 3 + size('abc')", (struct rx_expr_options){0});
    ck_assert(rx_expr_is_constant(expr) && !rx_expr_as_field(expr));
    struct rx_buffer code = {0};
    rx_expr_disassemble(expr, &code);
    ck_assert(strstr(code.data, "return 9"));
    rx_buffer_finish(&code);
    rx_expr_destroy(expr);
    finish(heap);
}
END_TEST

START_TEST(test_tells_true_false_and_failures_apart)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    static const struct {
        const char *text;
        int want;
    } cases[] = {{"t > 20.0", 1},       {"t > 30.0", 0}, {"missing > 1", -ENODATA},
                 {"nothing", -ENODATA}, {"t", -EINVAL},  {"s > 1", -EINVAL}};
    struct rx_event event = {.value = decode(heap, "{\"t\":21.5,\"nothing\":null,\"s\":\"x\"}")};
    struct rx_expr_env env = {.event = &event};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_expr *expr = compile(heap, cases[i].text, (struct rx_expr_options){0});
        struct rx_error error = {0};
        ck_assert_msg(rx_expr_test(expr, &env, &error) == cases[i].want, "%s", cases[i].text);
        ck_assert((cases[i].want < 0) == (error.message[0] != '\0'));
        rx_expr_destroy(expr);
    }
    rx_event_unref(&event);
    finish(heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, meta_and_mark_are_reached);
    tcase_add_test(tests, aggregates_become_slots);
    tcase_add_test(tests, aggregates_that_cannot_be_are_refused);
    tcase_add_test(tests, reach_names_what_is_read);
    tcase_add_test(tests, types_are_known_early);
    tcase_add_test(tests, an_evaluation_is_bounded);
    tcase_add_test(tests, comparing_large_values_is_bounded);
    tcase_add_test(tests, the_cost_is_a_bound);
    tcase_add_test(tests, what_an_evaluation_makes_is_bounded);
    tcase_add_test(tests, computing_constants_at_load_is_bounded);
    tcase_add_test(tests, limits_of_the_grammar_hold);
    tcase_add_test(tests, hints_and_fields_and_constants_are_told);
    tcase_add_test(tests, test_tells_true_false_and_failures_apart);
}

int main(void) { return expr_main("expr_api", add); }
