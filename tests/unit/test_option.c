// layer: pipelines
/* Options: every type, defaults, and every mistake told with its place and what to write instead. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"
#include "pipelines/config/config_read.h"

enum mode { FIRST, SECOND };

struct state {
    bool flag;
    int64_t count;
    double ratio;
    rx_time every;
    uint64_t room;
    const char *text;
    struct rx_strings topics;
    struct rx_pairs headers;
    int mode;
    struct rx_extent size;
    struct rx_expr *when;
    struct rx_shaper *shape;
    struct rx_keys *by;
    struct rx_side_keys *pair;
    struct rx_shaper *results;
    struct rx_shaper *payload;
    struct rx_value literal;
    const struct rx_tree *other;
    const struct rx_tree *pipe;
};

static const char *const modes[] = {"merge", "concat", NULL};
static const char *const events[] = {"event", NULL};
static const char *const locals[] = {"acc", NULL};

static const struct rx_option options[] = {
    {"flag", "a switch", RX_OPTION_BOOL, RX_AT(struct state, flag, bool), .fallback = "true"},
    {"count", "how many", RX_OPTION_INT, RX_AT(struct state, count, int64_t), .fallback = "3", .min = 1, .max = 10},
    {"ratio", "a share", RX_OPTION_DOUBLE, RX_AT(struct state, ratio, double), .min = 0, .max = 1},
    {"every", "how often", RX_OPTION_DURATION, RX_AT(struct state, every, rx_time), .fallback = "1m30s", .min = 0.001,
     .max = 3600},
    {"room", "bytes", RX_OPTION_SIZE, RX_AT(struct state, room, uint64_t), .fallback = "64KiB", .min = 1024, .max = -1},
    {"text", "a text", RX_OPTION_STRING, RX_AT(struct state, text, const char *), .flags = 0},
    {"topics", "topics", RX_OPTION_STRINGS, RX_AT(struct state, topics, struct rx_strings), .flags = 0},
    {"headers", "texts by name", RX_OPTION_PAIRS, RX_AT(struct state, headers, struct rx_pairs), .flags = 0},
    {"mode", "how inner streams meet", RX_OPTION_ENUM, RX_AT(struct state, mode, int), .fallback = "concat",
     .choices = modes},
    {"size", "the extent", RX_OPTION_EXTENT, RX_AT(struct state, size, struct rx_extent),
     .flags = RX_REQUIRED | RX_POSITIONAL, .choices = events},
    {"when", "a condition", RX_OPTION_EXPR, RX_AT(struct state, when, struct rx_expr *), .locals = locals},
    {"shape", "fields", RX_OPTION_SHAPER, RX_AT(struct state, shape, struct rx_shaper *), .flags = 0},
    {"by", "keys", RX_OPTION_KEYS, RX_AT(struct state, by, struct rx_keys *), .flags = 0},
    {"pair", "keys of streams", RX_OPTION_SIDE_KEYS, RX_AT(struct state, pair, struct rx_side_keys *), .flags = 0},
    {"results", "results", RX_OPTION_AGGREGATES, RX_AT(struct state, results, struct rx_shaper *), .flags = 0},
    {"payload", "what is sent", RX_OPTION_TEMPLATE, RX_AT(struct state, payload, struct rx_shaper *), .flags = 0},
    {"literal", "a literal", RX_OPTION_VALUE, RX_AT(struct state, literal, struct rx_value), .flags = 0},
    {"other", "another stream", RX_OPTION_STREAM, RX_AT(struct state, other, const struct rx_tree *), .flags = 0},
    {"pipe", "steps", RX_OPTION_PIPE, RX_AT(struct state, pipe, const struct rx_tree *), .flags = 0},
    {0},
};

static const struct rx_class class = {.name = "demo",
                                      .summary = "Shows every type.",
                                      .options = options,
                                      .state_size = sizeof(struct state),
                                      .example = "- demo: 5s"};

struct only {
    struct rx_shaper *fields;
};

static const struct rx_option whole_options[] = {
    {"fields", "the fields", RX_OPTION_SHAPER, RX_AT(struct only, fields, struct rx_shaper *),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static const struct rx_class whole = {
    .name = "whole", .summary = "Takes an object.", .options = whole_options, .state_size = sizeof(struct only)};

static const struct rx_class bare = {.name = "bare", .summary = "Takes nothing."};

static struct rx_heap *heap;
static struct rx_plan_arena *arena;
static struct rx_diagnostics *diagnostics;
static struct rx_forest *forest;
static struct rx_buffer rendered;
static struct state state;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    arena = rx_plan_arena_create(heap);
    diagnostics = rx_diagnostics_create();
    forest = NULL;
    memset(&state, 0, sizeof state);
}

static void tear_down(void)
{
    rx_plan_arena_destroy(arena);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
    rx_forest_destroy(forest);
    rx_diagnostics_destroy(diagnostics);
    rx_buffer_finish(&rendered);
}

static const char *render(void)
{
    rx_buffer_clear(&rendered);
    rx_diagnostics_render(diagnostics, &rendered);
    rx_buffer_append(&rendered, "", 1);
    return rendered.data;
}

/* Parses `step: VALUE`, a step as the planner meets it. */
static int parse_as(const struct rx_class *as, const char *yaml, void *image)
{
    int r = rx_forest_read_text(yaml, strlen(yaml), "rxd.yaml", RX_FOREST_FRAGMENT, diagnostics, &forest);
    ck_assert_msg(r == 0, "%s", render());
    const struct rx_tree *root = rx_forest_root(forest);
    bool step = root->kind == RX_TREE_MAP && strcmp(root->keys[0]->text, "step") == 0;
    const struct rx_tree *value = step ? root->items[0] : NULL;
    return rx_options_parse(as, value, step ? root->keys[0] : root, arena, image, diagnostics);
}

static void parse_good(const char *yaml)
{
    int r = parse_as(&class, yaml, &state);
    ck_assert_msg(r == 0, "%s", render());
}

static void assert_refused(const char *yaml, const char *expected)
{
    ck_assert_int_eq(parse_as(&class, yaml, &state), -22);
    ck_assert_str_eq(render(), expected);
}

START_TEST(defaults_are_spelled_as_a_user_would)
{
    parse_good("step: 5s");
    ck_assert(state.flag);
    ck_assert_int_eq(state.count, 3);
    ck_assert_int_eq(state.every, 90 * RX_SEC);
    ck_assert_uint_eq(state.room, 65536);
    ck_assert_int_eq(state.mode, SECOND);
    ck_assert_int_eq(state.size.duration, 5 * RX_SEC);
    ck_assert_ptr_null(state.text);
    ck_assert_ptr_null(state.when);
    ck_assert_int_eq(state.literal.kind, RX_NULL);
}
END_TEST

START_TEST(the_option_decides_the_type)
{
    parse_good("step: {size: 100, flag: no, count: 7, ratio: 0.25, every: 500ms, room: 1MB, text: 0123,\n"
               "       topics: [a, 5], headers: {X-Version: 1.10, b: c}, mode: merge, other: {from: x}, pipe: [take]}");
    ck_assert_uint_eq(state.size.count, 100);
    ck_assert(!state.flag);
    ck_assert_int_eq(state.count, 7);
    ck_assert_double_eq(state.ratio, 0.25);
    ck_assert_int_eq(state.every, 500 * RX_MSEC);
    ck_assert_uint_eq(state.room, 1000000);
    ck_assert_str_eq(state.text, "0123");
    ck_assert_uint_eq(state.topics.count, 2);
    ck_assert_str_eq(state.topics.items[1], "5");
    ck_assert_uint_eq(state.headers.count, 2);
    ck_assert_str_eq(state.headers.names[0], "X-Version");
    ck_assert_str_eq(state.headers.texts[0], "1.10");
    ck_assert_int_eq(state.mode, FIRST);
    ck_assert_int_eq(state.other->kind, RX_TREE_MAP);
    ck_assert_uint_eq(state.pipe->count, 1);
}
END_TEST

START_TEST(an_extent_may_be_every_event)
{
    parse_good("step: event");
    ck_assert(state.size.every_event);
}
END_TEST

START_TEST(literals_are_typed_by_their_spelling)
{
    parse_good("step: {size: 1, literal: {a: 1, b: 1.5, c: 'x', d: yes, e: true, f: ~, g: '1', h: 0123, i: [1e3, -7],\n"
               "  j: 99999999999999999999}}");
    struct rx_buffer out = {0};
    rx_json_write(&out, state.literal);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, "{\"a\":1,\"b\":1.5,\"c\":\"x\",\"d\":\"yes\",\"e\":true,\"f\":null,\"g\":\"1\","
                               "\"h\":\"0123\",\"i\":[1000,-7],\"j\":100000000000000000000}");
    rx_buffer_finish(&out);
}
END_TEST

START_TEST(a_mapping_is_the_object_where_the_positional_is_one)
{
    struct only only = {0};
    ck_assert_int_eq(parse_as(&whole, "step: {fields: a, b: c}", &only), 0);
    ck_assert_uint_eq(rx_shaper_expr_count(only.fields), 2);
}
END_TEST

START_TEST(what_expressions_reach_is_told)
{
    parse_good(
        "step: {size: 1, when: a > 1, shape: {x: b, y: {z: c}}, by: [d], results: {n: sum(e)}, payload: 'x {f}'}");
    struct rx_fields *fields = rx_fields_create(heap);
    unsigned reaches = 0;
    ck_assert_int_eq(rx_options_reach(&class, &state, fields, &reaches), 0);
    ck_assert_uint_eq(rx_fields_count(fields), 6);
    ck_assert(!rx_fields_all(fields));
    ck_assert(reaches & RX_REACHES_MARK);
    rx_fields_destroy(fields);
}
END_TEST

START_TEST(an_unknown_option_names_the_nearest)
{
    assert_refused("step: {size: 1, evry: 5s}", "rxd.yaml:1:17: `demo` has no option `evry`\n"
                                                "    step: {size: 1, evry: 5s}\n"
                                                "                    ^\n"
                                                "  hint: did you mean `every`?\n");
}
END_TEST

START_TEST(several_mistakes_are_told_at_once)
{
    assert_refused("step:\n  flag: maybe\n  count: 11\n  ratio: half\n  every: 5\n  room: 10 apples\n  mode: mrge\n",
                   "rxd.yaml:1:1: `demo` needs `size`, a duration such as 5s, or a count such as 100\n"
                   "    step:\n"
                   "    ^\n"
                   "  hint: for example: - demo: 5s\n"
                   "rxd.yaml:2:9: `flag`: expected true or false, found `maybe`\n"
                   "      flag: maybe\n"
                   "            ^\n"
                   "  hint: flag: a switch\n"
                   "rxd.yaml:3:10: `count` must be between 1 and 10, found `11`\n"
                   "      count: 11\n"
                   "             ^\n"
                   "  hint: count: how many\n"
                   "rxd.yaml:4:10: `ratio` expects a number such as 1.5, found `half`\n"
                   "      ratio: half\n"
                   "             ^\n"
                   "  hint: ratio: a share\n"
                   "rxd.yaml:5:10: `every`: a duration needs a unit, found `5`\n"
                   "      every: 5\n"
                   "             ^\n"
                   "  hint: write 5s for seconds, 5ms for milliseconds\n"
                   "rxd.yaml:6:9: `room`: expected a size, found `10 apples`\n"
                   "      room: 10 apples\n"
                   "            ^\n"
                   "  hint: write bytes, or a number with a unit: 4096, 64KiB, 10MB\n"
                   "rxd.yaml:7:9: `mode` must be one of merge, concat, found `mrge`\n"
                   "      mode: mrge\n"
                   "            ^\n"
                   "  hint: did you mean `merge`?\n");
}
END_TEST

START_TEST(a_wrong_kind_is_told_with_an_example)
{
    assert_refused("step: {size: [1], when: {a: b}, text: [x], every: {s: 5}}",
                   "rxd.yaml:1:14: `size` expects a duration such as 5s, or a count such as 100, found a list\n"
                   "    step: {size: [1], when: {a: b}, text: [x], every: {s: 5}}\n"
                   "                 ^\n"
                   "  hint: for example: - demo: 5s\n"
                   "rxd.yaml:1:25: `when` expects an expression such as `value > 10`, found a mapping\n"
                   "    step: {size: [1], when: {a: b}, text: [x], every: {s: 5}}\n"
                   "                            ^\n"
                   "  hint: quote the expression: `{`, `[` and `: ` mean something else in YAML\n"
                   "rxd.yaml:1:39: `text` expects a text, found a list\n"
                   "    step: {size: [1], when: {a: b}, text: [x], every: {s: 5}}\n"
                   "                                          ^\n"
                   "  hint: text: a text\n"
                   "rxd.yaml:1:51: `every` expects a duration such as 5s, 500ms or 1m30s, found a mapping\n"
                   "    step: {size: [1], when: {a: b}, text: [x], every: {s: 5}}\n"
                   "                                                      ^\n"
                   "  hint: every: how often\n");
}
END_TEST

START_TEST(ranges_are_told_in_the_units_of_the_option)
{
    assert_refused("step: {size: 0, every: 2h, room: 5}",
                   "rxd.yaml:1:14: `size` must be more than nothing, found `0`\n"
                   "    step: {size: 0, every: 2h, room: 5}\n"
                   "                 ^\n"
                   "  hint: for example: - demo: 5s\n"
                   "rxd.yaml:1:24: `every` must be between 1ms and 1h, found `2h`\n"
                   "    step: {size: 0, every: 2h, room: 5}\n"
                   "                           ^\n"
                   "  hint: every: how often\n"
                   "rxd.yaml:1:34: `room` must be at least 1024, found `5`\n"
                   "    step: {size: 0, every: 2h, room: 5}\n"
                   "                                     ^\n"
                   "  hint: room: bytes\n");
}
END_TEST

START_TEST(a_bare_step_is_blamed_where_it_stands)
{
    assert_refused("- demo", "rxd.yaml:1:1: `demo` needs `size`, a duration such as 5s, or a count such as 100\n"
                             "    - demo\n"
                             "    ^\n"
                             "  hint: for example: - demo: 5s\n");
}
END_TEST

START_TEST(a_value_where_none_belongs_is_refused)
{
    ck_assert_int_lt(parse_as(&bare, "step: 5", &state), 0);
    ck_assert_str_eq(render(), "rxd.yaml:1:7: `bare` takes no value\n"
                               "    step: 5\n"
                               "          ^\n");
}
END_TEST

START_TEST(an_expression_is_shown_inside_the_file)
{
    ck_assert_int_lt(parse_as(&class, "step:\n  size: 1\n  when: 'a == ''x'' > > 1'\n", &state), 0);
    const char *said = render();
    ck_assert_int_eq(strncmp(said, "rxd.yaml:3:23: ", 15), 0);
    ck_assert_ptr_nonnull(strstr(said, "\n      when: 'a == ''x'' > > 1'\n"
                                       "                          ^\n"));
}
END_TEST

START_TEST(a_comment_inside_an_expression_is_hinted_at)
{
    ck_assert_int_lt(parse_as(&class, "step:\n  size: 1\n  when: a == \"b #c\"\n", &state), 0);
    ck_assert_ptr_nonnull(strstr(render(), "rxd.yaml:3:14: "));
    ck_assert_ptr_nonnull(
        strstr(render(), "  hint: a `#` after a space starts a comment in YAML: quote the expression\n"));
}
END_TEST

START_TEST(a_comment_that_is_none_is_not_blamed)
{
    ck_assert_int_lt(parse_as(&class, "step:\n  size: 1\n  when: a ==  # compare\n", &state), 0);
    ck_assert_ptr_null(strstr(render(), "starts a comment"));
}
END_TEST

START_TEST(a_field_with_a_dash_is_told_about_backticks)
{
    ck_assert_int_lt(parse_as(&class, "step: {size: 1, by: battery-level}", &state), 0);
    ck_assert_ptr_nonnull(strstr(render(), "write it in backticks and quotes: \"`battery-level`\""));
}
END_TEST

START_TEST(a_key_needs_a_name)
{
    ck_assert_int_lt(parse_as(&class, "step: {size: 1, by: [a, b.c]}", &state), 0);
    ck_assert_str_eq(render(), "rxd.yaml:1:25: the key `b.c` needs a name, as it is not a plain field\n"
                               "    step: {size: 1, by: [a, b.c]}\n"
                               "                            ^\n"
                               "  hint: write {c: \"b.c\"}; as a step: group_by: {by: {c: \"b.c\"}}\n");
}
END_TEST

START_TEST(a_key_given_twice_is_refused)
{
    ck_assert_int_lt(parse_as(&class, "step: {size: 1, by: [a, a]}", &state), 0);
    ck_assert_ptr_nonnull(strstr(render(), "rxd.yaml:1:25: the key `a` is given twice"));
}
END_TEST

static const char *side_text(const char *side, size_t i)
{
    return rx_expr_text(rx_keys_expr(rx_side_keys_of(state.pair, side), i));
}

START_TEST(a_key_may_have_an_expression_for_each_stream)
{
    parse_good("step: {size: 1, pair: {id: {orders: id, payments: order_id}, day: day / 7, k: {orders: x}}}");
    ck_assert_uint_eq(rx_side_keys_count(state.pair), 3);
    ck_assert_str_eq(rx_side_keys_name(state.pair, 1)->text, "day");
    ck_assert_uint_eq(rx_side_keys_side_count(state.pair), 2);
    ck_assert_str_eq(rx_side_keys_side(state.pair, 1)->text, "payments");
    ck_assert_str_eq(side_text("payments", 0), "order_id");
    ck_assert_str_eq(side_text("payments", 1), "day / 7");
    ck_assert_str_eq(side_text("payments", 2), "`k`");
    ck_assert_str_eq(side_text("orders", 2), "x");
    ck_assert_str_eq(side_text("any other", 0), "`id`");
}
END_TEST

START_TEST(keys_of_streams_may_be_as_simple_as_those_of_groups)
{
    parse_good("step: {size: 1, pair: [city, window]}");
    ck_assert_uint_eq(rx_side_keys_count(state.pair), 2);
    ck_assert_uint_eq(rx_side_keys_side_count(state.pair), 0);
    ck_assert_str_eq(side_text("any", 1), "window");
}
END_TEST

START_TEST(a_mistake_in_the_key_of_one_stream_is_shown_in_its_place)
{
    ck_assert_int_lt(parse_as(&class, "step: {size: 1, pair: {id: {a: id, b: 'x +'}}}", &state), 0);
    ck_assert_ptr_nonnull(strstr(render(), "rxd.yaml:1:43: "));
}
END_TEST

START_TEST(the_key_of_one_stream_is_an_expression)
{
    ck_assert_int_lt(parse_as(&class, "step: {size: 1, pair: {id: {a: [b]}}}", &state), 0);
    ck_assert_ptr_nonnull(strstr(render(), "the key `id` expects an expression"));
}
END_TEST

START_TEST(an_aggregate_needs_a_name)
{
    assert_refused("step: {size: 1, results: avg(value)}", "rxd.yaml:1:26: `results` needs a name for each result\n"
                                                           "    step: {size: 1, results: avg(value)}\n"
                                                           "                             ^\n"
                                                           "  hint: write {avg: avg(value)}\n");
}
END_TEST

START_TEST(braces_in_a_template_must_match)
{
    ck_assert_int_lt(parse_as(&class, "step: {size: 1, payload: ['a {b', 'a } b', 'a {} b', '{{ok}} {c}']}", &state),
                     0);
    const char *said = render();
    ck_assert_ptr_nonnull(strstr(said, "rxd.yaml:1:30: a `{` without its `}`\n"));
    ck_assert_ptr_nonnull(strstr(said, "rxd.yaml:1:38: a `}` without its `{`\n"));
    ck_assert_ptr_nonnull(strstr(said, "rxd.yaml:1:47: an empty `{}` in a template\n"));
    ck_assert_uint_eq(rx_diagnostics_count(diagnostics), 3);
}
END_TEST

START_TEST(the_catalogue_entry_is_aligned)
{
    static const struct rx_option few[] = {
        {"size", "the extent", RX_OPTION_EXTENT, 0, .flags = RX_REQUIRED | RX_POSITIONAL},
        {"mode", "how streams meet", RX_OPTION_ENUM, 0, .fallback = "merge", .choices = modes},
        {"every", "how often", RX_OPTION_DURATION, 0, .min = 0.001, .max = 3600},
        {0},
    };
    struct rx_class shown = {.name = "demo", .summary = "Shows a table.", .options = few, .example = "- demo: 5s"};
    rx_class_describe(&shown, &rendered);
    rx_buffer_append(&rendered, "", 1);
    ck_assert_str_eq(rendered.data, "demo: Shows a table.\n"
                                    "\n"
                                    "  option  type               default   range\n"
                                    "  size *  duration or count  required             the extent\n"
                                    "  mode    merge | concat     merge                how streams meet\n"
                                    "  every   duration           -         1ms to 1h  how often\n"
                                    "\n"
                                    "  * what a bare value means\n"
                                    "\n"
                                    "Example\n"
                                    "  - demo: 5s\n");
    rx_buffer_clear(&rendered);
    rx_class_describe_markdown(&shown, &rendered);
    rx_buffer_append(&rendered, "", 1);
    ck_assert_str_eq(rendered.data, "Shows a table..\n"
                                    "\n"
                                    "| option | type | default | range | does |\n"
                                    "|---|---|---|---|---|\n"
                                    "| size \\* | duration or count | required |  | the extent |\n"
                                    "| mode | merge \\| concat | merge |  | how streams meet |\n"
                                    "| every | duration | - | 1ms to 1h | how often |\n"
                                    "\n"
                                    "```yaml excerpt\n"
                                    "- demo: 5s\n"
                                    "```\n");
}
END_TEST

/* Groups: options of their own, under a name or inline. */

struct again {
    int64_t most;
    rx_time first;
};
static const struct rx_option again_options[] = {
    {"most", "how often", RX_OPTION_INT, RX_AT(struct again, most, int64_t), .fallback = "3", .flags = RX_POSITIONAL},
    {"first", "the first wait", RX_OPTION_DURATION, RX_AT(struct again, first, rx_time), .fallback = "1s"},
    {0},
};
static const struct rx_class again = {.name = "again", .options = again_options, .state_size = sizeof(struct again)};

struct place {
    const char *url, *user;
    bool quiet;
};
static const struct rx_option place_options[] = {
    {"url", "where", RX_OPTION_STRING, RX_AT(struct place, url, const char *), .flags = RX_REQUIRED},
    {"user", "who", RX_OPTION_STRING, RX_AT(struct place, user, const char *), .flags = 0},
    {"quiet", "or not", RX_OPTION_BOOL, RX_AT(struct place, quiet, bool), .fallback = "true"},
    {0},
};
static const struct rx_class place = {.name = "place", .options = place_options, .state_size = sizeof(struct place)};

struct grouped {
    int64_t own;
    struct again again;
    struct place place;
    bool again_given, place_given;
};
static const struct rx_option grouped_options[] = {
    {"own", "a number", RX_OPTION_INT, RX_AT(struct grouped, own, int64_t), .fallback = "1"},
    {"again", "when it fails", RX_OPTION_GROUP, RX_AT(struct grouped, again, struct again), .group = &again,
     .given = RX_AT(struct grouped, again_given, bool)},
    {"place", "", RX_OPTION_GROUP, RX_AT(struct grouped, place, struct place), .group = &place, .flags = RX_INLINE,
     .given = RX_AT(struct grouped, place_given, bool)},
    {0},
};
static const struct rx_class grouped = {
    .name = "grouped", .options = grouped_options, .state_size = sizeof(struct grouped)};

static struct grouped group_state;

static int parse_group(const char *yaml)
{
    memset(&group_state, 0, sizeof group_state);
    return parse_as(&grouped, yaml, &group_state);
}

START_TEST(a_group_that_is_absent_has_its_defaults_and_requires_nothing)
{
    ck_assert_msg(parse_group("step: {own: 2}") == 0, "%s", render());
    ck_assert_int_eq(group_state.again.most, 3);
    ck_assert_int_eq(group_state.again.first, RX_SEC);
    ck_assert(group_state.place.quiet && !group_state.place.url);
    ck_assert(!group_state.again_given && !group_state.place_given);
}
END_TEST

START_TEST(a_group_takes_its_bare_value)
{
    ck_assert_msg(parse_group("step: {again: 5}") == 0, "%s", render());
    ck_assert_int_eq(group_state.again.most, 5);
    ck_assert_int_eq(group_state.again.first, RX_SEC);
    ck_assert(group_state.again_given);
}
END_TEST

START_TEST(an_inline_group_stands_among_the_options)
{
    ck_assert_msg(parse_group("step: {own: 2, url: here, again: {first: 2s}, quiet: false}") == 0, "%s", render());
    ck_assert_str_eq(group_state.place.url, "here");
    ck_assert(!group_state.place.quiet && group_state.place_given);
    ck_assert_int_eq(group_state.again.first, 2 * RX_SEC);
    ck_assert_ptr_eq(rx_option_field(&grouped, &group_state, "url"), &group_state.place.url);
}
END_TEST

START_TEST(mistakes_in_groups_are_told_where_they_stand)
{
    ck_assert_int_lt(parse_group("step: {again: {furst: 2s}, user: me, qiet: no}"), 0);
    ck_assert_msg(strstr(render(), "`again` has no option `furst`"), "%s", render());
    ck_assert_msg(strstr(render(), "did you mean `first`?"), "%s", render());
    ck_assert_msg(strstr(render(), "did you mean `quiet`?"), "%s", render());
    ck_assert_msg(!strstr(render(), "needs `url`"), "%s", render());
}
END_TEST

START_TEST(a_required_inline_group_asks_for_what_it_requires)
{
    static const struct rx_option rows[] = {
        {"place", "", RX_OPTION_GROUP, 0, .group = &place, .flags = RX_INLINE | RX_REQUIRED},
        {0},
    };
    static const struct rx_class needs = {.name = "needs", .options = rows, .state_size = sizeof(struct place)};
    struct place image = {0};
    ck_assert_int_lt(parse_as(&needs, "step: {quiet: true}", &image), 0);
    ck_assert_msg(strstr(render(), "`place` needs `url`, a text"), "%s", render());
}
END_TEST

START_TEST(the_hash_knows_what_is_in_groups)
{
    static const char *const texts[] = {"step: {own: 1}", "step: {own: 1, again: 3}", "step: {own: 1, again: 4}",
                                        "step: {own: 1, url: x}", "step: {own: 1, url: y}"};
    uint64_t hashes[5];
    for (size_t i = 0; i < 5; i++) {
        ck_assert_msg(parse_group(texts[i]) == 0, "%s", render());
        hashes[i] = rx_options_hash(&grouped, rx_forest_root(forest)->items[0], &group_state);
        for (size_t k = 0; k < i; k++)
            ck_assert((hashes[k] == hashes[i]) == (k == 0 && i == 1));
        rx_forest_destroy(forest);
        forest = NULL;
    }
}
END_TEST

START_TEST(the_catalogue_entry_shows_groups)
{
    rx_class_describe(&grouped, &rendered);
    rx_buffer_append(&rendered, "", 1);
    ck_assert_str_eq(rendered.data, "grouped: \n"
                                    "\n"
                                    "  option       type          default\n"
                                    "  own          integer       1        a number\n"
                                    "  again        options       -        when it fails\n"
                                    "  again.most   integer       3        how often\n"
                                    "  again.first  duration      1s       the first wait\n"
                                    "  url          text          -        where\n"
                                    "  user         text          -        who\n"
                                    "  quiet        true | false  true     or not\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("option");
    TCase *tests = tcase_create("option");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, defaults_are_spelled_as_a_user_would);
    tcase_add_test(tests, the_option_decides_the_type);
    tcase_add_test(tests, an_extent_may_be_every_event);
    tcase_add_test(tests, literals_are_typed_by_their_spelling);
    tcase_add_test(tests, a_mapping_is_the_object_where_the_positional_is_one);
    tcase_add_test(tests, what_expressions_reach_is_told);
    tcase_add_test(tests, an_unknown_option_names_the_nearest);
    tcase_add_test(tests, several_mistakes_are_told_at_once);
    tcase_add_test(tests, a_wrong_kind_is_told_with_an_example);
    tcase_add_test(tests, ranges_are_told_in_the_units_of_the_option);
    tcase_add_test(tests, a_bare_step_is_blamed_where_it_stands);
    tcase_add_test(tests, a_value_where_none_belongs_is_refused);
    tcase_add_test(tests, an_expression_is_shown_inside_the_file);
    tcase_add_test(tests, a_comment_inside_an_expression_is_hinted_at);
    tcase_add_test(tests, a_comment_that_is_none_is_not_blamed);
    tcase_add_test(tests, a_field_with_a_dash_is_told_about_backticks);
    tcase_add_test(tests, a_key_needs_a_name);
    tcase_add_test(tests, a_key_given_twice_is_refused);
    tcase_add_test(tests, a_key_may_have_an_expression_for_each_stream);
    tcase_add_test(tests, keys_of_streams_may_be_as_simple_as_those_of_groups);
    tcase_add_test(tests, a_mistake_in_the_key_of_one_stream_is_shown_in_its_place);
    tcase_add_test(tests, the_key_of_one_stream_is_an_expression);
    tcase_add_test(tests, an_aggregate_needs_a_name);
    tcase_add_test(tests, braces_in_a_template_must_match);
    tcase_add_test(tests, the_catalogue_entry_is_aligned);
    tcase_add_test(tests, a_group_that_is_absent_has_its_defaults_and_requires_nothing);
    tcase_add_test(tests, a_group_takes_its_bare_value);
    tcase_add_test(tests, an_inline_group_stands_among_the_options);
    tcase_add_test(tests, mistakes_in_groups_are_told_where_they_stand);
    tcase_add_test(tests, a_required_inline_group_asks_for_what_it_requires);
    tcase_add_test(tests, the_hash_knows_what_is_in_groups);
    tcase_add_test(tests, the_catalogue_entry_shows_groups);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
