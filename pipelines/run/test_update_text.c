/* --update: edits of a text, and how values are written into it. */
#include "pipelines/run/test_update_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"
#include "pipelines/run/pattern.h"

/* ---- edits ---- */

void test_edit(struct test_update *u, size_t from, size_t to, struct rx_buffer *text)
{
    if (u->count == u->capacity) {
        size_t capacity = u->capacity ? u->capacity * 2 : 16;
        struct test_edit *bigger = realloc(u->edits, capacity * sizeof *bigger);
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
    u->edits[u->count] = (struct test_edit){.from = from, .to = to, .order = u->count, .text = *text};
    u->count++;
}

static int by_place(const void *a, const void *b)
{
    const struct test_edit *x = a, *y = b;
    return x->from != y->from ? (x->from < y->from ? -1 : 1) : x->order < y->order ? -1 : 1;
}

/* What an alias repeats is replaced in one place: by the same text each time, or not at all. */
static bool is_repeated(const struct test_edit *last, const struct test_edit *e)
{
    return last->from == e->from && last->to == e->to && last->text.length == e->text.length &&
           (e->text.length == 0 || memcmp(last->text.data, e->text.data, e->text.length) == 0);
}

int test_edits_apply(struct test_update *u, struct rx_buffer *out)
{
    size_t at = 0;
    if (u->count)
        qsort(u->edits, u->count, sizeof *u->edits, by_place);
    for (size_t i = 0; i < u->count; i++) {
        const struct test_edit *e = &u->edits[i];
        if (i > 0 && e->to > e->from && is_repeated(e - 1, e))
            continue;
        if (e->from < at)
            return -EINVAL;
        rx_buffer_append(out, u->text + at, e->from - at);
        if (e->text.length)
            rx_buffer_append(out, e->text.data, e->text.length);
        at = e->to;
    }
    rx_buffer_append(out, u->text + at, u->length - at);
    return out->failed ? -ENOMEM : 0;
}

/* ---- places ---- */

static size_t line_start(const struct test_update *u, size_t at)
{
    while (at > 0 && u->text[at - 1] != '\n')
        at--;
    return at;
}

size_t test_column_of(const struct test_update *u, size_t at) { return at - line_start(u, at); }

void test_indent(const struct test_update *u, struct rx_buffer *out, size_t columns)
{
    const char *newline = memchr(u->text, '\n', u->length);
    rx_buffer_text(out, newline && newline > u->text && newline[-1] == '\r' ? "\r\n" : "\n");
    while (columns-- > 0)
        rx_buffer_text(out, " ");
}

bool test_is_in_block(const struct test_update *u, const struct rx_tree *key)
{
    bool block = !u->json;
    for (size_t i = line_start(u, key->at.offset); block && i < key->at.offset; i++)
        block = u->text[i] == ' ' || u->text[i] == '-';
    return block;
}

/* ---- values ---- */

static void write_key(const struct test_update *u, struct rx_buffer *out, struct rx_value key)
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

static void write_object(const struct test_update *u, struct rx_buffer *out, struct rx_value v)
{
    rx_buffer_text(out, "{");
    for (uint32_t i = 0; i < rx_object_count(v); i++) {
        struct rx_value key, value;
        rx_object_entry(v, i, &key, &value);
        rx_buffer_text(out, i ? ", " : "");
        write_key(u, out, key);
        rx_buffer_text(out, ": ");
        test_write_value(u, out, value);
    }
    rx_buffer_text(out, "}");
}

static void write_list(const struct test_update *u, struct rx_buffer *out, const struct rx_list *list)
{
    rx_buffer_text(out, "[");
    for (uint32_t i = 0; i < list->count; i++) {
        rx_buffer_text(out, i ? ", " : "");
        test_write_value(u, out, list->items[i]);
    }
    rx_buffer_text(out, "]");
}

/* Recursion is bounded by what was decoded. */
void test_write_value(const struct test_update *u, struct rx_buffer *out, struct rx_value v)
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

struct rx_value test_merged(struct test_update *u, struct rx_value old, struct rx_value came)
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
            rx_object_put_take(&b, rx_value_ref(key), known ? test_merged(u, *known, value) : rx_value_ref(value));
    }
    return rx_object_finish(&b);
}
