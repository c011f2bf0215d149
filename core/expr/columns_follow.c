/* Column programs: following an expression. Its register code is gone through once; what its registers hold becomes columns.
 *
 * Jumps are not needed: both sides of && and || are computed in all lanes, and one that fails is left to the interpreter, which knows
 * whether it mattered. Only the && of a condition keeps its meaning as a filter: what comes behind it is computed for the lanes that
 * are left. */
#include <errno.h>
#include <stdlib.h>

#include "core/expr/columns_private.h"

enum { REGISTERS_MAX = 64, OPEN_MAX = 16 };

/* ---- parts ---- */

/* Room for one more in an array that grows by eights. */
static void *grown(void *array, unsigned count, size_t size)
{
    return count % 8 == 0 ? realloc(array, (count + 8) * size) : array;
}

int rx_columns_constant(struct rx_columns *p, struct rx_value value, operand *ret)
{
    struct rx_value *constants = grown(p->constants, p->constant_count, sizeof *constants);
    if (!constants)
        return -ENOMEM;
    p->constants = constants;
    constants[p->constant_count++] = rx_value_ref(value);
    *ret = (operand)(-(int)p->constant_count);
    return 1;
}

int rx_columns_emit(struct rx_columns *p, struct column_ins ins, operand *ret)
{
    if (p->code_count == COLUMN_CODE_MAX)
        return 0;
    struct column_ins *code = grown(p->code, p->code_count, sizeof *code);
    if (!code)
        return -ENOMEM;
    p->code = code;
    ins.step = p->steps;
    if (ret) {
        ins.dst = (uint8_t)p->column_count;
        *ret = (operand)p->column_count++;
    }
    code[p->code_count++] = ins;
    return p->column_count < NO_COLUMN;
}

static bool same_access(const struct column_access *a, const struct rx_key *key, operand otherwise)
{
    return a->key == key && a->otherwise == otherwise;
}

/* A field that has been read already is in its column. */
static int load(struct rx_columns *p, const struct rx_key *key, bool is_value, operand otherwise, bool drops,
                operand *ret)
{
    for (unsigned i = 0; i < p->code_count; i++)
        if (p->code[i].op == COLUMN_LOAD && same_access(&p->accesses[p->code[i].access], key, otherwise)) {
            *ret = p->code[i].dst;
            return 1;
        }
    if (p->access_count == UINT8_MAX)
        return 0;
    struct column_access *accesses = grown(p->accesses, p->access_count, sizeof *accesses);
    if (!accesses)
        return -ENOMEM;
    p->accesses = accesses;
    accesses[p->access_count] = (struct column_access){
        .key = key ? rx_key_keep(p->heap, key->text, key->length) : NULL, .otherwise = otherwise, .is_value = is_value};
    accesses[p->access_count].kind = RX_KINDS;
    if (key && !accesses[p->access_count].key)
        return -ENOMEM;
    p->access_count++;
    return rx_columns_emit(
        p, (struct column_ins){.op = COLUMN_LOAD, .access = (uint8_t)(p->access_count - 1), .drops = drops}, ret);
}

const struct column_edit *rx_column_edit_of(const struct column_object *object, const struct rx_key *key)
{
    for (unsigned i = object->count; i-- > 0;)
        if (object->edits[i].key == key)
            return &object->edits[i];
    return NULL;
}

/* A name, as the event is by now. What an event lacks may be in its mark: only the interpreter looks there. */
static int name(struct rx_columns *p, const struct rx_access *access, bool drops, operand *ret)
{
    const struct column_object *now = &p->now;
    const struct column_edit *edit = rx_column_edit_of(now, access->key);
    drops = drops && !access->is_type && !access->from_mark;
    if (now->form == FORM_VALUE) {
        *ret = now->value;
        return access->is_value && now->scalar;
    }
    if (!edit)
        return now->form == FORM_EVENT ? load(p, access->key, access->is_value, NO_OPERAND, drops, ret) : 0;
    if (edit->kind == EDIT_DEFAULT)
        return load(p, access->key, access->is_value, edit->value, drops, ret);
    *ret = edit->value;
    return edit->kind == EDIT_SET;
}

static int whole(struct rx_columns *p, bool drops, operand *ret)
{
    if (p->now.form == FORM_EVENT && p->now.count == 0)
        return load(p, NULL, true, NO_OPERAND, drops, ret);
    *ret = p->now.value;
    return p->now.form == FORM_VALUE;
}

/* ---- following an expression ---- */

struct follower {
    struct rx_columns *p;
    const struct rx_expr *e;
    bool condition; /* of a filter */
    unsigned open;  /* && and || whose second side may not matter */
    uint16_t start; /* of its code */
    operand regs[REGISTERS_MAX];
};

static int reg(struct follower *f, int16_t r, operand *ret)
{
    if (r < 0)
        return rx_columns_constant(f->p, f->e->r[r], ret);
    *ret = r < REGISTERS_MAX ? f->regs[r] : NO_OPERAND;
    return *ret != NO_OPERAND;
}

/* Would false at this && be the result of the whole? Then the code that it jumps to hands it on, and returns it. */
static bool is_final(const struct rx_expr *e, const struct rx_ins *ins)
{
    int16_t dst = ins->dst;
    const struct rx_ins *to = e->code + ins->x;
    while (to->op == OP_AND_THEN && to->a == dst) {
        dst = to->dst;
        to = e->code + to->x;
    }
    return to->op == OP_RETURN && to->a == dst;
}

/* A failure here fails the whole expression, and nothing that comes later makes it undone. */
static bool decides(const struct follower *f, const struct rx_ins *ins)
{
    uint32_t pc = (uint32_t)(ins - f->e->code);
    if (!f->condition || f->open > 0)
        return false;
    for (uint32_t i = 0; i < f->e->handler_count; i++)
        if (pc >= f->e->handlers[i].start && pc < f->e->handlers[i].end)
            return false;
    return true;
}

/* Has the field in this register been read by the last instruction, and for `ins` alone? */
static bool is_fresh(const struct follower *f, const struct rx_ins *ins, operand column)
{
    const struct rx_columns *p = f->p;
    const struct column_ins *last = &p->code[p->code_count - 1];
    if (p->code_count == f->start || last->op != COLUMN_LOAD || last->dst != column ||
        p->accesses[last->access].otherwise != NO_OPERAND)
        return false;
    for (int r = 0; r < REGISTERS_MAX; r++)
        if (r != ins->a && f->regs[r] == column)
            return false;
    for (const struct rx_ins *later = ins + 1; ins->dst != ins->a && later < f->e->code + f->e->code_count; later++) {
        if (later->a == ins->a || later->b == ins->a)
            return false;
        if (later->dst == ins->a)
            break;
    }
    return true;
}

static int binary(struct follower *f, const struct rx_ins *ins, enum column_op op)
{
    struct column_ins made = {.op = (uint8_t)op, .drops = decides(f, ins)};
    struct rx_columns *p = f->p;
    int r = reg(f, ins->a, &made.a);
    if (r == 1)
        r = reg(f, ins->b, &made.b);
    if (r != 1)
        return r;
    if (made.a < 0 && made.b < 0) /* it would have been folded, but that it fails */
        return 0;
    bool text = (op == COLUMN_EQ || op == COLUMN_NE) && made.b < 0 && p->constants[-1 - made.b].kind == RX_STRING;
    if (text && is_fresh(f, ins, made.a)) {
        struct column_ins *last = &p->code[p->code_count - 1];
        last->op = COLUMN_IS; /* the field need not be in a column */
        last->b = made.b;
        last->negated = op == COLUMN_NE;
        f->regs[ins->dst] = made.a;
        return 1;
    }
    return rx_columns_emit(p, made, &f->regs[ins->dst]);
}

static int unary(struct follower *f, const struct rx_ins *ins, enum column_op op)
{
    struct column_ins made = {.op = (uint8_t)op, .drops = decides(f, ins)};
    int r = reg(f, ins->a, &made.a);
    return r == 1 && made.a >= 0 ? rx_columns_emit(f->p, made, &f->regs[ins->dst]) : r == 1 ? 0 : r;
}

/* The first side is known. */
static int open_logic(struct follower *f, const struct rx_ins *ins)
{
    operand a;
    int r = reg(f, ins->a, &a);
    if (r != 1 || a < 0 || f->open == OPEN_MAX)
        return r < 0 ? r : 0;
    bool split = f->condition && f->open == 0 && ins->op == OP_AND_THEN && is_final(f->e, ins);
    f->regs[ins->dst] = a;
    if (split)
        return rx_columns_emit(f->p, (struct column_ins){.op = COLUMN_KEEP, .a = a}, NULL);
    f->open++;
    return 1;
}

/* And the second one. Of a && that filters, the second side is what is left to be said. */
static int close_logic(struct follower *f, const struct rx_ins *ins)
{
    struct column_ins made = {.op = ins->op == OP_AND ? COLUMN_AND : COLUMN_OR};
    int r = reg(f, ins->a, &made.a);
    if (r == 1)
        r = reg(f, ins->b, &made.b);
    if (r != 1)
        return r;
    if (f->open == 0) {
        f->regs[ins->dst] = made.b;
        return 1;
    }
    f->open--;
    return made.b < 0 ? 0 : rx_columns_emit(f->p, made, &f->regs[ins->dst]);
}

static int follow_one(struct follower *f, const struct rx_ins *ins)
{
    switch ((enum rx_opcode)ins->op) {
    case OP_MOVE:
        return reg(f, ins->a, &f->regs[ins->dst]);
    case OP_FIELD:
    case OP_NAME:
        return name(f->p, &f->e->accesses[ins->x], decides(f, ins), &f->regs[ins->dst]);
    case OP_EVENT:
        return whole(f->p, decides(f, ins), &f->regs[ins->dst]);
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        return binary(f, ins, (enum column_op)(COLUMN_ADD + (ins->op - OP_ADD)));
    case OP_NEG:
        return unary(f, ins, COLUMN_NEG);
    case OP_NOT:
        return unary(f, ins, COLUMN_NOT);
    case OP_AND_THEN:
    case OP_OR_ELSE:
        return open_logic(f, ins);
    case OP_AND:
    case OP_OR:
        return close_logic(f, ins);
    default:
        return 0;
    }
}
_Static_assert(OP_GE - OP_ADD == COLUMN_GE - COLUMN_ADD && OP_EQ - OP_ADD == COLUMN_EQ - COLUMN_ADD,
               "arithmetic and comparisons stand in the same order");

int rx_columns_follow(struct rx_columns *p, const struct rx_expr *e, bool condition, operand *ret)
{
    struct follower f = {.p = p, .e = e, .condition = condition, .start = p->code_count};
    for (unsigned i = 0; i < REGISTERS_MAX; i++)
        f.regs[i] = NO_OPERAND;
    if (e->register_count > REGISTERS_MAX)
        return 0;
    for (const struct rx_ins *ins = e->code;; ins++) {
        if (ins->op == OP_RETURN)
            return reg(&f, ins->a, ret);
        int r = follow_one(&f, ins);
        if (r != 1)
            return r;
    }
}
