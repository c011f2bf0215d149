/* What the parts of option parsing share: the parse at hand, and the compilers of the types that are objects. */
#ifndef RX_CORE_OPTION_PRIVATE_H
#define RX_CORE_OPTION_PRIVATE_H

#include "core/option/option.h"

/* How the leaves of a shaper are read. */
enum shaper_leaf { LEAF_EXPR, LEAF_TEMPLATE };

struct shaper_request {
    const struct rx_tree *tree;
    enum shaper_leaf leaf;
    unsigned expr_flags;
    const char *const *locals;
    struct rx_plan_arena *arena;
    struct rx_diagnostics *diagnostics;
};

/* Compiles a shaper; the arena owns it. -EINVAL: the diagnostics say why. */
int shaper_compile(const struct shaper_request *, struct rx_shaper **ret);

/* Compiles a scalar's expression; mistakes are shown inside the scalar. The arena owns it. */
int expr_compile_scalar(const struct shaper_request *, const struct rx_tree *scalar, struct rx_expr **ret);

/* A literal tree as a value; the arena owns it. */
int value_from_tree(const struct rx_tree *, struct rx_plan_arena *, struct rx_diagnostics *, struct rx_value *ret);

/* A scalar's text for a message: its start, cut at a code point. */
struct shown {
    char text[64];
};
struct shown shown_text(const char *text);

#endif
