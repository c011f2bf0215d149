/* The heap of one worker: size-class pools of refcounted blocks, interned keys and shapes.
 *
 * One thread only; nothing here is atomic. A value never crosses threads: what crosses is copied (serialised) and
 * interned again. */
#ifndef RX_CORE_HEAP_H
#define RX_CORE_HEAP_H

#include "core/value/value.h"

struct rx_heap_limits {
    size_t max_bytes;    /* live bytes in blocks; 0: no limit. Past it allocations fail with NULL */
    unsigned max_shapes; /* met at run time; 0: 4,096. Past it, and while all are in use, objects become plain maps */
    unsigned max_keys;   /* the same of keys; 0: 65,536 */
};

struct rx_heap *rx_heap_create(const struct rx_heap_limits *); /* NULL limits: defaults. NULL: out of memory */
void rx_heap_destroy(struct rx_heap *);                        /* every block must be gone (asserted in debug) */

/* Of values: interned keys are not among them. */
size_t rx_heap_live_bytes(const struct rx_heap *);
size_t rx_heap_live_blocks(const struct rx_heap *); /* tests assert 0 at the end */
size_t rx_heap_keys_met(const struct rx_heap *);    /* that are in the table now */
size_t rx_heap_shapes_met(const struct rx_heap *);
/* True when an allocation failed since the last call. */
bool rx_heap_failed(struct rx_heap *);
/* Why the last value that could not be made was not: fills `reterr` and answers -E2BIG where it would have been too large
 * or too deep (record.h), else -ENOMEM. */
struct rx_error;
int rx_heap_why(struct rx_heap *, struct rx_error *reterr);

/* What a block holds at its first byte, so that it can release what it refers to. Other objects in the same block are
 * not visited, but for the records of a message: they must not refer to other blocks. */
enum rx_content {
    RX_CONTENT_LEAF,     /* no references to other blocks */
    RX_CONTENT_LIST,     /* a struct rx_list */
    RX_CONTENT_MAP,      /* a struct rx_map */
    RX_CONTENT_RECORD,   /* a struct rx_record */
    RX_CONTENT_OPTIONAL, /* a struct rx_optional */
    RX_CONTENT_MARK,     /* a struct rx_mark (event.h) */
    RX_CONTENT_MESSAGE,  /* a container and all within it, its records chained (heap_private.h) */
};

/* A block with room for `size` bytes (16-byte aligned, not zeroed), one reference. NULL: out of memory or limit. */
struct rx_block *rx_block_alloc(struct rx_heap *, size_t size, enum rx_content);

static inline void *rx_block_data(struct rx_block *block) { return block + 1; }

static inline struct rx_block *rx_block_ref(struct rx_block *block)
{
    block->refs++;
    return block;
}

static inline void rx_block_unref(struct rx_block *block)
{
    if (block && --block->refs == 0)
        rx_block_free(block);
}

/* A value of `kind` for an object at `object` inside `block`. An object more than 1 MiB (65,535 units) behind the
 * header cannot be referred to: answers RX_NULL (json_build.c copies such strings to their own block). */
static inline struct rx_value rx_block_value(struct rx_block *block, enum rx_kind kind, const void *object,
                                             uint32_t aux)
{
    uintptr_t back = (((uintptr_t)object & ~(uintptr_t)15) - (uintptr_t)block) / 16;
    if (back > UINT16_MAX)
        return rx_null();
    return (struct rx_value){.kind = (uint8_t)kind, .back = (uint16_t)back, .aux = aux, .u.pointer = object};
}

#endif
