/* Marble diagrams of what streams put out. */
#include "pipelines/run/marble_draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/option/option.h"
#include "pipelines/run/pattern.h"

enum {
    WHOLE_MAX = 60,   /* columns of instants that are drawn all */
    BEFORE = 8,       /* instants before the first difference, where they are more */
    DASHES_MAX = 12,  /* a longer wait is written as a duration */
    MADE_MAX = 96,    /* symbols made up; then all others are `?` */
    GROUP_MAX = 1000, /* notifications at one instant that are drawn */
};

/* One column of both lines: what came at one instant, or (untimed) at one place. */
struct column {
    rx_time at;
    size_t first[2], count[2];
    bool differs;
};

struct canvas {
    struct rx_drawing *drawing;
    const struct rx_output_stream *streams[2];
    struct column *columns;
    size_t count, capacity;
};

const struct rx_value *rx_legend_find(const struct rx_legend *legend, const char *symbol, size_t length)
{
    for (size_t i = 0; legend && i < legend->count; i++)
        if (strlen(legend->rows[i].symbol) == length && memcmp(legend->rows[i].symbol, symbol, length) == 0)
            return &legend->rows[i].value;
    return NULL;
}

/* ---- columns ---- */

static bool add_column(struct canvas *c, struct column column)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? c->capacity * 2 : 32;
        struct column *bigger = realloc(c->columns, capacity * sizeof *bigger);
        if (!bigger) {
            c->drawing->failed = true;
            return false;
        }
        c->columns = bigger;
        c->capacity = capacity;
    }
    c->columns[c->count++] = column;
    return true;
}

static const struct rx_outcome *item(const struct canvas *c, int side, size_t i)
{
    const struct rx_output_stream *s = c->streams[side];
    return s && i < s->count ? &s->items[i] : NULL;
}

static bool fits(const struct canvas *c, const struct rx_outcome *a, const struct rx_outcome *b)
{
    return a->kind == b->kind && rx_pattern_fits(c->drawing->heap, a->value, b->value, c->drawing->flags, NULL);
}

static bool column_differs(const struct canvas *c, const struct column *column)
{
    bool differs = c->streams[1] && column->count[0] != column->count[1];
    for (size_t i = 0; c->streams[1] && !differs && i < column->count[0]; i++)
        differs = !fits(c, item(c, 0, column->first[0] + i), item(c, 1, column->first[1] + i));
    return differs;
}

/* How many of a side are in the column that begins at `i`. */
static size_t run_length(const struct canvas *c, int side, size_t i, rx_time at)
{
    size_t n = 0;
    if (c->drawing->untimed)
        return item(c, side, i) ? 1 : 0;
    for (const struct rx_outcome *o; (o = item(c, side, i + n)) && o->at == at;)
        n++;
    return n;
}

static void make_columns(struct canvas *c)
{
    size_t next[2] = {0, 0};
    const struct rx_outcome *a, *b;
    while ((a = item(c, 0, next[0])), (b = item(c, 1, next[1])), a || b) {
        rx_time at = !b || (a && a->at <= b->at) ? a->at : b->at;
        struct column column = {.at = at, .first = {next[0], next[1]}};
        for (int side = 0; side < 2; side++) {
            column.count[side] = run_length(c, side, next[side], at);
            next[side] += column.count[side];
        }
        column.differs = column_differs(c, &column);
        if (!add_column(c, column))
            return;
    }
}

/* ---- symbols ---- */

static bool is_taken(const struct rx_drawing *d, const char *symbol)
{
    bool taken = rx_legend_find(d->legend, symbol, strlen(symbol)) != NULL;
    for (size_t i = 0; i < d->made_count && !taken; i++)
        taken = strcmp(d->made[i].symbol, symbol) == 0;
    return taken;
}

/* The n-th symbol that may be made up: letters, then Greek ones. */
static void spare(unsigned n, char ret[5])
{
    uint32_t code = n < 26 ? 'a' + n : n < 52 ? 'A' + (n - 26) : 0x3B1 + (n - 52);
    ret[rx_utf8_put(ret, code)] = '\0';
}

static const char *make_up(struct rx_drawing *d, struct rx_value value)
{
    char symbol[5];
    unsigned n = 0;
    if (!d->made)
        d->made = calloc(MADE_MAX, sizeof *d->made);
    d->failed = d->failed || !d->made;
    if (!d->made || d->made_count == MADE_MAX / 2)
        return "?";
    do
        spare(n++, symbol);
    while (n < MADE_MAX && (is_taken(d, symbol) || (symbol[0] > 0 && d->themselves[(int)symbol[0]])));
    struct rx_legend_row *row = &d->made[d->made_count++];
    memcpy(row->symbol, symbol, sizeof symbol);
    row->value = value;
    return row->symbol;
}

static const char *find_in(const struct rx_drawing *d, const struct rx_legend_row *rows, size_t n,
                           struct rx_value value)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].symbol, "#") != 0 &&
            (rx_value_equal(rows[i].value, value) || rx_pattern_fits(d->heap, rows[i].value, value, d->flags, NULL)))
            return rows[i].symbol;
    return NULL;
}

/* A digit or a letter that stands for itself: its text in `room`. */
static const char *itself(struct rx_drawing *d, struct rx_value v, char room[5])
{
    bool digit = v.kind == RX_INT && v.u.i >= 0 && v.u.i <= 9;
    bool letter = v.kind == RX_STRING && v.aux == 1 && (v.u.text[0] | 0x20) >= 'a' && (v.u.text[0] | 0x20) <= 'z';
    room[0] = digit ? (char)('0' + v.u.i) : letter ? v.u.text[0] : '\0';
    room[1] = '\0';
    if ((!digit && !letter) || is_taken(d, room))
        return NULL;
    d->themselves[(int)room[0]] = true;
    return room;
}

static const char *symbol_of(struct rx_drawing *d, const struct rx_outcome *o, char room[5])
{
    if (o->kind != RX_NEXT)
        return o->kind == RX_COMPLETE ? "|" : "#";
    const char *found = d->legend ? find_in(d, d->legend->rows, d->legend->count, o->value) : NULL;
    if (!found)
        found = find_in(d, d->made, d->made_count, o->value);
    if (!found)
        found = itself(d, o->value, room);
    return found ? found : make_up(d, o->value);
}

/* ---- drawing ---- */

static unsigned draw_group(struct canvas *c, const struct column *column, int side)
{
    struct rx_buffer *line = &c->drawing->lines[side];
    size_t n = column->count[side] < GROUP_MAX ? column->count[side] : GROUP_MAX;
    char room[5];
    rx_buffer_text(line, n > 1 ? "(" : "");
    for (size_t i = 0; i < n; i++)
        rx_buffer_text(line, symbol_of(c->drawing, item(c, side, column->first[side] + i), room));
    rx_buffer_text(line, n > 1 ? ")" : "");
    return (unsigned)n + (n > 1 ? 2 : 0);
}

static void fill(struct rx_buffer *line, char with, unsigned n)
{
    while (n-- > 0)
        rx_buffer_append(line, &with, 1);
}

static unsigned draw_column(struct canvas *c, const struct column *column)
{
    unsigned width[2] = {draw_group(c, column, 0), c->streams[1] ? draw_group(c, column, 1) : 0};
    unsigned most = width[0] > width[1] ? width[0] : width[1];
    for (int side = 0; side < (c->streams[1] ? 2 : 1); side++)
        fill(&c->drawing->lines[side], '-', most - width[side]);
    return most;
}

static void draw_text(struct canvas *c, const char *text)
{
    for (int side = 0; side < (c->streams[1] ? 2 : 1); side++)
        rx_buffer_text(&c->drawing->lines[side], text);
}

/* From `from` to `to`: dashes, or where these would be many the time as it is. Its columns. */
static unsigned draw_wait(struct canvas *c, rx_time from, rx_time to)
{
    char text[72] = "";
    rx_time wait = to - from, tick = c->drawing->tick;
    if (wait <= 0)
        return 0;
    if (wait % tick == 0 && wait / tick <= DASHES_MAX) {
        memset(text, '-', (size_t)(wait / tick));
    } else {
        char duration[48];
        rx_format_duration(wait, duration, sizeof duration);
        snprintf(text, sizeof text, " %s ", duration);
    }
    draw_text(c, text);
    return (unsigned)strlen(text);
}

static size_t first_difference(const struct canvas *c)
{
    size_t i = 0;
    while (i < c->count && !c->columns[i].differs)
        i++;
    return i;
}

static void draw(struct canvas *c)
{
    struct rx_drawing *d = c->drawing;
    size_t differs = first_difference(c), from = 0, to = c->count, width = 0;
    rx_time at = 0;
    d->mark = SIZE_MAX;
    if (c->count > WHOLE_MAX && c->streams[1]) {
        from = differs > BEFORE ? differs - BEFORE : 0;
        to = from + WHOLE_MAX < c->count ? from + WHOLE_MAX : c->count;
    }
    if (from > 0) {
        draw_text(c, "... ");
        width = 4;
        at = c->columns[from - 1].at;
    }
    for (size_t i = from; i < to; i++) {
        if (!d->untimed)
            width += draw_wait(c, at, c->columns[i].at);
        if (i == differs)
            d->mark = width;
        unsigned columns = draw_column(c, &c->columns[i]);
        width += columns;
        at = c->columns[i].at + (rx_time)columns * d->tick;
    }
    if (to < c->count)
        draw_text(c, " ...");
}

void rx_marble_draw(struct rx_drawing *drawing, const struct rx_output_stream *a, const struct rx_output_stream *b)
{
    struct canvas c = {.drawing = drawing, .streams = {a, b}};
    make_columns(&c);
    draw(&c);
    free(c.columns);
    drawing->failed = drawing->failed || drawing->lines[0].failed || drawing->lines[1].failed;
}

void rx_drawing_finish(struct rx_drawing *drawing)
{
    rx_buffer_finish(&drawing->lines[0]);
    rx_buffer_finish(&drawing->lines[1]);
    free(drawing->made);
    drawing->made = NULL;
}
