/* The result of a step that combines streams. */
#include "core/graph/combine.h"

struct rx_value rx_combine(struct rx_op *op, const struct rx_value *values, uint32_t present)
{
    struct rx_heap *heap = rx_op_heap(op);
    struct rx_object_builder b;
    rx_object_init_from(&b, heap, present & 1 ? values[0] : rx_null());
    if (present & 1 && values[0].kind != RX_RECORD && values[0].kind != RX_MAP)
        rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_VALUE), rx_value_ref(values[0]));
    for (unsigned i = 1; i < rx_op_inputs(op); i++)
        if (present & 1u << i)
            rx_object_put_key_take(&b, rx_op_input_name(op, i), rx_value_ref(values[i]));
    return rx_object_finish(&b);
}
