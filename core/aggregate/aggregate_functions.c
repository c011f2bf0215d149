/* The aggregate functions: count, sum, avg, min, max, first, last. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/aggregate/aggregation_private.h"

/* ---- checks: what fails them is not added ---- */

static int check_any(const struct rx_accumulator *a, struct rx_value v, struct rx_error *e)
{
    (void)a, (void)v, (void)e;
    return 0;
}

static int check_number(const struct rx_accumulator *a, struct rx_value v, struct rx_error *reterr)
{
    (void)a;
    if (v.kind == RX_INT || v.kind == RX_UINT || v.kind == RX_DOUBLE)
        return 0;
    return rx_error_set(reterr, -EINVAL, "expected a number to aggregate, not %s", rx_kind_name(v.kind));
}

static bool is_nan(struct rx_value v) { return v.kind == RX_DOUBLE && isnan(v.u.d); }

static int check_order(const struct rx_accumulator *a, struct rx_value v, struct rx_error *reterr)
{
    if (is_nan(v) || rx_value_compare(v, a->count ? a->u.value : v) != 2)
        return 0;
    if (rx_value_compare(v, v) == 2)
        return rx_error_set(reterr, -EINVAL, "%s has no order to find a least or greatest by", rx_kind_name(v.kind));
    return rx_error_set(reterr, -EINVAL, "%s has no order with the %s before it", rx_kind_name(v.kind),
                        rx_kind_name(a->u.value.kind));
}

/* ---- adding ---- */

static void add_count(struct rx_accumulator *a, struct rx_value v)
{
    (void)v;
    a->count++;
}

static double number_of(struct rx_value v)
{
    return v.kind == RX_DOUBLE ? v.u.d : v.kind == RX_UINT ? (double)v.u.u : (double)v.u.i;
}

static void add_sum(struct rx_accumulator *a, struct rx_value v)
{
    double x = number_of(v), sum = a->u.number.sum + x;
    a->u.number.compensation +=
        fabs(a->u.number.sum) >= fabs(x) ? (a->u.number.sum - sum) + x : (x - sum) + a->u.number.sum;
    a->u.number.sum = sum;
    a->count++;
    bool whole = v.kind == RX_INT || (v.kind == RX_UINT && v.u.u <= INT64_MAX);
    if (!whole || __builtin_add_overflow(a->whole, v.u.i, &a->whole))
        a->inexact = 1;
}

static void keep(struct rx_accumulator *a, struct rx_value v)
{
    rx_value_ref(v);
    if (a->count)
        rx_value_unref(a->u.value);
    a->u.value = v;
    a->count++;
}

static void add_least(struct rx_accumulator *a, struct rx_value v)
{
    if (!is_nan(v) && (!a->count || rx_value_compare(v, a->u.value) == -1))
        keep(a, v);
}

static void add_greatest(struct rx_accumulator *a, struct rx_value v)
{
    if (!is_nan(v) && (!a->count || rx_value_compare(v, a->u.value) == 1))
        keep(a, v);
}

static void add_first(struct rx_accumulator *a, struct rx_value v)
{
    if (!a->count)
        keep(a, v);
}

/* ---- results ---- */

static struct rx_value result_count(const struct rx_accumulator *a) { return rx_int((int64_t)a->count); }

static double sum_of(const struct rx_accumulator *a)
{
    double sum = a->u.number.sum + a->u.number.compensation;
    return isfinite(sum) ? sum : a->u.number.sum;
}

static struct rx_value result_sum(const struct rx_accumulator *a)
{
    return a->inexact ? rx_double(sum_of(a)) : rx_json_int(a->whole);
}

static struct rx_value result_avg(const struct rx_accumulator *a)
{
    if (!a->count)
        return rx_null();
    return rx_double((a->inexact ? sum_of(a) : (double)a->whole) / (double)a->count);
}

static struct rx_value result_value(const struct rx_accumulator *a)
{
    return a->count ? rx_value_ref(a->u.value) : rx_null();
}

static const struct rx_aggregate_function functions[] = {
    {"count", false, true, check_any, add_count, result_count},
    {"sum", false, false, check_number, add_sum, result_sum},
    {"avg", false, false, check_number, add_sum, result_avg},
    {"min", true, false, check_order, add_least, result_value},
    {"max", true, false, check_order, add_greatest, result_value},
    {"first", true, false, check_any, add_first, result_value},
    {"last", true, false, check_any, keep, result_value},
};

const struct rx_aggregate_function *rx_aggregate_find(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

int rx_aggregate_add(const struct rx_aggregate_function *f, struct rx_accumulator *a, struct rx_value v,
                     struct rx_error *reterr)
{
    int r = f->check(a, v, reterr);
    if (r == 0)
        f->add(a, v);
    return r;
}

struct rx_value rx_aggregate_result(const struct rx_aggregate_function *f, const struct rx_accumulator *a)
{
    return f->result(a);
}

void rx_aggregate_clear(const struct rx_aggregate_function *f, struct rx_accumulator *a)
{
    if (f->keeps_value && a->count)
        rx_value_unref(a->u.value);
    *a = (struct rx_accumulator){0};
}

void rx_aggregate_save(const struct rx_aggregate_function *f, const struct rx_accumulator *a, struct rx_writer *w)
{
    rx_write_uint(w, a->count);
    if (f->keeps_value) {
        rx_write_value(w, a->count ? a->u.value : rx_null());
        return;
    }
    rx_write_double(w, a->u.number.sum);
    rx_write_double(w, a->u.number.compensation);
    rx_write_int(w, a->whole);
    rx_write_bool(w, a->inexact);
}

int rx_aggregate_load(const struct rx_aggregate_function *f, struct rx_accumulator *a, struct rx_reader *r)
{
    *a = (struct rx_accumulator){.count = rx_read_uint(r)};
    if (f->keeps_value) {
        a->u.value = rx_read_value(r);
        if (!a->count)
            rx_value_unref(a->u.value);
    } else {
        a->u.number.sum = rx_read_double(r);
        a->u.number.compensation = rx_read_double(r);
        a->whole = rx_read_int(r);
        a->inexact = rx_read_bool(r);
    }
    return r->failed;
}
