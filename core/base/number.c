/* Numbers as text: integers by pairs of digits, doubles by exact fixed-point arithmetic. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"

const double rx_powers_of_ten[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

#define MANTISSA_MASK ((UINT64_C(1) << 52) - 1)

__extension__ typedef unsigned __int128 wide;

/* Digits d1 d2 ... dn, meaning 0.d1d2...dn times 10 to the `point`. */
struct decimal {
    char digits[24];
    int count, point;
};

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
    "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495969798"
    "99";

static size_t count_digits(uint64_t u)
{
    static const uint64_t powers[20] = {1,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        UINT64_C(100000000000000),
                                        UINT64_C(1000000000000000),
                                        UINT64_C(10000000000000000),
                                        UINT64_C(100000000000000000),
                                        UINT64_C(1000000000000000000),
                                        UINT64_C(10000000000000000000)};
    unsigned about = (unsigned)(64 - __builtin_clzll(u | 1)) * 1233 >> 12; /* log10(2) is 1233/4096 */
    return about + (u >= powers[about]) + (u == 0);
}

size_t rx_format_uint(char *out, uint64_t u)
{
    size_t length = count_digits(u);
    char *p = out + length;
    while (u >= 100) {
        p -= 2;
        memcpy(p, pairs + u % 100 * 2, 2);
        u /= 100;
    }
    if (u >= 10)
        memcpy(p - 2, pairs + u * 2, 2);
    else
        p[-1] = (char)('0' + u);
    return length;
}

size_t rx_format_int(char *out, int64_t i)
{
    if (i >= 0)
        return rx_format_uint(out, (uint64_t)i);
    *out = '-';
    return 1 + rx_format_uint(out + 1, 0 - (uint64_t)i);
}

/* The free-format algorithm of Steele and White ("How to print floating-point numbers accurately", PLDI 1990) in
 * fixed-point arithmetic, exact where 128 bits hold the fraction: from 2^-70 up to where no fraction is left. Units are
 * quarters of the last place, so that the gap below a power of two, half as wide, is a whole number too. */
static bool shortest_by_digits(double d, struct decimal *ret)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    int shift = 1075 + 2 - (int)(bits >> 52);
    if (shift <= 2 || shift > 124)
        return false;
    uint64_t mantissa = (bits & MANTISSA_MASK) | (MANTISSA_MASK + 1);
    wide one = (wide)1 << shift, rest = (wide)mantissa << 2 & (one - 1);
    wide above = 2, below = mantissa == MANTISSA_MASK + 1 ? 1 : 2;
    wide inclusive = mantissa % 2 == 0; /* the ends of the interval round to even, to d */
    uint64_t whole = (uint64_t)((wide)mantissa << 2 >> shift);
    ret->count = whole ? (int)rx_format_uint(ret->digits, whole) : 0;
    ret->point = ret->count;
    for (bool down = false, up = false; !down && !up;) {
        rest *= 10;
        above *= 10;
        below *= 10;
        int digit = (int)(rest >> shift);
        rest &= one - 1;
        down = rest < below + inclusive;
        up = rest + above + inclusive > one;
        if (up && (!down || rest * 2 > one || (rest * 2 == one && digit % 2)))
            digit++;
        if (ret->count || digit)
            ret->digits[ret->count++] = (char)('0' + digit);
        else
            ret->point--;
    }
    return true;
}

static void trim_zeros(struct decimal *decimal)
{
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
}

/* By trial, for the very large and very small: up to 15 digits always survive the way there and back, 17 always identify
 * a normal double. Subnormal ones have fewer. */
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

/* Those with few digits behind the point, as most have that were read: of decimals with up to 15 digits no two are the same
 * double, so that one that gives `d` is the shortest. 0: not so. */
static size_t format_short(char *out, double d)
{
    enum { PLACES = 4 };
    if (d >= 1e11)
        return 0;
    for (int places = 1; places <= PLACES; places++) {
        double scale = rx_powers_of_ten[places];
        uint64_t digits = (uint64_t)(d * scale + 0.5), unit = (uint64_t)scale;
        if ((double)digits / scale != d)
            continue;
        size_t length = rx_format_uint(out, digits / unit);
        out[length] = '.';
        uint64_t rest = digits % unit;
        for (int i = places; i > 0; i--, rest /= 10)
            out[length + (size_t)i] = (char)('0' + rest % 10);
        return length + 1 + (size_t)places;
    }
    return 0;
}

size_t rx_format_double(char *out, double d)
{
    struct decimal decimal;
    char *p = out;
    if (signbit(d)) {
        *p++ = '-';
        d = -d;
    }
    if (d < 0x1p63 && d == (double)(uint64_t)d)
        return (size_t)(p - out) + rx_format_uint(p, (uint64_t)d);
    size_t length = format_short(p, d);
    if (length)
        return (size_t)(p - out) + length;
    if (!shortest_by_digits(d, &decimal))
        shortest_by_trial(d, &decimal);
    return (size_t)(put_decimal(p, &decimal) - out);
}
