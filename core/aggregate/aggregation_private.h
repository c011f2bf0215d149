/* What the files of the aggregation share. */
#ifndef RX_CORE_AGGREGATION_PRIVATE_H
#define RX_CORE_AGGREGATION_PRIVATE_H

#include "core/aggregate/aggregation.h"
#include "core/aggregate/kernels.h"

/* What a result is made for. */
struct rx_result_terms {
    double constant;
    rx_time start, end;           /* of the window; start > end: there is none */
    rx_time until;                /* how far time has come in it */
    const struct rx_carry *carry; /* NULL: nothing known */
    struct rx_heap *heap;         /* NULL where the function makes no lists */
};

enum {
    RX_COUNTS_TRUE = 1, /* false as an argument does not count */
    RX_CARRIES = 2,     /* its last sample goes on into the next window */
    RX_WANTS_ORDER = 4, /* takes samples in the order of their times */
};

struct rx_aggregate_function {
    const char *name;
    unsigned flags;
    uint32_t bytes, each; /* what it may keep beside its accumulator, at the most; and for each of its constant */
    int (*add)(struct rx_accumulator *, const struct rx_gathered *, struct rx_error *); /* < 0: nothing was changed */
    struct rx_value (*result)(const struct rx_accumulator *, const struct rx_result_terms *);
    /* 1: there was no order between what they hold */
    int (*merge)(struct rx_accumulator *into, const struct rx_accumulator *later, double constant);
    void (*clear)(struct rx_accumulator *);                          /* gives back what it holds; NULL: nothing */
    void (*save)(const struct rx_accumulator *, struct rx_writer *); /* all but the count */
    void (*load)(struct rx_accumulator *, struct rx_reader *);       /* the count has been read */
    enum rx_kernel kernel;
    uint32_t size; /* of its accumulator */
};

/* Of a function whose accumulator is a count and a state: its last columns. */
#define RX_STATEFUL RX_KERNEL_NONE, offsetof(struct rx_accumulator, u) + sizeof(void *)

/* Rows of the table, by file. */
extern const struct rx_aggregate_function rx_aggregates_plain[], rx_aggregates_lists[], rx_aggregates_timed[],
    rx_aggregates_sketches[]; /* each ends with a row without a name */

int rx_gathered_number(const struct rx_gathered *, double *ret, struct rx_error *reterr);
static inline bool rx_is_nan(struct rx_value v) { return v.kind == RX_DOUBLE && isnan(v.u.d); }
/* A failure that says so. */
int rx_aggregate_no_memory(struct rx_error *reterr);
/* The last sample of a call that carries. */
struct rx_carry rx_timed_last(const struct rx_accumulator *);

#endif
