/* timestamp, time_interval: each event with the time at which it came, or since the one before. */
#include "core/graph/operator.h"

struct timestamp {
    struct rx_op op;

    rx_time last; /* of the event before, or of the subscription */
};

static int init(struct rx_op *op, struct rx_error *reterr)
{
    (void)reterr;
    ((struct timestamp *)op)->last = rx_now(op);
    return 0;
}

static struct rx_value with_time(struct rx_op *op, struct rx_value value, enum rx_known_key name, struct rx_value time)
{
    struct rx_heap *heap = rx_op_heap(op);
    struct rx_object_builder b;
    rx_object_init(&b, heap);
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_VALUE), rx_value_ref(value));
    rx_object_put_key_take(&b, rx_key_known(heap, name), time);
    return rx_object_finish(&b);
}

static void emit(struct rx_op *op, const struct rx_event *in, struct rx_value made)
{
    if (!rx_op_made(op, in, &made))
        return;
    rx_count(op, RX_USED, 1);
    rx_emit_value_take(op, in, made);
}

static void next_timestamp(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        emit(op, &span[i], with_time(op, span[i].value, RX_KEY_TIMESTAMP, rx_timestamp(rx_wall(op))));
    }
}

static void next_interval(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct timestamp *t = (struct timestamp *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        rx_time interval = rx_now(op) - t->last;
        t->last = rx_now(op);
        emit(op, &span[i], with_time(op, span[i].value, RX_KEY_INTERVAL, rx_duration(interval)));
    }
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct timestamp *)op)->last);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct timestamp *)op)->last = rx_read_int(r);
    return 0;
}

const struct rx_operator_class rx_operator_timestamp = {
    .base = {.name = "timestamp",
             .summary = "put out {value, timestamp}: each event with the time at which it came",
             .state_size = sizeof(struct timestamp),
             .example = "timestamp"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_timestamp,
};

const struct rx_operator_class rx_operator_time_interval = {
    .base = {.name = "time_interval",
             .summary = "put out {value, interval}: each event with the time since the one before, or the start",
             .state_size = sizeof(struct timestamp),
             .example = "time_interval"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .next = next_interval,
    .save = save,
    .load = load,
};
