/* The fan-out of one stream: its subscribers, the flush tick, and the upkeep of those who are silent or stuck. */
#include "core/io/serve/fanout.h"

#include "core/io/serve/fanout_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { SLICE = 1000 };           /* subscribers that one turn of the loop serves, */
#define SLICE_TIME (4 * RX_MSEC) /* unless so much time has passed */
enum { FLUSH_SHARE = 20, FLUSH_SLOWEST = 10 };
enum { NEARLY_DUE = 4 }; /* the last part of the time between flushes in which what comes is sent at once */

static struct rx_fanout *of_timer(struct rx_timer *t, size_t offset)
{
    return (struct rx_fanout *)(void *)((char *)t - offset);
}

static void remove_channel(struct rx_fanout *f, struct channel *c)
{
    size_t i = 0;
    while (f->channels[i] != c)
        i++;
    f->channels[i] = f->channels[--f->channel_count];
    f->batch.channel = NULL;
    rx_selection_unref(c->selection);
    free(c->subscribers);
    free(c);
}

static struct channel *add_channel(struct rx_fanout *f, const struct rx_subscription *of)
{
    if (f->channel_count == f->channel_capacity) {
        size_t capacity = f->channel_capacity ? f->channel_capacity * 2 : 4;
        struct channel **moved = realloc(f->channels, capacity * sizeof(struct channel *));
        if (!moved)
            return NULL;
        f->channels = moved;
        f->channel_capacity = capacity;
    }
    struct channel *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c =
        (struct channel){.fanout = f, .selection = rx_selection_ref(of->selection), .kind = of->kind, .meta = of->meta};
    f->channels[f->channel_count++] = c;
    return c;
}

static struct channel *channel_for(struct rx_fanout *f, const struct rx_subscription *of)
{
    for (size_t i = 0; i < f->channel_count; i++)
        if (f->channels[i]->kind == of->kind && f->channels[i]->selection == of->selection &&
            f->channels[i]->meta == of->meta)
            return f->channels[i];
    return add_channel(f, of);
}

static bool enter_channel(struct channel *c, struct subscriber *s)
{
    if (c->count == c->capacity) {
        uint32_t capacity = c->capacity ? c->capacity * 2 : 4;
        struct subscriber **moved = realloc(c->subscribers, capacity * sizeof(struct subscriber *));
        if (!moved)
            return false;
        c->subscribers = moved;
        c->capacity = capacity;
    }
    s->index = c->count;
    c->subscribers[c->count++] = s;
    return true;
}

static void leave_channel(struct channel *c, struct subscriber *s)
{
    struct subscriber *last = c->subscribers[--c->count];
    c->subscribers[s->index] = last;
    last->index = s->index;
}

/* The channel stays, perhaps empty, until the next upkeep: a flush may be walking over it. */
void subscriber_close(struct subscriber *s)
{
    leave_channel(s->channel, s);
    s->channel->fanout->stats.subscribers--;
    rx_conn_close(s->conn);
    rx_log_unpin(s->pin);
    rx_ws_input_destroy(s->input);
    free(s->pending);
    void (*on_closed)(void *) = s->on_closed;
    void *arg = s->arg;
    free(s);
    if (on_closed)
        on_closed(arg);
}

static void each_subscriber(struct rx_fanout *f, void (*visit)(struct subscriber *))
{
    for (size_t c = f->channel_count; c-- > 0;)
        for (uint32_t i = f->channels[c]->count; i-- > 0;)
            visit(f->channels[c]->subscribers[i]);
}

static void send_news(struct subscriber *s)
{
    struct rx_fanout *f = s->channel->fanout;
    if ((s->blocked || subscriber_pump(s)) && s->phase == SERVING && s->cursor < f->lowest)
        f->lowest = s->cursor;
}

/* Flushes that cost much come seldom: up to FLUSH_SLOWEST apart they take one part in FLUSH_SHARE of the time. */
static rx_time pace(const struct rx_fanout *f)
{
    rx_time apart = f->cost * FLUSH_SHARE, most = f->options.flush_every * FLUSH_SLOWEST;
    return apart < f->options.flush_every ? f->options.flush_every : apart < most ? apart : most;
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
    while (rx_log_orphan_bytes(f->log) > f->options.orphan_bytes && (s = oldest_orphan(f))) {
        f->stats.overtaken++;
        subscriber_close(s);
    }
}

static void arm_flush(struct rx_fanout *f, rx_time due) { rx_sched_arm(rx_loop_sched(f->loop), &f->flush, due); }

static void take_in(struct rx_fanout *f)
{
    uint64_t before = rx_log_last(f->log);
    if (!f->stats.subscribers) {
        f->lowest = f->held = UINT64_MAX;
    }
    rx_log_hold(f->log, f->held);
    rx_log_collect(f->log);
    f->batch.channel = NULL;
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
            if (++visits > SLICE || (visits > 1 && rx_loop_clock(f->loop) >= until)) {
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
    bool done = walk(f, rx_loop_clock(f->loop) + SLICE_TIME);
    f->cost += time_spent() - begin;
    if (!done) {
        arm_flush(f, rx_loop_clock(f->loop)); /* later than this turn's timers */
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

static void on_flush(struct rx_timer *t)
{
    struct rx_fanout *f = of_timer(t, offsetof(struct rx_fanout, flush));
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
    bool near = rx_timer_armed(&f->flush) && !f->walking && pace(f) == f->options.flush_every;
    if (!near)
        rx_fanout_collect(f);
}

void rx_fanout_on_taken(struct rx_fanout *f, void (*taken)(void *arg), void *arg)
{
    f->taken = taken;
    f->taken_arg = arg;
}

static bool is_deaf(const struct subscriber *s, rx_time now)
{
    const struct rx_fanout_options *o = &s->channel->fanout->options;
    return s->pinged > s->heard && now - s->heard >= 2 * o->ping;
}

static bool is_stuck(const struct subscriber *s, rx_time now)
{
    const struct rx_fanout_options *o = &s->channel->fanout->options;
    if (s->phase == LINGERING)
        return now - s->progress >= o->linger;
    return (s->blocked && now - s->progress >= o->stall_deadline) || is_deaf(s, now);
}

static void show_life(struct subscriber *s, rx_time now)
{
    const struct rx_fanout_options *o = &s->channel->fanout->options;
    if (s->channel->kind == RX_SSE && now - s->progress >= o->heartbeat)
        subscriber_queue_text(s, ":\n\n");
    if (s->channel->kind == RX_WEBSOCKET && now - s->heard >= o->ping && now - s->pinged >= o->ping) {
        s->pinged = now;
        subscriber_queue_control(s, RX_WS_PING, NULL, 0);
    }
    if (s->pending)
        subscriber_pump(s);
}

static void keep_up(struct subscriber *s)
{
    rx_time now = fanout_now(s->channel->fanout);
    if (is_stuck(s, now)) {
        s->channel->fanout->stats.stalled += s->phase != LINGERING;
        subscriber_close(s);
    } else if (!s->blocked && s->phase == SERVING) {
        show_life(s, now);
    }
}

static rx_time upkeep_period(const struct rx_fanout_options *o)
{
    rx_time shortest = o->heartbeat < o->ping ? o->heartbeat : o->ping;
    shortest = shortest < o->stall_deadline ? shortest : o->stall_deadline;
    shortest = shortest < o->linger ? shortest : o->linger;
    rx_time period = shortest / 4;
    return period < RX_MSEC ? RX_MSEC : period > RX_SEC ? RX_SEC : period;
}

static void arm_upkeep(struct rx_fanout *f)
{
    if (f->stats.subscribers && !rx_timer_armed(&f->upkeep))
        rx_sched_arm(rx_loop_sched(f->loop), &f->upkeep, fanout_now(f) + upkeep_period(&f->options));
}

static void on_upkeep(struct rx_timer *t)
{
    struct rx_fanout *f = of_timer(t, offsetof(struct rx_fanout, upkeep));
    each_subscriber(f, keep_up);
    for (size_t c = f->channel_count; !f->walking && c-- > 0;)
        if (!f->channels[c]->count)
            remove_channel(f, f->channels[c]);
    arm_upkeep(f);
}

static void set_default(rx_time *option, rx_time value) { *option = *option ? *option : value; }

int rx_fanout_create(struct rx_loop *loop, struct rx_log *log, const struct rx_fanout_options *options,
                     struct rx_fanout **ret)
{
    struct rx_fanout *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->loop = loop;
    f->log = log;
    f->options = options ? *options : (struct rx_fanout_options){0};
    set_default(&f->options.flush_every, RX_MSEC);
    set_default(&f->options.stall_deadline, 30 * RX_SEC);
    set_default(&f->options.heartbeat, 15 * RX_SEC);
    set_default(&f->options.ping, 30 * RX_SEC);
    set_default(&f->options.linger, 2 * RX_SEC);
    if (!f->options.orphan_bytes)
        f->options.orphan_bytes = rx_log_limits(log)->max_bytes;
    f->lowest = f->held = UINT64_MAX;
    f->flush.fire = on_flush;
    f->upkeep.fire = on_upkeep;
    *ret = f;
    return 0;
}

static void say_goodbye(struct subscriber *s)
{
    subscriber_end(s, 1001, NULL, 0);
    if (subscriber_pump(s))
        subscriber_close(s);
}

void rx_fanout_destroy(struct rx_fanout *f)
{
    if (!f)
        return;
    each_subscriber(f, say_goodbye);
    while (f->channel_count)
        remove_channel(f, f->channels[0]);
    rx_sched_stop(rx_loop_sched(f->loop), &f->flush);
    rx_sched_stop(rx_loop_sched(f->loop), &f->upkeep);
    free(f->channels);
    rx_buffer_finish(&f->batch.meta);
    rx_buffer_finish(&f->frame);
    free(f);
}

void rx_fanout_drain(struct rx_fanout *f)
{
    f->draining = true;
    each_subscriber(f, send_news);
}

void rx_fanout_set_slow(struct rx_fanout *f, enum rx_slow slow) { f->options.slow = slow; }

struct rx_fanout_stats rx_fanout_stats(const struct rx_fanout *f) { return f->stats; }

/* A dead peer is noticed by the kernel, and small frames are not held back; neither matters on a local socket. */
static void tune_socket(const struct rx_conn *conn)
{
    int on = 1, fd = rx_conn_fd(conn);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static struct subscriber *create_subscriber(struct rx_fanout *f, const struct rx_subscription *of)
{
    struct channel *c = channel_for(f, of);
    struct subscriber *s = c ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    *s = (struct subscriber){.channel = c, .cursor = of->cursor, .conn = of->conn};
    s->progress = s->heard = fanout_now(f);
    rx_conn_set_owner(s->conn, subscriber_ready, s);
    if (rx_conn_watch(s->conn, RX_READABLE) == 0 && enter_channel(c, s)) {
        f->stats.subscribers++;
        return s;
    }
    free(s);
    return NULL;
}

static void hold_frames(struct rx_fanout *f, uint64_t from)
{
    f->held = from < f->held ? from : f->held;
    f->lowest = from < f->lowest ? from : f->lowest;
}

static bool begin(struct subscriber *s, const struct rx_subscription *of)
{
    if (of->greeting_length && !subscriber_queue(s, of->greeting, of->greeting_length))
        return false;
    if (of->missed && !subscriber_missed(s, of->missed))
        return false;
    return subscriber_hear(s, of->ahead, of->ahead_length);
}

int rx_fanout_subscribe(struct rx_fanout *f, const struct rx_subscription *of)
{
    struct subscriber *s = create_subscriber(f, of);
    if (!s) {
        rx_conn_close(of->conn);
        return -ENOMEM;
    }
    tune_socket(of->conn);
    hold_frames(f, of->cursor);
    arm_upkeep(f);
    if (!begin(s, of)) {
        subscriber_close(s);
        return -ENOMEM;
    }
    s->on_closed = of->on_closed;
    s->arg = of->arg;
    subscriber_pump(s);
    return 0;
}
