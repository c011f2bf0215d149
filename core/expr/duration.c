/* Durations as text: Go's spelling, with days. */
#include <errno.h>
#include <string.h>

#include "core/expr/functions.h"

__extension__ typedef __int128 nanos128; /* billions of years of nanoseconds */

struct reader {
    const char *at, *end;
};

/* Nanoseconds of the unit at `r`; 0: none. */
static int64_t unit(struct reader *r)
{
    static const struct {
        const char *name;
        int64_t nanos;
    } units[] = {{"ns", 1},
                 {"us", 1000},
                 {"\xC2\xB5s", 1000},
                 {"\xCE\xBCs", 1000},
                 {"ms", 1000000},
                 {"s", 1000000000},
                 {"m", INT64_C(60) * 1000000000},
                 {"h", INT64_C(3600) * 1000000000},
                 {"d", INT64_C(86400) * 1000000000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = strlen(units[i].name);
        if ((size_t)(r->end - r->at) >= length && memcmp(r->at, units[i].name, length) == 0) {
            r->at += length;
            return units[i].nanos;
        }
    }
    return 0;
}

/* One "1.5h" as nanoseconds. */
static int term(struct reader *r, nanos128 *sum)
{
    nanos128 whole = 0, part = 0, scale = 1;
    bool any = false;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, any = true)
        if ((whole = whole * 10 + (*r->at - '0')) > INT64_MAX)
            return -ERANGE;
    if (r->at < r->end && *r->at == '.')
        for (r->at++; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, any = true)
            if (scale < INT64_C(1000000000000000)) {
                part = part * 10 + (*r->at - '0');
                scale *= 10;
            }
    int64_t nanos = any ? unit(r) : 0;
    if (!nanos)
        return -EINVAL;
    *sum += whole * nanos + part * nanos / scale;
    return *sum > (nanos128)INT64_MAX * 1000000000 ? -ERANGE : 0;
}

int rx_duration_parse(const char *text, size_t length, int64_t *ret_seconds, uint32_t *ret_nanos)
{
    struct reader r = {text, text + length};
    const nanos128 second = 1000000000;
    nanos128 sum = 0;
    bool negative = length && *text == '-';
    int code = 0;
    if (length && (*text == '-' || *text == '+'))
        r.at++;
    if (r.at == r.end)
        return -EINVAL;
    if (r.end - r.at == 1 && *r.at == '0')
        r.at++; /* Go's "0" */
    while (code == 0 && r.at < r.end)
        code = term(&r, &sum);
    if (code < 0)
        return code;
    sum = negative ? -sum : sum;
    nanos128 seconds = sum / second - (sum % second < 0);
    *ret_seconds = (int64_t)seconds;
    *ret_nanos = (uint32_t)(sum - seconds * second);
    return 0;
}
