/* The memory that the decoder uses for one message after the other. */
#include <stdlib.h>

#include "core/heap_private.h"
#include "core/json_private.h"

enum { KEEP_BYTES = 64 * 1024 };

bool rx_json_grow(void **array, size_t *capacity, size_t count, size_t item_size)
{
    size_t wanted = *capacity * 2 > count ? *capacity * 2 : count;
    void *grown = wanted > PTRDIFF_MAX / item_size ? NULL : realloc(*array, wanted * item_size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

void rx_json_scratch_destroy(struct rx_json_scratch *s)
{
    if (!s)
        return;
    free(s->stack);
    free(s->frames);
    free(s->objects);
    free(s->arena);
    rx_buffer_finish(&s->text);
    rx_buffer_finish(&s->copy);
    free(s);
}

struct rx_json_scratch *rx_json_scratch_open(struct rx_heap *heap)
{
    if (!heap->json)
        heap->json = calloc(1, sizeof *heap->json);
    struct rx_json_scratch *s = heap->json;
    if (!s || !rx_json_stack_reserve(s, 1))
        return NULL;
    s->top = s->depth = s->object_count = s->arena_length = s->text_bytes = 0;
    return s;
}

void rx_json_scratch_close(struct rx_heap *heap)
{
    struct rx_json_scratch *s = heap->json;
    if (s->stack_capacity * sizeof *s->stack + s->arena_capacity + s->text.capacity + s->copy.capacity +
            s->object_capacity * sizeof *s->objects <=
        KEEP_BYTES)
        return;
    rx_json_scratch_destroy(s);
    heap->json = NULL;
}
