/* A worker. */
#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/client/requester.h"
#include "daemon/log.h"
#include "daemon/worker_private.h"

enum { RING = 4096, RESERVED = 64 }; /* jobs in the air; the last are not for POSTs, but for who asks how it is */
#define DRAIN_POLL  (20 * RX_MSEC)
#define LOOK_PERIOD RX_SEC

/* ---- jobs ---- */

struct rx_job *rx_job_create(enum rx_job_kind kind, void *context)
{
    struct rx_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->kind = kind;
    job->context = context;
    return job;
}

void rx_job_destroy(struct rx_job *job)
{
    if (!job)
        return;
    free(job->source);
    free(job->ingest.body);
    rx_conditions_finish(&job->conditions);
    rx_metrics_finish(&job->metrics);
    free(job->brokers);
    free(job);
}

static void drop_job(struct rx_message *message) { rx_job_destroy(message->pointer); }

static void look(struct rx_worker *w)
{
    rx_health_begin_now(w->health);
    rx_site_health(w->site, w->health);
    if (w->runtime)
        rx_health_of_runtime(w->health, w->plan, w->runtime);
    rx_health_end(w->health);
}

static void report_conditions(struct rx_worker *w, struct rx_job *job)
{
    if (job->kind == RX_JOB_STATUS)
        look(w);
    if (job->kind == RX_JOB_STATUS || job->version != rx_health_version(w->health))
        rx_health_copy(w->health, &job->conditions);
}

static void report_brokers(struct rx_worker *w, struct rx_job *job)
{
    size_t count = rx_site_brokers(w->site);
    job->brokers = calloc(count + 1, sizeof *job->brokers);
    for (size_t i = 0; job->brokers && i < count; i++) {
        struct rx_broker_status status;
        if (!rx_site_broker_status(w->site, i, &status))
            continue;
        struct rx_job_broker *b = &job->brokers[job->broker_count++];
        strncpy(b->name, status.name, sizeof b->name - 1);
        b->connected = status.connected;
    }
}

static void report_status(struct rx_worker *w, struct rx_job *job)
{
    report_brokers(w, job);
    rx_site_metrics(w->site, &job->metrics);
    if (!w->runtime)
        return;
    rx_runtime_settle(w->runtime);
    rx_metrics_of_runtime(&job->metrics, w->plan, w->runtime);
}

static void refuse(struct rx_job *job, const char *why)
{
    job->ingest.status = 503;
    rx_error_set(&job->ingest.error, -EAGAIN, "%s", why);
}

static void ingest(struct rx_worker *w, struct rx_job *job)
{
    const struct rx_plan_source *s = rx_plan_find_source(w->plan, job->source);
    job->ingest.type = job->type;
    if (w->drain_until) {
        refuse(job, "shutting down");
        return;
    }
    if (!s || !s->source->running || !s->source->class->ingest) {
        refuse(job, "no pipeline reads this source");
        return;
    }
    atomic_store_explicit(&w->ingesting, job->source, memory_order_relaxed);
    rx_engine_enter(w->engine);
    s->source->class->ingest(s->source, &job->ingest);
    rx_engine_leave(w->engine);
    atomic_store_explicit(&w->ingesting, NULL, memory_order_relaxed);
}

/* ---- on the worker's thread ---- */

static void on_drain(struct rx_timer *timer)
{
    struct rx_worker *w = (struct rx_worker *)(void *)((char *)timer - offsetof(struct rx_worker, drain));
    struct rx_sched *sched = rx_loop_sched(w->loop);
    if (!w->runtime || rx_runtime_drained(w->runtime) || rx_sched_now(sched) >= w->drain_until)
        rx_loop_stop(w->loop);
    else
        rx_sched_arm(sched, timer, rx_sched_now(sched) + DRAIN_POLL);
}

static void on_look(struct rx_timer *timer)
{
    struct rx_worker *w = (struct rx_worker *)(void *)((char *)timer - offsetof(struct rx_worker, look));
    look(w);
    rx_sched_arm(rx_loop_sched(w->loop), timer, rx_loop_now(w->loop) + LOOK_PERIOD);
}

static void begin_drain(struct rx_worker *w)
{
    w->drain_until = rx_loop_now(w->loop) + w->options.drain_deadline;
    rx_runtime_stop(w->runtime);
    w->drain.fire = on_drain;
    rx_sched_arm(rx_loop_sched(w->loop), &w->drain, rx_loop_now(w->loop));
}

static void on_asked(void *arg)
{
    struct rx_worker *w = arg;
    struct rx_message message;
    while (rx_ring_pop(w->asked, &message)) {
        struct rx_job *job = message.pointer;
        if (job->kind == RX_JOB_INGEST)
            ingest(w, job);
        else if (job->kind == RX_JOB_STATUS)
            report_status(w, job);
        else if (job->kind == RX_JOB_TAP || job->kind == RX_JOB_UNTAP)
            rx_worker_tap(w, job);
        else if (job->kind != RX_JOB_PING)
            rx_worker_reload(w, job);
        if (job->kind != RX_JOB_INGEST)
            report_conditions(w, job);
        job->worker = w->options.number;
        rx_ring_push(w->done, &message); /* it has room for all that are in the air */
    }
    rx_wake_signal(w->on_done);
    if (atomic_load(&w->stopping) && !w->drain_until)
        begin_drain(w);
}

/* Sinks that ended with something in their hands: at the drain deadline, or when another config takes their place. */
static void tell_undelivered(const struct rx_plan *plan)
{
    for (size_t i = 0; i < plan->pipeline_count; i++)
        for (size_t k = 0; k < plan->pipelines[i].sink_count; k++) {
            const struct rx_sink *sink = plan->pipelines[i].sinks[k].sink;
            char count[24];
            snprintf(count, sizeof count, "%llu", (unsigned long long)sink->held);
            const char *pairs[] = {"pipeline", sink->pipeline, "sink", sink->class->base.name, "events", count, NULL};
            if (sink->held)
                rx_log(RX_LOG_WARNING, "a sink was stopped before it had delivered everything", pairs);
        }
}

static void *run(void *arg)
{
    struct rx_worker *w = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    if (rx_loop_run(w->loop) < 0)
        rx_log(RX_LOG_ERROR, "a worker's event loop failed", NULL);
    rx_runtime_destroy(w->runtime);
    w->runtime = NULL;
    tell_undelivered(w->plan);
    atomic_store(&w->ended, true);
    rx_wake_signal(w->on_done);
    return NULL;
}

/* ---- on the front's thread ---- */

static void on_done(void *arg)
{
    struct rx_worker *w = arg;
    struct rx_message message;
    while (rx_ring_pop(w->done, &message)) {
        w->in_the_air--;
        w->options.on_done(w->options.arg, message.pointer);
    }
}

bool rx_worker_ask(struct rx_worker *w, struct rx_job *job)
{
    unsigned most = job->kind == RX_JOB_INGEST ? RING - RESERVED : RING;
    if (!w->running || atomic_load(&w->ended) || w->in_the_air >= most ||
        !rx_ring_push(w->asked, &(struct rx_message){.pointer = job}))
        return false;
    w->in_the_air++;
    rx_wake_signal(w->on_asked);
    return true;
}

const char *rx_worker_ingesting(const struct rx_worker *w)
{
    return atomic_load_explicit(&((struct rx_worker *)(uintptr_t)w)->ingesting, memory_order_relaxed);
}

uint64_t rx_worker_turns(const struct rx_worker *w) { return rx_loop_turns(w->loop); }
bool rx_worker_ended(const struct rx_worker *w) { return !w->running || atomic_load(&w->ended); }

int rx_worker_run(struct rx_worker *w)
{
    int r = pthread_create(&w->thread, NULL, run, w);
    w->running = r == 0;
    return -r;
}

void rx_worker_stop(struct rx_worker *w)
{
    if (w->running && !atomic_exchange(&w->stopping, true))
        rx_wake_signal(w->on_asked);
}

/* ---- life ---- */

/* Levels are syslog's. */
static void log_step(void *arg, int level, const char *step, const char *text)
{
    const char *pairs[] = {"at", step, NULL};
    (void)arg;
    rx_log(level <= 3 ? RX_LOG_ERROR : level == 4 ? RX_LOG_WARNING : RX_LOG_INFO, text, pairs);
}

static int make_engine(struct rx_worker *w)
{
    int r = rx_loop_create(&w->loop);
    if (r < 0)
        return r;
    w->heap = rx_heap_create(NULL);
    w->engine = w->heap ? rx_engine_create(w->heap, rx_loop_sched(w->loop)) : NULL;
    if (w->engine)
        w->engine->log = log_step;
    w->health = rx_health_create();
    w->asked = rx_ring_create(RING);
    w->done = rx_ring_create(RING);
    if (!w->engine || !w->health || !w->asked || !w->done)
        return -ENOMEM;
    r = rx_lane_host_create(w->options.crew, w->loop, w->engine, &w->lanes);
    if (r == 0)
        r = rx_wake_create(w->loop, on_asked, w, &w->on_asked);
    return r == 0 ? rx_wake_create(w->options.front, on_done, w, &w->on_done) : r;
}

static int make_plan(struct rx_worker *w, struct rx_diagnostics *diagnostics)
{
    const struct rx_worker_options *o = &w->options;
    struct rx_site_options site = {
        .loop = w->loop, .heap = w->heap, .forest = o->forest, .streams = o->streams, .worker = o->number};
    int r = rx_site_create(&site, diagnostics, &w->site);
    return r == 0 ? rx_worker_plan(w, o->logical, o->shares, diagnostics, &w->plan) : r;
}

int rx_worker_create(const struct rx_worker_options *options, struct rx_diagnostics *diagnostics,
                     struct rx_worker **ret)
{
    struct rx_error error = {0};
    struct rx_worker *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->options = *options;
    int r = make_engine(w);
    if (r == 0)
        r = make_plan(w, diagnostics);
    if (r == 0)
        r = rx_runtime_start(w->plan, NULL, &w->runtime, &error);
    if (r == 0)
        r = rx_worker_watch_tables(w);
    if (r < 0) {
        if (error.code)
            rx_diagnose(diagnostics, NULL, &error);
        rx_worker_destroy(w);
        return r;
    }
    w->look.fire = on_look;
    rx_sched_arm(rx_loop_sched(w->loop), &w->look, rx_loop_now(w->loop) + LOOK_PERIOD);
    *ret = w;
    return 0;
}

/* What was asked and will not be done any more is answered all the same. */
static void answer_rest(struct rx_worker *w)
{
    struct rx_message message;
    on_done(w);
    while (rx_ring_pop(w->asked, &message)) {
        struct rx_job *job = message.pointer;
        job->ingest.status = 503;
        rx_error_set(&job->ingest.error, -EAGAIN, "the pipelines are being replaced; try again");
        w->options.on_done(w->options.arg, job);
    }
}

void rx_worker_destroy(struct rx_worker *w)
{
    if (!w)
        return;
    if (w->running) {
        rx_loop_stop(w->loop);
        pthread_join(w->thread, NULL);
        answer_rest(w);
    }
    rx_runtime_destroy(w->runtime);
    rx_worker_unwatch_tables(w);
    rx_health_destroy(w->health);
    rx_worker_untap_all(w);
    rx_plan_destroy(w->plan);
    rx_plan_destroy(w->prepared);
    rx_requester_destroy(w->requester);
    rx_site_destroy(w->site);
    rx_wake_destroy(w->on_asked);
    rx_wake_destroy(w->on_done);
    rx_ring_destroy(w->asked, drop_job);
    rx_ring_destroy(w->done, drop_job);
    rx_lane_host_destroy(w->lanes);
    rx_engine_destroy(w->engine);
    rx_loop_destroy(w->loop);
    rx_heap_destroy(w->heap);
    free(w);
}
