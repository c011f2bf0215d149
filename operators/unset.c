/* unset: removes fields from the event. */
#include <string.h>

#include "core/graph/operator.h"

struct unset {
    struct rx_op op;
    struct rx_strings fields;
};

static const struct rx_option options[] = {
    {.name = "fields",
     .help = "the fields to leave out: a name, or a list of names",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct unset, fields, struct rx_strings),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static bool is_unset(const struct unset *u, struct rx_value key)
{
    for (size_t i = 0; key.kind == RX_STRING && i < u->fields.count; i++)
        if (strlen(u->fields.items[i]) == key.aux && memcmp(u->fields.items[i], key.u.text, key.aux) == 0)
            return true;
    return false;
}

static struct rx_value without(struct unset *u, struct rx_value object)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, rx_op_heap(&u->op));
    for (uint32_t i = 0; i < rx_object_count(object); i++) {
        struct rx_value key, value;
        rx_object_entry(object, i, &key, &value);
        if (!is_unset(u, key))
            rx_object_put_take(&builder, rx_value_ref(key), rx_value_ref(value));
    }
    return rx_object_finish(&builder);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct unset *u = (struct unset *)op;
    struct rx_event out[RX_SPAN_MAX];
    (void)port;
    for (size_t i = 0; i < n; i++) {
        out[i] = span[i];
        struct rx_value object = rx_object_of(rx_op_heap(op), span[i].value);
        out[i].value = without(u, object);
        rx_value_unref(object);
    }
    rx_count(op, RX_USED, n);
    rx_emit(op, out, n);
    for (size_t i = 0; i < n; i++)
        rx_value_unref(out[i].value);
}

const struct rx_operator_class rx_operator_unset = {
    .base = {.name = "unset",
             .summary = "remove fields from the event",
             .options = options,
             .state_size = sizeof(struct unset),
             .flags = RX_SPAN_SAFE | RX_EDITS,
             .example = "unset: [secret, position]"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
