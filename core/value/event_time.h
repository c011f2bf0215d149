/* Event times as feeds write them: epoch numbers and RFC 3339 text. Any thread. */
#ifndef RX_CORE_EVENT_TIME_H
#define RX_CORE_EVENT_TIME_H

#include "core/value/value.h"

/* A timestamp; a number since the epoch, its unit by magnitude: below 1e11 seconds (to the year 5138), below 1e14
 * milliseconds, below 1e17 microseconds, else nanoseconds (so 1973-03-03 is the first instant told in milliseconds); or
 * RFC 3339 text (section 5.6: "2026-11-23T09:30:00.125Z", a numeric offset, lower case or a space for the T).
 * 0, -EINVAL (neither), -ERANGE (before 1678 or after 2261). */
int rx_event_time(struct rx_value, rx_time *ret);

#endif
