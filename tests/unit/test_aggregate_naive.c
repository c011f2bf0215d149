// layer: core
/* Every aggregate over random streams, windows and removals, against a plain computation of what it says: equal, or within the
 * error that docs/expressions.md states. The window slides over panes, as in the steps that share them. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/aggregate/distinct.h"
#include "core/aggregate/quantiles.h"
#include "core/aggregate/sliding.h"

static const char *const texts[] = {"count()",
                                    "count(v > 0)",
                                    "sum(v)",
                                    "avg(v)",
                                    "min(v)",
                                    "max(v)",
                                    "first(v)",
                                    "last(v)",
                                    "collect(v)",
                                    "collect(v, 3)",
                                    "count_distinct(d)",
                                    "median(v)",
                                    "quantile(v, 0.9)",
                                    "stddev(v)",
                                    "variance(v)",
                                    "top(3, v, d)",
                                    "increase(n)",
                                    "rate(n)",
                                    "time_in(v > 0)",
                                    "time_avg(v)",
                                    "ewma(v, 0.25)"};
enum { CALLS = sizeof texts / sizeof *texts, SAMPLES = 3000 };

static struct rx_heap *heap;
static struct rx_expr *exprs[CALLS];
static struct rx_aggregation calls;
static uint64_t seed;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

struct sample {
    rx_time time;
    double v, n;
    int d;
};
static struct sample samples[SAMPLES];
static size_t first, end; /* of those in the window */

/* ---- plain ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double nearest; /* of the two that the last quantile lay between, the greater magnitude */

static double quantile(double q)
{
    static double sorted[SAMPLES];
    size_t n = end - first;
    for (size_t i = 0; i < n; i++)
        sorted[i] = samples[first + i].v;
    qsort(sorted, n, sizeof *sorted, by_size);
    double place = q * (double)(n - 1);
    size_t at = (size_t)place;
    nearest = fmax(fabs(sorted[at]), fabs(sorted[at + 1 < n ? at + 1 : at]));
    return at + 1 < n ? sorted[at] + (place - (double)at) * (sorted[at + 1] - sorted[at]) : sorted[at];
}

static double distinct(void)
{
    static bool seen[SAMPLES];
    double n = 0;
    memset(seen, 0, sizeof seen);
    for (size_t i = first; i < end; i++) {
        n += !seen[samples[i].d];
        seen[samples[i].d] = true;
    }
    return n;
}

static double variance(void)
{
    long double n = (long double)(end - first), mean = 0, squares = 0;
    for (size_t i = first; i < end; i++)
        mean += samples[i].v / n;
    for (size_t i = first; i < end; i++)
        squares += (samples[i].v - mean) * (samples[i].v - mean);
    return n < 2 ? NAN : (double)(squares / (n - 1));
}

/* From the last sample before the window on. */
static double increase(void)
{
    double sum = 0;
    for (size_t i = first ? first : 1; i < end; i++)
        sum += samples[i].n < samples[i - 1].n ? samples[i].n : samples[i].n - samples[i - 1].n;
    return sum;
}

/* The value's seconds in [start, until), each lasting to the next; `held`: of v > 0 alone. */
static double lasting(rx_time start, rx_time until, bool held, double *ret_known)
{
    long double sum = 0, known = 0;
    for (size_t i = first ? first - 1 : 0; i < end; i++) {
        rx_time from = samples[i].time < start ? start : samples[i].time;
        rx_time to = i + 1 < end ? samples[i + 1].time : until;
        long double seconds = to > from ? (long double)(to - from) / 1e9L : 0;
        sum += (held ? samples[i].v > 0 : samples[i].v) * seconds;
        known += seconds;
    }
    *ret_known = (double)known;
    return (double)sum;
}

static double ewma(double alpha)
{
    double y = samples[first].v;
    for (size_t i = first + 1; i < end; i++)
        y = alpha * samples[i].v + (1 - alpha) * y;
    return y;
}

static double plain(size_t call, rx_time start, rx_time until)
{
    double least = INFINITY, greatest = -INFINITY, sum = 0, positive = 0, known;
    size_t n = end - first;
    for (size_t i = first; i < end; i++) {
        least = fmin(least, samples[i].v);
        greatest = fmax(greatest, samples[i].v);
        sum += samples[i].v;
        positive += samples[i].v > 0;
    }
    switch (call) {
    case 0:
        return (double)n;
    case 1:
        return positive;
    case 2:
        return sum;
    case 3:
        return sum / (double)n;
    case 4:
        return least;
    case 5:
        return greatest;
    case 6:
        return samples[first].v;
    case 7:
        return samples[end - 1].v;
    case 10:
        return distinct();
    case 11:
        return quantile(0.5);
    case 12:
        return quantile(0.9);
    case 13:
        return sqrt(variance());
    case 14:
        return variance();
    case 16:
        return increase();
    case 17:
        return increase() / ((double)(until - start) / 1e9);
    case 18:
        return lasting(start, until, true, &known);
    case 19:
        sum = lasting(start, until, false, &known);
        return sum / known;
    default:
        return ewma(0.25);
    }
}

/* ---- lists ---- */

static double number(struct rx_value v) { return v.kind == RX_DOUBLE ? v.u.d : v.kind == RX_INT ? (double)v.u.i : NAN; }

static void check_collected(struct rx_value list, size_t limit)
{
    size_t n = end - first < limit ? end - first : limit;
    ck_assert_int_eq(list.kind, RX_LIST);
    ck_assert_uint_eq(list.u.list->count, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq(number(list.u.list->items[i]), samples[first + i].v);
}

/* The next best each time, of equal ones the earliest. */
static void check_top(struct rx_value list, size_t limit)
{
    static bool taken[SAMPLES];
    size_t n = end - first < limit ? end - first : limit;
    memset(taken, 0, sizeof taken);
    ck_assert_uint_eq(list.u.list->count, n);
    for (size_t k = 0; k < n; k++) {
        size_t best = SIZE_MAX;
        for (size_t i = first; i < end; i++)
            if (!taken[i] && (best == SIZE_MAX || samples[i].v > samples[best].v))
                best = i;
        taken[best] = true;
        ck_assert_double_eq(number(list.u.list->items[k]), samples[best].d);
    }
}

/* ---- the stream ---- */

static double tolerance(size_t call, double want)
{
    if ((call == 11 || call == 12) && end - first > RX_QUANTILES_EXACT)
        return 0.004 * nearest + 1e-12;
    if (call == 10 && want > RX_DISTINCT_EXACT)
        return 4 * 0.01625 * want;
    return 1e-9 * (1 + fabs(want));
}

static void check_window(const struct rx_sliding *s, rx_time start, rx_time until)
{
    struct rx_accumulator total[CALLS] = {0};
    struct rx_mark mark = {.start = start, .end = until};
    struct rx_aggregation_scope scope = {.mark = &mark, .until = RX_TIME_NEVER, .carries = s->carries};
    ck_assert_int_eq(rx_sliding_total(s, total), 0);
    for (size_t i = 0; i < CALLS && end > first; i++) {
        struct rx_value got = rx_aggregation_call(&calls, i, rx_accumulator_of(&calls, total, i), &scope, heap);
        if (i == 8 || i == 9)
            check_collected(got, i == 8 ? SIZE_MAX : 3);
        else if (i == 15)
            check_top(got, 3);
        else {
            double want = plain(i, start, until), is = number(got);
            ck_assert_msg((isnan(want) && isnan(is)) || fabs(is - want) <= tolerance(i, want),
                          "%s of %zu samples: %.17g, want %.17g", texts[i], end - first, is, want);
        }
        rx_value_unref(got);
    }
    rx_aggregation_clear(&calls, total);
}

static void put(struct rx_sliding *s, const struct sample *x)
{
    char text[160];
    struct rx_event event = {.time = x->time};
    int n = snprintf(text, sizeof text, "{\"v\":%.17g,\"n\":%.17g,\"d\":%d.0}", x->v, x->n, x->d);
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, text, (size_t)n, &event.value, NULL), 0);
    ck_assert_int_eq(rx_sliding_add(s, s->count - 1, &calls, &event, NULL), 0);
    rx_event_unref(&event);
}

static void reload(struct rx_sliding *s)
{
    struct rx_writer w = {0};
    rx_sliding_save(s, &w);
    rx_sliding_finish(s);
    ck_assert_int_eq(rx_sliding_init(s, &calls), 0);
    struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = heap};
    ck_assert_int_eq(rx_sliding_load(s, &r), 0);
    ck_assert_uint_eq(r.position, r.length);
    rx_buffer_finish(&w.buffer);
}

/* Panes of `most` samples at the most, as many of them in the window. */
static void slide(uint64_t with, unsigned most, size_t panes, int kinds)
{
    struct rx_sliding s;
    size_t ends[SAMPLES], oldest = 0, made = 0;
    rx_time time = 1000;
    double counter = 0;
    seed = with * 0x9E3779B97F4A7C15u + 1;
    first = end = 0;
    ck_assert_int_eq(rx_sliding_init(&s, &calls), 0);
    while (end + most < SAMPLES && made < SAMPLES) {
        rx_time begins = time;
        ck_assert_ptr_nonnull(rx_sliding_insert(&s, s.count, begins));
        for (unsigned n = (unsigned)(draw() % (most + 1)); n > 0; n--) {
            time += (rx_time)(draw() % 1000) * RX_MSEC;
            counter = draw() % 20 == 0 ? (double)(draw() % 5) : counter + (double)(draw() % 7);
            samples[end] =
                (struct sample){time, ((double)(draw() % 20001) - 8000) / 64, counter, (int)(draw() % (unsigned)kinds)};
            put(&s, &samples[end++]);
        }
        time += RX_MSEC;
        ends[made++] = end;
        ck_assert_int_eq(rx_sliding_settle(&s, s.count), 0);
        while (s.count > panes || (s.count > 1 && draw() % 8 == 0)) {
            ck_assert_int_eq(rx_sliding_pop(&s), 0);
            first = ends[oldest++];
        }
        if (draw() % 16 == 0)
            reload(&s);
        if (draw() % 4 == 0)
            check_window(&s, rx_sliding_at(&s, 0)->start, time);
    }
    rx_sliding_finish(&s);
}

START_TEST(sliding_windows_of_every_aggregate)
{
    for (uint64_t i = 1; i <= 24; i++)
        slide(i, (unsigned)(1 + i % 7), 1 + i * i % 61, 50);
}
END_TEST

START_TEST(large_windows_within_the_stated_error)
{
    slide(1, 600, 1000, 3000);
    slide(2, 1400, 2, 3000);
}
END_TEST

/* ---- late events: into what is in totals already, and into panes that were not there ---- */

START_TEST(late_events_count_in_every_total)
{
    struct rx_sliding s;
    ck_assert_int_eq(rx_sliding_init(&s, &calls), 0);
    for (size_t i = 0; i < 12; i++) {
        ck_assert_ptr_nonnull(rx_sliding_insert(&s, s.count, (rx_time)(i * 10)));
        put(&s, &(struct sample){.time = (rx_time)(i * 10 + 5), .v = 1});
    }
    rx_sliding_settle(&s, 8);
    rx_sliding_pop(&s); /* a front, a back and open panes from now on */
    rx_sliding_settle(&s, 10);
    for (size_t at = 0; at < s.count; at++) {
        struct rx_event event = {.time = rx_sliding_at(&s, at)->start + 7, .value = rx_double(2)};
        ck_assert_int_eq(rx_sliding_add(&s, at, &calls, &event, NULL), 0);
    }
    for (rx_time t = 15; t < 100; t += 10) {
        size_t at = rx_sliding_search(&s, t);
        ck_assert_ptr_nonnull(rx_sliding_insert(&s, at, t));
        struct rx_event event = {.time = t, .value = rx_int(1)};
        rx_sliding_add(&s, at, &calls, &event, NULL);
    }
    while (s.settled > 1) {
        struct rx_accumulator total[CALLS] = {0};
        size_t want = 0;
        for (size_t i = 0; i < s.settled; i++)
            want += rx_sliding_at(&s, i)->events;
        ck_assert_int_eq(rx_sliding_total(&s, total), 0);
        ck_assert_uint_eq(total[0].count, want);
        rx_aggregation_clear(&calls, total);
        rx_sliding_pop(&s);
    }
    rx_sliding_finish(&s);
}
END_TEST

/* ---- sketches alone ---- */

START_TEST(a_sketch_counts_exactly_to_its_limit_and_then_nearly)
{
    static const uint64_t counts[] = {1, 511, 512, 513, 1000, 5000, 100000, 1000000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct rx_distinct d = {0};
        seed = 77 + c;
        for (uint64_t i = 0; i < counts[c]; i++)
            ck_assert_int_eq(rx_distinct_add(&d, draw() * 0x9E3779B97F4A7C15u), 0);
        double got = (double)rx_distinct_count(&d), want = (double)counts[c];
        ck_assert_msg(counts[c] <= RX_DISTINCT_EXACT ? got == want : fabs(got / want - 1) < 3 * 0.01625,
                      "%.0f for %.0f", got, want);
        ck_assert((d.registers != NULL) == (counts[c] > RX_DISTINCT_EXACT));
        rx_distinct_finish(&d);
    }
}
END_TEST

static double spread(unsigned kind)
{
    double u = (double)(draw() % 1000000 + 1) / 1000001;
    return kind == 0 ? u * 50 - 20 : kind == 1 ? exp(u * 40 - 20) : kind == 2 ? -exp(u * 8) : u < 0.3 ? 0 : -log(u);
}

START_TEST(a_sketch_finds_every_quantile_within_its_error)
{
    enum { N = 20000 };
    static double all[N];
    for (unsigned kind = 0; kind < 4; kind++) {
        struct rx_quantiles whole = {0}, parts[3] = {{0}, {0}, {0}};
        seed = kind + 5;
        for (size_t i = 0; i < N; i++) {
            all[i] = spread(kind);
            ck_assert_int_eq(rx_quantiles_add(&whole, all[i]), 0);
            ck_assert_int_eq(rx_quantiles_add(&parts[draw() % 3], all[i]), 0);
        }
        rx_quantiles_merge(&parts[2], &parts[0]);
        rx_quantiles_merge(&parts[2], &parts[1]);
        qsort(all, N, sizeof *all, by_size);
        double greatest = fmax(fabs(all[0]), fabs(all[N - 1]));
        for (int p = 0; p <= 1000; p++) {
            double place = p / 1000.0 * (N - 1), want = all[(size_t)place];
            double next = (size_t)place + 1 < N ? all[(size_t)place + 1] : want;
            want += (place - floor(place)) * (next - want);
            double got = rx_quantiles_at(&whole, p / 1000.0);
            ck_assert_msg(fabs(got - want) <= 0.004 * fmax(fabs(want), fabs(next)) + greatest * 0x1p-31,
                          "%u: %g at %d, want %g", kind, got, p, want);
            ck_assert_double_eq(got, rx_quantiles_at(&parts[2], p / 1000.0));
        }
        rx_quantiles_finish(&whole);
        for (size_t i = 0; i < 3; i++)
            rx_quantiles_finish(&parts[i]);
    }
}
END_TEST

START_TEST(the_buckets_of_a_sketch_are_bounded)
{
    struct rx_quantiles q = {0};
    for (int i = -1000; i <= 1000; i++) {
        rx_quantiles_add(&q, ldexp(1, i));
        rx_quantiles_add(&q, -ldexp(1, -i));
    }
    rx_quantiles_add(&q, INFINITY);
    rx_quantiles_add(&q, -INFINITY);
    ck_assert_uint_le(q.buckets[0].length, RX_QUANTILES_BUCKETS);
    ck_assert_uint_eq(q.buckets[1].length, RX_QUANTILES_BUCKETS);
    ck_assert_double_eq(rx_quantiles_at(&q, 1), INFINITY);
    ck_assert_double_eq(rx_quantiles_at(&q, 0), -INFINITY);
    ck_assert_double_eq_tol(rx_quantiles_at(&q, 4002.0 / 4003), ldexp(1, 1000), ldexp(1, 1000) * 0.004);
    rx_quantiles_finish(&q);
}
END_TEST

/* ---- set-up ---- */

static void setup(void)
{
    heap = rx_heap_create(NULL);
    calls = (struct rx_aggregation){0};
    for (size_t i = 0; i < CALLS; i++) {
        struct rx_expr_options options = {.heap = heap, .flags = RX_EXPR_AGGREGATES};
        struct rx_error error = {0};
        ck_assert_msg(rx_expr_compile(texts[i], strlen(texts[i]), &options, &exprs[i], &error) == 0, "%s",
                      error.message);
        ck_assert_int_eq(rx_aggregation_add_call(&calls, rx_expr_aggregate(exprs[i], 0), &error), 0);
    }
}

static void teardown(void)
{
    for (size_t i = 0; i < CALLS; i++)
        rx_expr_destroy(exprs[i]);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

int main(void)
{
    Suite *suite = suite_create("aggregate_naive");
    TCase *tests = tcase_create("aggregate_naive");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, sliding_windows_of_every_aggregate);
    tcase_add_test(tests, large_windows_within_the_stated_error);
    tcase_add_test(tests, late_events_count_in_every_total);
    tcase_add_test(tests, a_sketch_counts_exactly_to_its_limit_and_then_nearly);
    tcase_add_test(tests, a_sketch_finds_every_quantile_within_its_error);
    tcase_add_test(tests, the_buckets_of_a_sketch_are_bounded);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
