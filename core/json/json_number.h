/* Scanning the numbers of JSON texts; in a header because the decoder's loop wants them inline. */
#ifndef RX_CORE_JSON_NUMBER_H
#define RX_CORE_JSON_NUMBER_H

#include "core/base/number.h"
#include "core/json/json_private.h"

static inline bool are_eight_digits(uint64_t word)
{
    return (((word + 0x4646464646464646u) | (word - 0x3030303030303030u)) & 0x8080808080808080u) == 0;
}

/* Eight digits at once, the first one lowest (D. Lemire, "Quickly parsing eight digits", 2018). */
static inline uint64_t combine_eight_digits(uint64_t word)
{
    word = word * 10 + (word >> 8);
    uint64_t high = (word & 0x000000FF000000FFu) * 0x000F424000000064u;
    uint64_t low = ((word >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u;
    return (high + low) >> 32;
}

static inline uint64_t parse_eight_digits(uint64_t word) { return combine_eight_digits(word - 0x3030303030303030u); }

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

/* Marks the bytes of `digits` (a text with 0x30 taken away by exclusive or) that are no digits; exact up to the first, and
 * behind a point up to the second. */
static inline uint64_t mark_others(uint64_t digits)
{
    return ((digits + RX_EACH_BYTE * 0x76) | digits) & (RX_EACH_BYTE * 0x80);
}

static inline uint64_t combine_digits(uint64_t digits, unsigned count)
{
    return combine_eight_digits(digits << (64 - 8 * count));
}

static inline struct rx_value rx_number_value(uint64_t mantissa, unsigned decimals, bool negative)
{
    if (decimals == 0 && !(negative && mantissa == 0))
        return rx_json_int(negative ? -(int64_t)mantissa : (int64_t)mantissa);
    double value = (double)mantissa / rx_powers_of_ten[decimals];
    return rx_double(negative ? -value : value);
}

/* A number of 9 to 15 digits without a point; `digits` are its first 8. */
static inline const char *rx_number_quick_long(const char *p, const char *end, uint64_t digits, bool negative,
                                               struct rx_value *ret)
{
    static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    if (end - p < 16 || *p == '0')
        return NULL;
    uint64_t more = rx_load64_little(p + 8) ^ (RX_EACH_BYTE * '0'), others = mark_others(more);
    if (!others)
        return NULL;
    unsigned count = (unsigned)__builtin_ctzll(others) / 8;
    char behind = p[8 + count];
    if (behind == '.' || (behind | 0x20) == 'e')
        return NULL;
    uint64_t low = count ? combine_digits(more, count) : 0;
    *ret = rx_number_value(combine_eight_digits(digits) * tens[count] + low, 0, negative);
    return p + 8 + count;
}

/* The numbers that most are: up to 7 bytes with or without a point, and whole ones up to 15 digits, with bytes enough to
 * read behind them. NULL: rx_number_scan has to say. What follows is not looked at beyond what could be part of a number. */
static inline const char *rx_number_quick(const char *p, const char *end, struct rx_value *ret)
{
    bool negative = *p == '-';
    p += negative;
    if (end - p < 8)
        return NULL;
    uint64_t digits = rx_load64_little(p) ^ (RX_EACH_BYTE * '0'), others = mark_others(digits);
    if (!others)
        return rx_number_quick_long(p, end, digits, negative, ret);
    unsigned whole = (unsigned)__builtin_ctzll(others) / 8, count = whole, length = whole, decimals = 0;
    if (whole == 0 || (whole > 1 && *p == '0'))
        return NULL;
    if (p[whole] == '.') {
        others &= others - 1;
        if (!others)
            return NULL;
        length = (unsigned)__builtin_ctzll(others) / 8;
        count = length - 1;
        decimals = count - whole;
        if (decimals == 0)
            return NULL;
        uint64_t front = ((uint64_t)1 << (8 * whole)) - 1;
        digits = (digits & front) | (digits >> 8 & ~front);
    }
    if ((p[length] | 0x20) == 'e')
        return NULL;
    *ret = rx_number_value(combine_digits(digits, count), decimals, negative);
    return p + length;
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
