/* Any bytes as an expression: no crash, no leak, no run over its budget. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/expr.h"

static const char json[] =
    "{\"t\":21.5,\"n\":21,\"s\":\"ok\",\"b\":true,\"nothing\":null,\"list\":[1,2,\"x\"],\"o\":{\"a\":{\"b\":7}}}";

static void evaluate(struct rx_heap *heap, struct rx_expr *expr, const struct rx_event *event)
{
    struct rx_expr_env env = {.event = event};
    struct rx_value value;
    struct rx_error error;
    struct rx_buffer out = {0};
    if (rx_expr_eval(expr, &env, &value, &error) == 0) {
        rx_json_write(&out, value);
        rx_value_unref(value);
    } else if (!error.message[0]) {
        abort();
    }
    rx_expr_disassemble(expr, &out);
    rx_buffer_finish(&out);
    (void)heap;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_event event = {.time = 1700000000 * RX_SEC};
    unsigned flags = size ? data[0] & 3 : 0;
    struct rx_expr_options options = {.heap = heap, .budget = 20000, .flags = flags};
    struct rx_expr *expr;
    struct rx_error error = {0};
    if (!heap || rx_json_decode(heap, NULL, NULL, json, sizeof json - 1, &event.value, NULL) < 0)
        abort();
    if (rx_expr_compile((const char *)data, size, &options, &expr, &error) == 0) {
        evaluate(heap, expr, &event);
        rx_expr_destroy(expr);
    } else if (!error.message[0]) {
        abort();
    }
    rx_value_unref(event.value);
    if (rx_heap_live_blocks(heap) != 0)
        abort();
    rx_heap_destroy(heap);
    return 0;
}
