/* Schedules: where windows begin and end, on the epoch or by a calendar. Any thread. */
#ifndef RX_CORE_SCHEDULE_H
#define RX_CORE_SCHEDULE_H

#include "core/option/option.h"
#include "core/value/zone.h"

/* Boundaries by the clocks of a zone: at times of each day, or where days, weeks, months, quarters or years begin. A time that the
 * clocks skip, or show twice: rx_zone_from_local. */
enum rx_calendar_unit {
    RX_CALENDAR_NONE,
    RX_CALENDAR_AT,
    RX_CALENDAR_DAY,
    RX_CALENDAR_WEEK,
    RX_CALENDAR_MONTH,
    RX_CALENDAR_QUARTER,
    RX_CALENDAR_YEAR
};
#define RX_CALENDAR_TIMES_MAX 48

struct rx_calendar {
    const struct rx_zone *zone; /* borrowed */
    enum rx_calendar_unit unit;
    unsigned week_start; /* 0: Monday */
    unsigned count;
    int32_t times[RX_CALENDAR_TIMES_MAX]; /* of day, seconds */
};

/* At times of day, "06:00" or "06:00:30". -EINVAL. */
int rx_calendar_at(struct rx_calendar *, const struct rx_strings *times, struct rx_error *reterr);

struct rx_schedule {
    rx_time size, every, offset;        /* ns; size and every > 0 */
    const struct rx_calendar *calendar; /* in place of the others; NULL: none */
};

/* Windows are [offset + k * every, offset + k * every + size) for whole k: every < size overlaps, every > size leaves gaps. By a
 * calendar they are from one boundary to the next.
 *
 * The least end that is after `t`: of the first window that holds `t`, or (in a gap) of the next one. The windows that
 * hold `t` are those that end here, at the end after that and so on, while they start at or before `t` (rx_schedule_start). */
rx_time rx_schedule_end_after(const struct rx_schedule *, rx_time t);
rx_time rx_schedule_start(const struct rx_schedule *, rx_time end);

#endif
