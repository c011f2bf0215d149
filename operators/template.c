/* template: replaces every event by a literal tree with {EXPR} in its strings. */
#include "core/graph/operator.h"

struct template
{
    struct rx_op op;
    struct rx_shaper *to;
};

static const struct rx_option options[] = {
    {.name = "to",
     .help = "the new value: a text or an object of texts; {EXPR} in them is replaced",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct template, to, struct rx_shaper *),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static bool fill_one(struct template *t, const struct rx_event *in, struct rx_event *out)
{
    struct rx_expr_env env = rx_op_env(&t->op, in);
    struct rx_error error;
    *out = (struct rx_event){.time = in->time, .mark = in->mark, .meta = in->meta};
    if (rx_shaper_eval(t->to, &env, rx_op_heap(&t->op), &out->value, &error) == 0)
        return true;
    return rx_bad_event(&t->op, in, &error) == RX_USE_NULL;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct template *t = (struct template *)op;
    struct rx_event out[RX_SPAN_MAX];
    size_t made = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        made += fill_one(t, &span[i], &out[made]);
    rx_count(op, RX_USED, made);
    rx_emit(op, out, made);
    for (size_t i = 0; i < made; i++)
        rx_value_unref(out[i].value);
}

const struct rx_operator_class rx_operator_template = {
    .base = {.name = "template",
             .summary = "replace each event by a literal tree with {EXPR} in its strings",
             .options = options,
             .state_size = sizeof(struct template),
             .flags = RX_SPAN_SAFE | RX_REPLACES,
             .example = "template: {text: \"{device} is hot\", celsius: \"{value}\"}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
};
