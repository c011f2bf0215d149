/* timeout: an error, or another stream, when an event is too long in coming; RxJS's timeout, and RxJava's with an indicator for each
 * item: too long is what another stream says, which is subscribed for each event. */
#include <errno.h>

#include "operators/newest.h"

struct timeout {
    struct rx_op op;
    rx_time each, first;
    const struct rx_tree *with;
    struct rx_pause after; /* its stream; its time is not used */

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
    {.name = "after",
     .help = "instead of `each`: too long is when this stream, which is subscribed for an event (`outer` in its "
             "steps), has an event "
             "of its own, or ends, before the next one comes",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct timeout, after.with, const struct rx_tree *),
     .flags = RX_OPENED},
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    const struct timeout *t = image;
    if (t->each > 0 && t->after.with) {
        rx_error_set(reterr, -EINVAL, "`timeout` takes either `each`, a duration, or `after`, a stream");
        rx_error_hint(reterr, "write timeout: {first: 30s, after: OTHER}, or timeout: 30s");
        return -EINVAL;
    }
    if (t->each > 0 || t->first > 0 || t->after.with)
        return 0;
    rx_error_set(reterr, -EINVAL, "`timeout` needs `each` or `first`, a duration such as 5s, or `after`, a stream");
    rx_error_hint(reterr, "write timeout: 30s, for the longest pause between events");
    return -EINVAL;
}

static void start(struct rx_op *op)
{
    struct timeout *t = (struct timeout *)op;
    rx_subscribe(op, 0);
    if (!t->begun && (t->first > 0 || t->each > 0))
        rx_timer_arm(op, 0, rx_now(op) + (t->first > 0 ? t->first : t->each));
}

static void expire(struct rx_op *op)
{
    struct timeout *t = (struct timeout *)op;
    struct rx_error error;
    rx_cancel(op, 0);
    rx_pause_stop(op, &t->after);
    if (rx_op_inputs(op) > 1) {
        rx_subscribe_last(op, 1);
    } else {
        rx_error_set(&error, -ETIMEDOUT, "timeout");
        rx_fail(op, &error);
    }
}

/* It may have had its event before this returns, and is then left. */
static void wait_for_stream(struct timeout *t, const struct rx_event *event)
{
    rx_pause_begin(&t->op, &t->after, event);
    if (rx_op_live(&t->op) && !rx_input_live(&t->op, 0))
        rx_pause_stop(&t->op, &t->after);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct timeout *t = (struct timeout *)op;
    t->begun = true;
    if (port == 0) {
        rx_timer_stop(op, 0);
        rx_pause_stop(op, &t->after);
    }
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
    if (port > 0 || !rx_op_live(op))
        return;
    if (t->each > 0)
        rx_timer_arm(op, 0, rx_now(op) + t->each);
    else if (t->after.with)
        wait_for_stream(t, &span[n - 1]);
}

static void timer(struct rx_op *op, unsigned slot)
{
    (void)slot;
    expire(op);
}

static void inner(struct rx_op *op, struct rx_instance *stream, const struct rx_note *note)
{
    struct timeout *t = (struct timeout *)op;
    if (note->kind != RX_NEXT)
        t->after.stream = NULL;
    (void)stream;
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else if (rx_input_live(op, 0))
        expire(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_pause_save(&((struct timeout *)op)->after, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    rx_pause_load(op, &((struct timeout *)op)->after, r);
    return r->failed;
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct timeout *t = image;
    facts->events = t->after.with ? 1 : 0; /* `outer` */
    facts->reads_all = t->after.with != NULL;
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
    .inner = inner,
    .describe = describe,
    .save = save,
    .load = load,
    .timer = timer,
    .complete = complete,
};
