/* Whole files, bounded. These calls may block on a disk: at load, or on an errand's thread. Any thread. */
#ifndef RX_CORE_FILE_H
#define RX_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* What tells two states of a file apart; zeroes: there is none. */
struct rx_file_stamp {
    uint64_t device, inode, size;
    int64_t changed; /* ns since the epoch */
};
/* Zeroes where there is no such file. Does not open it. */
struct rx_file_stamp rx_file_stamp(const char *path);
bool rx_file_stamp_same(struct rx_file_stamp, struct rx_file_stamp);

/* Reads a regular file: *ret is malloc'ed, with a NUL behind it. -E2BIG (over `max` bytes), -EAGAIN (it changed meanwhile),
 * -EINVAL (no regular file), -ENOMEM, or open's and read's errno; all with a message that does not name the path. */
int rx_file_read(const char *path, size_t max, char **ret, size_t *ret_length, struct rx_file_stamp *ret_stamp,
                 struct rx_error *reterr);

#endif
