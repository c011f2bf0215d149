/* skip: all but the first n events. */
#include "core/graph/operator.h"

struct skip {
    struct rx_op op;
    int64_t count;

    int64_t seen; /* up to count */
};

static const struct rx_option options[] = {
    {.name = "count",
     .help = "how many events to leave out",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct skip, count, int64_t),
     .min = 0,
     .max = 1e15,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct skip *s = (struct skip *)op;
    int64_t left = s->count - s->seen;
    size_t skipped = left < (int64_t)n ? (size_t)left : n;
    (void)port;
    s->seen += (int64_t)skipped;
    rx_count(op, RX_FILTERED, skipped);
    rx_count(op, RX_USED, n - skipped);
    rx_emit(op, span + skipped, n - skipped);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct skip *)op)->seen);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct skip *s = (struct skip *)op;
    s->seen = rx_read_int(r);
    if (s->seen < 0 || s->seen > s->count)
        s->seen = s->count;
    return 0;
}

const struct rx_operator_class rx_operator_skip = {
    .base = {.name = "skip",
             .summary = "leave out the first n events",
             .options = options,
             .state_size = sizeof(struct skip),
             .flags = RX_SPAN_SAFE | RX_PASSES,
             .example = "skip: 1"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .save = save,
    .load = load,
};
