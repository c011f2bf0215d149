/* Aggregation of a step: its calls, its accumulators, its result. */
#include "core/aggregate/aggregation.h"

#include <errno.h>
#include <string.h>

#include "core/aggregate/aggregation_private.h"

static int add_slot(struct rx_aggregation *a, const struct rx_aggregate_call *call, struct rx_error *reterr)
{
    if (a->count == RX_AGGREGATES_MAX)
        return rx_error_set(reterr, -EINVAL, "at most %d aggregate calls in one step", RX_AGGREGATES_MAX);
    const struct rx_aggregate_function *function = rx_aggregate_find(call->function);
    if (!function)
        return rx_error_set(reterr, -EINVAL, "the aggregate function %s() is not available in this version",
                            call->function);
    a->slots[a->count++] =
        (struct rx_aggregation_slot){.function = function, .arg = call->arg_count ? call->args[0] : NULL};
    if (call->arg_count)
        a->slots[a->count - 1].field = rx_expr_as_field(call->args[0]);
    return 0;
}

int rx_aggregation_prepare(struct rx_aggregation *a, struct rx_shaper *shaper, struct rx_error *reterr)
{
    if (a->ready)
        return 0;
    *a = (struct rx_aggregation){.shaper = shaper};
    for (size_t i = 0; i < rx_shaper_expr_count(shaper); i++) {
        const struct rx_expr *expr = rx_shaper_expr(shaper, i);
        for (size_t k = 0; k < rx_expr_aggregate_count(expr); k++) {
            int r = add_slot(a, rx_expr_aggregate(expr, k), reterr);
            if (r < 0)
                return r;
        }
    }
    a->ready = true;
    return 0;
}

/* The argument's value, and whether it counts: absent and null are skipped; count(cond) takes what is true. */
static int evaluate(struct rx_aggregation_slot *slot, const struct rx_expr_env *env, struct rx_value *ret,
                    bool *ret_counts, struct rx_error *reterr)
{
    *ret = rx_null();
    *ret_counts = true;
    if (!slot->arg)
        return 0;
    if (slot->field && env->event->value.kind == RX_RECORD) {
        const struct rx_value *v = rx_record_get(env->event->value.u.record, slot->field, &slot->cache);
        if (v && v->kind != RX_NULL && v->kind != RX_BOOL) {
            *ret = rx_value_ref(*v);
            return 0;
        }
    }
    int r = rx_expr_eval(slot->arg, env, ret, NULL);
    if (r == -ENODATA) {
        *ret_counts = false;
        return 0;
    }
    if (r < 0)
        return reterr ? rx_expr_eval(slot->arg, env, ret, reterr) : r;
    *ret_counts = ret->kind != RX_NULL && !(slot->function->counts_true && ret->kind == RX_BOOL && !ret->u.b);
    return 0;
}

static int add_one(struct rx_aggregation_slot *slot, struct rx_accumulator *accumulator, const struct rx_expr_env *env,
                   struct rx_error *reterr)
{
    struct rx_value value;
    bool counts;
    int r = evaluate(slot, env, &value, &counts, reterr);
    if (r == 0 && counts)
        r = rx_aggregate_add(slot->function, accumulator, value, reterr);
    rx_value_unref(value);
    return r;
}

int rx_aggregation_add(struct rx_aggregation *a, struct rx_accumulator *accumulators, const struct rx_event *event,
                       struct rx_error *reterr)
{
    struct rx_expr_env env = {.event = event};
    int first = 0;
    for (size_t i = 0; i < a->count; i++) {
        int r = add_one(&a->slots[i], &accumulators[i], &env, first ? NULL : reterr);
        if (first == 0)
            first = r;
    }
    return first;
}

/* Key first, then the step's own fields (which win), then the window. */
static struct rx_value dress(struct rx_value fields, const struct rx_mark *mark, struct rx_heap *heap)
{
    struct rx_object_builder b;
    rx_object_init_from(&b, heap, mark->key);
    for (uint32_t i = 0; i < rx_object_count(fields); i++) {
        struct rx_value key, value;
        rx_object_entry(fields, i, &key, &value);
        rx_object_put_take(&b, rx_value_ref(key), rx_value_ref(value));
    }
    if (rx_mark_has_window(mark))
        rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_WINDOW), rx_mark_window(heap, mark));
    if (mark->flags & RX_WINDOW_PARTIAL)
        rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_PARTIAL), rx_bool(true));
    return rx_object_finish(&b);
}

int rx_aggregation_result(const struct rx_aggregation *a, const struct rx_accumulator *accumulators,
                          const struct rx_mark *mark, struct rx_heap *heap, struct rx_value *ret,
                          struct rx_error *reterr)
{
    struct rx_value slots[RX_AGGREGATES_MAX], value;
    for (size_t i = 0; i < a->count; i++)
        slots[i] = a->slots[i].function->result(&accumulators[i]);
    struct rx_expr_env env = {.slots = slots};
    int r = rx_shaper_eval(a->shaper, &env, heap, &value, reterr);
    for (size_t i = 0; i < a->count; i++)
        rx_value_unref(slots[i]);
    if (r < 0)
        return r;
    if (!mark || (value.kind != RX_RECORD && value.kind != RX_MAP)) {
        *ret = value;
        return 0;
    }
    *ret = dress(value, mark, heap);
    rx_value_unref(value);
    return ret->kind == RX_NULL ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

void rx_aggregation_clear(const struct rx_aggregation *a, struct rx_accumulator *accumulators)
{
    for (size_t i = 0; i < a->count; i++)
        rx_aggregate_clear(a->slots[i].function, &accumulators[i]);
}

void rx_aggregation_save(const struct rx_aggregation *a, const struct rx_accumulator *accumulators, struct rx_writer *w)
{
    for (size_t i = 0; i < a->count; i++)
        rx_aggregate_save(a->slots[i].function, &accumulators[i], w);
}

int rx_aggregation_load(const struct rx_aggregation *a, struct rx_accumulator *accumulators, struct rx_reader *r)
{
    for (size_t i = 0; i < a->count; i++)
        rx_aggregate_load(a->slots[i].function, &accumulators[i], r);
    return r->failed;
}
