/* Inside of the expression engine: the tree that the parser builds, what the checker adds to it, and the code that runs.
 *
 * text -> lexer.c -> parser.c -> check.c -> compile.c -> run.c. Nothing here recurses deeper than RX_EXPR_DEPTH_MAX. */
#ifndef RX_CORE_EXPR_INTERNAL_H
#define RX_CORE_EXPR_INTERNAL_H

#include <string.h>

#include "core/base/utf8.h"
#include "core/expr/expr.h"

enum {
    RX_EXPR_TEXT_MAX = 1 << 16, /* bytes of source */
    RX_EXPR_DEPTH_MAX = 300,    /* levels of the tree; CEL asks for 32 of each kind of nesting */
    RX_EXPR_NEST_MAX = 128,     /* brackets, calls and conditionals inside one another */
    RX_EXPR_REGISTERS_MAX = 16000,
    RX_EXPR_BUDGET = 1000000,      /* default run-time budget, in steps of about 10 ns */
    RX_EXPR_IN_ARGUMENT = 1 << 16, /* a flag beside the public ones: this is the argument of an aggregate */
};

/* Sets of kinds: one bit for each enum rx_kind, and one for whole JSON numbers. */
typedef uint32_t rx_kinds;
#define RX_BIT(kind)   ((rx_kinds)1 << (kind))
#define RX_K_JSON      RX_BIT(RX_KINDS)
#define RX_K_ALL       ((RX_K_JSON << 1) - 1)
#define RX_K_NULL      RX_BIT(RX_NULL)
#define RX_K_BOOL      RX_BIT(RX_BOOL)
#define RX_K_INT       RX_BIT(RX_INT)
#define RX_K_UINT      RX_BIT(RX_UINT)
#define RX_K_DOUBLE    RX_BIT(RX_DOUBLE)
#define RX_K_TIMESTAMP RX_BIT(RX_TIMESTAMP)
#define RX_K_DURATION  RX_BIT(RX_DURATION)
#define RX_K_TYPE      RX_BIT(RX_TYPE)
#define RX_K_STRING    RX_BIT(RX_STRING)
#define RX_K_BYTES     RX_BIT(RX_BYTES)
#define RX_K_LIST      RX_BIT(RX_LIST)
#define RX_K_MAP       (RX_BIT(RX_MAP) | RX_BIT(RX_RECORD))
#define RX_K_OPTIONAL  RX_BIT(RX_OPTIONAL)
#define RX_K_WHOLE     (RX_K_INT | RX_K_UINT | RX_K_JSON)
#define RX_K_NUMBER    (RX_K_WHOLE | RX_K_DOUBLE)

/* The kinds a value shows to the checker: whole JSON numbers apart. */
static inline rx_kinds rx_kinds_of(struct rx_value v)
{
    return (v.flags & RX_FLAG_JSON) && (v.kind == RX_INT || v.kind == RX_UINT) ? RX_K_JSON : RX_BIT(v.kind);
}

/* Memory of one compilation: freed at once. Also holds references to the values that nodes carry. */
struct rx_arena {
    struct rx_arena_chunk *chunks;
    struct rx_value *values;
    size_t value_count, value_capacity;
};
void *rx_arena_alloc(struct rx_arena *, size_t size);                   /* zeroed; NULL: no memory */
struct rx_value rx_arena_keep_take(struct rx_arena *, struct rx_value); /* kept until finish; RX_NULL: no memory */
void rx_arena_finish(struct rx_arena *);

enum rx_token_kind {
    T_END,
    T_IDENT,
    T_QUOTED,
    T_INT,
    T_UINT,
    T_DOUBLE,
    T_STRING,
    T_BYTES,
    T_TRUE,
    T_FALSE,
    T_NULL,
    T_IN,
    T_LPAREN,
    T_RPAREN,
    T_LBRACKET,
    T_RBRACKET,
    T_LBRACE,
    T_RBRACE,
    T_DOT,
    T_COMMA,
    T_COLON,
    T_QUESTION,
    T_NOT,
    T_MINUS,
    T_PLUS,
    T_STAR,
    T_SLASH,
    T_PERCENT,
    T_EQ,
    T_NE,
    T_LT,
    T_LE,
    T_GT,
    T_GE,
    T_AND,
    T_OR,
};

struct rx_token {
    enum rx_token_kind kind;
    uint32_t start, end; /* bytes in the text */
    const char *text;    /* T_IDENT: in the source; T_QUOTED: between the backticks */
    uint32_t length;
    struct rx_value value; /* literals. T_INT holds its magnitude in u.u: 2^63 is legal behind a minus */
};

struct rx_lexer {
    const char *text;
    size_t length;
    uint32_t at;
    struct rx_heap *heap;
    struct rx_arena *arena;
    struct rx_error *reterr;
};
int rx_lexer_next(struct rx_lexer *, struct rx_token *ret);
/* Fills reterr with the place of `offset`; answers -EINVAL. */
int rx_expr_complain(struct rx_error *reterr, const char *text, size_t length, size_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void rx_place_set(struct rx_place *, const char *text, size_t length, size_t offset);
bool rx_word_is_reserved(const char *text, size_t length);
/* The code point at `text` (valid UTF-8) and how many bytes it has. */
uint32_t rx_utf8_get(const char *text, const char *end, unsigned *ret_size);
size_t rx_utf8_count(const char *text, size_t length);

enum rx_ast_kind {
    N_LITERAL,
    N_IDENT,
    N_SELECT,
    N_INDEX,
    N_CALL,
    N_LIST,
    N_MAP,
    N_UNARY,
    N_BINARY,
    N_AND,
    N_OR,
    N_CONDITIONAL,
    N_HAS,
    N_COALESCE,
    N_COMPREHENSION,
    N_BIND,
    N_OPT_MAP,
    N_AGGREGATE,
};

enum rx_operator_code { O_ADD, O_SUB, O_MUL, O_DIV, O_MOD, O_EQ, O_NE, O_LT, O_LE, O_GT, O_GE, O_IN, O_NEG, O_NOT };

enum rx_loop_kind {
    L_ALL,
    L_EXISTS,
    L_EXISTS_ONE,
    L_FILTER,
    L_MAP,
    L_TRANSFORM_LIST,
    L_TRANSFORM_MAP,
    L_TRANSFORM_ENTRY,
    L_SORT_BY,
};

enum rx_resolution {
    R_FIELD,    /* a top-level field, by fields[index] */
    R_VARIABLE, /* a comprehension's or bind's variable: `scope` */
    R_LOCAL,
    R_EVENT,
    R_EVENT_TIME,
    R_META,
    R_META_FIELD,
    R_OUTER,
    R_TYPE, /* a field, else the type in `value` */
};

struct rx_variable {
    const char *name;
    uint32_t length;
    int16_t reg;
    uint16_t depth; /* of scopes: 1 is the outermost */
    rx_kinds kinds;
    struct rx_variable *outer;
};

struct rx_function;

struct rx_ast {
    uint8_t kind, op; /* enum rx_ast_kind; operator or loop kind */
    uint8_t resolution;
    bool constant; /* folds to a value: no event needed */
    bool optional; /* .?a  [?a] */
    bool rooted;   /* .name */
    bool method;   /* N_CALL: target.name(args); target is args[0] */
    bool parens;   /* written in parentheses */
    uint16_t depth;
    uint16_t outermost;      /* depth of the outermost free variable inside; 0: none */
    uint32_t start, end, at; /* byte range in the text, and the place to point at */
    uint32_t length;
    const char *name;      /* identifier, field, function */
    struct rx_value value; /* N_LITERAL; R_TYPE */
    struct rx_ast **args;
    unsigned count;
    const uint8_t *optionals; /* N_LIST, N_MAP: per element; NULL: none */
    struct rx_variable *variables[2];
    const struct rx_function *function;
    int index;                  /* local, aggregate */
    struct rx_error *complaint; /* it cannot work, whatever the event; told unless the node folds away */
    rx_kinds kinds;             /* what it may evaluate to; 0: it cannot succeed */
};

/* Parses the whole text. Macros, `has`, `if` and `coalesce` are resolved here. */
int rx_expr_parse(struct rx_lexer *, struct rx_ast **ret);

/* ---- functions ---- */

struct rx_call;
typedef int (*rx_function_call)(struct rx_call *, const struct rx_value *args, unsigned count, struct rx_value *ret);

enum {
    RX_F_GLOBAL = 1,
    RX_F_METHOD = 2,
    RX_F_NULLS = 4,   /* null arguments are its business */
    RX_F_PATTERN = 8, /* its second argument is a regular expression */
    RX_F_SQUARE = 16, /* compares each element with each */
};

/* One row declares a function: the checker, the reference page and the messages read it. */
struct rx_function {
    const char *name;
    unsigned style;             /* RX_F_* */
    uint8_t min_args, max_args; /* with the receiver */
    rx_kinds args[4];           /* the last repeats for the rest */
    rx_kinds result;
    rx_function_call call;
    const char *signature, *help, *example, *value; /* value: `example` as JSON */
};
extern const struct rx_function *const rx_function_tables[]; /* ends with NULL; each table ends with a NULL name */
/* The row of a name that has one of these styles; NULL: none. */
const struct rx_function *rx_function_find(const char *name, size_t length, unsigned style);
/* The next row where a function is declared by several, for other kinds of its first argument; NULL: none. */
const struct rx_function *rx_function_overload(const struct rx_function *);
static inline rx_kinds rx_function_takes(const struct rx_function *f, unsigned argument)
{
    rx_kinds kinds = f->args[argument < 4 ? argument : 3];
    return kinds ? kinds : RX_K_ALL;
}

/* What a function may use. Values that it returns are given away. */
struct rx_call {
    struct rx_expr *expr;
    struct rx_heap *heap;
    const struct rx_function *function;
};
int rx_call_charge(struct rx_call *, uint64_t steps); /* 0 or -ETIME */
/* Notes why a call fails; the text must be static or a formatted copy; answers code. */
int rx_call_fail(struct rx_call *, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct rx_value rx_call_string(struct rx_call *, const char *text, size_t length);

/* A stable merge sort (functions_list.c) of `count` borrowed items, each `width` values of which the last is its key;
 * `spare` has room for as many. Answers where the result is, `values` or `spare`; NULL: two keys have no order. */
struct rx_value *rx_values_sort(struct rx_value *values, struct rx_value *spare, uint32_t count, size_t width);

/* Is it a regular expression? 0, -EINVAL with a message, -ENOMEM. */
int rx_regex_check(struct rx_value text, char *message, size_t size);

/* ---- code ---- */

enum rx_opcode {
#define RX_OP(name, form) OP_##name,
#include "core/expr/ops.def"
#undef RX_OP
    OP_COUNT
};

/* Registers: r[0..] are temporaries, r[-1], r[-2].. constants. */
struct rx_ins {
    uint8_t op, n;
    int16_t dst, a, b;
    uint32_t x, y;
};
_Static_assert(sizeof(struct rx_ins) == 16, "two to a cache line of four");

/* An access by a key known at load. */
struct rx_access {
    const struct rx_key *key;
    struct rx_slot_cache cache;
    struct rx_value fallback; /* R_TYPE */
    bool top, is_type, from_mark;
    bool is_value; /* `value`: also an event that has no fields is found by that name */
};

static inline bool rx_access_is_value(const char *name, size_t length)
{
    return length == sizeof "value" - 1 && memcmp(name, "value", length) == 0;
}

/* A top-level field; NULL: absent. */
static inline const struct rx_value *rx_access_find(struct rx_access *access, const struct rx_event *event)
{
    if (!event)
        return NULL;
    if (event->value.kind == RX_RECORD)
        return rx_record_get(event->value.u.record, access->key, &access->cache);
    if (event->value.kind == RX_MAP)
        return rx_object_get(event->value, rx_string_static(access->key->text, access->key->length));
    return access->is_value ? &event->value : NULL;
}

/* Where a failure between `start` and `end` goes. Inner ones come first. */
struct rx_handler {
    uint32_t start, end, target;
    int16_t reg;      /* becomes an error value; -32768: none */
    uint16_t slot;    /* of failures */
    bool nodata_only; /* coalesce, has: only absence is caught */
};

enum { RX_KIND_FAILED = 200 }; /* a register whose computation failed: u.i is the failure's slot */

struct rx_failure {
    int code;
    uint32_t at; /* instruction */
    uint8_t count;
    uint8_t argument;                   /* of a call: the one that does not fit */
    const struct rx_function *function; /* that it does not fit; NULL: another failure */
    struct rx_value values[2];          /* referenced */
    char detail[120];
};

struct rx_loop {
    struct rx_value range, acc;
    uint32_t at, count;
    size_t mark; /* of temporaries */
    struct rx_value *items;
    uint32_t item_count, item_capacity;
    bool building;
    struct rx_object_builder object;
};

struct rx_range {
    uint32_t start, end;
};

struct rx_expr {
    struct rx_value *r; /* frame: constants below, temporaries above */
    struct rx_ins *code;
    struct rx_access *accesses;
    struct rx_heap *heap;
    const struct rx_expr_env *env;
    struct rx_value *temps; /* values made during this evaluation, released at its end */
    size_t temp_count, temp_capacity;
    uint64_t steps, budget;

    struct rx_handler *handlers;
    struct rx_failure *failures; /* [0] is the current one */
    struct rx_loop *loops;
    struct rx_range *places; /* one per instruction */
    const struct rx_shape **shapes;
    const struct rx_function **functions;
    uint32_t code_count, access_count, handler_count, failure_count, loop_count, shape_count, function_count;
    uint32_t constant_count, register_count;
    bool failed; /* some failure holds values */

    char *text;
    size_t length;
    bool is_constant;
    bool is_slot; /* all of it is one aggregate call */
    const struct rx_key *as_field;
    struct rx_expr_gate *gate; /* NULL: none */
    rx_kinds kinds;
    unsigned reaches;
    bool reaches_all;
    const struct rx_key **fields;
    const struct rx_key **keys; /* kept */
    uint32_t key_count;
    uint32_t field_count;
    struct rx_aggregate_call *aggregates;
    uint32_t aggregate_count;
    double cost[5]; /* coefficients of n^0 .. n^4 */
    struct rx_error *hints;
    uint32_t hint_count;
    struct rx_regex_cache *regexes;
    struct rx_zone_cache *zones;
};

/* Runs from an instruction to its RETURN; a failure is left in failures[0]. */
int rx_expr_run(struct rx_expr *, const struct rx_expr_env *, uint32_t start, struct rx_value *ret);
void rx_expr_release_temps(struct rx_expr *, size_t mark);
void rx_failure_clear(struct rx_failure *);
void rx_loop_drop(struct rx_loop *);
/* The steps that comparing a value with another may take: every element at every level, up to `cap`. */
uint64_t rx_run_weight(struct rx_value, uint64_t cap);
/* The sentence for a failure, with its sub-expression and values. */
void rx_failure_describe(const struct rx_expr *, const struct rx_failure *, struct rx_error *reterr);
void rx_expr_gate_destroy(struct rx_expr_gate *); /* gate.c; NULL is fine */
void rx_regex_cache_destroy(struct rx_regex_cache *);
void rx_zone_cache_destroy(struct rx_zone_cache *);

/* ---- arithmetic (arith.c): 0, or a negative errno ---- */
int rx_arith(enum rx_operator_code, struct rx_value a, struct rx_value b, struct rx_value *ret);
int rx_negate(struct rx_value a, struct rx_value *ret);
bool rx_time_valid(int64_t seconds); /* years 1 to 9999 */
bool rx_duration_valid(int64_t seconds);
struct rx_value rx_time_value(enum rx_kind, int64_t seconds, uint32_t nanos);

#endif
