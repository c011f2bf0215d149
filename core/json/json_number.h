/* Scanning the numbers of JSON texts; in a header because the decoder's loop wants them inline. */
#ifndef RX_CORE_JSON_NUMBER_H
#define RX_CORE_JSON_NUMBER_H

#include "core/base/number.h"
#include "core/json/json_private.h"
#include "core/json/json_quick.h"

static inline bool are_eight_digits(uint64_t word)
{
    return (((word + 0x4646464646464646u) | (word - 0x3030303030303030u)) & 0x8080808080808080u) == 0;
}

static inline uint64_t parse_eight_digits(uint64_t word) { return rx_combine_eight_digits(word - 0x3030303030303030u); }

/* Takes digits into `*mantissa`, modulo 2^64; answers what is behind them. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *mantissa)
{
    uint64_t m = *mantissa;
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        while (end - p >= 8 && are_eight_digits(rx_load64(p))) {
            m = m * 100000000 + parse_eight_digits(rx_load64(p));
            p += 8;
        }
    for (unsigned digit; (digit = (unsigned)(unsigned char)*p - '0') < 10; p++)
        m = m * 10 + digit;
    *mantissa = m;
    return p;
}

/* The exponent behind an `e`, saturated. NULL: no digits. */
static inline const char *take_exponent(const char *p, int *exponent)
{
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    const char *first = p;
    int value = 0;
    for (unsigned digit; (digit = (unsigned)(unsigned char)*p - '0') < 10; p++)
        value = value < 100000 ? value * 10 + (int)digit : value;
    *exponent += negative ? -value : value;
    return p == first ? NULL : p;
}

/* A number as scanned: digits (both sides of the point), of which `mantissa` holds all when there are 19 or less. */
struct rx_number {
    const char *start, *end;
    const char *error; /* when the scan fails: why, with `end` at the place */
    bool negative, whole;
    ptrdiff_t digits;
    uint64_t mantissa;
    int exponent;
};

static inline const char *number_fail(struct rx_number *n, const char *at, const char *error)
{
    n->end = at;
    n->error = error;
    return NULL;
}

/* From the sign or first digit to what is behind the number. NULL: not a number of JSON's (RFC 8259, section 6). A byte
 * that no number can hold must follow, at `end` at the latest. */
static inline const char *rx_number_scan(const char *p, const char *end, struct rx_number *n)
{
    *n = (struct rx_number){.start = p, .negative = *p == '-', .whole = true};
    p += n->negative;
    const char *first = p;
    p = *p == '0' ? p + 1 : take_digits(p, end, &n->mantissa);
    n->digits = p - first;
    if (n->digits == 0)
        return number_fail(n, p, "a number needs a digit here");
    if (*p == '.') {
        const char *fraction = ++p;
        p = take_digits(p, end, &n->mantissa);
        if (p == fraction)
            return number_fail(n, p, "a number needs a digit behind its point");
        n->whole = false;
        n->digits += p - fraction;
        n->exponent = (int)-(p - fraction);
    }
    if (*p == 'e' || *p == 'E') {
        const char *behind = take_exponent(p + 1, &n->exponent);
        if (!behind)
            return number_fail(n, p + 1, "a number needs digits in its exponent");
        n->whole = false;
        p = behind;
    }
    n->end = p;
    return p;
}

/* Exact where mantissa and power of ten are (Clinger, PLDI 1990), else by strtod. Infinite when out of range, NaN when
 * there is no memory. */
static inline double rx_number_double(const struct rx_number *n, struct rx_buffer *scratch)
{
    if (n->digits <= 19 && n->mantissa <= (1ull << 53) && n->exponent >= -22 && n->exponent <= 22) {
        double value = (double)n->mantissa;
        value = n->exponent < 0 ? value / rx_powers_of_ten[-n->exponent] : value * rx_powers_of_ten[n->exponent];
        return n->negative ? -value : value;
    }
    return rx_json_slow_double(n->start, (size_t)(n->end - n->start), scratch);
}

/* A whole number without fraction or exponent, within int64; -0 is none. */
static inline bool rx_number_is_int(const struct rx_number *n)
{
    return n->whole && n->digits <= 19 && n->mantissa <= (uint64_t)INT64_MAX + n->negative &&
           !(n->negative && n->mantissa == 0);
}

#endif
