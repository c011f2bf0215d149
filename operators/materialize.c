/* materialize: every notification, the end too, as an event. */
#include <string.h>

#include "core/graph/operator.h"

static struct rx_value text(const char *s) { return rx_string_static(s, (uint32_t)strlen(s)); }

/* {kind: N, value}, {kind: E, error} or {kind: C}: `name` RX_KEY_KIND is no further field. The value is taken. */
static struct rx_value notification_take(struct rx_op *op, const char *kind, enum rx_known_key name,
                                         struct rx_value value)
{
    struct rx_heap *heap = rx_op_heap(op);
    struct rx_object_builder b;
    rx_object_init(&b, heap);
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_KIND), text(kind));
    if (name != RX_KEY_KIND)
        rx_object_put_key_take(&b, rx_key_known(heap, name), value);
    return rx_object_finish(&b);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        struct rx_value made = notification_take(op, "N", RX_KEY_VALUE, rx_value_ref(span[i].value));
        if (!rx_op_made(op, &span[i], &made))
            continue;
        rx_count(op, RX_USED, 1);
        rx_emit_value_take(op, &span[i], made);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    rx_emit_result_take(op, notification_take(op, "C", RX_KEY_KIND, rx_null()));
    rx_finish(op);
}

static void error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    struct rx_value message = rx_string(rx_op_heap(op), e->message, strlen(e->message));
    (void)port;
    rx_emit_result_take(op, notification_take(op, "E", RX_KEY_ERROR, message));
    rx_finish(op);
}

const struct rx_operator_class rx_operator_materialize = {
    .base = {.name = "materialize",
             .summary = "put out each notification as {kind: N, value}, {kind: E, error} or {kind: C}; errors complete",
             .state_size = sizeof(struct rx_op),
             .example = "materialize"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .complete = complete,
    .error = error,
};
