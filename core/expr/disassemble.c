/* The compiled code as text, one instruction a line, for `rxd eval --explain`. */
#include <string.h>

#include "core/expr/internal.h"

static const struct {
    const char *name, *form;
} ops[] = {
#define RX_OP(name, form) {#name, form},
#include "core/expr/ops.def"
#undef RX_OP
};

static void operand(const struct rx_expr *e, int16_t reg, struct rx_buffer *out)
{
    if (reg >= 0)
        rx_buffer_printf(out, " r%d", reg);
    else {
        rx_buffer_text(out, " ");
        rx_json_write(out, e->r[reg]);
    }
}

static void part(const struct rx_expr *e, const struct rx_ins *ins, char form, struct rx_buffer *out)
{
    bool next = ins->op == OP_NEXT || ins->op == OP_NEXT2 || ins->op == OP_TEST_ALL || ins->op == OP_TEST_EXISTS;
    switch (form) {
    case 'd':
        rx_buffer_printf(out, " r%d", ins->dst);
        break;
    case 'a':
        operand(e, ins->a, out);
        break;
    case 'b':
        operand(e, ins->b, out);
        break;
    case 'n':
        rx_buffer_printf(out, " #%u", ins->op == OP_CALL ? ins->n : ins->x);
        break;
    case 'x':
        rx_buffer_printf(out, " shape %u", ins->y);
        break;
    case 'j':
        rx_buffer_printf(out, " -> %u", next ? ins->y : ins->x);
        break;
    case 'f':
        rx_buffer_printf(out, " .%s", e->accesses[ins->x].key->text);
        break;
    case 'c':
        rx_buffer_printf(out, " %s", e->functions[ins->x]->name);
        break;
    case 'l':
        rx_buffer_printf(out, " loop %u", ins->x);
        break;
    default:
        rx_buffer_printf(out, " %u", ins->x);
    }
}

static void lower(const char *name, struct rx_buffer *out)
{
    for (; *name; name++) {
        char c = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
        rx_buffer_append(out, &c, 1);
    }
}

void rx_expr_disassemble(const struct rx_expr *e, struct rx_buffer *out)
{
    for (uint32_t i = 0; i < e->code_count; i++) {
        const struct rx_ins *ins = &e->code[i];
        rx_buffer_printf(out, "%4u  ", i);
        size_t start = out->length;
        lower(ops[ins->op].name, out);
        for (const char *form = ops[ins->op].form; *form; form++)
            part(e, ins, *form, out);
        while (out->length - start < 40 && !out->failed)
            rx_buffer_text(out, " ");
        rx_buffer_printf(out, "  ; %.*s\n", (int)(e->places[i].end - e->places[i].start), e->text + e->places[i].start);
    }
    for (uint32_t i = 0; i < e->handler_count; i++)
        rx_buffer_printf(out, "      a failure in %u..%u goes on at %u%s\n", e->handlers[i].start,
                         e->handlers[i].end - 1, e->handlers[i].target,
                         e->handlers[i].nodata_only ? " if something was absent" : "");
}
