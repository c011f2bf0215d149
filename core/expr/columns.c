/* Column programs: building. An expression's register code is followed once; what its registers hold becomes columns.
 *
 * Jumps are not needed: both sides of && and || are computed in all lanes, and one that fails is left to the interpreter, which knows
 * whether it mattered. Only the && of a condition keeps its meaning as a filter: what comes behind it is computed for the lanes that
 * are left. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/columns_private.h"

enum { REGISTERS_MAX = 64, OPEN_MAX = 16 };

struct rx_columns *rx_columns_create(struct rx_heap *heap)
{
    struct rx_columns *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->heap = heap;
    p->now.value = NO_OPERAND;
    return p;
}

static void drop_to(struct rx_columns *p, unsigned constants, unsigned accesses)
{
    while (p->constant_count > constants)
        rx_value_unref(p->constants[--p->constant_count]);
    while (p->access_count > accesses)
        rx_key_drop(p->heap, p->accesses[--p->access_count].key);
}

void rx_columns_destroy(struct rx_columns *p)
{
    if (!p)
        return;
    drop_to(p, 0, 0);
    rx_column_layout_finish(&p->layout);
    free(p->staged);
    free(p->constants);
    free(p->accesses);
    free(p->code);
    free(p);
}

unsigned rx_columns_steps(const struct rx_columns *p) { return p->steps; }
bool rx_columns_makes(const struct rx_columns *p) { return p->makes; }

/* ---- parts ---- */

/* Room for one more in an array that grows by eights. */
static void *grown(void *array, unsigned count, size_t size)
{
    return count % 8 == 0 ? realloc(array, (count + 8) * size) : array;
}

static int add_constant(struct rx_columns *p, struct rx_value value, operand *ret)
{
    struct rx_value *constants = grown(p->constants, p->constant_count, sizeof *constants);
    if (!constants)
        return -ENOMEM;
    p->constants = constants;
    constants[p->constant_count++] = rx_value_ref(value);
    *ret = (operand)(-(int)p->constant_count);
    return 1;
}

static int emit(struct rx_columns *p, struct column_ins ins, operand *ret)
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
    return emit(p, (struct column_ins){.op = COLUMN_LOAD, .access = (uint8_t)(p->access_count - 1), .drops = drops},
                ret);
}

static const struct column_edit *edit_of(const struct column_object *object, const struct rx_key *key)
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
    const struct column_edit *edit = edit_of(now, access->key);
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
        return add_constant(f->p, f->e->r[r], ret);
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
    for (int16_t r = 0; r < REGISTERS_MAX; r++)
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
    return emit(p, made, &f->regs[ins->dst]);
}

static int unary(struct follower *f, const struct rx_ins *ins, enum column_op op)
{
    struct column_ins made = {.op = (uint8_t)op, .drops = decides(f, ins)};
    int r = reg(f, ins->a, &made.a);
    return r == 1 && made.a >= 0 ? emit(f->p, made, &f->regs[ins->dst]) : r == 1 ? 0 : r;
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
        return emit(f->p, (struct column_ins){.op = COLUMN_KEEP, .a = a}, NULL);
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
    return made.b < 0 ? 0 : emit(f->p, made, &f->regs[ins->dst]);
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

/* Its result: a column, or a constant. */
static int follow(struct rx_columns *p, const struct rx_expr *e, bool condition, operand *ret)
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

/* ---- steps ---- */

static struct column_mark here(const struct rx_columns *p)
{
    return (struct column_mark){p->code_count, p->access_count, p->constant_count, p->column_count};
}

static void back_to(struct rx_columns *p, struct column_mark mark)
{
    drop_to(p, mark.constants, mark.accesses);
    p->code_count = mark.code;
    p->column_count = mark.columns;
}

/* The step is said, or was not to be: `r` as the caller has it. */
static int settle(struct rx_columns *p, struct column_mark mark, int r)
{
    if (r == 1 && p->steps == RX_COLUMN_STEPS_MAX)
        r = 0;
    if (r != 1)
        back_to(p, mark);
    else
        p->steps++;
    return r;
}

int rx_columns_keep(struct rx_columns *p, struct rx_expr *condition)
{
    struct column_mark mark = here(p);
    operand kept = 0;
    int r = follow(p, condition, true, &kept);
    if (r == 1)
        r = kept < 0 ? 0 : emit(p, (struct column_ins){.op = COLUMN_KEEP, .a = kept}, NULL);
    return settle(p, mark, r);
}

/* Arithmetic and comparisons make scalars; a field may hold anything. */
static bool is_scalar(const struct rx_columns *p, operand a)
{
    if (a < 0)
        return p->constants[-1 - a].kind < RX_STRING;
    for (unsigned i = 0; i < p->code_count; i++)
        if (p->code[i].op != COLUMN_KEEP && p->code[i].dst == a)
            return p->code[i].op != COLUMN_LOAD;
    return false;
}

int rx_columns_become(struct rx_columns *p, struct rx_expr *e)
{
    struct column_mark mark = here(p);
    operand value = 0;
    int r = settle(p, mark, follow(p, e, false, &value));
    if (r != 1)
        return r;
    p->now = (struct column_object){.form = FORM_VALUE, .value = value, .scalar = is_scalar(p, value)};
    p->makes = true;
    return 1;
}

/* ---- objects ---- */

static int add_edit(struct column_object *object, const struct rx_key *key, enum edit_kind kind, operand value)
{
    struct column_edit *old = (struct column_edit *)edit_of(object, key);
    if (old && old->kind == EDIT_SET && kind == EDIT_SET) {
        old->value = value;
        return 1;
    }
    if (object->count == EDITS_MAX)
        return 0;
    object->edits[object->count++] = (struct column_edit){key, kind, value};
    return 1;
}

/* A bare value that fields are laid over is the field `value`. */
static int begin_over(struct rx_columns *p)
{
    *p->staged = p->now;
    if (p->now.form != FORM_VALUE)
        return 1;
    *p->staged = (struct column_object){.form = FORM_RECORD, .value = NO_OPERAND};
    return p->now.scalar ? add_edit(p->staged, rx_key_known(p->heap, RX_KEY_VALUE), EDIT_SET, p->now.value) : 0;
}

int rx_columns_object_begin(struct rx_columns *p, bool over)
{
    if (!p->staged)
        p->staged = malloc(sizeof *p->staged);
    if (!p->staged)
        return -ENOMEM;
    p->before = here(p);
    if (over)
        return begin_over(p);
    *p->staged = (struct column_object){.form = FORM_RECORD, .value = NO_OPERAND};
    return 1;
}

int rx_columns_put(struct rx_columns *p, const struct rx_key *key, struct rx_expr *e)
{
    operand value = 0;
    int r = follow(p, e, false, &value);
    if (r == 1)
        r = add_edit(p->staged, key, EDIT_SET, value);
    if (r != 1)
        back_to(p, p->before);
    return r;
}

int rx_columns_put_constant(struct rx_columns *p, const struct rx_key *key, struct rx_value constant)
{
    operand value = 0;
    int r = add_constant(p, constant, &value);
    if (r == 1)
        r = add_edit(p->staged, key, EDIT_SET, value);
    if (r != 1)
        back_to(p, p->before);
    return r;
}

int rx_columns_object_end(struct rx_columns *p)
{
    int r = settle(p, p->before, 1);
    if (r != 1)
        return r;
    p->now = *p->staged;
    p->makes = true;
    return 1;
}

static void take_away(struct column_object *object, const struct rx_key *key)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < object->count; i++)
        if (object->edits[i].key != key)
            object->edits[kept++] = object->edits[i];
    object->count = (uint16_t)kept;
}

int rx_columns_remove(struct rx_columns *p, const struct rx_key *const *keys, size_t count)
{
    int r = rx_columns_object_begin(p, true);
    for (size_t i = 0; r == 1 && i < count; i++) {
        if (p->staged->form == FORM_RECORD)
            take_away(p->staged, keys[i]);
        else
            r = add_edit(p->staged, keys[i], EDIT_REMOVE, NO_OPERAND);
    }
    return r == 1 ? rx_columns_object_end(p) : r;
}

int rx_columns_default(struct rx_columns *p, const struct rx_key *const *keys, const struct rx_value *values,
                       size_t count)
{
    int r = rx_columns_object_begin(p, true);
    for (size_t i = 0; r == 1 && i < count; i++) {
        const struct column_edit *edit = edit_of(p->staged, keys[i]);
        operand value = 0;
        if (edit && edit->kind != EDIT_REMOVE)
            continue;
        enum edit_kind kind = edit || p->staged->form == FORM_RECORD ? EDIT_SET : EDIT_DEFAULT;
        if ((r = add_constant(p, values[i], &value)) == 1)
            r = add_edit(p->staged, keys[i], kind, value);
    }
    if (r != 1)
        back_to(p, p->before);
    return r == 1 ? rx_columns_object_end(p) : r;
}

/* ---- places ---- */

/* The last instruction that reads each column; UINT16_MAX: it is in what comes out. */
static void find_last_uses(const struct rx_columns *p, uint16_t *last)
{
    memset(last, 0, NO_COLUMN * sizeof *last);
    for (unsigned i = 0; i < p->code_count; i++) {
        const struct column_ins *ins = &p->code[i];
        bool reads = ins->op != COLUMN_LOAD && ins->op != COLUMN_IS;
        if (reads && ins->a >= 0)
            last[ins->a] = (uint16_t)i;
        if (reads && ins->b >= 0)
            last[ins->b] = (uint16_t)i;
    }
    if (p->now.form == FORM_VALUE && p->now.value >= 0)
        last[p->now.value] = UINT16_MAX;
    for (unsigned i = 0; p->now.form != FORM_VALUE && i < p->now.count; i++)
        if (p->now.edits[i].kind == EDIT_SET && p->now.edits[i].value >= 0)
            last[p->now.edits[i].value] = UINT16_MAX;
}

struct placing {
    uint8_t place_of[NO_COLUMN];
    uint16_t last[NO_COLUMN];
    uint32_t taken;
};

static void move_operand(const struct placing *g, operand *a)
{
    if (*a >= 0 && *a != NO_OPERAND)
        *a = g->place_of[*a];
}

static uint32_t still_read(const struct rx_columns *p, const struct placing *g, unsigned after)
{
    uint32_t places = 0;
    for (unsigned c = 0; c < p->column_count; c++)
        if (g->place_of[c] != NO_COLUMN && g->last[c] > after)
            places |= UINT32_C(1) << g->place_of[c];
    return places;
}

/* Gives an instruction's column a place where none lies that is read there or later. */
static bool place_one(struct rx_columns *p, struct placing *g, unsigned i)
{
    struct column_ins *ins = &p->code[i];
    unsigned column = ins->dst, place = 0;
    uint32_t taken = still_read(p, g, i);
    if (ins->op != COLUMN_LOAD && ins->op != COLUMN_IS) {
        move_operand(g, &ins->a);
        move_operand(g, &ins->b);
        taken |= ins->a >= 0 ? UINT32_C(1) << ins->a : 0;
        taken |= ins->b >= 0 ? UINT32_C(1) << ins->b : 0;
    }
    ins->after = still_read(p, g, i);
    if (ins->op == COLUMN_KEEP)
        return true;
    while (taken & UINT32_C(1) << place)
        place++;
    if (place >= COLUMNS_MAX)
        return false;
    g->place_of[column] = (uint8_t)place;
    ins->dst = (uint8_t)place;
    ins->after = still_read(p, g, i);
    return true;
}

static bool place_all(struct rx_columns *p)
{
    struct placing g;
    memset(g.place_of, NO_COLUMN, sizeof g.place_of);
    find_last_uses(p, g.last);
    for (unsigned i = 0; i < p->code_count; i++)
        if (!place_one(p, &g, i))
            return false;
    move_operand(&g, &p->now.value);
    for (unsigned i = 0; i < p->now.count; i++)
        move_operand(&g, &p->now.edits[i].value);
    return true;
}

int rx_columns_finish(struct rx_columns *p)
{
    free(p->staged);
    p->staged = NULL;
    if (p->steps == 0 || !place_all(p))
        return 0;
    if (p->now.form != FORM_RECORD)
        return 1;
    p->shape = rx_shape_empty(p->heap);
    for (unsigned i = 0; i < p->now.count && p->shape; i++)
        p->shape = rx_shape_with(p->heap, p->shape, p->now.edits[i].key);
    return p->shape ? 1 : -ENOMEM;
}

int rx_columns_of(struct rx_heap *heap, struct rx_expr *e, struct rx_columns **ret)
{
    struct rx_columns *p = rx_columns_create(heap);
    if (!p)
        return -ENOMEM;
    int r = rx_columns_become(p, e);
    if (r == 1)
        r = rx_columns_finish(p);
    if (r == 1)
        *ret = p;
    else
        rx_columns_destroy(p);
    return r;
}
