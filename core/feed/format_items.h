/* Formats that are a stream of items (CBOR, MessagePack): what they share. For their files alone. */
#ifndef RX_CORE_FORMAT_ITEMS_H
#define RX_CORE_FORMAT_ITEMS_H

#include "core/feed/format.h"
#include "core/feed/items.h"

struct rx_items_format {
    struct rx_format_state state;
    struct rx_items items;
    /* Reads the item at `at` (of at least one byte) into `items`, and answers as they do; -ENODATA: it is not all there. */
    int (*read)(struct rx_items_format *, const char *at, const char *end, size_t *ret_read);
};

void rx_items_format_init(struct rx_format_state *,
                          int (*read)(struct rx_items_format *, const char *at, const char *end, size_t *ret_read));
/* Slots of struct rx_format_class. */
int rx_items_format_value(struct rx_format_state *, const char *bytes, size_t length, struct rx_value *ret,
                          struct rx_error *reterr);
int rx_items_format_next(struct rx_format_state *, struct rx_format_cursor *, struct rx_value *ret,
                         struct rx_error *reterr);
const char *rx_items_format_end(struct rx_format_state *, const char *at, const char *end);
void rx_items_format_dispose(struct rx_format_state *);

#endif
