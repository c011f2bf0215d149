/* The math extension of CEL. Whole JSON numbers go where doubles go, and where ints go. */
#include <errno.h>
#include <math.h>

#include "core/expr/functions.h"

static double as_double(struct rx_value v)
{
    return v.kind == RX_DOUBLE ? v.u.d : v.kind == RX_INT ? (double)v.u.i : (double)v.u.u;
}

static bool is_number(struct rx_value v) { return v.kind == RX_INT || v.kind == RX_UINT || v.kind == RX_DOUBLE; }

/* ---- greatest, least ---- */

static bool is_nan_value(struct rx_value v) { return v.kind == RX_DOUBLE && isnan(v.u.d); }

/* The extreme of some values; `sign` 1: the greatest. Strict, as CEL's: all numbers, and none of several NaN. Else all of one
 * ordered kind, and null and NaN are skipped, so that it does not matter where they stand. */
static int extreme_of(struct rx_call *call, const struct rx_value *values, uint32_t count, int sign, bool strict,
                      struct rx_value *ret)
{
    const struct rx_value *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (strict && !is_number(values[i]))
            return -EINVAL;
        if (strict && count > 1 && is_nan_value(values[i]))
            return rx_call_fail(call, -EINVAL, "NaN values cannot be ordered");
        if (!strict && (values[i].kind == RX_NULL || is_nan_value(values[i])))
            continue;
        int order = best ? rx_value_compare(values[i], *best) : sign;
        if (order == 2)
            return -EINVAL;
        if (order == sign)
            best = &values[i];
    }
    if (!best)
        return rx_call_fail(call, strict ? -EINVAL : -ENODATA, "%s has no values to choose from", call->function->name);
    *ret = rx_value_ref(*best);
    return 0;
}

static int extreme(struct rx_call *call, const struct rx_value *args, unsigned count, int sign, bool strict,
                   struct rx_value *ret)
{
    if (count == 1 && args[0].kind == RX_LIST)
        return extreme_of(call, args[0].u.list->items, args[0].u.list->count, sign, strict, ret);
    return extreme_of(call, args, count, sign, strict, ret);
}

static int greatest(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    return extreme(call, args, count, 1, true, ret);
}

static int least(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    return extreme(call, args, count, -1, true, ret);
}

static int max_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    return extreme(call, args, count, 1, false, ret);
}

static int min_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    return extreme(call, args, count, -1, false, ret);
}

/* ---- rounding ---- */

#define ROUNDING(name, function)                                                                                       \
    static int name(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)           \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        (void)count;                                                                                                   \
        *ret = args[0].kind == RX_DOUBLE ? rx_double(function(args[0].u.d)) : args[0];                                 \
        return 0;                                                                                                      \
    }
ROUNDING(ceil_of, ceil)
ROUNDING(floor_of, floor)
ROUNDING(round_of, round)
ROUNDING(trunc_of, trunc)

static int sqrt_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_double(sqrt(as_double(args[0])));
    return 0;
}

static int exp_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_double(exp(as_double(args[0])));
    return 0;
}

static int log_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_double(log(as_double(args[0])));
    return 0;
}

static int pow_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_double(pow(as_double(args[0]), as_double(args[1])));
    return 0;
}

static int abs_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_value v = args[0];
    if (v.kind == RX_DOUBLE) {
        *ret = rx_double(fabs(v.u.d));
        return 0;
    }
    if (v.kind == RX_UINT || v.u.i >= 0) {
        *ret = v;
        return 0;
    }
    int r = rx_negate(v, ret);
    return r < 0 ? rx_call_fail(call, r, "integer overflow: int has no positive %lld", (long long)v.u.i) : 0;
}

static int sign_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    struct rx_value v = args[0];
    if (v.kind == RX_DOUBLE)
        *ret = rx_double(isnan(v.u.d) ? v.u.d : (double)((v.u.d > 0) - (v.u.d < 0)));
    else if (v.kind == RX_UINT)
        *ret = rx_uint(v.u.u > 0);
    else
        *ret = (struct rx_value){.kind = RX_INT, .flags = v.flags, .u.i = (v.u.i > 0) - (v.u.i < 0)};
    return 0;
}

static int is_nan(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_bool(isnan(as_double(args[0])));
    return 0;
}

static int is_inf(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_bool(isinf(as_double(args[0])));
    return 0;
}

static int is_finite(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_bool(isfinite(as_double(args[0])));
    return 0;
}

/* ---- bits ---- */

enum bit_operation { AND, OR, XOR, LEFT, RIGHT };

static struct rx_value whole_like(struct rx_value like, uint64_t bits)
{
    return (struct rx_value){.kind = like.kind, .flags = like.flags, .u.u = bits};
}

static int on_bits(struct rx_call *call, const struct rx_value *args, enum bit_operation op, struct rx_value *ret)
{
    uint64_t a = args[0].u.u, b = args[1].u.u;
    if (args[0].kind != args[1].kind && !((args[0].flags | args[1].flags) & RX_FLAG_JSON))
        return rx_call_fail(call, -EINVAL, "%s needs two ints or two uints: no such overload", call->function->name);
    *ret = whole_like(args[0], op == AND ? a & b : op == OR ? a | b : a ^ b);
    return 0;
}

static int bit_and(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return on_bits(call, args, AND, ret);
}

static int bit_or(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return on_bits(call, args, OR, ret);
}

static int bit_xor(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return on_bits(call, args, XOR, ret);
}

static int bit_not(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = whole_like(args[0], ~args[0].u.u);
    return 0;
}

static int shift(struct rx_call *call, const struct rx_value *args, enum bit_operation op, struct rx_value *ret)
{
    struct rx_value v = args[0];
    if (args[1].u.i < 0)
        return rx_call_fail(call, -ERANGE, "negative offset: %lld", (long long)args[1].u.i);
    uint64_t by = args[1].u.u;
    *ret = whole_like(v, by > 63 ? 0 : op == LEFT ? v.u.u << by : v.u.u >> by);
    return 0;
}

static int shift_left(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return shift(call, args, LEFT, ret);
}

static int shift_right(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return shift(call, args, RIGHT, ret);
}

#define ROUNDABLE (RX_K_DOUBLE | RX_K_JSON)
#define MANY                                                                                                           \
    {                                                                                                                  \
        RX_K_NUMBER | RX_K_LIST, RX_K_NUMBER, RX_K_NUMBER, RX_K_NUMBER                                                 \
    }

const struct rx_function rx_functions_math[] = {
    {"math.greatest", RX_F_GLOBAL, 1, 255, MANY, RX_K_NUMBER, greatest, "math.greatest(a, b, ...)",
     "The greatest of the numbers, or of a list of numbers.", "math.greatest(1, 2.5, 2)", "2.5"},
    {"math.least", RX_F_GLOBAL, 1, 255, MANY, RX_K_NUMBER, least, "math.least(a, b, ...)",
     "The least of the numbers, or of a list of numbers.", "math.least([3, 1, 2])", "1"},
    {"max",
     RX_F_GLOBAL,
     1,
     255,
     {0},
     RX_K_ALL,
     max_of,
     "max(list)",
     "The greatest element of a list, or of the arguments; null and NaN are skipped. In aggregate: of the window.",
     "max([3, 1, 2])",
     "3"},
    {"min",
     RX_F_GLOBAL,
     1,
     255,
     {0},
     RX_K_ALL,
     min_of,
     "min(list)",
     "The least element of a list, or of the arguments; null and NaN are skipped. In aggregate: of the window.",
     "min(3, 1, 2)",
     "1"},
    {"math.ceil",
     RX_F_GLOBAL,
     1,
     1,
     {ROUNDABLE},
     ROUNDABLE,
     ceil_of,
     "math.ceil(x)",
     "The next whole number above.",
     "math.ceil(1.2)",
     "2"},
    {"math.floor",
     RX_F_GLOBAL,
     1,
     1,
     {ROUNDABLE},
     ROUNDABLE,
     floor_of,
     "math.floor(x)",
     "The next whole number below.",
     "math.floor(-1.2)",
     "-2"},
    {"math.round",
     RX_F_GLOBAL,
     1,
     1,
     {ROUNDABLE},
     ROUNDABLE,
     round_of,
     "math.round(x)",
     "The nearest whole number, halves away from zero.",
     "math.round(-1.5)",
     "-2"},
    {"math.trunc",
     RX_F_GLOBAL,
     1,
     1,
     {ROUNDABLE},
     ROUNDABLE,
     trunc_of,
     "math.trunc(x)",
     "The whole part.",
     "math.trunc(-1.7)",
     "-1"},
    {"math.sqrt",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_NUMBER},
     RX_K_DOUBLE,
     sqrt_of,
     "math.sqrt(x)",
     "The square root; NaN for negative numbers.",
     "math.sqrt(81)",
     "9"},
    {"math.pow",
     RX_F_GLOBAL,
     2,
     2,
     {RX_K_NUMBER, RX_K_NUMBER},
     RX_K_DOUBLE,
     pow_of,
     "math.pow(x, y)",
     "x to the power of y, a double; NaN where there is none.",
     "math.pow(2, 10)",
     "1024"},
    {"math.exp",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_NUMBER},
     RX_K_DOUBLE,
     exp_of,
     "math.exp(x)",
     "e to the power of x.",
     "math.exp(0)",
     "1"},
    {"math.log",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_NUMBER},
     RX_K_DOUBLE,
     log_of,
     "math.log(x)",
     "The natural logarithm; NaN for negative numbers, -Infinity for 0. To another base: math.log(x) / math.log(base).",
     "math.log(1)",
     "0"},
    {"math.abs",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_NUMBER},
     RX_K_NUMBER,
     abs_of,
     "math.abs(x)",
     "Without its sign.",
     "math.abs(-11.5)",
     "11.5"},
    {"math.sign",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_NUMBER},
     RX_K_NUMBER,
     sign_of,
     "math.sign(x)",
     "-1, 0 or 1.",
     "math.sign(-3)",
     "-1"},
    {"math.isNaN",
     RX_F_GLOBAL,
     1,
     1,
     {ROUNDABLE},
     RX_K_BOOL,
     is_nan,
     "math.isNaN(x)",
     "Is it no number?",
     "math.isNaN(0.0 / 0.0)",
     "true"},
    {"math.isInf",
     RX_F_GLOBAL,
     1,
     1,
     {ROUNDABLE},
     RX_K_BOOL,
     is_inf,
     "math.isInf(x)",
     "Is it infinite?",
     "math.isInf(1.0 / 0.0)",
     "true"},
    {"math.isFinite",
     RX_F_GLOBAL,
     1,
     1,
     {ROUNDABLE},
     RX_K_BOOL,
     is_finite,
     "math.isFinite(x)",
     "Is it neither NaN nor infinite?",
     "math.isFinite(1.5)",
     "true"},
    {"math.bitAnd",
     RX_F_GLOBAL,
     2,
     2,
     {RX_K_WHOLE, RX_K_WHOLE},
     RX_K_WHOLE,
     bit_and,
     "math.bitAnd(a, b)",
     "The bits set in both.",
     "math.bitAnd(6, 3)",
     "2"},
    {"math.bitOr",
     RX_F_GLOBAL,
     2,
     2,
     {RX_K_WHOLE, RX_K_WHOLE},
     RX_K_WHOLE,
     bit_or,
     "math.bitOr(a, b)",
     "The bits set in one of them.",
     "math.bitOr(6, 3)",
     "7"},
    {"math.bitXor",
     RX_F_GLOBAL,
     2,
     2,
     {RX_K_WHOLE, RX_K_WHOLE},
     RX_K_WHOLE,
     bit_xor,
     "math.bitXor(a, b)",
     "The bits set in exactly one of them.",
     "math.bitXor(6, 3)",
     "5"},
    {"math.bitNot",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_WHOLE},
     RX_K_WHOLE,
     bit_not,
     "math.bitNot(a)",
     "Every bit turned.",
     "math.bitNot(1)",
     "-2"},
    {"math.bitShiftLeft",
     RX_F_GLOBAL,
     2,
     2,
     {RX_K_WHOLE, RX_K_INT | RX_K_JSON},
     RX_K_WHOLE,
     shift_left,
     "math.bitShiftLeft(a, n)",
     "Bits moved to the left.",
     "math.bitShiftLeft(1, 4)",
     "16"},
    {"math.bitShiftRight",
     RX_F_GLOBAL,
     2,
     2,
     {RX_K_WHOLE, RX_K_INT | RX_K_JSON},
     RX_K_WHOLE,
     shift_right,
     "math.bitShiftRight(a, n)",
     "Bits moved to the right, zeros from the left, also where the number is negative.",
     "math.bitShiftRight(-1024, 3)",
     "2305843009213693824"},
    {0},
};
