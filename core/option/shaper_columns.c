/* Shapers in columns: what a shaper makes, said to a column program (core/expr/columns.h). */
#include <errno.h>

#include "core/option/shaper_private.h"

/* A flat object of expressions and constants; what is nested is the evaluator's. */
static int object(struct rx_columns *columns, const struct rx_shaper *shaper, bool over)
{
    const struct shape_node *node = shaper->root;
    for (size_t i = 0; i < node->count; i++)
        if (node->children[i].kind != SHAPE_EXPR && node->children[i].kind != SHAPE_CONST)
            return 0;
    int r = rx_columns_object_begin(columns, over);
    for (size_t i = 0; r == 1 && i < node->count; i++) {
        const struct shape_node *child = &node->children[i];
        r = child->kind == SHAPE_CONST ? rx_columns_put_constant(columns, node->keys[i], child->constant)
                                       : rx_columns_put(columns, node->keys[i], shaper->exprs[child->expr].expr);
    }
    return r == 1 ? rx_columns_object_end(columns) : r;
}

int rx_shaper_columns(const struct rx_shaper *shaper, bool over, struct rx_columns *columns)
{
    const struct shape_node *node = shaper->root;
    if (shaper->absent_is_null)
        return 0;
    if (node->kind == SHAPE_OBJECT)
        return object(columns, shaper, over);
    return node->kind == SHAPE_EXPR && !over ? rx_columns_become(columns, shaper->exprs[node->expr].expr) : 0;
}
