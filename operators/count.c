/* count: how many events there were. */
#include "core/graph/operator.h"

struct count {
    struct rx_op op;
    struct rx_expr *where;

    int64_t counted;
};

static const struct rx_option options[] = {
    {.name = "where",
     .help = "counts only the events for which it is true",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct count, where, struct rx_expr *),
     .flags = RX_POSITIONAL},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct count *c = (struct count *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        int result = c->where ? rx_op_test(op, c->where, &span[i]) : 1;
        c->counted += result > 0;
        rx_count(op, RX_USED, result > 0);
        rx_count(op, RX_FILTERED, result == 0);
    }
}

static void peek(struct rx_op *op, rx_time at)
{
    rx_emit_result_at_take(op, rx_json_int(((struct count *)op)->counted), at);
}

static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    rx_emit_result_take(op, rx_json_int(((struct count *)op)->counted));
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct count *)op)->counted);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct count *)op)->counted = rx_read_int(r);
    return 0;
}

const struct rx_operator_class rx_operator_count = {
    .base = {.name = "count",
             .summary = "put out at the end how many events there were; 0 for none",
             .options = options,
             .state_size = sizeof(struct count),
             .flags = RX_SPAN_SAFE | RX_REDUCES | RX_REPLACES | RX_ANY_ORDER,
             .example = "count: value > 30"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .complete = complete,
    .peek = peek,
    .save = save,
    .load = load,
};
