/* The lanes of a worker: parcels out to them, and what comes back. */
#include "pipelines/run/lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pipelines/run/lane.h"

enum {
    FULL = 4096,       /* events in flight in one lane: the sources are asked to pause */
    ROOM = FULL / 2,   /* and to go on */
    LIMIT = 65536,     /* a source that cannot pause: what is beyond is dropped, and counted */
    PARCEL_MAX = 65536 /* bytes */
};
#define SLICE (2 * RX_MSEC) /* of a turn of the loop, for what has come back */

struct host {
    struct rx_lane_host base;
    struct rx_crew *crew;
    struct rx_engine *engine;
    struct rx_wake *wake;
    struct rx_plan *plan;
    void (*press)(void *arg, const char *pipeline, bool full);
    void *press_arg;
    struct rx_lanes *groups;
    struct rx_parcel *done, **done_tail; /* under the crew's lock */
    size_t in_flight;                    /* parcels */
};

/* Those of one op. */
struct rx_lanes {
    struct rx_lanes *next, **link;
    struct host *host;
    struct rx_op *op;
    struct rx_plan *plan;
    struct rx_plan_pipeline *pipeline;
    struct rx_timer due; /* of the lanes' timers */
    rx_time passed;      /* the watermark that was sent last */
    bool full, ending;
    struct rx_error error; /* ending: code 0, completed */
    uint64_t barrier;
    size_t step_count; /* of the steps in the lanes, which are numbered behind the op's */
    unsigned count;
    struct rx_lane *lanes[RX_PARTS_MAX];
};

static struct host *host_of(struct rx_lane_host *base) { return (struct host *)(void *)base; }

static struct rx_sched *sched_of(const struct rx_lanes *g) { return g->host->engine->sched; }

static rx_time monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

/* ---- event time out of the lanes ---- */

/* What a timer of the lane that is due puts out may have the instant before as its time. */
static rx_time before_due(const struct rx_lanes *g, const struct rx_lane *lane)
{
    bool due = rx_watermark_is_running(g->passed) && lane->next_due <= rx_sched_now(sched_of(g));
    return due ? rx_watermark_at(g->passed, lane->next_due + rx_sched_drift(sched_of(g))) - 1 : INT64_MAX;
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

static void tell_time(struct rx_lanes *g)
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
    return g->passed == RX_WATERMARK_NONE ? g->passed : rx_watermark_at(g->passed, rx_sched_wall(sched_of(g)));
}

/* NULL: no memory. */
static struct rx_parcel *parcel_for(struct rx_lane *lane)
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

static void set_full(struct rx_lanes *g, bool full)
{
    if (g->full == full)
        return;
    g->full = full;
    if (g->host->press)
        g->host->press(g->host->press_arg, g->op->node->step->pipeline, full);
}

static void send(struct rx_lane *lane)
{
    struct rx_lanes *g = lane->group;
    struct rx_parcel *parcel = lane->filling;
    struct rx_crew *crew = g->host->crew;
    lane->filling = NULL;
    parcel->now = rx_sched_now(sched_of(g));
    parcel->drift = rx_sched_drift(sched_of(g));
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
        set_full(g, true);
}

static void flush(struct rx_lane_host *base)
{
    struct host *h = host_of(base);
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
            tell_time(g);
    }
}

static bool event(struct rx_lanes *g, unsigned part, const struct rx_event *event)
{
    struct rx_lane *lane = g->lanes[part % g->count];
    struct rx_parcel *parcel = lane->in_flight < LIMIT ? parcel_for(lane) : NULL;
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
        struct rx_parcel *parcel = parcel_for(g->lanes[i]);
        if (!parcel)
            continue;
        rx_write_uint(&parcel->in, RX_PARCEL_WATERMARK);
        rx_write_int(&parcel->in, t);
    }
    g->passed = t;
}

static void barrier(struct rx_lanes *g, uint64_t number)
{
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_parcel *parcel = parcel_for(g->lanes[i]);
        if (!parcel)
            continue;
        rx_write_uint(&parcel->in, RX_PARCEL_BARRIER);
        rx_write_uint(&parcel->in, number);
        send(g->lanes[i]); /* it is the last of its parcel */
    }
}

static void end(struct rx_lanes *g, const struct rx_error *error)
{
    g->ending = true;
    if (error)
        g->error = *error;
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_parcel *parcel = parcel_for(g->lanes[i]);
        if (!parcel)
            continue;
        rx_write_uint(&parcel->in, error ? RX_PARCEL_ERROR : RX_PARCEL_COMPLETE);
        if (!error)
            continue;
        rx_write_int(&parcel->in, error->code);
        rx_write_text(&parcel->in, error->message, strlen(error->message));
    }
}

/* ---- the lanes' timers ---- */

static void arm(struct rx_lanes *g)
{
    rx_time due = RX_TIME_NEVER;
    for (unsigned i = 0; i < g->count; i++)
        if (!g->lanes[i]->flight && g->lanes[i]->next_due < due)
            due = g->lanes[i]->next_due;
    if (due == RX_TIME_NEVER)
        rx_sched_stop(sched_of(g), &g->due);
    else
        rx_sched_arm_at(sched_of(g), &g->due, due, rx_lanes_sequence(g->op));
}

static void on_due(struct rx_timer *timer)
{
    struct rx_lanes *g = (struct rx_lanes *)(void *)((char *)timer - offsetof(struct rx_lanes, due));
    rx_time now = rx_sched_now(sched_of(g));
    rx_engine_enter(g->host->engine);
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_lane *lane = g->lanes[i];
        struct rx_parcel *parcel = lane->next_due <= now && !lane->flight ? parcel_for(lane) : NULL;
        if (!parcel)
            continue;
        parcel->through = true;
        parcel->hold = least_of(parcel->hold, before_due(g, lane));
        lane->next_due = RX_TIME_NEVER;
    }
    rx_engine_leave(g->host->engine);
}

/* ---- back from them ---- */

static void add_accounts(struct rx_lanes *g, const struct rx_ledger *from)
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
    bool room = true;
    for (unsigned i = 0; i < g->count; i++)
        room = room && g->lanes[i]->in_flight < ROOM;
    if (room)
        set_full(g, false);
    arm(g);
    tell_time(g);
    if (all_over(g))
        rx_lanes_tell(g->op, &(struct rx_note){.kind = g->error.code ? RX_ERROR : RX_COMPLETE, .error = &g->error});
}

static void land(struct rx_lane *lane)
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
    land(lane);
    add_accounts(g, parcel->accounts);
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
static struct rx_lane *next_back(struct host *h)
{
    rx_crew_lock(h->crew);
    struct rx_parcel *parcel = h->done;
    if (parcel && !(h->done = parcel->next))
        h->done_tail = &h->done;
    rx_crew_unlock(h->crew);
    return parcel ? parcel->lane : NULL;
}

/* The op, and with it the lanes, may be gone when the turn is over. */
static void on_wake(void *arg)
{
    struct host *h = arg;
    rx_time until = monotonic() + SLICE;
    struct rx_lane *lane;
    while (monotonic() < until && (lane = next_back(h))) {
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

static void on_done(struct rx_parcel *parcel)
{
    struct host *h = parcel->lane->group->host;
    parcel->next = NULL;
    *h->done_tail = parcel;
    h->done_tail = &parcel->next;
    rx_wake_signal(h->wake);
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
        g->lanes[g->count]->done = on_done;
    }
    return r;
}

static void link_group(struct rx_lanes *g)
{
    struct host *h = g->host;
    g->next = h->groups;
    g->link = &h->groups;
    if (g->next)
        g->next->link = &g->next;
    h->groups = g;
}

/* Nothing of the lane is anywhere but in its own lists when this returns. */
static void recall(struct rx_lane *lane)
{
    struct host *h = lane->group->host;
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
        land(lane);
        add_accounts(g, parcel->accounts); /* zeroes where it has not been worked on */
        rx_parcel_destroy(parcel);
    }
    rx_parcel_destroy(lane->filling);
    rx_lane_destroy(lane, rest);
    if (rest)
        add_accounts(g, rest);
    free(rest);
}

static void close_lanes(struct rx_lanes *g)
{
    rx_sched_stop(sched_of(g), &g->due);
    set_full(g, false);
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
    struct host *h = host_of(base);
    struct rx_lanes *g = parts == RX_PARTS_MAX ? calloc(1, sizeof *g) : NULL;
    if (!g)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *g = (struct rx_lanes){.host = h, .op = op, .plan = h->plan, .due = {.fire = on_due}, .passed = RX_WATERMARK_CLOCK};
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

/* ---- state ---- */

static int save(struct rx_lanes *g, struct rx_writer *w)
{
    rx_write_int(w, g->passed);
    rx_write_uint(w, g->barrier);
    rx_write_bool(w, g->ending);
    rx_write_int(w, g->error.code);
    rx_write_text(w, g->error.message, strlen(g->error.message));
    rx_write_uint(w, g->count);
    for (unsigned i = 0; i < g->count; i++) {
        size_t frame = rx_frame_begin(w);
        rx_lane_save_common(g->lanes[i], w);
        rx_frame_end(w, frame);
    }
    for (unsigned part = 0; part < RX_PARTS_MAX; part++)
        rx_lane_save_part(g->lanes[part % g->count], part, w);
    return g->host->in_flight ? -EBUSY : 0;
}

/* There may have been more lanes, or fewer: each begins with what one of them had. */
static void load_common(struct rx_lanes *g, struct rx_reader *r)
{
    struct rx_reader frames[RX_PARTS_MAX];
    uint64_t n = rx_read_uint(r);
    if (n < 1 || n > RX_PARTS_MAX)
        rx_reader_fail(r, -EBADMSG);
    for (uint64_t i = 0; i < n && !rx_reader_failed(r); i++)
        frames[i] = rx_frame_open(r);
    for (unsigned i = 0; i < g->count && !rx_reader_failed(r); i++) {
        struct rx_reader own = frames[i % n];
        rx_lane_load_common(g->lanes[i], &own);
        rx_frame_close(r, &own);
    }
}

static int load(struct rx_lanes *g, struct rx_reader *r)
{
    size_t length = 0;
    g->passed = rx_read_int(r);
    g->barrier = rx_read_uint(r);
    g->ending = rx_read_bool(r);
    int code = (int)rx_read_int(r);
    const char *message = rx_read_text(r, &length);
    if (code)
        rx_error_set(&g->error, code, "%.*s", (int)length, message);
    load_common(g, r);
    for (unsigned part = 0; part < RX_PARTS_MAX && !rx_reader_failed(r); part++)
        rx_lane_load_part(g->lanes[part % g->count], part, r);
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_ledger *held = calloc(g->lanes[i]->step_count + 1, sizeof *held);
        if (!held) {
            rx_reader_fail(r, -ENOMEM);
            break;
        }
        g->lanes[i]->barrier = g->barrier;
        rx_lane_load_time(g->lanes[i], g->passed, g->ending && !code);
        rx_lane_account(g->lanes[i], held);
        add_accounts(g, held);
        free(held);
        if (g->ending)
            parcel_for(g->lanes[i]); /* for who was over already to say so again */
    }
    arm(g);
    return r->failed;
}

/* ---- the host ---- */

int rx_lane_host_create(struct rx_crew *crew, struct rx_loop *loop, struct rx_engine *engine, struct rx_lane_host **ret)
{
    struct host *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->base = (struct rx_lane_host){.open = open_lanes,
                                    .event = event,
                                    .watermark = watermark,
                                    .barrier = barrier,
                                    .end = end,
                                    .close = close_lanes,
                                    .save = save,
                                    .load = load,
                                    .flush = flush};
    h->crew = crew;
    h->engine = engine;
    h->done_tail = &h->done;
    int r = rx_wake_create(loop, on_wake, h, &h->wake);
    if (r < 0) {
        free(h);
        return r;
    }
    engine->lanes = *ret = &h->base;
    return 0;
}

void rx_lane_host_destroy(struct rx_lane_host *base)
{
    if (!base)
        return;
    struct host *h = host_of(base);
    h->engine->lanes = NULL;
    rx_wake_destroy(h->wake);
    free(h);
}

void rx_lane_host_use(struct rx_lane_host *base, struct rx_plan *plan,
                      void (*press)(void *arg, const char *pipeline, bool full), void *arg)
{
    struct host *h = host_of(base);
    h->plan = plan;
    h->press = press;
    h->press_arg = arg;
}

/* Each turn may send more: what comes out of one pipeline may go into the lanes of another. */
void rx_lane_host_settle(struct rx_lane_host *base, rx_time at_most)
{
    struct host *h = host_of(base);
    rx_time until = at_most == RX_TIME_NEVER ? at_most : monotonic() + at_most;
    bool in_time = true;
    do {
        rx_engine_enter(h->engine);
        rx_engine_leave(h->engine);
        on_wake(h);
        rx_crew_lock(h->crew);
        while (h->in_flight && !h->done && in_time)
            in_time = rx_crew_wait(h->crew, until);
        rx_crew_unlock(h->crew);
    } while (h->in_flight && in_time);
}

void rx_lane_host_each(const struct rx_lane_host *base, void (*each)(void *arg, const struct rx_lane_status *),
                       void *arg)
{
    const struct host *h = (const struct host *)(const void *)base;
    for (const struct rx_lanes *g = h->groups; g; g = g->next)
        for (unsigned i = 0; i < g->count; i++)
            each(arg, &(struct rx_lane_status){.step = g->op->node->step,
                                               .lane = i,
                                               .in_flight = g->lanes[i]->in_flight,
                                               .sent = g->lanes[i]->sent,
                                               .full = g->full,
                                               .busy = atomic_load(&g->lanes[i]->busy)});
}
