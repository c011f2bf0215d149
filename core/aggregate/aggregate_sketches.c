/* Aggregate functions with a stated error: count_distinct, median, quantile. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/aggregate/aggregation_private.h"
#include "core/aggregate/distinct.h"
#include "core/aggregate/quantiles.h"

/* The function's own state, made at the first value. */
static void *state_of(struct rx_accumulator *a, size_t size)
{
    if (!a->u.state)
        a->u.state = calloc(1, size);
    return a->u.state;
}

/* ---- count_distinct ---- */

/* Neighbouring numbers have neighbouring hashes in some places; a sketch wants all bits good (Appleby's fmix64). */
static uint64_t mixed(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

static int add_distinct(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    struct rx_distinct *d = state_of(a, sizeof *d);
    if (!d || rx_distinct_add(d, mixed(rx_value_hash(in->value))) < 0)
        return rx_aggregate_no_memory(reterr);
    a->count++;
    return 0;
}

static int merge_distinct(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    if (!later->count)
        return 0;
    struct rx_distinct *d = state_of(into, sizeof *d);
    if (!d || rx_distinct_merge(d, later->u.state) < 0)
        return -ENOMEM;
    into->count += later->count;
    return 0;
}

static struct rx_value result_distinct(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    return rx_json_int(a->u.state ? (int64_t)rx_distinct_count(a->u.state) : 0);
}

static void clear_distinct(struct rx_accumulator *a)
{
    if (a->u.state)
        rx_distinct_finish(a->u.state);
    free(a->u.state);
}

static void save_distinct(const struct rx_accumulator *a, struct rx_writer *w)
{
    if (a->count)
        rx_distinct_save(a->u.state, w);
}

static void load_distinct(struct rx_accumulator *a, struct rx_reader *r)
{
    if (!a->count)
        return;
    if (!state_of(a, sizeof(struct rx_distinct))) {
        a->count = 0;
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    rx_distinct_load(a->u.state, r);
}

/* ---- median, quantile ---- */

static int add_number(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    double x;
    if (rx_gathered_number(in, &x, reterr) < 0)
        return -EINVAL;
    if (isnan(x))
        return 0;
    struct rx_quantiles *q = state_of(a, sizeof *q);
    if (!q || rx_quantiles_add(q, x) < 0)
        return rx_aggregate_no_memory(reterr);
    a->count++;
    return 0;
}

static int merge_numbers(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    if (!later->count)
        return 0;
    struct rx_quantiles *q = state_of(into, sizeof *q);
    if (!q || rx_quantiles_merge(q, later->u.state) < 0)
        return -ENOMEM;
    into->count += later->count;
    return 0;
}

static struct rx_value result_quantile(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    return a->count ? rx_double(rx_quantiles_at(a->u.state, terms->constant)) : rx_null();
}

static struct rx_value result_median(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    return a->count ? rx_double(rx_quantiles_at(a->u.state, 0.5)) : rx_null();
}

static void clear_numbers(struct rx_accumulator *a)
{
    if (a->u.state)
        rx_quantiles_finish(a->u.state);
    free(a->u.state);
}

static void save_numbers(const struct rx_accumulator *a, struct rx_writer *w)
{
    if (a->count)
        rx_quantiles_save(a->u.state, w);
}

static void load_numbers(struct rx_accumulator *a, struct rx_reader *r)
{
    if (!a->count)
        return;
    struct rx_quantiles *q = state_of(a, sizeof *q);
    if (!q) {
        a->count = 0;
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    rx_quantiles_load(q, r);
    if (q->count != a->count)
        rx_reader_fail(r, -EBADMSG);
}

#define DISTINCT merge_distinct, clear_distinct, save_distinct, load_distinct, RX_STATEFUL
#define NUMBERS  merge_numbers, clear_numbers, save_numbers, load_numbers, RX_STATEFUL
const struct rx_aggregate_function rx_aggregates_sketches[] = {
    {"count_distinct", 0, RX_DISTINCT_BYTES, 0, add_distinct, result_distinct, DISTINCT},
    {"median", 0, RX_QUANTILES_BYTES, 0, add_number, result_median, NUMBERS},
    {"quantile", 0, RX_QUANTILES_BYTES, 0, add_number, result_quantile, NUMBERS},
    {0},
};
