/* Arithmetic on numbers and times: CEL's overloads with overflow checked, and the number rules of LANGUAGE.md. */
#include <errno.h>
#include <math.h>

#include "core/expr/internal.h"

#define YEAR_1           INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define YEAR_9999        INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define DURATION_SECONDS INT64_C(315576000000)

bool rx_time_valid(int64_t seconds) { return seconds >= YEAR_1 && seconds <= YEAR_9999; }
bool rx_duration_valid(int64_t seconds) { return seconds >= -DURATION_SECONDS && seconds <= DURATION_SECONDS; }

struct rx_value rx_time_value(enum rx_kind kind, int64_t seconds, uint32_t nanos)
{
    return (struct rx_value){.kind = (uint8_t)kind, .aux = nanos, .u.i = seconds};
}

static bool is_whole(struct rx_value v) { return v.kind == RX_INT || v.kind == RX_UINT; }
static bool is_number(struct rx_value v) { return is_whole(v) || v.kind == RX_DOUBLE; }
static bool is_json(struct rx_value v) { return v.flags & RX_FLAG_JSON; }

static double as_double(struct rx_value v)
{
    return v.kind == RX_DOUBLE ? v.u.d : v.kind == RX_INT ? (double)v.u.i : (double)v.u.u;
}

static int on_doubles(enum rx_operator_code op, double a, double b, struct rx_value *ret)
{
    switch (op) {
    case O_ADD:
        *ret = rx_double(a + b);
        return 0;
    case O_SUB:
        *ret = rx_double(a - b);
        return 0;
    case O_MUL:
        *ret = rx_double(a * b);
        return 0;
    case O_DIV:
        *ret = rx_double(a / b);
        return 0;
    default:
        return -EINVAL;
    }
}

static int on_ints(enum rx_operator_code op, int64_t a, int64_t b, int64_t *ret)
{
    switch (op) {
    case O_ADD:
        return __builtin_add_overflow(a, b, ret) ? -ERANGE : 0;
    case O_SUB:
        return __builtin_sub_overflow(a, b, ret) ? -ERANGE : 0;
    case O_MUL:
        return __builtin_mul_overflow(a, b, ret) ? -ERANGE : 0;
    default:
        if (b == 0)
            return -EDOM;
        if (a == INT64_MIN && b == -1) {
            *ret = 0;
            return op == O_MOD ? 0 : -ERANGE;
        }
        *ret = op == O_DIV ? a / b : a % b;
        return 0;
    }
}

static int on_uints(enum rx_operator_code op, uint64_t a, uint64_t b, uint64_t *ret)
{
    switch (op) {
    case O_ADD:
        return __builtin_add_overflow(a, b, ret) ? -ERANGE : 0;
    case O_SUB:
        return __builtin_sub_overflow(a, b, ret) ? -ERANGE : 0;
    case O_MUL:
        return __builtin_mul_overflow(a, b, ret) ? -ERANGE : 0;
    default:
        if (b == 0)
            return -EDOM;
        *ret = op == O_DIV ? a / b : a % b;
        return 0;
    }
}

/* One of them is a whole JSON number: exact while it fits an int64, a double beyond; division never truncates. */
static int on_json(enum rx_operator_code op, struct rx_value a, struct rx_value b, struct rx_value *ret)
{
    int64_t result;
    bool fits = (a.kind == RX_INT || a.u.u <= INT64_MAX) && (b.kind == RX_INT || b.u.u <= INT64_MAX);
    if (op == O_DIV)
        return on_doubles(op, as_double(a), as_double(b), ret);
    int r = fits ? on_ints(op, a.u.i, b.u.i, &result) : -ERANGE;
    if (r == 0)
        *ret = rx_json_int(result);
    if (r != -ERANGE)
        return r;
    return op == O_MOD ? -ERANGE : on_doubles(op, as_double(a), as_double(b), ret);
}

static int on_numbers(enum rx_operator_code op, struct rx_value a, struct rx_value b, struct rx_value *ret)
{
    if (a.kind == RX_DOUBLE || b.kind == RX_DOUBLE)
        return on_doubles(op, as_double(a), as_double(b), ret);
    if (is_json(a) || is_json(b))
        return on_json(op, a, b, ret);
    if (a.kind != b.kind)
        return -EINVAL;
    struct rx_value result = {.kind = a.kind};
    int r = a.kind == RX_INT ? on_ints(op, a.u.i, b.u.i, &result.u.i) : on_uints(op, a.u.u, b.u.u, &result.u.u);
    if (r == 0)
        *ret = result;
    return r;
}

/* a + b or a - b of (seconds, nanoseconds) pairs. */
static int on_spans(enum rx_operator_code op, struct rx_value a, struct rx_value b, enum rx_kind kind,
                    struct rx_value *ret)
{
    int64_t seconds;
    int64_t nanos = op == O_ADD ? (int64_t)a.aux + b.aux : (int64_t)a.aux - b.aux;
    int r = on_ints(op, a.u.i, b.u.i, &seconds);
    if (r < 0)
        return r;
    if (nanos < 0) {
        nanos += 1000000000;
        seconds--;
    } else if (nanos >= 1000000000) {
        nanos -= 1000000000;
        seconds++;
    }
    /* between two times CEL's implementations count int64 nanoseconds: 292 years */
    bool apart = a.kind == RX_TIMESTAMP && b.kind == RX_TIMESTAMP;
    if (kind == RX_TIMESTAMP ? !rx_time_valid(seconds) : !rx_duration_valid(seconds))
        return -ERANGE;
    if (apart && (seconds > INT64_MAX / 1000000000 - 1 || seconds < INT64_MIN / 1000000000 + 1))
        return -ERANGE;
    *ret = rx_time_value(kind, seconds, (uint32_t)nanos);
    return 0;
}

int rx_arith(enum rx_operator_code op, struct rx_value a, struct rx_value b, struct rx_value *ret)
{
    if (is_number(a) && is_number(b))
        return on_numbers(op, a, b, ret);
    bool time_a = a.kind == RX_TIMESTAMP, time_b = b.kind == RX_TIMESTAMP;
    bool span_a = a.kind == RX_DURATION, span_b = b.kind == RX_DURATION;
    if (op == O_ADD && ((time_a && span_b) || (span_a && time_b)))
        return on_spans(op, a, b, RX_TIMESTAMP, ret);
    if (op == O_SUB && time_a && span_b)
        return on_spans(op, a, b, RX_TIMESTAMP, ret);
    if ((op == O_ADD && span_a && span_b) || (op == O_SUB && ((span_a && span_b) || (time_a && time_b))))
        return on_spans(op, a, b, RX_DURATION, ret);
    return -EINVAL;
}

int rx_negate(struct rx_value a, struct rx_value *ret)
{
    if (a.kind == RX_DOUBLE) {
        *ret = rx_double(-a.u.d);
        return 0;
    }
    if (a.kind == RX_UINT && is_json(a)) {
        *ret = rx_double(-(double)a.u.u);
        return 0;
    }
    if (a.kind != RX_INT)
        return -EINVAL;
    if (a.u.i == INT64_MIN && !is_json(a))
        return -ERANGE;
    *ret = a.u.i == INT64_MIN ? rx_double(-(double)a.u.i)
                              : (struct rx_value){.kind = RX_INT, .flags = a.flags, .u.i = -a.u.i};
    return 0;
}
