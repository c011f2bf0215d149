/* The calendar: civil dates, and the texts of times and durations.
 *
 * Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (days_from_civil, civil_from_days); RFC 3339. */
#include <errno.h>
#include <string.h>

#include "core/expr/functions.h"

#define DAY 86400

__extension__ typedef __int128 nanos128; /* billions of years of nanoseconds */

int64_t rx_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct rx_civil rx_civil_from_seconds(int64_t seconds)
{
    int64_t days = seconds / DAY - (seconds % DAY < 0), second = seconds - days * DAY;
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct rx_civil civil = {
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .hour = (unsigned)(second / 3600),
        .minute = (unsigned)(second / 60 % 60),
        .second = (unsigned)(second % 60),
        .weekday = (unsigned)(((days + 4) % 7 + 7) % 7),
    };
    civil.year = year + era * 400 + (civil.month <= 2);
    civil.yearday = (unsigned)(days - rx_days_from_civil(civil.year, 1, 1));
    return civil;
}

static unsigned days_in(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (unsigned)(month == 2 && leap);
}

struct reader {
    const char *at, *end;
    bool failed;
};

/* Exactly `count` digits. */
static unsigned digits(struct reader *r, unsigned count)
{
    unsigned value = 0;
    for (; count && !r->failed; count--) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9')
            r->failed = true;
        else
            value = value * 10 + (unsigned)(*r->at++ - '0');
    }
    return value;
}

/* One of the characters of `set`. */
static char one_of(struct reader *r, const char *set)
{
    char c = r->at < r->end ? *r->at : '\0';
    if (!c || !strchr(set, c)) {
        r->failed = true;
        return '\0';
    }
    r->at++;
    return c;
}

/* The digits after a dot as nanoseconds; further ones are dropped. */
static uint32_t fraction(struct reader *r)
{
    uint32_t nanos = 0, scale = 100000000;
    if (r->at == r->end || *r->at != '.')
        return 0;
    r->at++;
    nanos = digits(r, 1) * scale;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        scale /= 10;
        nanos += (uint32_t)(*r->at - '0') * scale;
    }
    return nanos;
}

static int64_t zone_suffix(struct reader *r)
{
    char sign = one_of(r, "Zz+-");
    if (r->failed || sign == 'Z' || sign == 'z')
        return 0;
    unsigned hours = digits(r, 2);
    one_of(r, ":");
    unsigned minutes = digits(r, 2);
    r->failed |= hours > 23 || minutes > 59;
    int64_t offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    return sign == '-' ? -offset : offset;
}

int rx_time_parse(const char *text, size_t length, int64_t *ret_seconds, uint32_t *ret_nanos)
{
    struct reader r = {text, text + length, false};
    int64_t year = digits(&r, 4);
    one_of(&r, "-");
    unsigned month = digits(&r, 2);
    one_of(&r, "-");
    unsigned day = digits(&r, 2);
    one_of(&r, "Tt ");
    unsigned hour = digits(&r, 2);
    one_of(&r, ":");
    unsigned minute = digits(&r, 2);
    one_of(&r, ":");
    unsigned second = digits(&r, 2);
    uint32_t nanos = fraction(&r);
    int64_t offset = zone_suffix(&r);
    if (r.failed || r.at != r.end || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return -EINVAL;
    int64_t seconds = rx_days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    if (!rx_time_valid(seconds))
        return -ERANGE;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return 0;
}

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
    struct reader r = {text, text + length, false};
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
