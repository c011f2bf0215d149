/* take_last: the last n events, at the end. */
#include "core/graph/operator.h"
#include "core/value/event_queue.h"

struct take_last {
    struct rx_op op;
    int64_t count;

    struct rx_event_queue kept;
};

static const struct rx_option options[] = {
    {.name = "count",
     .help = "how many events to put out at the end",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct take_last, count, int64_t),
     .min = 0,
     .max = 1e6,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

/* None at all completes without subscribing, as RxJS does. */
static void start(struct rx_op *op)
{
    if (((struct take_last *)op)->count == 0)
        rx_finish(op);
    else
        rx_subscribe(op, 0);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct take_last *t = (struct take_last *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (t->kept.count == (size_t)t->count) {
            rx_event_queue_drop(&t->kept, 1);
            rx_hold(op, -1);
            rx_count(op, RX_SUPERSEDED, 1);
        }
        rx_hold(op, 1);
        if (rx_event_queue_push(&t->kept, &span[i]) < 0)
            rx_fail_memory(op);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct take_last *t = (struct take_last *)op;
    (void)port;
    while (t->kept.count > 0 && rx_op_live(op)) {
        struct rx_event out = rx_event_queue_pop(&t->kept);
        rx_hold(op, -1);
        rx_count(op, RX_USED, 1);
        rx_emit(op, &out, 1);
        rx_event_unref(&out);
    }
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_event_queue_save(&((struct take_last *)op)->kept, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct take_last *t = (struct take_last *)op;
    int result = rx_event_queue_load(&t->kept, r);
    rx_hold(op, (int64_t)t->kept.count);
    return result;
}

static void dispose(struct rx_op *op) { rx_event_queue_finish(&((struct take_last *)op)->kept); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct take_last *t = image;
    facts->events = (uint64_t)t->count;
}

const struct rx_operator_class rx_operator_take_last = {
    .base = {.name = "take_last",
             .summary = "put out the last n events when the stream completes",
             .options = options,
             .state_size = sizeof(struct take_last),
             .flags = RX_PASSES | RX_AT_END,
             .example = "take_last: 3"},
    .min_inputs = 1,
    .max_inputs = 1,
    .start = start,
    .next = next,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
