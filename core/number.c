/* Numbers as text: integers by pairs of digits, doubles by a fast path for few decimals. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"

const double rx_powers_of_ten[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Digits d1 d2 ... dn, meaning 0.d1d2...dn times 10 to the `point`. */
struct decimal {
    char digits[24];
    int count, point;
};

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
    "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
    "99";

size_t rx_format_uint(char *out, uint64_t u)
{
    char scratch[20], *p = scratch + sizeof scratch;
    while (u >= 100) {
        p -= 2;
        memcpy(p, pairs + u % 100 * 2, 2);
        u /= 100;
    }
    if (u >= 10) {
        p -= 2;
        memcpy(p, pairs + u * 2, 2);
    } else {
        *--p = (char)('0' + u);
    }
    size_t length = (size_t)(scratch + sizeof scratch - p);
    memcpy(out, p, length);
    return length;
}

size_t rx_format_int(char *out, int64_t i)
{
    if (i >= 0)
        return rx_format_uint(out, (uint64_t)i);
    *out = '-';
    return 1 + rx_format_uint(out + 1, 0 - (uint64_t)i);
}

/* A number of at most 15 digits with few decimals: the double nearest to m / 10^k is d, and no other m of up to 15
 * digits has that property, so the least k gives the shortest text. The division is exact to the last bit
 * (m < 2^53, 10^k < 2^53; Clinger, "How to read floating point numbers accurately", PLDI 1990). */
static int few_decimals(double d, uint64_t *ret_whole)
{
    if (d >= 1e15)
        return -1;
    for (int k = 1; k <= 9; k++) {
        double scaled = nearbyint(d * rx_powers_of_ten[k]);
        if (scaled >= 1e15)
            return -1;
        if (scaled / rx_powers_of_ten[k] == d) {
            *ret_whole = (uint64_t)scaled;
            return k;
        }
    }
    return -1;
}

static void trim_zeros(struct decimal *decimal)
{
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
}

/* By trial: up to 15 digits always survive the way there and back, 17 always identify a normal double. Subnormal
 * ones have fewer. */
static void shortest_by_trial(double d, struct decimal *ret)
{
    char text[40];
    for (int precision = d < 2.2250738585072014e-308 ? 1 : 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, d);
        if (strtod(text, NULL) == d)
            break;
    }
    char *exponent = strchr(text, 'e');
    ret->point = (int)strtol(exponent + 1, NULL, 10) + 1;
    ret->count = 0;
    for (const char *p = text; p < exponent; p++)
        if (*p >= '0' && *p <= '9')
            ret->digits[ret->count++] = *p;
    trim_zeros(ret);
}

static char *put_zeros(char *p, int count)
{
    memset(p, '0', (size_t)count);
    return p + count;
}

static char *put_digits(char *p, const struct decimal *decimal, int from, int to)
{
    memcpy(p, decimal->digits + from, (size_t)(to - from));
    return p + (to - from);
}

static char *put_exponent(char *p, const struct decimal *decimal)
{
    int exponent = decimal->point - 1;
    *p++ = decimal->digits[0];
    if (decimal->count > 1) {
        *p++ = '.';
        p = put_digits(p, decimal, 1, decimal->count);
    }
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    return p + rx_format_uint(p, (uint64_t)abs(exponent));
}

static char *put_decimal(char *p, const struct decimal *decimal)
{
    int count = decimal->count, point = decimal->point;
    if (point > 21 || point <= -6)
        return put_exponent(p, decimal);
    if (point >= count) {
        p = put_digits(p, decimal, 0, count);
        return put_zeros(p, point - count);
    }
    if (point > 0) {
        p = put_digits(p, decimal, 0, point);
        *p++ = '.';
        return put_digits(p, decimal, point, count);
    }
    *p++ = '0';
    *p++ = '.';
    p = put_zeros(p, -point);
    return put_digits(p, decimal, 0, count);
}

size_t rx_format_double(char *out, double d)
{
    struct decimal decimal;
    char *p = out;
    uint64_t whole;
    if (d < 0) {
        *p++ = '-';
        d = -d;
    }
    if (d < 0x1p63 && d == (double)(uint64_t)d)
        return (size_t)(p - out) + rx_format_uint(p, (uint64_t)d);
    int decimals = few_decimals(d, &whole);
    if (decimals > 0) {
        decimal.count = (int)rx_format_uint(decimal.digits, whole);
        decimal.point = decimal.count - decimals;
    } else {
        shortest_by_trial(d, &decimal);
    }
    return (size_t)(put_decimal(p, &decimal) - out);
}
