/* Schedules: windows by the clocks of a zone, against a table made by hand from the dates on which those clocks turn. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/schedule.h"
#include "core/value/timestamp.h"

#define BERLIN "Europe/Berlin"    /* 2026: 03-29 02:00 -> 03:00, 10-25 03:00 -> 02:00 */
#define YORK   "America/New_York" /* 2026: 03-08 02:00 -> 03:00, 11-01 02:00 -> 01:00 */

struct row {
    const char *zone;
    enum rx_calendar_unit unit;
    const char *times; /* of day, two at most, with a blank between */
    unsigned week_start;
    const char *t, *start, *end; /* UTC, without seconds */
};

static const struct row rows[] = {
    /* shifts: the night in which the clocks turn is an hour shorter, or longer */
    {BERLIN, RX_CALENDAR_AT, "06:00 22:00", 0, "2026-03-28T23:00", "2026-03-28T21:00", "2026-03-29T04:00"},
    {BERLIN, RX_CALENDAR_AT, "06:00 22:00", 0, "2026-03-29T04:00", "2026-03-29T04:00", "2026-03-29T20:00"},
    {BERLIN, RX_CALENDAR_AT, "06:00 22:00", 0, "2026-10-25T00:00", "2026-10-24T20:00", "2026-10-25T05:00"},
    {BERLIN, RX_CALENDAR_AT, "22:00 06:00", 0, "2026-10-25T12:00", "2026-10-25T05:00", "2026-10-25T21:00"},
    {YORK, RX_CALENDAR_AT, "06:00 22:00", 0, "2026-03-08T07:30", "2026-03-08T03:00", "2026-03-08T10:00"},
    {YORK, RX_CALENDAR_AT, "06:00 22:00", 0, "2026-11-01T06:30", "2026-11-01T02:00", "2026-11-01T11:00"},
    /* a time that the clocks skip takes the offset from before */
    {BERLIN, RX_CALENDAR_AT, "02:30", 0, "2026-03-29T01:00", "2026-03-28T01:30", "2026-03-29T01:30"},
    {BERLIN, RX_CALENDAR_AT, "02:30", 0, "2026-03-29T02:00", "2026-03-29T01:30", "2026-03-30T00:30"},
    {YORK, RX_CALENDAR_AT, "02:30", 0, "2026-03-08T07:00", "2026-03-07T07:30", "2026-03-08T07:30"},
    {YORK, RX_CALENDAR_AT, "02:30", 0, "2026-03-08T08:00", "2026-03-08T07:30", "2026-03-09T06:30"},
    /* and may then be another one, or come after it */
    {BERLIN, RX_CALENDAR_AT, "02:30 03:30", 0, "2026-03-29T01:00", "2026-03-28T02:30", "2026-03-29T01:30"},
    {BERLIN, RX_CALENDAR_AT, "02:30 03:30", 0, "2026-03-29T01:30", "2026-03-29T01:30", "2026-03-30T00:30"},
    {BERLIN, RX_CALENDAR_AT, "02:30 03:00", 0, "2026-03-29T00:59", "2026-03-28T02:00", "2026-03-29T01:00"},
    {BERLIN, RX_CALENDAR_AT, "02:30 03:00", 0, "2026-03-29T01:00", "2026-03-29T01:00", "2026-03-29T01:30"},
    /* of a time that they show twice it is the first */
    {BERLIN, RX_CALENDAR_AT, "02:30", 0, "2026-10-25T00:00", "2026-10-24T00:30", "2026-10-25T00:30"},
    {BERLIN, RX_CALENDAR_AT, "02:30", 0, "2026-10-25T01:30", "2026-10-25T00:30", "2026-10-26T01:30"},
    {YORK, RX_CALENDAR_AT, "01:30", 0, "2026-11-01T05:00", "2026-10-31T05:30", "2026-11-01T05:30"},
    {YORK, RX_CALENDAR_AT, "01:30", 0, "2026-11-01T06:30", "2026-11-01T05:30", "2026-11-02T06:30"},
    /* days of 23 and 25 hours, and what is made of them */
    {BERLIN, RX_CALENDAR_DAY, "", 0, "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"},
    {BERLIN, RX_CALENDAR_DAY, "", 0, "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"},
    {BERLIN, RX_CALENDAR_WEEK, "", 0, "2026-03-29T12:00", "2026-03-22T23:00", "2026-03-29T22:00"},
    {BERLIN, RX_CALENDAR_WEEK, "", 6, "2026-03-29T12:00", "2026-03-28T23:00", "2026-04-04T22:00"},
    {BERLIN, RX_CALENDAR_WEEK, "", 0, "2026-10-25T12:00", "2026-10-18T22:00", "2026-10-25T23:00"},
    {BERLIN, RX_CALENDAR_MONTH, "", 0, "2026-03-29T12:00", "2026-02-28T23:00", "2026-03-31T22:00"},
    {BERLIN, RX_CALENDAR_MONTH, "", 0, "2026-10-25T12:00", "2026-09-30T22:00", "2026-10-31T23:00"},
    {BERLIN, RX_CALENDAR_QUARTER, "", 0, "2026-03-29T12:00", "2025-12-31T23:00", "2026-03-31T22:00"},
    {BERLIN, RX_CALENDAR_QUARTER, "", 0, "2026-10-25T12:00", "2026-09-30T22:00", "2026-12-31T23:00"},
    {BERLIN, RX_CALENDAR_YEAR, "", 0, "2026-07-01T12:00", "2025-12-31T23:00", "2026-12-31T23:00"},
    {YORK, RX_CALENDAR_DAY, "", 0, "2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"},
    {YORK, RX_CALENDAR_DAY, "", 0, "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"},
    {YORK, RX_CALENDAR_WEEK, "", 0, "2026-03-08T12:00", "2026-03-02T05:00", "2026-03-09T04:00"},
    {YORK, RX_CALENDAR_WEEK, "", 6, "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-08T05:00"},
    {YORK, RX_CALENDAR_MONTH, "", 0, "2026-03-08T12:00", "2026-03-01T05:00", "2026-04-01T04:00"},
    {YORK, RX_CALENDAR_MONTH, "", 0, "2026-11-01T03:59", "2026-10-01T04:00", "2026-11-01T04:00"},
    {YORK, RX_CALENDAR_QUARTER, "", 0, "2026-11-01T12:00", "2026-10-01T04:00", "2027-01-01T05:00"},
    {YORK, RX_CALENDAR_YEAR, "", 0, "2026-11-01T12:00", "2026-01-01T05:00", "2027-01-01T05:00"},
    /* by the rule in the zone's footer; before 1970; a leap year; without a zone's file */
    {BERLIN, RX_CALENDAR_DAY, "", 0, "2040-03-25T12:00", "2040-03-24T23:00", "2040-03-25T22:00"},
    {"UTC", RX_CALENDAR_WEEK, "", 0, "1969-12-28T12:00", "1969-12-22T00:00", "1969-12-29T00:00"},
    {"UTC", RX_CALENDAR_MONTH, "", 0, "2024-02-15T00:00", "2024-02-01T00:00", "2024-03-01T00:00"},
    {"+05:30", RX_CALENDAR_DAY, "", 0, "2026-01-01T18:29", "2025-12-31T18:30", "2026-01-01T18:30"},
};

static rx_time instant(const char *text)
{
    char whole[40];
    int64_t seconds;
    uint32_t nanos;
    snprintf(whole, sizeof whole, "%s:00Z", text);
    ck_assert_int_eq(rx_timestamp_parse(whole, strlen(whole), &seconds, &nanos), 0);
    return seconds * RX_SEC;
}

static void read_times(struct rx_calendar *c, const char *text)
{
    char copy[32], *rest = copy;
    const char *items[2];
    struct rx_error error;
    struct rx_strings times = {.items = items};
    snprintf(copy, sizeof copy, "%s", text);
    while (rest && *rest) {
        items[times.count++] = rest;
        rest = strchr(rest, ' ');
        if (rest)
            *rest++ = '\0';
    }
    ck_assert_int_eq(rx_calendar_at(c, &times, &error), 0);
}

START_TEST(windows_follow_the_clocks_of_a_zone)
{
    const struct row *row = &rows[_i];
    struct rx_zone *zone = NULL;
    ck_assert_int_eq(rx_zone_load(row->zone, &zone), 0);
    struct rx_calendar calendar = {.zone = zone, .unit = row->unit, .week_start = row->week_start};
    if (row->unit == RX_CALENDAR_AT)
        read_times(&calendar, row->times);
    struct rx_schedule schedule = {.calendar = &calendar};
    rx_time t = instant(row->t), end = rx_schedule_end_after(&schedule, t);
    ck_assert_msg(end == instant(row->end), "row %d: its end is %lld, not %s", _i, (long long)(end / RX_SEC), row->end);
    ck_assert_msg(rx_schedule_start(&schedule, end) == instant(row->start), "row %d: its start is not %s", _i,
                  row->start);
    rx_zone_destroy(zone);
}
END_TEST

/* Windows in a row: each begins where the one before ends, and holds its own instants. */
START_TEST(calendar_windows_leave_no_gap)
{
    const struct row *row = &rows[_i];
    struct rx_zone *zone = NULL;
    ck_assert_int_eq(rx_zone_load(row->zone, &zone), 0);
    struct rx_calendar calendar = {.zone = zone, .unit = row->unit, .week_start = row->week_start};
    if (row->unit == RX_CALENDAR_AT)
        read_times(&calendar, row->times);
    struct rx_schedule schedule = {.calendar = &calendar};
    rx_time end = rx_schedule_end_after(&schedule, instant("2000-01-01T00:00"));
    for (int i = 0; i < 200; i++) {
        rx_time next = rx_schedule_end_after(&schedule, end);
        ck_assert_int_gt(next, end);
        ck_assert_int_eq(rx_schedule_start(&schedule, next), end);
        ck_assert_int_eq(rx_schedule_end_after(&schedule, next - 1), next);
        end = next;
    }
    rx_zone_destroy(zone);
}
END_TEST

START_TEST(what_is_no_time_of_day_is_refused)
{
    static const char *const wrong[] = {"24:00", "6:00", "06", "06:60", "06:00:60", "06:00x", "", "-1:00"};
    const char *item = wrong[_i];
    struct rx_strings times = {.items = &item, .count = 1};
    struct rx_calendar calendar = {0};
    struct rx_error error;
    ck_assert_int_lt(rx_calendar_at(&calendar, &times, &error), 0);
}
END_TEST

START_TEST(a_zone_that_is_not_there_is_refused)
{
    struct rx_zone *zone = NULL;
    ck_assert_int_lt(rx_zone_load("Europe/Atlantis", &zone), 0);
    ck_assert_int_lt(rx_zone_load("../etc/passwd", &zone), 0);
    ck_assert_ptr_null(zone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tcase = tcase_create("schedule");
    tcase_add_loop_test(tcase, windows_follow_the_clocks_of_a_zone, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, calendar_windows_leave_no_gap, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, what_is_no_time_of_day_is_refused, 0, 8);
    tcase_add_test(tcase, a_zone_that_is_not_there_is_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
