/* set: adds fields to the event, or overwrites them. */
#include "core/graph/operator.h"

struct set {
    struct rx_op op;
    struct rx_shaper *fields;
};

static const struct rx_option options[] = {
    {.name = "fields",
     .help = "the fields: an object of named expressions; none sees what another one sets",
     .type = RX_OPTION_SHAPER,
     .offset = RX_AT(struct set, fields, struct rx_shaper *),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static bool make(struct rx_op *op, unsigned which, const void *image, const struct rx_event *event,
                 struct rx_value *ret)
{
    const struct set *s = image;
    struct rx_expr_env env = rx_op_env(op, event);
    struct rx_error error;
    if (rx_shaper_apply(s->fields, &env, rx_op_heap(op), event->value, ret, &error) == 0)
        return true;
    *ret = rx_null();
    return rx_bad_event_of(op, which, event, &error) == RX_USE_NULL;
}

static int columns(const void *image, struct rx_heap *heap, struct rx_columns *program)
{
    (void)heap;
    return rx_shaper_columns(((const struct set *)image)->fields, true, program);
}

static const struct rx_each each = {.make = make, .columns = columns};

const struct rx_operator_class rx_operator_set = {
    .base = {.name = "set",
             .summary = "add fields to the event, or overwrite them",
             .options = options,
             .state_size = sizeof(struct set),
             .flags = RX_SPAN_SAFE | RX_EDITS,
             .example = "set: {celsius: (value - 32) / 1.8}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = rx_each_next,
    .each = &each,
};
