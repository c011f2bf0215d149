/* The aggregate functions that need no more than an accumulator: count, sum, avg, min, max, first, last, variance, stddev; and
 * what all have in common. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/aggregate/aggregation_private.h"

int rx_aggregate_no_memory(struct rx_error *reterr)
{
    return rx_error_set(reterr, -ENOMEM, "out of memory to aggregate");
}

int rx_gathered_number(const struct rx_gathered *in, double *ret, struct rx_error *reterr)
{
    struct rx_value v = in->value;
    if (v.kind != RX_INT && v.kind != RX_UINT && v.kind != RX_DOUBLE) {
        rx_error_set(reterr, -EINVAL, "expected a number to aggregate, not %s", rx_kind_name(v.kind));
        return -EINVAL;
    }
    *ret = v.kind == RX_DOUBLE ? v.u.d : v.kind == RX_UINT ? (double)v.u.u : (double)v.u.i;
    return 0;
}

/* ---- count ---- */

static int add_count(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    (void)in, (void)reterr;
    a->count++;
    return 0;
}

static int merge_count(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    into->count += later->count;
    return 0;
}

static struct rx_value result_count(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    return rx_json_int((int64_t)a->count);
}

/* As sum and avg, of which it was one more: with a sum, that it does not have. */
static void save_count(const struct rx_accumulator *a, struct rx_writer *w)
{
    (void)a;
    rx_write_double(w, 0);
    rx_write_double(w, 0);
    rx_write_int(w, 0);
    rx_write_bool(w, false);
}

static void load_count(struct rx_accumulator *a, struct rx_reader *r)
{
    (void)a;
    rx_read_double(r);
    rx_read_double(r);
    rx_read_int(r);
    rx_read_bool(r);
}

/* ---- sum, avg ---- */

static int add_sum(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    struct rx_value v = in->value;
    double x = 0;
    if (rx_gathered_number(in, &x, reterr) < 0)
        return -EINVAL;
    rx_sum_add(a, x);
    a->count++;
    bool whole = v.kind == RX_INT || (v.kind == RX_UINT && v.u.u <= INT64_MAX);
    if (!whole || __builtin_add_overflow(a->u.number.whole, v.u.i, &a->u.number.whole))
        a->count |= RX_SUM_INEXACT;
    return 0;
}

static int merge_sum(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    rx_sum_merge(into, later);
    return 0;
}

static bool is_exact(const struct rx_accumulator *a) { return !(a->count & RX_SUM_INEXACT); }

static double sum_of(const struct rx_accumulator *a)
{
    double sum = a->u.number.sum + a->u.number.compensation;
    return isfinite(sum) ? sum : a->u.number.sum;
}

static struct rx_value result_sum(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    return is_exact(a) ? rx_json_int(a->u.number.whole) : rx_double(sum_of(a));
}

static struct rx_value result_avg(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    if (!a->count)
        return rx_null();
    return rx_double((is_exact(a) ? (double)a->u.number.whole : sum_of(a)) / (double)(a->count & ~RX_SUM_INEXACT));
}

static void save_number(const struct rx_accumulator *a, struct rx_writer *w)
{
    rx_write_double(w, a->u.number.sum);
    rx_write_double(w, a->u.number.compensation);
    rx_write_int(w, a->u.number.whole);
    rx_write_bool(w, !is_exact(a));
}

static void load_number(struct rx_accumulator *a, struct rx_reader *r)
{
    a->u.number.sum = rx_read_double(r);
    a->u.number.compensation = rx_read_double(r);
    a->u.number.whole = rx_read_int(r);
    a->count = (a->count & ~RX_SUM_INEXACT) | (rx_read_bool(r) ? RX_SUM_INEXACT : 0);
}

/* ---- min, max ---- */

/* How `v` stands to what is kept: -1, 0, 1; 2: there is no order between them. */
static int check_order(const struct rx_accumulator *a, struct rx_value v, int *ret, struct rx_error *reterr)
{
    *ret = rx_value_compare(v, a->extreme.kind == RX_NULL ? v : a->extreme);
    if (*ret != 2)
        return 0;
    if (rx_value_compare(v, v) == 2)
        return rx_error_set(reterr, -EINVAL, "%s has no order to find a least or greatest by", rx_kind_name(v.kind));
    return rx_error_set(reterr, -EINVAL, "%s has no order with the %s before it", rx_kind_name(v.kind),
                        rx_kind_name(a->extreme.kind));
}

static int add_extreme(struct rx_accumulator *a, const struct rx_gathered *in, int wanted, struct rx_error *reterr)
{
    int order;
    if (rx_is_nan(in->value))
        return 0;
    if (check_order(a, in->value, &order, reterr) < 0)
        return -EINVAL;
    if (a->extreme.kind != RX_NULL && order != wanted)
        return 0;
    rx_value_ref(in->value);
    rx_value_unref(a->extreme);
    a->extreme = in->value;
    return 0;
}

static int add_least(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    return add_extreme(a, in, -1, reterr);
}

static int add_greatest(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    return add_extreme(a, in, 1, reterr);
}

/* Texts in one pane and numbers in the next have no order: then what came first stays. */
static int merge_least(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    struct rx_gathered in = {.value = later->extreme};
    (void)constant;
    return later->extreme.kind != RX_NULL && add_least(into, &in, NULL) < 0;
}

static int merge_greatest(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    struct rx_gathered in = {.value = later->extreme};
    (void)constant;
    return later->extreme.kind != RX_NULL && add_greatest(into, &in, NULL) < 0;
}

static struct rx_value result_extreme(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    return rx_value_ref(a->extreme);
}

static void clear_extreme(struct rx_accumulator *a) { rx_value_unref(a->extreme); }

/* As first and last, of which they once were two more: with a time, that nobody asks for. */
static void save_extreme(const struct rx_accumulator *a, struct rx_writer *w)
{
    rx_write_value(w, a->extreme);
    rx_write_int(w, 0);
}

static void load_extreme(struct rx_accumulator *a, struct rx_reader *r)
{
    bool there = a->count > 0;
    struct rx_value value = rx_read_value(r);
    rx_read_int(r);
    if (!there)
        rx_value_unref(value);
    a->extreme = there ? value : rx_null();
}

/* ---- first, last ---- */

static int add_first(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    (void)reterr;
    if (!a->count || in->time < a->u.kept.time)
        rx_kept_set(a, in->value, in->time);
    return 0;
}

static int add_last(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    (void)reterr;
    if (!a->count || in->time >= a->u.kept.time)
        rx_kept_set(a, in->value, in->time);
    return 0;
}

static int merge_kept(struct rx_accumulator *into, const struct rx_accumulator *later,
                      int (*add)(struct rx_accumulator *, const struct rx_gathered *, struct rx_error *))
{
    struct rx_gathered in = {.value = later->u.kept.value, .time = later->u.kept.time};
    if (later->count)
        add(into, &in, NULL);
    return 0;
}

static int merge_first(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    return merge_kept(into, later, add_first);
}

static int merge_last(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    return merge_kept(into, later, add_last);
}

static struct rx_value result_kept(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    return a->count ? rx_value_ref(a->u.kept.value) : rx_null();
}

static void clear_kept(struct rx_accumulator *a)
{
    if (a->count)
        rx_value_unref(a->u.kept.value);
}

static void save_kept(const struct rx_accumulator *a, struct rx_writer *w)
{
    rx_write_value(w, a->count ? a->u.kept.value : rx_null());
    rx_write_int(w, a->count ? a->u.kept.time : 0);
}

static void load_kept(struct rx_accumulator *a, struct rx_reader *r)
{
    a->u.kept.value = rx_read_value(r);
    a->u.kept.time = rx_read_int(r);
    if (!a->count)
        rx_value_unref(a->u.kept.value);
}

/* ---- variance, stddev: Welford (Technometrics 4, 1962); put together as Chan, Golub, LeVeque (1979) ---- */

static int add_spread(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    double x = 0;
    if (rx_gathered_number(in, &x, reterr) < 0)
        return -EINVAL;
    struct rx_twofold from = rx_twofold_add(rx_twofold_of(x), rx_twofold_negative(a->u.spread.mean));
    a->u.spread.mean = rx_twofold_add(a->u.spread.mean, rx_twofold_divide(from, (double)++a->count));
    struct rx_twofold now = rx_twofold_add(rx_twofold_of(x), rx_twofold_negative(a->u.spread.mean));
    a->u.spread.squares = rx_twofold_add(a->u.spread.squares, rx_twofold_multiply(from, now));
    return 0;
}

static int merge_spread(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    double na = (double)into->count, nb = (double)later->count;
    if (!into->count || !later->count) {
        *into = later->count ? *later : *into;
        return 0;
    }
    struct rx_twofold apart = rx_twofold_add(later->u.spread.mean, rx_twofold_negative(into->u.spread.mean));
    struct rx_twofold share = rx_twofold_divide(rx_twofold_multiply(apart, rx_twofold_of(nb)), na + nb);
    struct rx_twofold more = rx_twofold_multiply(rx_twofold_multiply(apart, share), rx_twofold_of(na));
    into->u.spread.mean = rx_twofold_add(into->u.spread.mean, share);
    into->u.spread.squares = rx_twofold_add(rx_twofold_add(into->u.spread.squares, later->u.spread.squares), more);
    into->count += later->count;
    return 0;
}

static struct rx_value result_variance(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    if (a->count < 2)
        return rx_null();
    double squares = rx_twofold_value(rx_twofold_divide(a->u.spread.squares, (double)(a->count - 1)));
    return rx_double(squares < 0 ? 0 : squares);
}

static struct rx_value result_stddev(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    struct rx_value variance = result_variance(a, terms);
    return variance.kind == RX_DOUBLE ? rx_double(sqrt(variance.u.d)) : variance;
}

static void save_spread(const struct rx_accumulator *a, struct rx_writer *w)
{
    rx_write_double(w, a->u.spread.mean.high);
    rx_write_double(w, a->u.spread.mean.low);
    rx_write_double(w, a->u.spread.squares.high);
    rx_write_double(w, a->u.spread.squares.low);
}

static void load_spread(struct rx_accumulator *a, struct rx_reader *r)
{
    a->u.spread.mean.high = rx_read_double(r);
    a->u.spread.mean.low = rx_read_double(r);
    a->u.spread.squares.high = rx_read_double(r);
    a->u.spread.squares.low = rx_read_double(r);
}

#define COUNT    NULL, save_count, load_count
#define NUMBER   NULL, save_number, load_number
#define EXTREME  clear_extreme, save_extreme, load_extreme
#define KEPT     clear_kept, save_kept, load_kept
#define SPREAD   NULL, save_spread, load_spread
#define SIZE(of) (offsetof(struct rx_accumulator, u) + sizeof(((struct rx_accumulator *)0)->u.of))
const struct rx_aggregate_function rx_aggregates_plain[] = {
    {"count", RX_COUNTS_TRUE, 0, 0, add_count, result_count, merge_count, COUNT, RX_KERNEL_COUNT, sizeof(uint64_t)},
    {"sum", 0, 0, 0, add_sum, result_sum, merge_sum, NUMBER, RX_KERNEL_SUM, SIZE(number)},
    {"avg", 0, 0, 0, add_sum, result_avg, merge_sum, NUMBER, RX_KERNEL_SUM, SIZE(number)},
    {"min", 0, 0, 0, add_least, result_extreme, merge_least, EXTREME, RX_KERNEL_LEAST, sizeof(struct rx_value)},
    {"max", 0, 0, 0, add_greatest, result_extreme, merge_greatest, EXTREME, RX_KERNEL_GREATEST,
     sizeof(struct rx_value)},
    {"first", 0, 0, 0, add_first, result_kept, merge_first, KEPT, RX_KERNEL_FIRST, SIZE(kept)},
    {"last", 0, 0, 0, add_last, result_kept, merge_last, KEPT, RX_KERNEL_LAST, SIZE(kept)},
    {"variance", 0, 0, 0, add_spread, result_variance, merge_spread, SPREAD, RX_KERNEL_NONE, SIZE(spread)},
    {"stddev", 0, 0, 0, add_spread, result_stddev, merge_spread, SPREAD, RX_KERNEL_NONE, SIZE(spread)},
    {0},
};

/* ---- what all have in common ---- */

const struct rx_aggregate_function *rx_aggregate_find(const char *name)
{
    const struct rx_aggregate_function *const tables[] = {rx_aggregates_plain, rx_aggregates_lists, rx_aggregates_timed,
                                                          rx_aggregates_sketches};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct rx_aggregate_function *f = tables[i]; f->name; f++)
            if (strcmp(f->name, name) == 0)
                return f;
    return NULL;
}

int rx_aggregate_add(const struct rx_aggregate_function *f, struct rx_accumulator *a, const struct rx_gathered *in,
                     struct rx_error *reterr)
{
    return f->add(a, in, reterr);
}

struct rx_value rx_aggregate_result(const struct rx_aggregate_function *f, const struct rx_accumulator *a,
                                    double constant, struct rx_heap *heap)
{
    struct rx_result_terms terms = {.constant = constant, .start = 1, .heap = heap};
    return f->result(a, &terms);
}

static bool is_extreme(const struct rx_aggregate_function *f)
{
    return f->kernel == RX_KERNEL_LEAST || f->kernel == RX_KERNEL_GREATEST;
}

static uint64_t count_of(const struct rx_aggregate_function *f, const struct rx_accumulator *a)
{
    if (is_extreme(f))
        return a->extreme.kind != RX_NULL;
    return f->kernel == RX_KERNEL_SUM ? a->count & ~RX_SUM_INEXACT : a->count;
}

bool rx_aggregate_is_empty(const struct rx_aggregate_function *f, const struct rx_accumulator *a)
{
    return count_of(f, a) == 0;
}

void rx_aggregate_clear(const struct rx_aggregate_function *f, struct rx_accumulator *a)
{
    if (f->clear)
        f->clear(a);
    memset(a, 0, f->size);
}

void rx_aggregate_save(const struct rx_aggregate_function *f, const struct rx_accumulator *a, struct rx_writer *w)
{
    rx_write_uint(w, count_of(f, a));
    f->save(a, w);
}

int rx_aggregate_load(const struct rx_aggregate_function *f, struct rx_accumulator *a, struct rx_reader *r)
{
    memset(a, 0, f->size);
    a->count = rx_read_uint(r);
    f->load(a, r);
    return r->failed;
}
