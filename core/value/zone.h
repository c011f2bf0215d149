/* Time zones: "Europe/Berlin" (the system's compiled files: TZif, RFC 8536), "+02:00", "UTC". Any thread, once made. */
#ifndef RX_CORE_ZONE_H
#define RX_CORE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RX_ZONE_NAME_MAX 64

struct rx_zone;
/* Reads the zone's file, where it has one. -EINVAL: no such zone; -ENOMEM. */
int rx_zone_load(const char *name, struct rx_zone **ret);
void rx_zone_destroy(struct rx_zone *);

/* Seconds east of UTC at a time (in seconds since 1970). */
int rx_zone_offset_at(const struct rx_zone *, int64_t seconds);
/* The time at which the zone's clocks show `local` (a date and time, in seconds, as if they were UTC). As RFC 5545, section
 * 3.3.5, has it: what the clocks skip takes the offset from before; of what they show twice it is the first. */
int64_t rx_zone_from_local(const struct rx_zone *, int64_t local);

/* [+-]hh:mm in seconds; false: it is none. */
bool rx_zone_fixed(const char *text, size_t length, int *ret);

#endif
