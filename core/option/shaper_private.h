/* A shaper's inside: a tree of nodes over a flat list of expressions. Shared by its compiler and its evaluator. */
#ifndef RX_CORE_SHAPER_PRIVATE_H
#define RX_CORE_SHAPER_PRIVATE_H

#include "core/option/option_private.h"

enum shape_kind { SHAPE_CONST, SHAPE_EXPR, SHAPE_TEXT, SHAPE_LIST, SHAPE_OBJECT };

struct shape_node {
    enum shape_kind kind;
    struct rx_value constant; /* CONST: owned by the arena */
    size_t expr;              /* EXPR: its index */
    size_t count;             /* TEXT: parts, each CONST text or EXPR. LIST, OBJECT: children */
    struct shape_node *children;
    const struct rx_key **keys;   /* OBJECT */
    const struct rx_shape *shape; /* OBJECT: NULL when it has too many keys for one */
};

struct shape_expr {
    struct rx_expr *expr;
    size_t slot_first;
    bool is_slot; /* all of it is that slot */
};

/* Where the entries go when they are laid over a record of the shape `base`. */
struct overlay {
    const struct rx_shape *base;   /* alive as long as result, which goes on from it */
    const struct rx_shape *result; /* counted. NULL: not possible as a record */
    unsigned char slots[RX_SHAPE_KEYS_MAX];
};

struct rx_shaper {
    struct rx_heap *heap;
    struct shape_node *root;
    struct shape_expr *exprs;
    size_t expr_count, slot_count;
    bool absent_is_null; /* AGGREGATES: the average of nothing */

    struct overlay overlay; /* of the last base */
    struct rx_buffer scratch;
};

#endif
