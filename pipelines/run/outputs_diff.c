/* Where the outputs of two runs of one stream differ. */
#include "pipelines/run/outputs_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"

enum {
    ALIGNED_MAX = 1000, /* notifications of one side, between what both begin and end with, that are aligned */
    LISTED = 10,
    SHOWN_MAX = 240, /* bytes of a value */
};

struct diff {
    const struct rx_diff_options *options;
    const struct rx_outcome *a, *b; /* what is left between the common beginning and end */
    size_t n, m, before;
    struct rx_buffer *out;
    size_t told, found;
    uint16_t *longest; /* the longest common subsequences of all tails, (n + 1) x (m + 1); NULL: not aligned */
};

static bool same(const struct rx_diff_options *o, const struct rx_outcome *a, const struct rx_outcome *b)
{
    return a->kind == b->kind && (o->untimed || a->at == b->at) &&
           rx_pattern_fits(o->heap, a->value, b->value, o->flags, NULL);
}

bool rx_outputs_same(const struct rx_output_stream *a, const struct rx_output_stream *b,
                     const struct rx_diff_options *o)
{
    size_t i = 0;
    while (i < a->count && i < b->count && same(o, &a->items[i], &b->items[i]))
        i++;
    return i == a->count && i == b->count;
}

/* ---- telling ---- */

static void tell_place(struct diff *d, const struct rx_outcome *output, size_t place)
{
    char at[64];
    if (d->options->untimed) {
        rx_buffer_printf(d->out, "%s%zu: ", d->options->indent, place + 1);
        return;
    }
    rx_format_duration(output->at, at, sizeof at);
    rx_buffer_printf(d->out, "%sat %s: ", d->options->indent, at);
}

static void tell_output(struct diff *d, const struct rx_outcome *output)
{
    if (!output) {
        rx_buffer_text(d->out, "nothing");
        return;
    }
    rx_buffer_text(d->out, output->kind == RX_COMPLETE ? "the end" : output->kind == RX_ERROR ? "the error " : "");
    if (output->kind != RX_COMPLETE)
        rx_json_write_cut(d->out, output->value, SHOWN_MAX);
}

static bool may_tell(struct diff *d)
{
    size_t most = d->options->most ? d->options->most : LISTED;
    d->found++;
    return d->told < most && d->told++ < most;
}

/* NULL: nothing. */
static void tell(struct diff *d, const struct rx_outcome *a, const struct rx_outcome *b, size_t place)
{
    if (!may_tell(d))
        return;
    tell_place(d, a ? a : b, place);
    rx_buffer_printf(d->out, "%s ", d->options->words[0]);
    tell_output(d, a);
    rx_buffer_printf(d->out, ", %s ", d->options->words[1]);
    tell_output(d, b);
    rx_buffer_text(d->out, "\n");
}

static bool has_parts(struct rx_value v) { return v.kind == RX_RECORD || v.kind == RX_MAP || v.kind == RX_LIST; }

/* Values that differ: in which of their parts, one a line. */
static void tell_change(struct diff *d, const struct rx_outcome *a, const struct rx_outcome *b, size_t place)
{
    char indent[64];
    if (a->kind != RX_NEXT || b->kind != RX_NEXT || !has_parts(a->value) || !has_parts(b->value)) {
        tell(d, a, b, place);
        return;
    }
    if (!may_tell(d))
        return;
    tell_place(d, a, place);
    tell_output(d, b);
    rx_buffer_text(d->out, "\n");
    snprintf(indent, sizeof indent, "%s    ", d->options->indent);
    rx_pattern_fits(d->options->heap, a->value, b->value, d->options->flags,
                    &(struct rx_pattern_why){
                        .out = d->out, .indent = indent, .words = {d->options->words[0], d->options->words[1]}});
}

/* ---- aligning ---- */

static uint16_t *cell(const struct diff *d, size_t i, size_t j) { return &d->longest[i * (d->m + 1) + j]; }

/* The textbook's table (Wagner and Fischer, J. ACM 21, 1974), of tails. */
static void align(struct diff *d)
{
    if (d->n > ALIGNED_MAX || d->m > ALIGNED_MAX)
        return;
    d->longest = calloc((d->n + 1) * (d->m + 1), sizeof *d->longest);
    for (size_t i = d->n; d->longest && i-- > 0;)
        for (size_t j = d->m; j-- > 0;) {
            uint16_t down = *cell(d, i + 1, j), right = *cell(d, i, j + 1);
            *cell(d, i, j) = same(d->options, &d->a[i], &d->b[j]) ? (uint16_t)(*cell(d, i + 1, j + 1) + 1)
                             : down > right                       ? down
                                                                  : right;
        }
}

/* Both are at a difference: how far it goes on each side. */
static void difference_at(const struct diff *d, size_t i, size_t j, size_t *ret_i, size_t *ret_j)
{
    if (!d->longest) {
        *ret_i = d->n;
        *ret_j = d->m;
        return;
    }
    while (i < d->n && j < d->m && !same(d->options, &d->a[i], &d->b[j])) {
        if (*cell(d, i + 1, j) >= *cell(d, i, j + 1))
            i++;
        else
            j++;
    }
    if (i == d->n || j == d->m) {
        i = d->n;
        j = d->m;
    }
    *ret_i = i;
    *ret_j = j;
}

static bool belong_together(const struct diff *d, const struct rx_outcome *a, const struct rx_outcome *b)
{
    return d->options->untimed || a->at == b->at;
}

/* What differs in between, in order of time: of one instant one of each side belong together. */
static void tell_range(struct diff *d, size_t i, size_t end_i, size_t j, size_t end_j)
{
    while (i < end_i || j < end_j) {
        const struct rx_outcome *a = i < end_i ? &d->a[i] : NULL, *b = j < end_j ? &d->b[j] : NULL;
        if (a && b && belong_together(d, a, b)) {
            if (!same(d->options, a, b))
                tell_change(d, a, b, d->before + i);
            i++;
            j++;
        } else if (a && (!b || a->at < b->at)) {
            tell(d, a, NULL, d->before + i++);
        } else {
            tell(d, NULL, b, d->before + j++);
        }
    }
}

static void tell_all(struct diff *d)
{
    size_t i = 0, j = 0;
    while (i < d->n || j < d->m) {
        size_t end_i, end_j;
        if (i < d->n && j < d->m && same(d->options, &d->a[i], &d->b[j])) {
            i++;
            j++;
            continue;
        }
        difference_at(d, i, j, &end_i, &end_j);
        tell_range(d, i, end_i, j, end_j);
        i = end_i;
        j = end_j;
    }
}

/* ---- the whole ---- */

static void draw(struct diff *d, const struct rx_output_stream *a, const struct rx_output_stream *b)
{
    const struct rx_diff_options *o = d->options;
    struct rx_drawing drawing = {
        .heap = o->heap, .legend = o->legend, .tick = o->tick, .untimed = o->untimed, .flags = o->flags};
    int width = (int)(strlen(o->words[0]) > strlen(o->words[1]) ? strlen(o->words[0]) : strlen(o->words[1]));
    rx_marble_draw(&drawing, a, b);
    for (int k = 0; k < 2; k++)
        rx_buffer_printf(d->out, "%s%-*s  %.*s\n", o->indent, width, o->words[k], (int)drawing.lines[k].length,
                         drawing.lines[k].data ? drawing.lines[k].data : "");
    if (drawing.mark != SIZE_MAX)
        rx_buffer_printf(d->out, "%s%*s^\n", o->indent, width + 2 + (int)drawing.mark, "");
    for (size_t i = 0; i < drawing.made_count; i++) {
        rx_buffer_printf(d->out, "%s%s%s = ", o->indent, i ? "      " : "where ", drawing.made[i].symbol);
        rx_json_write_cut(d->out, drawing.made[i].value, SHOWN_MAX);
        rx_buffer_text(d->out, "\n");
    }
    rx_drawing_finish(&drawing);
}

size_t rx_outputs_diff(const struct rx_output_stream *a, const struct rx_output_stream *b,
                       const struct rx_diff_options *o, struct rx_buffer *out)
{
    struct diff d = {.options = o, .a = a->items, .b = b->items, .n = a->count, .m = b->count, .out = out};
    while (d.n > 0 && d.m > 0 && same(o, d.a, d.b)) {
        d.a++, d.b++, d.n--, d.m--;
        d.before++;
    }
    while (d.n > 0 && d.m > 0 && same(o, &d.a[d.n - 1], &d.b[d.m - 1]))
        d.n--, d.m--;
    if (d.n == 0 && d.m == 0)
        return 0;
    draw(&d, a, b);
    align(&d);
    tell_all(&d);
    if (d.found > d.told)
        rx_buffer_printf(out, "%sand %zu more\n", o->indent, d.found - d.told);
    free(d.longest);
    return d.found;
}
