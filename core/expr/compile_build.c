/* The compiler, what builds and calls: lists, maps, calls with their arguments in a row. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/compile_private.h"

/* The arguments of a node in consecutive registers. */
static int compile_row(struct rx_compiler *c, struct rx_node *node, int16_t *ret_first)
{
    *ret_first = (int16_t)c->next_reg;
    for (unsigned i = 0; i < node->count; i++) {
        int16_t reg = 0;
        int r = rx_reg(c, &reg);
        if (r < 0 || (r = rx_compile_into(c, node->args[i], reg)) < 0)
            return r;
        c->next_reg = reg + 1;
    }
    return 0;
}

/* As compile_row for literals with optional elements: every (step-th) element becomes an optional. */
static int compile_optional_row(struct rx_compiler *c, struct rx_node *node, unsigned step, int16_t first)
{
    for (unsigned i = step - 1; i < node->count; i += step) {
        int16_t reg = (int16_t)(first + (int)i);
        int r = rx_compile_emit(
            c, node->args[i], (struct rx_ins){.op = node->optionals[i] ? OP_NEED_OPT : OP_SOME, .dst = reg, .a = reg});
        if (r < 0)
            return r;
    }
    return 0;
}

int rx_compile_list(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    struct rx_ins ins = {.op = node->optionals ? OP_LIST_OPT : OP_LIST, .dst = dst, .x = node->count};
    int r = compile_row(c, node, &ins.a);
    if (r == 0 && node->optionals)
        r = compile_optional_row(c, node, 1, ins.a);
    return r < 0 ? r : rx_compile_emit(c, node, ins);
}

/* The shape of a map whose keys are all literal strings; NULL: not one. */
static const struct rx_shape *literal_shape(struct rx_compiler *c, const struct rx_node *node)
{
    if (node->count / 2 > RX_SHAPE_KEYS_MAX || node->optionals || node->count == 0)
        return NULL;
    const struct rx_shape *shape = rx_shape_empty(c->options->heap);
    for (unsigned i = 0; shape && i < node->count; i += 2) {
        const struct rx_node *key = node->args[i];
        if (key->kind != N_LITERAL || key->value.kind != RX_STRING)
            return NULL;
        const struct rx_key *interned = rx_key_intern(c->options->heap, key->value.u.text, key->value.aux);
        if (!interned || rx_shape_slot(shape, interned) >= 0)
            return NULL;
        shape = rx_shape_with(c->options->heap, shape, interned);
    }
    return shape;
}

static int compile_record(struct rx_compiler *c, struct rx_node *node, const struct rx_shape *shape, int16_t dst)
{
    struct rx_ins ins = {
        .op = OP_RECORD, .dst = dst, .a = (int16_t)c->next_reg, .x = node->count / 2, .y = (uint32_t)c->shapes.count};
    for (unsigned i = 1; i < node->count; i += 2) {
        int16_t reg = 0;
        int r = rx_reg(c, &reg);
        if (r < 0 || (r = rx_compile_into(c, node->args[i], reg)) < 0)
            return r;
        c->next_reg = reg + 1;
    }
    const struct rx_shape **slot = rx_vector_add(c, &c->shapes, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = shape;
    ins.y = (uint32_t)c->shapes.count - 1;
    return rx_compile_emit(c, node, ins);
}

int rx_compile_map(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    const struct rx_shape *shape = literal_shape(c, node);
    if (shape)
        return compile_record(c, node, shape, dst);
    struct rx_ins ins = {.op = node->optionals ? OP_MAP_OPT : OP_MAP, .dst = dst, .x = node->count / 2};
    int r = compile_row(c, node, &ins.a);
    if (r == 0 && node->optionals)
        r = compile_optional_row(c, node, 2, ins.a);
    return r < 0 ? r : rx_compile_emit(c, node, ins);
}

static bool is_lazy(const struct rx_node *node)
{
    return node->method && node->count == 2 &&
           (strcmp(node->function->name, "orValue") == 0 || strcmp(node->function->name, "or") == 0);
}

/* a.orValue(b) and a.or(b): b is computed only when a holds nothing. */
static int compile_lazy(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    bool value = strcmp(node->function->name, "orValue") == 0;
    struct rx_ins unwrap = {.op = OP_UNWRAP};
    int r = rx_compile_operand(c, node->args[0], &unwrap.a);
    if (r < 0 || (r = rx_reg(c, &unwrap.dst)) < 0)
        return r;
    int64_t at = rx_code_emit(c, node, unwrap);
    if (at < 0 ||
        rx_compile_emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = value ? unwrap.dst : unwrap.a}) < 0)
        return -ENOMEM;
    int64_t jump = rx_code_emit(c, node, (struct rx_ins){.op = OP_JUMP});
    if (jump < 0)
        return -ENOMEM;
    rx_code_at(c, at)->x = rx_code_here(c);
    c->uncertain++;
    r = rx_compile_into(c, node->args[1], dst);
    c->uncertain--;
    if (r == 0 && !value)
        r = rx_compile_emit(c, node->args[1], (struct rx_ins){.op = OP_NEED_OPT, .dst = dst, .a = dst});
    rx_code_at(c, jump)->x = rx_code_here(c);
    return r;
}

int rx_compile_call(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    if (is_lazy(node))
        return compile_lazy(c, node, dst);
    struct rx_ins ins = {.op = OP_CALL, .dst = dst, .n = (uint8_t)node->count, .x = (uint32_t)c->functions.count};
    int r = compile_row(c, node, &ins.a);
    if (r < 0)
        return r;
    const struct rx_function **slot = rx_vector_add(c, &c->functions, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = node->function;
    ins.x = (uint32_t)c->functions.count - 1;
    c->cost[c->loop_depth < 4 ? c->loop_depth + 1 : 4] += 1;
    return rx_compile_emit(c, node, ins);
}
