/* The fan-out of one stream: its subscribers, and the upkeep of those who are silent or stuck. */
#include "core/io/serve/fanout.h"

#include "core/io/serve/fanout_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

static void remove_channel(struct rx_fanout *f, struct channel *c)
{
    size_t i = 0;
    while (f->channels[i] != c)
        i++;
    f->channels[i] = f->channels[--f->channel_count];
    f->all->batch.channel = NULL;
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

void fanout_each(struct rx_fanout *f, void (*visit)(struct subscriber *))
{
    for (size_t c = f->channel_count; c-- > 0;)
        for (uint32_t i = f->channels[c]->count; i-- > 0;)
            visit(f->channels[c]->subscribers[i]);
}

static bool is_deaf(const struct subscriber *s, rx_time now)
{
    const struct rx_fanout_options *o = &s->channel->fanout->all->options;
    return s->pinged > s->heard && now - s->heard >= 2 * o->ping;
}

static bool is_stuck(const struct subscriber *s, rx_time now)
{
    const struct rx_fanout_options *o = &s->channel->fanout->all->options;
    if (s->phase == LINGERING)
        return now - s->progress >= o->linger;
    return (s->blocked && now - s->progress >= o->stall_deadline) || is_deaf(s, now);
}

static void show_life(struct subscriber *s, rx_time now)
{
    const struct rx_fanout_options *o = &s->channel->fanout->all->options;
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
        rx_sched_arm(rx_loop_sched(f->all->loop), &f->upkeep, fanout_now(f) + upkeep_period(&f->all->options));
}

static void on_upkeep(struct rx_timer *t)
{
    struct rx_fanout *f = (struct rx_fanout *)(void *)((char *)t - offsetof(struct rx_fanout, upkeep));
    fanout_each(f, keep_up);
    for (size_t c = f->channel_count; !f->walking && c-- > 0;)
        if (!f->channels[c]->count)
            remove_channel(f, f->channels[c]);
    arm_upkeep(f);
}

static void set_default(rx_time *option, rx_time value) { *option = *option ? *option : value; }

int rx_fanouts_create(struct rx_loop *loop, const struct rx_fanout_options *options, struct rx_fanouts **ret)
{
    struct rx_fanouts *all = calloc(1, sizeof *all);
    if (!all)
        return -ENOMEM;
    all->loop = loop;
    all->options = options ? *options : (struct rx_fanout_options){0};
    set_default(&all->options.flush_every, RX_MSEC);
    set_default(&all->options.stall_deadline, 30 * RX_SEC);
    set_default(&all->options.heartbeat, 15 * RX_SEC);
    set_default(&all->options.ping, 30 * RX_SEC);
    set_default(&all->options.linger, 2 * RX_SEC);
    *ret = all;
    return 0;
}

void rx_fanouts_destroy(struct rx_fanouts *all)
{
    if (!all)
        return;
    rx_buffer_finish(&all->batch.meta);
    rx_buffer_finish(&all->frame);
    free(all);
}

int rx_fanout_create(struct rx_fanouts *all, struct rx_log *log, enum rx_slow slow, struct rx_fanout **ret)
{
    struct rx_fanout *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->all = all;
    f->log = log;
    f->slow = slow;
    f->lowest = f->held = UINT64_MAX;
    f->flush.fire = fanout_on_flush;
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
    fanout_each(f, say_goodbye);
    while (f->channel_count)
        remove_channel(f, f->channels[0]);
    rx_sched_stop(rx_loop_sched(f->all->loop), &f->flush);
    rx_sched_stop(rx_loop_sched(f->all->loop), &f->upkeep);
    free(f->channels);
    free(f);
}

void rx_fanout_set_slow(struct rx_fanout *f, enum rx_slow slow) { f->slow = slow; }

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
