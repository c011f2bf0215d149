/* materialize: every notification, the end too, as an event; dematerialize: back again. */
#include <errno.h>
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

/* ---- dematerialize ---- */

static const struct rx_value *field(struct rx_op *op, const struct rx_event *event, enum rx_known_key name)
{
    return rx_object_get(event->value, rx_key_text(rx_key_known(rx_op_heap(op), name)));
}

static void fail_as_told(struct rx_op *op, const struct rx_value *told)
{
    struct rx_error error;
    if (told && told->kind == RX_STRING)
        rx_error_set(&error, -ECANCELED, "%.*s", (int)told->aux, told->u.text);
    else
        rx_error_set(&error, -ECANCELED, "error");
    rx_fail(op, &error);
}

static void take_value(struct rx_op *op, const struct rx_event *event)
{
    const struct rx_value *value = field(op, event, RX_KEY_VALUE);
    rx_count(op, RX_USED, 1);
    rx_emit_value_take(op, event, value ? rx_value_ref(*value) : rx_null());
}

static void refuse(struct rx_op *op, const struct rx_event *event)
{
    struct rx_error error;
    rx_error_set(&error, -EINVAL, "no notification: `kind` must be N, E or C");
    if (rx_bad_event(op, event, &error) != RX_USE_NULL)
        return;
    rx_count(op, RX_USED, 1);
    rx_emit_value_take(op, event, rx_null());
}

static void take_notification(struct rx_op *op, const struct rx_event *event)
{
    const struct rx_value *kind = field(op, event, RX_KEY_KIND);
    char letter = kind && kind->kind == RX_STRING && kind->aux == 1 ? kind->u.text[0] : '\0';
    if (letter == 'N') {
        take_value(op, event);
    } else if (letter == 'C') {
        rx_count(op, RX_USED, 1);
        rx_finish(op);
    } else if (letter == 'E') {
        rx_count(op, RX_USED, 1);
        fail_as_told(op, field(op, event, RX_KEY_ERROR));
    } else {
        refuse(op, event);
    }
}

static void next_dematerialize(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take_notification(op, &span[i]);
}

const struct rx_operator_class rx_operator_dematerialize = {
    .base = {.name = "dematerialize",
             .summary = "turn {kind: N, value}, {kind: E, error} and {kind: C} back into an event, an error, the end",
             .state_size = sizeof(struct rx_op),
             .flags = RX_ENDS_EARLY,
             .example = "dematerialize"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_dematerialize,
};
