/* The memory that the decoder uses for one message after the other. */
#include <stdlib.h>

#include "core/json/json_private.h"
#include "core/value/heap_private.h"

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

static void destroy(void *scratch)
{
    struct rx_json_scratch *s = scratch;
    free(s->stack);
    free(s->frames);
    free(s->objects);
    free(s->arena);
    rx_buffer_finish(&s->text);
    rx_buffer_finish(&s->copy);
    rx_layout_forget(&s->layout);
    free(s);
}

struct rx_json_scratch *rx_json_scratch_open(struct rx_heap *heap)
{
    if (!heap->scratch) {
        heap->scratch = calloc(1, sizeof(struct rx_json_scratch));
        heap->scratch_destroy = destroy;
    }
    struct rx_json_scratch *s = heap->scratch;
    if (!s || !rx_json_stack_reserve(s, 1))
        return NULL;
    s->top = s->depth = s->object_count = s->arena_length = s->text_bytes = 0;
    return s;
}

void rx_json_scratch_close(struct rx_heap *heap)
{
    struct rx_json_scratch *s = heap->scratch;
    if (s->stack_capacity * sizeof *s->stack + s->arena_capacity + s->text.capacity + s->copy.capacity +
            s->object_capacity * sizeof *s->objects <=
        KEEP_BYTES)
        return;
    destroy(s);
    heap->scratch = NULL;
}
