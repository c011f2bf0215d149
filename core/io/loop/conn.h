/* A connection: an object that bytes come from and go to, over a descriptor or (another class of the same) TLS.
 *
 * One owner at a time, whose function is called when bytes can be read or written; handing a connection over is setting
 * another. Belongs to the loop's thread. Nothing here blocks. */
#ifndef RX_IO_CONN_H
#define RX_IO_CONN_H

#include "core/io/loop/loop.h"

#include <sys/types.h>

struct iovec;
struct rx_conn;

/* Entered with the scheduler at the present; again as long as what it was called for is so. May close the connection. */
typedef void (*rx_conn_fn)(void *arg, unsigned events);

/* Over a connected, non-blocking stream socket, which it owns from then on; on failure it stays the caller's. Watches
 * nothing yet. -ENOMEM. */
int rx_conn_of_fd(struct rx_loop *, int fd, struct rx_conn **ret);
void rx_conn_set_owner(struct rx_conn *, rx_conn_fn ready, void *arg);
/* What to be called for: RX_READABLE, RX_WRITABLE, both, or 0. -EIO. */
int rx_conn_watch(struct rx_conn *, unsigned events);

/* Bytes read, at most `size`; 0: the other side has ended; -EAGAIN: none now; another negative errno: it is lost. */
ssize_t rx_conn_read(struct rx_conn *, void *data, size_t size);
/* Bytes taken, perhaps fewer than all; -EAGAIN: none now (wait for RX_WRITABLE); another negative errno: it is lost. */
ssize_t rx_conn_writev(struct rx_conn *, const struct iovec *, unsigned count);
/* Nothing more will be written: the other side sees the end behind what was. It may still be read. */
void rx_conn_end(struct rx_conn *);
void rx_conn_close(struct rx_conn *);   /* at once, and frees it; safe on NULL, and inside its own callback */
int rx_conn_fd(const struct rx_conn *); /* for socket options and addresses; never to read or write */

#endif
