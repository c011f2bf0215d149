/* What goes to the lanes: events and what else the op is told, in parcels; the lanes' timers, and how far event time has come. */
#include <string.h>

#include "pipelines/run/lanes_private.h"

enum {
    FULL = 4096,       /* events in flight in one lane: the sources are asked to pause */
    ROOM = FULL / 2,   /* and to go on */
    LIMIT = 65536,     /* a source that cannot pause: what is beyond is dropped, and counted */
    PARCEL_MAX = 65536 /* bytes */
};
#define AGAIN (10 * RX_MSEC) /* where there was no memory for what is due */

/* ---- event time out of the lanes ---- */

/* What a timer of the lane that is due puts out may have the instant before as its time. */
static rx_time before_due(const struct rx_lanes *g, const struct rx_lane *lane)
{
    bool due = rx_watermark_is_running(g->passed) && lane->next_due <= rx_sched_now(rx_lanes_sched(g));
    return due ? rx_watermark_at(g->passed, lane->next_due + rx_sched_drift(rx_lanes_sched(g))) - 1 : INT64_MAX;
}

static rx_time least_of(rx_time a, rx_time b) { return a < b ? a : b; }

/* What is on its way, or will be at this instant, is not older than this. */
static rx_time held_back(const struct rx_lanes *g)
{
    rx_time least = INT64_MAX;
    for (unsigned i = 0; i < g->count; i++) {
        const struct rx_lane *lane = g->lanes[i];
        const struct rx_parcel *first = lane->flight ? lane->flight : lane->filling;
        least = least_of(least, least_of(first ? first->hold : INT64_MAX, before_due(g, lane)));
    }
    return least;
}

void rx_lanes_tell_time(struct rx_lanes *g)
{
    rx_time t = held_back(g);
    if (t == INT64_MAX)
        t = g->passed;
    else if (t > RX_WATERMARK_FIXED_MAX)
        t = RX_WATERMARK_FIXED_MAX;
    if (rx_op_live(g->op))
        rx_lanes_tell(g->op, &(struct rx_note){.kind = RX_WATERMARK, .watermark = t});
}

/* ---- out to the lanes ---- */

static rx_time reached(const struct rx_lanes *g)
{
    return g->passed == RX_WATERMARK_NONE ? g->passed : rx_watermark_at(g->passed, rx_sched_wall(rx_lanes_sched(g)));
}

/* NULL: no memory. */
struct rx_parcel *rx_lanes_parcel(struct rx_lane *lane)
{
    struct rx_lanes *g = lane->group;
    if (lane->filling)
        return lane->filling;
    lane->filling = rx_parcel_create(lane);
    if (lane->filling)
        lane->filling->hold = reached(g);
    g->host->base.gathered = true;
    return lane->filling;
}

void rx_lanes_set_full(struct rx_lanes *g, bool full)
{
    if (g->full == full)
        return;
    g->full = full;
    if (g->host->press)
        g->host->press(g->host->press_arg, g->op->node->step->pipeline, full);
}

bool rx_lanes_have_room(const struct rx_lanes *g)
{
    bool room = true;
    for (unsigned i = 0; i < g->count; i++)
        room = room && g->lanes[i]->in_flight < ROOM;
    return room;
}

static void send(struct rx_lane *lane)
{
    struct rx_lanes *g = lane->group;
    struct rx_parcel *parcel = lane->filling;
    struct rx_crew *crew = g->host->crew;
    lane->filling = NULL;
    parcel->now = rx_sched_now(rx_lanes_sched(g));
    parcel->drift = rx_sched_drift(rx_lanes_sched(g));
    *lane->flight_tail = parcel;
    lane->flight_tail = &parcel->behind;
    lane->in_flight += parcel->events;
    lane->sent += parcel->events;
    g->host->in_flight++;
    rx_crew_lock(crew);
    *lane->waiting_tail = parcel;
    lane->waiting_tail = &parcel->next;
    rx_crew_post(crew, &lane->task);
    rx_crew_unlock(crew);
    if (lane->in_flight >= FULL)
        rx_lanes_set_full(g, true);
}

static void flush(struct rx_lane_host *base)
{
    struct rx_lanes_host *h = rx_lanes_host_of(base);
    h->base.gathered = false;
    for (struct rx_lanes *g = h->groups, *next; g; g = next) {
        bool any = false;
        next = g->next;
        for (unsigned i = 0; i < g->count; i++)
            if (g->lanes[i]->filling) {
                send(g->lanes[i]);
                any = true;
            }
        if (any)
            rx_lanes_tell_time(g);
    }
}

static bool event(struct rx_lanes *g, unsigned part, const struct rx_event *event)
{
    struct rx_lane *lane = g->lanes[part % g->count];
    struct rx_parcel *parcel = lane->in_flight < LIMIT ? rx_lanes_parcel(lane) : NULL;
    if (!parcel)
        return false;
    rx_write_uint(&parcel->in, RX_PARCEL_EVENT);
    rx_write_uint(&parcel->in, part);
    rx_cross_event(&lane->to_lane, &parcel->in, event);
    if (++parcel->events == RX_PARCEL_EVENTS || parcel->in.buffer.length >= PARCEL_MAX)
        send(lane);
    return true;
}

static void watermark(struct rx_lanes *g, rx_time t)
{
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_parcel *parcel = rx_lanes_parcel(g->lanes[i]);
        if (!parcel)
            continue;
        rx_write_uint(&parcel->in, RX_PARCEL_WATERMARK);
        rx_write_int(&parcel->in, t);
    }
    g->passed = t;
}

static void tell_link(struct rx_lanes *g, bool away)
{
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_parcel *parcel = rx_lanes_parcel(g->lanes[i]);
        if (!parcel)
            continue;
        rx_write_uint(&parcel->in, RX_PARCEL_LINK);
        rx_write_bool(&parcel->in, away);
    }
}

static bool barrier(struct rx_lanes *g, uint64_t number)
{
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_parcel *parcel = rx_lanes_parcel(g->lanes[i]);
        if (!parcel)
            return false;
        rx_write_uint(&parcel->in, RX_PARCEL_BARRIER);
        rx_write_uint(&parcel->in, number);
        send(g->lanes[i]); /* it is the last of its parcel */
    }
    return true;
}

static bool end(struct rx_lanes *g, const struct rx_error *error)
{
    g->ending = true;
    if (error)
        g->error = *error;
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_parcel *parcel = rx_lanes_parcel(g->lanes[i]);
        if (!parcel)
            return false;
        rx_write_uint(&parcel->in, error ? RX_PARCEL_ERROR : RX_PARCEL_COMPLETE);
        if (!error)
            continue;
        rx_write_int(&parcel->in, error->code);
        rx_write_text(&parcel->in, error->message, strlen(error->message));
    }
    return true;
}

/* ---- the lanes' timers ---- */

void rx_lanes_arm(struct rx_lanes *g)
{
    rx_time due = RX_TIME_NEVER;
    for (unsigned i = 0; i < g->count; i++)
        if (!g->lanes[i]->flight && g->lanes[i]->next_due < due)
            due = g->lanes[i]->next_due;
    if (due == RX_TIME_NEVER)
        rx_sched_stop(rx_lanes_sched(g), &g->due);
    else
        rx_sched_arm_at(rx_lanes_sched(g), &g->due, due, rx_lanes_sequence(g->op));
}

/* False: no memory. */
static bool send_due(struct rx_lane *lane)
{
    struct rx_parcel *parcel = rx_lanes_parcel(lane);
    if (!parcel)
        return false;
    parcel->through = true;
    parcel->hold = least_of(parcel->hold, before_due(lane->group, lane));
    lane->next_due = RX_TIME_NEVER;
    return true;
}

void rx_lanes_on_due(struct rx_timer *timer)
{
    struct rx_lanes *g = (struct rx_lanes *)(void *)((char *)timer - offsetof(struct rx_lanes, due));
    rx_time now = rx_sched_now(rx_lanes_sched(g));
    bool all = true;
    rx_engine_enter(g->host->engine);
    for (unsigned i = 0; i < g->count; i++)
        if (g->lanes[i]->next_due <= now && !g->lanes[i]->flight)
            all = send_due(g->lanes[i]) && all;
    if (!all)
        rx_sched_arm_at(rx_lanes_sched(g), &g->due, now + AGAIN, rx_lanes_sequence(g->op));
    rx_engine_leave(g->host->engine);
}

/* Lanes that have nothing to do learn that the wall clock was set. */
void rx_lanes_on_clock(void *arg, enum rx_clock_news news, rx_time by)
{
    struct rx_lanes_host *h = arg;
    (void)news, (void)by;
    rx_engine_enter(h->engine);
    for (struct rx_lanes *g = h->groups; g; g = g->next)
        for (unsigned i = 0; i < g->count; i++)
            rx_lanes_parcel(g->lanes[i]);
    rx_engine_leave(h->engine);
}

void rx_lanes_bind_out(struct rx_lane_host *base)
{
    base->event = event;
    base->watermark = watermark;
    base->link = tell_link;
    base->barrier = barrier;
    base->end = end;
    base->flush = flush;
}
