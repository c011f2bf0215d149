/* --update: diagrams, and the symbols in them. */
#include "pipelines/run/test_update_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/pattern.h"

struct reading {
    struct test_update *u;
    const struct rx_output_stream *came;
    const struct rx_legend *made;
    size_t at;
    bool same;
};

static int hold_against(void *arg, const struct rx_marble *m)
{
    struct reading *r = arg;
    const struct rx_outcome *o = r->at < r->came->count ? &r->came->items[r->at++] : NULL;
    const struct rx_value *known = rx_legend_find(&r->u->legend, m->text, m->length);
    enum rx_note_kind kind = m->kind == RX_MARBLE_COMPLETE ? RX_COMPLETE
                             : m->kind == RX_MARBLE_ERROR  ? RX_ERROR
                                                           : RX_NEXT;
    unsigned flags = r->u->test->subset ? RX_PATTERN_SUBSET : 0;
    if (!known)
        known = rx_legend_find(r->made, m->text, m->length);
    bool same = o && o->at == m->at && o->kind == kind;
    if (same && kind == RX_NEXT && known)
        same = rx_pattern_fits(r->u->heap, *known, o->value, flags, NULL);
    else if (same && kind == RX_NEXT) /* it stands for itself, or for nothing */
        same = m->length == 1 && m->text[0] != '?';
    r->same = r->same && same;
    return 0;
}

/* Whether a diagram tells just what came. */
static bool is_faithful(struct test_update *u, const struct rx_buffer *line, const struct rx_legend *made,
                        const struct rx_output_stream *came)
{
    struct reading r = {.u = u, .came = came, .made = made, .same = true};
    int result = rx_marble_parse(line->data ? line->data : "", line->length, u->test->tick, hold_against, &r, NULL);
    return result == 0 && r.same && r.at == came->count;
}

static void write_made(struct test_update *u, struct rx_buffer *out, const struct rx_legend_row *row)
{
    rx_json_write_string(out, row->symbol, strlen(row->symbol));
    rx_buffer_text(out, ": ");
    test_write_value(u, out, row->value);
}

static void write_all_made(struct test_update *u, struct rx_buffer *out)
{
    for (size_t i = u->test->legend.count; i < u->legend.count; i++) {
        rx_buffer_text(out, i > u->test->legend.count ? ", " : "");
        write_made(u, out, &u->legend.rows[i]);
    }
}

static const struct rx_tree *expect_key(const struct rx_tree *test)
{
    size_t i = 0;
    while (i < test->count && strcmp(test->keys[i]->text, "expect") != 0)
        i++;
    return i < test->count ? test->keys[i] : NULL;
}

/* New `values` before `expect`. */
static void add_values(struct test_update *u, const struct rx_tree *key)
{
    struct rx_buffer out = {0};
    bool block = test_is_in_block(u, key);
    rx_buffer_text(&out, u->json ? "\"values\": {" : "values: {");
    write_all_made(u, &out);
    rx_buffer_text(&out, block ? "}" : "}, ");
    if (block)
        test_indent(u, &out, test_column_of(u, key->at.offset));
    test_edit(u, key->at.offset, key->at.offset, &out);
}

/* Those made up, into the test's `values`. */
static void add_symbols(struct test_update *u)
{
    const struct rx_tree *values = u->test->values;
    const struct test_range *range = test_ranges_of(&u->ranges, values);
    struct rx_buffer out = {0};
    if (!range) {
        add_values(u, expect_key(u->test->tree));
    } else if (!range->flow) {
        for (size_t i = u->test->legend.count; i < u->legend.count; i++) {
            test_indent(u, &out, test_column_of(u, range->start));
            write_made(u, &out, &u->legend.rows[i]);
        }
        test_edit(u, range->end, range->end, &out);
    } else {
        rx_buffer_text(&out, values->count ? ", " : "");
        write_all_made(u, &out);
        test_edit(u, range->end - 1, range->end - 1, &out);
    }
}

static void finish_legend(struct test_update *u)
{
    free((void *)(uintptr_t)u->legend.rows);
    u->legend = (struct rx_legend){0};
}

/* Shares the values. */
static void add_to_legend(struct test_update *u, const struct rx_legend_row *more, size_t n)
{
    size_t count = u->legend.count;
    struct rx_legend_row *rows = calloc(count + n + 1, sizeof *rows);
    if (!rows) {
        u->failed = -ENOMEM;
        return;
    }
    if (count)
        memcpy(rows, u->legend.rows, count * sizeof *rows);
    if (n)
        memcpy(rows + count, more, n * sizeof *rows);
    finish_legend(u);
    u->legend = (struct rx_legend){.rows = rows, .count = count + n};
}

/* A symbol means one thing in all diagrams of a test: those that stand for themselves are not made up for others. */
static void note_characters(struct test_update *u, const struct rx_tree *diagrams)
{
    for (size_t i = 0; diagrams && diagrams->kind == RX_TREE_MAP && i < diagrams->count; i++) {
        const struct rx_tree *diagram = diagrams->items[i];
        for (size_t k = 0; diagram->kind == RX_TREE_SCALAR && k < diagram->length; k++)
            if ((unsigned char)diagram->text[k] < sizeof u->themselves)
                u->themselves[(unsigned char)diagram->text[k]] = true;
    }
}

void test_write_diagram(struct test_update *u, const struct rx_test_expectation *e, const struct test_range *range,
                        const struct rx_output_stream *came)
{
    struct rx_drawing d = {
        .heap = u->heap, .legend = &u->legend, .tick = u->test->tick, .flags = u->test->subset ? RX_PATTERN_SUBSET : 0};
    memcpy(d.themselves, u->themselves, sizeof d.themselves);
    rx_marble_draw(&d, came, NULL);
    struct rx_legend made = {.rows = d.made, .count = d.made_count};
    if (d.failed)
        u->failed = -ENOMEM;
    else if (is_faithful(u, &d.lines[0], &made, came)) {
        struct rx_buffer out = {0};
        rx_json_write_string(&out, d.lines[0].data ? d.lines[0].data : "", d.lines[0].length);
        test_edit(u, range->start, range->end, &out);
        add_to_legend(u, d.made, d.made_count);
        memcpy(u->themselves, d.themselves, sizeof u->themselves);
    } else {
        test_write_list(u, e, range, came);
    }
    rx_drawing_finish(&d);
}

void test_symbols_begin(struct test_update *u)
{
    memset(u->themselves, 0, sizeof u->themselves);
    note_characters(u, u->test->input);
    note_characters(u, u->test->expect);
    add_to_legend(u, u->test->legend.rows, u->test->legend.count);
}

void test_symbols_end(struct test_update *u, bool write)
{
    if (write && u->legend.count > u->test->legend.count)
        add_symbols(u);
    finish_legend(u);
}
