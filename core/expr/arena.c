/* Memory of one compilation: a bump allocator freed at once, and the references that nodes hold. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/internal.h"

enum { CHUNK = 4096 };

struct rx_arena_chunk {
    struct rx_arena_chunk *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void *rx_arena_alloc(struct rx_arena *arena, size_t size)
{
    struct rx_arena_chunk *chunk = arena->chunks;
    size = (size + 15) & ~(size_t)15;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        chunk = calloc(1, sizeof *chunk + room);
        if (!chunk)
            return NULL;
        chunk->size = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *result = chunk->data + chunk->used;
    chunk->used += size;
    return result;
}

struct rx_value rx_arena_keep_take(struct rx_arena *arena, struct rx_value value)
{
    if (!rx_is_counted(value))
        return value;
    if (arena->value_count == arena->value_capacity) {
        size_t capacity = arena->value_capacity ? 2 * arena->value_capacity : 16;
        struct rx_value *values = realloc(arena->values, capacity * sizeof *values);
        if (!values) {
            rx_value_unref(value);
            return rx_null();
        }
        arena->values = values;
        arena->value_capacity = capacity;
    }
    return arena->values[arena->value_count++] = value;
}

void rx_arena_finish(struct rx_arena *arena)
{
    for (size_t i = 0; i < arena->value_count; i++)
        rx_value_unref(arena->values[i]);
    free(arena->values);
    for (struct rx_arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *arena = (struct rx_arena){0};
}
