/* Where the outputs of two runs of one stream differ, for people: two marble lines with the place marked, and the values. */
#ifndef RX_PIPELINES_OUTPUTS_DIFF_H
#define RX_PIPELINES_OUTPUTS_DIFF_H

#include "pipelines/run/marble_draw.h"
#include "pipelines/run/pattern.h"

struct rx_diff_options {
    struct rx_heap *heap;
    const char *words[2];           /* "expected", "came" */
    unsigned flags;                 /* RX_PATTERN_PLAIN where the first's values are no patterns */
    bool untimed;                   /* only their order counts */
    rx_time tick;                   /* of the marble lines */
    const struct rx_legend *legend; /* of the marble lines; NULL: none */
    const char *indent;             /* of each line */
    size_t most;                    /* differences that are listed; the rest is counted. 0: 10 */
};

/* Whether they are the same. */
bool rx_outputs_same(const struct rx_output_stream *a, const struct rx_output_stream *b,
                     const struct rx_diff_options *);
/* How many notifications differ, and where, appended to `out` (nothing where they are the same). `a` is what is expected: its
 * values may be patterns. */
size_t rx_outputs_diff(const struct rx_output_stream *a, const struct rx_output_stream *b,
                       const struct rx_diff_options *, struct rx_buffer *out);

#endif
