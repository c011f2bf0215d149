/* delay: every event a while later; an error at once.
 *
 * Its time moves along, so that a window behind it takes it in when it comes. */
#include <errno.h>
#include <stdlib.h>

#include "core/graph/operator.h"
#include "core/value/event_queue.h"

struct due {
    rx_time at;
    uint64_t sequence;
};

struct delay {
    struct rx_op op;
    rx_time by;
    int64_t max;

    struct rx_event_queue kept;
    struct due *dues; /* a ring beside kept's, of `capacity` */
    size_t head, capacity;
    bool completing;
};

static const struct rx_option options[] = {
    {.name = "for",
     .help = "how much later",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct delay, by, rx_time),
     .max = 31536000,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "max",
     .help = "events kept at once; beyond it the newest is dropped, and counted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct delay, max, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 1e9},
    {0},
};

static struct due *due_at(struct delay *d, size_t i) { return &d->dues[(d->head + i) % d->capacity]; }

static bool grow(struct delay *d)
{
    size_t capacity = d->capacity ? d->capacity * 2 : 8;
    struct due *dues = malloc(capacity * sizeof *dues);
    if (!dues)
        return false;
    for (size_t i = 0; i < d->kept.count; i++)
        dues[i] = *due_at(d, i);
    free(d->dues);
    d->dues = dues;
    d->head = 0;
    d->capacity = capacity;
    return true;
}

/* Each keeps its place in the order of time from when it came. */
static bool keep(struct delay *d, const struct rx_event *event, struct due due)
{
    if (d->kept.count >= (size_t)d->max || (d->kept.count == d->capacity && !grow(d)) ||
        rx_event_queue_push(&d->kept, event) < 0)
        return false;
    *due_at(d, d->kept.count - 1) = due;
    rx_hold(&d->op, 1);
    return true;
}

static void arm(struct delay *d)
{
    if (d->kept.count)
        rx_timer_arm_at(&d->op, 0, due_at(d, 0)->at, due_at(d, 0)->sequence);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct delay *d = (struct delay *)op;
    bool first = d->kept.count == 0;
    (void)port;
    for (size_t i = 0; i < n; i++) {
        struct due due = {.at = rx_now(op) + d->by, .sequence = rx_timer_reserve(op)};
        struct rx_event event = span[i];
        event.time -= rx_wall(op);
        if (!keep(d, &event, due))
            rx_count(op, RX_EVICTED, 1);
    }
    if (first)
        arm(d);
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct delay *d = (struct delay *)op;
    struct rx_event out = rx_event_queue_pop(&d->kept);
    (void)slot;
    d->head = (d->head + 1) % d->capacity;
    rx_hold(op, -1);
    rx_count(op, RX_USED, 1);
    arm(d);
    out.time += rx_wall(op);
    rx_emit(op, &out, 1);
    rx_event_unref(&out);
    if (d->completing && d->kept.count == 0)
        rx_finish(op);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct delay *d = (struct delay *)op;
    (void)port;
    d->completing = true;
    if (d->kept.count == 0)
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct delay *d = (struct delay *)op;
    rx_write_bool(w, d->completing);
    rx_write_uint(w, d->kept.count);
    for (size_t i = 0; i < d->kept.count; i++) {
        rx_write_event(w, rx_event_queue_at(&d->kept, i));
        rx_write_int(w, due_at(d, i)->at);
        rx_write_uint(w, due_at(d, i)->sequence);
    }
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct delay *d = (struct delay *)op;
    d->completing = rx_read_bool(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct rx_event event = rx_read_event(r);
        struct due due = {.at = rx_read_int(r)};
        due.sequence = rx_read_uint(r);
        if (!keep(d, &event, due))
            rx_reader_fail(r, -ENOMEM);
        rx_event_unref(&event);
    }
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct delay *d = (struct delay *)op;
    rx_event_queue_finish(&d->kept);
    free(d->dues);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct delay *d = image;
    facts->events = (uint64_t)d->max;
    facts->wait = d->by;
}

const struct rx_operator_class rx_operator_delay = {
    .base = {.name = "delay",
             .summary = "let every event through a while later; errors at once",
             .options = options,
             .state_size = sizeof(struct delay),
             .flags = RX_PASSES,
             .example = "delay: 2s"},
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
