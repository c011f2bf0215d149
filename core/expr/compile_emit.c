/* The compiler, emission: instructions, registers, constants, handlers. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/compile_private.h"

/* ---- emission ---- */

void *rx_vector_add(struct rx_compiler *c, struct rx_vector *vector, size_t size)
{
    if (vector->count == vector->capacity) {
        size_t capacity = vector->capacity ? 2 * vector->capacity : 8;
        void *data = realloc(vector->data, capacity * size);
        if (!data) {
            rx_error_set(c->reterr, -ENOMEM, "out of memory");
            return NULL;
        }
        vector->data = data;
        vector->capacity = capacity;
    }
    void *item = (char *)vector->data + vector->count++ * size;
    memset(item, 0, size);
    return item;
}

int rx_compile_failed(struct rx_compiler *c, const struct rx_node *node, const char *format, ...)
{
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return rx_expr_complain(c->reterr, c->expr->text, c->expr->length, node->at, "%s", message);
}

uint32_t rx_code_here(const struct rx_compiler *c) { return (uint32_t)c->code.count; }

struct rx_ins *rx_code_at(struct rx_compiler *c, int64_t index) { return (struct rx_ins *)c->code.data + index; }

int64_t rx_code_emit(struct rx_compiler *c, const struct rx_node *node, struct rx_ins ins)
{
    struct rx_ins *slot = rx_vector_add(c, &c->code, sizeof *slot);
    struct rx_range *place = rx_vector_add(c, &c->places, sizeof *place);
    if (!slot || !place)
        return -ENOMEM;
    *slot = ins;
    *place = (struct rx_range){node->start, node->end};
    c->cost[c->loop_depth < 4 ? c->loop_depth : 4] += 1;
    return (int64_t)c->code.count - 1;
}

int rx_reg(struct rx_compiler *c, int16_t *ret)
{
    if (c->next_reg >= RX_EXPR_REGISTERS_MAX)
        return rx_error_set(c->reterr, -EINVAL, "the expression has too many parts");
    *ret = (int16_t)c->next_reg++;
    if (c->next_reg > c->max_reg)
        c->max_reg = c->next_reg;
    return 0;
}

int rx_handler_add(struct rx_compiler *c, struct rx_handler handler)
{
    struct rx_handler *slot = rx_vector_add(c, &c->handlers, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = handler;
    return 0;
}

static bool same_scalar(struct rx_value a, struct rx_value b)
{
    return a.kind == b.kind && a.kind < RX_STRING && a.flags == b.flags && a.aux == b.aux && a.u.u == b.u.u;
}

int rx_constant_take(struct rx_compiler *c, struct rx_value value, int16_t *ret)
{
    struct rx_value *constants = c->constants.data;
    for (size_t i = 0; i < c->constants.count; i++)
        if (same_scalar(constants[i], value)) {
            *ret = (int16_t)(-1 - (int)i);
            return 0;
        }
    struct rx_value *slot = c->constants.count < RX_EXPR_REGISTERS_MAX
                                ? rx_vector_add(c, &c->constants, sizeof *slot)
                                : (rx_error_set(c->reterr, -EINVAL, "the expression has too many constants"), NULL);
    if (!slot) {
        rx_value_unref(value);
        return -EINVAL;
    }
    *slot = value;
    *ret = (int16_t)(-(int)c->constants.count);
    return 0;
}

int rx_compile_access_of(struct rx_compiler *c, const char *name, size_t length, struct rx_access shape, uint32_t *ret)
{
    shape.key = rx_key_intern(c->options->heap, name, length);
    if (!shape.key)
        return rx_error_set(c->reterr, -ENOMEM, "too many different field names");
    struct rx_access *accesses = c->accesses.data;
    for (size_t i = 0; i < c->accesses.count; i++)
        if (accesses[i].key == shape.key && accesses[i].is_type == shape.is_type &&
            accesses[i].from_mark == shape.from_mark && accesses[i].top == shape.top) {
            *ret = (uint32_t)i;
            return 0;
        }
    struct rx_access *slot = rx_vector_add(c, &c->accesses, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = shape;
    *ret = (uint32_t)c->accesses.count - 1;
    return 0;
}
