/* Numbers as most of them are, in a word or two; json_number.h has the others. In a header for the loops of decoders. */
#ifndef RX_CORE_JSON_QUICK_H
#define RX_CORE_JSON_QUICK_H

#include "core/base/number.h"
#include "core/base/scan.h"
#include "core/value/value.h"

/* Eight digits at once, the first one lowest (D. Lemire, "Quickly parsing eight digits", 2018). */
static inline uint64_t rx_combine_eight_digits(uint64_t word)
{
    word = word * 10 + (word >> 8);
    uint64_t high = (word & 0x000000FF000000FFu) * 0x000F424000000064u;
    uint64_t low = ((word >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u;
    return (high + low) >> 32;
}

/* Marks the bytes of `digits` (a text with 0x30 taken away by exclusive or) that are no digits; exact up to the first, and
 * behind a point up to the second. */
static inline uint64_t rx_number_others(uint64_t digits)
{
    return ((digits + RX_EACH_BYTE * 0x76) | digits) & (RX_EACH_BYTE * 0x80);
}

static inline uint64_t rx_number_digits(uint64_t digits, unsigned count)
{
    return rx_combine_eight_digits(digits << (64 - 8 * count));
}

static inline struct rx_value rx_number_value(uint64_t mantissa, unsigned decimals, bool negative)
{
    if (decimals == 0 && !(negative && mantissa == 0))
        return rx_json_int(negative ? -(int64_t)mantissa : (int64_t)mantissa);
    double value = (double)mantissa / rx_powers_of_ten[decimals];
    return rx_double(negative ? -value : value);
}

static inline bool rx_number_goes_on(unsigned char other)
{
    return other == ('.' ^ '0') || other == ('e' ^ '0') || other == ('E' ^ '0');
}

/* A number of 8 to 15 digits without a point; `digits` are its first 8. */
static inline const char *rx_number_quick_long(const char *floor, const char *p, const char *end, uint64_t digits,
                                               bool negative, struct rx_value *ret)
{
    static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    if (*p == '0')
        return NULL;
    uint64_t more = rx_load64_within(floor, p + 8, end) ^ (RX_EACH_BYTE * '0'), others = rx_number_others(more);
    if (!others)
        return NULL;
    unsigned count = (unsigned)__builtin_ctzll(others) / 8;
    if (rx_number_goes_on((unsigned char)(more >> 8 * count)))
        return NULL;
    uint64_t low = count ? rx_number_digits(more, count) : 0;
    *ret = rx_number_value(rx_combine_eight_digits(digits) * tens[count] + low, 0, negative);
    return p + 8 + count;
}

/* The numbers that most are: up to 7 bytes with or without a point, and whole ones up to 15 digits. NULL: rx_number_scan has
 * to say. What follows is not looked at beyond what could be part of a number; it may be the end. */
static inline const char *rx_number_quick(const char *floor, const char *p, const char *end, struct rx_value *ret)
{
    bool negative = *p == '-';
    p += negative;
    uint64_t digits = rx_load64_within(floor, p, end) ^ (RX_EACH_BYTE * '0'), others = rx_number_others(digits);
    if (!others)
        return rx_number_quick_long(floor, p, end, digits, negative, ret);
    unsigned whole = (unsigned)__builtin_ctzll(others) / 8, count = whole, length = whole, decimals = 0;
    if (whole == 0 || (whole > 1 && (unsigned char)digits == 0))
        return NULL;
    if ((unsigned char)(digits >> 8 * whole) == ('.' ^ '0')) {
        others &= others - 1;
        if (!others)
            return NULL;
        length = (unsigned)__builtin_ctzll(others) / 8;
        count = length - 1;
        decimals = count - whole;
        if (decimals == 0)
            return NULL;
        uint64_t other = digits >> 8 * length, front = ((uint64_t)1 << (8 * whole)) - 1;
        digits = (digits & front) | (digits >> 8 & ~front);
        if (rx_number_goes_on((unsigned char)other))
            return NULL;
    } else if (rx_number_goes_on((unsigned char)(digits >> 8 * whole))) {
        return NULL;
    }
    *ret = rx_number_value(rx_number_digits(digits, count), decimals, negative);
    return p + length;
}

#endif
