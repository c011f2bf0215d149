/* Rotation of a file: when it is due, its new name, and the tidying behind it: packing what was rotated and removing the
 * oldest, on a thread of its own. One thread, the loop's.
 *
 * A rotated file is PATH.20261124T221731Z, with -2 ... where that second has had one, and .gz once it is packed. That name is
 * final, so that whoever reads it, or packs it, is not overtaken by the next rotation. */
#ifndef RX_SINKS_ROTATE_H
#define RX_SINKS_ROTATE_H

#include "core/io/loop/loop.h"
#include "core/option/option.h"

/* The group `rotate:`. */
struct rx_rotate_options {
    uint64_t size; /* bytes; 0: not by size */
    rx_time every; /* 0: not by age */
    int64_t keep;  /* rotated files */
};
extern const struct rx_class rx_rotate_class;

struct rx_rotate;
/* The path is borrowed. `told` hears of what the thread could not do (once, until it can again), in words: NULL, it can. */
int rx_rotate_create(struct rx_loop *, const char *path, const struct rx_rotate_options *, bool compress,
                     void (*told)(void *arg, const char *trouble), void *arg, struct rx_rotate **ret);
void rx_rotate_destroy(struct rx_rotate *); /* the thread goes on by itself; safe on NULL */
/* Gives the file its other name. Negative errno; then it is where it was. */
int rx_rotate_now(struct rx_rotate *, rx_time wall);
/* Packs and removes what a former run left behind, and what is there. */
void rx_rotate_tidy(struct rx_rotate *);

/* Which of two rotated files of a path is the older one, by name; 0: either. And whether a name in its folder is such a
 * file; *ret_packed: it ends in .gz. */
int rx_rotate_compare(const char *a, const char *b);
bool rx_rotate_is_rotated(const char *base, const char *name, bool *ret_packed);

#endif
