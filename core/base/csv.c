/* CSV: reading rows of cells, and writing a cell. */
#include "core/base/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"

void rx_csv_finish(struct rx_csv *csv)
{
    if (!csv)
        return;
    free(csv->room);
    rx_buffer_finish(&csv->plain);
    *csv = (struct rx_csv){0};
}

static bool has_mark(const char *text, size_t length) { return length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0; }

void rx_csv_begin(struct rx_csv *csv, const char *text, size_t length, char delimiter)
{
    csv->text = csv->row = csv->at = text;
    csv->end = text + length;
    csv->delimiter = delimiter;
    csv->line = csv->next_line = 1;
    csv->cells = csv->room;
    csv->count = 0;
    if (has_mark(text, length))
        csv->at += 3;
}

/* --- Scanning --- */

/* Behind a line break, `at` itself where there is none. */
static const char *skip_break(const char *at, const char *end)
{
    if (at < end && *at == '\n')
        return at + 1;
    if (at < end && *at == '\r' && at + 1 == end)
        return end;
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? at + 2 : at;
}

/* The end of a cell without quotes: a delimiter, a line break, a quote that does not belong there, or the end. */
static const char *plain_end(const char *at, const char *end, char delimiter)
{
    while (at < end && *at != delimiter && *at != '\n' && *at != '"' &&
           !(*at == '\r' && (at + 1 == end || at[1] == '\n')))
        at++;
    return at;
}

/* From behind an opening quote to the closing one. NULL: there is none. */
static const char *quoted_end(const char *at, const char *end, bool *ret_doubled)
{
    while ((at = memchr(at, '"', (size_t)(end - at)))) {
        if (at + 1 == end || at[1] != '"')
            return at;
        *ret_doubled = true;
        at += 2;
    }
    return NULL;
}

const char *rx_csv_row_end(const char *at, const char *end, char delimiter)
{
    bool doubled;
    while (at < end) {
        if (*at == '"' && !(at = quoted_end(at + 1, end, &doubled)))
            return NULL;
        while (at < end && *at != delimiter && *at != '\n')
            at++;
        if (at < end && *at == '\n')
            return at + 1;
        at++;
    }
    return NULL;
}

/* --- Errors --- */

struct rx_place rx_csv_place(const struct rx_csv *csv, size_t offset)
{
    struct rx_place place = {.line = csv->line, .column = 1, .offset = offset};
    for (const char *c = csv->row; c < csv->text + offset; c++) {
        if (*c == '\n') {
            place.line++;
            place.column = 1;
        } else {
            place.column += ((unsigned char)*c & 0xC0) != 0x80;
        }
    }
    return place;
}

static int fail(struct rx_csv *csv, int code, const char *at, const char *message, struct rx_error *reterr)
{
    csv->count = 0;
    rx_error_set(reterr, code, "%s", message);
    if (reterr)
        reterr->at = rx_csv_place(csv, (size_t)(at - csv->text));
    return code;
}

/* Behind the line in which `at` is. */
static void leave_line(struct rx_csv *csv, const char *at)
{
    const char *newline = memchr(at, '\n', (size_t)(csv->end - at));
    csv->at = newline ? newline + 1 : csv->end;
}

/* --- Rows --- */

static bool add_cell(struct rx_csv *csv, struct rx_csv_cell cell)
{
    if (csv->count == csv->capacity) {
        size_t capacity = csv->capacity ? csv->capacity * 2 : 16;
        struct rx_csv_cell *bigger = realloc(csv->room, capacity * sizeof *bigger);
        if (!bigger)
            return false;
        csv->room = bigger;
        csv->cells = bigger;
        csv->capacity = capacity;
    }
    csv->room[csv->count++] = cell;
    return true;
}

static int read_quoted(struct rx_csv *csv, const char *at, struct rx_csv_cell *cell, struct rx_error *reterr)
{
    const char *close = quoted_end(at + 1, csv->end, &cell->doubled);
    if (!close) {
        leave_line(csv, csv->row);
        return fail(csv, -EBADMSG, at, "a quote that is never closed", reterr);
    }
    cell->text = at + 1;
    cell->length = (size_t)(close - cell->text);
    cell->quoted = true;
    return 0;
}

static int fail_quote(struct rx_csv *csv, const char *at, bool quoted, struct rx_error *reterr)
{
    leave_line(csv, at);
    if (quoted)
        return fail(csv, -EBADMSG, at, "text behind a closing quote", reterr);
    int r = fail(csv, -EBADMSG, at, "a quote in a cell that does not begin with one", reterr);
    rx_error_hint(reterr, "put the whole cell in quotes, and double those in it: \"5\"\" pipe\"");
    return r;
}

/* From `*at` to where the cell ends: a delimiter, a line break or the end. When it is wrong csv->at goes behind it. */
static int read_cell(struct rx_csv *csv, const char **at, struct rx_error *reterr)
{
    struct rx_csv_cell cell = {.text = *at, .place = (size_t)(*at - csv->text)};
    const char *start = *at;
    if (start < csv->end && *start == '"') {
        int r = read_quoted(csv, start, &cell, reterr);
        if (r < 0)
            return r;
        start = cell.text + cell.length + 1;
    }
    *at = plain_end(start, csv->end, csv->delimiter);
    if (cell.quoted && *at > start)
        return fail_quote(csv, start, true, reterr);
    if (*at < csv->end && **at == '"')
        return fail_quote(csv, *at, false, reterr);
    if (!cell.quoted)
        cell.length = (size_t)(*at - start);
    return add_cell(csv, cell) ? 0 : fail(csv, -ENOMEM, start, "out of memory", reterr);
}

static void undouble(struct rx_csv_cell *cell, struct rx_buffer *plain)
{
    char *out = plain->data + plain->length, *start = out;
    for (const char *at = cell->text; at < cell->text + cell->length; at++) {
        *out++ = *at;
        at += *at == '"';
    }
    cell->text = start;
    cell->length = (size_t)(out - start);
    plain->length += cell->length;
}

/* Reserved at once, so that no cell moves. */
static int undouble_all(struct rx_csv *csv, struct rx_error *reterr)
{
    size_t bytes = 0;
    for (size_t i = 0; i < csv->count; i++)
        bytes += csv->room[i].doubled ? csv->room[i].length : 0;
    rx_buffer_clear(&csv->plain);
    if (bytes == 0)
        return 1;
    if (rx_buffer_reserve(&csv->plain, bytes) < 0)
        return fail(csv, -ENOMEM, csv->at, "out of memory", reterr);
    for (size_t i = 0; i < csv->count; i++)
        if (csv->room[i].doubled)
            undouble(&csv->room[i], &csv->plain);
    return 1;
}

static int check_text(struct rx_csv *csv, const char *end, struct rx_error *reterr)
{
    const char *at = csv->row;
    if (rx_utf8_valid(at, (size_t)(end - at)))
        return 0;
    for (size_t n; (n = rx_utf8_next(at, (size_t)(end - at))) > 0;)
        at += n;
    return fail(csv, -EILSEQ, at, "not UTF-8", reterr);
}

static int read_cells(struct rx_csv *csv, const char **at, struct rx_error *reterr)
{
    for (;; ++*at) {
        if (csv->count == RX_CSV_CELLS_MAX) {
            leave_line(csv, *at);
            return fail(csv, -E2BIG, *at, "more than 65536 cells in a row", reterr);
        }
        int r = read_cell(csv, at, reterr);
        if (r < 0 || *at == csv->end || **at != csv->delimiter)
            return r;
    }
}

/* The cells of the row at `csv->at`, which then stands behind it. */
static int read_row(struct rx_csv *csv, struct rx_error *reterr)
{
    const char *at = csv->row;
    int r = read_cells(csv, &at, reterr);
    if (r < 0)
        return r;
    csv->at = skip_break(at, csv->end);
    r = check_text(csv, at, reterr);
    return r < 0 ? r : undouble_all(csv, reterr);
}

int rx_csv_next(struct rx_csv *csv, struct rx_error *reterr)
{
    for (const char *behind; (behind = skip_break(csv->at, csv->end)) != csv->at; csv->at = behind)
        csv->next_line++;
    csv->count = 0;
    csv->line = csv->next_line;
    if (csv->at == csv->end)
        return 0;
    csv->row = csv->at;
    int r = read_row(csv, reterr);
    for (const char *c = csv->row; (c = memchr(c, '\n', (size_t)(csv->at - c))); c++)
        csv->next_line++;
    return r;
}

/* --- Writing --- */

void rx_csv_write_cell(struct rx_buffer *out, const char *text, size_t length, char delimiter)
{
    bool plain = length > 0 && text[0] != ' ' && text[length - 1] != ' ' && !has_mark(text, length);
    for (size_t i = 0; i < length && plain; i++)
        plain = text[i] != '"' && text[i] != delimiter && text[i] != '\n' && text[i] != '\r';
    if (plain) {
        rx_buffer_append(out, text, length);
        return;
    }
    rx_buffer_append(out, "\"", 1);
    for (const char *end = text + length, *quote; text < end; text = quote) {
        quote = memchr(text, '"', (size_t)(end - text));
        quote = quote ? quote + 1 : end;
        rx_buffer_append(out, text, (size_t)(quote - text));
        if (quote[-1] == '"')
            rx_buffer_append(out, "\"", 1);
    }
    rx_buffer_append(out, "\"", 1);
}
