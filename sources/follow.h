/* Following a path as `tail -F` does: which file stands under it, files that took its place, and when to look. One thread. */
#ifndef RX_SOURCES_FOLLOW_H
#define RX_SOURCES_FOLLOW_H

#include <sys/stat.h>

#include "core/io/loop/loop.h"

/* Files that took each other's place while an older one is read; later ones are seen when there is room. */
enum { RX_FOLLOW_WAITING_MAX = 16 };
struct rx_file_identity {
    dev_t device;
    ino_t inode;
};

struct rx_follow;
/* `look` is called when something may have happened to the path or to the file that is read, and once a second in any case
 * (not every file system tells). Never inside another call of these. The path is borrowed. -ENOMEM. */
int rx_follow_create(struct rx_loop *, const char *path, void (*look)(void *arg), void *arg, struct rx_follow **ret);
void rx_follow_destroy(struct rx_follow *);
/* Opens what stands under the path if it is another file than the newest that is known: `reading`, or one that waits. Call
 * it at each look. 0, also where there is nothing; else why it cannot be opened. */
int rx_follow_notice(struct rx_follow *, const struct stat *reading);
/* Whether the file that is being read has a successor to go on with: not before that holds something, or has a successor
 * itself, since whoever writes may not have let go of the old one. Without one that is read: any. */
bool rx_follow_has_next(const struct rx_follow *, bool reading);
int rx_follow_take_next(struct rx_follow *); /* where there is one: its descriptor, the caller's */
/* Wants to hear of writes to this file. */
void rx_follow_hear(struct rx_follow *, int fd);
/* The file of that identity in the folder of the path: renamed while nobody read it. -1: none. */
int rx_follow_find(const char *path, struct rx_file_identity);
/* Those that wait, oldest first; answers how many. And over a reload: each again, in that order, before the first notice. */
unsigned rx_follow_waiting(const struct rx_follow *, struct rx_file_identity ret[static RX_FOLLOW_WAITING_MAX]);
void rx_follow_wait_again(struct rx_follow *, struct rx_file_identity);

#endif
