/* What the checker and the compiler share: one compilation. */
#ifndef RX_CORE_EXPR_COMPILER_H
#define RX_CORE_EXPR_COMPILER_H

#include "core/expr/internal.h"

struct rx_vector {
    void *data;
    size_t count, capacity;
};

struct rx_compiler {
    struct rx_expr *expr;
    const struct rx_expr_options *options;
    struct rx_arena arena;
    struct rx_error *reterr;
    struct rx_variable *scope; /* innermost first */

    struct rx_vector code, places, accesses, handlers, constants, shapes, functions, hints, fields, aggregates,
        keys; /* that the expression keeps */
    uint32_t failure_count, loop_count;
    int next_reg, max_reg;
    unsigned uncertain;  /* inside an operand that may not be evaluated, or whose error may be absorbed */
    bool lenient;        /* folding: complaints wait for the outcome */
    uint64_t fold_steps; /* that constant parts have taken so far */
    unsigned loop_depth;
    unsigned may_be_absent; /* inside of has() and coalesce() */
    double cost[5];
};

/* Appends room for one item of `size` bytes, zeroed; NULL: no memory (reterr is set). */
void *rx_vector_add(struct rx_compiler *, struct rx_vector *, size_t size);

/* The key, kept for as long as the expression; NULL: no memory (reterr is set). */
const struct rx_key *rx_compiler_key(struct rx_compiler *, const char *name, size_t length);

/* check.c: resolves names, finds kinds, marks what is constant, gathers what the expression reaches. */
int rx_check(struct rx_compiler *, struct rx_ast *);
int rx_check_aggregate(struct rx_compiler *, struct rx_ast *);
/* Under RX_EXPR_AGGREGATES: is there a call in it, may this name stand outside one. In an argument: is this one more call? */
int rx_check_whole_aggregate(struct rx_compiler *, const struct rx_ast *root);
int rx_check_gathered(struct rx_compiler *, const struct rx_ast *name);
int rx_check_nested(struct rx_compiler *, const struct rx_ast *call);
/* "a string", "a number", "a list or a map" */
const char *rx_kinds_text(rx_kinds, char *out, size_t size);
/* typing.c: the kinds that an operator yields; 0: none of the pairs works. */
rx_kinds rx_kinds_binary(enum rx_operator_code, rx_kinds a, rx_kinds b);
rx_kinds rx_kinds_negate(rx_kinds);
bool rx_kinds_may_equal(rx_kinds a, rx_kinds b);

/* compile.c: emits code for a checked tree. */
int rx_compile(struct rx_compiler *, struct rx_ast *);
/* gate.c: of a compiled condition. -ENOMEM. */
int rx_expr_find_gate(struct rx_compiler *, const struct rx_ast *root);
int rx_compile_failed(struct rx_compiler *, const struct rx_ast *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
