/* The scheduler: a 4-ary heap of timers keyed by (due, sequence). */
#include "core/graph/sched.h"

#include <errno.h>
#include <stdlib.h>

enum { ARITY = 4 };
/* Below: fixed ranks, of timers that go first at their instant. */
#define FIRST_SEQUENCE ((uint64_t)1 << 60)

struct rx_sched {
    rx_time now;
    uint64_t next_sequence;
    struct rx_timer **heap;
    uint32_t count, capacity;
    uint32_t instant; /* counts the values that now has had */
    bool firing;
    rx_time drift;     /* of the wall clock: now + drift */
    rx_time wall_held; /* what the wall clock had reached when it was set back */
};

struct rx_sched *rx_sched_create(rx_time now)
{
    struct rx_sched *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->now = now;
    s->next_sequence = FIRST_SEQUENCE;
    s->wall_held = INT64_MIN;
    return s;
}

void rx_sched_destroy(struct rx_sched *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->count; i++)
        s->heap[i]->position = 0;
    free(s->heap);
    free(s);
}

rx_time rx_sched_now(const struct rx_sched *s) { return s->now; }

rx_time rx_sched_drift(const struct rx_sched *s) { return s->drift; }

uint32_t rx_sched_instant(const struct rx_sched *s) { return s->instant; }

bool rx_sched_is_firing(const struct rx_sched *s) { return s->firing; }

rx_time rx_sched_wall(const struct rx_sched *s)
{
    rx_time wall = s->now + s->drift;
    return wall > s->wall_held ? wall : s->wall_held;
}

uint64_t rx_sched_reserve(struct rx_sched *s) { return s->next_sequence++; }

uint64_t rx_sched_next_sequence(const struct rx_sched *s) { return s->next_sequence; }

void rx_sched_restore(struct rx_sched *s, uint64_t next_sequence)
{
    if (s->next_sequence < next_sequence)
        s->next_sequence = next_sequence;
}

/* Ties are broken by the sequence number: the order of arming is the order of firing. */
static bool before(const struct rx_timer *a, const struct rx_timer *b)
{
    return a->due != b->due ? a->due < b->due : a->sequence < b->sequence;
}

static void place(struct rx_sched *s, uint32_t i, struct rx_timer *timer)
{
    s->heap[i] = timer;
    timer->position = i + 1;
}

static void sift_up(struct rx_sched *s, uint32_t i)
{
    struct rx_timer *timer = s->heap[i];
    while (i > 0 && before(timer, s->heap[(i - 1) / ARITY])) {
        place(s, i, s->heap[(i - 1) / ARITY]);
        i = (i - 1) / ARITY;
    }
    place(s, i, timer);
}

static void sift_down(struct rx_sched *s, uint32_t i)
{
    struct rx_timer *timer = s->heap[i];
    for (;;) {
        uint32_t first = i * ARITY + 1, least = i;
        const struct rx_timer *best = timer;
        for (uint32_t c = first; c < first + ARITY && c < s->count; c++) {
            if (before(s->heap[c], best)) {
                best = s->heap[c];
                least = c;
            }
        }
        if (least == i)
            break;
        place(s, i, s->heap[least]);
        i = least;
    }
    place(s, i, timer);
}

static int grow(struct rx_sched *s)
{
    uint32_t capacity = s->capacity ? s->capacity * 2 : 16;
    struct rx_timer **heap = realloc(s->heap, capacity * sizeof(struct rx_timer *));
    if (!heap)
        return -ENOMEM;
    s->heap = heap;
    s->capacity = capacity;
    return 0;
}

int rx_sched_arm_at(struct rx_sched *s, struct rx_timer *timer, rx_time due, uint64_t sequence)
{
    rx_sched_stop(s, timer);
    if (s->count == s->capacity && grow(s) < 0)
        return -ENOMEM;
    timer->due = due < s->now ? s->now : due;
    timer->sequence = sequence;
    timer->wall = timer->fresh = false;
    place(s, s->count, timer);
    sift_up(s, s->count++);
    return 0;
}

int rx_sched_arm(struct rx_sched *s, struct rx_timer *timer, rx_time due)
{
    int r = rx_sched_arm_at(s, timer, due, s->next_sequence++);
    timer->fresh = true;
    return r;
}

int rx_sched_arm_wall(struct rx_sched *s, struct rx_timer *timer, rx_time due, uint64_t sequence)
{
    rx_time at;
    if (due <= rx_sched_wall(s))
        at = s->now;
    else if (__builtin_sub_overflow(due, s->drift, &at))
        at = RX_TIME_NEVER - 1;
    int r = rx_sched_arm_at(s, timer, at, sequence);
    timer->wall = r == 0;
    return r;
}

/* Timers by the wall clock keep their wall time. What it has passed already fires now, in the order of those times. */
void rx_sched_set_drift(struct rx_sched *s, rx_time drift)
{
    rx_time moved = s->drift - drift;
    s->wall_held = rx_sched_wall(s);
    for (uint32_t i = 0; i < s->count; i++) {
        struct rx_timer *timer = s->heap[i];
        if (timer->wall && (moved < 0 || timer->due + s->drift > s->wall_held))
            timer->due += moved;
    }
    s->drift = drift;
    for (uint32_t i = s->count; i-- > 0;)
        sift_down(s, i);
}

void rx_sched_stop(struct rx_sched *s, struct rx_timer *timer)
{
    if (!timer->position)
        return;
    uint32_t i = timer->position - 1;
    timer->position = 0;
    struct rx_timer *last = s->heap[--s->count];
    if (last == timer)
        return;
    place(s, i, last);
    sift_up(s, i);
    sift_down(s, last->position - 1);
}

rx_time rx_sched_next_due(const struct rx_sched *s) { return s->count ? s->heap[0]->due : RX_TIME_NEVER; }

/* Asked at the end of a replay only: a count is not worth keeping. */
size_t rx_sched_foreground(const struct rx_sched *s)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->count; i++)
        n += !s->heap[i]->background && !s->heap[i]->endless;
    return n;
}

size_t rx_sched_endless(const struct rx_sched *s)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->count; i++)
        n += s->heap[i]->endless;
    return n;
}

size_t rx_sched_armed(const struct rx_sched *s) { return s->count; }

static void move_to(struct rx_sched *s, rx_time t)
{
    if (t > s->now) {
        s->now = t;
        s->instant++;
    }
}

static void count_repeat(const struct rx_sched *s, struct rx_timer *timer)
{
    bool again = timer->fresh && timer->instant == s->instant;
    timer->repeats = again ? timer->repeats + 1 : 0;
    timer->instant = s->instant;
}

bool rx_sched_step(struct rx_sched *s, rx_time t, bool through)
{
    if (!s->count || s->heap[0]->due > t || (!through && s->heap[0]->due == t))
        return false;
    struct rx_timer *timer = s->heap[0];
    move_to(s, timer->due);
    rx_sched_stop(s, timer);
    count_repeat(s, timer);
    s->firing = true;
    timer->fire(timer);
    s->firing = false;
    return true;
}

long rx_sched_run_until(struct rx_sched *s, rx_time t, bool through)
{
    long fired = 0;
    while (rx_sched_step(s, t, through))
        fired++;
    move_to(s, t);
    return fired;
}

/* ---- state ---- */

enum { ARMED = 1, BACKGROUND = 2, ENDLESS = 4 };

void rx_timer_save(const struct rx_timer *t, struct rx_writer *w)
{
    bool armed = rx_timer_armed(t);
    rx_write_uint(w, (armed ? ARMED : 0u) | (t->background ? BACKGROUND : 0u) | (t->endless ? ENDLESS : 0u));
    if (!armed)
        return;
    rx_write_int(w, t->due);
    rx_write_uint(w, t->sequence);
}

int rx_timer_load(struct rx_sched *s, struct rx_timer *t, struct rx_reader *r)
{
    uint64_t flags = rx_read_uint(r);
    t->background = flags & BACKGROUND;
    t->endless = flags & ENDLESS;
    if (!(flags & ARMED))
        return 0;
    rx_time due = rx_read_int(r);
    uint64_t sequence = rx_read_uint(r);
    if (rx_reader_failed(r))
        return 0;
    rx_sched_restore(s, sequence + 1);
    return rx_sched_arm_at(s, t, due, sequence);
}
