/* debounce: the newest event, once the stream has been quiet for a while; RxJS's debounceTime and debounce.
 *
 * As in debounceTime the timer is not moved by each event: when it fires early it is armed for the rest. A stream in its place is
 * left at each event, and subscribed anew; one that ends without an event lets nothing go. */
#include "operators/newest.h"

struct debounce {
    struct rx_op op;
    struct rx_pause quiet;

    struct rx_newest newest;
    rx_time last;
};

static const struct rx_option options[] = {
    RX_PAUSE_OPTIONS(struct debounce, quiet, "how long it must be quiet"),
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    return rx_pause_check(&((const struct debounce *)image)->quiet, "debounce", reterr);
}

static void let_go(struct debounce *d)
{
    rx_pause_stop(&d->op, &d->quiet);
    rx_newest_emit(&d->op, &d->newest);
}

static void wait_for_quiet(struct debounce *d, const struct rx_event *event)
{
    d->last = rx_now(&d->op);
    if (d->quiet.with)
        rx_pause_stop(&d->op, &d->quiet);
    if (!rx_pause_lasts(&d->op, &d->quiet))
        rx_pause_begin(&d->op, &d->quiet, event);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct debounce *d = (struct debounce *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        rx_newest_keep(op, &d->newest, &span[i]);
        wait_for_quiet(d, &span[i]);
    }
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct debounce *d = (struct debounce *)op;
    rx_time due = d->last + d->quiet.time;
    if (rx_now(op) < due)
        rx_timer_arm(op, slot, due);
    else
        let_go(d);
}

static void inner(struct rx_op *op, struct rx_instance *stream, const struct rx_note *note)
{
    struct debounce *d = (struct debounce *)op;
    d->quiet.stream = note->kind == RX_NEXT ? stream : NULL;
    if (note->kind == RX_NEXT)
        let_go(d);
    else if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
}

static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    let_go((struct debounce *)op);
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct debounce *d = (struct debounce *)op;
    rx_newest_save(&d->newest, w);
    rx_write_int(w, d->last);
    rx_pause_save(&d->quiet, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct debounce *d = (struct debounce *)op;
    rx_newest_load(op, &d->newest, r);
    d->last = rx_read_int(r);
    rx_pause_load(op, &d->quiet, r);
    return r->failed;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct debounce *)op)->newest.event); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct debounce *d = image;
    facts->events = 2; /* and `outer` */
    facts->wait = facts->quiet = facts->spacing = d->quiet.time;
    facts->reads_all = d->quiet.with != NULL;
}

const struct rx_operator_class rx_operator_debounce = {
    .base = {.name = "debounce",
             .summary = "let the newest event through once the stream has been quiet for a while",
             .options = options,
             .state_size = sizeof(struct debounce),
             .flags = RX_PASSES,
             .check = check,
             .example = "debounce: 500ms"},
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
