/* What comes back from the lanes, of each in order. */
#include <errno.h>
#include <stdlib.h>

#include "pipelines/run/lanes_private.h"

#define SLICE (2 * RX_MSEC) /* of a turn of the loop, for what has come back */

void rx_lanes_add_accounts(struct rx_lanes *g, const struct rx_ledger *from)
{
    for (size_t i = 0; i < g->step_count; i++) {
        struct rx_ledger *to = &g->plan->ledgers[g->op->node->step->number + 1 + i];
        to->in += from[i].in;
        to->out += from[i].out;
        for (unsigned k = 0; k < RX_ACCOUNTS; k++)
            to->accounts[k] += from[i].accounts[k];
        to->held += from[i].held;
        to->keys_evicted += from[i].keys_evicted;
    }
}

static void read_letter(struct rx_lane *lane, enum rx_parcel_tag tag, struct rx_reader *r)
{
    struct rx_lanes *g = lane->group;
    uint64_t which = tag == RX_PARCEL_BRANCH ? rx_read_uint(r) : 0;
    struct rx_hub *hub = tag == RX_PARCEL_ERRORS ? g->pipeline->errors : g->pipeline->late;
    if (tag == RX_PARCEL_BRANCH)
        hub = which < g->pipeline->branch_count ? g->pipeline->branches[which].hub : NULL;
    struct rx_event event = rx_crossed_event(&lane->from_lane, r);
    if (hub && !rx_reader_failed(r))
        rx_hub_next(hub, &event, 1);
    rx_event_unref(&event);
}

/* An error that all lanes were sent is told when all have answered. */
static void read_error(struct rx_lane *lane, struct rx_reader *r)
{
    struct rx_lanes *g = lane->group;
    struct rx_error error;
    size_t length;
    int code = (int)rx_read_int(r);
    const char *message = rx_read_text(r, &length);
    if (g->ending && g->error.code) {
        lane->over = true;
        return;
    }
    rx_error_set(&error, code, "%.*s", (int)length, message);
    rx_lanes_tell(g->op, &(struct rx_note){.kind = RX_ERROR, .error = &error});
}

static void emit(struct rx_lanes *g, struct rx_event *span, size_t *n)
{
    if (*n)
        rx_lanes_tell(g->op, &(struct rx_note){.kind = RX_NEXT, .span = span, .count = *n});
    for (size_t i = 0; i < *n; i++)
        rx_event_unref(&span[i]);
    *n = 0;
}

static void read_other(struct rx_lane *lane, enum rx_parcel_tag tag, struct rx_reader *r)
{
    if (tag == RX_PARCEL_BARRIER)
        lane->barrier = rx_read_uint(r);
    else if (tag == RX_PARCEL_COMPLETE)
        lane->over = true;
    else if (tag == RX_PARCEL_ERROR)
        read_error(lane, r);
    else
        read_letter(lane, tag, r);
}

static void read_all(struct rx_lane *lane, const struct rx_parcel *parcel)
{
    struct rx_lanes *g = lane->group;
    struct rx_reader r = {.data = (const unsigned char *)parcel->out.buffer.data,
                          .length = parcel->out.buffer.length,
                          .heap = g->host->engine->heap};
    struct rx_event span[RX_SPAN_MAX];
    size_t n = 0;
    while (r.position < r.length) {
        enum rx_parcel_tag tag = (enum rx_parcel_tag)rx_read_uint(&r);
        if (tag == RX_PARCEL_EVENT)
            span[n++] = rx_crossed_event(&lane->from_lane, &r);
        if (n == RX_SPAN_MAX || tag != RX_PARCEL_EVENT)
            emit(g, span, &n);
        if (tag != RX_PARCEL_EVENT)
            read_other(lane, tag, &r);
    }
    emit(g, span, &n);
    struct rx_error error;
    if (!parcel->failed && !rx_reader_failed(&r))
        return;
    rx_error_set(&error, -ENOMEM, "out of memory in a lane");
    rx_lanes_tell(g->op, &(struct rx_note){.kind = RX_ERROR, .error = &error});
}

static bool all_over(const struct rx_lanes *g)
{
    bool over = g->ending;
    for (unsigned i = 0; i < g->count && over; i++)
        over = g->lanes[i]->over;
    return over;
}

static void look(struct rx_lanes *g)
{
    if (rx_lanes_have_room(g))
        rx_lanes_set_full(g, false);
    rx_lanes_arm(g);
    rx_lanes_tell_time(g);
    if (all_over(g))
        rx_lanes_tell(g->op, &(struct rx_note){.kind = g->error.code ? RX_ERROR : RX_COMPLETE, .error = &g->error});
}

void rx_lanes_land(struct rx_lane *lane)
{
    struct rx_parcel *parcel = lane->flight;
    lane->flight = parcel->behind;
    if (!lane->flight)
        lane->flight_tail = &lane->flight;
    lane->in_flight -= parcel->events;
    lane->group->host->in_flight--;
}

/* What comes behind a barrier waits until that has come out of all lanes. */
static bool is_barred(const struct rx_lane *lane) { return lane->barrier > lane->group->barrier; }

static void take(struct rx_lane *lane)
{
    struct rx_parcel *parcel = lane->flight;
    struct rx_lanes *g = lane->group;
    rx_lanes_land(lane);
    rx_lanes_add_accounts(g, parcel->accounts);
    rx_lanes_back(g->op, parcel->events);
    lane->next_due = parcel->next_due;
    read_all(lane, parcel);
    rx_parcel_destroy(parcel);
}

static bool barrier_is_out(const struct rx_lanes *g)
{
    bool out = true;
    for (unsigned i = 0; i < g->count; i++)
        out = out && is_barred(g->lanes[i]);
    return out;
}

/* Of each lane its parcels come back in the order in which they went. */
static void take_what_is_back(struct rx_lanes *g)
{
    bool more = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < g->count; i++)
            while (g->lanes[i]->back > 0 && !is_barred(g->lanes[i])) {
                g->lanes[i]->back--;
                take(g->lanes[i]);
            }
        if (g->count > 0 && barrier_is_out(g)) {
            g->barrier = g->lanes[0]->barrier;
            rx_lanes_tell(g->op, &(struct rx_note){.kind = RX_BARRIER, .barrier = g->barrier});
            more = true;
        }
    }
}

/* The next parcel that has come back; it stays in its lane's flight. */
static struct rx_lane *next_back(struct rx_lanes_host *h)
{
    rx_crew_lock(h->crew);
    struct rx_parcel *parcel = h->done;
    if (parcel && !(h->done = parcel->next))
        h->done_tail = &h->done;
    rx_crew_unlock(h->crew);
    return parcel ? parcel->lane : NULL;
}

/* The op, and with it the lanes, may be gone when the turn is over. */
void rx_lanes_on_wake(void *arg)
{
    struct rx_lanes_host *h = arg;
    rx_time until = rx_lanes_monotonic() + SLICE;
    struct rx_lane *lane;
    while (rx_lanes_monotonic() < until && (lane = next_back(h))) {
        struct rx_lanes *g = lane->group;
        lane->back++;
        rx_engine_enter(h->engine);
        take_what_is_back(g);
        look(g);
        rx_engine_leave(h->engine);
    }
    rx_crew_lock(h->crew);
    if (h->done)
        rx_wake_signal(h->wake);
    rx_crew_unlock(h->crew);
}

void rx_lanes_on_done(struct rx_parcel *parcel)
{
    struct rx_lanes_host *h = parcel->lane->group->host;
    parcel->next = NULL;
    *h->done_tail = parcel;
    h->done_tail = &parcel->next;
    rx_wake_signal(h->wake);
}
