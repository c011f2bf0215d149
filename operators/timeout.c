/* timeout: an error, or another stream, when an event is too long in coming; RxJS's timeout. */
#include <errno.h>

#include "core/graph/operator.h"

struct timeout {
    struct rx_op op;
    rx_time each, first;
    const struct rx_tree *with;

    bool begun;
};

static const struct rx_option options[] = {
    {.name = "each",
     .help = "the longest time between two events (and up to the first, if `first` does not say otherwise)",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct timeout, each, rx_time),
     .max = 31536000,
     .flags = RX_POSITIONAL},
    {.name = "first",
     .help = "the longest time up to the first event",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct timeout, first, rx_time),
     .max = 31536000},
    {.name = "with",
     .help = "the stream to go on with instead of the error",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct timeout, with, const struct rx_tree *)},
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    const struct timeout *t = image;
    if (t->each > 0 || t->first > 0)
        return 0;
    rx_error_set(reterr, -EINVAL, "`timeout` needs `each` or `first`, a duration such as 5s");
    rx_error_hint(reterr, "write timeout: 30s, for the longest pause between events");
    return -EINVAL;
}

static void start(struct rx_op *op)
{
    struct timeout *t = (struct timeout *)op;
    rx_subscribe(op, 0);
    if (!t->begun)
        rx_timer_arm(op, 0, rx_now(op) + (t->first > 0 ? t->first : t->each));
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct timeout *t = (struct timeout *)op;
    t->begun = true;
    if (port == 0)
        rx_timer_stop(op, 0);
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
    if (port == 0 && t->each > 0)
        rx_timer_arm(op, 0, rx_now(op) + t->each);
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct rx_error error;
    (void)slot;
    rx_cancel(op, 0);
    if (rx_op_inputs(op) > 1) {
        rx_subscribe(op, 1);
    } else {
        rx_error_set(&error, -ETIMEDOUT, "timeout");
        rx_fail(op, &error);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    rx_finish(op);
}

const struct rx_operator_class rx_operator_timeout = {
    .base = {.name = "timeout",
             .summary = "fail, or go on with another stream, when an event is too long in coming",
             .options = options,
             .state_size = sizeof(struct timeout),
             .flags = RX_PASSES,
             .check = check,
             .example = "timeout: {each: 700ms, with: other_sensors}"},
    .min_inputs = 1,
    .max_inputs = 2,
    .timer_slots = 1,
    .start = start,
    .next = next,
    .timer = timer,
    .complete = complete,
};
