/* The parts of the interpreter. Each answers 0, or a negative errno with the failure noted by rx_run_fail. */
#ifndef RX_CORE_EXPR_RUN_H
#define RX_CORE_EXPR_RUN_H

#include "core/expr/internal.h"

/* Notes a failure with the values that it saw; answers code. */
int rx_run_fail(struct rx_expr *, int code, unsigned count, struct rx_value a, struct rx_value b);
/* Takes a reference until the end of the evaluation (or of the loop's turn). */
int rx_run_keep(struct rx_expr *, struct rx_value);

static inline struct rx_value rx_run_key(const struct rx_key *key) { return rx_string_static(key->text, key->length); }

/* The steps that going through a value takes. */
static inline uint64_t rx_run_size(struct rx_value v)
{
    switch (v.kind) {
    case RX_STRING:
    case RX_BYTES:
        return v.aux / 16;
    case RX_LIST:
        return v.u.list->count;
    case RX_MAP:
    case RX_RECORD:
        return rx_object_count(v);
    default:
        return 1;
    }
}

/* The steps that comparing a value with another may take: every element at every level, up to `cap`. */
uint64_t rx_run_weight(struct rx_value, uint64_t cap);

/* run_access.c */
int rx_run_name(struct rx_expr *, const struct rx_access *, struct rx_value *ret);
int rx_run_environment(struct rx_expr *, const struct rx_ins *, struct rx_value *ret);
int rx_run_select(struct rx_expr *, struct rx_value object, struct rx_access *, struct rx_value *ret);
int rx_run_index(struct rx_expr *, struct rx_value object, struct rx_value key, struct rx_value *ret);
int rx_run_opt_index(struct rx_expr *, struct rx_value object, struct rx_value key, struct rx_value *ret);
bool rx_run_has_field(const struct rx_expr *, const struct rx_value *found, const struct rx_access *);
int rx_run_has(struct rx_expr *, struct rx_value object, struct rx_value key, struct rx_value *ret);
int rx_run_in(struct rx_expr *, struct rx_value needle, struct rx_value container, struct rx_value *ret);

/* run_build.c */
int rx_run_binary(struct rx_expr *, enum rx_operator_code, struct rx_value a, struct rx_value b, struct rx_value *ret);
int rx_run_build(struct rx_expr *, const struct rx_ins *, struct rx_value *ret);
int rx_run_call(struct rx_expr *, const struct rx_ins *, struct rx_value *ret);

/* run_loop.c */
int rx_run_loop(struct rx_expr *, const struct rx_ins *);
int rx_run_next(struct rx_expr *, const struct rx_ins *); /* 1: at the end */
int rx_run_collect(struct rx_expr *, const struct rx_ins *);
int rx_run_end(struct rx_expr *, const struct rx_ins *, struct rx_value *ret);
void rx_run_drop(struct rx_loop *);

#endif
