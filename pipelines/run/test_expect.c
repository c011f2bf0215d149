/* Users' tests: what is expected of each stream. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"
#include "pipelines/run/pattern.h"
#include "pipelines/run/test_private.h"

struct reading {
    const struct rx_test *test;
    struct rx_heap *heap;
    struct rx_diagnostics *diagnostics;
    struct rx_test_expectation *at;
};

static int add_take(struct reading *r, rx_time at, enum rx_note_kind kind, struct rx_value value)
{
    r->at->ends = r->at->ends || kind != RX_NEXT;
    return rx_outcome_add_take(&r->at->stream, (struct rx_outcome){.at = at, .kind = kind, .value = value});
}

/* An error of any text is a pattern. */
static int any_error(struct reading *r, struct rx_value *ret)
{
    struct rx_object_builder b;
    rx_object_init(&b, r->heap);
    rx_object_put_take(&b, rx_string(r->heap, "$any", 4), rx_bool(true));
    *ret = rx_object_finish(&b);
    return ret->kind == RX_NULL ? -ENOMEM : 0;
}

/* ---- diagrams ---- */

static int refuse(struct reading *r, const struct rx_marble *m, const struct rx_error *error)
{
    struct rx_error placed = *error;
    placed.at = (struct rx_place){.line = 1, .column = 1, .offset = m->offset};
    rx_diagnose_inside(r->diagnostics, r->at->where, &placed);
    return 0;
}

static int take_error(struct reading *r, const struct rx_marble *m)
{
    const struct rx_value *text = rx_legend_find(&r->test->legend, "#", 1);
    struct rx_value value = text ? rx_value_ref(*text) : rx_null();
    if (!text && any_error(r, &value) < 0)
        return -ENOMEM;
    return add_take(r, m->at, RX_ERROR, value);
}

static int take_marble(void *arg, const struct rx_marble *m)
{
    struct reading *r = arg;
    struct rx_error error = {0};
    struct rx_value value;
    switch (m->kind) {
    case RX_MARBLE_COMPLETE:
        return add_take(r, m->at, RX_COMPLETE, rx_null());
    case RX_MARBLE_ERROR:
        return take_error(r, m);
    case RX_MARBLE_VALUE: {
        int result = test_symbol(&r->test->legend, r->heap, m, &value, &error);
        return result == 0 ? add_take(r, m->at, RX_NEXT, value) : result == -EINVAL ? refuse(r, m, &error) : result;
    }
    default:
        rx_error_set(&error, -EINVAL, "this does not come out of a stream");
        rx_error_hint(&error, "values, `|` and `#` do");
        return refuse(r, m, &error);
    }
}

static int take_diagram(struct reading *r, const struct rx_tree *diagram)
{
    struct rx_error error = {0};
    r->at->ends = true; /* a diagram without | says that the stream goes on */
    int result = rx_marble_parse(diagram->text, diagram->length, r->test->tick, take_marble, r, &error);
    if (result != -EINVAL)
        return result;
    rx_diagnose_inside(r->diagnostics, diagram, &error);
    return 0;
}

/* ---- values ---- */

/* {$complete: true} and {$error: TEXT} are no values, but the stream's end. */
static int take_end(struct reading *r, const struct rx_tree *item, bool *ret_is)
{
    const struct rx_tree *error = rx_tree_get(item, "$error");
    struct rx_value text;
    *ret_is = error || rx_tree_get(item, "$complete");
    if (!*ret_is)
        return 0;
    if (item->count > 1)
        rx_diagnosef(r->diagnostics, item, NULL, "{$error: TEXT} and {$complete: true} stand alone");
    if (!error)
        return add_take(r, 0, RX_COMPLETE, rx_null());
    rx_pattern_check(error, r->heap, r->diagnostics);
    int result = rx_tree_value(error, r->heap, &text);
    return result == 0 ? add_take(r, 0, RX_ERROR, text) : result;
}

static int take_value(struct reading *r, const struct rx_tree *item)
{
    struct rx_value value;
    bool is_end;
    int result = take_end(r, item, &is_end);
    if (result < 0 || is_end)
        return result;
    rx_pattern_check(item, r->heap, r->diagnostics);
    result = rx_tree_value(item, r->heap, &value);
    return result == 0 ? add_take(r, 0, RX_NEXT, value) : result;
}

static int take_stream(struct reading *r, const struct rx_tree *key, const struct rx_tree *where)
{
    int result = 0;
    *r->at = (struct rx_test_expectation){.key = key, .where = where, .untimed = where->kind == RX_TREE_LIST};
    if (where->kind == RX_TREE_SCALAR)
        return take_diagram(r, where);
    if (where->kind != RX_TREE_LIST)
        rx_diagnosef(r->diagnostics, where, "for example: [1, 2], or \"-a-b-|\"",
                     "of a stream a list of values is expected, or a diagram");
    for (size_t i = 0; where->kind == RX_TREE_LIST && i < where->count && result == 0; i++)
        result = take_value(r, where->items[i]);
    return result;
}

int test_expect_read(struct rx_test *test, struct rx_heap *heap, struct rx_diagnostics *diagnostics)
{
    struct reading r = {.test = test, .heap = heap, .diagnostics = diagnostics};
    size_t n = test->expect ? test->expect->count : 0;
    int result = 0;
    test->expected = calloc(n + 1, sizeof *test->expected);
    if (!test->expected)
        return -ENOMEM;
    for (size_t i = 0; i < n && result == 0; i++) {
        r.at = &test->expected[test->expected_count++];
        result = take_stream(&r, test->expect->keys[i], test->expect->items[i]);
    }
    return result;
}
