/* audit: the newest event, a while after the first of a burst; RxJS's auditTime.
 *
 * The time of an event that waits moves along, so that a window behind takes it in when it comes. */
#include "core/graph/operator.h"

struct audit {
    struct rx_op op;
    rx_time wait;

    struct rx_event newest; /* its time is relative to the wall clock */
    bool pending, completing;
};

static const struct rx_option options[] = {
    {.name = "for",
     .help = "how long after the first event of a burst",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct audit, wait, rx_time),
     .max = 31536000,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void forget(struct audit *a, enum rx_account account)
{
    if (!a->pending)
        return;
    rx_event_unref(&a->newest);
    a->pending = false;
    rx_hold(&a->op, -1);
    rx_count(&a->op, account, 1);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct audit *a = (struct audit *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        forget(a, RX_SUPERSEDED);
        a->newest = rx_event_ref(&span[i]);
        a->newest.time -= rx_wall(op);
        a->pending = true;
        rx_hold(op, 1);
        if (!rx_timer_is_armed(op, 0))
            rx_timer_arm(op, 0, rx_now(op) + a->wait);
    }
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct audit *a = (struct audit *)op;
    (void)slot;
    if (a->pending) {
        struct rx_event out = rx_event_ref(&a->newest);
        out.time += rx_wall(op);
        forget(a, RX_USED);
        rx_emit(op, &out, 1);
        rx_event_unref(&out);
    }
    if (a->completing)
        rx_finish(op);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct audit *a = (struct audit *)op;
    (void)port;
    a->completing = true;
    if (!a->pending)
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct audit *a = (struct audit *)op;
    rx_write_bool(w, a->completing);
    rx_write_bool(w, a->pending);
    if (a->pending)
        rx_write_event(w, &a->newest);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct audit *a = (struct audit *)op;
    a->completing = rx_read_bool(r);
    a->pending = rx_read_bool(r);
    if (!a->pending)
        return 0;
    a->newest = rx_read_event(r);
    rx_hold(op, 1);
    return 0;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct audit *)op)->newest); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct audit *a = image;
    facts->events = 1;
    facts->wait = facts->spacing = a->wait;
}

const struct rx_operator_class rx_operator_audit = {
    .base = {.name = "audit",
             .summary = "put out the newest event a while after the first of a burst",
             .options = options,
             .state_size = sizeof(struct audit),
             .flags = RX_PASSES,
             .example = "audit: 500ms"},
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
