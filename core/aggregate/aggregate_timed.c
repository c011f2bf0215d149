/* Aggregate functions over samples in the order of their times: increase, rate, time_in, time_avg, ewma.
 *
 * An accumulator knows what lies between its first and its last sample; what lies before the first (from the last sample before
 * the window, the carry) and behind the last (to the window's end) the result adds. So accumulators of neighbouring times can be put
 * together. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/aggregate/aggregation_private.h"

/* Of one that has a sample. `sum`: the rise, or the value times its nanoseconds, or the mean so far; `rest`: of ewma, what
 * is left of the weight of what came before. */
struct timed {
    rx_time first_time, last_time;
    double first, last;
    struct rx_twofold sum, rest;
};

static const struct timed *timed_of(const struct rx_accumulator *a) { return a->u.state; }

static struct timed *begin(struct rx_accumulator *a, double x, rx_time time, struct rx_error *reterr)
{
    struct timed *t = calloc(1, sizeof *t);
    if (!t) {
        rx_aggregate_no_memory(reterr);
        return NULL;
    }
    *t = (struct timed){.first_time = time, .last_time = time, .first = x, .last = x};
    a->u.state = t;
    a->count = 1;
    return t;
}

static void clear_timed(struct rx_accumulator *a) { free(a->u.state); }

struct rx_carry rx_timed_last(const struct rx_accumulator *a)
{
    const struct timed *t = timed_of(a);
    return t ? (struct rx_carry){.time = t->last_time, .value = t->last, .known = true} : (struct rx_carry){0};
}

static int copy(struct rx_accumulator *into, const struct rx_accumulator *from)
{
    struct timed *t = malloc(sizeof *t);
    if (!t)
        return -ENOMEM;
    *t = *timed_of(from);
    into->u.state = t;
    into->count = from->count;
    return 0;
}

/* What two neighbours have between them: the rise of a counter, which begins at 0 where it has fallen; or a value's time. */
static double rise(double from, double to) { return to < from ? to : to - from; }

static struct rx_twofold lasting(double value, rx_time from, rx_time to)
{
    return rx_twofold_product(value, to > from ? (double)(to - from) : 0);
}

static void save_timed(const struct rx_accumulator *a, struct rx_writer *w)
{
    const struct timed *t = timed_of(a);
    if (!a->count)
        return;
    rx_write_int(w, t->first_time);
    rx_write_int(w, t->last_time);
    rx_write_double(w, t->first);
    rx_write_double(w, t->last);
    rx_write_double(w, t->sum.high);
    rx_write_double(w, t->sum.low);
    rx_write_double(w, t->rest.high);
    rx_write_double(w, t->rest.low);
}

static void load_timed(struct rx_accumulator *a, struct rx_reader *r)
{
    if (!a->count)
        return;
    struct timed *t = a->u.state = calloc(1, sizeof *t);
    if (!t) {
        a->count = 0;
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    t->first_time = rx_read_int(r);
    t->last_time = rx_read_int(r);
    t->first = rx_read_double(r);
    t->last = rx_read_double(r);
    t->sum.high = rx_read_double(r);
    t->sum.low = rx_read_double(r);
    t->rest.high = rx_read_double(r);
    t->rest.low = rx_read_double(r);
}

/* ---- increase, rate ---- */

static int add_rise(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    double x = 0;
    if (rx_gathered_number(in, &x, reterr) < 0)
        return -EINVAL;
    if (isnan(x))
        return 0;
    struct timed *t = a->u.state;
    if (!t)
        return begin(a, x, in->time, reterr) ? 0 : -ENOMEM;
    t->sum = rx_twofold_add(t->sum, rx_twofold_of(rise(t->last, x)));
    t->last = x;
    t->last_time = in->time;
    a->count++;
    return 0;
}

static int merge_rise(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    const struct timed *b = timed_of(later);
    struct timed *a = into->u.state;
    if (!b)
        return 0;
    if (!a)
        return copy(into, later);
    a->sum = rx_twofold_add(rx_twofold_add(a->sum, rx_twofold_of(rise(a->last, b->first))), b->sum);
    a->last = b->last;
    a->last_time = b->last_time;
    into->count += later->count;
    return 0;
}

static struct rx_value result_increase(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    const struct timed *t = timed_of(a);
    bool carried = terms->carry && terms->carry->known;
    if (!t)
        return carried ? rx_double(0) : rx_null();
    double before = carried ? rise(terms->carry->value, t->first) : 0;
    return rx_double(rx_twofold_value(rx_twofold_add(t->sum, rx_twofold_of(before))));
}

static struct rx_value result_rate(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    const struct timed *t = timed_of(a);
    struct rx_value increase = result_increase(a, terms);
    bool windowed = terms->start <= terms->end;
    rx_time length = windowed ? terms->end - terms->start : t ? t->last_time - t->first_time : 0;
    if (increase.kind != RX_DOUBLE || length <= 0)
        return rx_null();
    return rx_double(increase.u.d / ((double)length / 1e9));
}

/* ---- time_in, time_avg ---- */

static int add_state(struct rx_accumulator *a, double x, rx_time time, struct rx_error *reterr)
{
    struct timed *t = a->u.state;
    if (!t)
        return begin(a, x, time, reterr) ? 0 : -ENOMEM;
    t->sum = rx_twofold_add(t->sum, lasting(t->last, t->last_time, time));
    t->last = x;
    t->last_time = time > t->last_time ? time : t->last_time;
    a->count++;
    return 0;
}

static int add_time_in(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    if (in->value.kind != RX_BOOL)
        return rx_error_set(reterr, -EINVAL, "expected a condition, true or false, not %s",
                            rx_kind_name(in->value.kind));
    return add_state(a, in->value.u.b, in->time, reterr);
}

static int add_time_avg(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    double x = 0;
    if (rx_gathered_number(in, &x, reterr) < 0)
        return -EINVAL;
    return isnan(x) ? 0 : add_state(a, x, in->time, reterr);
}

static int merge_state(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    const struct timed *b = timed_of(later);
    struct timed *a = into->u.state;
    if (!b)
        return 0;
    if (!a)
        return copy(into, later);
    a->sum = rx_twofold_add(rx_twofold_add(a->sum, lasting(a->last, a->last_time, b->first_time)), b->sum);
    a->last = b->last;
    a->last_time = b->last_time;
    into->count += later->count;
    return 0;
}

/* The value times its nanoseconds from the window's start to its end, and how many of those are known. */
static struct rx_twofold whole_of(const struct rx_accumulator *a, const struct rx_result_terms *terms,
                                  rx_time *ret_known)
{
    const struct timed *t = timed_of(a);
    const struct rx_carry *carry = terms->carry && terms->carry->known ? terms->carry : NULL;
    bool windowed = terms->start <= terms->end;
    struct rx_twofold sum = {0, 0};
    rx_time end = windowed ? terms->until : t ? t->last_time : 0, from = end;
    if (carry && windowed) {
        from = terms->start;
        sum = lasting(carry->value, from, t ? t->first_time : end);
    } else if (t) {
        from = t->first_time;
    }
    if (t)
        sum = rx_twofold_add(rx_twofold_add(sum, t->sum), lasting(t->last, t->last_time, end));
    *ret_known = end > from ? end - from : 0;
    return sum;
}

static struct rx_value result_time_in(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    rx_time known;
    return rx_double(rx_twofold_value(whole_of(a, terms, &known)) / 1e9);
}

static struct rx_value result_time_avg(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    rx_time known;
    struct rx_twofold sum = whole_of(a, terms, &known);
    return known > 0 ? rx_double(rx_twofold_value(rx_twofold_divide(sum, (double)known))) : rx_null();
}

/* ---- ewma ---- */

static int add_ewma(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    struct rx_twofold rest = rx_twofold_sum(1, -in->constant);
    double x = 0;
    if (rx_gathered_number(in, &x, reterr) < 0)
        return -EINVAL;
    if (isnan(x))
        return 0;
    struct timed *t = a->u.state;
    if (!t) {
        t = begin(a, x, in->time, reterr);
        if (!t)
            return -ENOMEM;
        t->sum = rx_twofold_of(x);
        t->rest = rest;
        return 0;
    }
    t->sum = rx_twofold_add(rx_twofold_product(in->constant, x), rx_twofold_multiply(rest, t->sum));
    t->rest = rx_twofold_multiply(t->rest, rest);
    a->count++;
    return 0;
}

/* The later mean began at its first value in place of the earlier mean: what is left of the difference is added. */
static int merge_ewma(struct rx_accumulator *into, const struct rx_accumulator *later, double constant)
{
    (void)constant;
    const struct timed *b = timed_of(later);
    struct timed *a = into->u.state;
    if (!b)
        return 0;
    if (!a)
        return copy(into, later);
    struct rx_twofold apart = rx_twofold_add(a->sum, rx_twofold_of(-b->first));
    a->sum = rx_twofold_add(b->sum, rx_twofold_multiply(b->rest, apart));
    a->rest = rx_twofold_multiply(a->rest, b->rest);
    into->count += later->count;
    return 0;
}

static struct rx_value result_ewma(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    (void)terms;
    return a->count ? rx_double(rx_twofold_value(timed_of(a)->sum)) : rx_null();
}

enum { ORDERED = RX_WANTS_ORDER, CARRIED = ORDERED | RX_CARRIES };
#define TIMED clear_timed, save_timed, load_timed, RX_STATEFUL
const struct rx_aggregate_function rx_aggregates_timed[] = {
    {"increase", CARRIED, sizeof(struct timed), 0, add_rise, result_increase, merge_rise, TIMED},
    {"rate", CARRIED, sizeof(struct timed), 0, add_rise, result_rate, merge_rise, TIMED},
    {"time_in", CARRIED, sizeof(struct timed), 0, add_time_in, result_time_in, merge_state, TIMED},
    {"time_avg", CARRIED, sizeof(struct timed), 0, add_time_avg, result_time_avg, merge_state, TIMED},
    {"ewma", ORDERED, sizeof(struct timed), 0, add_ewma, result_ewma, merge_ewma, TIMED},
    {0},
};
