/* A file that is read again when it changes: looked at once a second (stat), read whole on an errand's thread.
 *
 * On the loop's thread, which never waits for the disk but for that stat. */
#ifndef RX_IO_FILE_WATCH_H
#define RX_IO_FILE_WATCH_H

#include "core/base/file.h"
#include "core/io/loop/loop.h"

struct rx_file_watch;
/* What it holds now, borrowed; or why it cannot be read, once for each change. */
typedef void (*rx_file_told_fn)(void *arg, const char *text, size_t length, const struct rx_error *);

/* `known`: what was read of it before; it is told of what is not that. */
int rx_file_watch_create(struct rx_loop *, const char *path, size_t max, struct rx_file_stamp known, rx_file_told_fn,
                         void *arg, struct rx_file_watch **ret);
void rx_file_watch_destroy(struct rx_file_watch *); /* NULL is fine; not from its own callback */

#endif
