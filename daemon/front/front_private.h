/* What the files of the front share. */
#ifndef RX_DAEMON_FRONT_PRIVATE_H
#define RX_DAEMON_FRONT_PRIVATE_H

#include "daemon/front/api_streams.h"
#include "daemon/front/front.h"
#include "daemon/worker.h"

#define RX_WORKERS_MAX 64

struct rx_front {
    struct rx_loop *loop;
    struct rx_http_server *server;
    struct rx_streams *streams;
    struct rx_worker *workers[RX_WORKERS_MAX];
    unsigned worker_count;
    struct rx_timer pulse;
    const struct rx_forest *forest;
    struct rx_settings settings;
    struct gather *gathers; /* questions to all workers, in the air */
    rx_time drain_until;
    bool draining;
};

/* front_api.c */
int rx_front_routes(struct rx_front *);
void rx_front_done(void *front, struct rx_job *);
/* front_status.c */
int rx_front_status_routes(struct rx_front *);
void rx_front_take_status(const struct rx_job *); /* a worker's answer */
void rx_front_forget(struct rx_front *);          /* questions still in the air */

#endif
