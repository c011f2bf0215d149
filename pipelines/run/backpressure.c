/* Sinks: what they take, what waits for room in them, and the sources that are paused meanwhile. */
#include <errno.h>
#include <stdlib.h>

#include "pipelines/run/runtime_private.h"

enum { WAITING_MAX = 65536 }; /* events, for one sink: a paused source may still have so much on its way */
#define ROOM_PERIOD (20 * RX_MSEC)

/* ---- whom to pause: the sources that the pipeline reads, through others too ---- */

struct search {
    const struct rx_plan *plan;
    bool *sources, *pipelines;
};

static void find_feeds(void *arg, const struct rx_node *node, unsigned depth);

static bool is_outlet(const struct rx_plan_pipeline *p, const struct rx_hub *hub)
{
    bool found = p->hub == hub || p->errors == hub;
    for (size_t k = 0; k < p->branch_count; k++)
        found = found || p->branches[k].hub == hub;
    return found;
}

static void find_in_pipeline(struct search *s, size_t i)
{
    if (s->pipelines[i])
        return;
    s->pipelines[i] = true;
    rx_plan_walk(s->plan->pipelines[i].graph, find_feeds, s);
}

static void find_feeds(void *arg, const struct rx_node *node, unsigned depth)
{
    struct search *s = arg;
    (void)depth;
    for (size_t i = 0; node->hub && i < s->plan->source_count; i++)
        s->sources[i] =
            s->sources[i] || s->plan->sources[i].hub == node->hub || s->plan->sources[i].errors == node->hub;
    for (size_t i = 0; node->hub && i < s->plan->pipeline_count; i++)
        if (is_outlet(&s->plan->pipelines[i], node->hub))
            find_in_pipeline(s, i);
}

static bool *feeds_of(struct rx_delivery *d)
{
    const struct rx_plan *plan = d->runtime->plan;
    if (d->feeds)
        return d->feeds;
    struct search s = {.plan = plan,
                       .sources = calloc(plan->source_count + 1, sizeof *s.sources),
                       .pipelines = calloc(plan->pipeline_count + 1, sizeof *s.pipelines)};
    for (size_t i = 0; s.sources && s.pipelines && i < plan->pipeline_count; i++)
        if (is_outlet(&plan->pipelines[i], d->hub))
            find_in_pipeline(&s, i);
    free(s.pipelines);
    return d->feeds = s.sources;
}

static void pause_source(struct rx_runtime *r, size_t i, bool paused)
{
    struct rx_source *source = r->plan->sources[i].source;
    unsigned before = r->pauses[i];
    r->pauses[i] = paused ? before + 1 : before - 1;
    if (source->class->pause && (before == 0 || r->pauses[i] == 0))
        source->class->pause(source, paused);
}

static void pause_feeds(struct rx_delivery *d, bool pausing)
{
    for (size_t i = 0; i < d->runtime->plan->source_count; i++)
        if (d->feeds[i])
            pause_source(d->runtime, i, pausing);
}

static void set_pausing(struct rx_delivery *d, bool pausing)
{
    if (d->pausing == pausing || !feeds_of(d))
        return;
    d->pausing = pausing;
    pause_feeds(d, pausing);
}

void rx_delivery_press(struct rx_delivery *d, bool full)
{
    if (!feeds_of(d) || (!full && d->lanes_full == 0))
        return;
    d->lanes_full += full ? 1 : -1u;
    if (d->lanes_full == (full ? 1u : 0u))
        pause_feeds(d, full);
}

void rx_runtime_source_started(struct rx_runtime *r, size_t source)
{
    struct rx_source *s = r->plan->sources[source].source;
    if (r->pauses[source] > 0 && s->running && s->class->pause)
        s->class->pause(s, true);
}

/* ---- writing ---- */

static void send_letter(struct rx_sink *sink, const struct rx_event *event, const struct rx_error *error)
{
    sink->errored++;
    if (!sink->errors)
        return;
    struct rx_event letter = rx_error_event(sink->engine, "sink", sink->class->base.name, error, event->value);
    rx_hub_next(sink->errors, &letter, 1);
    rx_event_unref(&letter);
}

/* False: it is full. */
static bool write_one(struct rx_sink *sink, const struct rx_event *event)
{
    struct rx_error error = {0};
    int r = sink->class->write(sink, event, &error); /* out or held: the sink's own account */
    if (r < 0 && r != -EAGAIN)
        send_letter(sink, event, &error);
    return r != -EAGAIN;
}

static struct rx_event_queue *waiting_for(struct rx_delivery *d, size_t k)
{
    if (!d->waiting)
        d->waiting = calloc(d->sink_count, sizeof *d->waiting);
    return d->waiting ? &d->waiting[k] : NULL;
}

static void wait_for_room(struct rx_delivery *d, size_t k, const struct rx_event *event)
{
    struct rx_sink *sink = d->sinks[k].sink;
    struct rx_event_queue *queue = waiting_for(d, k);
    if (!queue || queue->count >= WAITING_MAX || rx_event_queue_push(queue, event) < 0) {
        sink->dropped_full++;
        return;
    }
    sink->waiting = queue->count;
    set_pausing(d, true);
    if (!rx_timer_armed(&d->room))
        rx_sched_arm(sink->sched, &d->room, rx_sched_now(sink->sched) + ROOM_PERIOD);
}

void rx_delivery_write(struct rx_delivery *d, size_t k, const struct rx_event *event)
{
    struct rx_sink *sink = d->sinks[k].sink;
    sink->in++;
    if (sink->waiting == 0 && write_one(sink, event))
        return;
    if (sink->pauses)
        wait_for_room(d, k, event);
    else
        sink->dropped_full++;
}

/* True when nothing waits any more. */
static bool write_waiting(struct rx_delivery *d, size_t k)
{
    struct rx_sink *sink = d->sinks[k].sink;
    struct rx_event_queue *queue = &d->waiting[k];
    while (queue->count > 0 && write_one(sink, rx_event_queue_at(queue, 0)))
        rx_event_queue_drop(queue, 1);
    sink->waiting = queue->count;
    if (sink->class->flush)
        sink->class->flush(sink);
    return queue->count == 0;
}

bool rx_delivery_write_waiting(struct rx_delivery *d)
{
    bool done = true;
    for (size_t k = 0; d->waiting && k < d->sink_count; k++)
        done = write_waiting(d, k) && done;
    if (done)
        set_pausing(d, false);
    return done;
}

void rx_delivery_on_room(struct rx_timer *timer)
{
    struct rx_delivery *d = (struct rx_delivery *)(void *)((char *)timer - offsetof(struct rx_delivery, room));
    struct rx_sched *sched = d->runtime->plan->engine->sched;
    if (!rx_delivery_write_waiting(d))
        rx_sched_arm(sched, timer, rx_sched_now(sched) + ROOM_PERIOD);
}

/* What still waits and is nobody else's now is lost: it has been told by the ledger. */
void rx_delivery_finish(struct rx_delivery *d)
{
    rx_sched_stop(d->runtime->plan->engine->sched, &d->room);
    for (size_t k = 0; d->waiting && k < d->sink_count; k++) {
        d->sinks[k].sink->dropped_full += d->waiting[k].count;
        d->sinks[k].sink->waiting = 0;
        rx_event_queue_finish(&d->waiting[k]);
    }
    free(d->waiting);
    free(d->feeds);
    d->waiting = NULL;
    d->feeds = NULL;
}

/* ---- state ---- */

void rx_delivery_save_waiting(const struct rx_delivery *d, size_t k, struct rx_writer *w)
{
    static const struct rx_event_queue none;
    rx_event_queue_save(d->waiting ? &d->waiting[k] : &none, w);
}

int rx_delivery_load_waiting(struct rx_delivery *d, size_t k, struct rx_reader *r)
{
    struct rx_sink *sink = d->sinks[k].sink;
    struct rx_event_queue *queue = waiting_for(d, k);
    int result = queue ? rx_event_queue_load(queue, r) : -ENOMEM;
    if (result < 0 || queue->count == 0)
        return result;
    sink->waiting = queue->count;
    set_pausing(d, true);
    return rx_sched_arm(sink->sched, &d->room, rx_sched_now(sink->sched));
}
