/* Event times as feeds write them: epoch numbers and RFC 3339 text. */
#include <errno.h>
#include <math.h>

#include "core/value/event_time.h"

/* Days since the epoch of a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

struct scan {
    const char *at, *end;
    bool failed;
};

static int digits(struct scan *scan, int count)
{
    int number = 0;
    for (; count > 0; count--) {
        if (scan->at == scan->end || *scan->at < '0' || *scan->at > '9') {
            scan->failed = true;
            return 0;
        }
        number = number * 10 + (*scan->at++ - '0');
    }
    return number;
}

static bool accept(struct scan *scan, const char *set)
{
    if (scan->at == scan->end)
        return false;
    for (; *set; set++)
        if (*scan->at == *set) {
            scan->at++;
            return true;
        }
    return false;
}

static void expect(struct scan *scan, const char *set)
{
    if (!accept(scan, set))
        scan->failed = true;
}

/* Digits past the ninth are dropped. */
static int64_t fraction(struct scan *scan)
{
    int64_t nanoseconds = 0, unit = 100000000;
    if (!accept(scan, "."))
        return 0;
    nanoseconds = digits(scan, 1) * unit;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        unit /= 10;
        nanoseconds += digits(scan, 1) * unit;
    }
    return nanoseconds;
}

static int64_t offset_seconds(struct scan *scan)
{
    if (accept(scan, "Zz"))
        return 0;
    bool minus = scan->at < scan->end && *scan->at == '-';
    expect(scan, "+-");
    int hours = digits(scan, 2);
    expect(scan, ":");
    int minutes = digits(scan, 2);
    if (hours > 23 || minutes > 59)
        scan->failed = true;
    int64_t offset = hours * 3600 + minutes * 60;
    return minus ? -offset : offset;
}

static int time_of(int64_t seconds, int64_t nanoseconds, rx_time *ret)
{
    rx_time time;
    if (__builtin_mul_overflow(seconds, RX_SEC, &time) || __builtin_add_overflow(time, nanoseconds, &time))
        return -ERANGE;
    *ret = time;
    return 0;
}

static int time_of_text(const char *text, size_t length, rx_time *ret)
{
    struct scan scan = {.at = text, .end = text + length};
    int year = digits(&scan, 4);
    expect(&scan, "-");
    int month = digits(&scan, 2);
    expect(&scan, "-");
    int day = digits(&scan, 2);
    expect(&scan, "Tt ");
    int hour = digits(&scan, 2);
    expect(&scan, ":");
    int minute = digits(&scan, 2);
    expect(&scan, ":");
    int second = digits(&scan, 2);
    int64_t nanoseconds = fraction(&scan), offset = offset_seconds(&scan);
    if (scan.failed || scan.at != scan.end || month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
        hour > 23 || minute > 59 || second > 60)
        return -EINVAL;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    return time_of(seconds, nanoseconds, ret);
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

int rx_event_time(struct rx_value value, rx_time *ret)
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
