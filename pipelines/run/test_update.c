/* Users' tests: what came, written into the file. */
#include "pipelines/run/test_update_private.h"

#include <errno.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 100 }; /* a longer list in brackets has an item a line */

/* ---- lists ---- */

static void write_outcome(struct test_update *u, struct rx_buffer *out, const struct rx_outcome *old,
                          const struct rx_outcome *came)
{
    bool same_kind = old && old->kind == came->kind;
    struct rx_value value = same_kind ? test_merged(u, old->value, came->value) : rx_value_ref(came->value);
    const char *before = u->json ? "\"" : "";
    if (came->kind == RX_COMPLETE)
        rx_buffer_printf(out, "{%s$complete%s: true}", before, before);
    else if (came->kind == RX_ERROR)
        rx_buffer_printf(out, "{%s$error%s: ", before, before);
    if (came->kind != RX_COMPLETE)
        test_write_value(u, out, value);
    if (came->kind == RX_ERROR)
        rx_buffer_text(out, "}");
    rx_value_unref(value);
}

/* What of a stream stands in a list. */
static bool is_listed(const struct rx_test_expectation *e, const struct rx_outcome *o)
{
    return o->kind != RX_COMPLETE || (e->untimed && e->ends);
}

/* How the items of a list are set apart. */
struct layout {
    bool dashes, lines; /* each in a line of its own, */
    bool in_place;      /* but for the first: it stands where the list did */
    size_t column;
};

static void write_items(struct test_update *u, const struct rx_test_expectation *e, const struct rx_output_stream *came,
                        struct rx_buffer *out, const struct layout *layout)
{
    size_t n = 0;
    for (size_t i = 0; came && i < came->count; i++) {
        if (!is_listed(e, &came->items[i]))
            continue;
        if (n > 0 && !layout->dashes)
            rx_buffer_text(out, layout->lines ? "," : ", ");
        if (layout->lines && (n > 0 || !layout->in_place))
            test_indent(u, out, layout->column);
        rx_buffer_text(out, layout->dashes ? "- " : "");
        write_outcome(u, out, e->untimed && n < e->stream.count ? &e->stream.items[n] : NULL, &came->items[i]);
        n++;
    }
}

static size_t listed(const struct rx_test_expectation *e, const struct rx_output_stream *came)
{
    size_t n = 0;
    for (size_t i = 0; came && i < came->count; i++)
        n += is_listed(e, &came->items[i]);
    return n;
}

static void write_brackets(struct test_update *u, const struct rx_test_expectation *e,
                           const struct rx_output_stream *came, struct rx_buffer *out)
{
    rx_buffer_text(out, "[");
    write_items(u, e, came, out, &(struct layout){0});
    rx_buffer_text(out, "]");
    if (out->length <= LINE_MAX_BYTES)
        return;
    size_t column = test_column_of(u, e->key->at.offset);
    rx_buffer_clear(out);
    rx_buffer_text(out, "[");
    write_items(u, e, came, out, &(struct layout){.lines = true, .column = column + 2});
    test_indent(u, out, column);
    rx_buffer_text(out, "]");
}

void test_write_list(struct test_update *u, const struct rx_test_expectation *e, const struct test_range *range,
                     const struct rx_output_stream *came)
{
    struct rx_buffer out = {0};
    bool block = range->kind == RX_TREE_LIST && !range->flow;
    bool empty = range->kind != RX_TREE_LIST || e->where->count == 0;
    size_t from = range->start;
    if (listed(e, came) == 0) {
        rx_buffer_text(&out, "[]");
    } else if (block) {
        struct layout layout = {true, true, true, test_column_of(u, range->start)};
        write_items(u, e, came, &out, &layout);
    } else if (empty && test_is_in_block(u, e->key)) {
        struct layout layout = {true, true, false, test_column_of(u, e->key->at.offset) + 2};
        write_items(u, e, came, &out, &layout);
        while (from > 0 && u->text[from - 1] == ' ')
            from--;
    } else {
        write_brackets(u, e, came, &out);
    }
    test_edit(u, from, range->end, &out);
}

/* ---- the whole ---- */

static int update_stream(struct test_update *u, const struct rx_test_expectation *e, struct rx_error *reterr)
{
    static const struct rx_output_stream nothing = {0};
    const struct test_range *range = test_ranges_of(&u->ranges, e->where);
    const struct rx_output_stream *came =
        rx_outputs_stream((struct rx_outputs *)(uintptr_t)&u->result->outputs, e->key->text, false);
    if (!range)
        return rx_error_set(reterr, -EINVAL, "%s:%u: what is expected of %s cannot be replaced", u->file->path,
                            e->where->at.line, e->key->text);
    if (e->untimed)
        test_write_list(u, e, range, came ? came : &nothing);
    else
        test_write_diagram(u, e, range, came ? came : &nothing);
    u->changed++;
    return u->failed;
}

static int update_test(struct test_update *u, struct rx_error *reterr)
{
    int r = 0;
    test_symbols_begin(u);
    for (size_t i = 0; i < u->test->expected_count && r == 0; i++)
        if (!rx_test_expectation_holds(u->test, &u->test->expected[i], u->result, u->heap))
            r = update_stream(u, &u->test->expected[i], reterr);
    test_symbols_end(u, r == 0);
    return r == 0 ? u->failed : r;
}

static int update_all(struct test_update *u, const struct rx_test_result *results, struct rx_error *reterr)
{
    int r = test_ranges_find(u->text, u->length, &u->ranges);
    if (r == -EINVAL)
        return rx_error_set(reterr, r, "%s cannot be updated: its text cannot be followed", u->file->path);
    for (size_t i = 0; i < u->file->count && r == 0; i++) {
        u->test = &u->file->tests[i];
        u->result = &results[i];
        if (results[i].ran)
            r = update_test(u, reterr);
    }
    return r;
}

int rx_test_update(const struct rx_test_file *file, const struct rx_test_result *results, struct rx_heap *heap,
                   struct rx_buffer *ret_text, size_t *ret_changed, struct rx_error *reterr)
{
    struct test_update u = {
        .file = file, .heap = heap, .text = file->root->file->text, .length = file->root->file->length};
    size_t first = file->root->at.offset;
    u.json = first < u.length && u.text[first] == '{';
    int r = update_all(&u, results, reterr);
    if (r == 0) {
        r = test_edits_apply(&u, ret_text);
        *ret_changed = u.changed;
        if (r == -EINVAL)
            rx_error_set(reterr, r, "%s cannot be updated: what several tests expect stands in one place (an alias)",
                         file->path);
    }
    for (size_t i = 0; i < u.count; i++)
        rx_buffer_finish(&u.edits[i].text);
    free(u.edits);
    test_ranges_finish(&u.ranges);
    return r == -ENOMEM ? rx_error_set(reterr, r, "out of memory") : r;
}
