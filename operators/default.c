/* default: fills in the fields that an event lacks. */
#include "core/graph/operator.h"

struct fill {
    struct rx_op op;
    struct rx_value fields;
};

static const struct rx_option options[] = {
    {.name = "fields",
     .help = "the fields, with the literals that stand in for them where they are absent",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct fill, fields, struct rx_value),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static bool lacks(const struct fill *f, struct rx_value object)
{
    for (uint32_t i = 0; i < rx_object_count(f->fields); i++) {
        struct rx_value key, value;
        rx_object_entry(f->fields, i, &key, &value);
        if (!rx_object_get(object, key))
            return true;
    }
    return false;
}

static struct rx_value filled(struct fill *f, struct rx_value object)
{
    struct rx_object_builder builder;
    rx_object_init_from(&builder, rx_op_heap(&f->op), object);
    for (uint32_t i = 0; i < rx_object_count(f->fields); i++) {
        struct rx_value key, value;
        rx_object_entry(f->fields, i, &key, &value);
        if (!rx_object_get(object, key))
            rx_object_put_take(&builder, rx_value_ref(key), rx_value_ref(value));
    }
    return rx_object_finish(&builder);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct fill *f = (struct fill *)op;
    struct rx_event out[RX_SPAN_MAX];
    (void)port;
    for (size_t i = 0; i < n; i++) {
        struct rx_value object = rx_object_of(rx_op_heap(op), span[i].value);
        out[i] = span[i];
        out[i].value = lacks(f, object) ? filled(f, object) : rx_value_ref(object);
        rx_value_unref(object);
    }
    rx_count(op, RX_USED, n);
    rx_emit(op, out, n);
    for (size_t i = 0; i < n; i++)
        rx_value_unref(out[i].value);
}

const struct rx_operator_class rx_operator_default = {
    .base = {.name = "default",
             .summary = "fill in the fields that an event lacks",
             .options = options,
             .state_size = sizeof(struct fill),
             .flags = RX_SPAN_SAFE | RX_EDITS,
             .example = "default: {unit: C}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
