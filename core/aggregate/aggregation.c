/* Aggregation of a step: its calls, its accumulators, its result. */
#include "core/aggregate/aggregation.h"

#include <errno.h>
#include <string.h>

#include "core/aggregate/aggregation_private.h"

int rx_aggregation_add_call(struct rx_aggregation *a, const struct rx_aggregate_call *call, struct rx_error *reterr)
{
    if (a->count == RX_AGGREGATES_MAX)
        return rx_error_set(reterr, -EINVAL, "at most %d aggregate calls in one step", RX_AGGREGATES_MAX);
    const struct rx_aggregate_function *function = rx_aggregate_find(call->function);
    if (!function)
        return rx_error_set(reterr, -EINVAL, "the aggregate function %s() is not available in this version",
                            call->function);
    struct rx_aggregation_slot *slot = &a->slots[a->count++];
    bool ranks = call->arg_count == 3; /* top(k, rank, value) */
    *slot = (struct rx_aggregation_slot){.function = function, .constant = call->constant};
    slot->arg = call->arg_count ? call->args[ranks ? 2 : 0] : NULL;
    slot->rank = ranks ? call->args[1] : NULL;
    slot->merges = (uint8_t)(function->kernel <= RX_KERNEL_GREATEST ? function->kernel : RX_KERNEL_NONE);
    a->plain = (a->plain || a->count == 1) && slot->merges != RX_KERNEL_NONE;
    slot->offset = (uint32_t)a->size;
    a->size += function->size;
    if (slot->arg)
        slot->field = rx_expr_as_field(slot->arg);
    if (!slot->arg)
        slot->kernel = function->kernel == RX_KERNEL_COUNT ? RX_KERNEL_COUNT_ALL : RX_KERNEL_NONE;
    else
        slot->kernel = slot->field ? (uint8_t)function->kernel : RX_KERNEL_NONE;
    a->carries = a->carries || function->flags & RX_CARRIES;
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
            int r = rx_aggregation_add_call(a, rx_expr_aggregate(expr, k), reterr);
            if (r < 0)
                return r;
        }
    }
    a->ready = true;
    return 0;
}

static void describe_call(const struct rx_aggregate_call *call, struct rx_aggregation_facts *facts)
{
    const struct rx_aggregate_function *f = rx_aggregate_find(call->function);
    facts->calls++;
    if (!f)
        return;
    facts->needs_order = facts->needs_order || f->flags & RX_WANTS_ORDER;
    facts->carries = facts->carries || f->flags & RX_CARRIES;
    facts->bytes += f->bytes + (uint64_t)((double)f->each * call->constant);
}

struct rx_aggregation_facts rx_aggregation_describe(const struct rx_shaper *shaper)
{
    struct rx_aggregation_facts facts = {0};
    for (size_t i = 0; i < rx_shaper_expr_count(shaper); i++) {
        const struct rx_expr *expr = rx_shaper_expr(shaper, i);
        for (size_t k = 0; k < rx_expr_aggregate_count(expr); k++)
            describe_call(rx_expr_aggregate(expr, k), &facts);
    }
    return facts;
}

/* 1, 0: absent or null, or why it failed. */
static int evaluate(struct rx_expr *expr, const struct rx_expr_env *env, struct rx_value *ret, struct rx_error *reterr)
{
    int r = rx_expr_eval(expr, env, ret, NULL);
    if (r == -ENODATA)
        return 0;
    if (r < 0)
        return reterr ? rx_expr_eval(expr, env, ret, reterr) : r;
    return ret->kind != RX_NULL;
}

/* The argument's value: 1 where it counts. Absent and null are skipped; count(cond) takes what is true. */
static int argument(struct rx_aggregation_slot *slot, const struct rx_value *field, const struct rx_expr_env *env,
                    struct rx_value *ret, struct rx_error *reterr)
{
    if (!slot->arg)
        return 1;
    if (field && field->kind != RX_BOOL) {
        *ret = rx_value_ref(*field);
        return field->kind != RX_NULL;
    }
    int r = evaluate(slot->arg, env, ret, reterr);
    return r == 1 && slot->function->flags & RX_COUNTS_TRUE && ret->kind == RX_BOOL && !ret->u.b ? 0 : r;
}

/* The long way: whatever a kernel did not take. Apart, so that the short way saves no registers for it. */
__attribute__((noinline)) static int add_one(struct rx_aggregation_slot *slot, const struct rx_value *outer,
                                             struct rx_accumulator *accumulator, const struct rx_value *field,
                                             const struct rx_event *event, struct rx_error *reterr)
{
    struct rx_expr_env env = {.event = event, .outer = outer};
    struct rx_gathered in = {.value = rx_null(), .rank = rx_null(), .time = event->time, .constant = slot->constant};
    int r = argument(slot, field, &env, &in.value, reterr);
    if (r == 1 && slot->rank)
        r = evaluate(slot->rank, &env, &in.rank, reterr);
    if (r == 1)
        r = slot->function->add(accumulator, &in, reterr);
    rx_value_unref(in.value);
    rx_value_unref(in.rank);
    return r;
}

/* From the i-th call on. */
__attribute__((noinline)) static int add_from(struct rx_aggregation *a, size_t i, struct rx_accumulator *accumulators,
                                              const struct rx_event *event, struct rx_error *reterr)
{
    const struct rx_record *record = event->value.kind == RX_RECORD ? event->value.u.record : NULL;
    int first = 0;
    for (; i < a->count; i++) {
        struct rx_aggregation_slot *slot = &a->slots[i];
        bool there = record && slot->field && slot->there;
        int r = add_one(slot, a->outer, rx_accumulator_of(a, accumulators, i),
                        there ? &record->values[slot->place] : NULL, event, first ? NULL : reterr);
        if (first == 0)
            first = r;
    }
    return first;
}

__attribute__((noinline)) static void find_fields(struct rx_aggregation *a, const struct rx_shape *shape)
{
    a->shape = shape->id;
    for (size_t i = 0; i < a->count; i++) {
        struct rx_aggregation_slot *slot = &a->slots[i];
        int place = slot->field ? rx_shape_slot(shape, slot->field) : -1;
        slot->there = place >= 0;
        slot->place = slot->there ? (uint32_t)place : 0;
        slot->runs = slot->there || !slot->arg ? slot->kernel : RX_KERNEL_NONE;
    }
}

int rx_aggregation_add(struct rx_aggregation *a, struct rx_accumulator *accumulators, const struct rx_event *event,
                       struct rx_error *reterr)
{
    if (event->value.kind != RX_RECORD)
        return add_from(a, 0, accumulators, event, reterr);
    const struct rx_record *record = event->value.u.record;
    if (record->shape->id != a->shape)
        find_fields(a, record->shape);
    for (size_t i = 0; i < a->count; i++) {
        struct rx_aggregation_slot *slot = &a->slots[i];
        struct rx_accumulator *accumulator = (struct rx_accumulator *)(void *)((char *)accumulators + slot->offset);
        if (!rx_kernel_add(slot->runs, accumulator, &record->values[slot->place], event->time))
            return add_from(a, i, accumulators, event, reterr);
    }
    return 0;
}

static inline bool merge_plain(unsigned kernel, struct rx_accumulator *into, const struct rx_accumulator *later)
{
    switch (kernel) {
    case RX_KERNEL_COUNT:
        into->count += later->count;
        return true;
    case RX_KERNEL_SUM:
        rx_sum_merge(into, later);
        return true;
    case RX_KERNEL_LEAST:
        return later->extreme.kind == RX_NULL || rx_kernel_extreme(into, later->extreme, true);
    case RX_KERNEL_GREATEST:
        return later->extreme.kind == RX_NULL || rx_kernel_extreme(into, later->extreme, false);
    default:
        return false;
    }
}

int rx_aggregation_merge(const struct rx_aggregation *a, struct rx_accumulator *into,
                         const struct rx_accumulator *later)
{
    bool mixed;
    return rx_aggregation_merge_telling(a, into, later, &mixed);
}

int rx_aggregation_merge_telling(const struct rx_aggregation *a, struct rx_accumulator *into,
                                 const struct rx_accumulator *later, bool *ret_mixed)
{
    int r = 0;
    for (size_t i = 0; i < a->count && r == 0; i++) {
        const struct rx_aggregation_slot *slot = &a->slots[i];
        struct rx_accumulator *to = rx_accumulator_of(a, into, i);
        const struct rx_accumulator *from = rx_accumulator_of(a, later, i);
        if (!merge_plain(slot->merges, to, from))
            r = slot->function->merge(to, from, slot->constant);
        if (r > 0) {
            *ret_mixed = true;
            r = 0;
        }
    }
    return r;
}

int rx_aggregation_copy(const struct rx_aggregation *a, struct rx_accumulator *ret, const struct rx_accumulator *from)
{
    if (!a->plain) {
        memset(ret, 0, a->size);
        return rx_aggregation_merge(a, ret, from);
    }
    memcpy(ret, from, a->size);
    for (size_t i = 0; i < a->count; i++)
        if (a->slots[i].merges >= RX_KERNEL_LEAST)
            rx_value_ref(rx_accumulator_of(a, ret, i)->extreme);
    return 0;
}

void rx_aggregation_carry(const struct rx_aggregation *a, const struct rx_accumulator *accumulators,
                          struct rx_carry *carries)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->slots[i].function->flags & RX_CARRIES && rx_accumulator_of(a, accumulators, i)->count)
            carries[i] = rx_timed_last(rx_accumulator_of(a, accumulators, i));
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

static struct rx_result_terms terms_of(const struct rx_aggregation_scope *scope, struct rx_heap *heap)
{
    struct rx_result_terms terms = {.start = 1, .heap = heap};
    if (!rx_mark_has_window(scope->mark))
        return terms;
    terms.start = scope->mark->start;
    terms.end = scope->mark->end == RX_TIME_NEVER ? scope->until : scope->mark->end;
    terms.until = scope->until < terms.end ? scope->until : terms.end;
    return terms;
}

static inline struct rx_value call_result(const struct rx_aggregation *a, size_t i,
                                          const struct rx_accumulator *accumulator, const struct rx_carry *carries,
                                          struct rx_result_terms *terms)
{
    terms->constant = a->slots[i].constant;
    terms->carry = carries ? &carries[i] : NULL;
    return a->slots[i].function->result(accumulator, terms);
}

struct rx_value rx_aggregation_call(const struct rx_aggregation *a, size_t i, const struct rx_accumulator *accumulator,
                                    const struct rx_aggregation_scope *scope, struct rx_heap *heap)
{
    struct rx_result_terms terms = terms_of(scope, heap);
    return call_result(a, i, accumulator, scope->carries, &terms);
}

/* ---- results: where all that the step makes are plain values, the record is made at once, of a shape that is known ---- */

static const struct rx_shape *with_all(struct rx_heap *heap, const struct rx_shape *shape, const struct rx_shape *more)
{
    for (uint32_t i = 0; shape && i < more->count; i++)
        shape = rx_shape_slot(shape, more->keys[i]) < 0 ? rx_shape_with(heap, shape, more->keys[i]) : NULL;
    return shape;
}

static const struct rx_shape *with_known(struct rx_heap *heap, const struct rx_shape *shape, enum rx_known_key key)
{
    const struct rx_key *name = rx_key_known(heap, key);
    return shape && rx_shape_slot(shape, name) < 0 ? rx_shape_with(heap, shape, name) : NULL;
}

/* As `dress` has it: the mark's key, the step's fields, the window, whether it is partial. NULL: some name comes twice. */
static const struct rx_shape *find_dressed(struct rx_heap *heap, const struct rx_shape *fields,
                                           const struct rx_mark *mark)
{
    const struct rx_shape *shape = rx_shape_empty(heap);
    if (shape && mark->key.kind == RX_RECORD)
        shape = with_all(heap, shape, mark->key.u.record->shape);
    if (shape)
        shape = with_all(heap, shape, fields);
    if (rx_mark_has_window(mark))
        shape = with_known(heap, shape, RX_KEY_WINDOW);
    return mark->flags & RX_WINDOW_PARTIAL ? with_known(heap, shape, RX_KEY_PARTIAL) : shape;
}

static const struct rx_shape *dressed(struct rx_aggregation *a, struct rx_heap *heap, const struct rx_shape *fields,
                                      const struct rx_mark *mark)
{
    uint64_t key = mark->key.kind == RX_RECORD ? mark->key.u.record->shape->id : 0;
    uint32_t kind = (rx_mark_has_window(mark) ? 1u : 0u) | (mark->flags & RX_WINDOW_PARTIAL ? 2u : 0u) | 4u;
    if (a->dressed.key != key || a->dressed.kind != kind || a->dressed.fields != fields) {
        a->dressed.shape = find_dressed(heap, fields, mark);
        a->dressed.key = key;
        a->dressed.kind = kind;
        a->dressed.fields = fields;
    }
    return a->dressed.shape;
}

/* Values that count as one part, or nearly. */
static bool all_plain(const struct rx_value *values, uint32_t n)
{
    bool plain = true;
    for (uint32_t i = 0; i < n; i++)
        plain = plain && values[i].kind < RX_LIST && (values[i].kind < RX_STRING || values[i].aux <= 4096);
    return plain;
}

/* RX_NULL: not in this way, and nothing was taken. */
static struct rx_value dress_at_once(struct rx_aggregation *a, const struct rx_shape *fields,
                                     const struct rx_value *values, const struct rx_mark *mark, struct rx_heap *heap)
{
    struct rx_value all[RX_SHAPE_KEYS_MAX];
    bool keyed = mark->key.kind == RX_RECORD;
    const struct rx_shape *shape = keyed || mark->key.kind == RX_NULL ? dressed(a, heap, fields, mark) : NULL;
    uint32_t n = 0;
    if (!shape || !all_plain(values, fields->count))
        return rx_null();
    for (uint32_t i = 0; keyed && i < mark->key.u.record->shape->count; i++)
        all[n++] = rx_value_ref(mark->key.u.record->values[i]);
    for (uint32_t i = 0; i < fields->count; i++)
        all[n++] = rx_value_ref(values[i]);
    if (rx_mark_has_window(mark))
        all[n++] = rx_mark_window(heap, mark);
    if (mark->flags & RX_WINDOW_PARTIAL)
        all[n++] = rx_bool(true);
    return rx_record_take(heap, shape, all);
}

static void unref_all(struct rx_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rx_value_unref(values[i]);
}

/* The fields alone, of these values (taken). */
static int undressed(const struct rx_shape *shape, struct rx_value *values, struct rx_heap *heap, struct rx_value *ret,
                     struct rx_error *reterr)
{
    *ret = rx_record_take(heap, shape, values);
    if (ret->kind != RX_NULL && rx_value_fits(heap, *ret))
        return 0;
    rx_value_unref(*ret);
    return rx_heap_why(heap, reterr);
}

/* What the step makes of the calls' values; *ret_dressed: with all that comes to it from the mark. */
static int shape_values(struct rx_aggregation *a, const struct rx_value *slots, const struct rx_mark *mark,
                        struct rx_heap *heap, struct rx_value *ret, bool *ret_dressed, struct rx_error *reterr)
{
    struct rx_expr_env env = {.slots = slots, .outer = a->outer};
    struct rx_value values[RX_SHAPE_KEYS_MAX];
    const struct rx_shape *shape;
    *ret_dressed = false;
    int r = rx_shaper_values(a->shaper, &env, heap, values, &shape, reterr);
    if (r < 0)
        return r;
    if (r == 0)
        return rx_shaper_eval(a->shaper, &env, heap, ret, reterr);
    struct rx_value made = mark ? dress_at_once(a, shape, values, mark, heap) : rx_null();
    if (made.kind == RX_NULL)
        return undressed(shape, values, heap, ret, reterr);
    unref_all(values, shape->count);
    *ret = made;
    *ret_dressed = true;
    return 0;
}

int rx_aggregation_result(struct rx_aggregation *a, const struct rx_accumulator *accumulators,
                          const struct rx_aggregation_scope *scope, struct rx_heap *heap, struct rx_value *ret,
                          struct rx_error *reterr)
{
    struct rx_value slots[RX_AGGREGATES_MAX], value;
    struct rx_result_terms terms = terms_of(scope, heap);
    bool is_dressed;
    for (size_t i = 0; i < a->count; i++)
        slots[i] = call_result(a, i, rx_accumulator_of(a, accumulators, i), scope->carries, &terms);
    int r = shape_values(a, slots, scope->mark, heap, &value, &is_dressed, reterr);
    unref_all(slots, a->count);
    if (r < 0)
        return r;
    if (is_dressed || !scope->mark || (value.kind != RX_RECORD && value.kind != RX_MAP)) {
        *ret = value;
        return 0;
    }
    *ret = dress(value, scope->mark, heap);
    rx_value_unref(value);
    return ret->kind == RX_NULL ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

void rx_aggregation_clear(const struct rx_aggregation *a, struct rx_accumulator *accumulators)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->slots[i].function->clear)
            a->slots[i].function->clear(rx_accumulator_of(a, accumulators, i));
    memset(accumulators, 0, a->size);
}

void rx_aggregation_save(const struct rx_aggregation *a, const struct rx_accumulator *accumulators, struct rx_writer *w)
{
    for (size_t i = 0; i < a->count; i++)
        rx_aggregate_save(a->slots[i].function, rx_accumulator_of(a, accumulators, i), w);
}

int rx_aggregation_load(const struct rx_aggregation *a, struct rx_accumulator *accumulators, struct rx_reader *r)
{
    for (size_t i = 0; i < a->count; i++)
        rx_aggregate_load(a->slots[i].function, rx_accumulator_of(a, accumulators, i), r);
    return r->failed;
}
