/* throttle: an event, and then none for a while; RxJS's throttleTime and throttle. */
#include "operators/newest.h"

struct throttle {
    struct rx_op op;
    struct rx_pause pause;
    bool leading, trailing;

    struct rx_newest newest; /* waits for the end of the pause */
    bool completing;
};

static const struct rx_option options[] = {
    RX_PAUSE_OPTIONS(struct throttle, pause, "how long to be deaf after an event"),
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

static int check(const void *image, struct rx_error *reterr)
{
    return rx_pause_check(&((const struct throttle *)image)->pause, "throttle", reterr);
}

static void send(struct throttle *t)
{
    if (!t->newest.pending)
        return;
    struct rx_event event = rx_event_ref(&t->newest.event);
    event.time += rx_wall(&t->op);
    rx_newest_emit(&t->op, &t->newest);
    if (!t->completing && rx_op_live(&t->op))
        rx_pause_begin(&t->op, &t->pause, &event);
    rx_event_unref(&event);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct throttle *t = (struct throttle *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        rx_newest_keep(op, &t->newest, &span[i]);
        if (rx_pause_lasts(op, &t->pause))
            continue;
        if (t->leading)
            send(t);
        else
            rx_pause_begin(op, &t->pause, &span[i]);
    }
}

static void end_pause(struct throttle *t)
{
    rx_pause_stop(&t->op, &t->pause);
    if (!t->trailing)
        return;
    send(t);
    if (t->completing)
        rx_finish(&t->op);
}

static void timer(struct rx_op *op, unsigned slot)
{
    (void)slot;
    end_pause((struct throttle *)op);
}

/* A stream that has an event while it is being subscribed goes on, and its next one counts: as in RxJS. */
static void inner(struct rx_op *op, struct rx_instance *stream, const struct rx_note *note)
{
    struct throttle *t = (struct throttle *)op;
    (void)stream;
    if (note->kind == RX_NEXT) {
        end_pause(t);
        return;
    }
    t->pause.stream = NULL;
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else if (t->completing)
        rx_finish(op);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct throttle *t = (struct throttle *)op;
    (void)port;
    t->completing = true;
    if (!(t->trailing && t->newest.pending && rx_pause_lasts(op, &t->pause)))
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct throttle *t = (struct throttle *)op;
    rx_write_bool(w, t->completing);
    rx_newest_save(&t->newest, w);
    rx_pause_save(&t->pause, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct throttle *t = (struct throttle *)op;
    t->completing = rx_read_bool(r);
    rx_newest_load(op, &t->newest, r);
    rx_pause_load(op, &t->pause, r);
    return r->failed;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct throttle *)op)->newest.event); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct throttle *t = image;
    facts->events = 2; /* the newest, and `outer` */
    facts->wait = t->leading ? 0 : t->pause.time;
    facts->spacing = t->pause.time;
    facts->reads_all = t->pause.with != NULL;
}

const struct rx_operator_class rx_operator_throttle = {
    .base = {.name = "throttle",
             .summary = "let an event through, and then none for a while",
             .options = options,
             .state_size = sizeof(struct throttle),
             .flags = RX_PASSES,
             .check = check,
             .example = "throttle: {for: 10s, trailing: true}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = 1,
    .state_version = 1,
    .next = next,
    .describe = describe,
    .timer = timer,
    .inner = inner,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
