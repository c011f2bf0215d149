/* The front's own health: workers that stand still, descriptors, a reload that was refused; and what workers tell. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "daemon/front/front_private.h"
#include "daemon/log.h"

#define PULSE   (2 * RX_SEC)
#define STALLED (10 * RX_SEC)

static rx_time monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

/* systemd's watchdog (sd_watchdog_enabled(3)) must hear of a stall before it acts by itself. */
static rx_time within_watchdog(rx_time most, unsigned parts)
{
    uint64_t period = 0;
    if (sd_watchdog_enabled(0, &period) <= 0)
        return most;
    rx_time part = (rx_time)(period * 1000 / parts);
    return part < most ? part : most;
}

rx_time rx_front_pulse(void) { return within_watchdog(PULSE, 8); }

/* ---- progress ---- */

/* Nobody can be answered meanwhile, so this is told afterwards: by the log, and under systemd by the watchdog. */
void rx_front_beat(struct rx_front *f)
{
    rx_time now = monotonic(), late = f->beat ? now - f->beat - rx_front_pulse() : 0;
    f->beat = now;
    if (late < within_watchdog(STALLED, 2))
        return;
    for (unsigned i = 0; i < f->worker_count; i++)
        f->progress[i].since = now; /* nobody has asked them */
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.1f", (double)late / (double)RX_SEC);
    const char *pairs[] = {"seconds", seconds, NULL};
    rx_log(RX_LOG_ERROR, "the front stood still: one request took too long, or the machine did", pairs);
}

void rx_front_watch(struct rx_front *f)
{
    for (unsigned i = 0; i < f->worker_count; i++) {
        f->progress[i] = (struct rx_progress){.turns = rx_worker_turns(f->workers[i]), .since = monotonic()};
        rx_conditions_finish(&f->seen[i]);
    }
}

/* How long it has stood still; 0: it has not. */
static rx_time stalled_for(struct rx_front *f, unsigned i)
{
    struct rx_progress *p = &f->progress[i];
    uint64_t turns = rx_worker_turns(f->workers[i]);
    rx_time now = monotonic();
    if (turns != p->turns)
        *p = (struct rx_progress){.turns = turns, .since = now};
    return now - p->since > within_watchdog(STALLED, 2) ? now - p->since : 0;
}

unsigned rx_front_stalled(struct rx_front *f, unsigned from)
{
    while (from < f->worker_count && !stalled_for(f, from))
        from++;
    return from;
}

bool rx_front_healthy(struct rx_front *f) { return rx_front_stalled(f, 0) == f->worker_count; }

static void state_stall(struct rx_front *f, const char *worker, const char *source)
{
    char reason[200] = "it is in a timer, or in what a source brought";
    if (source)
        snprintf(reason, sizeof reason, "it is in the body of a POST to the source \"%s\"", source);
    rx_health_holds(f->health, RX_CONDITION_WORKER_STALLED, worker, "", reason, 0);
}

static void state_workers(struct rx_front *f)
{
    for (unsigned i = rx_front_stalled(f, 0); i < f->worker_count; i = rx_front_stalled(f, i + 1)) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        state_stall(f, name, rx_worker_ingesting(f->workers[i]));
    }
}

/* ---- descriptors ---- */

/* The lowest free descriptor tells how many are in use, as long as there are no holes: closing makes some, and they are
 * filled first. */
static void state_descriptors(struct rx_front *f)
{
    struct rlimit limit;
    char reason[100];
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (lowest >= 0)
        close(lowest);
    rlim_t used = lowest >= 0 ? (rlim_t)lowest : limit.rlim_cur;
    if (used < limit.rlim_cur - limit.rlim_cur / 10)
        return;
    snprintf(reason, sizeof reason, "over 90 %% of %llu are in use", (unsigned long long)limit.rlim_cur);
    rx_health_holds(f->health, RX_CONDITION_DESCRIPTORS_LOW, "rxd", "", reason, 0);
}

/* ---- rounds, and what workers tell ---- */

void rx_front_look(struct rx_front *f)
{
    rx_health_begin_now(f->health);
    state_workers(f);
    state_descriptors(f);
    rx_streams_health(f->streams, f->health);
    if (f->refused.code)
        rx_health_holds(f->health, RX_CONDITION_RELOAD_REFUSED, "rxd", "", f->refused.message, 0);
    rx_health_end(f->health);
}

void rx_front_heard(struct rx_front *f, struct rx_job *job)
{
    if (job->worker < f->worker_count)
        f->progress[job->worker].since = monotonic();
    if (!job->conditions.version || job->worker >= f->worker_count)
        return;
    rx_conditions_finish(&f->seen[job->worker]);
    f->seen[job->worker] = job->conditions;
    job->conditions = (struct rx_conditions){0};
}

void rx_front_refused(struct rx_front *f, const char *reason)
{
    f->refused = (struct rx_error){0};
    if (reason)
        rx_error_set(&f->refused, -EINVAL, "%s", reason);
    rx_front_look(f);
}

int rx_front_conditions(const struct rx_front *f, struct rx_conditions *ret)
{
    int r = rx_health_copy(f->health, ret);
    for (unsigned i = 0; r == 0 && i < f->worker_count; i++)
        r = rx_conditions_merge(ret, &f->seen[i]);
    return r;
}
