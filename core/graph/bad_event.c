/* One bad event: counted, sent to the error stream, and the pipeline goes on. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/graph/graph_private.h"

static void put_text(struct rx_object_builder *b, const char *key, const char *text)
{
    rx_object_put_take(b, rx_string(b->heap, key, strlen(key)), rx_string(b->heap, text, strlen(text)));
}

/* An event in a report: as it is, but for one that is too large to be looked at. */
enum { SHOWN_PARTS_MAX = 10000 };

static struct rx_value shown(struct rx_heap *heap, struct rx_value event)
{
    char text[64];
    uint32_t parts = rx_value_parts(event);
    if (parts <= SHOWN_PARTS_MAX)
        return rx_value_ref(event);
    int length = snprintf(text, sizeof text, "(left out: over %d parts)", SHOWN_PARTS_MAX);
    return rx_string(heap, text, (size_t)length);
}

struct rx_event rx_error_event(struct rx_engine *engine, const char *reason, const char *step,
                               const struct rx_error *error, struct rx_value event)
{
    struct rx_object_builder b;
    rx_time now = rx_sched_wall(engine->sched);
    rx_object_init(&b, engine->heap);
    rx_object_put_take(&b, rx_string(engine->heap, "at", 2), rx_timestamp(now));
    put_text(&b, "reason", reason);
    put_text(&b, "step", step);
    put_text(&b, "message", error->message);
    rx_object_put_take(&b, rx_string(engine->heap, "event", 5), shown(engine->heap, event));
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
    case -EIO:
        return "request"; /* what was asked of the outside */
    default:
        return "type";
    }
}

/* NULL: nobody can read it. */
static void send_letter(struct rx_op *op, struct rx_hub *to, const char *reason, const struct rx_step *step,
                        const struct rx_event *event, const struct rx_error *error)
{
    if (!to)
        return;
    struct rx_event letter = rx_error_event(rx_op_engine(op), reason, step->label, error, event->value);
    rx_hub_next(to, &letter, 1);
    rx_event_unref(&letter);
}

static void send_dead_letter(struct rx_op *op, const struct rx_step *step, const struct rx_event *event,
                             const struct rx_error *error)
{
    send_letter(op, op->node->errors, reason_of(error->code), step, event, error);
}

void rx_late_event_of(struct rx_op *op, unsigned which, const struct rx_event *event)
{
    struct rx_error error;
    rx_count_of(op, which, RX_LATE, 1);
    rx_error_set(&error, -ETIME, "event time had passed it");
    send_letter(op, op->node->late, "late", op->node->steps[which], event, &error);
}

void rx_late_event(struct rx_op *op, const struct rx_event *event) { rx_late_event_of(op, 0, event); }

enum rx_verdict rx_bad_event_of(struct rx_op *op, unsigned which, const struct rx_event *event,
                                const struct rx_error *error)
{
    const struct rx_step *step = op->node->steps[which];
    if (step->on_error == RX_NULLIFY)
        return RX_USE_NULL;
    rx_count_of(op, which, RX_ERRORED, 1);
    if (step->on_error == RX_FAIL) {
        rx_fail(op, error);
        return RX_STEP_FAILED;
    }
    if (step->on_error == RX_DEAD_LETTER)
        send_dead_letter(op, step, event, error);
    return RX_SKIP_EVENT;
}

enum rx_verdict rx_bad_event(struct rx_op *op, const struct rx_event *event, const struct rx_error *error)
{
    return rx_bad_event_of(op, 0, event, error);
}

enum rx_verdict rx_bad_result_of(struct rx_op *op, unsigned which, const struct rx_error *error)
{
    const struct rx_step *step = op->node->steps[which];
    struct rx_event none = {.time = rx_wall(op)};
    if (step->on_error == RX_FAIL) {
        rx_fail(op, error);
        return RX_STEP_FAILED;
    }
    if (step->on_error == RX_DEAD_LETTER)
        send_dead_letter(op, step, &none, error);
    return RX_SKIP_EVENT;
}

enum rx_verdict rx_bad_result(struct rx_op *op, const struct rx_error *error) { return rx_bad_result_of(op, 0, error); }

bool rx_op_made(struct rx_op *op, const struct rx_event *in, struct rx_value *made)
{
    struct rx_error error;
    if (made->kind != RX_NULL && rx_value_fits(rx_op_heap(op), *made))
        return true;
    rx_value_unref(*made);
    *made = rx_null();
    rx_heap_why(rx_op_heap(op), &error);
    return (in ? rx_bad_event(op, in, &error) : rx_bad_result(op, &error)) == RX_USE_NULL;
}

struct rx_expr_env rx_op_env(const struct rx_op *op, const struct rx_event *event)
{
    const struct rx_event *outer = op->instance->outer;
    return (struct rx_expr_env){.event = event, .outer = outer ? &outer->value : NULL};
}

bool rx_op_eval(struct rx_op *op, struct rx_expr *expr, const struct rx_expr_env *env, struct rx_value *ret)
{
    struct rx_error error;
    if (rx_expr_eval(expr, env, ret, NULL) == 0)
        return true;
    if (rx_expr_eval(expr, env, ret, &error) == 0)
        return true;
    *ret = rx_null();
    return rx_bad_event(op, env->event, &error) == RX_USE_NULL;
}

int rx_op_test_of(struct rx_op *op, unsigned which, struct rx_expr *condition, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(op, event);
    struct rx_error error;
    int result = rx_expr_test(condition, &env, NULL);
    if (result >= 0)
        return result;
    if (result == -ENODATA) {
        rx_count_of(op, which, RX_ABSENT, 1);
        return 0;
    }
    rx_expr_test(condition, &env, &error);
    return rx_bad_event_of(op, which, event, &error) == RX_USE_NULL ? 0 : -1;
}

int rx_op_test(struct rx_op *op, struct rx_expr *condition, const struct rx_event *event)
{
    return rx_op_test_of(op, 0, condition, event);
}
