/* delay_when: every event until the first of a stream that is subscribed for it; an error at once.
 *
 * In the stream's steps `outer` is the event that waits. Its time moves along, so that a window behind it takes it in when it
 * goes on. One whose stream completes without an event is left out, as in RxJS. */
#include <stdlib.h>

#include "core/graph/operator.h"

/* An event that waits; the tag of its stream's instance. */
struct waiting {
    struct waiting *previous, *next;
    struct rx_instance *instance;
    rx_time since; /* on the wall clock */
};

struct delay_when {
    struct rx_op op;
    const struct rx_tree *from, *pipe;
    int64_t max;

    struct waiting *first, *last; /* in order of coming */
    int64_t count;
    bool completing;
};

static const struct rx_option options[] = {
    {.name = "from",
     .help = "the stream to subscribe for each event",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct delay_when, from, const struct rx_tree *),
     .flags = RX_OPENED | RX_REQUIRED | RX_POSITIONAL},
    {.name = "pipe",
     .help = "the stream's steps; `outer` is the event that waits",
     .type = RX_OPTION_PIPE,
     .offset = RX_AT(struct delay_when, pipe, const struct rx_tree *)},
    {.name = "max",
     .help = "events kept at once; beyond it the newest is dropped, and counted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct delay_when, max, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e6},
    {0},
};

/* ---- those that wait ---- */

static void drop(struct delay_when *d, struct waiting *w)
{
    *(w->previous ? &w->previous->next : &d->first) = w->next;
    *(w->next ? &w->next->previous : &d->last) = w->previous;
    d->count--;
    rx_hold(&d->op, -1);
    free(w);
}

static struct waiting *add(struct delay_when *d)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (!w) {
        rx_fail_memory(&d->op);
        return NULL;
    }
    w->previous = d->last;
    *(d->last ? &d->last->next : &d->first) = w;
    d->last = w;
    d->count++;
    rx_hold(&d->op, 1);
    return w;
}

/* A stream that ends, or has its event, while it is subscribed is gone when the call returns. */
static void wait_for_stream(struct delay_when *d, const struct rx_event *event)
{
    struct waiting *w = add(d);
    if (!w)
        return;
    w->since = rx_wall(&d->op);
    struct rx_instance *instance = rx_instance_open_for(&d->op, 0, w, event);
    if (instance)
        w->instance = instance;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct delay_when *d = (struct delay_when *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (d->count >= d->max)
            rx_count(op, RX_EVICTED, 1);
        else
            wait_for_stream(d, &span[i]);
    }
}

/* ---- and go on ---- */

static void finish_if_done(struct delay_when *d)
{
    if (d->completing && d->count == 0)
        rx_finish(&d->op);
}

static void let_go(struct delay_when *d, struct rx_instance *instance)
{
    struct waiting *w = rx_instance_tag(instance);
    struct rx_event out = rx_event_ref(rx_instance_outer(instance));
    out.time += rx_wall(&d->op) - w->since;
    drop(d, w);
    rx_instance_close(instance);
    rx_count(&d->op, RX_USED, 1);
    rx_emit(&d->op, &out, 1);
    rx_event_unref(&out);
}

static void inner(struct rx_op *op, struct rx_instance *instance, const struct rx_note *note)
{
    struct delay_when *d = (struct delay_when *)op;
    if (note->kind == RX_NEXT) {
        let_go(d, instance);
    } else {
        drop(d, rx_instance_tag(instance));
        rx_count(op, RX_FILTERED, 1);
    }
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else
        finish_if_done(d);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct delay_when *d = (struct delay_when *)op;
    (void)port;
    d->completing = true;
    finish_if_done(d);
}

/* ---- the class ---- */

static void describe(const void *image, struct rx_facts *facts)
{
    facts->events = (uint64_t)((const struct delay_when *)image)->max;
    facts->reads_all = true;
}

static void dispose(struct rx_op *op)
{
    struct delay_when *d = (struct delay_when *)op;
    while (d->first) {
        struct waiting *w = d->first;
        d->first = w->next;
        free(w);
    }
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct delay_when *d = (struct delay_when *)op;
    rx_write_bool(w, d->completing);
    rx_write_uint(w, (uint64_t)d->count);
    for (struct waiting *one = d->first; one; one = one->next) {
        rx_write_int(w, one->since);
        rx_write_event(w, rx_instance_outer(one->instance));
        rx_instance_save(one->instance, w);
    }
    return 0;
}

static void load_one(struct delay_when *d, struct rx_reader *r)
{
    rx_time since = rx_read_int(r);
    struct rx_event outer = rx_read_event(r);
    struct waiting *w = rx_reader_failed(r) ? NULL : add(d);
    if (w) {
        w->since = since;
        w->instance = rx_instance_load_for(&d->op, 0, w, &outer, r);
        if (!w->instance)
            drop(d, w);
    }
    rx_event_unref(&outer);
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct delay_when *d = (struct delay_when *)op;
    d->completing = rx_read_bool(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_one(d, r);
    return r->failed;
}

const struct rx_operator_class rx_operator_delay_when = {
    .base = {.name = "delay_when",
             .summary = "let every event through when a stream that is subscribed for it has its first; errors at once",
             .options = options,
             .state_size = sizeof(struct delay_when),
             .flags = RX_PASSES,
             .example = "delay_when: prices"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .complete = complete,
    .inner = inner,
    .save = save,
    .load = load,
    .dispose = dispose,
    .describe = describe,
};
