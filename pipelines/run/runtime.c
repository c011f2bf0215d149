/* Supervision: one subscription to every pipeline, its sinks, and restarts with backoff. */
#include "pipelines/run/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/registry.h"
#include "pipelines/run/lanes.h"
#include "pipelines/run/pipeline_run.h"
#include "pipelines/run/runtime_private.h"
#include "pipelines/run/sample.h"

#define BACKOFF_MIN (250 * RX_MSEC)
#define BACKOFF_MAX (30 * RX_SEC)
#define SETTLE      (2 * RX_SEC) /* for what is in lanes, when pipelines are stopped; the rest is dropped, and counted */

static void log_line(struct rx_runtime *r, int level, const char *message, const char *name, const char *detail)
{
    const struct rx_engine *engine = r->plan->engine;
    char text[600];
    snprintf(text, sizeof text, "%s%s%s", message, detail ? ": " : "", detail ? detail : "");
    if (engine->log)
        engine->log(engine->log_arg, level, name, text);
}

/* ---- sinks ---- */

static void write_all(struct rx_delivery *d, const struct rx_event *span, size_t n)
{
    if (d->sample)
        rx_sample_take(d->sample, d->runtime->plan->engine, rx_hub_name(d->hub), span, n);
    for (size_t k = 0; k < d->sink_count; k++) {
        struct rx_sink *sink = d->sinks[k].sink;
        for (size_t i = 0; i < n; i++)
            rx_delivery_write(d, k, &span[i]);
        if (sink->class->flush)
            sink->class->flush(sink);
    }
}

static void end_sinks(struct rx_delivery *d, const struct rx_error *error)
{
    for (size_t k = 0; k < d->sink_count; k++)
        if (d->sinks[k].sink->class->end)
            d->sinks[k].sink->class->end(d->sinks[k].sink, error);
}

/* ---- supervision ---- */

static void subscribe(struct rx_delivery *d)
{
    d->state = RX_PIPELINE_RUNNING;
    d->started = rx_sched_now(d->runtime->plan->engine->sched);
    rx_hub_subscribe(d->hub, &d->observer);
}

static void on_restart(struct rx_timer *timer)
{
    struct rx_delivery *d = (struct rx_delivery *)(void *)((char *)timer - offsetof(struct rx_delivery, restart));
    d->restarts++;
    subscribe(d);
}

static void on_complete(struct rx_delivery *d)
{
    d->state = RX_PIPELINE_COMPLETED;
    log_line(d->runtime, 6, "pipeline completed", rx_hub_name(d->hub), NULL);
    end_sinks(d, NULL);
}

static const char forgotten[] = "out of memory for the reason";

static void forget_error(struct rx_delivery *d)
{
    if (d->last_error != forgotten)
        free((void *)(uintptr_t)d->last_error);
    d->last_error = NULL;
}

void rx_delivery_note_error(struct rx_delivery *d, const char *message, size_t length)
{
    forget_error(d);
    const char *copy = length > 0 ? strndup(message, length) : NULL;
    d->last_error = copy || length == 0 ? copy : forgotten;
}

/* A pipeline that ran well for a while starts over with a short pause. */
static void on_error(struct rx_delivery *d, const struct rx_error *error)
{
    struct rx_sched *sched = d->runtime->plan->engine->sched;
    rx_delivery_note_error(d, error->message, strlen(error->message));
    d->state = RX_PIPELINE_WAITING;
    if (rx_sched_now(sched) - d->started > BACKOFF_MAX)
        d->backoff = 0;
    d->backoff = d->backoff == 0 ? BACKOFF_MIN : d->backoff * 2 < BACKOFF_MAX ? d->backoff * 2 : BACKOFF_MAX;
    if (!d->runtime->stopped)
        rx_sched_arm(sched, &d->restart, rx_sched_now(sched) + d->backoff);
}

static void on_note(struct rx_observer *o, const struct rx_note *note)
{
    struct rx_delivery *d = (struct rx_delivery *)(void *)o;
    if (note->kind == RX_NEXT)
        write_all(d, note->span, note->count);
    else if (note->kind == RX_COMPLETE)
        on_complete(d);
    else if (note->kind == RX_ERROR)
        on_error(d, note->error);
}

/* ---- sources ---- */

static void run_source(struct rx_source *source, struct rx_hub *hub)
{
    struct rx_error error = {0};
    source->running = true;
    source->starts++;
    if (source->clock && !source->clock->started)
        rx_event_clock_start(source->clock);
    if (source->class->start(source, &error) < 0) {
        source->running = false;
        rx_hub_error(hub, &error);
    }
}

static size_t position_of(const struct rx_runtime *r, const struct rx_hub *hub)
{
    size_t i = 0;
    while (r->plan->sources[i].hub != hub)
        i++;
    return i;
}

static void start_source(void *arg, struct rx_hub *hub)
{
    struct rx_runtime *r = arg;
    size_t i = position_of(r, hub);
    if (r->wants_start) {
        r->wants_start[i] = true;
        return;
    }
    run_source(r->plan->sources[i].source, hub);
    rx_runtime_source_started(r, i);
}

static void stop_source(void *arg, struct rx_hub *hub)
{
    struct rx_runtime *r = arg;
    struct rx_source *source = r->plan->sources[position_of(r, hub)].source;
    source->running = false;
    rx_event_clock_stop(source->clock);
    if (source->class->stop)
        source->class->stop(source);
}

static void bind_sources(struct rx_runtime *r)
{
    for (size_t i = 0; i < r->plan->source_count; i++)
        rx_hub_set_producer(r->plan->sources[i].hub,
                            &(struct rx_producer){.start = start_source, .stop = stop_source, .arg = r});
}

/* What was to run while everything was loaded. */
static void run_sources(struct rx_runtime *r)
{
    bool *wants = r->wants_start;
    r->wants_start = NULL;
    for (size_t i = 0; i < r->plan->source_count; i++) {
        struct rx_hub *hub = r->plan->sources[i].hub;
        if (!wants[i] || !(rx_hub_subscribers(hub) > 0 || rx_hub_lingers(hub)))
            continue;
        run_source(r->plan->sources[i].source, hub);
        rx_runtime_source_started(r, i);
    }
    free(wants);
}

/* ---- deliveries ---- */

static struct rx_delivery *add_delivery(struct rx_runtime *r, struct rx_hub *hub)
{
    struct rx_delivery *d = &r->deliveries[r->count++];
    *d = (struct rx_delivery){.observer = {.note = on_note},
                              .restart = {.fire = on_restart},
                              .room = {.fire = rx_delivery_on_room},
                              .runtime = r,
                              .hub = hub};
    return d;
}

/* Error streams and branches are served as any stream: a stream sink with its defaults. */
static int add_served(struct rx_runtime *r, struct rx_hub *hub, const struct rx_tree *where, struct rx_sample **sample,
                      struct rx_error *reterr)
{
    struct rx_plan *plan = r->plan;
    const struct rx_sink_class *class = rx_registry_sink("stream");
    struct rx_plan_sink *slot = rx_plan_alloc(plan->arena, sizeof *slot);
    struct rx_sink *sink = class ? rx_plan_alloc(plan->arena, class->base.state_size) : NULL;
    if (!slot || !sink)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    struct rx_sink head = {.class = class,
                           .pipeline = rx_hub_name(hub),
                           .engine = plan->engine,
                           .heap = plan->engine->heap,
                           .sched = plan->engine->sched,
                           .site = plan->site};
    struct rx_diagnostics *none = rx_diagnostics_create();
    int parsed = none ? rx_options_parse(&class->base, NULL, where, plan->arena, sink, none) : -ENOMEM;
    rx_diagnostics_destroy(none);
    if (parsed < 0)
        return rx_error_set(reterr, parsed, "no stream sink with default options");
    memcpy(sink, &head, sizeof head);
    if (class->init && class->init(sink, reterr) < 0)
        return reterr->code;
    if (class->dispose)
        rx_plan_defer(plan->arena, (void (*)(void *)) class->dispose, sink);
    slot->sink = sink;
    struct rx_delivery *d = add_delivery(r, hub);
    d->sinks = slot;
    d->sink_count = 1;
    d->sample = sample;
    return 0;
}

static int add_side_streams(struct rx_runtime *r, struct rx_error *reterr)
{
    struct rx_plan *plan = r->plan;
    int result = 0;
    for (size_t i = 0; result == 0 && i < plan->source_count; i++)
        if (plan->whole || plan->sources[i].used)
            result = add_served(r, plan->sources[i].errors, plan->sources[i].tree, &r->samples[i], reterr);
    for (size_t i = 0; result == 0 && i < plan->pipeline_count; i++) {
        struct rx_plan_pipeline *p = &plan->pipelines[i];
        result = add_served(r, p->errors, p->tree, &r->samples[plan->source_count + i], reterr);
        if (result == 0 && p->logical->lates)
            result = add_served(r, p->late, p->tree, NULL, reterr);
        for (size_t k = 0; result == 0 && k < p->branch_count; k++)
            result = add_served(r, p->branches[k].hub, p->tree, NULL, reterr);
    }
    return result;
}

static int start_sinks(struct rx_runtime *r, struct rx_error *reterr)
{
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->deliveries[i].sink_count; k++) {
            struct rx_sink *sink = r->deliveries[i].sinks[k].sink;
            int result = sink->class->start ? sink->class->start(sink, reterr) : 0;
            if (result < 0)
                return result;
        }
    }
    return 0;
}

static struct rx_runtime *create(struct rx_plan *plan)
{
    size_t capacity = plan->source_count + 2 * plan->pipeline_count;
    for (size_t i = 0; i < plan->pipeline_count; i++)
        capacity += plan->pipelines[i].branch_count + plan->pipelines[i].logical->lates;
    struct rx_runtime *r = calloc(1, sizeof *r);
    struct rx_delivery *deliveries = calloc(capacity + 1, sizeof *deliveries);
    struct rx_sample **samples = calloc(plan->source_count + plan->pipeline_count + 1, sizeof(struct rx_sample *));
    if (!r || !deliveries || !samples) {
        free(r);
        free(deliveries);
        free(samples);
        return NULL;
    }
    r->plan = plan;
    r->samples = samples;
    r->deliveries = deliveries;
    return r;
}

static int make(struct rx_runtime *r, struct rx_error *reterr)
{
    struct rx_plan *plan = r->plan;
    bind_sources(r);
    r->wants_start = calloc(plan->source_count + 1, sizeof *r->wants_start);
    r->pauses = calloc(plan->source_count + 1, sizeof *r->pauses);
    if (!r->wants_start || !r->pauses || rx_pipelines_bind(plan) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_delivery *d = add_delivery(r, plan->pipelines[i].hub);
        d->sinks = plan->pipelines[i].sinks;
        d->sink_count = plan->pipelines[i].sink_count;
        d->supervised = true;
    }
    int result = add_side_streams(r, reterr);
    return result == 0 ? start_sinks(r, reterr) : result;
}

static void on_press(void *arg, const char *pipeline, bool full)
{
    struct rx_runtime *r = arg;
    const struct rx_plan_pipeline *p = rx_plan_find_pipeline(r->plan, pipeline);
    if (p && !r->stopped)
        rx_delivery_press(&r->deliveries[p - r->plan->pipelines], full);
}

/* One that was loaded has its subscription, or waits, or is through. */
static void subscribe_new(struct rx_delivery *d)
{
    if (!d->observer.hub && !rx_timer_armed(&d->restart) && d->state != RX_PIPELINE_COMPLETED)
        subscribe(d);
}

/* Side streams first, so that no early error is unheard; then in order: what others read is running when they subscribe. */
static void subscribe_all(struct rx_runtime *r)
{
    for (size_t i = r->plan->pipeline_count; i < r->count; i++)
        subscribe_new(&r->deliveries[i]);
    for (size_t i = 0; i < r->plan->pipeline_count; i++)
        subscribe_new(&r->deliveries[r->plan->ordered[i]]);
}

/* Sources last: what they bring finds everything in its place. */
int rx_runtime_start(struct rx_plan *plan, const struct rx_state *state, struct rx_runtime **ret,
                     struct rx_error *reterr)
{
    struct rx_runtime *r = create(plan);
    if (!r)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    rx_engine_enter(plan->engine); /* what has lost its readers is seen when all have subscribed */
    if (plan->engine->lanes)
        rx_lane_host_use(plan->engine->lanes, plan, on_press, r);
    int result = make(r, reterr);
    if (result == 0 && state)
        result = rx_runtime_load(r, state, reterr);
    if (result == 0)
        subscribe_all(r);
    rx_engine_leave(plan->engine);
    if (result < 0) {
        rx_runtime_destroy(r);
        return result;
    }
    run_sources(r);
    *ret = r;
    return 0;
}

void rx_runtime_stop(struct rx_runtime *r)
{
    if (!r || r->stopped)
        return;
    struct rx_engine *engine = r->plan->engine;
    if (engine->lanes && !r->saved)
        rx_lane_host_settle(engine->lanes, SETTLE);
    r->stopped = true;
    rx_engine_enter(engine);
    rx_engine_close(engine);
    for (size_t i = 0; i < r->count; i++) {
        rx_sched_stop(engine->sched, &r->deliveries[i].restart);
        rx_hub_unsubscribe(&r->deliveries[i].observer);
    }
    rx_engine_leave(engine);
}

static void flush_sinks(struct rx_delivery *d)
{
    for (size_t k = 0; k < d->sink_count; k++)
        if (d->sinks[k].sink->class->flush)
            d->sinks[k].sink->class->flush(d->sinks[k].sink);
}

void rx_runtime_settle(struct rx_runtime *r)
{
    for (size_t i = 0; i < r->count; i++)
        flush_sinks(&r->deliveries[i]);
}

bool rx_runtime_drained(struct rx_runtime *r)
{
    bool drained = true;
    for (size_t i = 0; i < r->count; i++) {
        drained = rx_delivery_write_waiting(&r->deliveries[i]) && drained;
        for (size_t k = 0; k < r->deliveries[i].sink_count; k++) {
            struct rx_sink *sink = r->deliveries[i].sinks[k].sink;
            drained = (!sink->class->drain || sink->class->drain(sink)) && drained;
        }
    }
    return drained;
}

void rx_runtime_destroy(struct rx_runtime *r)
{
    if (!r)
        return;
    rx_runtime_stop(r);
    for (size_t i = 0; i < r->count; i++) {
        rx_delivery_finish(&r->deliveries[i]);
        forget_error(&r->deliveries[i]);
    }
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->deliveries[i].sink_count; k++) {
            struct rx_sink *sink = r->deliveries[i].sinks[k].sink;
            if (sink->class->stop)
                sink->class->stop(sink);
        }
    for (size_t i = 0; i < r->plan->source_count + r->plan->pipeline_count; i++)
        rx_sample_destroy(r->samples[i]);
    free(r->samples);
    free(r->wants_start);
    free(r->pauses);
    free(r->deliveries);
    free(r);
}

struct rx_pipeline_status rx_runtime_status(const struct rx_runtime *r, size_t pipeline)
{
    const struct rx_delivery *d = &r->deliveries[pipeline];
    struct rx_pipeline_status status = {.state = d->state, .restarts = d->restarts};
    snprintf(status.last_error, sizeof status.last_error, "%s", d->last_error ? d->last_error : "");
    rx_time ran = rx_sched_now(r->plan->engine->sched) - d->started;
    rx_time trusted = 2 * d->backoff > RX_SEC ? 2 * d->backoff : RX_SEC;
    status.failing =
        status.state == RX_PIPELINE_WAITING || (status.state == RX_PIPELINE_RUNNING && d->backoff > 0 && ran < trusted);
    return status;
}

static struct rx_bad_events bad_events(const struct rx_hub *errors, const struct rx_sample *sample)
{
    return (struct rx_bad_events){.count = rx_hub_stats(errors).events, .last = rx_sample_last(sample)};
}

struct rx_bad_events rx_runtime_source_errors(const struct rx_runtime *r, size_t source)
{
    return bad_events(r->plan->sources[source].errors, r->samples[source]);
}

struct rx_bad_events rx_runtime_pipeline_errors(const struct rx_runtime *r, size_t pipeline)
{
    return bad_events(r->plan->pipelines[pipeline].errors, r->samples[r->plan->source_count + pipeline]);
}
