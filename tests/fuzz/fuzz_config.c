// layer: pipelines
/* The config reader on hostile text: no crash, no leak, places inside the text, messages that are valid JSON. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/buffer.h"
#include "pipelines/config/config_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_node(const struct rx_tree *node)
{
    if (node->at.offset > node->file->length)
        abort();
    for (size_t i = 0; i <= node->length && node->kind == RX_TREE_SCALAR; i += 1 + i / 8)
        if (rx_tree_place(node, i).offset > node->file->length)
            abort();
    for (size_t i = 0; i < node->count; i++) {
        if (node->keys)
            check_node(node->keys[i]);
        check_node(node->items[i]);
    }
}

static void check_messages(struct rx_diagnostics *diagnostics)
{
    struct rx_buffer out = {0};
    rx_diagnostics_render(diagnostics, &out);
    rx_buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned flags = RX_FOREST_LITERAL; flags <= (RX_FOREST_LITERAL | RX_FOREST_FRAGMENT);
         flags += RX_FOREST_FRAGMENT) {
        struct rx_diagnostics *diagnostics = rx_diagnostics_create();
        struct rx_forest *forest = NULL;
        int r = rx_forest_read_text((const char *)data, size, "fuzz", flags, diagnostics, &forest);
        if ((r == 0 && !forest) || (r == 0) != (rx_diagnostics_count(diagnostics) == 0))
            abort();
        if (forest && rx_forest_root(forest))
            check_node(rx_forest_root(forest));
        check_messages(diagnostics);
        rx_forest_destroy(forest);
        rx_diagnostics_destroy(diagnostics);
    }
    return 0;
}
