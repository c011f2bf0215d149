/* What a worker knows about its sources, hubs, steps and sinks, as samples. */
#include <string.h>

#include "core/graph/graph.h"
#include "daemon/metrics.h"
#include "pipelines/run/lanes.h"
#include "pipelines/run/pipeline_run.h"

static void add_hub(struct rx_metrics *m, const struct rx_hub *hub)
{
    struct rx_hub_stats s = rx_hub_stats(hub);
    const char *labels[] = {"stream", rx_hub_name(hub), NULL};
    rx_metrics_count(m, RX_METRIC_STREAM_EVENTS, s.events, labels);
    rx_metrics_count(m, RX_METRIC_STREAM_DELIVERIES, s.deliveries, labels);
    rx_metrics_count(m, RX_METRIC_STREAM_UNHEARD, s.unheard, labels);
    rx_metrics_count(m, RX_METRIC_STREAM_REPLAYED, s.replayed, labels);
    rx_metrics_count(m, RX_METRIC_STREAM_UNKEPT, s.unkept, labels);
}

/* ---- event time ---- */

static double seconds(rx_time t) { return (double)t / (double)RX_SEC; }

static void add_event_time(struct rx_metrics *m, const struct rx_plan_source *s)
{
    const struct rx_event_clock *clock = s->source->clock;
    const char *labels[] = {"source", s->name, NULL};
    rx_time wall = rx_sched_wall(s->source->sched);
    rx_metrics_count(m, RX_METRIC_SOURCE_IDLE, clock->idle, labels);
    if (clock->newest == RX_WATERMARK_NONE)
        return;
    rx_time reached = rx_watermark_at(rx_hub_reached(s->hub), wall);
    rx_metrics_add(m, RX_METRIC_SOURCE_WATERMARK, seconds(reached), labels);
    rx_metrics_add(m, RX_METRIC_SOURCE_WATERMARK_LAG, seconds(wall - reached), labels);
}

/* The stream with the least watermark of those that a pipeline reads. */
struct least {
    struct rx_plan *plan;
    rx_time watermark;
    const struct rx_outlet *outlet;
};

static void look_at_reading(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct least *least = arg;
    (void)depth;
    if (!node->reads || !node->reads->told)
        return;
    const struct rx_hub *hub = rx_plan_find_hub(least->plan, node->reads->name);
    if (!hub || rx_hub_reached(hub) >= least->watermark)
        return;
    least->watermark = rx_hub_reached(hub);
    least->outlet = node->reads;
}

/* NULL: none does. */
static const struct rx_logical_source *held_by(struct rx_plan *plan, const struct rx_logical_pipeline *p)
{
    for (;;) {
        struct least least = {.plan = plan, .watermark = INT64_MAX};
        rx_logical_walk(p->graph, look_at_reading, &least);
        if (!least.outlet || least.outlet->source)
            return least.outlet ? least.outlet->source : NULL;
        p = least.outlet->pipeline;
    }
}

static void add_pipeline_time(struct rx_metrics *m, struct rx_plan *plan, const struct rx_plan_pipeline *p)
{
    rx_time watermark = rx_hub_reached(p->hub), wall = rx_sched_wall(plan->engine->sched);
    const struct rx_logical_source *source = held_by(plan, p->logical);
    if (!source || watermark == RX_WATERMARK_NONE)
        return;
    const char *labels[] = {"pipeline", p->name, "held_by", source->name, NULL};
    rx_metrics_add(m, RX_METRIC_PIPELINE_WATERMARK_LAG, seconds(wall - rx_watermark_at(watermark, wall)), labels);
}

static void add_source(struct rx_metrics *m, const struct rx_plan_source *s)
{
    const struct rx_source *source = s->source;
    const char *labels[] = {"source", s->name, NULL, NULL, NULL};
    rx_metrics_count(m, RX_METRIC_SOURCE_RECEIVED, source->received, labels);
    rx_metrics_count(m, RX_METRIC_SOURCE_DECODED, source->decoded, labels);
    rx_metrics_count(m, RX_METRIC_SOURCE_BYTES, source->bytes, labels);
    rx_metrics_count(m, RX_METRIC_SOURCE_CONNECTS, source->connects, labels);
    rx_metrics_count(m, RX_METRIC_SOURCE_DISCONNECTS, source->disconnects, labels);
    rx_metrics_count(m, RX_METRIC_SOURCE_FAILURES, source->failures, labels);
    rx_metrics_count(m, RX_METRIC_SOURCE_HEADERS, source->headers, labels);
    rx_metrics_count(m, RX_METRIC_SOURCE_RUNNING, source->running, labels);
    labels[2] = "reason";
    for (int i = 0; i < RX_REJECTS; i++) {
        labels[3] = rx_reject_name((enum rx_reject)i);
        rx_metrics_count(m, RX_METRIC_SOURCE_REJECTED, source->rejected[i], labels);
    }
    add_hub(m, s->hub);
    add_hub(m, s->errors);
    if (source->clock)
        add_event_time(m, s);
}

/* ---- steps ---- */

static void add_requests(struct rx_metrics *m, const struct rx_step *step, const struct rx_request_counts *c)
{
    const struct {
        const char *name;
        uint64_t count;
    } outcomes[] = {{"good", c->good}, {"bad", c->bad}, {"failed", c->failed}, {"cancelled", c->cancelled}};
    const char *labels[] = {"pipeline", step->pipeline, "step", step->label, NULL, NULL, NULL};
    rx_metrics_count(m, RX_METRIC_REQUESTS_AGAIN, c->again, labels);
    rx_metrics_add(m, RX_METRIC_REQUESTS_UNDER_WAY, (double)c->under_way, labels);
    rx_metrics_count(m, RX_METRIC_REQUEST_KEPT, c->kept, labels);
    rx_metrics_count(m, RX_METRIC_BREAKER_OPEN, c->breaker_open, labels);
    labels[4] = "outcome";
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        labels[5] = outcomes[i].name;
        rx_metrics_count(m, RX_METRIC_REQUESTS, outcomes[i].count, labels);
    }
}

static void add_step(struct rx_metrics *m, const struct rx_step *step, const struct rx_ledger *ledger)
{
    static const char *const outcomes[RX_ACCOUNTS] = {"used",       "filtered", NULL,      "errored",
                                                      "superseded", "late",     "evicted", "unheard"};
    const char *labels[] = {"pipeline", step->pipeline, "step", step->label, NULL, NULL, NULL};
    if (step->class->base.flags & RX_INTERNAL)
        return;
    rx_metrics_count(m, RX_METRIC_STEP_IN, ledger->in, labels);
    rx_metrics_count(m, RX_METRIC_STEP_OUT, ledger->out, labels);
    rx_metrics_count(m, RX_METRIC_STEP_ABSENT, ledger->accounts[RX_ABSENT], labels);
    rx_metrics_count(m, RX_METRIC_STEP_KEYS_EVICTED, ledger->keys_evicted, labels);
    rx_metrics_add(m, RX_METRIC_STEP_HELD, (double)ledger->held, labels);
    if (ledger->requests)
        add_requests(m, step, ledger->requests);
    labels[4] = "outcome";
    for (int i = 0; i < RX_ACCOUNTS; i++) {
        labels[5] = outcomes[i];
        if (outcomes[i])
            rx_metrics_count(m, RX_METRIC_STEP_EVENTS, ledger->accounts[i], labels);
    }
}

static void add_lane(void *arg, const struct rx_lane_status *s)
{
    struct rx_metrics *m = arg;
    char number[12] = {(char)('0' + s->lane / 10 % 10), (char)('0' + s->lane % 10), 0};
    const char *labels[] = {"pipeline", s->step->pipeline, "step", s->step->label, NULL, NULL, NULL};
    if (s->lane == 0)
        rx_metrics_count(m, RX_METRIC_LANES_FULL, s->full, labels);
    labels[4] = "lane";
    labels[5] = number;
    rx_metrics_count(m, RX_METRIC_LANE_EVENTS, s->sent, labels);
    rx_metrics_count(m, RX_METRIC_LANE_HELD, s->in_flight, labels);
    rx_metrics_add(m, RX_METRIC_LANE_CPU, seconds((rx_time)s->busy), labels);
}

/* ---- sinks ---- */

static void add_sink(struct rx_metrics *m, const struct rx_sink *sink, unsigned position)
{
    char number[12] = {(char)('0' + position / 10 % 10), (char)('0' + position % 10), 0};
    const char *labels[] = {"pipeline", sink->pipeline, "sink", sink->class->base.name, "position", number,
                            NULL,       NULL,           NULL};
    rx_metrics_count(m, RX_METRIC_SINK_IN, sink->in, labels);
    rx_metrics_count(m, RX_METRIC_SINK_OUT, sink->out, labels);
    rx_metrics_count(m, RX_METRIC_SINK_ERRORED, sink->errored, labels);
    rx_metrics_count(m, RX_METRIC_SINK_FAILURES, sink->failures, labels);
    rx_metrics_count(m, RX_METRIC_SINK_HELD, sink->held + sink->waiting, labels);
    labels[6] = "reason";
    labels[7] = "full";
    rx_metrics_count(m, RX_METRIC_SINK_DROPPED, sink->dropped_full, labels);
    labels[7] = "lost";
    rx_metrics_count(m, RX_METRIC_SINK_DROPPED, sink->lost, labels);
    labels[7] = "refused";
    rx_metrics_count(m, RX_METRIC_SINK_DROPPED, sink->refused, labels);
}

static void add_pipeline(struct rx_metrics *m, struct rx_plan *plan, const struct rx_plan_pipeline *p,
                         struct rx_pipeline_status status)
{
    const char *labels[] = {"pipeline", p->name, NULL};
    rx_metrics_count(m, RX_METRIC_PIPELINE_UP, status.state == RX_PIPELINE_RUNNING, labels);
    rx_metrics_count(m, RX_METRIC_PIPELINE_RESTARTS, status.restarts, labels);
    for (size_t i = p->first_step; i < p->first_step + p->step_count; i++)
        add_step(m, plan->steps[i], &plan->ledgers[i]);
    for (size_t i = 0; i < p->sink_count; i++)
        add_sink(m, p->sinks[i].sink, (unsigned)i);
    add_hub(m, p->hub);
    add_hub(m, p->errors);
    add_hub(m, p->late);
    for (size_t i = 0; i < p->branch_count; i++)
        add_hub(m, p->branches[i].hub);
    if (p->logical->out.told)
        add_pipeline_time(m, plan, p);
}

static void add_table(struct rx_metrics *m, const struct rx_plan_table *t)
{
    const char *labels[] = {"pipeline", t->step->pipeline, "step", t->step->label, NULL, NULL, NULL};
    rx_metrics_add(m, RX_METRIC_TABLE_ROWS, (double)rx_table_rows(t->handle.table), labels);
    labels[4] = "outcome";
    labels[5] = "good";
    rx_metrics_count(m, RX_METRIC_TABLE_READ, t->handle.loads, labels);
    labels[5] = "bad";
    rx_metrics_count(m, RX_METRIC_TABLE_READ, t->handle.failures, labels);
}

void rx_metrics_of_runtime(struct rx_metrics *m, struct rx_plan *plan, const struct rx_runtime *runtime)
{
    rx_pipelines_account(plan);
    for (size_t i = 0; i < plan->source_count; i++)
        if (plan->whole || plan->sources[i].used)
            add_source(m, &plan->sources[i]);
    for (const struct rx_plan_table *t = plan->tables; t; t = t->next)
        add_table(m, t);
    if (plan->engine->lanes)
        rx_lane_host_each(plan->engine->lanes, add_lane, m);
    for (size_t i = 0; i < plan->pipeline_count; i++)
        add_pipeline(m, plan, &plan->pipelines[i], rx_runtime_status(runtime, i));
}
