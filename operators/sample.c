/* sample: the newest event since the last look, at regular intervals or when another stream says so.
 *
 * The time of an event that waits moves along, so that a window behind takes it in when it comes. */
#include <errno.h>

#include "core/graph/operator.h"

struct sample {
    struct rx_op op;
    rx_time every;
    const struct rx_tree *with;

    struct rx_event newest; /* its time is relative to the wall clock */
    bool pending;
};

static const struct rx_option options[] = {
    {.name = "every",
     .help = "the interval",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct sample, every, rx_time),
     .min = 1e-3, /* it looks whether or not there are events */
     .max = 31536000,
     .flags = RX_POSITIONAL},
    {.name = "with",
     .help = "the stream whose events say when, in place of `every`",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct sample, with, const struct rx_tree *)},
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    const struct sample *s = image;
    if ((s->every > 0) != (s->with != NULL))
        return 0;
    rx_error_set(reterr, -EINVAL, "`sample` needs either `every`, a duration, or `with`, a stream");
    rx_error_hint(reterr, "write sample: 1s, or sample: {with: OTHER}");
    return -EINVAL;
}

/* With nothing to put out the interval alone keeps no replay going. */
static void set_pending(struct sample *s, bool pending)
{
    s->pending = pending;
    rx_hold(&s->op, pending ? 1 : -1);
    rx_timer_background(&s->op, 0, !pending);
}

static void forget(struct sample *s, enum rx_account account)
{
    if (!s->pending)
        return;
    rx_event_unref(&s->newest);
    set_pending(s, false);
    rx_count(&s->op, account, 1);
}

static void look(struct sample *s)
{
    if (!s->pending)
        return;
    struct rx_event out = rx_event_ref(&s->newest);
    out.time += rx_wall(&s->op);
    forget(s, RX_USED);
    rx_emit(&s->op, &out, 1);
    rx_event_unref(&out);
}

static void start(struct rx_op *op)
{
    struct sample *s = (struct sample *)op;
    rx_subscribe(op, 0);
    rx_subscribe(op, 1);
    rx_timer_background(op, 0, !s->pending);
    if (s->every > 0)
        rx_timer_arm(op, 0, rx_now(op) + s->every);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct sample *s = (struct sample *)op;
    if (port == 1) {
        rx_count(op, RX_USED, n);
        look(s);
        return;
    }
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        forget(s, RX_SUPERSEDED);
        s->newest = rx_event_ref(&span[i]);
        s->newest.time -= rx_wall(op);
        set_pending(s, true);
    }
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct sample *s = (struct sample *)op;
    look(s);
    rx_timer_arm(op, slot, rx_now(op) + s->every);
}

static void complete(struct rx_op *op, unsigned port)
{
    if (port == 0)
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct sample *s = (struct sample *)op;
    rx_write_bool(w, s->pending);
    if (s->pending)
        rx_write_event(w, &s->newest);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct sample *s = (struct sample *)op;
    bool pending = rx_read_bool(r);
    rx_timer_background(op, 0, !pending);
    if (!pending)
        return 0;
    s->newest = rx_read_event(r);
    set_pending(s, true);
    return 0;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct sample *)op)->newest); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct sample *s = image;
    facts->events = 1;
    facts->wait = facts->spacing = facts->rhythm = s->every;
}

const struct rx_operator_class rx_operator_sample = {
    .base = {.name = "sample",
             .summary = "put out the newest event at regular intervals, or when another stream has one",
             .options = options,
             .state_size = sizeof(struct sample),
             .flags = RX_PASSES,
             .check = check,
             .example = "sample: 1s"},
    .min_inputs = 1,
    .max_inputs = 2,
    .timer_slots = 1,
    .start = start,
    .next = next,
    .describe = describe,
    .timer = timer,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
