/* unset: removes fields from the event. */
#include <errno.h>
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

static struct rx_value without(const struct unset *u, struct rx_heap *heap, struct rx_value object)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    for (uint32_t i = 0; i < rx_object_count(object); i++) {
        struct rx_value key, value;
        rx_object_entry(object, i, &key, &value);
        if (!is_unset(u, key))
            rx_object_put_take(&builder, rx_value_ref(key), rx_value_ref(value));
    }
    return rx_object_finish(&builder);
}

static bool make(struct rx_op *op, unsigned which, const void *image, const struct rx_event *event,
                 struct rx_value *ret)
{
    struct rx_value object = rx_object_of(rx_op_heap(op), event->value);
    (void)which;
    *ret = without(image, rx_op_heap(op), object);
    rx_value_unref(object);
    return true;
}

enum { KEYS_MAX = 16 };

static int columns(const void *image, struct rx_heap *heap, struct rx_columns *program)
{
    const struct unset *u = image;
    const struct rx_key *keys[KEYS_MAX];
    for (size_t i = 0; i < u->fields.count && i < KEYS_MAX; i++)
        if (!(keys[i] = rx_key_intern(heap, u->fields.items[i], strlen(u->fields.items[i]))))
            return -ENOMEM;
    return u->fields.count <= KEYS_MAX ? rx_columns_remove(program, keys, u->fields.count) : 0;
}

static const struct rx_each each = {.make = make, .columns = columns};

const struct rx_operator_class rx_operator_unset = {
    .base = {.name = "unset",
             .summary = "remove fields from the event",
             .options = options,
             .state_size = sizeof(struct unset),
             .flags = RX_SPAN_SAFE | RX_EDITS,
             .example = "unset: [secret, position]"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = rx_each_next,
    .each = &each,
};
