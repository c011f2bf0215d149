/* The parts of timestamps, in a zone, and of durations (langdef, "Timezones"); and strftime. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/functions.h"

struct rx_civil rx_civil_from_seconds(int64_t seconds)
{
    int64_t days = seconds / 86400 - (seconds % 86400 < 0), second = seconds - days * 86400;
    struct rx_civil civil = {
        .hour = (unsigned)(second / 3600),
        .minute = (unsigned)(second / 60 % 60),
        .second = (unsigned)(second % 60),
        .weekday = (unsigned)(((days + 4) % 7 + 7) % 7),
    };
    rx_civil_from_days(days, &civil.year, &civil.month, &civil.day);
    civil.yearday = (unsigned)(days - rx_days_from_civil(civil.year, 1, 1));
    return civil;
}

/* The civil date of a timestamp in the zone of the second argument, if there is one. */
static int civil_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_civil *ret)
{
    int offset = 0;
    if (args[0].kind != RX_TIMESTAMP)
        return rx_call_fail(call, -EINVAL, "a duration has no time zone: no such overload");
    int r = count > 1 ? rx_zone_offset(call, args[1], args[0].u.i, &offset) : 0;
    if (r == 0)
        *ret = rx_civil_from_seconds(args[0].u.i + offset);
    return r;
}

#define PART(name, expression)                                                                                         \
    static int name(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)           \
    {                                                                                                                  \
        struct rx_civil civil;                                                                                         \
        int r = civil_of(call, args, count, &civil);                                                                   \
        if (r == 0)                                                                                                    \
            *ret = rx_int((int64_t)(expression));                                                                      \
        return r;                                                                                                      \
    }
PART(full_year, civil.year)
PART(month, civil.month - 1)
PART(day_of_year, civil.yearday)
PART(day_of_month, civil.day - 1)
PART(date, civil.day)
PART(day_of_week, civil.weekday)
PART(hour_of_day, civil.hour)
PART(minute_of_hour, civil.minute)
PART(second_of_minute, civil.second)

/* Whole seconds of a duration, cut towards zero. */
static int64_t whole_seconds(struct rx_value v) { return v.u.i < 0 && v.aux ? v.u.i + 1 : v.u.i; }

#define PART_OR_TOTAL(name, part, divisor)                                                                             \
    static int name(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)           \
    {                                                                                                                  \
        if (args[0].kind == RX_TIMESTAMP || count > 1)                                                                 \
            return part(call, args, count, ret);                                                                       \
        *ret = rx_int(whole_seconds(args[0]) / (divisor));                                                             \
        return 0;                                                                                                      \
    }
PART_OR_TOTAL(hours, hour_of_day, 3600)
PART_OR_TOTAL(minutes, minute_of_hour, 60)
PART_OR_TOTAL(seconds, second_of_minute, 1)

static int milliseconds(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    struct rx_civil civil;
    int r = count > 1 ? civil_of(call, args, count, &civil) : 0;
    bool negative = args[0].kind == RX_DURATION && args[0].u.i < 0 && args[0].aux;
    if (r == 0)
        *ret = rx_int(negative ? -(int64_t)(1000000000 - args[0].aux) / 1000000 : args[0].aux / 1000000);
    return r;
}

/* ---- strftime: POSIX's conversions in its own locale, and fractions ---- */

struct moment {
    struct rx_civil civil;
    struct rx_value time;
    int offset; /* of the zone, in seconds */
};

static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

/* The ISO 8601 week and its year: the week of a date is that of its Thursday. */
static unsigned iso_week(const struct rx_civil *civil, int64_t *ret_year)
{
    int64_t day = rx_days_from_civil(civil->year, civil->month, civil->day);
    int64_t thursday = day - (civil->weekday + 6) % 7 + 3;
    struct rx_civil at = rx_civil_from_seconds(thursday * 86400);
    *ret_year = at.year;
    return at.yearday / 7 + 1;
}

static void put_offset(struct rx_buffer *out, int offset, const char *colon)
{
    int minutes = abs(offset) / 60;
    rx_buffer_printf(out, "%c%02d%s%02d", offset < 0 ? '-' : '+', minutes / 60, colon, minutes % 60);
}

/* A conversion that is one number: its value and least width; false: not one. */
static bool number_of(char conversion, const struct moment *m, int64_t *ret, int *ret_width)
{
    const struct rx_civil *c = &m->civil;
    int64_t week_year = 0;
    /* clang-format off */
    switch (conversion) {
    case 'Y': *ret = c->year, *ret_width = 4; return true;
    case 'm': *ret = c->month, *ret_width = 2; return true;
    case 'd': *ret = c->day, *ret_width = 2; return true;
    case 'H': *ret = c->hour, *ret_width = 2; return true;
    case 'I': *ret = (c->hour + 11) % 12 + 1, *ret_width = 2; return true;
    case 'M': *ret = c->minute, *ret_width = 2; return true;
    case 'S': *ret = c->second, *ret_width = 2; return true;
    case 'y': *ret = c->year % 100, *ret_width = 2; return true;
    case 'j': *ret = c->yearday + 1, *ret_width = 3; return true;
    case 'u': *ret = (c->weekday + 6) % 7 + 1, *ret_width = 1; return true;
    case 'w': *ret = c->weekday, *ret_width = 1; return true;
    case 'V': *ret = iso_week(c, &week_year), *ret_width = 2; return true;
    case 'G': iso_week(c, &week_year), *ret = week_year, *ret_width = 4; return true;
    case 's': *ret = m->time.u.i, *ret_width = 1; return true;
    case 'L': *ret = m->time.aux / 1000000, *ret_width = 3; return true;
    case 'f': *ret = m->time.aux / 1000, *ret_width = 6; return true;
    case 'N': *ret = m->time.aux, *ret_width = 9; return true;
    default: return false;
    }
    /* clang-format on */
}

/* The conversions that stand for several. */
static const char *expansion(char conversion)
{
    return conversion == 'F' ? "%Y-%m-%d" : conversion == 'T' ? "%H:%M:%S" : conversion == 'R' ? "%H:%M" : NULL;
}

static int put_moment(struct rx_call *, const char *format, size_t length, const struct moment *,
                      struct rx_buffer *out);

static int put_conversion(struct rx_call *call, char conversion, const struct moment *m, struct rx_buffer *out)
{
    const char *several = expansion(conversion);
    int64_t number;
    int width;
    if (several)
        return put_moment(call, several, strlen(several), m, out);
    if (number_of(conversion, m, &number, &width))
        rx_buffer_printf(out, "%0*lld", width, (long long)number);
    else if (conversion == 'e')
        rx_buffer_printf(out, "%2u", m->civil.day);
    else if (conversion == 'a' || conversion == 'A')
        rx_buffer_printf(out, "%.*s", conversion == 'a' ? 3 : 9, days[m->civil.weekday]);
    else if (conversion == 'b' || conversion == 'B')
        rx_buffer_printf(out, "%.*s", conversion == 'b' ? 3 : 9, months[m->civil.month - 1]);
    else if (conversion == 'p')
        rx_buffer_text(out, m->civil.hour < 12 ? "AM" : "PM");
    else if (conversion == 'z')
        put_offset(out, m->offset, "");
    else if (conversion == '%')
        rx_buffer_text(out, "%");
    else
        return rx_call_fail(call, -EINVAL,
                            "%%%c is no conversion of strftime; there are %%Y %%m %%d %%H %%M %%S %%z and others",
                            conversion > ' ' && conversion < 0x7F ? conversion : '?');
    return 0;
}

static int put_moment(struct rx_call *call, const char *format, size_t length, const struct moment *m,
                      struct rx_buffer *out)
{
    const char *p = format, *end = format + length;
    int r = 0;
    while (r == 0 && p < end) {
        const char *percent = memchr(p, '%', (size_t)(end - p));
        size_t plain = (size_t)((percent ? percent : end) - p);
        rx_buffer_append(out, p, plain);
        if (rx_call_charge(call, 10 + plain / 16) < 0)
            return -ETIME;
        if (!percent)
            break;
        p = percent + 1;
        if (end - p >= 2 && p[0] == ':' && p[1] == 'z') {
            put_offset(out, m->offset, ":");
            p += 2;
        } else {
            r = put_conversion(call, p < end ? *p : '\0', m, out);
            p++;
        }
    }
    return r < 0 ? r : out->failed ? -ENOMEM : 0;
}

static int strftime_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    struct moment moment = {.time = args[0]};
    struct rx_buffer out = {0};
    int r = count > 2 ? rx_zone_offset(call, args[2], args[0].u.i, &moment.offset) : 0;
    moment.civil = rx_civil_from_seconds(args[0].u.i + moment.offset);
    if (r == 0)
        r = put_moment(call, args[1].u.text, args[1].aux, &moment, &out);
    if (r == 0) {
        *ret = rx_call_string(call, out.data ? out.data : "", out.length);
        r = ret->kind == RX_STRING ? 0 : -ENOMEM;
    }
    rx_buffer_finish(&out);
    return r;
}

#define TIME RX_K_TIMESTAMP
#define BOTH (RX_K_TIMESTAMP | RX_K_DURATION)
#define ZONE RX_K_STRING
#define T    "timestamp(\"2024-02-29T23:30:15.250Z\")"

const struct rx_function rx_functions_time[] = {
    {"getFullYear",
     RX_F_METHOD,
     1,
     2,
     {TIME, ZONE},
     RX_K_INT,
     full_year,
     "time.getFullYear(zone)",
     "The year. The zone is an IANA name or an offset; without it UTC.",
     T ".getFullYear()",
     "2024"},
    {"getMonth",
     RX_F_METHOD,
     1,
     2,
     {TIME, ZONE},
     RX_K_INT,
     month,
     "time.getMonth(zone)",
     "The month from 0 (January).",
     T ".getMonth()",
     "1"},
    {"getDate",
     RX_F_METHOD,
     1,
     2,
     {TIME, ZONE},
     RX_K_INT,
     date,
     "time.getDate(zone)",
     "The day of the month from 1.",
     T ".getDate(\"Europe/Berlin\")",
     "1"},
    {"getDayOfMonth",
     RX_F_METHOD,
     1,
     2,
     {TIME, ZONE},
     RX_K_INT,
     day_of_month,
     "time.getDayOfMonth(zone)",
     "The day of the month from 0.",
     T ".getDayOfMonth()",
     "28"},
    {"getDayOfWeek",
     RX_F_METHOD,
     1,
     2,
     {TIME, ZONE},
     RX_K_INT,
     day_of_week,
     "time.getDayOfWeek(zone)",
     "The day of the week from 0 (Sunday).",
     T ".getDayOfWeek()",
     "4"},
    {"getDayOfYear",
     RX_F_METHOD,
     1,
     2,
     {TIME, ZONE},
     RX_K_INT,
     day_of_year,
     "time.getDayOfYear(zone)",
     "The day of the year from 0.",
     T ".getDayOfYear()",
     "59"},
    {"getHours",
     RX_F_METHOD,
     1,
     2,
     {BOTH, ZONE},
     RX_K_INT,
     hours,
     "time.getHours(zone)",
     "The hour; of a duration all its whole hours.",
     T ".getHours(\"-03:30\")",
     "20"},
    {"getMinutes",
     RX_F_METHOD,
     1,
     2,
     {BOTH, ZONE},
     RX_K_INT,
     minutes,
     "time.getMinutes(zone)",
     "The minute; of a duration all its whole minutes.",
     "duration(\"1h2m\").getMinutes()",
     "62"},
    {"getSeconds",
     RX_F_METHOD,
     1,
     2,
     {BOTH, ZONE},
     RX_K_INT,
     seconds,
     "time.getSeconds(zone)",
     "The second; of a duration all its whole seconds.",
     T ".getSeconds()",
     "15"},
    {"getMilliseconds",
     RX_F_METHOD,
     1,
     2,
     {BOTH, ZONE},
     RX_K_INT,
     milliseconds,
     "time.getMilliseconds(zone)",
     "The milliseconds within the second.",
     T ".getMilliseconds()",
     "250"},
    {"strftime",
     RX_F_METHOD,
     2,
     3,
     {TIME, RX_K_STRING, ZONE},
     RX_K_STRING,
     strftime_of,
     "time.strftime(format, zone)",
     "The time as text: %Y %m %d %e %y %H %I %M %S %p %a %A %b %B %j %u %w %G %V as in POSIX, in English; %F %T %R; "
     "%L, %f, %N milli-, "
     "micro-, nanoseconds; %s seconds since 1970; %z +0100, %:z +01:00. Without a zone UTC.",
     T ".strftime(\"%a %d %b %Y, %H:%M:%S %z\", \"Europe/Berlin\")",
     "\"Fri 01 Mar 2024, 00:30:15 +0100\""},
    {0},
};
