/* Names to what they stand for: a growing hash table of borrowed texts. One thread. */
#ifndef RX_PIPELINES_NAMES_H
#define RX_PIPELINES_NAMES_H

#include <stddef.h>

struct rx_names;
struct rx_names *rx_names_create(void); /* NULL: no memory */
void rx_names_destroy(struct rx_names *);
/* What stands under `name`; NULL: nothing. */
void *rx_names_get(const struct rx_names *, const char *name);
/* Adds or replaces. The text must live as long as the table; `what` is not NULL. 0 or -ENOMEM. */
int rx_names_put(struct rx_names *, const char *name, void *what);

#endif
