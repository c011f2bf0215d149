/* default_if_empty, throw_if_empty: a value, or an error, where there was no event. */
#include <errno.h>

#include "core/graph/operator.h"

struct default_if_empty {
    struct rx_op op;
    struct rx_value value;
    const char *error;

    bool any;
};

static const struct rx_option options[] = {
    {.name = "value",
     .help = "put out at the end when there was no event",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct default_if_empty, value, struct rx_value),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static const struct rx_option throw_options[] = {
    {.name = "error",
     .help = "what the error says",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct default_if_empty, error, const char *),
     .fallback = "empty",
     .flags = RX_POSITIONAL},
    {0},
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    ((struct default_if_empty *)op)->any = true;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct default_if_empty *d = (struct default_if_empty *)op;
    (void)port;
    if (!d->any)
        rx_emit_result_take(op, rx_value_ref(d->value));
    rx_finish(op);
}

static void complete_with_error(struct rx_op *op, unsigned port)
{
    struct default_if_empty *d = (struct default_if_empty *)op;
    struct rx_error error;
    (void)port;
    if (d->any) {
        rx_finish(op);
        return;
    }
    rx_error_set(&error, -ENOENT, "%s", d->error);
    rx_fail(op, &error);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_bool(w, ((struct default_if_empty *)op)->any);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct default_if_empty *)op)->any = rx_read_bool(r);
    return 0;
}

const struct rx_operator_class rx_operator_default_if_empty = {
    .base = {.name = "default_if_empty",
             .summary = "put out a value when the stream completes without an event",
             .options = options,
             .state_size = sizeof(struct default_if_empty),
             .flags = RX_SPAN_SAFE | RX_EDITS | RX_AT_END,
             .example = "default_if_empty: {value: 0}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .complete = complete,
    .save = save,
    .load = load,
};

const struct rx_operator_class rx_operator_throw_if_empty = {
    .base = {.name = "throw_if_empty",
             .summary = "fail when the stream completes without an event",
             .options = throw_options,
             .state_size = sizeof(struct default_if_empty),
             .flags = RX_SPAN_SAFE | RX_PASSES | RX_AT_END,
             .example = "throw_if_empty: no reading came"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .complete = complete_with_error,
    .save = save,
    .load = load,
};
