/* Marble diagrams of what streams put out, one or two below each other. */
#ifndef RX_PIPELINES_MARBLE_DRAW_H
#define RX_PIPELINES_MARBLE_DRAW_H

#include "core/base/buffer.h"
#include "pipelines/run/outputs.h"

/* What a symbol stands for: a character of a diagram, and its value. `#` with a text is the error of that text. */
struct rx_legend_row {
    char symbol[5]; /* one code point of UTF-8 */
    struct rx_value value;
};
struct rx_legend {
    const struct rx_legend_row *rows;
    size_t count;
};
const struct rx_value *rx_legend_find(const struct rx_legend *, const char *symbol, size_t length);

struct rx_drawing {
    struct rx_heap *heap;
    const struct rx_legend *legend; /* NULL: none */
    rx_time tick;                   /* what a character is worth */
    bool untimed;                   /* one behind the other, times do not count */
    unsigned flags;                 /* how values are compared (pattern.h) */

    struct rx_buffer lines[2];
    size_t mark;                /* columns before the first difference; SIZE_MAX: none */
    struct rx_legend_row *made; /* symbols that had to be made up; values borrowed */
    size_t made_count;
    bool themselves[128]; /* digits and letters that were drawn for themselves */
    bool failed;          /* out of memory */
};

/* Draws both (`b` NULL: one), with as many columns before each other as the same instant has; where they are long, what is around
 * their first difference. Zero-initialise what is behind the options; finish releases. */
void rx_marble_draw(struct rx_drawing *, const struct rx_output_stream *a, const struct rx_output_stream *b);
void rx_drawing_finish(struct rx_drawing *);

#endif
