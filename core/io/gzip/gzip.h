/* gzip (RFC 1952) by zlib: unpacking what comes, in bounded steps, and packing a file. */
#ifndef RX_IO_GZIP_H
#define RX_IO_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

struct rx_gunzip;
struct rx_gunzip *rx_gunzip_create(void); /* NULL: no memory */
void rx_gunzip_destroy(struct rx_gunzip *);
/* Unpacks from `*at`, moving it on, into `out`; answers the bytes written, at most `room`. Where that is `room` there may be
 * more: call again, also with no input left. -EBADMSG: it is no gzip, or damaged; -ENOMEM. Several members in a row are one. */
long rx_gunzip_step(struct rx_gunzip *, const char **at, size_t *length, char *out, size_t room);
bool rx_gunzip_whole(const struct rx_gunzip *); /* the last member has ended, its checksum is right */

/* Packs a file into another, which is made anew, with the rights of the first, and is on the disk when it is done. Blocks: for a
 * thread of its own. Negative errno with a sentence; then there is no other file. */
int rx_gzip_file(const char *from, const char *to, struct rx_error *reterr);

#endif
