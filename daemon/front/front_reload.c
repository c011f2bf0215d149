/* Reload: the new config is read and checked on a thread, planned by the workers beside what runs, and swapped in. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/front/front_private.h"
#include "daemon/log.h"

#define ASK_AGAIN (10 * RX_MSEC) /* of a worker whose ring was full */

enum phase { READING, PREPARING, SWAPPING, ABANDONING };

struct rx_reload {
    struct rx_front *front;
    struct rx_front_reload_options options;
    bool again; /* asked for once more meanwhile */
    enum phase phase;

    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_shares shares;
    struct rx_diagnostics *diagnostics;
    struct rx_error error;
    int result;

    pthread_t thread;
    bool threaded;
    struct rx_wake *read; /* the thread is through */

    struct rx_timer ask_again;
    bool asked[RX_WORKERS_MAX];
    unsigned answered;
    bool old_in_use; /* a worker could not leave it */
    size_t kept, begun;
};

/* ---- reading and checking, on the thread ---- */

/* On an engine that never runs, and serves nothing: what needs brokers and the loop to be judged. */
static int try_plan(const struct rx_forest *forest, const struct rx_logical *logical,
                    struct rx_diagnostics *diagnostics)
{
    struct rx_loop *loop = NULL;
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_site_owner *site = NULL;
    struct rx_plan *plan = NULL;
    int r = heap ? rx_loop_create(&loop) : -ENOMEM;
    struct rx_engine *engine = r == 0 ? rx_engine_create(heap, rx_loop_sched(loop)) : NULL;
    if (r == 0)
        r = engine ? rx_site_create(&(struct rx_site_options){.loop = loop, .heap = heap, .forest = forest},
                                    diagnostics, &site)
                   : -ENOMEM;
    if (r == 0)
        r = rx_plan_create(logical, engine, &(struct rx_plan_options){.site = rx_site_of(site)}, diagnostics, &plan);
    rx_plan_destroy(plan);
    rx_site_destroy(site);
    rx_engine_destroy(engine);
    rx_loop_destroy(loop);
    rx_heap_destroy(heap);
    return r;
}

static int check_settings(struct rx_reload *r)
{
    struct rx_settings settings;
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_plan_arena *arena = heap ? rx_plan_arena_create(heap) : NULL;
    int result =
        arena ? rx_settings_read(r->forest, arena, r->front->settings.http.listen, r->diagnostics, &settings) : -ENOMEM;
    rx_plan_arena_destroy(arena);
    rx_heap_destroy(heap);
    rx_settings_compare(r->front->forest, r->forest, r->options.listen_overridden, r->diagnostics);
    return result;
}

static int read_config(struct rx_reload *r)
{
    struct rx_diagnostics *d = r->diagnostics;
    int result = rx_forest_read(r->options.paths, r->options.path_count, d, &r->forest);
    if (result < 0)
        return result;
    int settings = check_settings(r);
    result = rx_logical_create(r->forest, &(struct rx_logical_options){0}, d, &r->logical);
    if (result == 0)
        result = try_plan(r->forest, r->logical, d);
    if (result == 0)
        result = settings;
    return result == 0 && rx_diagnostics_count(d) > 0 ? -EINVAL : result;
}

static void *read_on_thread(void *arg)
{
    struct rx_reload *r = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    r->result = read_config(r);
    rx_wake_signal(r->read);
    return NULL;
}

/* ---- the end ---- */

static void destroy(struct rx_reload *r)
{
    if (!r)
        return;
    rx_sched_stop(rx_loop_sched(r->front->loop), &r->ask_again);
    rx_wake_destroy(r->read);
    rx_diagnostics_destroy(r->diagnostics);
    rx_shares_finish(&r->shares);
    rx_logical_destroy(r->logical);
    rx_forest_destroy(r->forest);
    free(r);
}

static void finish(struct rx_reload *r)
{
    struct rx_front *f = r->front;
    struct rx_front_reload_options options = r->options;
    bool again = r->again && !f->draining;
    f->reload = NULL;
    f->reloads += r->result == 0;
    f->reloads_refused += r->result < 0;
    options.done(options.arg, r->result, r->diagnostics, &r->error, again);
    destroy(r);
    if (again)
        rx_front_reload(f, &options);
}

static void fail(struct rx_reload *r, int code, const char *why)
{
    if (r->result < 0)
        return;
    r->result = rx_error_set(&r->error, code, "%s", why);
}

/* ---- the workers ---- */

static struct rx_job *job_of(struct rx_reload *r)
{
    static const enum rx_job_kind kinds[] = {
        [PREPARING] = RX_JOB_PREPARE, [SWAPPING] = RX_JOB_SWAP, [ABANDONING] = RX_JOB_ABANDON};
    struct rx_job *job = rx_job_create(kinds[r->phase], NULL);
    if (job)
        job->reload = (struct rx_worker_reload){.forest = r->forest, .logical = r->logical, .shares = &r->shares};
    return job;
}

/* Those that have not been asked yet; a ring that is full now has room soon. */
static void ask(struct rx_reload *r)
{
    struct rx_front *f = r->front;
    bool all = true;
    for (unsigned i = 0; i < f->worker_count; i++) {
        struct rx_job *job = r->asked[i] ? NULL : job_of(r);
        if (job && rx_worker_ask(f->workers[i], job))
            r->asked[i] = true;
        else
            rx_job_destroy(job);
        all = all && r->asked[i];
    }
    if (!all)
        rx_sched_arm(rx_loop_sched(f->loop), &r->ask_again, rx_loop_now(f->loop) + ASK_AGAIN);
}

static void on_ask_again(struct rx_timer *timer)
{
    ask((struct rx_reload *)(void *)((char *)timer - offsetof(struct rx_reload, ask_again)));
}

static void begin(struct rx_reload *r, enum phase phase)
{
    r->phase = phase;
    r->answered = 0;
    for (unsigned i = 0; i < r->front->worker_count; i++)
        r->asked[i] = false;
    ask(r);
}

/* The front runs the new config now. A worker that could not leave the old one, for want of memory, still reads it: then it
 * stays for good. */
static void take_over(struct rx_reload *r)
{
    struct rx_front *f = r->front;
    struct rx_forest *forest = f->forest;
    struct rx_logical *logical = f->logical;
    f->forest = r->forest;
    f->logical = r->logical;
    rx_shares_finish(&f->shares);
    f->shares = r->shares;
    r->shares = (struct rx_shares){0};
    r->forest = r->old_in_use ? NULL : forest;
    r->logical = r->old_in_use ? NULL : logical;
    rx_streams_sweep(f->streams);
}

static void tell(const struct rx_reload *r)
{
    char kept[24], begun[24];
    snprintf(kept, sizeof kept, "%zu", r->kept);
    snprintf(begun, sizeof begun, "%zu", r->begun);
    const char *pairs[] = {"went_on", kept, "began_anew", begun, NULL};
    rx_log(RX_LOG_INFO, "reloaded", pairs);
}

static void next_phase(struct rx_reload *r)
{
    if (r->phase == PREPARING) {
        begin(r, r->result < 0 ? ABANDONING : SWAPPING);
        return;
    }
    if (r->phase == SWAPPING) {
        take_over(r);
        tell(r);
    }
    finish(r);
}

void rx_front_take_reload(struct rx_front *f, const struct rx_job *job)
{
    struct rx_reload *r = f->reload;
    if (!r)
        return;
    if (job->reload.result < 0)
        fail(r, job->reload.result, job->reload.error.message);
    r->old_in_use = r->old_in_use || (r->phase == SWAPPING && job->reload.result < 0);
    r->kept += job->reload.kept;
    r->begun += job->reload.begun;
    if (++r->answered == f->worker_count)
        next_phase(r);
}

/* ---- the beginning ---- */

static void join(struct rx_reload *r)
{
    if (r->threaded)
        pthread_join(r->thread, NULL);
    r->threaded = false;
}

static void on_read(void *arg)
{
    struct rx_reload *r = arg;
    struct rx_front *f = r->front;
    join(r);
    if (f->draining)
        fail(r, -ECANCELED, "shutting down");
    if (r->result == 0 && rx_logical_share(r->logical, f->worker_count, f->logical, &f->shares, &r->shares) < 0)
        fail(r, -ENOMEM, "out of memory");
    if (r->result < 0)
        finish(r);
    else
        begin(r, PREPARING);
}

static int start(struct rx_reload *r)
{
    r->diagnostics = rx_diagnostics_create();
    int result = r->diagnostics ? rx_wake_create(r->front->loop, on_read, r, &r->read) : -ENOMEM;
    if (result == 0)
        result = -pthread_create(&r->thread, NULL, read_on_thread, r);
    r->threaded = result == 0;
    return result;
}

void rx_front_reload(struct rx_front *f, const struct rx_front_reload_options *options)
{
    struct rx_error error = {0};
    if (f->reload) {
        f->reload->again = true;
        return;
    }
    struct rx_reload *r = calloc(1, sizeof *r);
    int result = r ? 0 : -ENOMEM;
    if (r) {
        r->front = f;
        r->options = *options;
        r->ask_again.fire = on_ask_again;
        result = start(r);
    }
    if (result == 0) {
        f->reload = r;
        return;
    }
    destroy(r);
    rx_error_set(&error, result, "cannot begin to reload");
    options->done(options->arg, result, NULL, &error, false);
}

void rx_front_end_reload(struct rx_front *f)
{
    if (!f->reload)
        return;
    join(f->reload);
    destroy(f->reload);
    f->reload = NULL;
}
