/* Timestamps: the calendar, RFC 3339 text, and the epoch numbers and texts by which feeds tell their times. Any thread. */
#ifndef RX_CORE_TIMESTAMP_H
#define RX_CORE_TIMESTAMP_H

#include "core/value/value.h"

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back; months and days from 1 (Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms": days_from_civil, civil_from_days). */
int64_t rx_days_from_civil(int64_t year, unsigned month, unsigned day);
void rx_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

/* RFC 3339, section 5.6: "2026-11-23T09:30:00.125Z", or a numeric offset; T and Z may be lower case, digits past the
 * ninth of a fraction are dropped, second 60 is the next minute. Answers seconds since 1970 and nanoseconds; or -EINVAL. */
int rx_timestamp_parse(const char *text, size_t length, int64_t *ret_seconds, uint32_t *ret_nanos);

/* A timestamp; a number since the epoch, its unit by magnitude: below 1e11 seconds (to the year 5138), below 1e14
 * milliseconds, below 1e17 microseconds, else nanoseconds (so 1973-03-03 is the first instant told in milliseconds); or
 * RFC 3339 text. 0, -EINVAL (neither), -ERANGE (before 1678 or after 2261). */
int rx_timestamp_read(struct rx_value, rx_time *ret);

#endif
