/* Values that come as a stream of items (CBOR, MessagePack): scalars, texts, and containers told by their count or by an end.
 * Not recursive; no memory is taken for what is announced and has not come. One worker.
 *
 * Each item answers 1 when the value is whole, 0 when more belong to it, or -E2BIG (depth, keys), -EILSEQ (a text that is not
 * UTF-8), -EBADMSG (an end where none can be), -ENOMEM; then nothing but begin may follow. */
#ifndef RX_CORE_ITEMS_H
#define RX_CORE_ITEMS_H

#include "core/json/json.h"

enum { RX_ITEMS_DEPTH_MAX = 128, RX_ITEMS_KEYS_MAX = 65536 };
#define RX_ITEMS_UNTIL_END UINT64_MAX

struct rx_items_frame {
    uint64_t left;   /* items to come; RX_ITEMS_UNTIL_END: until the end */
    uint32_t count;  /* items so far, keys among them */
    uint32_t base;   /* the first of its values on the stack */
    bool map, skip;  /* skip: nothing of it is asked for */
    bool skip_value; /* of a map: the value that comes next is not asked for */
};

/* Zero-initialise with `heap` set; finish frees. */
struct rx_items {
    struct rx_heap *heap;

    /* private */
    const struct rx_fields *fields;
    bool check, past_end;
    struct rx_value *stack;
    size_t top, capacity;
    unsigned depth;
    struct rx_items_frame *frames;
    struct rx_buffer text;
    struct rx_value whole;
};
void rx_items_finish(struct rx_items *);

/* Begins a value. `fields`: of a map, the keys that are asked for; NULL: all. Lets go of one that was not taken. */
void rx_items_begin(struct rx_items *, const struct rx_fields *);
/* The same for a value that is only looked through: it becomes null. */
void rx_items_begin_check(struct rx_items *);
int rx_items_put_take(struct rx_items *, struct rx_value);
int rx_items_text(struct rx_items *, const char *text, size_t length);
int rx_items_bytes(struct rx_items *, const void *data, size_t length);
int rx_items_open(struct rx_items *, bool map, uint64_t count); /* of elements, or of pairs; or RX_ITEMS_UNTIL_END */
int rx_items_close(struct rx_items *);                          /* of one that is open until its end */
/* Seconds since 1970 and nanoseconds. -ERANGE outside the years 1 to 9999. */
int rx_items_time(struct rx_items *, int64_t seconds, uint64_t nanos);
/* The value, when it is whole; the caller's. */
struct rx_value rx_items_take(struct rx_items *);
/* Whether what has come is a list that was opened and nothing of it; how many are announced. */
bool rx_items_opens_list(const struct rx_items *, uint64_t *ret_count);

/* A whole number, exact up to 2^64, marked as JSON's are (21 and 21.5 from one device behave alike). */
struct rx_value rx_items_uint(uint64_t);

#endif
