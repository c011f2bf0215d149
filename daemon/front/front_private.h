/* What the files of the front share. */
#ifndef RX_DAEMON_FRONT_PRIVATE_H
#define RX_DAEMON_FRONT_PRIVATE_H

#include "daemon/front/api_streams.h"
#include "daemon/front/front.h"
#include "daemon/settings.h"
#include "daemon/worker.h"

/* Of a worker: its loop's turns, and when they were last seen to have gone up (monotonic). */
struct rx_progress {
    uint64_t turns;
    rx_time since;
};

struct rx_front {
    struct rx_loop *loop;
    struct rx_http_server *server;
    struct rx_streams *streams;
    struct rx_crew *crew; /* the workers' lanes run on it */
    struct rx_worker *workers[RX_WORKERS_MAX];
    unsigned worker_count;
    struct rx_progress progress[RX_WORKERS_MAX];
    struct rx_conditions seen[RX_WORKERS_MAX]; /* what each worker last told to be wrong with it */
    struct rx_health *health;                  /* the front's own */
    struct rx_error refused;                   /* why the last reload was; code 0: it was not */
    struct rx_timer pulse;
    rx_time beat;             /* monotonic, of the last pulse; 0: none yet */
    struct rx_forest *forest; /* what runs: the config, its plan, and who runs which part */
    struct rx_logical *logical;
    struct rx_shares shares;
    struct rx_reload *reload; /* the one in the air */
    uint64_t reloads, reloads_refused;
    struct rx_settings settings;
    struct rx_ingest_socket *sockets; /* WebSockets that bring events */
    size_t socket_bytes;              /* of messages that they are in the middle of */
    struct rx_streams *tapped;        /* what comes into sources that somebody follows */
    struct rx_front_tap *taps;
    struct gather *gathers;             /* questions to all workers, in the air */
    uint64_t clock_forward, clock_back; /* steps of the wall clock */
    rx_time drain_until;
    bool draining;
};

/* front_routes.c */
int rx_front_routes(struct rx_front *);
/* front_api.c */
void rx_front_answer_ingest(void *front, struct rx_http_request *);
void rx_front_answer_page(void *front, struct rx_http_request *);
/* The worker that runs the source; NULL: there is no such source (*ret_known false), or it takes no events from outside. */
struct rx_worker *rx_front_find_source(const struct rx_front *, const char *name, bool *ret_known);
void rx_front_refuse_source(struct rx_http_request *, bool known);
struct json_t *rx_front_ingest_members(const struct rx_ingest *); /* what a refusal has beside its detail */
void rx_front_done(void *front, struct rx_job *);
/* ingest_socket.c */
void rx_front_answer_ingest_socket(void *front, struct rx_http_request *);
void rx_ingest_socket_done(struct rx_job *);    /* takes the job */
void rx_front_drain_sockets(struct rx_front *); /* they are told, and take nothing more */
void rx_front_close_sockets(struct rx_front *); /* at once; no job is out any more */
/* front_taps.c: GET /sources/NAME, but for WebSockets that bring events */
void rx_front_answer_source(void *front, struct rx_http_request *);
void rx_front_take_tap(struct rx_front *, const struct rx_job *); /* a worker's answer */
void rx_front_look_at_taps(struct rx_front *);                    /* at each pulse: those that nobody follows end */
void rx_front_tap_metrics(const struct rx_front *, struct rx_metrics *);
void rx_front_end_taps(struct rx_front *); /* no worker writes any more */
/* front_reload.c */
void rx_front_take_reload(struct rx_front *, const struct rx_job *); /* a worker's answer */
void rx_front_end_reload(struct rx_front *);                         /* on the way out: waits for its thread */
/* front_health.c */
void rx_front_beat(struct rx_front *);                       /* at each pulse: the front itself makes progress */
void rx_front_watch(struct rx_front *);                      /* its workers from now on: call after they were made */
void rx_front_look(struct rx_front *);                       /* a round of its own health */
void rx_front_heard(struct rx_front *, struct rx_job *);     /* a job is back: takes what the worker tells */
unsigned rx_front_stalled(struct rx_front *, unsigned from); /* the next that is, or worker_count */
rx_time rx_front_pulse(void);                                /* how often to ask */
int rx_front_conditions(const struct rx_front *, struct rx_conditions *ret); /* all threads' */
/* front_clock.c */
void rx_front_watch_clock(struct rx_front *);
void rx_front_clock_metrics(const struct rx_front *, struct rx_metrics *);
/* front_status.c */
void rx_front_answer_metrics(void *front, struct rx_http_request *);
void rx_front_answer_health(void *front, struct rx_http_request *);
void rx_front_answer_ready(void *front, struct rx_http_request *);
void rx_front_take_status(const struct rx_job *); /* a worker's answer */
void rx_front_forget(struct rx_front *);          /* questions still in the air */

#endif
