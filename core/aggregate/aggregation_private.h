/* What the files of the aggregation share. */
#ifndef RX_CORE_AGGREGATION_PRIVATE_H
#define RX_CORE_AGGREGATION_PRIVATE_H

#include "core/aggregate/aggregation.h"

struct rx_aggregate_function {
    const char *name;
    bool keeps_value; /* u.value is in use */
    bool counts_true; /* false as an argument does not count */
    int (*check)(const struct rx_accumulator *, struct rx_value, struct rx_error *); /* before anything is changed */
    void (*add)(struct rx_accumulator *, struct rx_value);
    struct rx_value (*result)(const struct rx_accumulator *);
};

#endif
