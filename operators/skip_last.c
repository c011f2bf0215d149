/* skip_last: all but the last n events; each goes out when n more have come. */
#include "core/graph/operator.h"
#include "core/value/event_queue.h"

struct skip_last {
    struct rx_op op;
    int64_t count;

    struct rx_event_queue kept;
};

static const struct rx_option options[] = {
    {.name = "count",
     .help = "how many events at the end to leave out",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct skip_last, count, int64_t),
     .min = 0,
     .max = 1e6,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct skip_last *s = (struct skip_last *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        rx_hold(op, 1);
        if (rx_event_queue_push(&s->kept, &span[i]) < 0) {
            rx_fail_memory(op);
        } else if (s->kept.count > (size_t)s->count) {
            struct rx_event out = rx_event_queue_pop(&s->kept);
            rx_hold(op, -1);
            rx_count(op, RX_USED, 1);
            rx_emit(op, &out, 1);
            rx_event_unref(&out);
        }
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct skip_last *s = (struct skip_last *)op;
    (void)port;
    rx_hold(op, -(int64_t)s->kept.count);
    rx_count(op, RX_FILTERED, s->kept.count);
    rx_event_queue_drop(&s->kept, s->kept.count);
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_event_queue_save(&((struct skip_last *)op)->kept, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct skip_last *s = (struct skip_last *)op;
    int result = rx_event_queue_load(&s->kept, r);
    rx_hold(op, (int64_t)s->kept.count);
    return result;
}

static void dispose(struct rx_op *op) { rx_event_queue_finish(&((struct skip_last *)op)->kept); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct skip_last *s = image;
    facts->events = (uint64_t)s->count;
}

const struct rx_operator_class rx_operator_skip_last = {
    .base = {.name = "skip_last",
             .summary = "leave out the last n events",
             .options = options,
             .state_size = sizeof(struct skip_last),
             .flags = RX_PASSES,
             .example = "skip_last: 1"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
