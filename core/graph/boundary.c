/* The clock of epoch windows, one per node. */
#include "core/graph/boundary.h"

#include <errno.h>
#include <inttypes.h>

/* Ends closed by one event: past it, its time is taken for a mistake. */
enum { CLOSINGS_MAX = 1000000 };

struct rx_boundary {
    struct rx_common *common;
    struct rx_boundary_member *first, *last;
    struct rx_boundary_member *cursor; /* the next to be closed, while closing */
    rx_time closed;                    /* the last end closed */
    rx_time next;                      /* the earliest end that a member wants */
    rx_time until;                     /* through which it closes, or has closed last */
    uint64_t births;
    rx_time watermark; /* fixed, or running: then the timer closes */
    bool closing;
};

static rx_time floor_to(rx_time t, rx_time step)
{
    rx_time rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

rx_time rx_schedule_end_after(const struct rx_schedule *s, rx_time t)
{
    rx_time phase = (s->offset + s->size) % s->every;
    return floor_to(t - phase, s->every) + phase + s->every;
}

static int refuse_sorts(struct rx_error *reterr)
{
    rx_error_set(reterr, -EINVAL, "`size` and `every` must both be durations, or both be counts");
    rx_error_hint(reterr, "write {size: 5m, every: 1m}, or {size: 100, every: 10}");
    return -EINVAL;
}

static int refuse_overlap(uint64_t open, struct rx_error *reterr)
{
    rx_error_set(reterr, -EINVAL,
                 "%" PRIu64 " windows would be open at once, and each event would go to all of them; at most %d may be",
                 open, RX_WINDOWS_MAX);
    rx_error_hint(reterr, "make `every` at least a thousandth of `size`");
    return -EINVAL;
}

int rx_extents_check(const struct rx_extent *size, const struct rx_extent *every, bool by_clock,
                     struct rx_error *reterr)
{
    bool timed = size->duration > 0;
    if (timed != (every->duration > 0))
        return refuse_sorts(reterr);
    uint64_t length = timed ? (uint64_t)size->duration : size->count;
    uint64_t step = timed ? (uint64_t)every->duration : every->count;
    uint64_t open = length / step + (length % step > 0);
    if (open > RX_WINDOWS_MAX)
        return refuse_overlap(open, reterr);
    if (timed && by_clock && every->duration < RX_WINDOW_PERIOD_MIN)
        return rx_error_set(reterr, -EINVAL,
                            "windows that begin by the clock, events or not, must be at least 1ms apart");
    return 0;
}

static void set_next(struct rx_boundary *b, rx_time next)
{
    b->next = next;
    if (next == RX_TIME_NEVER || !rx_watermark_is_running(b->watermark))
        rx_common_stop(b->common);
    else
        rx_common_arm(b->common, next + (RX_WATERMARK_CLOCK - b->watermark));
}

/* Collects who wants more before the members are called: what they then want can only come to it. */
static void close_end(struct rx_boundary *b, rx_time end)
{
    rx_time next = RX_TIME_NEVER;
    for (struct rx_boundary_member *m = b->first; m; m = m->following)
        if (m->next > end && m->next < next)
            next = m->next;
    b->closed = end;
    set_next(b, next);
    for (b->cursor = b->first; b->cursor;) {
        struct rx_boundary_member *m = b->cursor;
        b->cursor = m->following;
        if (m->next > end)
            continue;
        m->next = RX_TIME_NEVER;
        m->close(m, end);
    }
}

static bool close_through(struct rx_boundary *b, rx_time time)
{
    long closings = 0;
    if (b->closing)
        return true;
    b->closing = true;
    b->until = time;
    while (b->next <= time && b->next != RX_TIME_NEVER && closings++ < CLOSINGS_MAX)
        close_end(b, b->next);
    b->closing = false;
    return closings <= CLOSINGS_MAX;
}

static void on_timer(struct rx_common *common)
{
    struct rx_boundary *b = rx_common_data(common);
    close_through(b, b->next);
}

static struct rx_boundary *settle(struct rx_common *common)
{
    struct rx_boundary *b = rx_common_data(common);
    if (!b->common)
        *b = (struct rx_boundary){
            .common = common, .closed = INT64_MIN, .next = RX_TIME_NEVER, .watermark = RX_WATERMARK_CLOCK};
    return b;
}

/* What has been closed stays closed, also while no member is there. */
static void save_closed(const struct rx_common *common, struct rx_writer *w)
{
    rx_write_int(w, ((const struct rx_boundary *)rx_common_data(common))->closed);
}

static void load_closed(struct rx_common *common, struct rx_reader *r) { settle(common)->closed = rx_read_int(r); }

static const struct rx_common_class shared = {
    .size = sizeof(struct rx_boundary), .timer = on_timer, .save = save_closed, .load = load_closed};

/* In the order of births: from the end, since nearly all are the youngest. */
static int join(struct rx_boundary_member *m, uint64_t born)
{
    struct rx_common *common = rx_common_get(m->op, &shared);
    if (!common)
        return -ENOMEM;
    struct rx_boundary *b = settle(common);
    struct rx_boundary_member *before = b->last;
    m->next = RX_TIME_NEVER;
    m->boundary = b;
    m->born = born ? born : b->births + 1;
    if (b->births < m->born)
        b->births = m->born;
    while (before && before->born > m->born)
        before = before->previous;
    m->previous = before;
    m->following = before ? before->following : b->first;
    *(before ? &before->following : &b->first) = m;
    *(m->following ? &m->following->previous : &b->last) = m;
    return 0;
}

int rx_boundary_join(struct rx_boundary_member *m) { return join(m, 0); }

void rx_boundary_leave(struct rx_boundary_member *m)
{
    struct rx_boundary *b = m->boundary;
    if (!b)
        return;
    if (b->cursor == m)
        b->cursor = m->following;
    *(m->previous ? &m->previous->following : &b->first) = m->following;
    *(m->following ? &m->following->previous : &b->last) = m->previous;
    m->boundary = NULL;
    if (!b->first)
        set_next(b, RX_TIME_NEVER);
}

static void advance(struct rx_boundary_member *m, rx_time time)
{
    if (close_through(m->boundary, time))
        return;
    struct rx_error error;
    rx_error_set(&error, -ELOOP, "an event lies more than %d windows ahead of the one before", CLOSINGS_MAX);
    rx_fail(m->op, &error);
}

rx_time rx_boundary_until(const struct rx_boundary_member *m)
{
    const struct rx_boundary *b = m->boundary;
    bool runs = b && rx_watermark_is_running(b->watermark);
    rx_time now = runs ? rx_watermark_at(b->watermark, rx_wall(m->op)) : INT64_MIN;
    return b && b->until > now ? b->until : now;
}

void rx_boundary_reach(struct rx_boundary_member *m, rx_time time)
{
    if (m->boundary && m->boundary->watermark == RX_WATERMARK_CLOCK)
        advance(m, time);
}

void rx_boundary_watermark(struct rx_boundary_member *m, rx_time t)
{
    struct rx_boundary *b = m->boundary;
    if (!b)
        return;
    b->watermark = t;
    set_next(b, b->next);
    if (!rx_watermark_is_running(t))
        advance(m, t);
}

bool rx_boundary_want(struct rx_boundary_member *m, rx_time end)
{
    struct rx_boundary *b = m->boundary;
    if (!b || end <= b->closed)
        return false;
    if (end < m->next)
        m->next = end;
    if (end < b->next)
        set_next(b, end);
    return true;
}

void rx_boundary_save(const struct rx_boundary_member *m, struct rx_writer *w)
{
    rx_write_uint(w, m->born);
    rx_write_int(w, m->next);
}

int rx_boundary_load(struct rx_boundary_member *m, struct rx_reader *r)
{
    uint64_t born = rx_read_uint(r);
    rx_time next = rx_read_int(r);
    if (rx_reader_failed(r) || join(m, born) < 0)
        return r->failed ? r->failed : -ENOMEM;
    m->boundary->watermark = rx_op_watermark(m->op);
    if (next != RX_TIME_NEVER && !rx_boundary_want(m, next))
        return -EBADMSG;
    return 0;
}
