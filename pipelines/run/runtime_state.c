/* The state of the runtime beside the pipelines': sources, sinks, and the supervisor's subscriptions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/run/lanes.h"
#include "pipelines/run/pipeline_run.h"
#include "pipelines/run/runtime_private.h"

/* ---- sources ---- */

static struct rx_section section_of_source(const struct rx_plan_source *s)
{
    const struct rx_source_class *class = s->source->class;
    return (struct rx_section){.kind = RX_SECTION_SOURCE,
                               .name = s->name,
                               .class = class->base.name,
                               .version = class->state_version,
                               .hash = s->hash};
}

static void save_source(const struct rx_plan_source *s, struct rx_writer *w)
{
    struct rx_section section = section_of_source(s);
    size_t at = rx_section_begin(w, &section);
    rx_source_save(s->source, w);
    if (s->source->class->save)
        s->source->class->save(s->source, w);
    rx_section_end(w, at);
}

static bool same(const struct rx_section *a, const struct rx_section *b)
{
    return strcmp(a->class, b->class) == 0 && a->version == b->version && a->hash == b->hash;
}

static int load_source(struct rx_plan_source *s, const struct rx_state *state, struct rx_error *reterr)
{
    struct rx_section expected = section_of_source(s), found;
    struct rx_reader r;
    if (!rx_state_find(state, RX_SECTION_SOURCE, s->name, &found, &r) || !same(&expected, &found)) {
        rx_hub_forget(s->hub);
        return 0;
    }
    rx_source_load(s->source, &r);
    int result = s->source->class->load ? s->source->class->load(s->source, &r) : 0;
    if (result == 0 && !rx_reader_failed(&r))
        return 0;
    return rx_error_set(reterr, result == -ENOMEM ? result : -EBADMSG, "the state of source \"%s\" is damaged",
                        s->name);
}

/* ---- sinks ---- */

static struct rx_section section_of_sink(const struct rx_delivery *d, size_t k, char *name, size_t size)
{
    const struct rx_sink_class *class = d->sinks[k].sink->class;
    snprintf(name, size, "%s/%zu", rx_hub_name(d->hub), k);
    return (struct rx_section){.kind = RX_SECTION_SINK,
                               .name = name,
                               .class = class->base.name,
                               .version = class->state_version,
                               .hash = d->sinks[k].hash};
}

static void save_sink(const struct rx_delivery *d, size_t k, struct rx_writer *w)
{
    char name[300];
    struct rx_sink *sink = d->sinks[k].sink;
    struct rx_section section = section_of_sink(d, k, name, sizeof name);
    if (sink->class->flush)
        sink->class->flush(sink);
    size_t at = rx_section_begin(w, &section);
    rx_write_uint(w, sink->in);
    rx_write_uint(w, sink->out);
    rx_write_uint(w, sink->lost);
    rx_write_uint(w, sink->refused);
    rx_write_uint(w, sink->failures);
    rx_write_uint(w, sink->dropped_full);
    rx_write_uint(w, sink->errored);
    rx_delivery_save_waiting(d, k, w);
    if (sink->class->save)
        sink->class->save(sink, w);
    rx_section_end(w, at);
}

static int load_sink(struct rx_delivery *d, size_t k, const struct rx_state *state, struct rx_error *reterr)
{
    char name[300];
    struct rx_section found, expected = section_of_sink(d, k, name, sizeof name);
    struct rx_sink *sink = d->sinks[k].sink;
    struct rx_reader r;
    if (!rx_state_find(state, RX_SECTION_SINK, name, &found, &r) || !same(&expected, &found))
        return 0;
    sink->in = rx_read_uint(&r);
    sink->out = rx_read_uint(&r);
    sink->lost = rx_read_uint(&r);
    sink->refused = rx_read_uint(&r);
    sink->failures = rx_read_uint(&r);
    sink->dropped_full = rx_read_uint(&r);
    sink->errored = rx_read_uint(&r);
    int result = rx_delivery_load_waiting(d, k, &r);
    if (result == 0)
        result = sink->class->load ? sink->class->load(sink, &r) : 0;
    if (result == 0 && !rx_reader_failed(&r))
        return 0;
    return rx_error_set(reterr, result == -ENOMEM ? result : -EBADMSG, "the state of sink \"%s\" is damaged", name);
}

/* ---- deliveries ---- */

static void save_delivery(struct rx_delivery *d, struct rx_writer *w)
{
    struct rx_section section = {.kind = RX_SECTION_DELIVERY, .name = rx_hub_name(d->hub), .class = "delivery"};
    size_t at = rx_section_begin(w, &section);
    rx_write_uint(w, d->state);
    rx_write_uint(w, d->restarts);
    rx_write_text(w, d->last_error ? d->last_error : "", d->last_error ? strlen(d->last_error) : 0);
    rx_write_int(w, d->backoff);
    rx_write_int(w, d->started);
    rx_timer_save(&d->restart, w);
    rx_observer_save(&d->observer, w);
    rx_section_end(w, at);
    for (size_t k = 0; k < d->sink_count; k++)
        save_sink(d, k, w);
}

static int load_supervision(struct rx_delivery *d, struct rx_reader *r)
{
    struct rx_sched *sched = d->runtime->plan->engine->sched;
    size_t length = 0;
    uint64_t state = rx_read_uint(r);
    d->state = state <= RX_PIPELINE_COMPLETED ? (enum rx_pipeline_state)state : RX_PIPELINE_RUNNING;
    d->restarts = rx_read_uint(r);
    const char *error = rx_read_text(r, &length);
    rx_delivery_note_error(d, error ? error : "", error ? length : 0);
    d->backoff = rx_read_int(r);
    d->started = rx_read_int(r);
    if (rx_timer_load(sched, &d->restart, r) < 0)
        return -ENOMEM;
    rx_observer_load(d->hub, &d->observer, r);
    return r->failed;
}

/* A pipeline that begins anew has nothing to go on from, but its sinks do. */
static int load_delivery(struct rx_delivery *d, bool kept, const struct rx_state *state, struct rx_error *reterr)
{
    struct rx_reader r;
    int result = 0;
    if (kept && rx_state_find(state, RX_SECTION_DELIVERY, rx_hub_name(d->hub), NULL, &r))
        result = load_supervision(d, &r);
    if (result < 0)
        return rx_error_set(reterr, result, "the supervisor's state of \"%s\" is damaged", rx_hub_name(d->hub));
    for (size_t k = 0; k < d->sink_count && result == 0; k++)
        result = load_sink(d, k, state, reterr);
    return result;
}

/* ---- all ---- */

void rx_runtime_save(struct rx_runtime *r, struct rx_writer *w)
{
    if (r->plan->engine->lanes)
        rx_lane_host_settle(r->plan->engine->lanes, RX_TIME_NEVER);
    rx_state_begin(w, r->plan->engine->sched);
    rx_plan_save(r->plan, w);
    for (size_t i = 0; i < r->plan->source_count; i++)
        if (r->plan->whole || r->plan->sources[i].used)
            save_source(&r->plan->sources[i], w);
    for (size_t i = 0; i < r->count; i++)
        save_delivery(&r->deliveries[i], w);
}

void rx_runtime_hand_over(struct rx_runtime *r)
{
    r->saved = true;
    for (size_t i = 0; i < r->plan->source_count; i++)
        r->plan->sources[i].source->handed_over = true;
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < r->deliveries[i].sink_count; k++)
            r->deliveries[i].sinks[k].sink->handed_over = true;
}

bool rx_runtime_kept(const struct rx_runtime *r, size_t pipeline)
{
    return rx_pipeline_run_kept(r->plan->pipelines[pipeline].run);
}

int rx_runtime_load(struct rx_runtime *r, const struct rx_state *state, struct rx_error *reterr)
{
    struct rx_plan *plan = r->plan;
    int result = rx_plan_load(plan, state, NULL, reterr);
    rx_engine_enter(plan->engine);
    for (size_t i = 0; i < plan->source_count && result == 0; i++)
        result = load_source(&plan->sources[i], state, reterr);
    for (size_t i = 0; i < r->count && result == 0; i++) {
        bool kept = i >= plan->pipeline_count || rx_pipeline_run_kept(plan->pipelines[i].run);
        result = load_delivery(&r->deliveries[i], kept, state, reterr);
    }
    if (result < 0)
        rx_plan_discard(plan); /* it would outlive the plan */
    rx_engine_leave(plan->engine);
    return result;
}
