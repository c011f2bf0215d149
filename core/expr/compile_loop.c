/* The compiler's macros: comprehensions, cel.bind, optMap and optFlatMap. */
#include <errno.h>

#include "core/expr/compiler.h"

static int emit(struct rx_compiler *c, const struct rx_node *node, struct rx_ins ins)
{
    return rx_code_emit(c, node, ins) < 0 ? -ENOMEM : 0;
}

struct loop {
    uint32_t id, slot, next; /* of loops, of failures, the NEXT instruction */
    int64_t exits[2];        /* instructions whose y becomes the end */
};

/* all and exists: a failure waits in `slot` until an element decides (langdef, "Macros"). */
static int quantifier(struct rx_compiler *c, struct rx_node *node, struct loop *loop)
{
    int16_t reg = 0;
    uint32_t start = rx_code_here(c);
    int r = rx_compile_operand(c, node->args[1], &reg);
    if (r < 0)
        return r;
    struct rx_ins test = {.op = node->op == L_ALL ? OP_TEST_ALL : OP_TEST_EXISTS,
                          .a = reg,
                          .b = (int16_t)loop->slot,
                          .x = loop->id,
                          .y = loop->next};
    struct rx_handler handler = {start, rx_code_here(c), loop->next, INT16_MIN, (uint16_t)loop->slot, false};
    if (rx_handler_add(c, handler) < 0)
        return -ENOMEM;
    return emit(c, node->args[1], test);
}

static int back(struct rx_compiler *c, const struct rx_node *node, const struct loop *loop)
{
    return emit(c, node, (struct rx_ins){.op = OP_JUMP, .x = loop->next});
}

static int append(struct rx_compiler *c, struct rx_node *value, const struct loop *loop)
{
    int16_t reg = 0;
    int r = rx_compile_operand(c, value, &reg);
    return r < 0 ? r : emit(c, value, (struct rx_ins){.op = OP_APPEND, .a = reg, .x = loop->id});
}

static int keep_if(struct rx_compiler *c, struct rx_node *condition, const struct loop *loop)
{
    int16_t reg = 0;
    int r = rx_compile_operand(c, condition, &reg);
    return r < 0 ? r : emit(c, condition, (struct rx_ins){.op = OP_TEST_KEEP, .a = reg, .x = loop->next});
}

static int put(struct rx_compiler *c, struct rx_node *node, struct rx_node *value, const struct loop *loop)
{
    struct rx_ins ins = {.op = node->op == L_TRANSFORM_ENTRY ? OP_PUT_ALL : OP_PUT, .x = loop->id};
    int16_t reg = 0;
    int r = rx_compile_operand(c, value, &reg);
    if (ins.op == OP_PUT) {
        ins.a = node->variables[0]->reg;
        ins.b = reg;
    } else {
        ins.a = reg;
    }
    return r < 0 ? r : emit(c, value, ins);
}

static int body(struct rx_compiler *c, struct rx_node *node, struct loop *loop)
{
    struct rx_node *last = node->args[node->count - 1];
    int16_t element = node->variables[0]->reg, reg;
    int r = 0;
    switch ((enum rx_loop_kind)node->op) {
    case L_ALL:
    case L_EXISTS:
        return quantifier(c, node, loop);
    case L_EXISTS_ONE:
        r = rx_compile_operand(c, last, &reg);
        if (r == 0)
            r = emit(c, last, (struct rx_ins){.op = OP_TEST_ONE, .a = reg, .x = loop->id});
        break;
    case L_FILTER:
        if ((r = keep_if(c, last, loop)) == 0)
            r = emit(c, last, (struct rx_ins){.op = OP_APPEND, .a = element, .x = loop->id});
        break;
    case L_SORT_BY:
        if ((r = emit(c, last, (struct rx_ins){.op = OP_APPEND, .a = element, .x = loop->id})) == 0)
            r = append(c, last, loop);
        break;
    default:
        if (node->count == 3)
            r = keep_if(c, node->args[1], loop);
        if (r == 0)
            r = node->op == L_MAP || node->op == L_TRANSFORM_LIST ? append(c, last, loop) : put(c, node, last, loop);
    }
    return r < 0 ? r : back(c, node, loop);
}

static int finish(struct rx_compiler *c, struct rx_node *node, const struct loop *loop, int16_t dst)
{
    static const uint8_t ends[] = {
        [L_ALL] = OP_END_BOOL,
        [L_EXISTS] = OP_END_BOOL,
        [L_EXISTS_ONE] = OP_END_ONE,
        [L_FILTER] = OP_END_LIST,
        [L_MAP] = OP_END_LIST,
        [L_SORT_BY] = OP_END_SORTED,
        [L_TRANSFORM_LIST] = OP_END_LIST,
        [L_TRANSFORM_MAP] = OP_END_MAP,
        [L_TRANSFORM_ENTRY] = OP_END_MAP,
    };
    rx_code_at(c, loop->next)->y = rx_code_here(c);
    return emit(c, node,
                (struct rx_ins){
                    .op = ends[node->op], .dst = dst, .n = node->op == L_ALL, .b = (int16_t)loop->slot, .x = loop->id});
}

int rx_compile_loop(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    struct loop loop = {.id = c->loop_count++};
    struct rx_ins begin = {
        .op = OP_LOOP, .x = loop.id, .n = node->op >= L_TRANSFORM_MAP && node->op <= L_TRANSFORM_ENTRY};
    struct rx_ins next = {.op = node->variables[1] ? OP_NEXT2 : OP_NEXT, .x = loop.id};
    if (node->op <= L_EXISTS)
        loop.slot = ++c->failure_count;
    if (loop.slot > INT16_MAX)
        return rx_compile_failed(c, node, "too many macros in one expression");
    begin.y = loop.slot;
    int r = rx_compile_operand(c, node->args[0], &begin.a);
    if (r < 0 || (r = emit(c, node->args[0], begin)) < 0 || (r = rx_reg(c, &node->variables[0]->reg)) < 0)
        return r;
    next.dst = node->variables[0]->reg;
    if (node->variables[1]) {
        if ((r = rx_reg(c, &node->variables[1]->reg)) < 0)
            return r;
        next.a = node->variables[1]->reg;
    }
    c->loop_depth++;
    c->uncertain++;
    int64_t at = rx_code_emit(c, node, next);
    if (at < 0)
        return -ENOMEM;
    loop.next = (uint32_t)at;
    r = body(c, node, &loop);
    c->uncertain--;
    c->loop_depth--;
    return r < 0 ? r : finish(c, node, &loop, dst);
}

int rx_compile_bind(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    int r = rx_compile_operand(c, node->args[0], &node->variables[0]->reg);
    return r < 0 ? r : rx_compile_into(c, node->args[1], dst);
}

int rx_compile_opt_map(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    bool flat = node->op;
    int16_t none;
    struct rx_ins unwrap = {.op = OP_UNWRAP};
    int r = rx_compile_operand(c, node->args[0], &unwrap.a);
    if (r < 0 || (r = rx_reg(c, &unwrap.dst)) < 0 || (r = rx_constant_take(c, rx_optional_none(), &none)) < 0)
        return r;
    node->variables[0]->reg = unwrap.dst;
    int64_t at = rx_code_emit(c, node, unwrap);
    c->uncertain++;
    if (at < 0 || (r = rx_compile_into(c, node->args[1], dst)) < 0)
        return at < 0 ? -ENOMEM : r;
    c->uncertain--;
    r = emit(c, node->args[1], (struct rx_ins){.op = flat ? OP_NEED_OPT : OP_SOME, .dst = dst, .a = dst});
    int64_t jump = r < 0 ? r : rx_code_emit(c, node, (struct rx_ins){.op = OP_JUMP});
    if (jump < 0)
        return -ENOMEM;
    rx_code_at(c, at)->x = rx_code_here(c);
    r = emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = none});
    rx_code_at(c, jump)->x = rx_code_here(c);
    return r;
}
