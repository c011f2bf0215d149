/* What the steps that combine streams put out: the main event's fields, each other stream's value under its name. */
#ifndef RX_CORE_COMBINE_H
#define RX_CORE_COMBINE_H

#include "core/graph/operator.h"

/* `values`: one per input of the op, in order of ports; bit p of `present`: there is one. A main value that is no object stands
 * under `value`. */
#define RX_COMBINE_ALL UINT32_MAX
struct rx_value rx_combine(struct rx_op *, const struct rx_value *values, uint32_t present);

#endif
