/* Quantiles: numbers, then buckets. */
#include "core/aggregate/quantiles.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NEGATIVE, POSITIVE, DROPPED_BITS = 52 - 7, ROUND_TO = 32, KEY_MAX = 2047 << 7 };

/* ---- buckets ---- */

static int32_t key_of(double magnitude)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    return (int32_t)(bits >> DROPPED_BITS);
}

static double edge(int32_t key)
{
    uint64_t bits = (uint64_t)key << DROPPED_BITS;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double middle(int32_t key)
{
    double low = edge(key), high = edge(key + 1);
    return isfinite(high) ? low + (high - low) / 2 : low;
}

/* The same counts from `base` on in `length` buckets; what lay below goes into the first. */
static int reshape(struct rx_buckets *b, int32_t base, uint32_t length)
{
    uint64_t *counts = calloc(length, sizeof *counts);
    if (!counts)
        return -ENOMEM;
    for (uint32_t i = 0; i < b->length; i++) {
        int32_t key = b->base + (int32_t)i;
        counts[key > base ? key - base : 0] += b->counts[i];
    }
    free(b->counts);
    *b = (struct rx_buckets){.counts = counts, .base = base, .length = length};
    return 0;
}

/* Makes room for the key and says in which bucket it counts: the lowest one where the greatest is too far away. */
static int find(struct rx_buckets *b, int32_t key, uint32_t *ret)
{
    int32_t top = b->length ? b->base + (int32_t)b->length - 1 : key, base = b->length ? b->base : key;
    if (!b->length || key > top || key < base) {
        top = key > top ? (key | (ROUND_TO - 1)) : top | (ROUND_TO - 1);
        base = key < base ? key & ~(ROUND_TO - 1) : base & ~(ROUND_TO - 1);
        if (top - base >= RX_QUANTILES_BUCKETS)
            base = top - RX_QUANTILES_BUCKETS + 1;
        if ((base != b->base || top != b->base + (int32_t)b->length - 1 || !b->length) &&
            reshape(b, base, (uint32_t)(top - base) + 1) < 0)
            return -ENOMEM;
    }
    *ret = key > b->base ? (uint32_t)(key - b->base) : 0;
    return 0;
}

static int count_in(struct rx_buckets *b, int32_t key, uint64_t n)
{
    uint32_t i;
    if (find(b, key, &i) < 0)
        return -ENOMEM;
    b->counts[i] += n;
    return 0;
}

static int put(struct rx_quantiles *q, double x)
{
    if (isinf(x))
        q->infinite[x > 0]++;
    else if (x == 0)
        q->zeros++;
    else
        return count_in(&q->buckets[x > 0], key_of(fabs(x)), 1);
    return 0;
}

/* ---- the few ---- */

static int become_buckets(struct rx_quantiles *q)
{
    struct rx_quantiles made = {.count = q->count, .least = q->least, .greatest = q->greatest, .bucketed = true};
    if (q->bucketed)
        return 0;
    for (uint64_t i = 0; i < q->count; i++)
        if (put(&made, q->exact[i]) < 0) {
            rx_quantiles_finish(&made);
            return -ENOMEM;
        }
    free(q->exact);
    *q = made;
    return 0;
}

static int keep(struct rx_quantiles *q, double x)
{
    if (q->count == q->exact_room) {
        uint32_t room = q->exact_room ? q->exact_room * 2 : 8;
        double *grown = realloc(q->exact, room * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        q->exact = grown;
        q->exact_room = room;
    }
    q->exact[q->count] = x;
    return 0;
}

static void widen(struct rx_quantiles *q, double least, double greatest, uint64_t count)
{
    q->least = q->count == 0 || least < q->least ? least : q->least;
    q->greatest = q->count == 0 || greatest > q->greatest ? greatest : q->greatest;
    q->count += count;
}

int rx_quantiles_add(struct rx_quantiles *q, double x)
{
    if (q->count == RX_QUANTILES_EXACT && become_buckets(q) < 0)
        return -ENOMEM;
    if ((q->bucketed ? put(q, x) : keep(q, x)) < 0)
        return -ENOMEM;
    widen(q, x, x, 1);
    return 0;
}

static int merge_buckets(struct rx_quantiles *into, const struct rx_quantiles *q)
{
    if (become_buckets(into) < 0)
        return -ENOMEM;
    for (int sign = NEGATIVE; sign <= POSITIVE; sign++) {
        const struct rx_buckets *b = &q->buckets[sign];
        into->infinite[sign] += q->infinite[sign];
        for (uint32_t i = b->length; i-- > 0;)
            if (b->counts[i] && count_in(&into->buckets[sign], b->base + (int32_t)i, b->counts[i]) < 0)
                return -ENOMEM;
    }
    into->zeros += q->zeros;
    widen(into, q->least, q->greatest, q->count);
    return 0;
}

int rx_quantiles_merge(struct rx_quantiles *into, const struct rx_quantiles *q)
{
    int r = 0;
    if (q->bucketed)
        return merge_buckets(into, q);
    for (uint64_t i = 0; i < q->count && r == 0; i++)
        r = rx_quantiles_add(into, q->exact[i]);
    return r;
}

/* ---- answers ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the numbers in order the one at `rank`, as far as buckets know; inside what they saw. */
static double ranked(const struct rx_quantiles *q, uint64_t rank)
{
    const struct rx_buckets *low = &q->buckets[NEGATIVE], *high = &q->buckets[POSITIVE];
    double x = INFINITY;
    uint64_t seen = q->infinite[NEGATIVE];
    if (rank < seen)
        return -INFINITY;
    for (uint32_t i = low->length; i-- > 0;)
        if ((seen += low->counts[i]) > rank) {
            x = -middle(low->base + (int32_t)i);
            goto found;
        }
    if ((seen += q->zeros) > rank)
        return 0;
    for (uint32_t i = 0; i < high->length; i++)
        if ((seen += high->counts[i]) > rank) {
            x = middle(high->base + (int32_t)i);
            goto found;
        }
found:
    return x < q->least ? q->least : x > q->greatest ? q->greatest : x;
}

/* On the way from one to the next; between infinities there is none. */
static double between(double low, double high, double part)
{
    return part <= 0 || low == high ? low : low + part * (high - low);
}

double rx_quantiles_at(const struct rx_quantiles *q, double part)
{
    double sorted[RX_QUANTILES_EXACT];
    if (!q->count)
        return NAN;
    double place = part * (double)(q->count - 1), whole = floor(place);
    uint64_t rank = (uint64_t)whole, above = rank + 1 < q->count ? rank + 1 : rank;
    if (part <= 0 || part >= 1)
        return part <= 0 ? q->least : q->greatest;
    if (q->bucketed)
        return between(ranked(q, rank), ranked(q, above), place - whole);
    memcpy(sorted, q->exact, q->count * sizeof *sorted);
    qsort(sorted, q->count, sizeof *sorted, compare);
    return between(sorted[rank], sorted[above], place - whole);
}

void rx_quantiles_finish(struct rx_quantiles *q)
{
    free(q->exact);
    free(q->buckets[NEGATIVE].counts);
    free(q->buckets[POSITIVE].counts);
    *q = (struct rx_quantiles){0};
}

/* ---- state ---- */

static void save_buckets(const struct rx_buckets *b, struct rx_writer *w)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < b->length; i++)
        used += b->counts[i] > 0;
    rx_write_uint(w, used);
    for (uint32_t i = b->length; i-- > 0;) {
        if (!b->counts[i])
            continue;
        rx_write_int(w, b->base + (int32_t)i);
        rx_write_uint(w, b->counts[i]);
    }
}

void rx_quantiles_save(const struct rx_quantiles *q, struct rx_writer *w)
{
    rx_write_uint(w, q->count);
    rx_write_bool(w, q->bucketed);
    rx_write_double(w, q->least);
    rx_write_double(w, q->greatest);
    for (uint64_t i = 0; !q->bucketed && i < q->count; i++)
        rx_write_double(w, q->exact[i]);
    if (!q->bucketed)
        return;
    rx_write_uint(w, q->zeros);
    for (int sign = NEGATIVE; sign <= POSITIVE; sign++) {
        rx_write_uint(w, q->infinite[sign]);
        save_buckets(&q->buckets[sign], w);
    }
}

static void load_buckets(struct rx_buckets *b, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        int64_t key = rx_read_int(r);
        uint64_t count = rx_read_uint(r);
        if (rx_reader_failed(r))
            return;
        if (key < 0 || key >= KEY_MAX)
            rx_reader_fail(r, -EBADMSG);
        else if (count_in(b, (int32_t)key, count) < 0)
            rx_reader_fail(r, -ENOMEM);
    }
}

static void load_exact(struct rx_quantiles *q, uint64_t count, struct rx_reader *r)
{
    if (count > RX_QUANTILES_EXACT)
        rx_reader_fail(r, -EBADMSG);
    for (; count > 0 && !rx_reader_failed(r); count--) {
        double x = rx_read_double(r);
        if (!rx_reader_failed(r) && rx_quantiles_add(q, x) < 0)
            rx_reader_fail(r, -ENOMEM);
    }
}

void rx_quantiles_load(struct rx_quantiles *q, struct rx_reader *r)
{
    uint64_t count = rx_read_uint(r);
    bool bucketed = rx_read_bool(r);
    double least = rx_read_double(r), greatest = rx_read_double(r);
    if (!bucketed) {
        load_exact(q, count, r);
        return;
    }
    *q = (struct rx_quantiles){.count = count, .least = least, .greatest = greatest, .bucketed = true};
    q->zeros = rx_read_uint(r);
    for (int sign = NEGATIVE; sign <= POSITIVE; sign++) {
        q->infinite[sign] = rx_read_uint(r);
        load_buckets(&q->buckets[sign], r);
    }
}
