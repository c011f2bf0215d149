/* zip: the first event of each stream together, then the second of each, and so on. */
#include "core/graph/combine.h"
#include "core/value/event_queue.h"

struct zip {
    struct rx_op op;
    const struct rx_tree *with;
    int64_t max;

    struct rx_event_queue waiting[RX_PORTS_MAX];
    unsigned ended; /* bit p: port p has completed */
};

static const struct rx_option options[] = {
    {.name = "with",
     .help = "the other stream, or several by name",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct zip, with, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "max",
     .help = "events of one stream that may wait for the others; beyond it the newest is dropped, and counted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct zip, max, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e9},
    {0},
};

static bool ready(const struct zip *z)
{
    for (unsigned i = 0; i < rx_op_inputs(&z->op); i++)
        if (z->waiting[i].count == 0)
            return false;
    return true;
}

/* A stream that has completed and has nothing waiting: no more can come of it. */
static bool exhausted(const struct zip *z)
{
    for (unsigned i = 0; i < rx_op_inputs(&z->op); i++)
        if (z->waiting[i].count == 0 && z->ended & 1u << i)
            return true;
    return false;
}

static void emit_row(struct zip *z, rx_time time)
{
    struct rx_event row[RX_PORTS_MAX];
    struct rx_value values[RX_PORTS_MAX];
    unsigned n = rx_op_inputs(&z->op);
    for (unsigned i = 0; i < n; i++) {
        row[i] = rx_event_queue_pop(&z->waiting[i]);
        values[i] = row[i].value;
    }
    rx_hold(&z->op, -(int64_t)n);
    rx_count(&z->op, RX_USED, n);
    struct rx_event out = {
        .value = rx_combine(&z->op, values, RX_COMBINE_ALL), .time = time, .mark = row[0].mark, .meta = row[0].meta};
    if (rx_op_made(&z->op, NULL, &out.value))
        rx_emit(&z->op, &out, 1);
    rx_value_unref(out.value);
    for (unsigned i = 0; i < n; i++)
        rx_event_unref(&row[i]);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct zip *z = (struct zip *)op;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (z->waiting[port].count >= (size_t)z->max) {
            rx_count(op, RX_EVICTED, 1);
            continue;
        }
        rx_hold(op, 1);
        if (rx_event_queue_push(&z->waiting[port], &span[i]) < 0)
            rx_fail_memory(op);
        else if (ready(z))
            emit_row(z, span[i].time);
        if (exhausted(z))
            rx_finish(op);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct zip *z = (struct zip *)op;
    z->ended |= 1u << port;
    if (z->waiting[port].count == 0)
        rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct zip *z = (struct zip *)op;
    rx_write_uint(w, z->ended);
    for (unsigned i = 0; i < rx_op_inputs(op); i++)
        rx_event_queue_save(&z->waiting[i], w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct zip *z = (struct zip *)op;
    z->ended = (unsigned)rx_read_uint(r);
    for (unsigned i = 0; i < rx_op_inputs(op); i++) {
        rx_event_queue_load(&z->waiting[i], r);
        rx_hold(op, (int64_t)z->waiting[i].count);
    }
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    for (unsigned i = 0; i < RX_PORTS_MAX; i++)
        rx_event_queue_finish(&((struct zip *)op)->waiting[i]);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct zip *z = image;
    facts->events = (uint64_t)z->max * (rx_stream_count(z->with) + 1);
}

const struct rx_operator_class rx_operator_zip = {
    .base = {.name = "zip",
             .summary = "pair the events of streams by their place: the first of each, the second of each",
             .options = options,
             .state_size = sizeof(struct zip),
             .example = "zip: prices"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .next = next,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
