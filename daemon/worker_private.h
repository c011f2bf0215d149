/* What the files of a worker share. */
#ifndef RX_DAEMON_WORKER_PRIVATE_H
#define RX_DAEMON_WORKER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/ring.h"
#include "daemon/worker.h"
#include "pipelines/run/lanes.h"

struct rx_worker {
    struct rx_worker_options options;
    struct rx_loop *loop;
    struct rx_heap *heap;
    struct rx_engine *engine;
    struct rx_lane_host *lanes;
    struct rx_site_owner *site;
    struct rx_plan *plan;
    struct rx_plan *prepared; /* of a reload, not running yet */
    struct rx_runtime *runtime;
    struct rx_requester *requester; /* NULL: no step has asked for one yet */
    struct rx_worker_table *tables;
    struct rx_ring *asked, *done;
    struct rx_wake *on_asked, *on_done;
    struct rx_health *health;
    struct rx_timer drain, look;
    rx_time drain_until;
    struct rx_worker_tap *taps, *tapped; /* tapped: the one that was told last */
    rx_time tapped_at;
    pthread_t thread;
    unsigned in_the_air; /* jobs asked and not done: never more than either ring has room for */
    bool running;
    atomic_bool stopping, ended;
    _Atomic(const char *) ingesting;
};

/* worker_reload.c. The plan of what the shares give this worker, on its engine and site. */
int rx_worker_plan(struct rx_worker *, const struct rx_logical *, const struct rx_shares *, struct rx_diagnostics *,
                   struct rx_plan **ret);
void rx_worker_reload(struct rx_worker *, struct rx_job *); /* prepare, swap or abandon */

/* worker_taps.c */
void rx_worker_tap(struct rx_worker *, struct rx_job *); /* tap or untap */
void rx_worker_tap_again(struct rx_worker *);            /* of the plan that runs from now on */
void rx_worker_untap_all(struct rx_worker *);            /* no source runs any more */

/* worker_tables.c: of the plan that runs. */
int rx_worker_watch_tables(struct rx_worker *);
void rx_worker_unwatch_tables(struct rx_worker *);

#endif
