/* Diagnostics: mistakes in config files, collected and shown with file, line, column, source line, caret and hint. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/utf8.h"
#include "core/option/diagnostics.h"

enum {
    SHOWN_MAX = 50,    /* mistakes rendered; the rest are counted */
    EXCERPT_MAX = 150, /* bytes of the source line shown around the caret */
    BEFORE_MAX = 110,  /* of these at most before it */
};

struct diagnostic {
    unsigned file_order; /* files in order of their first mistake */
    bool settled;        /* what else is in its line follows from it */
    bool remark;         /* legal, but looks like a slip: not a mistake */
    struct rx_place at;
    char *path; /* NULL: no place */
    char *excerpt;
    size_t caret; /* bytes of the excerpt before the caret */
    char message[sizeof((struct rx_error *)0)->message];
    char hint[sizeof((struct rx_error *)0)->hint];
};

struct rx_diagnostics {
    struct diagnostic *items;
    size_t count, capacity;
    size_t lost; /* not kept for want of memory */
    size_t remarks;
    bool starved;
};

struct rx_diagnostics *rx_diagnostics_create(void) { return calloc(1, sizeof(struct rx_diagnostics)); }

void rx_diagnostics_destroy(struct rx_diagnostics *diagnostics)
{
    if (!diagnostics)
        return;
    for (size_t i = 0; i < diagnostics->count; i++) {
        free(diagnostics->items[i].path);
        free(diagnostics->items[i].excerpt);
    }
    free(diagnostics->items);
    free(diagnostics);
}

size_t rx_diagnostics_count(const struct rx_diagnostics *diagnostics)
{
    return diagnostics->count - diagnostics->remarks + diagnostics->lost;
}

size_t rx_diagnostics_remarks(const struct rx_diagnostics *diagnostics) { return diagnostics->remarks; }

bool rx_diagnostics_starved(const struct rx_diagnostics *diagnostics) { return diagnostics->starved; }

static bool is_break(char c) { return c == '\n' || c == '\r'; }

static bool is_continuation(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

/* Messages quote what users wrote, perhaps cut in mid-character: what is not UTF-8 becomes `?`. */
static void make_utf8(char *text)
{
    for (size_t length = strlen(text), i = 0; i < length;) {
        size_t sequence = rx_utf8_next(text + i, length - i);
        if (sequence == 0)
            text[i] = '?';
        i += sequence ? sequence : 1;
    }
}

/* The part of the source line around the offset, cut at code points. */
static int take_excerpt(struct diagnostic *item, const struct rx_file *file, size_t offset)
{
    if (offset > file->length)
        offset = file->length;
    size_t start = offset, end = offset;
    while (start > 0 && !is_break(file->text[start - 1]) && offset - start < BEFORE_MAX)
        start--;
    while (end < file->length && !is_break(file->text[end]) && end - start < EXCERPT_MAX)
        end++;
    while (start < offset && is_continuation(file->text[start]))
        start++;
    while (end > offset && end < file->length && is_continuation(file->text[end]))
        end--;
    item->excerpt = strndup(file->text + start, end - start);
    item->caret = offset - start;
    return item->excerpt ? 0 : -ENOMEM;
}

static unsigned order_of_file(const struct rx_diagnostics *diagnostics, const char *path)
{
    unsigned next = 1;
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        if (item->path && strcmp(item->path, path) == 0)
            return item->file_order;
        if (item->file_order >= next)
            next = item->file_order + 1;
    }
    return next;
}

static bool is_repeat(const struct rx_diagnostics *diagnostics, const struct diagnostic *one)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *other = &diagnostics->items[i];
        if (other->file_order == one->file_order && other->at.line == one->at.line &&
            other->at.column == one->at.column && strcmp(other->message, one->message) == 0)
            return true;
    }
    return false;
}

static bool follows(const struct rx_diagnostics *diagnostics, const struct diagnostic *one)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *other = &diagnostics->items[i];
        if (other->settled && other->file_order == one->file_order && other->at.line == one->at.line)
            return true;
    }
    return false;
}

void rx_diagnostics_settle(struct rx_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        diagnostics->items[i].settled = !diagnostics->items[i].remark;
}

static int reserve_one(struct rx_diagnostics *diagnostics)
{
    if (diagnostics->count < diagnostics->capacity)
        return 0;
    size_t capacity = diagnostics->capacity ? diagnostics->capacity * 2 : 8;
    struct diagnostic *items = realloc(diagnostics->items, capacity * sizeof *items);
    if (!items)
        return -ENOMEM;
    diagnostics->items = items;
    diagnostics->capacity = capacity;
    return 0;
}

static bool comes_before(const struct diagnostic *a, const struct diagnostic *b)
{
    if (a->file_order != b->file_order)
        return a->file_order < b->file_order;
    return a->at.line != b->at.line ? a->at.line < b->at.line : a->at.column < b->at.column;
}

/* Kept sorted by insertion: mistakes are few and come nearly in order. */
static void insert(struct rx_diagnostics *diagnostics, const struct diagnostic *item)
{
    size_t at = diagnostics->count++;
    for (; at > 0 && comes_before(item, &diagnostics->items[at - 1]); at--)
        diagnostics->items[at] = diagnostics->items[at - 1];
    diagnostics->items[at] = *item;
}

static void add(struct rx_diagnostics *diagnostics, const struct rx_file *file, struct rx_place at,
                const struct rx_error *error, bool remark)
{
    struct diagnostic item = {.at = at, .remark = remark};
    bool full = diagnostics->count >= 1000;
    diagnostics->starved |= error->code == -ENOMEM;
    if (full || reserve_one(diagnostics) < 0) {
        diagnostics->starved |= !full;
        diagnostics->lost++;
        return;
    }
    snprintf(item.message, sizeof item.message, "%s", error->message);
    snprintf(item.hint, sizeof item.hint, "%s", error->hint);
    make_utf8(item.message);
    make_utf8(item.hint);
    if (file) {
        item.file_order = order_of_file(diagnostics, file->path);
        item.path = strdup(file->path);
        if (item.path)
            make_utf8(item.path);
        if (!item.path || (at.line > 0 && take_excerpt(&item, file, at.offset) < 0)) {
            diagnostics->starved = true;
            diagnostics->lost++;
        }
    }
    if ((file && (!item.path || (at.line > 0 && !item.excerpt))) || is_repeat(diagnostics, &item) ||
        follows(diagnostics, &item)) {
        free(item.path);
        free(item.excerpt);
        return;
    }
    insert(diagnostics, &item);
    diagnostics->remarks += remark;
}

void rx_diagnose(struct rx_diagnostics *diagnostics, const struct rx_tree *node, const struct rx_error *error)
{
    struct rx_place nowhere = {0};
    add(diagnostics, node ? node->file : NULL, node ? node->at : nowhere, error, false);
}

/* True for text that stops inside quotes or brackets. */
static bool is_open(const char *text)
{
    int depth = 0;
    char quote = 0;
    for (; *text; text++) {
        if (quote)
            quote = *text == quote ? 0 : quote;
        else if (*text == '"' || *text == '\'')
            quote = *text;
        else
            depth += strchr("([{", *text) ? 1 : strchr(")]}", *text) ? -1 : 0;
    }
    return quote || depth > 0;
}

/* True when a plain scalar was cut short by a comment, which a ` #` inside an expression looks like. */
static bool ends_at_comment(const struct rx_tree *scalar)
{
    const struct rx_file *file = scalar->file;
    if (scalar->quoted || scalar->kind != RX_TREE_SCALAR || !is_open(scalar->text))
        return false;
    size_t at = rx_tree_place(scalar, scalar->length).offset, start = at;
    while (at < file->length && (file->text[at] == ' ' || file->text[at] == '\t'))
        at++;
    return at > start && at < file->length && file->text[at] == '#';
}

void rx_diagnose_inside(struct rx_diagnostics *diagnostics, const struct rx_tree *scalar, const struct rx_error *error)
{
    struct rx_error copy = *error;
    if (ends_at_comment(scalar))
        snprintf(copy.hint, sizeof copy.hint, "a `#` after a space starts a comment in YAML: quote the expression");
    add(diagnostics, scalar->file, rx_tree_place(scalar, error->at.offset), &copy, false);
}

void rx_remark(struct rx_diagnostics *diagnostics, const struct rx_tree *node, const struct rx_error *error)
{
    add(diagnostics, node->file, node->at, error, true);
}

void rx_remark_inside(struct rx_diagnostics *diagnostics, const struct rx_tree *scalar, const struct rx_error *error)
{
    add(diagnostics, scalar->file, rx_tree_place(scalar, error->at.offset), error, true);
}

void rx_diagnosef(struct rx_diagnostics *diagnostics, const struct rx_tree *node, const char *hint, const char *format,
                  ...)
{
    struct rx_error error = {.code = -EINVAL};
    va_list args;
    va_start(args, format);
    vsnprintf(error.message, sizeof error.message, format, args);
    va_end(args);
    if (hint)
        snprintf(error.hint, sizeof error.hint, "%s", hint);
    rx_diagnose(diagnostics, node, &error);
}

void rx_diagnose_starved(struct rx_diagnostics *diagnostics, const struct rx_tree *node)
{
    rx_diagnose(diagnostics, node, &(struct rx_error){.code = -ENOMEM, .message = "out of memory"});
}

/* Text from a file, without what could steer a terminal. */
static void append_printable(struct rx_buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)text[i];
        size_t sequence = rx_utf8_next(text + i, length - i);
        bool control = (c < 0x20 && c != '\t') || c == 0x7F;
        rx_buffer_append(out, sequence == 0 || control ? "?" : text + i, sequence ? sequence : 1);
        i += sequence ? sequence : 1;
    }
}

static void append_caret(struct rx_buffer *out, const struct diagnostic *item)
{
    rx_buffer_text(out, "    ");
    for (size_t i = 0; i < item->caret; i++)
        if (!is_continuation(item->excerpt[i]))
            rx_buffer_text(out, item->excerpt[i] == '\t' ? "\t" : " ");
    rx_buffer_text(out, "^\n");
}

static void render_one(const struct diagnostic *item, struct rx_buffer *out)
{
    if (item->path && item->at.line > 0)
        rx_buffer_printf(out, "%s:%u:%u: ", item->path, item->at.line, item->at.column);
    else if (item->path)
        rx_buffer_printf(out, "%s: ", item->path);
    rx_buffer_text(out, item->remark ? "warning: " : "");
    append_printable(out, item->message, strlen(item->message));
    rx_buffer_text(out, "\n");
    if (item->excerpt) {
        rx_buffer_text(out, "    ");
        append_printable(out, item->excerpt, strlen(item->excerpt));
        rx_buffer_text(out, "\n");
        append_caret(out, item);
    }
    if (item->hint[0]) {
        rx_buffer_text(out, "  hint: ");
        append_printable(out, item->hint, strlen(item->hint));
        rx_buffer_text(out, "\n");
    }
}

/* Of a line that has a mistake too: what looks odd in it follows from that. */
static bool is_moot(const struct rx_diagnostics *diagnostics, const struct diagnostic *remark)
{
    for (size_t i = 0; remark->remark && i < diagnostics->count; i++) {
        const struct diagnostic *other = &diagnostics->items[i];
        if (!other->remark && other->file_order == remark->file_order && other->at.line == remark->at.line)
            return true;
    }
    return false;
}

void rx_diagnostics_render(const struct rx_diagnostics *diagnostics, struct rx_buffer *out)
{
    size_t shown = diagnostics->count < SHOWN_MAX ? diagnostics->count : SHOWN_MAX;
    for (size_t i = 0; i < shown; i++)
        if (!is_moot(diagnostics, &diagnostics->items[i]))
            render_one(&diagnostics->items[i], out);
    size_t more = diagnostics->count + diagnostics->lost - shown;
    if (more > 0)
        rx_buffer_printf(out, "and %zu more\n", more);
}
