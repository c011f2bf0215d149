/* Aggregation: accumulators for the aggregate calls of a step, and their results. One thread.
 *
 * Sums are compensated (Neumaier, ZAMM 54, 1974) and exact over whole numbers within int64. Absent and null arguments are
 * skipped; min and max skip NaN. Accumulators of neighbouring times can be put together (rx_aggregation_merge): windows that
 * overlap are made of panes. */
#ifndef RX_CORE_AGGREGATION_H
#define RX_CORE_AGGREGATION_H

#include "core/aggregate/twofold.h"
#include "core/option/option.h"
#include "core/value/codec.h"
#include "core/value/event.h"

/* What one call has seen. Zeroed is empty. Those of a step stand one behind the other, each as long as its function needs
 * (rx_accumulator_of): a key with its windows is to lie in few lines. */
struct rx_accumulator {
    union {
        struct {
            uint64_t count; /* of sum and avg: with RX_SUM_INEXACT */
            union {
                struct {
                    double sum, compensation;
                    int64_t whole; /* the sum while it is exact */
                } number;
                struct {
                    struct rx_value value; /* owned */
                    rx_time time;          /* of its event */
                } kept;                    /* first, last */
                struct {
                    struct rx_twofold mean, squares; /* squares of the distances from the mean */
                } spread;
                void *state; /* of the function's own; NULL: nothing yet */
            } u;
        };
        struct rx_value extreme; /* min, max, and nothing else; owned. Null: nothing yet */
    };
};
#define RX_SUM_INEXACT (UINT64_C(1) << 63) /* a double or an overflow was in it */

/* The last sample before a window, of a call whose state goes on over windows. */
struct rx_carry {
    rx_time time;
    double value;
    bool known;
};

struct rx_aggregate_function;
/* The calls of a step, resolved: made once per node (fits rx_common_get). Borrows the shaper. */
struct rx_aggregation {
    struct rx_shaper *shaper;
    const struct rx_value *outer; /* what `outer` names in it, of who uses it now; NULL: nothing */
    size_t count, size;           /* calls; bytes of their accumulators */
    uint64_t shape;               /* of the record that the places of fields are in */
    struct {
        uint64_t key; /* of the mark's shape; 0: it has no key */
        uint32_t kind;
        const struct rx_shape *fields, *shape; /* for good. shape NULL: it has to be built */
    } dressed;                                 /* what the last result was */
    bool plain;                                /* all calls merge by a kernel */
    bool ready, carries;                       /* carries: of some call the last sample goes on into the next window */
    struct rx_aggregation_slot {
        const struct rx_aggregate_function *function;
        struct rx_expr *arg;  /* NULL: count() */
        struct rx_expr *rank; /* top: by what; else NULL */
        double constant;
        const struct rx_key *field; /* the argument is this field, plainly; else NULL */
        uint32_t offset, place;     /* of its accumulator, bytes; of the field in the shape, where it is there */
        uint8_t kernel, runs;       /* enum rx_kernel; what of it runs for the shape */
        uint8_t merges;             /* what puts two of its accumulators together */
        bool there;
    } slots[RX_AGGREGATES_MAX];
};

/* The accumulator of the i-th call among those of all. */
static inline struct rx_accumulator *rx_accumulator_of(const struct rx_aggregation *a, const struct rx_accumulator *all,
                                                       size_t i)
{
    return (struct rx_accumulator *)((uintptr_t)all + a->slots[i].offset);
}

/* What a result is of. */
struct rx_aggregation_scope {
    const struct rx_mark *mark;     /* may be NULL */
    rx_time until;                  /* how far time has come; RX_TIME_NEVER: past the window's end */
    const struct rx_carry *carries; /* one a call; NULL: none known */
};

/* Resolves; -EINVAL with what is not there. */
int rx_aggregation_prepare(struct rx_aggregation *, struct rx_shaper *, struct rx_error *reterr);
/* One call more, without a shaper that has it. */
int rx_aggregation_add_call(struct rx_aggregation *, const struct rx_aggregate_call *, struct rx_error *reterr);
/* What the calls of a step say of it, before it runs. */
struct rx_aggregation_facts {
    bool needs_order; /* some call has to see events in the order of their times */
    bool carries;     /* of some call the last sample goes on into the next window */
    size_t calls;
    uint64_t bytes; /* what they may keep beside their accumulators and values, at the most */
};
struct rx_aggregation_facts rx_aggregation_describe(const struct rx_shaper *);
/* Adds one event to all `accumulators` (a->size bytes, zeroed at first). Each call is on its own: where its argument fails, or is nothing that it
 * can take, it skips the event and the others take it. 0, or the first failure. */
int rx_aggregation_add(struct rx_aggregation *, struct rx_accumulator *accumulators, const struct rx_event *,
                       struct rx_error *reterr);
/* Adds all that `later` has seen, of later times (or of the same, arrived later); `later` stays. -ENOMEM: `into` has some. */
int rx_aggregation_merge(const struct rx_aggregation *, struct rx_accumulator *into,
                         const struct rx_accumulator *later);
/* The same into one that is not yet anything: neither cleared nor zeroed. -ENOMEM: it has some, and has to be cleared. */
int rx_aggregation_copy(const struct rx_aggregation *, struct rx_accumulator *ret, const struct rx_accumulator *);
/* As rx_aggregation_merge; *ret_mixed becomes true where least or greatest values had no order (texts and numbers): then the total is not what it would
 * be of all events one by one. */
int rx_aggregation_merge_telling(const struct rx_aggregation *, struct rx_accumulator *into,
                                 const struct rx_accumulator *later, bool *ret_mixed);
/* The last samples of calls that carry take the place of those in `carries`, where there are any. */
void rx_aggregation_carry(const struct rx_aggregation *, const struct rx_accumulator *, struct rx_carry *carries);
/* What the i-th call alone gives; the caller's. */
struct rx_value rx_aggregation_call(const struct rx_aggregation *, size_t i, const struct rx_accumulator *,
                                    const struct rx_aggregation_scope *, struct rx_heap *);
/* The step's value: its object with the key fields of the mark before and `window` behind; a scalar stays one. */
int rx_aggregation_result(struct rx_aggregation *, const struct rx_accumulator *accumulators,
                          const struct rx_aggregation_scope *, struct rx_heap *, struct rx_value *ret,
                          struct rx_error *reterr);
void rx_aggregation_clear(const struct rx_aggregation *, struct rx_accumulator *accumulators); /* to empty */
void rx_aggregation_save(const struct rx_aggregation *, const struct rx_accumulator *, struct rx_writer *);
int rx_aggregation_load(const struct rx_aggregation *, struct rx_accumulator *, struct rx_reader *);

/* What a call takes of one event; all borrowed. */
struct rx_gathered {
    struct rx_value value;
    struct rx_value rank; /* of top */
    rx_time time;
    double constant; /* the call's number (quantile, limit ...); 0 where it takes none */
};

/* One accumulator by function name, for the steps that are one: NULL: no such function. */
const struct rx_aggregate_function *rx_aggregate_find(const char *name);
int rx_aggregate_add(const struct rx_aggregate_function *, struct rx_accumulator *, const struct rx_gathered *,
                     struct rx_error *reterr);
/* The caller's. `heap`: where lists are made; NULL where the function makes none. */
struct rx_value rx_aggregate_result(const struct rx_aggregate_function *, const struct rx_accumulator *,
                                    double constant, struct rx_heap *heap);
bool rx_aggregate_is_empty(const struct rx_aggregate_function *,
                           const struct rx_accumulator *); /* it has taken nothing */
void rx_aggregate_clear(const struct rx_aggregate_function *, struct rx_accumulator *);
void rx_aggregate_save(const struct rx_aggregate_function *, const struct rx_accumulator *, struct rx_writer *);
int rx_aggregate_load(const struct rx_aggregate_function *, struct rx_accumulator *, struct rx_reader *);

#endif
