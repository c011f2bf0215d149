/* element_at: the one event at a place, counted from 0. */
#include <errno.h>

#include "core/graph/operator.h"

struct element_at {
    struct rx_op op;
    int64_t index;
    struct rx_value fallback;
    bool fallback_given;

    int64_t seen;
};

static const struct rx_option options[] = {
    {.name = "index",
     .help = "the place, from 0",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct element_at, index, int64_t),
     .min = 0,
     .max = 1e15,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "default",
     .help = "put out when there are fewer events; without it that is an error",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct element_at, fallback, struct rx_value),
     .given = RX_AT(struct element_at, fallback_given, bool)},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct element_at *e = (struct element_at *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        bool here = e->seen++ == e->index;
        rx_count(op, here ? RX_USED : RX_FILTERED, 1);
        if (here) {
            rx_emit(op, &span[i], 1);
            rx_finish(op);
        }
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct element_at *e = (struct element_at *)op;
    struct rx_error error;
    (void)port;
    if (e->fallback_given) {
        rx_emit_result_take(op, rx_value_ref(e->fallback));
        rx_finish(op);
    } else {
        rx_error_set(&error, -ERANGE, "range");
        rx_fail(op, &error);
    }
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct element_at *)op)->seen);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct element_at *)op)->seen = rx_read_int(r);
    return 0;
}

static void describe(const void *image, struct rx_facts *facts)
{
    (void)image;
    facts->events = 1;
}

const struct rx_operator_class rx_operator_element_at = {
    .base = {.name = "element_at",
             .summary = "let only the event at a place through, then complete; fewer events are an error",
             .options = options,
             .state_size = sizeof(struct element_at),
             .flags = RX_PASSES | RX_ENDS_EARLY,
             .example = "element_at: 2"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
};
