/* Numbers as text: what the JSON reader and writer share. Locale independent. */
#ifndef RX_CORE_NUMBER_H
#define RX_CORE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { RX_NUMBER_TEXT_MAX = 32 };

/* Write without a terminating NUL and answer the length, at most RX_NUMBER_TEXT_MAX. */
size_t rx_format_int(char *out, int64_t);
size_t rx_format_uint(char *out, uint64_t);
/* The shortest digits that read back as the same double, laid out as ECMAScript's Number::toString does (ECMA-262,
 * 6.1.6.1.20), with two differences: -0 is "-0" (a sign is not lost on the way through), and whole ones below 2^63 have all
 * their digits, because they read back as integers, which are exact. Finite only. */
size_t rx_format_double(char *out, double);

/* 10 to the 0..22, exact doubles. */
extern const double rx_powers_of_ten[23];

#endif
