/* An inbox: which of a thread's logs have something new.
 *
 * Writers on any thread put their log on it; one wake tells of all of them, and a log without news costs nothing. */
#ifndef RX_IO_STREAM_INBOX_H
#define RX_IO_STREAM_INBOX_H

#include "core/io/serve/stream_log.h"

struct rx_log_link;

/* The wake is borrowed, and signalled for each log that comes on. -ENOMEM. */
int rx_log_inbox_create(struct rx_wake *, struct rx_log_inbox **ret);
void rx_log_inbox_destroy(struct rx_log_inbox *); /* no writer has it any more; logs and their readers may be gone */
/* On the reading thread, when the wake fires: takes all off, in the order in which they came on, and calls for each the
 * reader that its log has by then (rx_log_set_reader). A log comes on again for what is published after rx_log_collect. */
void rx_log_inbox_take(struct rx_log_inbox *, void (*each)(void *reader));

void rx_log_inbox_put(struct rx_log_inbox *, struct rx_log_link *); /* any thread; no-op when it is on it */

#endif
