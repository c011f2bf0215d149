/* The front: the thread that owns every HTTP connection, and asks the workers. */
#ifndef RX_DAEMON_FRONT_H
#define RX_DAEMON_FRONT_H

#include "core/io/loop/loop.h"
#include "daemon/settings.h"

struct rx_front;

/* Plans, listens, starts the workers. 0, -EINVAL with the mistakes, or another errno with reterr. */
int rx_front_create(struct rx_loop *, const struct rx_forest *, const struct rx_settings *, struct rx_diagnostics *,
                    struct rx_front **ret, struct rx_error *reterr);
/* Reads the config anew and goes over to it: pipelines whose steps are the same go on with what they know, connections and
 * served streams stay, the others begin anew. Reading and checking happen on a thread of their own, planning on the workers;
 * the swap is one turn of each worker's loop. What cannot be changed so (http, workers) is a mistake, and mistakes change
 * nothing. Asked for again meanwhile, it is done again after that. The paths are borrowed and must outlive the front. */
struct rx_front_reload_options {
    const char *const *paths;
    size_t path_count;
    bool listen_overridden; /* on the command line: the config's is not looked at */
    /* It is over: 0, or a negative errno with the mistakes or `error`. More is to come where `again`. */
    void (*done)(void *arg, int result, const struct rx_diagnostics *, const struct rx_error *error, bool again);
    void *arg;
};
void rx_front_reload(struct rx_front *, const struct rx_front_reload_options *);
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
