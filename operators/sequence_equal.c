/* sequence_equal: whether two streams have equal events, each at its place, and are of one length. */
#include <errno.h>

#include "core/graph/operator.h"
#include "core/value/event_queue.h"

struct sequence_equal {
    struct rx_op op;
    const struct rx_tree *to;
    int64_t max;

    struct rx_event_queue waiting[2]; /* of each stream, for the other's */
    bool ended[2];
};

static const struct rx_option options[] = {
    {.name = "to",
     .help = "the other stream",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct sequence_equal, to, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "max",
     .help = "events of one stream that may wait for the other's; one more is an error",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct sequence_equal, max, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e9},
    {0},
};

static void answer(struct sequence_equal *s, bool result)
{
    rx_emit_result_take(&s->op, rx_bool(result));
    rx_finish(&s->op);
}

static void keep(struct sequence_equal *s, unsigned port, const struct rx_event *event)
{
    struct rx_error error;
    if (s->waiting[port].count >= (size_t)s->max) {
        rx_count(&s->op, RX_EVICTED, 1);
        rx_error_set(&error, -E2BIG, "one stream is more than %lld events ahead of the other", (long long)s->max);
        rx_fail(&s->op, &error);
        return;
    }
    rx_hold(&s->op, 1);
    if (rx_event_queue_push(&s->waiting[port], event) < 0)
        rx_fail_memory(&s->op);
}

static void compare(struct sequence_equal *s, unsigned other, const struct rx_event *event)
{
    struct rx_event waited = rx_event_queue_pop(&s->waiting[other]);
    bool equal = rx_value_equal(waited.value, event->value);
    rx_hold(&s->op, -1);
    rx_count(&s->op, RX_USED, 2);
    rx_event_unref(&waited);
    if (!equal)
        answer(s, false);
}

static void take_in(struct sequence_equal *s, unsigned port, const struct rx_event *event)
{
    unsigned other = !port;
    if (s->waiting[other].count) {
        compare(s, other, event);
    } else if (s->ended[other]) {
        rx_count(&s->op, RX_USED, 1);
        answer(s, false);
    } else {
        keep(s, port, event);
    }
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take_in((struct sequence_equal *)op, port, &span[i]);
}

/* When both have, what still waits has no counterpart. */
static void complete(struct rx_op *op, unsigned port)
{
    struct sequence_equal *s = (struct sequence_equal *)op;
    s->ended[port] = true;
    if (s->ended[!port])
        answer(s, s->waiting[!port].count == 0 && s->waiting[port].count == 0);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct sequence_equal *s = (struct sequence_equal *)op;
    for (unsigned i = 0; i < 2; i++) {
        rx_write_bool(w, s->ended[i]);
        rx_event_queue_save(&s->waiting[i], w);
    }
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct sequence_equal *s = (struct sequence_equal *)op;
    for (unsigned i = 0; i < 2; i++) {
        s->ended[i] = rx_read_bool(r);
        rx_event_queue_load(&s->waiting[i], r);
        rx_hold(op, (int64_t)s->waiting[i].count);
    }
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct sequence_equal *s = (struct sequence_equal *)op;
    rx_event_queue_finish(&s->waiting[0]);
    rx_event_queue_finish(&s->waiting[1]);
}

static void describe(const void *image, struct rx_facts *facts)
{
    facts->events = (uint64_t)((const struct sequence_equal *)image)->max;
}

const struct rx_operator_class rx_operator_sequence_equal = {
    .base = {.name = "sequence_equal",
             .summary = "put out whether another stream has the same events: false at the first difference, true at "
                        "the end of both",
             .options = options,
             .state_size = sizeof(struct sequence_equal),
             .flags = RX_ENDS_EARLY,
             .example = "sequence_equal: prices"},
    .min_inputs = 2,
    .max_inputs = 2,
    .next = next,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
