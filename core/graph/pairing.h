/* Streams that a step pairs by a key (`by`): whose expressions are whose, and the key of an event. */
#ifndef RX_CORE_PAIRING_H
#define RX_CORE_PAIRING_H

#include "core/graph/operator.h"

#define RX_PAIRING_WIDTH_MAX 16 /* parts of a key */

/* The options that say so. The main stream, port 0, has no name of its own: `by` may give it any but those of the others. */
struct rx_pairing {
    const struct rx_tree *streams;
    const struct rx_side_keys *by; /* NULL: there is no key */
    bool has_main;
};

static inline unsigned rx_pairing_width(const struct rx_side_keys *by)
{
    return by ? (unsigned)rx_side_keys_count(by) : 1;
}
/* Whether one of the streams, the main one aside, is called that. */
bool rx_pairing_has(const struct rx_pairing *, const char *name);
/* 0; -EINVAL: `by` has too many parts, or speaks of a stream that is none of them. Any thread. */
int rx_pairing_check(const struct rx_pairing *, struct rx_error *reterr);
/* The keys of what comes in at a port; NULL: there is no key. */
struct rx_keys *rx_pairing_keys(const struct rx_pairing *, const struct rx_op *, unsigned port);

/* The key of an event, the width's number of values, the caller's to unref; without `keys` one null. A negative errno of
 * rx_expr_eval: none of them. */
int rx_pairing_eval(struct rx_op *, const struct rx_keys *keys, const struct rx_event *, struct rx_value *ret,
                    struct rx_error *reterr);

#endif
