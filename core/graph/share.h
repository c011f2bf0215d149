/* How a named stream is shared beyond its last subscriber, and with late ones: what stands as `share:` beside a source or a pipeline. */
#ifndef RX_CORE_SHARE_H
#define RX_CORE_SHARE_H

#include "core/option/option.h"

#define RX_SHARE_REPLAY_MAX 10000

/* RxJS: share({resetOnRefCountZero: () => timer(grace)}), and with `replay` shareReplay({bufferSize, refCount: true}). */
struct rx_share {
    rx_time grace; /* ns that the producer goes on without a subscriber; 0: it stops with the last one */
    int64_t
        replay; /* so many of the newest events are kept for who subscribes later; they stay when the stream completes */
};

extern const struct rx_class rx_share_class;

#endif
