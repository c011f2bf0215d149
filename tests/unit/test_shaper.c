// layer: pipelines
/* Shapers and keys: objects of expressions, overlays, templates, flat aggregate slots. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"
#include "pipelines/config/config_read.h"

struct state {
    struct rx_shaper *shaper;
};

static const char *const locals[] = {"acc", NULL};

#define ONE_OPTION(type_)                                                                                              \
    {                                                                                                                  \
        {"shaper",                                                                                                     \
         "",                                                                                                           \
         type_,                                                                                                        \
         RX_AT(struct state, shaper, struct rx_shaper *),                                                              \
         .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE,                                                              \
         .locals = locals},                                                                                            \
            {0},                                                                                                       \
    }

static const struct rx_option map_options[] = ONE_OPTION(RX_OPTION_SHAPER);
static const struct rx_option aggregate_options[] = ONE_OPTION(RX_OPTION_AGGREGATES);
static const struct rx_option template_options[] = ONE_OPTION(RX_OPTION_TEMPLATE);
static const struct rx_class map_class = {.name = "map", .options = map_options};
static const struct rx_class aggregate_class = {.name = "aggregate", .options = aggregate_options};
static const struct rx_class template_class = {.name = "template", .options = template_options};

static struct rx_heap *heap;
static struct rx_plan_arena *arena;
static struct rx_diagnostics *diagnostics;
static struct rx_buffer out;
static struct rx_event event;
static struct rx_expr_env env;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    arena = rx_plan_arena_create(heap);
    diagnostics = rx_diagnostics_create();
    event = (struct rx_event){.value = rx_null()};
    env = (struct rx_expr_env){.event = &event};
}

static void tear_down(void)
{
    rx_event_unref(&event);
    rx_plan_arena_destroy(arena);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
    rx_diagnostics_destroy(diagnostics);
    rx_buffer_finish(&out);
}

static const char *text_of(struct rx_buffer *buffer)
{
    rx_buffer_append(buffer, "", 1);
    return buffer->data;
}

static struct rx_value from_json(const char *text)
{
    struct rx_value value;
    struct rx_error error = {0};
    int r = rx_json_decode(heap, NULL, NULL, text, strlen(text), &value, &error);
    ck_assert_msg(r == 0, "%s", error.message);
    return value;
}

static void set_event(const char *json)
{
    rx_value_unref(event.value);
    event.value = from_json(json);
}

/* The forest may go: what was compiled stays. */
static struct rx_shaper *compile(const struct rx_class *class, const char *yaml)
{
    struct rx_forest *forest = NULL;
    struct state state = {0};
    int r = rx_forest_read_text(yaml, strlen(yaml), "x", RX_FOREST_FRAGMENT, diagnostics, &forest);
    if (r == 0)
        r = rx_options_parse(class, rx_forest_root(forest), rx_forest_root(forest), arena, &state, diagnostics);
    if (r < 0)
        rx_diagnostics_render(diagnostics, &out);
    ck_assert_msg(r == 0, "%s", r < 0 ? text_of(&out) : "");
    rx_forest_destroy(forest);
    return state.shaper;
}

static void assert_json(struct rx_value value, const char *expected)
{
    rx_buffer_clear(&out);
    rx_json_write(&out, value);
    ck_assert_str_eq(text_of(&out), expected);
    rx_value_unref(value);
}

static void assert_eval(struct rx_shaper *shaper, const char *expected)
{
    struct rx_value value;
    struct rx_error error = {0};
    int r = rx_shaper_eval(shaper, &env, heap, &value, &error);
    ck_assert_msg(r == 0, "%s", error.message);
    assert_json(value, expected);
}

static void assert_apply(struct rx_shaper *shaper, const char *expected)
{
    struct rx_value value;
    struct rx_error error = {0};
    int r = rx_shaper_apply(shaper, &env, heap, event.value, &value, &error);
    ck_assert_msg(r == 0, "%s", error.message);
    assert_json(value, expected);
}

static void assert_text(struct rx_shaper *shaper, const char *expected)
{
    rx_buffer_clear(&out);
    ck_assert_int_eq(rx_shaper_text(shaper, &env, &out, NULL), 0);
    ck_assert_str_eq(text_of(&out), expected);
}

START_TEST(an_object_of_expressions_makes_a_record)
{
    struct rx_shaper *shaper = compile(&map_class, "{a: x, b: {c: y, d: 5, e: {}}, f: [x, 'y'], g: '\"text\"'}");
    set_event("{\"x\":1,\"y\":\"two\"}");
    for (int i = 0; i < 3; i++)
        assert_eval(shaper, "{\"a\":1,\"b\":{\"c\":\"two\",\"d\":5,\"e\":{}},\"f\":[1,\"two\"],\"g\":\"text\"}");
    set_event("{\"y\":[2],\"z\":0,\"x\":{\"deep\":true}}");
    assert_eval(shaper, "{\"a\":{\"deep\":true},\"b\":{\"c\":[2],\"d\":5,\"e\":{}},\"f\":[{\"deep\":true},[2]],"
                        "\"g\":\"text\"}");
}
END_TEST

START_TEST(one_expression_is_its_value)
{
    struct rx_shaper *shaper = compile(&map_class, "x");
    set_event("{\"x\":[1]}");
    assert_eval(shaper, "[1]");
}
END_TEST

START_TEST(an_absent_field_is_an_error_and_nothing_leaks)
{
    struct rx_shaper *shaper = compile(&map_class, "{a: x, b: y, c: z}");
    set_event("{\"x\":[1],\"y\":\"a long enough text to live in a block of its own\"}");
    struct rx_value value = rx_int(7);
    ck_assert_int_eq(rx_shaper_eval(shaper, &env, heap, &value, NULL), -ENODATA);
    ck_assert_int_eq(rx_shaper_apply(shaper, &env, heap, event.value, &value, NULL), -ENODATA);
    ck_assert_int_eq(value.u.i, 7);
}
END_TEST

START_TEST(set_overwrites_in_place_and_appends)
{
    struct rx_shaper *shaper = compile(&map_class, "{x: y, new: x}");
    set_event("{\"x\":1,\"y\":2}");
    assert_apply(shaper, "{\"x\":2,\"y\":2,\"new\":1}");
    set_event("{\"y\":4,\"new\":0,\"x\":3}");
    assert_apply(shaper, "{\"y\":4,\"new\":3,\"x\":4}");
    set_event("{\"x\":1,\"y\":2}");
    assert_apply(shaper, "{\"x\":2,\"y\":2,\"new\":1}");
}
END_TEST

START_TEST(set_on_a_scalar_counts_it_as_value)
{
    struct rx_shaper *shaper = compile(&map_class, "{a: 5}");
    set_event("17");
    assert_apply(shaper, "{\"value\":17,\"a\":5}");
}
END_TEST

START_TEST(set_from_one_expression_takes_its_entries)
{
    struct rx_shaper *shaper = compile(&map_class, "x");
    set_event("{\"x\":{\"x\":0,\"z\":1}}");
    assert_apply(shaper, "{\"x\":0,\"z\":1}");
    set_event("{\"x\":5}");
    struct rx_value value;
    ck_assert_int_eq(rx_shaper_apply(shaper, &env, heap, event.value, &value, NULL), -EINVAL);
}
END_TEST

START_TEST(objects_beyond_a_shape_are_maps)
{
    struct rx_buffer yaml = {0}, expected = {0};
    for (int i = 0; i < 100; i++) {
        rx_buffer_printf(&yaml, "k%d: x\n", i);
        rx_buffer_printf(&expected, "%s\"k%d\":1", i ? "," : "{", i);
    }
    rx_buffer_text(&expected, "}");
    struct rx_shaper *shaper = compile(&map_class, text_of(&yaml));
    set_event("{\"x\":1}");
    assert_eval(shaper, text_of(&expected));
    struct rx_value value;
    ck_assert_int_eq(rx_shaper_apply(shaper, &env, heap, event.value, &value, NULL), 0);
    ck_assert_uint_eq(rx_object_count(value), 101);
    rx_value_unref(value);
    rx_buffer_finish(&yaml);
    rx_buffer_finish(&expected);
}
END_TEST

START_TEST(locals_are_bound)
{
    struct rx_shaper *shaper = compile(&map_class, "{a: acc}");
    struct rx_value acc = rx_int(9);
    set_event("{\"acc\":1}");
    env.locals = &acc;
    assert_eval(shaper, "{\"a\":9}");
}
END_TEST

START_TEST(aggregate_slots_are_numbered_flat)
{
    struct rx_shaper *shaper = compile(&aggregate_class, "{n: count(), range: max(v) - min(v), deep: {s: sum(v)}}");
    struct rx_value slots[] = {rx_int(3), rx_int(10), rx_int(4), rx_int(21)};
    ck_assert_uint_eq(rx_shaper_expr_count(shaper), 3);
    ck_assert_uint_eq(rx_shaper_slot_count(shaper), 4);
    ck_assert_uint_eq(rx_shaper_slot_first(shaper, 0), 0);
    ck_assert_uint_eq(rx_shaper_slot_first(shaper, 1), 1);
    ck_assert_uint_eq(rx_shaper_slot_first(shaper, 2), 3);
    ck_assert_str_eq(rx_expr_aggregate(rx_shaper_expr(shaper, 2), 0)->function, "sum");
    env.slots = slots;
    assert_eval(shaper, "{\"n\":3,\"range\":6,\"deep\":{\"s\":21}}");
}
END_TEST

START_TEST(an_aggregate_of_nothing_is_null)
{
    struct rx_shaper *shaper = compile(&aggregate_class, "{n: count(), spread: max(v) - min(v), avg: avg(v)}");
    struct rx_value slots[] = {rx_int(0), rx_null(), rx_null(), rx_null()};
    env.slots = slots;
    assert_eval(shaper, "{\"n\":0,\"spread\":null,\"avg\":null}");
}
END_TEST

START_TEST(a_template_fills_in_expressions)
{
    struct rx_shaper *shaper = compile(&template_class, "alerts/{device}/{level}");
    set_event("{\"device\":\"d 1/\xC3\xA4\",\"level\":2.5}");
    assert_text(shaper, "alerts/d 1/\xC3\xA4/2.5");
    assert_eval(shaper, "\"alerts/d 1/\xC3\xA4/2.5\"");
    rx_buffer_clear(&out);
    ck_assert_int_eq(rx_shaper_url(shaper, &env, &out, NULL), 0);
    ck_assert_str_eq(text_of(&out), "alerts/d%201%2F%C3%A4/2.5");
}
END_TEST

START_TEST(a_template_that_is_one_expression_keeps_its_type)
{
    struct rx_shaper *shaper =
        compile(&template_class, "{a: '{x}', b: '{x}!', c: ['{x}', 5, '5', true, no], d: '{{x}}'}");
    set_event("{\"x\":[1,2]}");
    assert_eval(shaper, "{\"a\":[1,2],\"b\":\"[1,2]!\",\"c\":[[1,2],5,\"5\",true,\"no\"],\"d\":\"{x}\"}");
}
END_TEST

START_TEST(braces_and_quotes_inside_an_expression_are_its_own)
{
    struct rx_shaper *shaper = compile(&template_class, "'x{ {\"a}\": y}[\"a}\"] }y'");
    set_event("{\"y\":7}");
    assert_text(shaper, "x7y");
}
END_TEST

START_TEST(a_template_finds_the_group_key_in_the_mark)
{
    struct rx_shaper *shaper = compile(&template_class, "'{device}: {n}'");
    struct rx_value key = from_json("{\"device\":\"d1\"}");
    set_event("{\"n\":1}");
    event.mark = rx_mark_with_key(heap, NULL, key);
    rx_value_unref(key);
    rx_buffer_clear(&out);
    assert_text(shaper, "d1: 1");
}
END_TEST

START_TEST(an_absent_name_in_a_template_is_an_error)
{
    struct rx_shaper *shaper = compile(&template_class, "alerts/{device}");
    set_event("{}");
    ck_assert_int_eq(rx_shaper_text(shaper, &env, &out, NULL), -ENODATA);
}
END_TEST

static struct rx_keys *compile_keys(const char *yaml)
{
    struct rx_forest *forest = NULL;
    struct rx_keys *keys = NULL;
    ck_assert_int_eq(rx_forest_read_text(yaml, strlen(yaml), "x", RX_FOREST_FRAGMENT, diagnostics, &forest), 0);
    ck_assert_int_eq(rx_keys_compile(rx_forest_root(forest), arena, &keys, diagnostics), 0);
    rx_forest_destroy(forest);
    return keys;
}

START_TEST(keys_are_fields_or_named_expressions)
{
    struct rx_value key;
    set_event("{\"site\":\"a site whose name is rather long\",\"n\":3}");
    struct rx_keys *fields = compile_keys("[site, n]");
    ck_assert_uint_eq(rx_keys_count(fields), 2);
    ck_assert_str_eq(rx_keys_name(fields, 1)->text, "n");
    ck_assert_int_eq(rx_keys_eval(fields, &env, heap, &key, NULL), 0);
    assert_json(key, "{\"site\":\"a site whose name is rather long\",\"n\":3}");
    struct rx_keys *named = compile_keys("{half: n - 1}");
    ck_assert_int_eq(rx_keys_eval(named, &env, heap, &key, NULL), 0);
    ck_assert_int_eq(key.kind, RX_RECORD);
    assert_json(key, "{\"half\":2}");
    set_event("{\"site\":\"x\"}");
    ck_assert_int_eq(rx_keys_eval(fields, &env, heap, &key, NULL), -ENODATA);
}
END_TEST

/* Compiles and evaluates with a heap that holds no more than `limit` bytes. Answers whether all of it worked. */
static bool works_within(const struct rx_class *class, const char *yaml, size_t limit)
{
    struct rx_heap *small = rx_heap_create(&(struct rx_heap_limits){.max_bytes = limit});
    struct rx_plan_arena *plan = rx_plan_arena_create(small);
    struct rx_diagnostics *mistakes = rx_diagnostics_create();
    struct rx_forest *forest = NULL;
    struct state state = {0};
    struct rx_value base, result;
    const char *json = "{\"x\":1,\"y\":\"a text that needs a block\"}";
    ck_assert_int_eq(rx_forest_read_text(yaml, strlen(yaml), "x", RX_FOREST_FRAGMENT, mistakes, &forest), 0);
    const struct rx_tree *root = rx_forest_root(forest);
    bool works = rx_options_parse(class, root, root, plan, &state, mistakes) == 0 &&
                 rx_json_decode(small, NULL, NULL, json, strlen(json), &base, NULL) == 0;
    if (works) {
        struct rx_event some = {.value = base};
        struct rx_expr_env seen = {.event = &some};
        bool evaluated = rx_shaper_eval(state.shaper, &seen, small, &result, NULL) == 0;
        if (evaluated)
            rx_value_unref(result);
        bool applied = rx_shaper_apply(state.shaper, &seen, small, base, &result, NULL) == 0;
        if (applied)
            rx_value_unref(result);
        rx_value_unref(base);
        works = evaluated && applied;
    }
    rx_forest_destroy(forest);
    rx_diagnostics_destroy(mistakes);
    rx_plan_arena_destroy(plan);
    ck_assert_uint_eq(rx_heap_live_blocks(small), 0);
    rx_heap_destroy(small);
    return works;
}

START_TEST(a_full_heap_is_an_error_and_nothing_leaks)
{
    const char *map = "{a: x, b: {c: y, d: '\"a constant text that is long\"'}, e: [y, x], x: y}";
    const char *template = "{a: 'text {y} text', b: [1, two, {three: 3}], c: '{y}'}";
    size_t limit = 0;
    while (!works_within(&map_class, map, limit) && limit < 100000)
        limit += 16;
    ck_assert_uint_lt(limit, 100000);
    for (limit = 0; !works_within(&template_class, template, limit) && limit < 100000;)
        limit += 16;
    ck_assert_uint_lt(limit, 100000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shaper");
    TCase *tests = tcase_create("shaper");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_object_of_expressions_makes_a_record);
    tcase_add_test(tests, one_expression_is_its_value);
    tcase_add_test(tests, an_absent_field_is_an_error_and_nothing_leaks);
    tcase_add_test(tests, set_overwrites_in_place_and_appends);
    tcase_add_test(tests, set_on_a_scalar_counts_it_as_value);
    tcase_add_test(tests, set_from_one_expression_takes_its_entries);
    tcase_add_test(tests, objects_beyond_a_shape_are_maps);
    tcase_add_test(tests, locals_are_bound);
    tcase_add_test(tests, aggregate_slots_are_numbered_flat);
    tcase_add_test(tests, an_aggregate_of_nothing_is_null);
    tcase_add_test(tests, a_template_fills_in_expressions);
    tcase_add_test(tests, a_template_that_is_one_expression_keeps_its_type);
    tcase_add_test(tests, braces_and_quotes_inside_an_expression_are_its_own);
    tcase_add_test(tests, a_template_finds_the_group_key_in_the_mark);
    tcase_add_test(tests, an_absent_name_in_a_template_is_an_error);
    tcase_add_test(tests, keys_are_fields_or_named_expressions);
    tcase_add_test(tests, a_full_heap_is_an_error_and_nothing_leaks);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
