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

static bool set_one(struct set *s, const struct rx_event *in, struct rx_event *out)
{
    struct rx_expr_env env = rx_op_env(&s->op, in);
    struct rx_error error;
    *out = (struct rx_event){.time = in->time, .mark = in->mark, .meta = in->meta};
    if (rx_shaper_apply(s->fields, &env, rx_op_heap(&s->op), in->value, &out->value, &error) == 0)
        return true;
    return rx_bad_event(&s->op, in, &error) == RX_USE_NULL;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct set *s = (struct set *)op;
    struct rx_event out[RX_SPAN_MAX];
    size_t made = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        made += set_one(s, &span[i], &out[made]);
    rx_count(op, RX_USED, made);
    rx_emit(op, out, made);
    for (size_t i = 0; i < made; i++)
        rx_value_unref(out[i].value);
}

const struct rx_operator_class rx_operator_set = {
    .base = {.name = "set",
             .summary = "add fields to the event, or overwrite them",
             .options = options,
             .state_size = sizeof(struct set),
             .flags = RX_SPAN_SAFE | RX_EDITS,
             .example = "set: {celsius: (value - 32) / 1.8}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
