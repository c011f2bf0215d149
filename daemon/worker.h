/* A worker: a thread with its loop, heap, plan and running pipelines. The front asks it by jobs over a ring, and gets each
 * job back. Everything here is called on the front's thread. */
#ifndef RX_DAEMON_WORKER_H
#define RX_DAEMON_WORKER_H

#include "core/feed/source.h"
#include "core/io/http/http.h"
#include "daemon/front/site.h"
#include "daemon/health.h"
#include "daemon/metrics.h"

enum rx_job_kind {
    RX_JOB_INGEST,
    RX_JOB_STATUS,
    RX_JOB_PING,
    RX_JOB_PREPARE, /* a reload: plan the new config beside what runs */
    RX_JOB_SWAP,    /* go on with what was prepared */
    RX_JOB_ABANDON, /* forget it */
    RX_JOB_TAP,     /* what comes into a source is written into a log from now on, if it is not yet */
    RX_JOB_UNTAP,   /* no more; when the answer is back the log is its owner's again */
};

struct rx_job_broker {
    char name[64];
    bool connected;
};

/* A reload's question and answer. The config and its plan are borrowed, from prepare until swap or abandon is answered, and
 * after a swap for as long as the worker runs them. */
struct rx_worker_reload {
    const struct rx_forest *forest;
    const struct rx_logical *logical;
    const struct rx_shares *shares;
    int result;         /* 0 or a negative errno */
    size_t kept, begun; /* pipelines that went on, and that began anew */
    struct rx_error error;
};

struct rx_worker_tapping {
    struct rx_log_writer *log; /* the worker's until RX_JOB_UNTAP is answered */
    bool taken;                /* the answer; else the worker does not run the source, or has no memory */
};

/* Handed over whole: whoever has it owns it. */
struct rx_job {
    enum rx_job_kind kind;
    void *context;                   /* the asker's */
    unsigned worker;                 /* who answers */
    char *source;                    /* RX_JOB_INGEST: its name, and its body. RX_JOB_TAP, _UNTAP */
    struct rx_ingest_socket *socket; /* that asks; NULL: the context is the POST */
    struct rx_ingest ingest;
    char type[128];
    struct rx_worker_tapping tap;    /* RX_JOB_TAP */
    struct rx_worker_reload reload;  /* RX_JOB_PREPARE and on */
    uint64_t version;                /* of the conditions that the asker has seen of this worker; 0: none */
    struct rx_conditions conditions; /* the answer, but for ingest; its version is 0 where nothing is new */
    struct rx_metrics metrics;       /* RX_JOB_STATUS, from here on */
    struct rx_job_broker *brokers;
    size_t broker_count;
};
struct rx_job *rx_job_create(enum rx_job_kind, void *context);
void rx_job_destroy(struct rx_job *); /* frees the body too */

struct rx_worker;
struct rx_crew;
struct rx_worker_options {
    unsigned number, workers;
    const struct rx_forest *forest;
    const struct rx_logical *logical;
    const struct rx_shares *shares;
    struct rx_streams *streams;
    struct rx_crew *crew; /* for lanes */
    rx_time drain_deadline;
    struct rx_loop *front;
    void (*on_done)(void *arg, struct rx_job *); /* on the front's thread; the job is its to destroy */
    void *arg;
};
/* Plans and subscribes, on the caller's thread; the worker's own takes over at rx_worker_run. */
int rx_worker_create(const struct rx_worker_options *, struct rx_diagnostics *, struct rx_worker **ret);
int rx_worker_run(struct rx_worker *);
/* Asks it to stop its intake, to drain, and to end; no-op when it was asked. */
void rx_worker_stop(struct rx_worker *);
bool rx_worker_ended(const struct rx_worker *);
void rx_worker_destroy(struct rx_worker *); /* stops it at once if need be, and joins */

/* False: the worker is too far behind (the job stays the caller's). */
bool rx_worker_ask(struct rx_worker *, struct rx_job *);
/* Turns of its loop so far: it makes progress while they go up, and a question makes it turn. */
uint64_t rx_worker_turns(const struct rx_worker *);
/* The source whose POST it works on; NULL: none, or something else. Valid until the front takes its next job back. */
const char *rx_worker_ingesting(const struct rx_worker *);

#endif
