/* The options of `share`. */
#include "core/graph/share.h"

#include <errno.h>

static const struct rx_option options[] = {
    {.name = "grace",
     .help = "how long it goes on when nobody subscribes to it any more; who comes in that time finds it as it was",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct rx_share, grace, rx_time),
     .max = 366 * 86400.0},
    {.name = "replay",
     .help = "so many of its newest events are kept, and given to each who subscribes later, then the stream",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct rx_share, replay, int64_t),
     .max = RX_SHARE_REPLAY_MAX},
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    const struct rx_share *share = image;
    if (share->grace || share->replay)
        return 0;
    rx_error_set(reterr, -EINVAL, "every named stream is shared, and `share` says nothing more of this one");
    rx_error_hint(reterr, "share: {grace: 10s, replay: 1}, or one of the two");
    return -EINVAL;
}

const struct rx_class rx_share_class = {.name = "share",
                                        .summary = "how a named stream is shared",
                                        .options = options,
                                        .state_size = sizeof(struct rx_share),
                                        .check = check,
                                        .example = "share: {grace: 10s, replay: 1}"};
