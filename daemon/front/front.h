/* The front: the thread that owns every HTTP connection, and asks the workers. */
#ifndef RX_DAEMON_FRONT_H
#define RX_DAEMON_FRONT_H

#include "core/io/loop/loop.h"
#include "daemon/settings.h"

struct rx_front;

/* Plans, listens, starts the workers. 0, -EINVAL with the mistakes, or another errno with reterr. */
int rx_front_create(struct rx_loop *, const struct rx_forest *, const struct rx_settings *, struct rx_diagnostics *,
                    struct rx_front **ret, struct rx_error *reterr);
/* Replaces all pipelines by those of another config: the old ones stop, their streams' subscribers are let go and may come
 * again. A config that cannot be planned changes nothing: -EINVAL with the mistakes. Settings of the daemon itself (http,
 * workers) stay as they were at the start. The forest must outlive the front. */
int rx_front_reload(struct rx_front *, const struct rx_forest *, struct rx_diagnostics *);
/* The config on disk could not be loaded, and why (NULL: it was): a condition until it can be. */
void rx_front_refused(struct rx_front *, const char *reason);
unsigned rx_front_port(const struct rx_front *);
/* Stops the intake, lets subscribers have what is there, stops the loop when all is done or the deadline is over. */
void rx_front_drain(struct rx_front *);
/* Every worker has ended. Where one has not, rx_front_destroy would wait for it. */
bool rx_front_ended(const struct rx_front *);
void rx_front_destroy(struct rx_front *);
/* Progress: every worker's loop turned lately. */
bool rx_front_healthy(struct rx_front *);

#endif
