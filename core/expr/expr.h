/* Expressions: CEL (the Common Expression Language) with rxd's extensions, compiled once, evaluated per event.
 *
 * Reference: the public CEL language definition (cel-spec, langdef); deviations are listed in docs/expressions.md.
 * A compiled expression is immutable but for its inline caches and belongs to one heap (one thread). */
#ifndef RX_CORE_EXPR_H
#define RX_CORE_EXPR_H

#include "core/base/error.h"
#include "core/json/json.h"
#include "core/value/event.h"

struct rx_expr;

enum {
    RX_EXPR_AGGREGATES = 1, /* aggregate calls (count, sum, avg ...) are allowed and become slots */
    RX_EXPR_MARK_NAMES = 2, /* a name that the event lacks is looked for in the mark: key names, then `window` */
    RX_EXPR_CLOSED = 4,     /* `types` names every field there is: another name is a mistake */
    RX_EXPR_DECLARED = 8,   /* `types` names every field that the events are said to have: another name is a hint */
};

/* What is known of a field before any event: a set of kinds, 1 << enum rx_kind each. */
#define RX_EXPR_KIND(kind)  (1u << (kind))
#define RX_EXPR_KIND_NUMBER (1u << 31) /* any number, also whole ones of JSON */
#define RX_EXPR_KIND_ANY    UINT32_MAX
struct rx_expr_type {
    const char *name;
    unsigned kinds;
};

struct rx_expr_options {
    struct rx_heap *heap;
    unsigned flags;
    const char *const *locals;        /* NULL-terminated names bound by the caller (`acc`); beat fields. May be NULL */
    const struct rx_expr_type *types; /* fields whose kinds are known (declared outputs of earlier steps) */
    size_t type_count;
    uint64_t budget; /* steps of about 10 ns that one evaluation may take; 0: 1,000,000 */
};

/* What an evaluation sees. Everything borrowed. */
struct rx_expr_env {
    const struct rx_event *event;  /* NULL: no event (constants only) */
    const struct rx_value *outer;  /* the value that `outer` names; NULL: none */
    const struct rx_value *locals; /* one per name in options.locals */
    const struct rx_value *slots;  /* one per aggregate call, in rx_expr_aggregate order */
};

/* Compiles `text`. On failure -EINVAL with the place in `text`, what was expected and a hint. Compile errors are
 * complete sentences for a beginner. The text is copied. */
int rx_expr_compile(const char *text, size_t length, const struct rx_expr_options *, struct rx_expr **ret,
                    struct rx_error *reterr);
void rx_expr_destroy(struct rx_expr *);

/* Evaluates. Returns 0 and a value (the caller's to unref), or, without touching *ret:
 *   -ENODATA  an operand was absent or null
 *   -EINVAL   a type error, no such overload, no such key
 *   -ERANGE   overflow, index or conversion out of range      -EDOM  division or modulus of integers by zero
 *   -ETIME    the run-time budget is used up              -E2BIG  a value past RX_VALUE_PARTS_MAX      -ENOMEM
 * `reterr` may be NULL: then nothing is formatted. It names the sub-expression (place in the text) and the values. */
int rx_expr_eval(struct rx_expr *, const struct rx_expr_env *, struct rx_value *ret, struct rx_error *reterr);

/* For filters: 1 true, 0 false, or a negative errno as above; a non-boolean result is -EINVAL. */
int rx_expr_test(struct rx_expr *, const struct rx_expr_env *, struct rx_error *reterr);

/* Steps of about 10 ns that the last evaluation took, beyond those of code that runs once. */
uint64_t rx_expr_steps(const struct rx_expr *);

const char *rx_expr_text(const struct rx_expr *);
bool rx_expr_is_constant(const struct rx_expr *);
/* When the whole expression is one top-level field, its key; else NULL. */
const struct rx_key *rx_expr_as_field(const struct rx_expr *);
/* The whole expression is one aggregate call: what it gives is in its first slot. */
bool rx_expr_is_slot(const struct rx_expr *);

/* What must hold of one top-level field for a condition to be true: where it does not, the condition is false; or, where the field is
 * absent (null, for a range) and the gate stands alone, it misses its operand. Only of scalars, for a range of numbers but NaN:
 * of other values nothing is said. */
#define RX_GATE_VALUES_MAX 32
enum rx_gate_kind {
    RX_GATE_EQUAL, /* it equals one of the values */
    RX_GATE_RANGE, /* it is a number within the bounds, both taken for closed and rounded to doubles */
};
struct rx_expr_gate {
    const struct rx_key *key;
    enum rx_gate_kind kind;
    bool alone; /* the condition asks nothing else */
    double low, high;
    uint32_t count;
    struct rx_value values[]; /* null, bools, numbers, texts, bytes */
};
const struct rx_expr_gate *rx_expr_gate(const struct rx_expr *); /* NULL: it has none, or is no condition */
/* The field of an event, as the condition would find it; NULL: absent. */
const struct rx_value *rx_expr_gate_field(const struct rx_expr_gate *, struct rx_slot_cache *, const struct rx_event *);

/* Adds the top-level fields that the expression can reach to `fields` (all of them when it is dynamic: bare `event`,
 * `event[x]`); tells what else it reaches. */
enum { RX_REACHES_META = 1, RX_REACHES_TIME = 2, RX_REACHES_OUTER = 4, RX_REACHES_MARK = 8 };
int rx_expr_reach(const struct rx_expr *, struct rx_fields *fields, unsigned *ret_reaches);

/* Aggregate calls found under RX_EXPR_AGGREGATES, in order of appearance; slot i of the environment is call i.
 * Arguments are compiled expressions over single events, owned by the outer expression. */
#define RX_AGGREGATES_MAX 32 /* calls in one step */
struct rx_aggregate_call {
    const char *function; /* "count", "avg" ... as written */
    struct rx_expr *args[3];
    unsigned arg_count;
    double constant; /* of those that take a number known at load: the limit, the quantile, alpha, how many */
};
size_t rx_expr_aggregate_count(const struct rx_expr *);
const struct rx_aggregate_call *rx_expr_aggregate(const struct rx_expr *, size_t i);

/* Is it the name of an aggregate function? */
bool rx_expr_is_aggregate(const char *name);
const char *rx_expr_aggregate_name(size_t i); /* NULL: no more */
/* How the i-th is written, and what it gives with what limits: a cell of a table. Both static. */
void rx_expr_aggregate_describe(size_t i, const char **ret_signature, const char **ret_gives);

/* The kinds that the result may have (RX_EXPR_KIND bits); feed them to the next step's `types`. */
unsigned rx_expr_kinds(const struct rx_expr *);
/* A bound of the steps that one evaluation takes when no list, map or string that it meets has more than `n` elements. Of
 * regular expressions it is an estimate (40 steps a character); what takes more is ended by the budget. */
double rx_expr_cost(const struct rx_expr *, double n);
/* Things that are legal but look like a slip (`battery-level`): each a complete sentence with a hint and a place. */
size_t rx_expr_hint_count(const struct rx_expr *);
const struct rx_error *rx_expr_hint(const struct rx_expr *, size_t i);

/* The compiled code, one instruction a line, for `rxd eval --explain`. */
void rx_expr_disassemble(const struct rx_expr *, struct rx_buffer *out);

#endif
