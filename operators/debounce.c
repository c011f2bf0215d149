/* debounce: the newest event, once the stream has been quiet for a while.
 *
 * As RxJS's debounceTime the timer is not moved by each event: when it fires early it is armed for the rest.
 * An event's time moves along with its wait, so that a window behind takes it in when it comes. */
#include "core/graph/operator.h"

struct debounce {
    struct rx_op op;
    rx_time quiet;

    struct rx_event newest; /* its time is relative to the wall clock */
    rx_time last;
    bool pending;
};

static const struct rx_option options[] = {
    {.name = "for",
     .help = "how long it must be quiet",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct debounce, quiet, rx_time),
     .max = 31536000,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void forget(struct debounce *d)
{
    rx_event_unref(&d->newest);
    d->pending = false;
    rx_hold(&d->op, -1);
}

static void emit_newest(struct debounce *d)
{
    struct rx_event out = rx_event_ref(&d->newest);
    out.time += rx_wall(&d->op);
    forget(d);
    rx_count(&d->op, RX_USED, 1);
    rx_timer_stop(&d->op, 0);
    rx_emit(&d->op, &out, 1);
    rx_event_unref(&out);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct debounce *d = (struct debounce *)op;
    (void)port;
    for (size_t i = 0; i < n; i++) {
        bool was_pending = d->pending;
        if (was_pending) {
            forget(d);
            rx_count(op, RX_SUPERSEDED, 1);
        }
        d->newest = rx_event_ref(&span[i]);
        d->newest.time -= rx_wall(op);
        d->pending = true;
        d->last = rx_now(op);
        rx_hold(op, 1);
        if (!was_pending)
            rx_timer_arm(op, 0, d->last + d->quiet);
    }
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct debounce *d = (struct debounce *)op;
    if (rx_now(op) < d->last + d->quiet)
        rx_timer_arm(op, slot, d->last + d->quiet);
    else if (d->pending)
        emit_newest(d);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct debounce *d = (struct debounce *)op;
    (void)port;
    if (d->pending)
        emit_newest(d);
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct debounce *d = (struct debounce *)op;
    rx_write_bool(w, d->pending);
    if (!d->pending)
        return 0;
    rx_write_int(w, d->last);
    rx_write_event(w, &d->newest);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct debounce *d = (struct debounce *)op;
    d->pending = rx_read_bool(r);
    if (!d->pending)
        return 0;
    d->last = rx_read_int(r);
    d->newest = rx_read_event(r);
    rx_hold(op, 1);
    return 0;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct debounce *)op)->newest); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct debounce *d = image;
    facts->events = 1;
    facts->wait = facts->quiet = facts->spacing = d->quiet;
}

const struct rx_operator_class rx_operator_debounce = {
    .base = {.name = "debounce",
             .summary = "let the newest event through once the stream has been quiet for a while",
             .options = options,
             .state_size = sizeof(struct debounce),
             .flags = RX_PASSES,
             .example = "debounce: 500ms"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = 1,
    .next = next,
    .describe = describe,
    .timer = timer,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
