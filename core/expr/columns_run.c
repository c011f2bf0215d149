/* Column programs: the loops. Each instruction is done in all lanes by a loop over arrays of one kind where it can be, and lane by
 * lane, with the functions that the interpreter uses, where it cannot. */
#include <errno.h>
#include <string.h>

#include "core/expr/columns_private.h"

#define EXACT ((int64_t)1 << 53) /* whole numbers up to here are doubles, too */

struct rx_value rx_column_lane(const struct column *c, size_t i)
{
    switch (c->kind) {
    case RX_DOUBLE:
        return rx_double(c->d[i]);
    case RX_BOOL:
        return rx_bool(c->i[i]);
    case RX_INT:
        return (struct rx_value){.kind = RX_INT, .flags = c->flags, .u.i = c->i[i]};
    default:
        return c->v[i];
    }
}

/* ---- lanes that go ---- */

static void compact(struct column *c, const uint8_t *stays, size_t n)
{
    size_t kept = 0;
    if (c->kind == RX_KINDS)
        for (size_t i = 0; i < n; i++, kept += stays[i - 1])
            c->v[kept] = c->v[i];
    else
        for (size_t i = 0; i < n; i++, kept += stays[i - 1])
            c->i[kept] = c->i[i];
}

void rx_lanes_settle(struct lanes *l, const uint8_t *fates, uint32_t after, unsigned step)
{
    uint8_t stays[RX_LANES_MAX];
    size_t kept = 0, gone = 0, absent = 0;
    for (size_t i = 0; i < l->n; i++) {
        stays[i] = fates[i] == LANE_STAYS;
        if (fates[i] == LANE_LEFT) {
            l->left[l->at[i]] = 1;
            l->any_left = true;
        }
        gone += fates[i] >= LANE_FILTERED;
        absent += fates[i] == LANE_ABSENT;
        l->at[kept] = l->at[i];
        kept += stays[i];
    }
    if (kept == l->n)
        return;
    l->out->filtered[step] = (uint16_t)(l->out->filtered[step] + gone);
    l->out->absent[step] = (uint16_t)(l->out->absent[step] + absent);
    for (unsigned c = 0; after >> c; c++)
        if (after >> c & 1)
            compact(&l->columns[c], stays, l->n);
    l->n = kept;
}

/* ---- operands ---- */

/* What an instruction reads: a column, or a constant in all lanes. */
struct side {
    const struct column *column; /* NULL: the constant */
    struct rx_value constant;
};

static struct side side_of(const struct lanes *l, operand a)
{
    if (a < 0)
        return (struct side){.constant = l->program->constants[-1 - a]};
    return (struct side){.column = &l->columns[a]};
}

static rx_kinds kinds_of(const struct side *s)
{
    if (!s->column)
        return rx_kinds_of(s->constant);
    if (s->column->kind == RX_INT)
        return s->column->flags & RX_FLAG_JSON ? RX_K_JSON : RX_K_INT;
    return s->column->kind == RX_KINDS ? s->column->kinds : RX_BIT(s->column->kind);
}

static struct rx_value lane_of(const struct side *s, size_t i)
{
    return s->column ? rx_column_lane(s->column, i) : s->constant;
}

static bool is_of(const struct side *s, enum rx_kind kind)
{
    return s->column ? s->column->kind == kind : s->constant.kind == kind;
}

/* All lanes as doubles, in `out` where they are not so already. With `exact` only what a double can say: else NULL. */
static const double *doubles_of(const struct side *s, size_t n, bool exact, double *out)
{
    bool large = false;
    if (s->column && s->column->kind == RX_DOUBLE)
        return s->column->d;
    for (size_t i = 0; i < n; i++) {
        struct rx_value v = lane_of(s, i);
        large |= v.kind == RX_UINT || (v.kind == RX_INT && (v.u.i > EXACT || v.u.i < -EXACT));
        out[i] = v.kind == RX_INT ? (double)v.u.i : v.kind == RX_UINT ? (double)v.u.u : v.u.d;
    }
    return large && exact ? NULL : out;
}

/* The same for comparisons, where a constant is in all lanes. */
static const double *widened(const struct side *s, size_t n, double *out)
{
    if (s->column)
        return doubles_of(s, n, true, out);
    if (!doubles_of(s, 1, true, out))
        return NULL;
    for (size_t i = 1; i < n; i++)
        out[i] = *out;
    return out;
}

static const int64_t *ints_of(const struct side *s, size_t n, int64_t *out)
{
    if (s->column)
        return s->column->i;
    for (size_t i = 0; i < n; i++)
        out[i] = s->constant.u.i;
    return out;
}

/* ---- loops over one kind ---- */

#define EACH(expression)                                                                                               \
    for (size_t i = 0; i < n; i++)                                                                                     \
        out[i] = (expression);                                                                                         \
    return

#define ARITHMETIC_LOOPS(name, right)                                                                                  \
    static void name(enum column_op op, const double *restrict a, const double *restrict b, double *restrict out,      \
                     size_t n)                                                                                         \
    {                                                                                                                  \
        switch (op) {                                                                                                  \
        case COLUMN_ADD:                                                                                               \
            EACH(a[i] + right);                                                                                        \
        case COLUMN_SUB:                                                                                               \
            EACH(a[i] - right);                                                                                        \
        case COLUMN_MUL:                                                                                               \
            EACH(a[i] * right);                                                                                        \
        default:                                                                                                       \
            EACH(a[i] / right);                                                                                        \
        }                                                                                                              \
    }
ARITHMETIC_LOOPS(doubles_with_doubles, b[i])
ARITHMETIC_LOOPS(doubles_with_one, *b)

/* False: one of them does not fit. */
static bool add_ints(enum column_op op, const int64_t *restrict a, const int64_t *restrict b, int64_t *restrict out,
                     size_t n)
{
    int64_t over = 0;
    for (size_t i = 0; i < n && op == COLUMN_ADD; i++) {
        out[i] = (int64_t)((uint64_t)a[i] + (uint64_t)b[i]);
        over |= (a[i] ^ out[i]) & (b[i] ^ out[i]);
    }
    for (size_t i = 0; i < n && op == COLUMN_SUB; i++) {
        out[i] = (int64_t)((uint64_t)a[i] - (uint64_t)b[i]);
        over |= (a[i] ^ b[i]) & (a[i] ^ out[i]);
    }
    bool fits = over >= 0;
    for (size_t i = 0; i < n && op == COLUMN_MUL; i++)
        fits &= !__builtin_mul_overflow(a[i], b[i], &out[i]);
    for (size_t i = 0; i < n && fits && op == COLUMN_MOD; i++) {
        fits = b[i] != 0 && b[i] != -1;
        out[i] = fits ? a[i] % b[i] : 0;
    }
    return fits;
}

#define COMPARE(type)                                                                                                  \
    static void compare_##type(enum column_op op, const type *restrict a, const type *restrict b,                      \
                               int64_t *restrict out, size_t n)                                                        \
    {                                                                                                                  \
        switch (op) {                                                                                                  \
        case COLUMN_EQ:                                                                                                \
            EACH(a[i] == b[i]);                                                                                        \
        case COLUMN_NE:                                                                                                \
            EACH(a[i] != b[i]);                                                                                        \
        case COLUMN_LT:                                                                                                \
            EACH(a[i] < b[i]);                                                                                         \
        case COLUMN_LE:                                                                                                \
            EACH(a[i] <= b[i]);                                                                                        \
        case COLUMN_GT:                                                                                                \
            EACH(a[i] > b[i]);                                                                                         \
        default:                                                                                                       \
            EACH(a[i] >= b[i]);                                                                                        \
        }                                                                                                              \
    }
COMPARE(double)
COMPARE(int64_t)

/* ---- lane by lane ---- */

static bool cheap(struct rx_value v) { return v.kind < RX_STRING || (v.kind == RX_STRING && v.aux < COLUMN_TEXT_MAX); }

/* As the interpreter has it: 0, or the error. */
static int one_lane(enum column_op op, struct rx_value a, struct rx_value b, struct rx_value *ret)
{
    if (op <= COLUMN_MOD) {
        int r = a.kind >= RX_STRING || b.kind >= RX_STRING
                    ? -EINVAL
                    : rx_arith((enum rx_operator_code)(O_ADD + (op - COLUMN_ADD)), a, b, ret);
        return r < 0 && (a.kind == RX_NULL || b.kind == RX_NULL) ? -ENODATA : r;
    }
    if (!cheap(a) || !cheap(b))
        return -EINVAL;
    if (op == COLUMN_EQ || op == COLUMN_NE) {
        *ret = rx_bool(rx_value_equal(a, b) == (op == COLUMN_EQ));
        return 0;
    }
    rx_kinds both = rx_kinds_of(a) | rx_kinds_of(b);
    int order = rx_value_compare(a, b);
    if (order == 2 && (both & ~RX_K_NUMBER))
        return both & RX_K_NULL ? -ENODATA : -EINVAL;
    bool holds = op == COLUMN_LT ? order < 0 : op == COLUMN_LE ? order <= 0 : op == COLUMN_GT ? order > 0 : order >= 0;
    *ret = rx_bool(order != 2 && holds);
    return 0;
}
_Static_assert(O_MOD - O_ADD == COLUMN_MOD - COLUMN_ADD, "arithmetic stands in the same order");

/* What is in `spare` becomes the column, without the lanes that failed. */
static void take_spare(struct lanes *l, const struct column_ins *ins, const uint8_t *fates, bool all)
{
    struct column *c = &l->columns[ins->dst];
    memcpy(c->v, l->spare.v, l->n * sizeof *c->v);
    c->kind = RX_KINDS;
    c->kinds = l->spare.kinds;
    if (!all)
        rx_lanes_settle(l, fates, ins->after | UINT32_C(1) << ins->dst, ins->step);
    rx_column_narrow(c, l->n);
}

static void by_lanes(struct lanes *l, const struct column_ins *ins, const struct side *a, const struct side *b)
{
    uint8_t fates[RX_LANES_MAX];
    bool all = true;
    l->spare.kinds = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct rx_value made = rx_null();
        int r = one_lane((enum column_op)ins->op, lane_of(a, i), lane_of(b, i), &made);
        fates[i] = r == 0 ? LANE_STAYS : r == -ENODATA && ins->drops ? LANE_ABSENT : LANE_LEFT;
        all = all && r == 0;
        l->spare.v[i] = made;
        l->spare.kinds |= r == 0 ? rx_kinds_of(made) : 0;
    }
    take_spare(l, ins, fates, all);
}

/* ---- instructions ---- */

/* Both sides are numbers, and one of them a double throughout: then all is doubles. */
static bool is_double_work(const struct side *a, const struct side *b)
{
    const rx_kinds small = RX_K_DOUBLE | RX_K_INT | RX_K_JSON;
    rx_kinds kinds_a = kinds_of(a), kinds_b = kinds_of(b);
    return !((kinds_a | kinds_b) & ~small) && (kinds_a == RX_K_DOUBLE || kinds_b == RX_K_DOUBLE);
}

static bool has_json(const struct side *a, const struct side *b) { return (kinds_of(a) | kinds_of(b)) & RX_K_JSON; }

/* False: it is to be done lane by lane. A UINT among whole JSON numbers is too large for an int, and not a double's work either. */
static bool arithmetic(struct lanes *l, const struct column_ins *ins, const struct side *a, const struct side *b)
{
    struct column *c = &l->columns[ins->dst];
    bool ints = is_of(a, RX_INT) && is_of(b, RX_INT), json = has_json(a, b);
    if (l->n == 0 || (ins->op == COLUMN_MOD && !ints))
        return false;
    if (ints && ins->op != COLUMN_DIV) {
        if (!add_ints((enum column_op)ins->op, ints_of(a, l->n, l->spare.i), ints_of(b, l->n, l->spare.i), c->i, l->n))
            return false;
        c->kind = RX_INT;
        c->flags = json ? RX_FLAG_JSON : 0;
        return true;
    }
    if (!(ints && json) && !is_double_work(a, b))
        return false;
    const double *da = doubles_of(a, l->n, false, l->spare.sides[0]);
    const double *db = doubles_of(b, b->column ? l->n : 1, false, l->spare.sides[1]);
    (b->column ? doubles_with_doubles : doubles_with_one)((enum column_op)ins->op, da, db, c->d, l->n);
    c->kind = RX_DOUBLE;
    c->flags = 0;
    return true;
}

static bool comparison(struct lanes *l, const struct column_ins *ins, const struct side *a, const struct side *b)
{
    struct column *c = &l->columns[ins->dst];
    enum column_op op = (enum column_op)ins->op;
    const rx_kinds small = RX_K_DOUBLE | RX_K_INT | RX_K_JSON;
    bool ints = is_of(a, RX_INT) && is_of(b, RX_INT);
    bool bools = is_of(a, RX_BOOL) && is_of(b, RX_BOOL) && op <= COLUMN_NE && a->column && b->column;
    if (l->n == 0)
        return false;
    if (ints || bools) {
        compare_int64_t(op, ints_of(a, l->n, l->spare.i), ints_of(b, l->n, l->spare.i), c->i, l->n);
    } else {
        if ((kinds_of(a) | kinds_of(b)) & ~small)
            return false;
        const double *da = widened(a, l->n, l->spare.sides[0]);
        const double *db = widened(b, l->n, l->spare.sides[1]);
        if (!da || !db)
            return false;
        compare_double(op, da, db, c->i, l->n);
    }
    c->kind = RX_BOOL;
    c->flags = 0;
    return true;
}

static void negate(struct lanes *l, const struct column_ins *ins, const struct side *a)
{
    struct column *c = &l->columns[ins->dst];
    uint8_t fates[RX_LANES_MAX];
    bool all = true;
    if (is_of(a, RX_DOUBLE)) {
        for (size_t i = 0; i < l->n; i++)
            c->d[i] = -a->column->d[i];
        c->kind = RX_DOUBLE;
        c->flags = 0;
        return;
    }
    l->spare.kinds = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct rx_value v = lane_of(a, i), made = rx_null();
        int r = rx_negate(v, &made);
        fates[i] = r == 0 ? LANE_STAYS : v.kind == RX_NULL && ins->drops ? LANE_ABSENT : LANE_LEFT;
        all = all && r == 0;
        l->spare.v[i] = made;
        l->spare.kinds |= r == 0 ? rx_kinds_of(made) : 0;
    }
    take_spare(l, ins, fates, all);
}

/* A condition's column: lanes that are no booleans are left. What is made of them otherwise is the interpreter's to say. */
static bool are_bools(struct lanes *l, operand a, uint32_t after, unsigned step)
{
    uint8_t fates[RX_LANES_MAX];
    struct column *c = &l->columns[a];
    if (c->kind == RX_BOOL)
        return true;
    for (size_t i = 0; i < l->n; i++)
        fates[i] = rx_column_lane(c, i).kind == RX_BOOL ? LANE_STAYS : LANE_LEFT;
    rx_lanes_settle(l, fates, after | UINT32_C(1) << a, step);
    if (l->n == 0)
        return false;
    c->kinds = RX_K_BOOL;
    rx_column_narrow(c, l->n);
    return true;
}

static void logic(struct lanes *l, const struct column_ins *ins)
{
    uint32_t read = ins->after | UINT32_C(1) << ins->a | (ins->b >= 0 ? UINT32_C(1) << ins->b : 0);
    struct column *c = &l->columns[ins->dst];
    c->kind = RX_BOOL;
    c->flags = 0;
    if (!are_bools(l, ins->a, read, ins->step) || (ins->op != COLUMN_NOT && !are_bools(l, ins->b, read, ins->step)))
        return;
    const int64_t *a = l->columns[ins->a].i, *b = ins->op == COLUMN_NOT ? a : l->columns[ins->b].i;
    for (size_t i = 0; i < l->n; i++)
        c->i[i] = ins->op == COLUMN_AND ? a[i] & b[i] : ins->op == COLUMN_OR ? a[i] | b[i] : !a[i];
}

static void keep(struct lanes *l, const struct column_ins *ins)
{
    uint8_t stays[RX_LANES_MAX];
    if (!are_bools(l, ins->a, ins->after, ins->step))
        return;
    const struct column *c = &l->columns[ins->a];
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        stays[i] = (uint8_t)c->i[i];
        l->at[kept] = l->at[i];
        kept += stays[i];
    }
    l->out->filtered[ins->step] = (uint16_t)(l->out->filtered[ins->step] + l->n - kept);
    for (unsigned column = 0; kept < l->n && ins->after >> column; column++)
        if (ins->after >> column & 1)
            compact(&l->columns[column], stays, l->n);
    l->n = kept;
}

static void binary(struct lanes *l, const struct column_ins *ins)
{
    struct side a = side_of(l, ins->a), b = side_of(l, ins->b);
    bool done = ins->op <= COLUMN_MOD ? arithmetic(l, ins, &a, &b) : comparison(l, ins, &a, &b);
    if (!done)
        by_lanes(l, ins, &a, &b);
}

/* Is the i-th instruction's result only what is kept, and all that is known of the lanes? */
static bool is_kept(const struct rx_columns *p, unsigned i)
{
    return i + 1u < p->code_count && p->code[i + 1].op == COLUMN_KEEP && p->code[i + 1].a == p->code[i].dst &&
           p->code[i + 1].after == 0;
}

void rx_columns_compute(struct lanes *l)
{
    const struct rx_columns *p = l->program;
    for (unsigned i = 0; i < p->code_count && l->n > 0; i++) {
        const struct column_ins *ins = &p->code[i];
        struct side a;
        switch ((enum column_op)ins->op) {
        case COLUMN_LOAD:
            rx_lanes_load(l, ins);
            break;
        case COLUMN_IS:
            if (is_kept(p, i))
                rx_lanes_keep_text(l, &p->code[i++]);
            else
                rx_lanes_compare_text(l, ins);
            break;
        case COLUMN_NEG:
            a = side_of(l, ins->a);
            negate(l, ins, &a);
            break;
        case COLUMN_NOT:
        case COLUMN_AND:
        case COLUMN_OR:
            logic(l, ins);
            break;
        case COLUMN_KEEP:
            keep(l, ins);
            break;
        default:
            binary(l, ins);
        }
    }
}
