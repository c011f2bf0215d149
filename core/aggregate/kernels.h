/* The plain aggregate functions over plain fields, without a call for each: what nearly all events of nearly all windows meet. Whatever a
 * kernel does not take (nulls, texts, kinds that are mixed) goes the long way, through the function's row. */
#ifndef RX_CORE_AGGREGATE_KERNELS_H
#define RX_CORE_AGGREGATE_KERNELS_H

#include "core/aggregate/aggregation.h"

enum rx_kernel {
    RX_KERNEL_NONE,
    RX_KERNEL_COUNT, /* of a field */
    RX_KERNEL_COUNT_ALL,
    RX_KERNEL_SUM, /* and avg */
    RX_KERNEL_LEAST,
    RX_KERNEL_GREATEST,
    RX_KERNEL_FIRST,
    RX_KERNEL_LAST
};

/* Neumaier's sum. */
static inline void rx_sum_add(struct rx_accumulator *a, double x)
{
    double sum = a->u.number.sum + x;
    a->u.number.compensation +=
        fabs(a->u.number.sum) >= fabs(x) ? (a->u.number.sum - sum) + x : (x - sum) + a->u.number.sum;
    a->u.number.sum = sum;
}

static inline void rx_sum_merge(struct rx_accumulator *into, const struct rx_accumulator *later)
{
    if (!into->count) {
        into->count = later->count;
        into->u.number = later->u.number;
        return;
    }
    bool inexact = later->count & RX_SUM_INEXACT;
    rx_sum_add(into, later->u.number.sum);
    into->u.number.compensation += later->u.number.compensation;
    into->count += later->count & ~RX_SUM_INEXACT;
    if (inexact || __builtin_add_overflow(into->u.number.whole, later->u.number.whole, &into->u.number.whole))
        into->count |= RX_SUM_INEXACT;
}

static inline void rx_kept_set(struct rx_accumulator *a, struct rx_value v, rx_time time)
{
    rx_value_ref(v);
    if (a->count)
        rx_value_unref(a->u.kept.value);
    a->u.kept.value = v;
    a->u.kept.time = time;
    a->count++;
}

static inline bool rx_kernel_sum(struct rx_accumulator *a, struct rx_value v)
{
    if (v.kind == RX_DOUBLE) {
        rx_sum_add(a, v.u.d);
        a->count |= RX_SUM_INEXACT;
    } else if (v.kind == RX_INT) {
        rx_sum_add(a, (double)v.u.i);
        if (__builtin_add_overflow(a->u.number.whole, v.u.i, &a->u.number.whole))
            a->count |= RX_SUM_INEXACT;
    } else {
        return false;
    }
    a->count++;
    return true;
}

/* Numbers of one kind; of NaN neither is true, as min and max have it. */
static inline bool rx_kernel_extreme(struct rx_accumulator *a, struct rx_value v, bool least)
{
    struct rx_value kept = a->extreme;
    bool first = kept.kind == RX_NULL, better;
    if (v.kind == RX_DOUBLE && (first || kept.kind == RX_DOUBLE))
        better = first ? v.u.d == v.u.d : least ? v.u.d < kept.u.d : v.u.d > kept.u.d;
    else if (v.kind == RX_INT && (first || kept.kind == RX_INT))
        better = first || (least ? v.u.i < kept.u.i : v.u.i > kept.u.i);
    else
        return false;
    if (better)
        a->extreme = v;
    return true;
}

/* Adds the field's value. False: nothing was done, the function's own `add` has to. */
static inline bool rx_kernel_add(unsigned kernel, struct rx_accumulator *a, const struct rx_value *v, rx_time time)
{
    switch (kernel) {
    case RX_KERNEL_COUNT_ALL:
        a->count++;
        return true;
    case RX_KERNEL_COUNT:
        a->count += v->kind > RX_BOOL;
        return v->kind > RX_BOOL;
    case RX_KERNEL_SUM:
        return rx_kernel_sum(a, *v);
    case RX_KERNEL_LEAST:
        return rx_kernel_extreme(a, *v, true);
    case RX_KERNEL_GREATEST:
        return rx_kernel_extreme(a, *v, false);
    case RX_KERNEL_FIRST:
        if (v->kind <= RX_BOOL)
            return false;
        if (!a->count || time < a->u.kept.time)
            rx_kept_set(a, *v, time);
        return true;
    case RX_KERNEL_LAST:
        if (v->kind <= RX_BOOL)
            return false;
        if (!a->count || time >= a->u.kept.time)
            rx_kept_set(a, *v, time);
        return true;
    default:
        return false;
    }
}

#endif
