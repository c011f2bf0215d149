/* The sources and sinks of one worker: their state structs, options set, initialised where there is an outside. */
#include <errno.h>

#include "pipelines/plan/plan_private.h"

/* ---- sources ---- */

static void destroy_source(void *what)
{
    struct rx_source *source = what;
    if (source->class->dispose)
        source->class->dispose(source);
    rx_event_clock_stop(source->clock);
    rx_source_finish(source);
}

static int copy_fields(struct rx_plan *plan, const struct rx_fields *from, struct rx_fields **ret)
{
    struct rx_fields *fields = rx_fields_create(plan->engine->heap);
    if (!fields || rx_plan_defer(plan->arena, (void (*)(void *))rx_fields_destroy, fields) < 0) {
        rx_fields_destroy(fields);
        return -ENOMEM;
    }
    *ret = fields;
    if (rx_fields_all(from))
        rx_fields_add_all(fields);
    int r = 0;
    for (size_t i = 0; r == 0 && i < rx_fields_count(from); i++)
        r = rx_fields_add(fields, rx_fields_at(from, i)->text, rx_fields_at(from, i)->length);
    return r;
}

/* What the pipelines layer sets before init. */
static void fill_head(struct rx_plan *plan, struct rx_plan_source *s)
{
    struct rx_source *source = s->source;
    source->name = s->name;
    source->engine = plan->engine;
    source->heap = plan->engine->heap;
    source->sched = plan->engine->sched;
    source->site = plan->site;
    source->hub = s->hub;
    source->errors = s->errors;
    source->fields = s->fields;
    source->reaches = s->reaches;
}

/* The options beside its kind; and a clock, where they say how to tell the time. */
static int give_common(struct rx_assembly *a, const struct rx_logical_source *logical, struct rx_plan_source *s)
{
    struct rx_plan *plan = a->plan;
    struct rx_source *source = s->source;
    struct rx_source_common *common = rx_plan_alloc(plan->arena, sizeof *common);
    if (!common || rx_options_parse(rx_source_common_of(logical->class), logical->common, logical->kind, plan->arena,
                                    common, a->diagnostics) < 0)
        return -ENOMEM;
    if (rx_source_set_common(source, common) < 0)
        return -ENOMEM;
    s->hash ^= rx_options_hash(&rx_source_common, logical->common, common);
    bool brings = plan->site && source->class->base.flags & RX_SOURCE_TIMED; /* in a replay the lines have the times */
    if (!common->event_time.expr && !brings)
        return 0;
    source->clock = rx_plan_alloc(plan->arena, sizeof *source->clock);
    if (!source->clock)
        return -ENOMEM;
    rx_event_clock_init(source->clock, common, plan->engine, plan->engine->sched, s->hub, plan->site != NULL);
    source->clock->connected = !(source->class->base.flags & RX_SOURCE_CONNECTS);
    return 0;
}

static int make_source(struct rx_assembly *a, const struct rx_logical_source *logical, struct rx_plan_source *s)
{
    struct rx_plan *plan = a->plan;
    struct rx_error error;
    s->name = logical->name;
    s->tree = logical->tree;
    s->cold = logical->cold;
    s->reaches = logical->reaches;
    s->source = rx_plan_alloc(plan->arena, logical->class->base.state_size);
    if (!s->source || copy_fields(plan, logical->fields, &s->fields) < 0)
        return -ENOMEM;
    s->source->class = logical->class;
    if (rx_options_parse(&logical->class->base, logical->options, logical->kind, plan->arena, s->source,
                         a->diagnostics) < 0)
        return -ENOMEM;
    s->hash = rx_options_hash(&logical->class->base, logical->options, s->source);
    fill_head(plan, s);
    if (give_common(a, logical, s) < 0)
        return -ENOMEM;
    if (plan->site && logical->class->init && logical->class->init(s->source, &error) < 0)
        rx_diagnose(a->diagnostics, logical->tree, &error);
    return rx_plan_defer(plan->arena, destroy_source, s->source);
}

int rx_assembly_sources(struct rx_assembly *a)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->plan->source_count; i++)
        r = make_source(a, a->logical->sources[i], &a->plan->sources[i]);
    return r;
}

/* ---- sinks ---- */

static void destroy_sink(void *what)
{
    struct rx_sink *sink = what;
    if (sink->class && sink->class->dispose)
        sink->class->dispose(sink);
}

static int make_sink(struct rx_assembly *a, struct rx_plan_pipeline *p, const struct rx_logical_sink *logical)
{
    struct rx_plan *plan = a->plan;
    struct rx_error error;
    struct rx_sink *sink = rx_plan_alloc(plan->arena, logical->class->base.state_size);
    if (!sink || rx_options_parse(&logical->class->base, logical->options, logical->where, plan->arena, sink,
                                  a->diagnostics) < 0)
        return -ENOMEM;
    uint64_t hash = rx_options_hash(&logical->class->base, logical->options, sink);
    sink->class = logical->class;
    sink->pipeline = p->name;
    sink->engine = plan->engine;
    sink->heap = plan->engine->heap;
    sink->sched = plan->engine->sched;
    sink->site = plan->site;
    sink->errors = p->errors;
    if (sink->site && logical->class->init && logical->class->init(sink, &error) < 0)
        rx_diagnose(a->diagnostics, logical->where, &error);
    p->sinks[p->sink_count++] = (struct rx_plan_sink){.sink = sink, .hash = hash, .tree = logical->where};
    return rx_plan_defer(plan->arena, destroy_sink, sink);
}

int rx_assembly_sinks(struct rx_assembly *a, struct rx_plan_pipeline *p)
{
    const struct rx_logical_pipeline *logical = p->logical;
    p->sinks = rx_plan_alloc(a->plan->arena, logical->sink_count * sizeof *p->sinks);
    int r = p->sinks ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < logical->sink_count; i++)
        r = make_sink(a, p, &logical->sinks[i]);
    return r;
}
