/* The site of one worker: its brokers and the streams that it serves. One thread; made before its worker runs. */
#ifndef RX_DAEMON_SITE_H
#define RX_DAEMON_SITE_H

#include "core/io/mqtt/mqtt.h"
#include "core/io/site.h"
#include "core/option/option.h"
#include "daemon/front/api_streams.h"
#include "daemon/health.h"
#include "daemon/metrics.h"
#include "pipelines/config/config_read.h"

struct rx_site_owner;

struct rx_site_options {
    struct rx_loop *loop;
    struct rx_heap *heap;
    const struct rx_forest *forest;
    struct rx_streams *streams; /* where served streams are registered; NULL: none is served (check, explain) */
    unsigned worker;            /* its number, 0 for the first */
};
/* Reads `brokers:`; connects nothing. -EINVAL with the mistakes. */
int rx_site_create(const struct rx_site_options *, struct rx_diagnostics *, struct rx_site_owner **ret);
void rx_site_destroy(struct rx_site_owner *);
struct rx_site *rx_site_of(struct rx_site_owner *);
/* Reload. From prepare on, names are looked up in the new config; brokers that are the same there are the same connections.
 * Commit, when nothing of the old plan is left, ends those that are not; abandon goes back. -EINVAL, -ENOMEM: as before. */
int rx_site_prepare(struct rx_site_owner *, const struct rx_forest *, struct rx_diagnostics *);
void rx_site_commit(struct rx_site_owner *);
void rx_site_abandon(struct rx_site_owner *);

/* Status of the brokers that are in use. */
size_t rx_site_brokers(const struct rx_site_owner *);
bool rx_site_broker_status(const struct rx_site_owner *, size_t i, struct rx_broker_status *ret);
void rx_site_metrics(const struct rx_site_owner *, struct rx_metrics *);
/* States what is wrong with them, in a round that has begun. */
void rx_site_health(struct rx_site_owner *, struct rx_health *);

#endif
