/* The pattern of `match`: symbols in a row, how often each comes, and what must not follow.
 *
 *   pattern    = symbol { "->" symbol } [ "->" "!" name [ "for" duration ] ]
 *   symbol     = name [ "?" | "*" | "+" | "{n}" | "{n,}" | "{n,m}" ]
 *
 * Pure; any thread. */
#ifndef RX_OPERATORS_MATCH_PATTERN_H
#define RX_OPERATORS_MATCH_PATTERN_H

#include "core/option/option.h"

#define RX_PATTERN_SYMBOLS_MAX 16    /* in a row */
#define RX_PATTERN_NAMES_MAX   32    /* in `where` */
#define RX_PATTERN_TIMES_MAX   10000 /* of one symbol, where a number is given */

struct rx_pattern_symbol {
    unsigned name; /* which of `where` */
    uint32_t min, max;
};

struct rx_pattern {
    struct rx_pattern_symbol symbols[RX_PATTERN_SYMBOLS_MAX]; /* at least one; the last's min is at least 1 */
    unsigned count;
    int without;         /* which of `where` must not follow; -1: none */
    rx_time without_for; /* ns; 0: to the end of `within` */
    uint64_t least;      /* events in a match, at the least */
};

/* -EINVAL, with the place in the text. `where` has at most RX_PATTERN_NAMES_MAX. */
int rx_pattern_parse(const char *text, const struct rx_keys *where, struct rx_pattern *ret, struct rx_error *reterr);

#endif
