/* The arena of a plan: memory and destructors that live as long as the plan does. A plan of many pipelines asks for a hundred small
 * pieces for each: they are cut from chunks. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/option/option.h"

struct duty {
    struct duty *older;
    void (*destroy)(void *);
    void *what;
};

struct chunk {
    struct chunk *older;
    size_t used, size;
    max_align_t data[];
};

enum { CHUNK_FIRST = 2 << 10, CHUNK_LAST = 64 << 10 }; /* bytes; each is twice the one before */

struct rx_plan_arena {
    struct rx_heap *heap;
    struct duty *newest;
    struct chunk *chunk; /* the newest */
    size_t next_size;
    struct rx_known known;
};

void rx_plan_know(struct rx_plan_arena *arena, struct rx_known known) { arena->known = known; }
struct rx_known rx_plan_known(const struct rx_plan_arena *arena) { return arena->known; }

struct rx_plan_arena *rx_plan_arena_create(struct rx_heap *heap)
{
    struct rx_plan_arena *arena = calloc(1, sizeof *arena);
    if (arena)
        arena->heap = heap;
    return arena;
}

void rx_plan_arena_destroy(struct rx_plan_arena *arena)
{
    if (!arena)
        return;
    for (struct duty *duty = arena->newest; duty; duty = duty->older)
        duty->destroy(duty->what);
    for (struct chunk *chunk = arena->chunk, *older; chunk; chunk = older) {
        older = chunk->older;
        free(chunk);
    }
    free(arena);
}

static struct chunk *add_chunk(struct rx_plan_arena *arena, size_t least)
{
    size_t size = arena->next_size ? arena->next_size : CHUNK_FIRST;
    arena->next_size = size < CHUNK_LAST ? 2 * size : size;
    size = size < least ? least : size;
    struct chunk *chunk = calloc(1, sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    chunk->older = arena->chunk;
    return arena->chunk = chunk;
}

/* What is small cannot ask for the alignment of what is large: short texts stand close. */
static size_t aligned(size_t at, size_t size)
{
    size_t most = 1;
    while (most < _Alignof(max_align_t) && most < size)
        most *= 2;
    return (at + most - 1) & ~(most - 1);
}

void *rx_plan_alloc(struct rx_plan_arena *arena, size_t size)
{
    struct chunk *chunk = arena->chunk;
    if (size > SIZE_MAX / 2)
        return NULL;
    size = size ? size : 1; /* none is empty */
    if (chunk)
        chunk->used = aligned(chunk->used, size);
    if (!chunk || chunk->size < chunk->used || chunk->size - chunk->used < size)
        chunk = add_chunk(arena, size);
    if (!chunk)
        return NULL;
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

int rx_plan_defer(struct rx_plan_arena *arena, void (*destroy)(void *), void *what)
{
    struct duty *duty = rx_plan_alloc(arena, sizeof *duty);
    if (!duty)
        return -ENOMEM;
    *duty = (struct duty){.older = arena->newest, .destroy = destroy, .what = what};
    arena->newest = duty;
    return 0;
}

struct rx_heap *rx_plan_heap(const struct rx_plan_arena *arena) { return arena->heap; }
