/* Quantiles of numbers: the numbers themselves while they are few, then how many fell into which bucket. One thread.
 *
 * A bucket is what the first bits of a double say: its exponent and 7 bits of its fraction, so that it is never wider than
 * 1/128 of what is in it (as in Masson, Rim, Lee, "DDSketch", VLDB 2019, with the bits in place of a logarithm). Magnitudes
 * below 2^-32 of the greatest share one bucket. What it knows depends on which numbers came, never on their order. */
#ifndef RX_CORE_QUANTILES_H
#define RX_CORE_QUANTILES_H

#include "core/value/codec.h"

enum {
    RX_QUANTILES_EXACT = 128,                          /* so many numbers are kept as they are */
    RX_QUANTILES_BUCKETS = 4096,                       /* at the most, of either sign; 8 bytes each */
    RX_QUANTILES_BYTES = 2 * RX_QUANTILES_BUCKETS * 8, /* the most that it keeps */
};

struct rx_buckets {
    uint64_t *counts;
    int32_t base; /* the key of the first */
    uint32_t length;
};

/* Zeroed is empty. */
struct rx_quantiles {
    uint64_t count;
    double least, greatest;
    double *exact; /* NULL: none, or they went into buckets */
    uint32_t exact_room;
    bool bucketed;
    uint64_t zeros, infinite[2];  /* -inf, +inf */
    struct rx_buckets buckets[2]; /* of the negative, of the positive */
};

int rx_quantiles_add(struct rx_quantiles *, double); /* not NaN; -ENOMEM: not added */
int rx_quantiles_merge(struct rx_quantiles *into, const struct rx_quantiles *);
double rx_quantiles_at(const struct rx_quantiles *, double q); /* 0 <= q <= 1; NaN of nothing */
void rx_quantiles_finish(struct rx_quantiles *);
void rx_quantiles_save(const struct rx_quantiles *, struct rx_writer *);
void rx_quantiles_load(struct rx_quantiles *, struct rx_reader *); /* into an empty one */

#endif
