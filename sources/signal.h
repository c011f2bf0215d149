/* Made-up signals for simulate: kinds, their parameters, and the next value of each. */
#ifndef RX_SOURCES_SIGNAL_H
#define RX_SOURCES_SIGNAL_H

#include "core/base/error.h"
#include "core/value/record.h"

#define RX_SIGNALS_MAX 32

struct rx_signal {
    const struct rx_key *key; /* the metric's name */
    int kind;
    double min, max, period; /* seconds; of a sine */
};

struct rx_signals {
    size_t count;
    struct rx_signal items[RX_SIGNALS_MAX];
};

struct rx_signal_state {
    uint64_t random;
    double level, phase;
};

/* From {NAME: KIND} or {NAME: {kind, min, max, period}}; RX_NULL: {temperature: {kind: walk, min: 15, max: 30}}. */
int rx_signals_parse(struct rx_value, struct rx_heap *, struct rx_signals *ret, struct rx_error *reterr);
/* The state of the `index`-th series of a seed. */
void rx_signal_begin(const struct rx_signal *, struct rx_signal_state *, uint64_t seed, uint64_t index);
/* The value at `seconds` since the start, in [min, max], with two decimals. */
double rx_signal_next(const struct rx_signal *, struct rx_signal_state *, double seconds);

#endif
