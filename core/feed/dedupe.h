/* Repeats: which events of a source came before, by a key of theirs. Bounded in keys and in time. One worker. */
#ifndef RX_CORE_DEDUPE_H
#define RX_CORE_DEDUPE_H

#include "core/option/option.h"
#include "core/value/codec.h"

struct rx_dedupe_options {
    struct rx_expr *by; /* NULL: nothing is a repeat */
    int64_t max;        /* keys that are remembered */
    rx_time within;     /* ns from the first event of a key; then it is new again */
};
extern const struct rx_class rx_dedupe_class; /* of struct rx_dedupe_options; the key alone, or {by, max, within} */

/* Keys are kept as 64-bit hashes (rx_value_hash): of n keys in memory one event in 2^64 / n is taken for a repeat by chance. */
struct rx_dedupe;
struct rx_dedupe *rx_dedupe_create(const struct rx_dedupe_options *); /* lent. NULL: out of memory */
void rx_dedupe_destroy(struct rx_dedupe *);                           /* NULL: no-op */

/* 1: its key came before, and not longer ago than `within`. 0: it is new, and remembered; or it has no key (absent or null).
 * -EINVAL where the expression fails; -ENOMEM. `now` does not go back. */
int rx_dedupe_test(struct rx_dedupe *, const struct rx_event *, rx_time now, struct rx_error *reterr);

size_t rx_dedupe_count(const struct rx_dedupe *);
void rx_dedupe_save(const struct rx_dedupe *, struct rx_writer *);
int rx_dedupe_load(struct rx_dedupe *, struct rx_reader *); /* of an empty one. -EBADMSG; -ENOMEM */

#endif
