/* The flush: what was published is taken in and sent, at once where the stream is idle, else at its tick. */
#include "core/io/serve/fanout_private.h"

#include <time.h>

#define SLICE_TIME (4 * RX_MSEC) /* that one turn of the loop gives to a flush, */
enum {
    SLICE = 1000,       /* and so many subscribers */
    FLUSH_SHARE = 20,   /* of the time is what flushes take, one part, */
    FLUSH_SLOWEST = 10, /* until they are so many times as far apart as the option says */
    NEARLY_DUE = 4,     /* the last part of the time between two, in which what comes is sent at once */
};

static void send_news(struct subscriber *s)
{
    struct rx_fanout *f = s->channel->fanout;
    if ((s->blocked || subscriber_pump(s)) && s->phase == SERVING && s->cursor < f->lowest)
        f->lowest = s->cursor;
}

/* Flushes that cost much come seldom: up to FLUSH_SLOWEST apart they take one part in FLUSH_SHARE of the time. */
static rx_time pace(const struct rx_fanout *f)
{
    rx_time apart = f->cost * FLUSH_SHARE, most = f->all->options.flush_every * FLUSH_SLOWEST;
    return apart < f->all->options.flush_every ? f->all->options.flush_every : apart < most ? apart : most;
}

static struct subscriber *oldest_orphan(struct rx_fanout *f)
{
    struct subscriber *oldest = NULL;
    for (size_t c = 0; c < f->channel_count; c++)
        for (uint32_t i = 0; i < f->channels[c]->count; i++) {
            struct subscriber *s = f->channels[c]->subscribers[i];
            if (rx_log_is_orphan(s->pin) && (!oldest || s->cursor < oldest->cursor))
                oldest = s;
        }
    return oldest;
}

/* Half-sent frames hold segments that the log has dropped: bounded by dropping who is farthest behind. */
static void shed_orphans(struct rx_fanout *f)
{
    struct subscriber *s;
    size_t most = f->all->options.orphan_bytes ? f->all->options.orphan_bytes : rx_log_limits(f->log)->max_bytes;
    while (rx_log_orphan_bytes(f->log) > most && (s = oldest_orphan(f))) {
        f->stats.overtaken++;
        subscriber_close(s);
    }
}

static void arm_flush(struct rx_fanout *f, rx_time due) { rx_sched_arm(rx_loop_sched(f->all->loop), &f->flush, due); }

static void take_in(struct rx_fanout *f)
{
    uint64_t before = rx_log_last(f->log);
    if (!f->stats.subscribers)
        f->lowest = f->held = UINT64_MAX;
    rx_log_hold(f->log, f->held);
    rx_log_collect(f->log);
    f->all->batch.channel = NULL;
    shed_orphans(f);
    if (rx_log_last(f->log) == before)
        return;
    f->news = f->stats.subscribers > 0;
    if (f->taken)
        f->taken(f->taken_arg);
}

/* Walks backwards: whoever is moved into a gap, or comes new, has what there is. */
static bool walk(struct rx_fanout *f, rx_time until)
{
    for (unsigned visits = 0; f->walk_channel; f->walk_index = UINT32_MAX, f->walk_channel--) {
        struct channel *c = f->channels[f->walk_channel - 1];
        uint32_t i = f->walk_index < c->count ? f->walk_index : c->count;
        for (; i > 0; i = i - 1 < c->count ? i - 1 : c->count) {
            if (++visits > SLICE || (visits > 1 && rx_loop_clock(f->all->loop) >= until)) {
                f->walk_index = i;
                return false;
            }
            send_news(c->subscribers[i - 1]);
        }
    }
    return true;
}

static rx_time time_spent(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

/* A slice of a flush: thousands of sends must not keep the loop from everything else. */
static void go_on(struct rx_fanout *f)
{
    rx_time begin = time_spent();
    bool done = walk(f, rx_loop_clock(f->all->loop) + SLICE_TIME);
    f->cost += time_spent() - begin;
    if (!done) {
        arm_flush(f, rx_loop_clock(f->all->loop)); /* later than this turn's timers */
        return;
    }
    f->walking = false;
    f->held = f->lowest;
    if (f->news)
        arm_flush(f, f->flushed + pace(f));
}

static void flush(struct rx_fanout *f)
{
    f->flushed = fanout_now(f);
    f->walk_channel = f->channel_count;
    f->walk_index = UINT32_MAX;
    f->lowest = UINT64_MAX;
    f->walking = true;
    f->news = false;
    f->cost = 0;
    go_on(f);
}

void fanout_on_flush(struct rx_timer *t)
{
    struct rx_fanout *f = (struct rx_fanout *)(void *)((char *)t - offsetof(struct rx_fanout, flush));
    if (f->walking) {
        go_on(f);
        return;
    }
    take_in(f);
    flush(f);
}

void rx_fanout_collect(struct rx_fanout *f)
{
    take_in(f);
    if (!f->news || rx_timer_armed(&f->flush))
        return;
    rx_time due = f->flushed + pace(f);
    if (fanout_now(f) >= due - pace(f) / NEARLY_DUE)
        flush(f);
    else
        arm_flush(f, due);
}

/* Only a tick that is near takes in what is there: a writer must not meet the bound of what may be in flight meanwhile. */
void rx_fanout_news(struct rx_fanout *f)
{
    bool near = rx_timer_armed(&f->flush) && !f->walking && pace(f) == f->all->options.flush_every;
    if (!near)
        rx_fanout_collect(f);
}

void rx_fanout_on_taken(struct rx_fanout *f, void (*taken)(void *arg), void *arg)
{
    f->taken = taken;
    f->taken_arg = arg;
}

void rx_fanout_drain(struct rx_fanout *f)
{
    f->draining = true;
    fanout_each(f, send_news);
}
