/* Private to selections: one, the set that they are interned in, and the index of those that ask for a field's value. */
#ifndef RX_IO_SELECTION_PRIVATE_H
#define RX_IO_SELECTION_PRIVATE_H

#include "core/expr/expr.h"
#include "core/expr/gate_table.h"
#include "core/io/serve/selection.h"

enum {
    MEMO = 4096,     /* frames whose verdict is remembered, a power of two; */
    MEMO_GATED = 256 /* where others than those that may be wanted are told from the index */
};

struct key_form {
    uint64_t hash;
    struct rx_buffer text;
};

struct rx_selection {
    struct rx_selections *set;
    struct rx_selection *next;
    unsigned refs;
    char *key, *filter;       /* as asked for; NULL: not */
    struct key_form forms[2]; /* the key as JSON, and as the JSON string of its text */

    struct rx_expr *expr;
    const struct rx_expr_gate *gate; /* an equality that it is found by; NULL: none */
    struct rx_fields *fields;
    unsigned reaches;
    uint64_t *memo; /* by sequence modulo its size: sequence * 4 + enum verdict */
    uint32_t memo_mask;
    struct rx_filter_account account;
    uint64_t steps;
    bool exhausted;
};

enum verdict { UNWANTED, WANTED, MAYBE }; /* maybe: the index has found it, and it was not evaluated yet */

static inline uint64_t *selection_memo(const struct rx_selection *s, uint64_t sequence)
{
    return &s->memo[sequence & s->memo_mask];
}

struct gate_field { /* of all gates that ask for one field */
    const struct rx_expr_gate *gate;
    struct rx_slot_cache cache;
    struct rx_gate_table table;
};

struct selection_index {
    struct gate_field *fields;
    size_t count;
    struct rx_fields *reached;
    uint64_t *seen; /* by sequence modulo MEMO: the frame that was looked up */
    bool stale;     /* selections have come or gone since it was made */
};

struct rx_selections {
    struct rx_heap *heap;
    struct rx_filter_budget *budget;
    struct rx_selection *first;
    unsigned count, gated;
    struct selection_index index;
};

/* selection_index.c: notes down a frame, once, in the memos of the gated selections that it may concern. False: no memory;
 * nothing is known of it. */
bool selection_index_look_up(struct rx_selections *, const struct rx_frame_view *);
void selection_index_finish(struct selection_index *);

#endif
