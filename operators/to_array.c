/* to_array: all events in one list, at the end. */
#include <errno.h>

#include "core/graph/operator.h"
#include "core/value/event_queue.h"

struct to_array {
    struct rx_op op;
    int64_t max;

    struct rx_event_queue kept;
};

static const struct rx_option options[] = {
    {.name = "max",
     .help = "the longest list; what comes after is left out, and counted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct to_array, max, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 1e9},
    {0},
};

/* The planner makes this step inside a buffer without options. */
static size_t limit_of(const struct to_array *t) { return t->max ? (size_t)t->max : 100000; }

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct to_array *t = (struct to_array *)op;
    (void)port;
    for (size_t i = 0; i < n; i++) {
        if (t->kept.count >= limit_of(t) || rx_event_queue_push(&t->kept, &span[i]) < 0)
            rx_count(op, RX_EVICTED, 1);
        else
            rx_hold(op, 1);
    }
}

static void peek(struct rx_op *op, rx_time at)
{
    struct to_array *t = (struct to_array *)op;
    struct rx_value list = rx_event_queue_list(&t->kept, rx_op_heap(op), 0, t->kept.count);
    if (rx_op_made(op, NULL, &list))
        rx_emit_result_at_take(op, list, at);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct to_array *t = (struct to_array *)op;
    (void)port;
    rx_hold(op, -(int64_t)t->kept.count);
    rx_count(op, RX_USED, t->kept.count);
    struct rx_value list = rx_event_queue_list(&t->kept, rx_op_heap(op), 0, t->kept.count);
    if (rx_op_made(op, NULL, &list))
        rx_emit_result_take(op, list);
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_event_queue_save(&((struct to_array *)op)->kept, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct to_array *t = (struct to_array *)op;
    int result = rx_event_queue_load(&t->kept, r);
    rx_hold(op, (int64_t)t->kept.count);
    return result;
}

static void dispose(struct rx_op *op) { rx_event_queue_finish(&((struct to_array *)op)->kept); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct to_array *t = image;
    facts->events = (uint64_t)t->max;
}

const struct rx_operator_class rx_operator_to_array = {
    .base = {.name = "to_array",
             .summary = "put out all events at the end, as one list",
             .options = options,
             .state_size = sizeof(struct to_array),
             .flags = RX_SPAN_SAFE | RX_REDUCES,
             .example = "to_array"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .describe = describe,
    .complete = complete,
    .peek = peek,
    .save = save,
    .load = load,
    .dispose = dispose,
};
