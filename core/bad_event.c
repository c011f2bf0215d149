/* One bad event: counted, sent to the error stream, and the pipeline goes on. */
#include <errno.h>
#include <string.h>

#include "core/graph.h"

static void put_text(struct rx_object_builder *b, const char *key, const char *text)
{
    rx_object_put_take(b, rx_string(b->heap, key, strlen(key)), rx_string(b->heap, text, strlen(text)));
}

struct rx_event rx_error_event(struct rx_engine *engine, const char *reason, const char *step,
                               const struct rx_error *error, struct rx_value event)
{
    struct rx_object_builder b;
    rx_time now = rx_sched_now(engine->sched);
    rx_object_init(&b, engine->heap);
    rx_object_put_take(&b, rx_string(engine->heap, "at", 2), rx_timestamp(now));
    put_text(&b, "reason", reason);
    put_text(&b, "step", step);
    put_text(&b, "message", error->message);
    rx_object_put_take(&b, rx_string(engine->heap, "event", 5), rx_value_ref(event));
    return (struct rx_event){.value = rx_object_finish(&b), .time = now};
}

static const char *reason_of(int code)
{
    switch (code) {
    case -ENODATA:
        return "absent";
    case -ERANGE:
        return "range";
    case -EDOM:
        return "division";
    case -ETIME:
        return "budget";
    case -ENOMEM:
        return "memory";
    default:
        return "type";
    }
}

static void send_dead_letter(struct rx_op *op, const struct rx_event *event, const struct rx_error *error)
{
    if (!op->node->errors)
        return;
    struct rx_event letter =
        rx_error_event(rx_op_engine(op), reason_of(error->code), op->node->label, error, event->value);
    rx_hub_next(op->node->errors, &letter, 1);
    rx_event_unref(&letter);
}

enum rx_verdict rx_bad_event(struct rx_op *op, const struct rx_event *event, const struct rx_error *error)
{
    if (op->node->on_error == RX_NULLIFY)
        return RX_USE_NULL;
    rx_count(op, RX_ERRORED, 1);
    if (op->node->on_error == RX_FAIL) {
        rx_fail(op, error);
        return RX_STEP_FAILED;
    }
    if (op->node->on_error == RX_DEAD_LETTER)
        send_dead_letter(op, event, error);
    return RX_SKIP_EVENT;
}

enum rx_verdict rx_bad_result(struct rx_op *op, const struct rx_error *error)
{
    struct rx_event none = {.time = rx_now(op)};
    if (op->node->on_error == RX_FAIL) {
        rx_fail(op, error);
        return RX_STEP_FAILED;
    }
    if (op->node->on_error == RX_DEAD_LETTER)
        send_dead_letter(op, &none, error);
    return RX_SKIP_EVENT;
}
