/* One connection to a broker, whoever speaks for it: connecting, keeping alive, coming back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"
#include "core/io/net/tls.h"

#define OPEN_DEADLINE (15 * RX_SEC) /* of an attempt, from the name to CONNACK */
#define STOOD         (10 * RX_SEC) /* a session that lasted so long, or carried a message, was one */
#define SHORT_LIFE    (5 * RX_SEC)

enum { SHORT_LIVES = 3 }; /* in a row: over 3.1.1 the only sign of another client with our client_id */

static void note_error(struct rx_broker *broker, const char *what, const char *why)
{
    snprintf(broker->last_error, sizeof broker->last_error, "%s: %s", what, why);
}

static void set_state(struct rx_broker *broker, enum rx_broker_state state)
{
    bool was = broker->state == RX_BROKER_OPEN, is = state == RX_BROKER_OPEN;
    broker->state = state;
    if (was == is)
        return;
    broker->status.since = rx_sched_now(broker->sched);
    broker->status.connects += is;
    broker->status.disconnects += was;
    rx_broker_tell(broker, is);
}

static void wait_for_next(struct rx_broker *broker)
{
    set_state(broker, RX_BROKER_WAITING);
    rx_sched_arm(broker->sched, &broker->tick, rx_sched_now(broker->sched) + rx_backoff_next(&broker->backoff));
}

static void open_connection(struct rx_broker *broker)
{
    set_state(broker, RX_BROKER_OPENING);
    broker->deadline = rx_sched_now(broker->sched) + OPEN_DEADLINE;
    rx_sched_arm(broker->sched, &broker->tick, broker->deadline);
    int r = broker->client->open(broker);
    if (r < 0)
        rx_broker_lost(broker, strerror(-r), 0);
}

/* A session that stood for a while, or carried something, was worth it: the next attempt comes soon. Where another client
 * with our name throws us out, both would be at it for ever: there the pauses grow. */
static void judge_session(struct rx_broker *broker, uint8_t reason)
{
    rx_time lasted = rx_sched_now(broker->sched) - broker->status.since;
    broker->short_lived = lasted < SHORT_LIFE ? broker->short_lived + 1 : 0;
    bool taken = reason == RX_REASON_TAKEN_OVER || (reason == 0 && broker->short_lived >= SHORT_LIVES);
    broker->status.taken_over += taken;
    if (!taken && (lasted >= STOOD || broker->carried > 0))
        rx_backoff_reset(&broker->backoff);
}

void rx_broker_lost(struct rx_broker *broker, const char *why, uint8_t reason)
{
    bool was_open = broker->state == RX_BROKER_OPEN;
    if (!was_open && broker->state != RX_BROKER_OPENING)
        return;
    broker->status.failures += !was_open;
    note_error(broker, was_open ? "connection lost" : "cannot connect", why);
    if (was_open) {
        uint64_t before = broker->status.taken_over;
        judge_session(broker, reason);
        if (broker->status.taken_over > before)
            snprintf(broker->last_error, sizeof broker->last_error, "another client uses our client_id \"%.100s\"%s",
                     broker->client_id, reason ? "" : ", it seems: the broker ends each connection soon");
    }
    if (was_open)
        memcpy(broker->last_loss, broker->last_error, sizeof broker->last_loss);
    broker->client->close(broker);
    rx_park_lost(broker);
    wait_for_next(broker);
}

void rx_broker_opened(struct rx_broker *broker, bool session_present)
{
    if (broker->was_open && !session_present)
        broker->status.gaps++;
    broker->was_open = true;
    broker->carried = 0;
    if (broker->short_lived < SHORT_LIVES)
        broker->last_error[0] = '\0';
    set_state(broker, RX_BROKER_OPEN);
    rx_filters_opened(broker, session_present);
    rx_broker_send_birth(broker);
    rx_broker_rearm(broker);
}

void rx_broker_rearm(struct rx_broker *broker)
{
    rx_time due = broker->client->due(broker);
    if (broker->state == RX_BROKER_OPENING && broker->deadline < due)
        due = broker->deadline;
    if (broker->state == RX_BROKER_WAITING || broker->state == RX_BROKER_IDLE || due == broker->tick.due)
        return;
    if (due == RX_TIME_NEVER)
        rx_sched_stop(broker->sched, &broker->tick);
    else
        rx_sched_arm(broker->sched, &broker->tick, due);
}

/* Keep-alive moves with every packet; the timer is only looked at when it fires, and set again then. */
static void on_tick(struct rx_timer *timer)
{
    struct rx_broker *broker = (struct rx_broker *)((char *)timer - offsetof(struct rx_broker, tick));
    const char *why;
    if (broker->state == RX_BROKER_WAITING) {
        open_connection(broker);
        return;
    }
    if (broker->state == RX_BROKER_OPENING && rx_sched_now(broker->sched) >= broker->deadline) {
        rx_broker_lost(broker, "no answer from the broker", 0);
        return;
    }
    if (broker->client->tick(broker, &why) < 0) {
        rx_broker_lost(broker, why, 0);
        return;
    }
    rx_broker_pump(broker);
    rx_broker_rearm(broker);
}

void rx_broker_start(struct rx_broker *broker)
{
    broker->status.used = true;
    if (broker->state == RX_BROKER_IDLE)
        open_connection(broker);
}

static void identify(struct rx_broker *broker)
{
    snprintf(broker->made_up_id, sizeof broker->made_up_id, "rxd-%016llx", (unsigned long long)broker->backoff.random);
    const char *given = broker->options->client_id;
    broker->client_id = given && *given ? given : broker->made_up_id;
}

static int init(struct rx_broker *broker, const char *name, struct rx_error *reterr)
{
    const struct rx_broker_options *o = broker->options;
    int r = rx_broker_check(o, reterr);
    if (r == 0)
        r = rx_broker_parse_url(o->url, &broker->address, reterr);
    if (r == 0)
        r = rx_broker_parse_note("will", o->will, false, &broker->will, reterr);
    if (r == 0)
        r = rx_broker_parse_note("birth", o->birth, true, &broker->birth, reterr);
    if (r == 0)
        r = rx_tls_check_files(&o->tls, reterr);
    if (r < 0)
        return r;
    broker->name = strdup(name);
    if (!broker->name)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    broker->client = rx_broker_client(o);
    return broker->client->create(broker, reterr);
}

int rx_broker_create(struct rx_loop *loop, const char *name, const struct rx_broker_options *options,
                     struct rx_broker **ret, struct rx_error *reterr)
{
    struct rx_broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    broker->loop = loop;
    broker->sched = rx_loop_sched(loop);
    broker->options = options;
    rx_backoff_init(&broker->backoff);
    broker->tick.fire = on_tick;
    broker->unused.fire = rx_filters_on_unused;
    broker->status.since = rx_sched_now(broker->sched);
    identify(broker);
    int r = init(broker, name, reterr);
    if (r < 0)
        rx_broker_destroy(broker);
    else
        *ret = broker;
    return r;
}

void rx_broker_destroy(struct rx_broker *broker)
{
    if (!broker)
        return;
    rx_sched_stop(broker->sched, &broker->tick);
    rx_sched_stop(broker->sched, &broker->unused);
    broker->closing = true;
    if (broker->client)
        broker->client->destroy(broker);
    rx_park_finish(broker);
    rx_filters_finish(broker);
    rx_queue_finish(broker);
    free(broker->name);
    free(broker);
}

bool rx_broker_idle(const struct rx_broker *broker)
{
    return broker->queued == 0 && broker->client->inflight(broker) == 0 && broker->client->unsent(broker) == 0;
}

void rx_broker_status(const struct rx_broker *broker, struct rx_broker_status *ret)
{
    static const char *const states[] = {
        [RX_BROKER_IDLE] = "idle",
        [RX_BROKER_WAITING] = "waiting",
        [RX_BROKER_OPENING] = "connecting",
        [RX_BROKER_OPEN] = "connected",
    };
    *ret = broker->status;
    ret->name = broker->name;
    ret->connected = broker->state == RX_BROKER_OPEN;
    ret->state = states[broker->state];
    ret->queued = broker->queued;
    ret->queue_bytes = broker->queue_bytes;
    ret->orphans = broker->orphans;
    ret->inflight = broker->client->inflight(broker);
    ret->unanswered = broker->client->unanswered(broker);
    ret->client_id = broker->client_id;
    ret->last_error = broker->last_error;
    ret->last_loss = broker->last_loss;
    ret->parked = broker->parked_count;
    ret->parked_bytes = broker->parked_bytes;
    ret->refusal = broker->status.refused_now ? broker->refusal : "";
    ret->publish_refusal = broker->publish_refusal;
    ret->unclaimed_topic = broker->unclaimed_topic;
}
