/* Timestamps: the calendar, RFC 3339 text, and the epoch numbers and texts by which feeds tell their times. */
#include "core/value/timestamp.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define DAY 86400

/* ---- the calendar ---- */

int64_t rx_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void rx_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned of_era = (unsigned)(days - era * 146097);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153;
    *ret_day = of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

static unsigned days_in(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (unsigned)(month == 2 && leap);
}

/* ---- RFC 3339 ---- */

struct scan {
    const char *at, *end;
    bool failed;
};

/* Exactly `count` digits. */
static unsigned digits(struct scan *scan, unsigned count)
{
    unsigned value = 0;
    for (; count && !scan->failed; count--) {
        if (scan->at == scan->end || *scan->at < '0' || *scan->at > '9')
            scan->failed = true;
        else
            value = value * 10 + (unsigned)(*scan->at++ - '0');
    }
    return value;
}

/* One of the characters of `set`. */
static char one_of(struct scan *scan, const char *set)
{
    char c = scan->at < scan->end ? *scan->at : '\0';
    if (!c || !strchr(set, c)) {
        scan->failed = true;
        return '\0';
    }
    scan->at++;
    return c;
}

/* The digits after a dot as nanoseconds; further ones are dropped. */
static uint32_t fraction(struct scan *scan)
{
    uint32_t nanos = 0, unit = 100000000;
    if (scan->at == scan->end || *scan->at != '.')
        return 0;
    scan->at++;
    nanos = digits(scan, 1) * unit;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        unit /= 10;
        nanos += (uint32_t)(*scan->at - '0') * unit;
    }
    return nanos;
}

static int64_t offset_seconds(struct scan *scan)
{
    char sign = one_of(scan, "Zz+-");
    if (scan->failed || sign == 'Z' || sign == 'z')
        return 0;
    unsigned hours = digits(scan, 2);
    one_of(scan, ":");
    unsigned minutes = digits(scan, 2);
    scan->failed |= hours > 23 || minutes > 59;
    int64_t offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    return sign == '-' ? -offset : offset;
}

int rx_timestamp_parse(const char *text, size_t length, int64_t *ret_seconds, uint32_t *ret_nanos)
{
    struct scan scan = {.at = text, .end = text + length};
    unsigned year = digits(&scan, 4);
    one_of(&scan, "-");
    unsigned month = digits(&scan, 2);
    one_of(&scan, "-");
    unsigned day = digits(&scan, 2);
    one_of(&scan, "Tt");
    unsigned hour = digits(&scan, 2);
    one_of(&scan, ":");
    unsigned minute = digits(&scan, 2);
    one_of(&scan, ":");
    unsigned second = digits(&scan, 2);
    uint32_t nanos = fraction(&scan);
    int64_t offset = offset_seconds(&scan);
    if (scan.failed || scan.at != scan.end || month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
        hour > 23 || minute > 59 || second > 60)
        return -EINVAL;
    *ret_seconds = rx_days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    *ret_nanos = nanos;
    return 0;
}

/* ---- times as feeds tell them ---- */

static int time_of_text(const char *text, size_t length, rx_time *ret)
{
    int64_t seconds;
    uint32_t nanos;
    rx_time time;
    int r = rx_timestamp_parse(text, length, &seconds, &nanos);
    if (r < 0)
        return r;
    if (__builtin_mul_overflow(seconds, RX_SEC, &time) || __builtin_add_overflow(time, (int64_t)nanos, &time))
        return -ERANGE;
    *ret = time;
    return 0;
}

static int64_t unit_of(double magnitude) /* nanoseconds */
{
    return magnitude < 1e11 ? RX_SEC : magnitude < 1e14 ? RX_MSEC : magnitude < 1e17 ? 1000 : 1;
}

static int time_of_double(double number, rx_time *ret)
{
    double time = number * (double)unit_of(fabs(number));
    if (!(fabs(time) < 9.2e18))
        return -ERANGE;
    /* Split first, so that 1700000000.123 seconds does not lose its last digits to the multiplication. */
    double whole = floor(number);
    int64_t unit = unit_of(fabs(number));
    *ret = (rx_time)whole * unit + (rx_time)llround((number - whole) * (double)unit);
    return 0;
}

static int time_of_int(int64_t number, rx_time *ret)
{
    return __builtin_mul_overflow(number, unit_of(fabs((double)number)), ret) ? -ERANGE : 0;
}

int rx_timestamp_read(struct rx_value value, rx_time *ret)
{
    switch (value.kind) {
    case RX_INT:
        return time_of_int(value.u.i, ret);
    case RX_UINT:
        return value.u.u > INT64_MAX ? -ERANGE : time_of_int((int64_t)value.u.u, ret);
    case RX_DOUBLE:
        return time_of_double(value.u.d, ret);
    case RX_TIMESTAMP:
        return rx_value_time(value, ret);
    case RX_STRING:
        return time_of_text(value.u.text, value.aux, ret);
    default:
        return -EINVAL;
    }
}
