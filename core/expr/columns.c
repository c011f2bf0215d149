/* Column programs: their steps, one after another, and where the columns of the whole lie. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/columns_private.h"

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

bool rx_columns_makes(const struct rx_columns *p) { return p->makes; }

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
    int r = rx_columns_follow(p, condition, true, &kept);
    if (r == 1)
        r = kept < 0 ? 0 : rx_columns_emit(p, (struct column_ins){.op = COLUMN_KEEP, .a = kept}, NULL);
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
    int r = settle(p, mark, rx_columns_follow(p, e, false, &value));
    if (r != 1)
        return r;
    p->now = (struct column_object){.form = FORM_VALUE, .value = value, .scalar = is_scalar(p, value)};
    p->makes = true;
    return 1;
}

/* ---- objects ---- */

static int add_edit(struct column_object *object, const struct rx_key *key, enum edit_kind kind, operand value)
{
    struct column_edit *old = (struct column_edit *)rx_column_edit_of(object, key);
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
    int r = rx_columns_follow(p, e, false, &value);
    if (r == 1)
        r = add_edit(p->staged, key, EDIT_SET, value);
    if (r != 1)
        back_to(p, p->before);
    return r;
}

int rx_columns_put_constant(struct rx_columns *p, const struct rx_key *key, struct rx_value constant)
{
    operand value = 0;
    int r = rx_columns_constant(p, constant, &value);
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
        const struct column_edit *edit = rx_column_edit_of(p->staged, keys[i]);
        operand value = 0;
        if (edit && edit->kind != EDIT_REMOVE)
            continue;
        enum edit_kind kind = edit || p->staged->form == FORM_RECORD ? EDIT_SET : EDIT_DEFAULT;
        if ((r = rx_columns_constant(p, values[i], &value)) == 1)
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
