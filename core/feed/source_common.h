/* What a user may write beside a source's kind, whatever that is: one table. */
#ifndef RX_CORE_SOURCE_COMMON_H
#define RX_CORE_SOURCE_COMMON_H

#include "core/feed/dedupe.h"
#include "core/feed/format.h"
#include "core/graph/share.h"

enum rx_time_unit { RX_UNIT_TEXT, RX_UNIT_S, RX_UNIT_MS, RX_UNIT_US, RX_UNIT_NS };

struct rx_event_time {
    const char *field;    /* as the user names it; by the time options are parsed the planner has put it in `expr` */
    struct rx_expr *expr; /* NULL: events are stamped on arrival */
    int unit;             /* enum rx_time_unit, of a number */
};

struct rx_source_common {
    struct rx_event_time event_time;
    rx_time lateness;     /* ns; how far an event may lie behind the newest one and still be in time */
    rx_time idle_timeout; /* ns; 0: none */
    rx_time max_ahead;    /* ns, of the arrival; 0: as the source runs: 1 h live, no bound in a replay */
    rx_time catch_up;     /* ns */
    int replay;           /* enum rx_source_replay */
    int format;           /* enum rx_format, where it is given */
    bool format_given, csv_given;
    struct rx_format_options formats; /* csv, split */
    uint64_t max_message;             /* bytes */
    struct rx_dedupe_options dedupe;
    struct rx_share share;
};

enum rx_source_replay { RX_REPLAY_HOT, RX_REPLAY_COLD };

extern const struct rx_class rx_source_common;
/* The same, of a source whose messages bring their times: `lateness` and so on mean something without event_time. */
extern const struct rx_class rx_source_common_timed;
/* An option of it by that name. */
bool rx_source_common_has(const char *name);

#endif
