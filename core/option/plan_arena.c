/* The arena of a plan: memory and destructors that live as long as the plan does. */
#include <errno.h>
#include <stdlib.h>

#include "core/option/option.h"

struct duty {
    struct duty *older;
    void (*destroy)(void *);
    void *what;
};

struct rx_plan_arena {
    struct rx_heap *heap;
    struct duty *newest;
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
    while (arena->newest) {
        struct duty *duty = arena->newest;
        arena->newest = duty->older;
        duty->destroy(duty->what);
        free(duty);
    }
    free(arena);
}

int rx_plan_defer(struct rx_plan_arena *arena, void (*destroy)(void *), void *what)
{
    struct duty *duty = malloc(sizeof *duty);
    if (!duty)
        return -ENOMEM;
    *duty = (struct duty){.older = arena->newest, .destroy = destroy, .what = what};
    arena->newest = duty;
    return 0;
}

void *rx_plan_alloc(struct rx_plan_arena *arena, size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (memory && rx_plan_defer(arena, free, memory) < 0) {
        free(memory);
        return NULL;
    }
    return memory;
}

struct rx_heap *rx_plan_heap(const struct rx_plan_arena *arena) { return arena->heap; }
