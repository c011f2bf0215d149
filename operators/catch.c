/* catch: another stream, or a value, in place of an error. */
#include <string.h>

#include "core/graph/operator.h"

struct catch
{
    struct rx_op op;
    const struct rx_tree *with;
    struct rx_value value;
};

static const struct rx_option options[] = {
    {.name = "with",
     .help = "the stream to go on with",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct catch, with, const struct rx_tree *),
     .flags = RX_POSITIONAL},
    {.name = "value",
     .help = "the value to end with, where no stream is given; without it {error: TEXT}",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct catch, value, struct rx_value)},
    {0},
};

static void start(struct rx_op *op) { rx_subscribe(op, 0); }

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    rx_finish(op);
}

static struct rx_value described(struct rx_op *op, const struct rx_error *e)
{
    struct rx_heap *heap = rx_op_heap(op);
    struct rx_object_builder b;
    rx_object_init(&b, heap);
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_ERROR), rx_string(heap, e->message, strlen(e->message)));
    return rx_object_finish(&b);
}

static void error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    struct catch *c = (struct catch *)op;
    if (port > 0) {
        rx_fail(op, e);
    } else if (rx_op_inputs(op) > 1) {
        rx_subscribe_last(op, 1);
    } else {
        rx_emit_result_take(op, c->value.kind == RX_NULL ? described(op, e) : rx_value_ref(c->value));
        rx_finish(op);
    }
}

const struct rx_operator_class rx_operator_catch = {
    .base = {.name = "catch",
             .summary = "go on with another stream, or end with a value, in place of an error",
             .options = options,
             .state_size = sizeof(struct catch),
             .flags = RX_PASSES | RX_CATCHES,
             .example = "catch: other_sensors"},
    .min_inputs = 1,
    .max_inputs = 2,
    .start = start,
    .next = next,
    .complete = complete,
    .error = error,
};
