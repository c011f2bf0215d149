/* Event time of a source. */
#include "core/feed/event_clock.h"

#include <errno.h>
#include <math.h>

#include "core/graph/graph.h"
#include "core/value/timestamp.h"

#define QUIET_AFTER   RX_SEC          /* without a message it has caught up */
#define AHEAD_DEFAULT (3600 * RX_SEC) /* live */

/* ---- the time of an event ---- */

static const double unit_ns[] = {[RX_UNIT_S] = 1e9, [RX_UNIT_MS] = 1e6, [RX_UNIT_US] = 1e3, [RX_UNIT_NS] = 1};

/* A fraction of a second or millisecond is meant to the microsecond: a double of today's seconds has no more. */
static int from_double(double value, int unit, rx_time *ret)
{
    double ns = value * unit_ns[unit];
    if (!(fabs(ns) < 9.2e18))
        return -EINVAL;
    *ret = unit == RX_UNIT_NS ? (rx_time)llround(ns) : (rx_time)llround(ns / 1e3) * 1000;
    return 0;
}

static int from_int(int64_t value, int unit, rx_time *ret)
{
    return __builtin_mul_overflow(value, (int64_t)unit_ns[unit], ret) ? -EINVAL : 0;
}

static int from_seconds(int64_t seconds, uint32_t nanos, rx_time *ret)
{
    return __builtin_mul_overflow(seconds, RX_SEC, ret) || __builtin_add_overflow(*ret, (rx_time)nanos, ret) ? -EINVAL
                                                                                                             : 0;
}

static int from_text(struct rx_value value, rx_time *ret)
{
    int64_t seconds;
    uint32_t nanos;
    int r = rx_timestamp_parse(value.u.text, value.aux, &seconds, &nanos);
    return r < 0 ? -EINVAL : from_seconds(seconds, nanos, ret);
}

static int refuse(struct rx_error *reterr, const char *why)
{
    return rx_error_set(reterr, -EINVAL, "event_time: %s", why);
}

static int from_value(struct rx_value value, int unit, rx_time *ret, struct rx_error *reterr)
{
    bool number = value.kind == RX_INT || value.kind == RX_UINT || value.kind == RX_DOUBLE;
    if (number && unit == RX_UNIT_TEXT)
        return refuse(reterr, "a number needs its unit: event_time: {field: ..., unit: s | ms | us | ns}");
    switch (value.kind) {
    case RX_INT:
        return from_int(value.u.i, unit, ret) < 0 ? refuse(reterr, "out of range") : 0;
    case RX_UINT:
    case RX_DOUBLE: {
        double d = value.kind == RX_UINT ? (double)value.u.u : value.u.d;
        return from_double(d, unit, ret) < 0 ? refuse(reterr, "out of range") : 0;
    }
    case RX_STRING:
        return from_text(value, ret) < 0 ? refuse(reterr, "the text is not an RFC 3339 time") : 0;
    case RX_TIMESTAMP:
        return from_seconds(value.u.i, value.aux, ret) < 0 ? refuse(reterr, "out of range") : 0;
    case RX_NULL:
        return refuse(reterr, "null");
    default:
        return refuse(reterr, "neither a number nor a text");
    }
}

bool rx_event_clock_reads(const struct rx_event_clock *c) { return c->options->event_time.expr != NULL; }

int rx_event_clock_check(const struct rx_event_clock *c, rx_time t, struct rx_error *reterr)
{
    rx_time most = c->options->max_ahead ? c->options->max_ahead : c->live ? AHEAD_DEFAULT : RX_TIME_NEVER;
    char bound[40];
    if (t <= rx_sched_wall(c->sched) || t - most <= rx_sched_wall(c->sched))
        return 0;
    rx_format_duration(most, bound, sizeof bound);
    return rx_error_set(reterr, -EOVERFLOW, "event_time lies more than max_ahead (%s) ahead of the arrival", bound);
}

int rx_event_clock_read(struct rx_event_clock *c, const struct rx_event *event, rx_time *ret, struct rx_error *reterr)
{
    struct rx_value value;
    rx_time t = 0;
    int r = rx_expr_eval(c->options->event_time.expr, &(struct rx_expr_env){.event = event}, &value, reterr);
    if (r == -ENODATA)
        return refuse(reterr, "the event has no such field");
    if (r < 0)
        return r == -ENOMEM ? r : -EINVAL;
    r = from_value(value, c->options->event_time.unit, &t, reterr);
    rx_value_unref(value);
    if (r == 0)
        r = rx_event_clock_check(c, t, reterr);
    if (r == 0)
        *ret = t;
    return r;
}

/* ---- the watermark ---- */

static rx_time behind(const struct rx_event_clock *c)
{
    rx_time t = rx_watermark_less(c->newest, c->options->lateness);
    return t > RX_WATERMARK_FIXED_MAX ? RX_WATERMARK_FIXED_MAX : t;
}

static void tell(struct rx_event_clock *c, rx_time watermark)
{
    if (watermark == c->told)
        return;
    c->told = watermark;
    rx_hub_watermark(c->hub, watermark);
}

static void arm(struct rx_event_clock *c, rx_time due)
{
    c->timer.background = c->newest == RX_WATERMARK_NONE;
    rx_sched_arm(c->sched, &c->timer, due); /* without memory it stays where it is, as without an idle_timeout */
}

static rx_time caught_up_at(const struct rx_event_clock *c)
{
    rx_time latest = c->began + c->options->catch_up, quiet = c->active + QUIET_AFTER;
    return c->connected && quiet < latest ? quiet : latest;
}

static void wait_on(struct rx_event_clock *c)
{
    if (c->options->idle_timeout && !c->idle && !c->by_arrival)
        arm(c, c->caught_up ? c->active + c->options->idle_timeout : caught_up_at(c));
}

static void fall_idle(struct rx_event_clock *c)
{
    c->idle = true;
    tell(c, rx_watermark_running(behind(c), rx_sched_wall(c->sched)));
}

/* Armed for the earliest that it can be: events meanwhile only move `active`. */
static void on_timer(struct rx_timer *timer)
{
    struct rx_event_clock *c = (struct rx_event_clock *)timer;
    rx_time now = rx_sched_now(c->sched);
    rx_engine_enter(c->engine);
    if (!c->caught_up && caught_up_at(c) <= now) {
        c->caught_up = true;
        c->active = now;
    }
    if (c->caught_up && c->active + c->options->idle_timeout <= now)
        fall_idle(c);
    else
        wait_on(c);
    rx_engine_leave(c->engine);
}

/* ---- life ---- */

void rx_event_clock_init(struct rx_event_clock *c, const struct rx_source_common *options, struct rx_engine *engine,
                         struct rx_sched *sched, struct rx_hub *hub, bool live)
{
    *c = (struct rx_event_clock){.timer = {.fire = on_timer},
                                 .options = options,
                                 .engine = engine,
                                 .sched = sched,
                                 .hub = hub,
                                 .live = live,
                                 .connected = true,
                                 .newest = RX_WATERMARK_NONE,
                                 .told = RX_WATERMARK_NONE};
    rx_hub_set_told(hub);
}

void rx_event_clock_start(struct rx_event_clock *c)
{
    c->started = true;
    c->caught_up = !c->live;
    c->idle = c->by_arrival = false;
    c->newest = c->told = RX_WATERMARK_NONE;
    c->began = c->active = rx_sched_now(c->sched);
    wait_on(c);
}

void rx_event_clock_stop(struct rx_event_clock *c)
{
    if (!c)
        return;
    c->started = false;
    rx_sched_stop(c->sched, &c->timer);
}

void rx_event_clock_connected(struct rx_event_clock *c, bool connected)
{
    if (c->connected == connected)
        return;
    c->connected = connected;
    if (connected && !c->caught_up)
        c->active = rx_sched_now(c->sched);
    if (c->started && !c->caught_up)
        wait_on(c);
}

void rx_event_clock_by_arrival(struct rx_event_clock *c, bool by_arrival)
{
    if (c->by_arrival == by_arrival || rx_event_clock_reads(c))
        return;
    c->by_arrival = by_arrival;
    rx_engine_enter(c->engine);
    if (by_arrival) {
        rx_sched_stop(c->sched, &c->timer);
        tell(c, RX_WATERMARK_CLOCK);
    } else if (c->started) {
        wait_on(c);
    }
    rx_engine_leave(c->engine);
}

bool rx_event_clock_splits(const struct rx_event_clock *c, rx_time t)
{
    bool moves = rx_watermark_is_running(c->told) || rx_hub_singles(c->hub);
    return !c->by_arrival && c->newest != RX_WATERMARK_NONE && (moves || t < behind(c));
}

void rx_event_clock_take(struct rx_event_clock *c, rx_time t)
{
    if (t > c->newest && !c->by_arrival)
        c->newest = t;
}

/* From running back to fixed: what the clock has closed meanwhile stays closed. */
void rx_event_clock_tell(struct rx_event_clock *c)
{
    rx_time wall = rx_sched_wall(c->sched), t = behind(c), stands = rx_watermark_at(c->told, wall);
    bool waits = rx_timer_armed(&c->timer);
    if (c->newest == RX_WATERMARK_NONE || c->by_arrival)
        return;
    c->active = rx_sched_now(c->sched);
    c->timer.background = false;
    c->idle = false;
    if (!waits && c->started)
        wait_on(c);
    tell(c, t > stands ? t : stands);
}

/* ---- state ---- */

void rx_event_clock_save(const struct rx_event_clock *c, struct rx_writer *w)
{
    rx_write_bool(w, c->started);
    rx_write_bool(w, c->caught_up);
    rx_write_bool(w, c->idle);
    rx_write_bool(w, c->by_arrival);
    rx_write_int(w, c->newest);
    rx_write_int(w, c->told);
    rx_write_int(w, c->began);
    rx_write_int(w, c->active);
    rx_timer_save(&c->timer, w);
}

void rx_event_clock_load(struct rx_event_clock *c, struct rx_reader *r)
{
    c->started = rx_read_bool(r);
    c->caught_up = rx_read_bool(r);
    c->idle = rx_read_bool(r);
    c->by_arrival = rx_read_bool(r);
    c->newest = rx_read_int(r);
    c->told = rx_read_int(r);
    c->began = rx_read_int(r);
    c->active = rx_read_int(r);
    if (!rx_reader_failed(r) && rx_timer_load(c->sched, &c->timer, r) < 0)
        rx_reader_fail(r, -ENOMEM);
}
