/* map: replaces every event's value by what an expression, or an object of them, makes of it. */
#include "core/graph/operator.h"

struct map {
    struct rx_op op;
    struct rx_shaper *to;
};

static const struct rx_option options[] = {
    {.name = "to",
     .help = "the new value: an expression, or an object of named ones",
     .type = RX_OPTION_SHAPER,
     .offset = RX_AT(struct map, to, struct rx_shaper *),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static bool make(struct rx_op *op, unsigned which, const void *image, const struct rx_event *event,
                 struct rx_value *ret)
{
    const struct map *m = image;
    struct rx_expr_env env = rx_op_env(op, event);
    struct rx_error error;
    if (rx_shaper_eval(m->to, &env, rx_op_heap(op), ret, &error) == 0)
        return true;
    *ret = rx_null();
    return rx_bad_event_of(op, which, event, &error) == RX_USE_NULL;
}

static int columns(const void *image, struct rx_heap *heap, struct rx_columns *program)
{
    (void)heap;
    return rx_shaper_columns(((const struct map *)image)->to, false, program);
}

static const struct rx_each each = {.make = make, .columns = columns};

const struct rx_operator_class rx_operator_map = {
    .base = {.name = "map",
             .summary = "replace each event by the value of an expression, or by an object of named expressions",
             .options = options,
             .state_size = sizeof(struct map),
             .flags = RX_SPAN_SAFE | RX_REPLACES,
             .example = "map: {celsius: (value - 32) / 1.8}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = rx_each_next,
    .each = &each,
};
