/* How many different hashes there were: a set while it is small, then a HyperLogLog. One thread.
 *
 * What it knows depends on which hashes came, never on their order, so that two are put together without loss. Flajolet, Fusy,
 * Gandouet, Meunier, "HyperLogLog", AofA 2007; the estimate is Ertl's, "New cardinality estimation algorithms for HyperLogLog
 * sketches", 2017, algorithm 6, which needs no correction at either end. */
#ifndef RX_CORE_DISTINCT_H
#define RX_CORE_DISTINCT_H

#include "core/value/codec.h"

enum {
    RX_DISTINCT_EXACT = 512,      /* so many different ones are counted exactly */
    RX_DISTINCT_REGISTERS = 4096, /* bytes; the standard error is 1.04 / sqrt(4096) = 1.6 % */
    RX_DISTINCT_BYTES = 1024 * 8, /* the most that it keeps */
};

/* Zeroed is empty. */
struct rx_distinct {
    uint64_t *slots; /* open addressing; 0 is free */
    uint32_t count, slots_count;
    unsigned char *registers; /* NULL: it is exact */
};

int rx_distinct_add(struct rx_distinct *, uint64_t hash); /* of 64 good bits; -ENOMEM: not added */
int rx_distinct_merge(struct rx_distinct *into, const struct rx_distinct *);
uint64_t rx_distinct_count(const struct rx_distinct *);
void rx_distinct_finish(struct rx_distinct *);
void rx_distinct_save(const struct rx_distinct *, struct rx_writer *);
void rx_distinct_load(struct rx_distinct *, struct rx_reader *); /* into an empty one */

#endif
