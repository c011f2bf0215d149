/* The heap of one worker: blocks from size-class slabs, large ones from malloc, and their iterative release. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/value/event.h"
#include "core/value/heap_private.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
enum { POOLED = 0 }; /* every block from malloc, so that the sanitizer sees a use after free */
#else
enum { POOLED = 1 };
#endif

enum { UNIT = 16, SLAB_BYTES = 32 * 1024 };

/* A run of equal blocks, aligned to its own size so that a block finds it. */
struct rx_slab {
    struct rx_slab *next, *prev;
    struct free_block *free;
    uint32_t used, carved; /* blocks in use; blocks ever handed out */
    uint32_t block_bytes, capacity;
    struct rx_pool *pool;
};

struct free_block {
    struct free_block *next;
};

static const uint8_t class_units[RX_POOL_CLASSES] = {2,  3,  4,  5,  6,  7,  8,  10, 12, 14,
                                                     16, 20, 24, 28, 32, 40, 48, 64, 96, 128};

struct rx_heap *rx_heap_create(const struct rx_heap_limits *limits)
{
    struct rx_heap *heap = calloc(1, sizeof *heap);
    if (!heap)
        return NULL;
    heap->max_bytes = SIZE_MAX;
    heap->shapes.max_shapes = limits && limits->max_shapes ? limits->max_shapes : 4096;
    heap->shapes.max_keys = limits && limits->max_keys ? limits->max_keys : 65536;
    for (unsigned units = 0, i = 0; units <= RX_POOL_UNITS_MAX; units++) {
        if (units > class_units[i])
            i++;
        heap->class_of[units] = (uint8_t)i;
    }
    rx_shapes_init(&heap->shapes);
    if (!rx_keys_known_intern(heap)) {
        rx_heap_destroy(heap);
        return NULL;
    }
    if (limits && limits->max_bytes)
        heap->max_bytes = limits->max_bytes;
    return heap;
}

void rx_heap_destroy(struct rx_heap *heap)
{
    if (!heap)
        return;
    rx_shapes_finish(heap);
    assert(heap->live_blocks == 0);
    for (size_t i = 0; i < RX_POOL_CLASSES; i++) {
        free(heap->pools[i].current);
        for (struct rx_slab *slab = heap->pools[i].partial, *next; slab; slab = next) {
            next = slab->next;
            free(slab);
        }
    }
    if (heap->scratch)
        heap->scratch_destroy(heap->scratch);
    free(heap);
}

size_t rx_heap_live_bytes(const struct rx_heap *heap) { return heap->live_bytes; }
size_t rx_heap_live_blocks(const struct rx_heap *heap) { return heap->live_blocks; }
size_t rx_heap_keys_met(const struct rx_heap *heap) { return heap->shapes.keys_met; }
size_t rx_heap_shapes_met(const struct rx_heap *heap) { return heap->shapes.shapes_met; }

bool rx_heap_failed(struct rx_heap *heap)
{
    bool failed = heap->failed;
    heap->failed = false;
    return failed;
}

int rx_heap_why(struct rx_heap *heap, struct rx_error *reterr)
{
    bool too_bulky = heap->too_bulky;
    heap->too_bulky = false;
    if (!too_bulky)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return rx_error_set(reterr, -E2BIG, "a value of more than %d parts, or nested deeper than %d", RX_VALUE_PARTS_MAX,
                        RX_VALUE_DEPTH_MAX);
}

static struct rx_slab *slab_of(void *block)
{
    return (struct rx_slab *)((uintptr_t)block & ~(uintptr_t)(SLAB_BYTES - 1));
}

static bool slab_is_full(const struct rx_slab *slab) { return slab->used == slab->capacity; }

static struct rx_slab *slab_create(struct rx_pool *pool, uint32_t block_bytes)
{
    struct rx_slab *slab = aligned_alloc(SLAB_BYTES, SLAB_BYTES);
    if (!slab)
        return NULL;
    uint32_t room = SLAB_BYTES - (uint32_t)sizeof *slab;
    *slab = (struct rx_slab){.block_bytes = block_bytes, .capacity = room / block_bytes, .pool = pool};
    return slab;
}
_Static_assert(sizeof(struct rx_slab) % UNIT == 0, "blocks in a slab are 16-byte aligned");

static void slab_link(struct rx_pool *pool, struct rx_slab *slab)
{
    slab->prev = NULL;
    slab->next = pool->partial;
    if (slab->next)
        slab->next->prev = slab;
    pool->partial = slab;
}

static void slab_unlink(struct rx_pool *pool, struct rx_slab *slab)
{
    if (slab->prev)
        slab->prev->next = slab->next;
    else
        pool->partial = slab->next;
    if (slab->next)
        slab->next->prev = slab->prev;
}

/* Goes on to another slab. */
static struct rx_slab *pool_next(struct rx_pool *pool, uint32_t block_bytes)
{
    struct rx_slab *slab = pool->partial;
    if (slab)
        slab_unlink(pool, slab);
    else
        slab = slab_create(pool, block_bytes);
    if (slab)
        pool->current = slab;
    return slab;
}

/* A block that was never used, or of another slab. */
static void *pool_refill(struct rx_pool *pool, uint32_t block_bytes)
{
    struct rx_slab *slab = pool->current;
    if (!slab || slab_is_full(slab))
        slab = pool_next(pool, block_bytes);
    if (!slab)
        return NULL;
    slab->used++;
    if (slab->free) {
        struct free_block *block = slab->free;
        slab->free = block->next;
        return block;
    }
    return (char *)(slab + 1) + (size_t)slab->carved++ * slab->block_bytes;
}

/* Of a slab from which no block is taken now. */
static void slab_rest(struct rx_slab *slab)
{
    if (slab->used + 1 == slab->capacity)
        slab_link(slab->pool, slab);
    if (slab->used == 0) {
        slab_unlink(slab->pool, slab);
        free(slab);
    }
}

static inline void pool_free(void *what)
{
    struct rx_slab *slab = slab_of(what);
    struct free_block *block = what;
    block->next = slab->free;
    slab->free = block;
    slab->used--;
    if (slab != slab->pool->current)
        slab_rest(slab);
}

static inline struct rx_block *block_begin(struct rx_heap *heap, struct rx_block *block, uint32_t bytes,
                                           enum rx_content content)
{
    block->refs = 1;
    block->size_content = bytes | content;
    block->heap = heap;
    heap->live_bytes += bytes;
    heap->live_blocks++;
    return block;
}
_Static_assert(UNIT == 16, "what a block holds is in the lower four bits of its size");

static __attribute__((noinline)) struct rx_block *alloc_slowly(struct rx_heap *heap, size_t size,
                                                               enum rx_content content)
{
    struct rx_block *block = NULL;
    size_t bytes = 0;
    if (size <= UINT32_MAX - 2 * UNIT) {
        bytes = (size + sizeof *block + UNIT - 1) / UNIT * UNIT;
        bool fits = heap->max_bytes - heap->live_bytes >= bytes, pooled = POOLED && bytes / UNIT <= RX_POOL_UNITS_MAX;
        unsigned class = pooled ? heap->class_of[bytes / UNIT] : 0;
        if (pooled)
            bytes = class_units[class] * UNIT;
        if (fits)
            block = pooled ? pool_refill(&heap->pools[class], (uint32_t)bytes) : malloc(bytes);
    }
    if (!block) {
        heap->failed = true;
        return NULL;
    }
    return block_begin(heap, block, (uint32_t)bytes, content);
}

struct rx_block *rx_block_alloc(struct rx_heap *heap, size_t size, enum rx_content content)
{
    if (!POOLED || size > RX_POOL_UNITS_MAX * UNIT - sizeof(struct rx_block))
        return alloc_slowly(heap, size, content);
    size_t units = (size + sizeof(struct rx_block) + UNIT - 1) / UNIT;
    struct rx_slab *slab = heap->pools[heap->class_of[units]].current;
    if (!slab || !slab->free || heap->max_bytes - heap->live_bytes < units * UNIT)
        return alloc_slowly(heap, size, content);
    struct free_block *block = slab->free;
    slab->free = block->next;
    slab->used++;
    return block_begin(heap, (struct rx_block *)(void *)block, slab->block_bytes, content);
}

static inline void block_recycle(struct rx_heap *heap, struct rx_block *block)
{
    size_t bytes = rx_block_bytes(block);
    heap->live_bytes -= bytes;
    heap->live_blocks--;
    if (POOLED && bytes <= RX_POOL_UNITS_MAX * UNIT)
        pool_free(block);
    else
        free(block);
}

/* Blocks without references wait in a list made of themselves, their heap pointers as links, so that a chain of any
 * length is released in constant stack. */
struct release {
    struct rx_heap *heap;
    struct rx_block *owner; /* whose references are being dropped */
    struct rx_block *pending;
};

static void drop(struct release *release, struct rx_value value)
{
    if (!rx_is_counted(value))
        return;
    struct rx_block *block = rx_value_block(value);
    if (block == release->owner || --block->refs > 0)
        return;
    if ((block->size_content & 15) == RX_CONTENT_LEAF) {
        block_recycle(release->heap, block);
        return;
    }
    block->heap = (struct rx_heap *)(void *)release->pending;
    release->pending = block;
}

static void drop_all(struct release *release, const struct rx_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        drop(release, values[i]);
}

static void drop_shapes(const void *first)
{
    const char *object = first;
    for (;;) {
        uint32_t link = ((const uint32_t *)(const void *)object)[3];
        if (link & 1)
            rx_shape_unref(((const struct rx_record *)(const void *)object)->shape);
        if (link < 2)
            return;
        object = (const char *)first + (size_t)(link >> 1) * UNIT;
    }
}

static void drop_contents(struct release *release, const void *object, enum rx_content content)
{
    const struct rx_list *list = object;
    const struct rx_map *map = object;
    const struct rx_record *record = object;
    switch (content) {
    case RX_CONTENT_LEAF:
        break;
    case RX_CONTENT_LIST:
        drop_all(release, list->items, list->count);
        break;
    case RX_CONTENT_MAP:
        drop_all(release, &map->entries[0].key, (size_t)map->count * 2);
        break;
    case RX_CONTENT_RECORD:
        drop_all(release, record->values, record->shape->count);
        rx_shape_unref(record->shape);
        break;
    case RX_CONTENT_OPTIONAL:
        drop(release, ((const struct rx_optional *)object)->value);
        break;
    case RX_CONTENT_MARK:
        drop(release, ((const struct rx_mark *)object)->key);
        break;
    case RX_CONTENT_MESSAGE:
        drop_shapes(object);
        break;
    }
}

/* Of what may refer to other blocks. */
static __attribute__((noinline)) void release_all(struct rx_block *block)
{
    struct release release = {.heap = block->heap, .pending = block};
    block->heap = NULL;
    while ((block = release.pending)) {
        release.pending = (struct rx_block *)(void *)block->heap;
        release.owner = block;
        drop_contents(&release, block + 1, block->size_content & 15);
        block_recycle(release.heap, block);
    }
}

void rx_block_free(struct rx_block *block)
{
    enum rx_content content = block->size_content & 15;
    if (content == RX_CONTENT_MESSAGE)
        drop_shapes(block + 1);
    else if (content != RX_CONTENT_LEAF) {
        release_all(block);
        return;
    }
    block_recycle(block->heap, block);
}
