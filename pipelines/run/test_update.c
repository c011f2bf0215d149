/* Users' tests: what came, written into the file. */
#include "pipelines/run/test_update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"
#include "pipelines/run/outputs_diff.h"
#include "pipelines/run/pattern.h"
#include "pipelines/run/test_ranges.h"

enum { LINE_MAX_BYTES = 100 }; /* a longer list in brackets has an item a line */

struct edit {
    size_t from, to, order;
    struct rx_buffer text;
};

struct update {
    const struct rx_test_file *file;
    const struct rx_test *test;
    const struct rx_test_result *result;
    struct rx_heap *heap;
    const char *text;
    size_t length;
    bool json; /* the file is JSON: names are quoted, lists in brackets */
    struct test_ranges ranges;
    struct rx_legend legend; /* of the test at hand, with the symbols made up for it behind its own */
    bool themselves[128];    /* characters of its diagrams */
    struct edit *edits;
    size_t count, capacity, changed;
    int failed;
};

/* ---- edits ---- */

/* Takes the text. */
static void edit(struct update *u, size_t from, size_t to, struct rx_buffer *text)
{
    if (u->count == u->capacity) {
        size_t capacity = u->capacity ? u->capacity * 2 : 16;
        struct edit *bigger = realloc(u->edits, capacity * sizeof *bigger);
        if (!bigger)
            text->failed = true;
        u->edits = bigger ? bigger : u->edits;
        u->capacity = bigger ? capacity : u->capacity;
    }
    if (text->failed) {
        rx_buffer_finish(text);
        u->failed = -ENOMEM;
        return;
    }
    u->edits[u->count] = (struct edit){.from = from, .to = to, .order = u->count, .text = *text};
    u->count++;
}

static int by_place(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;
    return x->from != y->from ? (x->from < y->from ? -1 : 1) : x->order < y->order ? -1 : 1;
}

static void apply(struct update *u, struct rx_buffer *out)
{
    size_t at = 0;
    if (u->count)
        qsort(u->edits, u->count, sizeof *u->edits, by_place);
    for (size_t i = 0; i < u->count; i++) {
        rx_buffer_append(out, u->text + at, u->edits[i].from - at);
        if (u->edits[i].text.length)
            rx_buffer_append(out, u->edits[i].text.data, u->edits[i].text.length);
        at = u->edits[i].to;
    }
    rx_buffer_append(out, u->text + at, u->length - at);
}

/* ---- places ---- */

static size_t line_start(const struct update *u, size_t at)
{
    while (at > 0 && u->text[at - 1] != '\n')
        at--;
    return at;
}

static size_t column_of(const struct update *u, size_t at) { return at - line_start(u, at); }

static void indent(struct rx_buffer *out, size_t columns)
{
    rx_buffer_text(out, "\n");
    while (columns-- > 0)
        rx_buffer_text(out, " ");
}

/* Whether a key stands in a mapping without brackets: it is the first in its line, but for the dashes of lists. */
static bool is_in_block(const struct update *u, const struct rx_tree *key)
{
    bool block = !u->json;
    for (size_t i = line_start(u, key->at.offset); block && i < key->at.offset; i++)
        block = u->text[i] == ' ' || u->text[i] == '-';
    return block;
}

/* ---- values ---- */

static void write_value(const struct update *u, struct rx_buffer *out, struct rx_value v);

static void write_key(const struct update *u, struct rx_buffer *out, struct rx_value key)
{
    char name[64];
    bool plain = !u->json && key.kind == RX_STRING && key.aux < sizeof name;
    if (plain) {
        memcpy(name, key.u.text, key.aux);
        name[key.aux] = '\0';
        plain = rx_is_name(name[0] == '$' ? name + 1 : name);
    }
    if (plain)
        rx_buffer_append(out, name, key.aux);
    else
        rx_json_write(out, key);
}

static void write_object(const struct update *u, struct rx_buffer *out, struct rx_value v)
{
    rx_buffer_text(out, "{");
    for (uint32_t i = 0; i < rx_object_count(v); i++) {
        struct rx_value key, value;
        rx_object_entry(v, i, &key, &value);
        rx_buffer_text(out, i ? ", " : "");
        write_key(u, out, key);
        rx_buffer_text(out, ": ");
        write_value(u, out, value);
    }
    rx_buffer_text(out, "}");
}

static void write_list(const struct update *u, struct rx_buffer *out, const struct rx_list *list)
{
    rx_buffer_text(out, "[");
    for (uint32_t i = 0; i < list->count; i++) {
        rx_buffer_text(out, i ? ", " : "");
        write_value(u, out, list->items[i]);
    }
    rx_buffer_text(out, "]");
}

/* As JSON, and in YAML with bare names. Recursion is bounded by what was decoded. */
static void write_value(const struct update *u, struct rx_buffer *out, struct rx_value v)
{
    if (v.kind == RX_RECORD || v.kind == RX_MAP)
        write_object(u, out, v);
    else if (v.kind == RX_LIST)
        write_list(u, out, v.u.list);
    else
        rx_json_write(out, v);
}

static bool is_object(struct rx_value v) { return v.kind == RX_RECORD || v.kind == RX_MAP; }

static bool is_pattern(struct rx_value v)
{
    bool found = false;
    for (uint32_t i = 0; is_object(v) && i < rx_object_count(v); i++) {
        struct rx_value key, value;
        rx_object_entry(v, i, &key, &value);
        found = found || (key.aux > 0 && key.u.text[0] == '$');
    }
    return found;
}

/* What was expected where it fits, with what is new from what came. The caller's. */
static struct rx_value merged(struct update *u, struct rx_value old, struct rx_value came)
{
    unsigned flags = u->test->subset ? RX_PATTERN_SUBSET : 0;
    struct rx_object_builder b;
    if (rx_pattern_fits(u->heap, old, came, flags, NULL))
        return rx_value_ref(old);
    if (!is_object(old) || !is_object(came) || is_pattern(old))
        return rx_value_ref(came);
    rx_object_init(&b, u->heap);
    for (uint32_t i = 0; i < rx_object_count(came); i++) {
        struct rx_value key, value;
        rx_object_entry(came, i, &key, &value);
        const struct rx_value *known = rx_object_get(old, key);
        if (known || !u->test->subset)
            rx_object_put_take(&b, rx_value_ref(key), known ? merged(u, *known, value) : rx_value_ref(value));
    }
    return rx_object_finish(&b);
}

/* ---- lists ---- */

static void write_outcome(struct update *u, struct rx_buffer *out, const struct rx_outcome *old,
                          const struct rx_outcome *came)
{
    bool same_kind = old && old->kind == came->kind;
    struct rx_value value = same_kind ? merged(u, old->value, came->value) : rx_value_ref(came->value);
    const char *before = u->json ? "\"" : "";
    if (came->kind == RX_COMPLETE)
        rx_buffer_printf(out, "{%s$complete%s: true}", before, before);
    else if (came->kind == RX_ERROR)
        rx_buffer_printf(out, "{%s$error%s: ", before, before);
    if (came->kind != RX_COMPLETE)
        write_value(u, out, value);
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

static void write_items(struct update *u, const struct rx_test_expectation *e, const struct rx_output_stream *came,
                        struct rx_buffer *out, const struct layout *layout)
{
    size_t n = 0;
    for (size_t i = 0; came && i < came->count; i++) {
        if (!is_listed(e, &came->items[i]))
            continue;
        if (n > 0 && !layout->dashes)
            rx_buffer_text(out, layout->lines ? "," : ", ");
        if (layout->lines && (n > 0 || !layout->in_place))
            indent(out, layout->column);
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

static void write_brackets(struct update *u, const struct rx_test_expectation *e, const struct rx_output_stream *came,
                           struct rx_buffer *out)
{
    rx_buffer_text(out, "[");
    write_items(u, e, came, out, &(struct layout){0});
    rx_buffer_text(out, "]");
    if (out->length <= LINE_MAX_BYTES)
        return;
    size_t column = column_of(u, e->key->at.offset);
    rx_buffer_clear(out);
    rx_buffer_text(out, "[");
    write_items(u, e, came, out, &(struct layout){.lines = true, .column = column + 2});
    indent(out, column);
    rx_buffer_text(out, "]");
}

static void write_new_list(struct update *u, const struct rx_test_expectation *e, const struct test_range *range,
                           const struct rx_output_stream *came)
{
    struct rx_buffer out = {0};
    bool block = range->kind == RX_TREE_LIST && !range->flow;
    bool empty = range->kind != RX_TREE_LIST || e->where->count == 0;
    size_t from = range->start;
    if (listed(e, came) == 0) {
        rx_buffer_text(&out, "[]");
    } else if (block) {
        struct layout layout = {true, true, true, column_of(u, range->start)};
        write_items(u, e, came, &out, &layout);
    } else if (empty && is_in_block(u, e->key)) {
        struct layout layout = {true, true, false, column_of(u, e->key->at.offset) + 2};
        write_items(u, e, came, &out, &layout);
        while (from > 0 && u->text[from - 1] == ' ')
            from--;
    } else {
        write_brackets(u, e, came, &out);
    }
    edit(u, from, range->end, &out);
}

/* ---- diagrams ---- */

struct reading {
    struct update *u;
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
static bool is_faithful(struct update *u, const struct rx_buffer *line, const struct rx_legend *made,
                        const struct rx_output_stream *came)
{
    struct reading r = {.u = u, .came = came, .made = made, .same = true};
    int result = rx_marble_parse(line->data ? line->data : "", line->length, u->test->tick, hold_against, &r, NULL);
    return result == 0 && r.same && r.at == came->count;
}

static void write_made(struct update *u, struct rx_buffer *out, const struct rx_legend_row *row)
{
    rx_json_write_string(out, row->symbol, strlen(row->symbol));
    rx_buffer_text(out, ": ");
    write_value(u, out, row->value);
}

static void write_all_made(struct update *u, struct rx_buffer *out)
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
static void add_values(struct update *u, const struct rx_tree *key)
{
    struct rx_buffer out = {0};
    bool block = is_in_block(u, key);
    rx_buffer_text(&out, u->json ? "\"values\": {" : "values: {");
    write_all_made(u, &out);
    rx_buffer_text(&out, block ? "}" : "}, ");
    if (block)
        indent(&out, column_of(u, key->at.offset));
    edit(u, key->at.offset, key->at.offset, &out);
}

/* Those made up, into the test's `values`. */
static void add_symbols(struct update *u)
{
    const struct rx_tree *values = u->test->values;
    const struct test_range *range = test_ranges_of(&u->ranges, values);
    struct rx_buffer out = {0};
    if (!range) {
        add_values(u, expect_key(u->test->tree));
    } else if (!range->flow) {
        for (size_t i = u->test->legend.count; i < u->legend.count; i++) {
            indent(&out, column_of(u, range->start));
            write_made(u, &out, &u->legend.rows[i]);
        }
        edit(u, range->end, range->end, &out);
    } else {
        rx_buffer_text(&out, values->count ? ", " : "");
        write_all_made(u, &out);
        edit(u, range->end - 1, range->end - 1, &out);
    }
}

static void finish_legend(struct update *u)
{
    free((void *)(uintptr_t)u->legend.rows);
    u->legend = (struct rx_legend){0};
}

/* Shares the values. */
static void add_to_legend(struct update *u, const struct rx_legend_row *more, size_t n)
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
static void note_characters(struct update *u, const struct rx_tree *diagrams)
{
    for (size_t i = 0; diagrams && diagrams->kind == RX_TREE_MAP && i < diagrams->count; i++) {
        const struct rx_tree *diagram = diagrams->items[i];
        for (size_t k = 0; diagram->kind == RX_TREE_SCALAR && k < diagram->length; k++)
            if ((unsigned char)diagram->text[k] < sizeof u->themselves)
                u->themselves[(unsigned char)diagram->text[k]] = true;
    }
}

static void write_diagram(struct update *u, const struct rx_test_expectation *e, const struct test_range *range,
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
        edit(u, range->start, range->end, &out);
        add_to_legend(u, d.made, d.made_count);
        memcpy(u->themselves, d.themselves, sizeof u->themselves);
    } else {
        write_new_list(u, e, range, came);
    }
    rx_drawing_finish(&d);
}

/* ---- the whole ---- */

static int update_stream(struct update *u, const struct rx_test_expectation *e, struct rx_error *reterr)
{
    static const struct rx_output_stream nothing = {0};
    const struct test_range *range = test_ranges_of(&u->ranges, e->where);
    const struct rx_output_stream *came =
        rx_outputs_stream((struct rx_outputs *)(uintptr_t)&u->result->outputs, e->key->text, false);
    if (!range)
        return rx_error_set(reterr, -EINVAL, "%s:%u: what is expected of %s cannot be replaced", u->file->path,
                            e->where->at.line, e->key->text);
    if (e->untimed)
        write_new_list(u, e, range, came ? came : &nothing);
    else
        write_diagram(u, e, range, came ? came : &nothing);
    u->changed++;
    return u->failed;
}

static int update_test(struct update *u, struct rx_error *reterr)
{
    int r = 0;
    memset(u->themselves, 0, sizeof u->themselves);
    note_characters(u, u->test->input);
    note_characters(u, u->test->expect);
    add_to_legend(u, u->test->legend.rows, u->test->legend.count);
    for (size_t i = 0; i < u->test->expected_count && r == 0; i++)
        if (!rx_test_expectation_holds(u->test, &u->test->expected[i], u->result, u->heap))
            r = update_stream(u, &u->test->expected[i], reterr);
    if (r == 0 && u->legend.count > u->test->legend.count)
        add_symbols(u);
    finish_legend(u);
    return r == 0 ? u->failed : r;
}

static int update_all(struct update *u, const struct rx_test_result *results, struct rx_error *reterr)
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
    struct update u = {.file = file, .heap = heap, .text = file->root->file->text, .length = file->root->file->length};
    size_t first = file->root->at.offset;
    u.json = first < u.length && u.text[first] == '{';
    int r = update_all(&u, results, reterr);
    if (r == 0) {
        apply(&u, ret_text);
        *ret_changed = u.changed;
        r = ret_text->failed ? -ENOMEM : 0;
    }
    for (size_t i = 0; i < u.count; i++)
        rx_buffer_finish(&u.edits[i].text);
    free(u.edits);
    test_ranges_finish(&u.ranges);
    return r == -ENOMEM ? rx_error_set(reterr, r, "out of memory") : r;
}
