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

static bool map_one(struct map *m, const struct rx_event *in, struct rx_event *out)
{
    struct rx_expr_env env = rx_op_env(&m->op, in);
    struct rx_error error;
    *out = (struct rx_event){.time = in->time, .mark = in->mark, .meta = in->meta};
    if (rx_shaper_eval(m->to, &env, rx_op_heap(&m->op), &out->value, &error) == 0)
        return true;
    return rx_bad_event(&m->op, in, &error) == RX_USE_NULL;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct map *m = (struct map *)op;
    struct rx_event out[RX_SPAN_MAX];
    size_t made = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        made += map_one(m, &span[i], &out[made]);
    rx_count(op, RX_USED, made);
    rx_emit(op, out, made);
    for (size_t i = 0; i < made; i++)
        rx_value_unref(out[i].value);
}

const struct rx_operator_class rx_operator_map = {
    .base = {.name = "map",
             .summary = "replace each event by the value of an expression, or by an object of named expressions",
             .options = options,
             .state_size = sizeof(struct map),
             .flags = RX_SPAN_SAFE | RX_REPLACES,
             .example = "map: {celsius: (value - 32) / 1.8}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
