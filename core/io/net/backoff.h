/* How long to wait before the next attempt to connect, or to deliver: from 0.25 s, doubled each time, to 30 s, or as it is told. */
#ifndef RX_IO_NET_BACKOFF_H
#define RX_IO_NET_BACKOFF_H

#include <stdint.h>

#include "core/value/event.h"

struct rx_backoff {
    rx_time next;
    uint64_t random;
    rx_time least, most; /* may be set before rx_backoff_reset, least not over most */
    double factor;
};
void rx_backoff_init(struct rx_backoff *);
void rx_backoff_reset(struct rx_backoff *); /* it was worth it: the next attempt comes soon */
/* The wait before the next attempt, in ns. A quarter of it is left to chance, so that a thousand daemons do not come back
 * in step. */
rx_time rx_backoff_next(struct rx_backoff *);
double rx_backoff_chance(struct rx_backoff *); /* from 0 to below 1 */

#endif
