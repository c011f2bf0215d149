/* What the files of the checker share. */
#ifndef RX_CORE_EXPR_CHECK_PRIVATE_H
#define RX_CORE_EXPR_CHECK_PRIVATE_H

#include "core/expr/compiler.h"

bool rx_check_named(const struct rx_ast *node, const char *name);
int rx_check_complain(struct rx_compiler *c, struct rx_ast *node, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Notes something legal that looks like a slip, for rx_expr_hint. NULL: no memory. */
int rx_check_take_hints(struct rx_compiler *, const struct rx_expr *part, uint32_t start); /* those of a part */
struct rx_error *rx_check_hint(struct rx_compiler *c, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int rx_check_args(struct rx_compiler *c, struct rx_ast *node);
int rx_check_call(struct rx_compiler *c, struct rx_ast *node);
int rx_check_reach_field(struct rx_compiler *c, const char *name, size_t length);
struct rx_variable *rx_check_find_variable(const struct rx_compiler *c, const struct rx_ast *node);
int rx_check_name(struct rx_compiler *c, struct rx_ast *node);
bool rx_check_is_special(const struct rx_compiler *c, const struct rx_ast *node, const char *name);
int rx_check_become_field(struct rx_compiler *c, struct rx_ast *node, const char *name, uint32_t length);
int rx_check_meta(struct rx_compiler *c, struct rx_ast *node);
bool rx_check_type_name(struct rx_ast *node);

#endif
