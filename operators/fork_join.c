/* fork_join: the last event of each stream, together, when all have completed. */
#include "core/graph/combine.h"

struct fork_join {
    struct rx_op op;
    const struct rx_tree *with;

    struct rx_event last[RX_PORTS_MAX];
    unsigned present, ended; /* bit p: port p has had an event; has completed */
};

static const struct rx_option options[] = {
    {.name = "with",
     .help = "the other stream, or several by name",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct fork_join, with, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct fork_join *f = (struct fork_join *)op;
    bool had = f->present & 1u << port;
    rx_count(op, RX_SUPERSEDED, n - !had);
    rx_hold(op, !had);
    rx_event_unref(&f->last[port]);
    f->last[port] = rx_event_ref(&span[n - 1]);
    f->present |= 1u << port;
}

static unsigned all_of(const struct fork_join *f) { return (1u << rx_op_inputs(&f->op)) - 1; }

static void emit_row(struct fork_join *f)
{
    struct rx_value values[RX_PORTS_MAX];
    unsigned n = rx_op_inputs(&f->op);
    for (unsigned i = 0; i < n; i++)
        values[i] = f->last[i].value;
    f->present = 0;
    rx_hold(&f->op, -(int64_t)n);
    rx_count(&f->op, RX_USED, n);
    struct rx_value row = rx_combine(&f->op, values, RX_COMBINE_ALL);
    if (rx_op_made(&f->op, NULL, &row))
        rx_emit_result_take(&f->op, row);
}

/* One that completes without an event leaves nothing to wait for. */
static void complete(struct rx_op *op, unsigned port)
{
    struct fork_join *f = (struct fork_join *)op;
    f->ended |= 1u << port;
    if (f->present & 1u << port && f->ended != all_of(f))
        return;
    if (f->present == all_of(f))
        emit_row(f);
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct fork_join *f = (struct fork_join *)op;
    rx_write_uint(w, f->ended);
    rx_write_uint(w, f->present);
    for (unsigned i = 0; i < rx_op_inputs(op); i++)
        if (f->present & 1u << i)
            rx_write_event(w, &f->last[i]);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct fork_join *f = (struct fork_join *)op;
    f->ended = (unsigned)rx_read_uint(r) & all_of(f);
    f->present = (unsigned)rx_read_uint(r) & all_of(f);
    for (unsigned i = 0; i < rx_op_inputs(op); i++)
        if (f->present & 1u << i) {
            f->last[i] = rx_read_event(r);
            rx_hold(op, 1);
        }
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct fork_join *f = (struct fork_join *)op;
    for (unsigned i = 0; i < RX_PORTS_MAX; i++)
        rx_event_unref(&f->last[i]);
}

static void describe(const void *image, struct rx_facts *facts)
{
    facts->events = rx_stream_count(((const struct fork_join *)image)->with) + 1;
}

const struct rx_operator_class rx_operator_fork_join = {
    .base = {.name = "fork_join",
             .summary = "put out the last event of each stream together when all have completed",
             .options = options,
             .state_size = sizeof(struct fork_join),
             .flags = RX_AT_END,
             .example = "fork_join: prices"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .next = next,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
