/* A worker's reload: the new plan is made beside the old one; then everything is saved, and goes on in the new plan within one
 * turn of the loop, so that no message comes in between. Connections and served streams are the site's, and stay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/client/requester.h"
#include "daemon/log.h"
#include "daemon/worker_private.h"
#include "pipelines/run/runtime.h"

static bool *mine(const struct rx_worker *w, const struct rx_logical *logical, const struct rx_shares *shares)
{
    bool *here = calloc(logical->pipeline_count + 1, sizeof *here);
    for (size_t i = 0; here && i < logical->pipeline_count; i++)
        here[i] = shares->pipelines[i] == w->options.number;
    return here;
}

static bool asks(const struct rx_plan *plan)
{
    for (size_t p = 0; p < plan->pipeline_count; p++)
        for (size_t i = 0; i < plan->pipelines[p].step_count; i++)
            if (plan->steps[plan->pipelines[p].first_step + i]->class->answer)
                return true;
    return false;
}

/* Steps that ask the outside need who does: libcurl is opened at load of a config that has some. */
static int provide(struct rx_worker *w, const struct rx_plan *plan, struct rx_diagnostics *diagnostics)
{
    struct rx_error error = {0};
    if (w->requester || !asks(plan))
        return 0;
    struct rx_site *site = rx_site_of(w->site);
    struct rx_client *client = site->client(site, &error);
    int r = client ? rx_requester_create(client, w->loop, w->engine, &w->requester) : error.code;
    if (error.code)
        rx_diagnose(diagnostics, NULL, &error);
    return r;
}

int rx_worker_plan(struct rx_worker *w, const struct rx_logical *logical, const struct rx_shares *shares,
                   struct rx_diagnostics *diagnostics, struct rx_plan **ret)
{
    bool *here = w->options.workers > 1 ? mine(w, logical, shares) : NULL;
    if (w->options.workers > 1 && !here)
        return -ENOMEM;
    struct rx_plan_options options = {.site = rx_site_of(w->site), .pipelines_here = here};
    int r = rx_plan_create(logical, w->engine, &options, diagnostics, ret);
    free(here);
    return r == 0 ? provide(w, *ret, diagnostics) : r;
}

static int prepare(struct rx_worker *w, struct rx_worker_reload *reload)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    int r = diagnostics ? rx_site_prepare(w->site, reload->forest, diagnostics) : -ENOMEM;
    if (r == 0) {
        r = rx_worker_plan(w, reload->logical, reload->shares, diagnostics, &w->prepared);
        if (r == 0 && rx_diagnostics_count(diagnostics) > 0)
            r = -EINVAL;
    }
    rx_diagnostics_destroy(diagnostics);
    return r == 0 ? 0 : rx_error_set(&reload->error, r, "a worker cannot plan it: %s", strerror(-r));
}

static void abandon(struct rx_worker *w)
{
    rx_plan_destroy(w->prepared);
    w->prepared = NULL;
    rx_site_abandon(w->site);
}

static int take_over(struct rx_worker *w, const struct rx_writer *saved, struct rx_worker_reload *reload)
{
    struct rx_reader reader = {
        .data = (const unsigned char *)saved->buffer.data, .length = saved->buffer.length, .heap = w->heap};
    struct rx_state *state = NULL;
    int r = rx_state_open(&reader, &state, &reload->error);
    if (r == 0)
        r = rx_runtime_start(w->plan, state, &w->runtime, &reload->error);
    rx_state_close(state);
    return r;
}

/* Memory that is short for a moment must not cost the state, and less so leave a worker without pipelines. */
enum { STARTS_MAX = 5 };

/* With what was saved, else anew: a state that was written a moment ago and does not load is a fault of ours, and no
 * reason to stand still. Nothing is saved where an earlier swap had no memory for a runtime. */
static int start(struct rx_worker *w, const struct rx_writer *saved, struct rx_worker_reload *reload)
{
    int r = -ENODATA;
    for (int i = 0; saved->buffer.length > 0 && r < 0 && i < STARTS_MAX; i++)
        r = take_over(w, saved, reload);
    if (r < 0 && saved->buffer.length > 0) {
        const char *pairs[] = {"error", reload->error.message, NULL};
        rx_log(RX_LOG_ERROR, "the pipelines begin anew: what they knew could not be taken over", pairs);
    }
    for (int i = 0; r < 0 && i < STARTS_MAX; i++)
        r = rx_runtime_start(w->plan, NULL, &w->runtime, &reload->error);
    return r;
}

static void count_kept(struct rx_worker *w, struct rx_worker_reload *reload)
{
    for (size_t i = 0; i < w->plan->pipeline_count; i++) {
        bool kept = w->runtime && rx_runtime_kept(w->runtime, i);
        reload->kept += kept;
        reload->begun += !kept;
    }
}

static int swap(struct rx_worker *w, struct rx_worker_reload *reload)
{
    struct rx_writer saved = {0};
    if (!w->prepared || w->drain_until)
        return rx_error_set(&reload->error, -ECANCELED, "the worker is shutting down");
    if (w->runtime)
        rx_runtime_save(w->runtime, &saved);
    if (saved.buffer.failed) {
        rx_buffer_finish(&saved.buffer);
        abandon(w);
        return rx_error_set(&reload->error, -ENOMEM, "out of memory: the old pipelines run on");
    }
    if (w->runtime)
        rx_runtime_hand_over(w->runtime);
    rx_runtime_destroy(w->runtime);
    rx_worker_unwatch_tables(w);
    rx_plan_destroy(w->plan);
    w->runtime = NULL;
    w->plan = w->prepared;
    w->prepared = NULL;
    rx_worker_tap_again(w);
    int r = start(w, &saved, reload);
    if (r == 0)
        r = rx_worker_watch_tables(w);
    rx_buffer_finish(&saved.buffer);
    rx_site_commit(w->site);
    count_kept(w, reload);
    return r;
}

void rx_worker_reload(struct rx_worker *w, struct rx_job *job)
{
    job->reload.result = 0;
    if (job->kind == RX_JOB_PREPARE)
        job->reload.result = prepare(w, &job->reload);
    else if (job->kind == RX_JOB_SWAP)
        job->reload.result = swap(w, &job->reload);
    if (job->kind == RX_JOB_ABANDON || (job->kind == RX_JOB_PREPARE && job->reload.result < 0))
        abandon(w);
}
