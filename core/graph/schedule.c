/* Schedules on the epoch and by a calendar. */
#include "core/graph/schedule.h"

#include <errno.h>
#include <stdlib.h>

#include "core/value/timestamp.h"

enum { DAY = 86400 };

/* The latest boundary at or before `t` and the earliest after it, of those that were looked at. */
struct search {
    const struct rx_calendar *calendar;
    rx_time t, start, end;
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* ---- the times of a day ---- */

static bool read_part(const char **p, int limit, int *ret)
{
    char *end;
    if (**p < '0' || **p > '9')
        return false;
    long value = strtol(*p, &end, 10);
    bool fits = end - *p == 2 && value < limit;
    *p = end;
    *ret = (int)value;
    return fits;
}

static bool read_time(const char *p, int32_t *ret)
{
    int hour, minute, second = 0;
    if (!read_part(&p, 24, &hour) || *p++ != ':' || !read_part(&p, 60, &minute))
        return false;
    if (*p == ':' && (p++, !read_part(&p, 60, &second)))
        return false;
    *ret = hour * 3600 + minute * 60 + second;
    return *p == '\0';
}

int rx_calendar_at(struct rx_calendar *c, const struct rx_strings *times, struct rx_error *reterr)
{
    if (times->count > RX_CALENDAR_TIMES_MAX)
        return rx_error_set(reterr, -EINVAL, "`at` takes at most %d times of day", RX_CALENDAR_TIMES_MAX);
    c->unit = RX_CALENDAR_AT;
    c->count = 0;
    for (size_t i = 0; i < times->count; i++) {
        if (!read_time(times->items[i], &c->times[c->count++])) {
            rx_error_set(reterr, -EINVAL, "`at`: \"%.40s\" is no time of day", times->items[i]);
            rx_error_hint(reterr, "write hours and minutes, from \"00:00\" to \"23:59\": at: [\"06:00\", \"22:00\"]");
            return -EINVAL;
        }
    }
    return 0;
}

/* ---- boundaries by the calendar ---- */

static void look_at(struct search *s, int64_t local)
{
    rx_time boundary = rx_zone_from_local(s->calendar->zone, local) * RX_SEC;
    if (boundary <= s->t && boundary > s->start)
        s->start = boundary;
    if (boundary > s->t && boundary < s->end)
        s->end = boundary;
}

/* By days, from one that begins before `t` to one that begins after it, whatever the clocks do. */
static void search_days(struct search *s, int64_t today)
{
    const struct rx_calendar *c = s->calendar;
    for (int64_t day = today - 2; day <= today + 2; day++) {
        if (c->unit == RX_CALENDAR_DAY)
            look_at(s, day * DAY);
        for (unsigned i = 0; i < c->count; i++)
            look_at(s, day * DAY + c->times[i]);
    }
}

static void search_weeks(struct search *s, int64_t today)
{
    int64_t thursday = 0, monday = thursday - 3 + s->calendar->week_start; /* 1970-01-01 was a Thursday */
    int64_t first = monday + floor_div(today - monday, 7) * 7;
    for (int week = -1; week <= 2; week++)
        look_at(s, (first + 7 * (int64_t)week) * DAY);
}

static void search_months(struct search *s, int64_t today, int length)
{
    int64_t year;
    unsigned month, day;
    rx_civil_from_days(today, &year, &month, &day);
    int64_t first = floor_div(year * 12 + month - 1, length);
    for (int64_t i = first - 1; i <= first + 2; i++) {
        int64_t months = i * length, in = floor_div(months, 12);
        look_at(s, rx_days_from_civil(in, (unsigned)(months - in * 12) + 1, 1) * DAY);
    }
}

static struct search boundaries_at(const struct rx_calendar *c, rx_time t)
{
    struct search s = {.calendar = c, .t = t, .start = INT64_MIN, .end = INT64_MAX};
    int64_t seconds = floor_div(t, RX_SEC);
    int64_t today = floor_div(seconds + rx_zone_offset_at(c->zone, seconds), DAY);
    switch (c->unit) {
    case RX_CALENDAR_WEEK:
        search_weeks(&s, today);
        break;
    case RX_CALENDAR_MONTH:
        search_months(&s, today, 1);
        break;
    case RX_CALENDAR_QUARTER:
        search_months(&s, today, 3);
        break;
    case RX_CALENDAR_YEAR:
        search_months(&s, today, 12);
        break;
    default:
        search_days(&s, today);
    }
    return s;
}

/* ---- both ---- */

static rx_time floor_to(rx_time t, rx_time step)
{
    rx_time rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

rx_time rx_schedule_end_after(const struct rx_schedule *s, rx_time t)
{
    if (s->calendar)
        return boundaries_at(s->calendar, t).end;
    rx_time phase = (s->offset + s->size) % s->every;
    return floor_to(t - phase, s->every) + phase + s->every;
}

rx_time rx_schedule_start(const struct rx_schedule *s, rx_time end)
{
    return s->calendar ? boundaries_at(s->calendar, end - 1).start : end - s->size;
}
