// layer: pipelines
/* Option tables on hostile values: every type, expressions, templates and keys; what compiles is evaluated. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"
#include "pipelines/config/config_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
    rx_time wait;
    struct rx_shaper *text;
};

struct state {
    struct part named, among;
    int64_t count;
    double ratio;
    rx_time every;
    uint64_t room;
    const char *text;
    struct rx_strings topics;
    struct rx_pairs headers;
    struct rx_extent size;
    struct rx_shaper *shape, *results, *payload;
    struct rx_keys *by, *cases;
    struct rx_side_keys *sides;
    struct rx_value literal;
};

#define ROW(name_, type_, field_, expected_)                                                                           \
    {                                                                                                                  \
#name_, "", type_, RX_AT(struct state, field_, expected_), .flags = 0                                          \
    }

static const struct rx_option part_options[] = {
    {"wait", "", RX_OPTION_DURATION, RX_AT(struct part, wait, rx_time), .flags = RX_POSITIONAL},
    {"say", "", RX_OPTION_TEMPLATE, RX_AT(struct part, text, struct rx_shaper *), .flags = RX_REQUIRED},
    {0},
};
static const struct rx_class part = {.name = "part", .options = part_options, .state_size = sizeof(struct part)};

static const struct rx_option options[] = {
    {"named", "", RX_OPTION_GROUP, RX_AT(struct state, named, struct part), .group = &part},
    {"", "", RX_OPTION_GROUP, RX_AT(struct state, among, struct part), .group = &part, .flags = RX_INLINE},
    ROW(count, RX_OPTION_INT, count, int64_t),
    ROW(ratio, RX_OPTION_DOUBLE, ratio, double),
    ROW(every, RX_OPTION_DURATION, every, rx_time),
    ROW(room, RX_OPTION_SIZE, room, uint64_t),
    ROW(text, RX_OPTION_STRING, text, const char *),
    ROW(topics, RX_OPTION_STRINGS, topics, struct rx_strings),
    ROW(headers, RX_OPTION_PAIRS, headers, struct rx_pairs),
    ROW(size, RX_OPTION_EXTENT, size, struct rx_extent),
    ROW(shape, RX_OPTION_SHAPER, shape, struct rx_shaper *),
    ROW(results, RX_OPTION_AGGREGATES, results, struct rx_shaper *),
    ROW(payload, RX_OPTION_TEMPLATE, payload, struct rx_shaper *),
    ROW(by, RX_OPTION_KEYS, by, struct rx_keys *),
    ROW(cases, RX_OPTION_CASES, cases, struct rx_keys *),
    ROW(sides, RX_OPTION_SIDE_KEYS, sides, struct rx_side_keys *),
    ROW(literal, RX_OPTION_VALUE, literal, struct rx_value),
    {0},
};

static const struct rx_class class = {.name = "fuzz", .options = options, .state_size = sizeof(struct state)};

static void evaluate(const struct state *state, struct rx_heap *heap)
{
    static const char json[] = "{\"a\":1,\"b\":\"text\",\"c\":[1.5,{\"d\":null}]}";
    struct rx_value base, result;
    if (rx_json_decode(heap, NULL, NULL, json, sizeof json - 1, &base, NULL) < 0)
        abort();
    struct rx_event event = {.value = base};
    struct rx_expr_env env = {.event = &event};
    struct rx_buffer text = {0};
    if (state->shape && rx_shaper_apply(state->shape, &env, heap, base, &result, NULL) == 0)
        rx_value_unref(result);
    if (state->payload && rx_shaper_eval(state->payload, &env, heap, &result, NULL) == 0)
        rx_value_unref(result);
    if (state->payload)
        rx_shaper_url(state->payload, &env, &text, NULL);
    if (state->by && rx_keys_eval(state->by, &env, heap, &result, NULL) == 0)
        rx_value_unref(result);
    struct rx_keys *of_a = state->sides ? rx_side_keys_of(state->sides, "a") : NULL;
    if (of_a && rx_keys_eval(of_a, &env, heap, &result, NULL) == 0)
        rx_value_unref(result);
    rx_buffer_finish(&text);
    rx_value_unref(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_plan_arena *arena = rx_plan_arena_create(heap);
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_forest *forest = NULL;
    struct state state = {0};
    unsigned flags = RX_FOREST_LITERAL | RX_FOREST_FRAGMENT;
    if (rx_forest_read_text((const char *)data, size, "fuzz", flags, diagnostics, &forest) == 0) {
        const struct rx_tree *root = rx_forest_root(forest);
        int r = rx_options_parse(&class, root, root, arena, &state, diagnostics);
        if ((r == 0) != (rx_diagnostics_count(diagnostics) == 0))
            abort();
        if (r == 0)
            evaluate(&state, heap);
    }
    rx_forest_destroy(forest);
    rx_diagnostics_destroy(diagnostics);
    rx_plan_arena_destroy(arena);
    rx_heap_destroy(heap);
    return 0;
}
