/* sample: the newest event since the last look, at regular intervals or when another stream says so. */
#include <errno.h>

#include "operators/newest.h"

struct sample {
    struct rx_op op;
    rx_time every;
    const struct rx_tree *with;

    struct rx_newest newest;
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
static void look(struct sample *s)
{
    rx_timer_background(&s->op, 0, true);
    rx_newest_emit(&s->op, &s->newest);
}

static void start(struct rx_op *op)
{
    struct sample *s = (struct sample *)op;
    rx_subscribe(op, 0);
    rx_subscribe(op, 1);
    rx_timer_background(op, 0, !s->newest.pending);
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
        rx_newest_keep(op, &s->newest, &span[i]);
        rx_timer_background(op, 0, false);
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
    rx_newest_save(&((struct sample *)op)->newest, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct sample *s = (struct sample *)op;
    rx_newest_load(op, &s->newest, r);
    rx_timer_background(op, 0, !s->newest.pending);
    return 0;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct sample *)op)->newest.event); }

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
