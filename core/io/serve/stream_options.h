/* How a stream is served: what whoever writes it asks for. */
#ifndef RX_IO_STREAM_OPTIONS_H
#define RX_IO_STREAM_OPTIONS_H

#include "core/io/serve/stream_log.h"

/* What happens to a subscriber that has fallen behind what is kept. */
enum rx_slow {
    RX_SLOW_SKIP,      /* it goes on with the oldest that is kept, and is told how many it missed */
    RX_SLOW_LATEST,    /* with the newest, and is told */
    RX_SLOW_DISCONNECT /* it is ended, and told why */
};

struct rx_stream_options {
    struct rx_log_limits limits;
    enum rx_slow slow;
    bool keyed; /* the stream has a key: its JSON is an array even while it is empty */
};

#endif
