/* Gates: what must hold of one field for a condition to hold, so that a look-up finds the conditions that an event may meet.
 *
 * A gate may let through what the condition refuses, never the other way: who is let through asks the condition itself. And for what it
 * keeps out the condition gives false, or misses its operand, but never any other error: so only these become one. A comparison by ==
 * fails for an absent field alone; <, <=, >, >= with a number fail for what is no number, and `in` runs out of its budget for what is large:
 * whoever looks up lets those pass. What stands before the part of `&&` that becomes the gate is evaluated first, and must not be able to run
 * out of its budget or of memory, the failures that no false hides. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/compiler.h"

enum { CONJUNCTS_MAX = 64 };

struct draft {
    const struct rx_ast *field;
    enum rx_gate_kind kind;
    double low, high;
    struct rx_value values[RX_GATE_VALUES_MAX];
    uint32_t count;
};

struct conjuncts {
    const struct rx_ast *parts[CONJUNCTS_MAX];
    size_t count; /* CONJUNCTS_MAX: there may be more */
};

static bool is_field(const struct rx_ast *node) { return node->kind == N_IDENT && node->resolution == R_FIELD; }

static bool is_scalar(struct rx_value v)
{
    return v.kind == RX_NULL || v.kind == RX_BOOL || v.kind == RX_INT || v.kind == RX_UINT || v.kind == RX_DOUBLE ||
           v.kind == RX_STRING || v.kind == RX_BYTES;
}

static bool same_field(const struct rx_ast *a, const struct rx_ast *b)
{
    return a->length == b->length && memcmp(a->name, b->name, a->length) == 0;
}

/* ---- parts ---- */

static bool add_value(struct draft *d, struct rx_value value)
{
    if (!is_scalar(value) || d->count == RX_GATE_VALUES_MAX)
        return false;
    d->values[d->count++] = value;
    return true;
}

static bool draft_in(const struct rx_ast *node, struct draft *d)
{
    const struct rx_ast *list = node->args[1];
    if (!is_field(node->args[0]) || list->kind != N_LITERAL || list->value.kind != RX_LIST)
        return false;
    *d = (struct draft){.field = node->args[0], .kind = RX_GATE_EQUAL};
    bool fits = true;
    for (uint32_t i = 0; fits && i < list->value.u.list->count; i++)
        fits = add_value(d, list->value.u.list->items[i]);
    return fits;
}

/* Rounding keeps the order of numbers, so that closed bounds on doubles lose none. */
static bool as_bound(struct rx_value v, double *ret)
{
    *ret = v.kind == RX_INT ? (double)v.u.i : v.kind == RX_UINT ? (double)v.u.u : v.kind == RX_DOUBLE ? v.u.d : NAN;
    return !isnan(*ret);
}

static bool draft_compare(const struct rx_ast *node, struct draft *d)
{
    bool left = is_field(node->args[0]);
    const struct rx_ast *field = node->args[left ? 0 : 1], *literal = node->args[left ? 1 : 0];
    double bound;
    if (!is_field(field) || literal->kind != N_LITERAL)
        return false;
    *d = (struct draft){.field = field, .kind = RX_GATE_EQUAL, .low = -INFINITY, .high = INFINITY};
    if (node->op == O_EQ)
        return add_value(d, literal->value);
    d->kind = RX_GATE_RANGE;
    if (!as_bound(literal->value, &bound))
        return false;
    bool below = (node->op == O_LT || node->op == O_LE) == left;
    *(below ? &d->high : &d->low) = bound;
    return true;
}

static bool draft_of(const struct rx_ast *node, struct draft *);

/* a == 1 || a == 2 */
static bool draft_either(const struct rx_ast *node, struct draft *d)
{
    struct draft other;
    if (!draft_of(node->args[0], d) || d->kind != RX_GATE_EQUAL || !draft_of(node->args[1], &other) ||
        other.kind != RX_GATE_EQUAL || !same_field(d->field, other.field))
        return false;
    bool fits = true;
    for (uint32_t i = 0; fits && i < other.count; i++)
        fits = add_value(d, other.values[i]);
    return fits;
}

static bool draft_of(const struct rx_ast *node, struct draft *d)
{
    if (node->kind == N_OR)
        return draft_either(node, d);
    if (node->kind != N_BINARY)
        return false;
    switch (node->op) {
    case O_IN:
        return draft_in(node, d);
    case O_EQ:
    case O_LT:
    case O_LE:
    case O_GT:
    case O_GE:
        return draft_compare(node, d);
    default:
        return false;
    }
}

/* Neither out of budget nor out of memory, whatever the event. */
static bool is_tame(const struct rx_ast *node)
{
    switch ((enum rx_ast_kind)node->kind) {
    case N_LITERAL:
        return true;
    case N_IDENT:
        return node->resolution == R_FIELD;
    case N_UNARY:
        return node->op == O_NOT && is_tame(node->args[0]);
    case N_AND:
    case N_OR:
        return is_tame(node->args[0]) && is_tame(node->args[1]);
    case N_BINARY:
        return node->op >= O_EQ && node->op <= O_GE && is_tame(node->args[0]) && is_tame(node->args[1]);
    default:
        return false;
    }
}

/* ---- the whole ---- */

static void gather(const struct rx_ast *node, struct conjuncts *all)
{
    if (node->kind == N_AND) {
        gather(node->args[0], all);
        gather(node->args[1], all);
    } else if (all->count < CONJUNCTS_MAX) {
        all->parts[all->count++] = node;
    }
}

/* The bounds of all parts that compare one field; answers how many those are. */
static size_t narrow(const struct conjuncts *all, size_t tame, struct draft *d)
{
    size_t n = 0;
    for (size_t i = 0; i < all->count && i <= tame; i++) {
        struct draft part;
        if (!draft_of(all->parts[i], &part) || part.kind != RX_GATE_RANGE || !same_field(part.field, d->field))
            continue;
        d->low = part.low > d->low ? part.low : d->low;
        d->high = part.high < d->high ? part.high : d->high;
        n++;
    }
    return n;
}

/* The first equality, else the first range with all that narrows it; answers how many parts it stands for. */
static size_t choose(const struct conjuncts *all, struct draft *d)
{
    bool found = false;
    size_t tame = 0;
    for (; tame < all->count; tame++) {
        struct draft part;
        bool fits = draft_of(all->parts[tame], &part);
        if (fits && part.kind == RX_GATE_EQUAL) {
            *d = part;
            return 1;
        }
        if (fits && !found)
            *d = part;
        found = found || fits;
        if (!is_tame(all->parts[tame]))
            break;
    }
    return found ? narrow(all, tame, d) : 0;
}

int rx_expr_find_gate(struct rx_compiler *c, const struct rx_ast *root)
{
    struct conjuncts all = {.count = 0};
    struct draft d = {.count = 0};
    if (c->options->flags & (RX_EXPR_MARK_NAMES | RX_EXPR_AGGREGATES | RX_EXPR_IN_ARGUMENT))
        return 0;
    gather(root, &all);
    size_t parts = choose(&all, &d);
    if (parts == 0)
        return 0;
    struct rx_expr_gate *gate = malloc(sizeof *gate + d.count * sizeof *gate->values);
    const struct rx_key *key = gate ? rx_compiler_key(c, d.field->name, d.field->length) : NULL;
    if (!key) {
        free(gate);
        return rx_error_set(c->reterr, -ENOMEM, "out of memory");
    }
    *gate = (struct rx_expr_gate){.key = key,
                                  .kind = d.kind,
                                  .alone = parts == all.count && all.count < CONJUNCTS_MAX,
                                  .count = d.count,
                                  .low = d.low,
                                  .high = d.high};
    for (uint32_t i = 0; i < d.count; i++)
        gate->values[i] = rx_value_ref(d.values[i]);
    c->expr->gate = gate;
    return 0;
}

void rx_expr_gate_destroy(struct rx_expr_gate *gate)
{
    for (uint32_t i = 0; gate && i < gate->count; i++)
        rx_value_unref(gate->values[i]);
    free(gate);
}

const struct rx_expr_gate *rx_expr_gate(const struct rx_expr *e) { return e->gate; }

const struct rx_value *rx_expr_gate_field(const struct rx_expr_gate *gate, struct rx_slot_cache *cache,
                                          const struct rx_event *event)
{
    struct rx_access access = {
        .key = gate->key, .cache = *cache, .is_value = rx_access_is_value(gate->key->text, gate->key->length)};
    const struct rx_value *found = rx_access_find(&access, event);
    *cache = access.cache;
    return found;
}
