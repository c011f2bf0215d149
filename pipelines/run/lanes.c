/* The lanes of a worker: life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pipelines/run/lanes_private.h"

rx_time rx_lanes_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

/* ---- opening and closing ---- */

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > RX_PARTS_MAX ? RX_PARTS_MAX : (unsigned)n;
}

static int make_lanes(struct rx_lanes *g, unsigned lanes, struct rx_error *reterr)
{
    int r = rx_crew_grow(g->host->crew, lanes);
    if (r < 0)
        return rx_error_set(reterr, r, "no thread for a lane: %s", strerror(-r));
    for (; r == 0 && g->count < lanes; g->count += r == 0) {
        r = rx_lane_create(g->plan->logical, g->host->crew, g->op, &g->lanes[g->count], reterr);
        if (r < 0)
            break;
        g->lanes[g->count]->group = g;
        g->step_count = g->lanes[g->count]->step_count;
        g->lanes[g->count]->done = rx_lanes_on_done;
    }
    return r;
}

static void link_group(struct rx_lanes *g)
{
    struct rx_lanes_host *h = g->host;
    g->next = h->groups;
    g->link = &h->groups;
    if (g->next)
        g->next->link = &g->next;
    h->groups = g;
}

/* Nothing of the lane is anywhere but in its own lists when this returns. */
static void recall(struct rx_lane *lane)
{
    struct rx_lanes_host *h = lane->group->host;
    atomic_store(&lane->closing, true);
    rx_crew_lock(h->crew);
    lane->waiting = NULL;
    lane->waiting_tail = &lane->waiting;
    rx_crew_recall(h->crew, &lane->task);
    for (struct rx_parcel **link = &h->done; *link;) {
        if ((*link)->lane == lane)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
    h->done_tail = &h->done;
    while (*h->done_tail)
        h->done_tail = &(*h->done_tail)->next;
    rx_crew_unlock(h->crew);
}

static void close_lane(struct rx_lane *lane)
{
    struct rx_lanes *g = lane->group;
    struct rx_ledger *rest = calloc(lane->step_count + 1, sizeof *rest);
    recall(lane);
    while (lane->flight) {
        struct rx_parcel *parcel = lane->flight;
        rx_lanes_land(lane);
        rx_lanes_add_accounts(g, parcel->accounts); /* zeroes where it has not been worked on */
        rx_parcel_destroy(parcel);
    }
    rx_parcel_destroy(lane->filling);
    rx_lane_destroy(lane, rest);
    if (rest)
        rx_lanes_add_accounts(g, rest);
    free(rest);
}

static void close_lanes(struct rx_lanes *g)
{
    rx_sched_stop(rx_lanes_sched(g), &g->due);
    rx_lanes_set_full(g, false);
    for (unsigned i = 0; i < g->count; i++)
        close_lane(g->lanes[i]);
    *g->link = g->next;
    if (g->next)
        g->next->link = g->link;
    free(g);
}

static int open_lanes(struct rx_lane_host *base, struct rx_op *op, unsigned parts, unsigned lanes,
                      struct rx_lanes **ret, struct rx_error *reterr)
{
    struct rx_lanes_host *h = rx_lanes_host_of(base);
    struct rx_lanes *g = parts == RX_PARTS_MAX ? calloc(1, sizeof *g) : NULL;
    if (!g)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *g = (struct rx_lanes){
        .host = h, .op = op, .plan = h->plan, .due = {.fire = rx_lanes_on_due}, .passed = RX_WATERMARK_CLOCK};
    g->pipeline = rx_plan_find_pipeline(h->plan, op->node->step->pipeline);
    link_group(g);
    int r = make_lanes(g, lanes ? lanes : cores(), reterr);
    if (r < 0) {
        close_lanes(g);
        return r;
    }
    *ret = g;
    return 0;
}

/* ---- the host ---- */

int rx_lane_host_create(struct rx_crew *crew, struct rx_loop *loop, struct rx_engine *engine, struct rx_lane_host **ret)
{
    struct rx_lanes_host *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->base = (struct rx_lane_host){.open = open_lanes, .close = close_lanes};
    rx_lanes_bind_out(&h->base);
    rx_lanes_bind_state(&h->base);
    h->crew = crew;
    h->engine = engine;
    h->done_tail = &h->done;
    int r = rx_wake_create(loop, rx_lanes_on_wake, h, &h->wake);
    if (r < 0) {
        free(h);
        return r;
    }
    h->loop = loop;
    rx_loop_on_clock(loop, rx_lanes_on_clock, h);
    engine->lanes = *ret = &h->base;
    return 0;
}

void rx_lane_host_destroy(struct rx_lane_host *base)
{
    if (!base)
        return;
    struct rx_lanes_host *h = rx_lanes_host_of(base);
    h->engine->lanes = NULL;
    rx_loop_on_clock(h->loop, NULL, NULL);
    rx_wake_destroy(h->wake);
    free(h);
}

void rx_lane_host_use(struct rx_lane_host *base, struct rx_plan *plan,
                      void (*press)(void *arg, const char *pipeline, bool full), void *arg)
{
    struct rx_lanes_host *h = rx_lanes_host_of(base);
    h->plan = plan;
    h->press = press;
    h->press_arg = arg;
}

/* Each turn may send more: what comes out of one pipeline may go into the lanes of another. */
void rx_lane_host_settle(struct rx_lane_host *base, rx_time at_most)
{
    struct rx_lanes_host *h = rx_lanes_host_of(base);
    rx_time until = at_most == RX_TIME_NEVER ? at_most : rx_lanes_monotonic() + at_most;
    bool in_time = true;
    do {
        rx_engine_enter(h->engine);
        rx_engine_leave(h->engine);
        rx_lanes_on_wake(h);
        rx_crew_lock(h->crew);
        while (h->in_flight && !h->done && in_time)
            in_time = rx_crew_wait(h->crew, until);
        rx_crew_unlock(h->crew);
    } while (h->in_flight && in_time);
}

void rx_lane_host_each(const struct rx_lane_host *base, void (*each)(void *arg, const struct rx_lane_status *),
                       void *arg)
{
    const struct rx_lanes_host *h = (const struct rx_lanes_host *)(const void *)base;
    for (const struct rx_lanes *g = h->groups; g; g = g->next)
        for (unsigned i = 0; i < g->count; i++)
            each(arg, &(struct rx_lane_status){.step = g->op->node->step,
                                               .lane = i,
                                               .in_flight = g->lanes[i]->in_flight,
                                               .sent = g->lanes[i]->sent,
                                               .full = g->full,
                                               .busy = atomic_load(&g->lanes[i]->busy)});
}
