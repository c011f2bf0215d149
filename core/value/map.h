/* The inside of a map: entries in order, and past eight of them a hash index behind. For record.c and the decoder. */
#ifndef RX_CORE_MAP_H
#define RX_CORE_MAP_H

#include "core/value/record.h"

/* Bytes of a map with room for `count` entries and their index. */
size_t rx_map_bytes(uint32_t count);
/* Settles a map whose `count` entries were filled in: the last of equal keys wins, in the place of the first, and the
 * index is made. `counted`: the entries that lose are unreferenced. */
void rx_map_settle(struct rx_map *, uint32_t count, bool counted);
const struct rx_value *rx_map_get(const struct rx_map *, struct rx_value key);

#endif
