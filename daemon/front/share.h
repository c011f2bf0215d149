/* Which pipelines run on which worker: a pipeline and what feeds it live on one. Any thread. */
#ifndef RX_DAEMON_SHARE_H
#define RX_DAEMON_SHARE_H

#include <stdbool.h>

#include "pipelines/config/config_read.h"

/* For worker `number` of `workers`: one bool a pipeline, in order of the config; malloc'ed. NULL in *ret: all. -ENOMEM. */
int rx_share_out(const struct rx_forest *, unsigned workers, unsigned number, bool **ret);

#endif
