/* The clock of windows, one per node. */
#include "core/graph/boundary.h"

#include <errno.h>
#include <stdlib.h>

struct rx_boundary {
    struct rx_common *common;
    struct rx_boundary_member **heap; /* who wants something: the earliest on top, children of i at 2i + 1 and 2i + 2 */
    uint32_t count, capacity, members;
    rx_time told;   /* the last instant that members were told of */
    rx_time closed; /* the latest of them */
    rx_time until;  /* through which it tells, or has told last */
    uint64_t births;
    rx_time armed;     /* the instant that the timer waits for */
    rx_time watermark; /* fixed, or running: then the timer closes */
    bool closing;
};

static int refuse_sorts(struct rx_error *reterr)
{
    rx_error_set(reterr, -EINVAL, "`size` and `every` must both be durations, or both be counts");
    rx_error_hint(reterr, "write {size: 5m, every: 1m}, or {size: 100, every: 10}");
    return -EINVAL;
}

int rx_extents_check(const struct rx_extent *size, const struct rx_extent *every, bool by_clock,
                     struct rx_error *reterr)
{
    bool timed = size->duration > 0;
    if (timed != (every->duration > 0))
        return refuse_sorts(reterr);
    if (timed && by_clock && every->duration < RX_WINDOW_PERIOD_MIN)
        return rx_error_set(reterr, -EINVAL,
                            "windows that begin by the clock, events or not, must be at least 1ms apart");
    return 0;
}

/* ---- the heap (Williams, CACM 7, 1964): by instant, what comes at it out first, by order of joining ---- */

static bool before(const struct rx_boundary_member *a, const struct rx_boundary_member *b)
{
    if (a->next != b->next)
        return a->next < b->next;
    return a->past != b->past ? b->past : a->born < b->born;
}

static void put(struct rx_boundary *b, uint32_t i, struct rx_boundary_member *m)
{
    b->heap[i] = m;
    m->place = i + 1;
}

static void sift_up(struct rx_boundary *b, uint32_t i, struct rx_boundary_member *m)
{
    for (; i > 0 && before(m, b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        put(b, i, b->heap[(i - 1) / 2]);
    put(b, i, m);
}

static void sift_down(struct rx_boundary *b, uint32_t i, struct rx_boundary_member *m)
{
    for (uint32_t child = 2 * i + 1; child < b->count; child = 2 * i + 1) {
        child += child + 1 < b->count && before(b->heap[child + 1], b->heap[child]);
        if (before(m, b->heap[child]))
            break;
        put(b, i, b->heap[child]);
        i = child;
    }
    put(b, i, m);
}

static void remove_member(struct rx_boundary *b, struct rx_boundary_member *m)
{
    uint32_t i = m->place;
    m->place = 0;
    m->next = RX_TIME_NEVER;
    if (i-- == 0)
        return;
    struct rx_boundary_member *last = b->heap[--b->count];
    if (last == m)
        return;
    if (i > 0 && before(last, b->heap[(i - 1) / 2]))
        sift_up(b, i, last);
    else
        sift_down(b, i, last);
}

/* ---- closing ---- */

static void arm(struct rx_boundary *b)
{
    if (b->count == 0 || !rx_watermark_is_running(b->watermark)) {
        rx_common_stop(b->common);
        return;
    }
    b->armed = b->heap[0]->next;
    rx_common_arm(b->common, b->armed + (RX_WATERMARK_CLOCK - b->watermark));
}

static bool is_due(const struct rx_boundary *b, rx_time time, bool past)
{
    const struct rx_boundary_member *m = b->count ? b->heap[0] : NULL;
    return m && (m->next < time || (m->next == time && (past || !m->past)));
}

/* What members want while they are told is told as well, where it is due. However far time jumps that comes to an end: a member
 * wants what it holds, of which there is a bound, and empty windows only so many in a row. */
static void close_through(struct rx_boundary *b, rx_time time, bool past)
{
    if (b->closing)
        return;
    b->until = time;
    if (!is_due(b, time, past)) /* as for nearly every event: the timer stands as it did */
        return;
    b->closing = true;
    while (is_due(b, time, past)) {
        struct rx_boundary_member *m = b->heap[0];
        rx_time end = m->next;
        b->told = end;
        b->closed = end > b->closed ? end : b->closed; /* a look at what is open may be wanted again */
        remove_member(b, m);
        m->close(m, end);
    }
    b->closing = false;
    if (b->members)
        arm(b);
}

/* It may have been armed for one who has left. */
static void on_timer(struct rx_common *common)
{
    struct rx_boundary *b = rx_common_data(common);
    if (b->count && b->heap[0]->next <= b->armed)
        close_through(b, b->heap[0]->next, true);
    else
        arm(b);
}

/* ---- what the members have in common ---- */

static struct rx_boundary *settle(struct rx_common *common)
{
    struct rx_boundary *b = rx_common_data(common);
    if (!b->common)
        *b = (struct rx_boundary){.common = common, .closed = INT64_MIN, .watermark = RX_WATERMARK_CLOCK};
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

/* ---- members ---- */

/* There is room for what each member may want. */
static int make_room(struct rx_boundary *b)
{
    if (b->members < b->capacity)
        return 0;
    uint32_t capacity = b->capacity ? b->capacity * 2 : 4;
    struct rx_boundary_member **heap = realloc(b->heap, capacity * sizeof *heap);
    if (!heap)
        return -ENOMEM;
    b->heap = heap;
    b->capacity = capacity;
    return 0;
}

static int join(struct rx_boundary_member *m, uint64_t born)
{
    struct rx_common *common = rx_common_get(m->op, &shared);
    struct rx_boundary *b = common ? settle(common) : NULL;
    if (!b || make_room(b) < 0)
        return -ENOMEM;
    m->next = RX_TIME_NEVER;
    m->place = 0;
    m->boundary = b;
    m->born = born ? born : b->births + 1;
    if (b->births < m->born)
        b->births = m->born;
    b->members++;
    return 0;
}

int rx_boundary_join(struct rx_boundary_member *m) { return join(m, 0); }

void rx_boundary_leave(struct rx_boundary_member *m)
{
    struct rx_boundary *b = m->boundary;
    if (!b)
        return;
    remove_member(b, m);
    m->boundary = NULL;
    if (--b->members > 0)
        return;
    rx_common_stop(b->common);
    free(b->heap);
    b->heap = NULL;
    b->capacity = 0;
}

rx_time rx_boundary_until(const struct rx_boundary_member *m)
{
    const struct rx_boundary *b = m->boundary;
    bool runs = b && rx_watermark_is_running(b->watermark);
    rx_time now = runs ? rx_watermark_at(b->watermark, rx_wall(m->op)) : INT64_MIN;
    return b && b->until > now ? b->until : now;
}

rx_time rx_boundary_now(const struct rx_boundary_member *m)
{
    const struct rx_boundary *b = m->boundary;
    return b && b->closing ? b->told : rx_op_reached(m->op);
}

void rx_boundary_reach(struct rx_boundary_member *m, rx_time time)
{
    if (m->boundary && m->boundary->watermark == RX_WATERMARK_CLOCK)
        close_through(m->boundary, time, false);
}

rx_time rx_boundary_quiet(const struct rx_boundary_member *m)
{
    const struct rx_boundary *b = m->boundary;
    return b && b->watermark == RX_WATERMARK_CLOCK && b->count ? b->heap[0]->next : RX_TIME_NEVER;
}

void rx_boundary_watermark(struct rx_boundary_member *m, rx_time t)
{
    struct rx_boundary *b = m->boundary;
    if (!b)
        return;
    bool ran = rx_watermark_is_running(b->watermark);
    b->watermark = t;
    if (ran || rx_watermark_is_running(t))
        arm(b);
    if (!rx_watermark_is_running(t))
        close_through(b, t, false);
}

/* Where time runs an end is closed when the timer has told it, which may be later at this instant: after what comes of windows
 * upstream that end at it too. */
bool rx_boundary_is_closed(const struct rx_boundary_member *m, rx_time end)
{
    const struct rx_boundary *b = m->boundary;
    if (!b || end <= b->closed)
        return true;
    if (b->closing || b->watermark == RX_WATERMARK_CLOCK)
        return false;
    rx_time now = rx_watermark_at(b->watermark, rx_wall(m->op));
    return rx_watermark_is_running(b->watermark) ? end < now : end <= now;
}

void rx_boundary_rewant(struct rx_boundary_member *m, rx_time end, bool past)
{
    struct rx_boundary *b = m->boundary;
    if (!b || (m->place && (m->next < end || (m->next == end && (past || !m->past)))))
        return;
    uint32_t at = m->place ? m->place - 1 : b->count++;
    m->next = end;
    m->past = past;
    sift_up(b, at, m);
    if (m->place == 1 && !b->closing)
        arm(b);
}

bool rx_boundary_want(struct rx_boundary_member *m, rx_time end)
{
    if (rx_boundary_is_closed(m, end))
        return false;
    rx_boundary_rewant(m, end, false);
    return true;
}

void rx_boundary_want_past(struct rx_boundary_member *m, rx_time end) { rx_boundary_rewant(m, end, true); }

/* ---- state ---- */

void rx_boundary_save_as(struct rx_writer *w, uint64_t born, rx_time next, bool past)
{
    rx_write_uint(w, born);
    rx_write_int(w, next);
    if (next != RX_TIME_NEVER)
        rx_write_bool(w, past);
}

void rx_boundary_save(const struct rx_boundary_member *m, struct rx_writer *w)
{
    rx_boundary_save_as(w, m->born, m->next, m->past);
}

static rx_time read_member(struct rx_reader *r, uint64_t *ret_born, bool *ret_past)
{
    *ret_born = rx_read_uint(r);
    rx_time next = rx_read_int(r);
    *ret_past = next != RX_TIME_NEVER && rx_read_bool(r);
    return next;
}

rx_time rx_boundary_read(struct rx_reader *r, bool *ret_past)
{
    uint64_t born;
    return read_member(r, &born, ret_past);
}

int rx_boundary_load(struct rx_boundary_member *m, struct rx_reader *r)
{
    uint64_t born;
    bool past;
    rx_time next = read_member(r, &born, &past);
    if (rx_reader_failed(r) || join(m, born) < 0)
        return r->failed ? r->failed : -ENOMEM;
    m->boundary->watermark = rx_op_watermark(m->op);
    if (next != RX_TIME_NEVER)
        rx_boundary_rewant(m, next, past);
    return 0;
}
