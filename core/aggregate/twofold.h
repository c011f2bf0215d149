/* Twofold numbers: an unevaluated sum of two doubles, about 106 bits. With them a result hardly depends on the order in which
 * parts were put together, so that overlapping windows made of panes give what windows alone would.
 *
 * Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971); Knuth, TAOCP 2, 4.2.2. */
#ifndef RX_CORE_TWOFOLD_H
#define RX_CORE_TWOFOLD_H

#include <math.h>

struct rx_twofold {
    double high, low;
};

static inline struct rx_twofold rx_twofold_sum(double a, double b)
{
    double sum = a + b, part = sum - a;
    return (struct rx_twofold){sum, (a - (sum - part)) + (b - part)};
}

/* As above where |a| >= |b|. */
static inline struct rx_twofold rx_twofold_tidy(double a, double b)
{
    double sum = a + b;
    return (struct rx_twofold){sum, b - (sum - a)};
}

static inline struct rx_twofold rx_twofold_product(double a, double b)
{
    const double split = 134217729; /* 2^27 + 1 */
    double p = a * b, ta = split * a, tb = split * b;
    double ah = ta - (ta - a), al = a - ah, bh = tb - (tb - b), bl = b - bh;
    return (struct rx_twofold){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static inline struct rx_twofold rx_twofold_add(struct rx_twofold a, struct rx_twofold b)
{
    struct rx_twofold s = rx_twofold_sum(a.high, b.high), t = rx_twofold_sum(a.low, b.low);
    s = rx_twofold_tidy(s.high, s.low + t.high);
    return rx_twofold_tidy(s.high, s.low + t.low);
}

static inline struct rx_twofold rx_twofold_negative(struct rx_twofold a)
{
    return (struct rx_twofold){-a.high, -a.low};
}

static inline struct rx_twofold rx_twofold_multiply(struct rx_twofold a, struct rx_twofold b)
{
    struct rx_twofold p = rx_twofold_product(a.high, b.high);
    return rx_twofold_tidy(p.high, p.low + (a.high * b.low + a.low * b.high));
}

static inline struct rx_twofold rx_twofold_divide(struct rx_twofold a, double b)
{
    double q = a.high / b;
    struct rx_twofold p = rx_twofold_product(q, b);
    return rx_twofold_tidy(q, ((a.high - p.high) - p.low + a.low) / b);
}

static inline struct rx_twofold rx_twofold_of(double x) { return (struct rx_twofold){x, 0}; }

/* To one double; where the parts have overflown, what the high one says. */
static inline double rx_twofold_value(struct rx_twofold a)
{
    double sum = a.high + a.low;
    return isfinite(sum) ? sum : a.high;
}

#endif
