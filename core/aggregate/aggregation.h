/* Aggregation: accumulators for the aggregate calls of a step, and their results. One thread.
 *
 * Sums are compensated (Neumaier, ZAMM 54, 1974) and exact over whole numbers within int64. Absent and null arguments are
 * skipped; min and max skip NaN. */
#ifndef RX_CORE_AGGREGATION_H
#define RX_CORE_AGGREGATION_H

#include "core/option/option.h"
#include "core/value/codec.h"
#include "core/value/event.h"

/* What one call has seen. Zeroed is empty. */
struct rx_accumulator {
    uint64_t count;
    union {
        struct {
            double sum, compensation;
        } number;
        struct rx_value value; /* first, last, min, max; owned */
    } u;
    int64_t whole;    /* the sum while it is exact */
    uint32_t inexact; /* a double or an overflow was in it */
    uint32_t spare_;
};

struct rx_aggregate_function;
/* The calls of a step, resolved: made once per node (fits rx_common_get). Borrows the shaper. */
struct rx_aggregation {
    struct rx_shaper *shaper;
    size_t count;
    bool ready;
    struct rx_aggregation_slot {
        const struct rx_aggregate_function *function;
        struct rx_expr *arg;        /* NULL: count() */
        const struct rx_key *field; /* the argument is this field, plainly; else NULL */
        struct rx_slot_cache cache;
    } slots[RX_AGGREGATES_MAX];
};

/* Resolves; -EINVAL with what is not there. */
int rx_aggregation_prepare(struct rx_aggregation *, struct rx_shaper *, struct rx_error *reterr);
/* Adds one event to all `accumulators` (one per call). Each call is on its own: where its argument fails, or is nothing that it
 * can take, it skips the event and the others take it. 0, or the first failure. */
int rx_aggregation_add(struct rx_aggregation *, struct rx_accumulator *accumulators, const struct rx_event *,
                       struct rx_error *reterr);
/* The step's value: its object with the key fields of `mark` before and `window` behind; a scalar stays one. */
int rx_aggregation_result(const struct rx_aggregation *, const struct rx_accumulator *accumulators,
                          const struct rx_mark *mark, struct rx_heap *, struct rx_value *ret, struct rx_error *reterr);
void rx_aggregation_clear(const struct rx_aggregation *, struct rx_accumulator *accumulators); /* to empty */
void rx_aggregation_save(const struct rx_aggregation *, const struct rx_accumulator *, struct rx_writer *);
int rx_aggregation_load(const struct rx_aggregation *, struct rx_accumulator *, struct rx_reader *);

/* One accumulator by function name, for average sum min max count: NULL: no such function. */
const struct rx_aggregate_function *rx_aggregate_find(const char *name);
int rx_aggregate_add(const struct rx_aggregate_function *, struct rx_accumulator *, struct rx_value,
                     struct rx_error *reterr);
struct rx_value rx_aggregate_result(const struct rx_aggregate_function *, const struct rx_accumulator *); /* caller's */
void rx_aggregate_clear(const struct rx_aggregate_function *, struct rx_accumulator *);
void rx_aggregate_save(const struct rx_aggregate_function *, const struct rx_accumulator *, struct rx_writer *);
int rx_aggregate_load(const struct rx_aggregate_function *, struct rx_accumulator *, struct rx_reader *);

#endif
