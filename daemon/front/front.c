/* The front: life, drain, health. */
#include "daemon/front/front.h"

#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "daemon/front/front_private.h"
#include "daemon/log.h"
#include "pipelines/run/crew.h"

#define PULSE       (2 * RX_SEC)
#define UNHEALTHY   (10 * RX_SEC)
#define DRAIN_POLL  (20 * RX_MSEC)
#define DRAIN_GRACE RX_SEC

static rx_time now_of(const struct rx_front *f) { return rx_sched_now(rx_loop_sched(f->loop)); }

/* ---- drain ---- */

bool rx_front_ended(const struct rx_front *f)
{
    for (unsigned i = 0; i < f->worker_count; i++)
        if (!rx_worker_ended(f->workers[i]))
            return false;
    return true;
}

/* Workers first: what they still deliver reaches the subscribers, who are let go after that. Workers end by themselves at
 * the deadline; one that has not a second later is stuck. */
static void continue_drain(struct rx_front *f)
{
    rx_time now = now_of(f);
    bool ended = rx_front_ended(f);
    bool over = now >= f->drain_until + (ended ? 0 : DRAIN_GRACE);
    if ((ended && rx_streams_drain(f->streams) && rx_streams_drain(f->tapped)) || over)
        rx_loop_stop(f->loop);
    else
        rx_sched_arm(rx_loop_sched(f->loop), &f->pulse, now + DRAIN_POLL);
}

void rx_front_drain(struct rx_front *f)
{
    if (f->draining)
        return;
    f->draining = true;
    f->drain_until = now_of(f) + f->settings.http.drain_deadline;
    sd_notify(0, "STOPPING=1");
    rx_http_drain(f->server);
    rx_front_drain_sockets(f);
    for (unsigned i = 0; i < f->worker_count; i++)
        rx_worker_stop(f->workers[i]);
    rx_sched_arm(rx_loop_sched(f->loop), &f->pulse, now_of(f));
}

/* ---- pulse ---- */

static void ping(struct rx_front *f)
{
    for (unsigned i = 0; i < f->worker_count; i++) {
        struct rx_job *job = rx_job_create(RX_JOB_PING, NULL);
        if (job)
            job->version = f->seen[i].version;
        if (job && !rx_worker_ask(f->workers[i], job))
            rx_job_destroy(job);
    }
}

static void on_pulse(struct rx_timer *timer)
{
    struct rx_front *f = (struct rx_front *)(void *)((char *)timer - offsetof(struct rx_front, pulse));
    rx_front_beat(f);
    if (f->draining) {
        continue_drain(f);
        return;
    }
    ping(f);
    rx_front_look(f);
    rx_front_look_at_taps(f);
    if (rx_front_healthy(f))
        sd_notify(0, "WATCHDOG=1");
    rx_sched_arm(rx_loop_sched(f->loop), timer, now_of(f) + rx_front_pulse());
}

/* ---- life ---- */

static int create_workers(struct rx_front *f, struct rx_diagnostics *diagnostics)
{
    const struct rx_settings *settings = &f->settings;
    f->crew = rx_crew_create();
    if (!f->crew)
        return -ENOMEM;
    for (unsigned i = 0; i < settings->workers; i++) {
        struct rx_worker_options options = {.number = i,
                                            .workers = settings->workers,
                                            .forest = f->forest,
                                            .logical = f->logical,
                                            .shares = &f->shares,
                                            .streams = f->streams,
                                            .crew = f->crew,
                                            .drain_deadline = settings->http.drain_deadline,
                                            .front = f->loop,
                                            .on_done = rx_front_done,
                                            .arg = f};
        int r = rx_worker_create(&options, diagnostics, &f->workers[i]);
        if (r < 0)
            return r;
        f->worker_count++;
    }
    rx_front_watch(f);
    return 0;
}

static int run_workers(struct rx_front *f)
{
    for (unsigned i = 0; i < f->worker_count; i++) {
        int r = rx_worker_run(f->workers[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int open_front(struct rx_front *f, struct rx_diagnostics *diagnostics, struct rx_error *reterr)
{
    struct rx_http_limits limits = rx_settings_http_limits(&f->settings);
    int r = rx_logical_create(f->forest, &(struct rx_logical_options){0}, diagnostics, &f->logical);
    if (r < 0)
        return r;
    r = rx_logical_share(f->logical, f->settings.workers, NULL, NULL, &f->shares);
    if (r == 0)
        r = rx_http_listen(f->loop, f->settings.http.listen, &limits, &f->server, reterr);
    if (r == 0)
        r = rx_streams_create(f->loop, f->server, NULL, &f->streams);
    if (r == 0)
        r = rx_streams_create(f->loop, f->server, NULL, &f->tapped);
    if (r == 0)
        r = create_workers(f, diagnostics);
    if (r == 0)
        r = rx_front_routes(f);
    return r == 0 ? run_workers(f) : r;
}

int rx_front_create(struct rx_loop *loop, const struct rx_forest *forest, const struct rx_settings *settings,
                    struct rx_diagnostics *diagnostics, struct rx_front **ret, struct rx_error *reterr)
{
    struct rx_front *f = calloc(1, sizeof *f);
    struct rx_health *health = rx_health_create();
    if (!f || !health) {
        rx_health_destroy(health);
        free(f);
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    }
    f->health = health;
    f->loop = loop;
    f->pulse.fire = on_pulse;
    f->settings = *settings;
    f->forest = rx_forest_ref(forest);
    int r = open_front(f, diagnostics, reterr);
    if (r < 0) {
        rx_front_destroy(f);
        return r;
    }
    rx_front_watch_clock(f);
    rx_sched_arm(rx_loop_sched(loop), &f->pulse, now_of(f));
    *ret = f;
    return 0;
}

unsigned rx_front_port(const struct rx_front *f) { return rx_http_port(f->server); }

void rx_front_destroy(struct rx_front *f)
{
    if (!f)
        return;
    rx_sched_stop(rx_loop_sched(f->loop), &f->pulse);
    rx_front_end_reload(f);
    for (unsigned i = 0; i < f->worker_count; i++)
        rx_worker_destroy(f->workers[i]);
    rx_crew_destroy(f->crew);
    for (unsigned i = 0; i < RX_WORKERS_MAX; i++)
        rx_conditions_finish(&f->seen[i]);
    rx_front_forget(f);
    rx_front_end_taps(f);
    rx_front_close_sockets(f);
    rx_health_destroy(f->health);
    rx_streams_destroy(f->tapped);
    rx_streams_destroy(f->streams);
    rx_http_destroy(f->server);
    rx_shares_finish(&f->shares);
    rx_logical_destroy(f->logical);
    rx_forest_destroy(f->forest);
    free(f);
}
