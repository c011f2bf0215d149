/* The parts of timestamps, in a zone, and of durations (langdef, "Timezones"). */
#include <errno.h>

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
    {0},
};
