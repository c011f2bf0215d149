/* What the files of the compiler share. */
#ifndef RX_CORE_EXPR_COMPILE_PRIVATE_H
#define RX_CORE_EXPR_COMPILE_PRIVATE_H

#include "core/expr/compiler.h"

int rx_compile_emit(struct rx_compiler *c, const struct rx_node *node, struct rx_ins ins);
int rx_compile_access_of(struct rx_compiler *c, const char *name, size_t length, struct rx_access shape, uint32_t *ret);
int rx_compile_list(struct rx_compiler *c, struct rx_node *node, int16_t dst);
int rx_compile_map(struct rx_compiler *c, struct rx_node *node, int16_t dst);
int rx_compile_call(struct rx_compiler *c, struct rx_node *node, int16_t dst);

#endif
