/* audit: the newest event, a while after the first of a burst; RxJS's auditTime and audit. */
#include "operators/newest.h"

struct audit {
    struct rx_op op;
    struct rx_pause wait;

    struct rx_newest newest;
    bool completing;
};

static const struct rx_option options[] = {
    RX_PAUSE_OPTIONS(struct audit, wait, "how long after the first event of a burst"),
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    return rx_pause_check(&((const struct audit *)image)->wait, "audit", reterr);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct audit *a = (struct audit *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        rx_newest_keep(op, &a->newest, &span[i]);
        if (!rx_pause_lasts(op, &a->wait))
            rx_pause_begin(op, &a->wait, &span[i]);
    }
}

static void finish_if_completing(struct audit *a)
{
    if (a->completing)
        rx_finish(&a->op);
}

static void let_go(struct audit *a)
{
    rx_pause_stop(&a->op, &a->wait);
    rx_newest_emit(&a->op, &a->newest);
    finish_if_completing(a);
}

static void timer(struct rx_op *op, unsigned slot)
{
    (void)slot;
    let_go((struct audit *)op);
}

/* After a stream that ends without an event the newest waits on: for that of the next event. */
static void inner(struct rx_op *op, struct rx_instance *stream, const struct rx_note *note)
{
    struct audit *a = (struct audit *)op;
    a->wait.stream = note->kind == RX_NEXT ? stream : NULL;
    if (note->kind == RX_NEXT)
        let_go(a);
    else if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else
        finish_if_completing(a);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct audit *a = (struct audit *)op;
    (void)port;
    a->completing = true;
    if (!a->newest.pending || !rx_pause_lasts(op, &a->wait))
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct audit *a = (struct audit *)op;
    rx_write_bool(w, a->completing);
    rx_newest_save(&a->newest, w);
    rx_pause_save(&a->wait, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct audit *a = (struct audit *)op;
    a->completing = rx_read_bool(r);
    rx_newest_load(op, &a->newest, r);
    rx_pause_load(op, &a->wait, r);
    return r->failed;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct audit *)op)->newest.event); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct audit *a = image;
    facts->events = 2; /* and `outer` */
    facts->wait = facts->spacing = a->wait.time;
    facts->reads_all = a->wait.with != NULL;
}

const struct rx_operator_class rx_operator_audit = {
    .base = {.name = "audit",
             .summary = "put out the newest event a while after the first of a burst",
             .options = options,
             .state_size = sizeof(struct audit),
             .flags = RX_PASSES,
             .check = check,
             .example = "audit: 500ms"},
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
