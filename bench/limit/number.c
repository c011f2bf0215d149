/* A decimal number: exact where digits and power of ten fit a double (Clinger, "How to read floating point numbers accurately", 1990), else strtod. */
#include <stdlib.h>

#include "limit.h"

enum { EXACT_DIGITS = 15, EXACT_POWER = 22 };

static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *read_slow(const char *data, double *ret)
{
    char *end;
    *ret = strtod(data, &end);
    return end == data ? NULL : end;
}

const char *limit_number_read(const char *data, double *ret)
{
    const char *at = data + (*data == '-'), *first = at;
    uint64_t digits = 0;
    int fraction = 0;
    if (!is_digit(*at))
        return NULL;
    for (; is_digit(*at); at++)
        digits = digits * 10 + (uint64_t)(*at - '0');
    if (*first == '0' && at - first > 1)
        return NULL;
    if (*at == '.') {
        const char *point = at++;
        for (; is_digit(*at); at++)
            digits = digits * 10 + (uint64_t)(*at - '0');
        fraction = (int)(at - point - 1);
        if (!fraction)
            return NULL;
    }
    if (*at == 'e' || *at == 'E' || at - first > EXACT_DIGITS)
        return read_slow(data, ret);
    double value = (double)digits / powers[fraction];
    *ret = *data == '-' ? -value : value;
    return at;
}
