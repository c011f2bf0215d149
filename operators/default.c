/* default: fills in the fields that an event lacks. */
#include <errno.h>

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

static struct rx_value filled(const struct fill *f, struct rx_heap *heap, struct rx_value object)
{
    struct rx_object_builder builder;
    rx_object_init_from(&builder, heap, object);
    for (uint32_t i = 0; i < rx_object_count(f->fields); i++) {
        struct rx_value key, value;
        rx_object_entry(f->fields, i, &key, &value);
        if (!rx_object_get(object, key))
            rx_object_put_take(&builder, rx_value_ref(key), rx_value_ref(value));
    }
    return rx_object_finish(&builder);
}

static bool make(struct rx_op *op, unsigned which, const void *image, const struct rx_event *event,
                 struct rx_value *ret)
{
    struct rx_value object = rx_object_of(rx_op_heap(op), event->value);
    (void)which;
    *ret = lacks(image, object) ? filled(image, rx_op_heap(op), object) : rx_value_ref(object);
    rx_value_unref(object);
    return true;
}

enum { KEYS_MAX = 16 };

static int columns(const void *image, struct rx_heap *heap, struct rx_columns *program)
{
    const struct fill *f = image;
    const struct rx_key *keys[KEYS_MAX];
    struct rx_value values[KEYS_MAX];
    uint32_t count = rx_object_count(f->fields);
    for (uint32_t i = 0; i < count && i < KEYS_MAX; i++) {
        struct rx_value key;
        rx_object_entry(f->fields, i, &key, &values[i]);
        if (key.kind != RX_STRING)
            return 0;
        if (!(keys[i] = rx_key_intern(heap, key.u.text, key.aux)))
            return -ENOMEM;
    }
    return count <= KEYS_MAX ? rx_columns_default(program, keys, values, count) : 0;
}

static const struct rx_each each = {.make = make, .columns = columns};

const struct rx_operator_class rx_operator_default = {
    .base = {.name = "default",
             .summary = "fill in the fields that an event lacks",
             .options = options,
             .state_size = sizeof(struct fill),
             .flags = RX_SPAN_SAFE | RX_EDITS,
             .example = "default: {unit: C}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = rx_each_next,
    .each = &each,
};
