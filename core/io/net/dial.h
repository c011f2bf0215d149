/* Connecting without blocking: name look-up and connect(2) may take minutes, so they run on a thread of their own. */
#ifndef RX_IO_NET_DIAL_H
#define RX_IO_NET_DIAL_H

#include <stdbool.h>

#include "core/io/loop/loop.h"

struct rx_dial;
/* Tries every address of a name in turn: the first of "localhost" may be ::1 with nobody there. The wake is signalled when
 * it is over. -ENOMEM, -EAGAIN. */
int rx_dial_start(struct rx_wake *, const char *host, int port, struct rx_dial **ret);
/* True when it is over: frees the dial; *ret_fd is a connected, non-blocking socket, the caller's, or -1 with the reason
 * in `why`. */
bool rx_dial_finish(struct rx_dial *, int *ret_fd, char *why, size_t why_size);
/* Leaves it to the thread to clean up. NULL is fine. */
void rx_dial_abandon(struct rx_dial *);

#endif
