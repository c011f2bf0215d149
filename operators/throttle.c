/* throttle: an event, and then none for a while; RxJS's throttleTime.
 *
 * The time of an event that waits moves along, so that a window behind takes it in when it comes. */
#include "core/graph/operator.h"

struct throttle {
    struct rx_op op;
    rx_time pause;
    bool leading, trailing;

    struct rx_event newest; /* waits for the end of the pause; its time is relative to the wall clock */
    bool pending, completing;
};

static const struct rx_option options[] = {
    {.name = "for",
     .help = "how long to be deaf after an event",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct throttle, pause, rx_time),
     .max = 31536000,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "leading",
     .help = "let the event through that begins a pause",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct throttle, leading, bool),
     .fallback = "true"},
    {.name = "trailing",
     .help = "let the newest of a pause through at its end",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct throttle, trailing, bool),
     .fallback = "false"},
    {0},
};

static void forget(struct throttle *t, enum rx_account account)
{
    if (!t->pending)
        return;
    rx_event_unref(&t->newest);
    t->pending = false;
    rx_hold(&t->op, -1);
    rx_count(&t->op, account, 1);
}

static void begin_pause(struct throttle *t) { rx_timer_arm(&t->op, 0, rx_now(&t->op) + t->pause); }

static void send(struct throttle *t)
{
    if (!t->pending)
        return;
    struct rx_event out = rx_event_ref(&t->newest);
    out.time += rx_wall(&t->op);
    forget(t, RX_USED);
    rx_emit(&t->op, &out, 1);
    rx_event_unref(&out);
    if (!t->completing && rx_op_live(&t->op))
        begin_pause(t);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct throttle *t = (struct throttle *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        forget(t, RX_SUPERSEDED);
        t->newest = rx_event_ref(&span[i]);
        t->newest.time -= rx_wall(op);
        t->pending = true;
        rx_hold(op, 1);
        if (rx_timer_is_armed(op, 0))
            continue;
        if (t->leading)
            send(t);
        else
            begin_pause(t);
    }
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct throttle *t = (struct throttle *)op;
    (void)slot;
    if (!t->trailing)
        return;
    send(t);
    if (t->completing)
        rx_finish(op);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct throttle *t = (struct throttle *)op;
    (void)port;
    t->completing = true;
    if (!(t->trailing && t->pending && rx_timer_is_armed(op, 0)))
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct throttle *t = (struct throttle *)op;
    rx_write_bool(w, t->completing);
    rx_write_bool(w, t->pending);
    if (t->pending)
        rx_write_event(w, &t->newest);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct throttle *t = (struct throttle *)op;
    t->completing = rx_read_bool(r);
    t->pending = rx_read_bool(r);
    if (!t->pending)
        return 0;
    t->newest = rx_read_event(r);
    rx_hold(op, 1);
    return 0;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct throttle *)op)->newest); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct throttle *t = image;
    facts->events = t->trailing;
    facts->wait = t->leading ? 0 : t->pause;
    facts->spacing = t->pause;
}

const struct rx_operator_class rx_operator_throttle = {
    .base = {.name = "throttle",
             .summary = "let an event through, and then none for a while",
             .options = options,
             .state_size = sizeof(struct throttle),
             .flags = RX_PASSES,
             .example = "throttle: {for: 10s, trailing: true}"},
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
