/* Saved state from a hostile file: what can be read can be written, and reads back the same. */
#include <stdlib.h>
#include <string.h>

#include "core/value/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct rx_heap *heap, struct rx_value value)
{
    struct rx_writer first = {0}, second = {0};
    rx_write_value(&first, value);
    if (!first.buffer.failed) {
        struct rx_reader r = {
            .data = (const unsigned char *)first.buffer.data, .length = first.buffer.length, .heap = heap};
        struct rx_value again = rx_read_value(&r);
        rx_write_value(&second, again);
        if (r.failed || first.buffer.length != second.buffer.length ||
            memcmp(first.buffer.data, second.buffer.data, first.buffer.length) != 0)
            abort();
        rx_value_unref(again);
    }
    rx_buffer_finish(&first.buffer);
    rx_buffer_finish(&second.buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_heap *heap = rx_heap_create(&(struct rx_heap_limits){.max_bytes = 1 << 26});
    struct rx_reader r = {.data = data, .length = size, .heap = heap};
    struct rx_value value = rx_read_value(&r);
    if (!r.failed)
        check_round_trip(heap, value);
    rx_value_unref(value);
    if (rx_heap_live_blocks(heap) != 0)
        abort();
    rx_heap_destroy(heap);
    return 0;
}
