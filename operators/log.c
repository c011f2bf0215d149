/* log: lets everything through, and writes it to the daemon's log, a few lines a second at the most. */
#include "core/graph/graph.h"

struct log {
    struct rx_op op;
    struct rx_shaper *text;
    int64_t per_second;

    rx_time second;
    int64_t written, suppressed;
};

static const struct rx_option options[] = {
    {.name = "text",
     .help = "the line, a template; default: the event as JSON",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct log, text, struct rx_shaper *),
     .flags = RX_POSITIONAL},
    {.name = "per_second",
     .help = "lines a second at the most; the next one says how many were left out",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct log, per_second, int64_t),
     .fallback = "10",
     .min = 1,
     .max = 100000},
    {0},
};

static bool allow(struct log *l)
{
    rx_time second = rx_now(&l->op) / RX_SEC;
    if (second != l->second) {
        l->second = second;
        l->written = 0;
    }
    if (l->written < l->per_second) {
        l->written++;
        return true;
    }
    l->suppressed++;
    return false;
}

static void write_line(struct log *l, const struct rx_event *event)
{
    struct rx_engine *engine = rx_op_engine(&l->op);
    struct rx_buffer line = {0};
    struct rx_expr_env env = rx_op_env(&l->op, event);
    struct rx_error error;
    if (!engine->log || !allow(l))
        return;
    if (!l->text)
        rx_json_write(&line, event->value);
    else if (rx_shaper_text(l->text, &env, &line, &error) < 0)
        rx_buffer_printf(&line, "%s", error.message);
    if (l->suppressed)
        rx_buffer_printf(&line, " (%lld left out)", (long long)l->suppressed);
    l->suppressed = 0;
    rx_buffer_append(&line, "", 1);
    if (!line.failed)
        engine->log(engine->log_arg, 6, l->op.node->step->label, line.data);
    rx_buffer_finish(&line);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n; i++)
        write_line((struct log *)op, &span[i]);
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct log *l = image;
    facts->reads_all = !l->text;
}

const struct rx_operator_class rx_operator_log = {
    .base = {.name = "log",
             .summary = "let everything through, and write it to the daemon's log",
             .options = options,
             .state_size = sizeof(struct log),
             .flags = RX_SPAN_SAFE | RX_PASSES | RX_ANY_ORDER,
             .example = "log: \"{device} is at {value}\""},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .describe = describe,
};
