/* Private to the loop: a watch, so that a connection can hold one in itself. */
#ifndef RX_IO_LOOP_PRIVATE_H
#define RX_IO_LOOP_PRIVATE_H

#include "core/io/loop/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct rx_watch {
    struct rx_loop *loop;
    struct event event; /* added while `events` is not 0 */
    rx_watch_fn ready;
    void *arg;
    int fd;
    unsigned events;
};

void rx_watch_init(struct rx_watch *, struct rx_loop *, int fd, rx_watch_fn, void *arg); /* watches nothing yet */
void rx_watch_finish(struct rx_watch *);

#endif
