/* One connection to a broker, driven from the loop: connecting, keeping alive, coming back. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/io/mqtt/mqtt_private.h"

#define BACKOFF_MIN   (RX_SEC / 4)
#define BACKOFF_MAX   (30 * RX_SEC)
#define OPEN_DEADLINE (15 * RX_SEC) /* from a socket to CONNACK, TLS included */
#define MISC_PERIOD   RX_SEC        /* libmosquitto's keep-alive counts in seconds */

enum { READS_A_TURN = 1024 }; /* packets; then the rest of the loop gets its turn */

static void note_error(struct rx_broker *broker, const char *what, const char *why)
{
    snprintf(broker->last_error, sizeof broker->last_error, "%s: %s", what, why);
}

static const char *reason_of(int code, int error)
{
    return code == MOSQ_ERR_ERRNO && error ? strerror(error) : mosquitto_strerror(code);
}

/* A quarter of the delay is left to chance, so that a thousand daemons do not come back in step. */
static rx_time jittered(struct rx_broker *broker, rx_time delay)
{
    broker->random = broker->random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return delay - (rx_time)((broker->random >> 33) % (uint64_t)(delay / 4));
}

static void arm(struct rx_broker *broker, rx_time delay)
{
    rx_sched_arm(broker->sched, &broker->tick, rx_sched_now(broker->sched) + delay);
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
    arm(broker, jittered(broker, broker->backoff));
    broker->backoff = broker->backoff * 2 < BACKOFF_MAX ? broker->backoff * 2 : BACKOFF_MAX;
}

static void dial(struct rx_broker *broker)
{
    set_state(broker, RX_BROKER_DIALING);
    int r = rx_dial_start(broker);
    if (r < 0) {
        note_error(broker, "cannot connect", strerror(-r));
        wait_for_next(broker);
    }
}

/* libmosquitto has closed the socket, or is about to: forget it and try again later. */
static void lose(struct rx_broker *broker, const char *why)
{
    if (broker->state != RX_BROKER_OPENING && broker->state != RX_BROKER_OPEN)
        return;
    rx_watch_destroy(broker->watch);
    broker->watch = NULL;
    if (why)
        note_error(broker, broker->state == RX_BROKER_OPEN ? "connection lost" : "cannot connect", why);
    broker->status.failures += broker->state == RX_BROKER_OPENING;
    wait_for_next(broker);
}

/* The answer to every call that may end the connection. */
static bool survived(struct rx_broker *broker, int code, int error)
{
    if (code == MOSQ_ERR_SUCCESS && mosquitto_socket(broker->mosq) >= 0)
        return true;
    /* A refusal in CONNACK says more than the code. */
    bool refused = broker->state == RX_BROKER_OPENING && broker->last_error[0];
    lose(broker, refused ? NULL : reason_of(code, error));
    return false;
}

static void read_packets(struct rx_broker *broker)
{
    bool opening = broker->state == RX_BROKER_OPENING;
    broker->in_read = true;
    for (int i = 0; i < READS_A_TURN; i++) {
        errno = 0;
        int code = mosquitto_loop_read(broker->mosq, 1);
        int error = errno;
        if (!survived(broker, code, error) || error == EAGAIN || opening)
            break;
    }
    /* Still in the read: what is sent or subscribed meanwhile waits until the round over the subscribers is through. */
    rx_broker_end_read(broker);
    broker->in_read = false;
}

static void on_ready(void *arg, int fd, unsigned events)
{
    struct rx_broker *broker = arg;
    (void)fd;
    /* During a TLS handshake it is loop_read that goes on with it, whatever it waited for. */
    if ((events & RX_READABLE) || broker->state == RX_BROKER_OPENING)
        read_packets(broker);
    if ((events & RX_WRITABLE) && broker->watch) {
        int code = mosquitto_loop_write(broker->mosq, 1);
        survived(broker, code, errno);
    }
    rx_broker_pump(broker);
    rx_broker_settle(broker);
}

void rx_broker_settle(struct rx_broker *broker)
{
    if (!broker->watch || broker->in_read)
        return;
    if (mosquitto_socket(broker->mosq) < 0) {
        lose(broker, "the socket was closed");
        return;
    }
    rx_watch_set(broker->watch, RX_READABLE | (mosquitto_want_write(broker->mosq) ? (unsigned)RX_WRITABLE : 0));
}

static void on_dialed(void *arg)
{
    struct rx_broker *broker = arg;
    int code, error;
    if (!rx_dial_finish(broker, &code, &error))
        return;
    int fd = code == MOSQ_ERR_SUCCESS ? mosquitto_socket(broker->mosq) : -1;
    if (fd < 0 || rx_watch_create(broker->loop, fd, RX_READABLE | RX_WRITABLE, on_ready, broker, &broker->watch) < 0) {
        note_error(broker, "cannot connect", fd < 0 ? reason_of(code, error) : "out of memory");
        broker->status.failures++;
        wait_for_next(broker);
        return;
    }
    set_state(broker, RX_BROKER_OPENING);
    broker->last_error[0] = '\0';
    broker->deadline = rx_sched_now(broker->sched) + OPEN_DEADLINE;
    arm(broker, MISC_PERIOD);
}

/* Keep-alive (MQTT 5.0, 3.1.2.10): a PINGREQ after a silence of keep_alive; given up after another one. */
static void on_tick(struct rx_timer *timer)
{
    struct rx_broker *broker = (struct rx_broker *)((char *)timer - offsetof(struct rx_broker, tick));
    if (broker->state == RX_BROKER_WAITING) {
        dial(broker);
        return;
    }
    arm(broker, MISC_PERIOD);
    int code = mosquitto_loop_misc(broker->mosq);
    if (!survived(broker, code, 0))
        return;
    if (broker->state == RX_BROKER_OPENING && rx_sched_now(broker->sched) >= broker->deadline) {
        mosquitto_disconnect(broker->mosq);
        lose(broker, "no answer from the broker");
        return;
    }
    rx_broker_pump(broker);
    rx_broker_settle(broker);
}

static void on_connect(struct mosquitto *mosq, void *arg, int reason, int flags, const mosquitto_property *properties)
{
    struct rx_broker *broker = arg;
    (void)mosq, (void)properties;
    if (reason != 0) {
        note_error(broker, "the broker refuses us",
                   rx_broker_is_v5(broker) ? mosquitto_reason_string(reason) : mosquitto_connack_string(reason));
        return;
    }
    bool remembered = flags & 1;
    if (broker->was_open && !remembered)
        broker->status.gaps++;
    broker->was_open = true;
    broker->backoff = BACKOFF_MIN;
    set_state(broker, RX_BROKER_OPEN);
    rx_broker_subscribe_all(broker);
}

void rx_broker_start(struct rx_broker *broker)
{
    broker->status.used = true;
    if (broker->state == RX_BROKER_IDLE)
        dial(broker);
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static void init_library(void) { mosquitto_lib_init(); }

static void identify(struct rx_broker *broker)
{
    if (getrandom(&broker->random, sizeof broker->random, GRND_NONBLOCK) != sizeof broker->random)
        broker->random = (uint64_t)rx_sched_now(broker->sched) ^ (uintptr_t)broker;
    snprintf(broker->client_id, sizeof broker->client_id, "rxd-%016llx", (unsigned long long)broker->random);
}

static int init(struct rx_broker *broker, const char *name, struct rx_error *reterr)
{
    int r = rx_broker_check(broker->options, reterr);
    if (r == 0)
        r = rx_broker_parse_url(broker->options->url, &broker->address, reterr);
    if (r < 0)
        return r;
    broker->name = strdup(name);
    broker->inflight = calloc((size_t)broker->options->max_inflight, sizeof *broker->inflight);
    if (!broker->name || !broker->inflight || rx_wake_create(broker->loop, on_dialed, broker, &broker->wake) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    pthread_once(&library_once, init_library);
    r = rx_broker_configure(broker, reterr);
    if (r < 0)
        return r;
    mosquitto_connect_v5_callback_set(broker->mosq, on_connect);
    mosquitto_message_v5_callback_set(broker->mosq, rx_broker_on_message);
    mosquitto_publish_v5_callback_set(broker->mosq, rx_broker_on_publish);
    mosquitto_subscribe_v5_callback_set(broker->mosq, rx_broker_on_subscribe);
    return 0;
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
    broker->last = &broker->first;
    broker->backoff = BACKOFF_MIN;
    broker->tick.fire = on_tick;
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
    rx_dial_abandon(broker);
    rx_watch_destroy(broker->watch);
    if (broker->mosq) {
        mosquitto_disconnect(broker->mosq);
        mosquitto_destroy(broker->mosq);
    }
    rx_wake_destroy(broker->wake);
    rx_filters_finish(broker);
    rx_queue_finish(broker);
    free(broker->inflight);
    free(broker->name);
    free(broker);
}

void rx_broker_status(const struct rx_broker *broker, struct rx_broker_status *ret)
{
    *ret = broker->status;
    ret->name = broker->name;
    ret->connected = broker->state == RX_BROKER_OPEN;
    ret->queued = broker->queued;
    ret->queue_bytes = broker->queue_bytes;
    ret->inflight = broker->inflight_count;
    ret->last_error = broker->last_error;
}
