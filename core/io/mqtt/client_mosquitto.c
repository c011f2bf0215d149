/* The other client: libmosquitto, driven from the loop. It acknowledges on arrival, before a message is safe. */
#include <errno.h>
#include <fcntl.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/io/mqtt/mosquitto_private.h"
#include "core/io/mqtt/mqtt_topic.h"

#define MISC_PERIOD RX_SEC /* libmosquitto's keep-alive counts in seconds */

enum { READS_A_TURN = 1024 }; /* packets; then the rest of the loop gets its turn */
enum { FILTERS_TOLD = 16 };   /* subscription identifiers of one message; a broker sends one, or one for each match */
enum { QOS2_INFLIGHT = 20 };  /* as session_out.c explains; libmosquitto cannot be asked what the broker said */

static struct rx_mosquitto *link_of(const struct rx_broker *broker) { return broker->link; }

static const char *reason_of(int code, int error)
{
    return code == MOSQ_ERR_ERRNO && error ? strerror(error) : mosquitto_strerror(code);
}

static void settle(struct rx_mosquitto *m);

static void forget_socket(struct rx_mosquitto *m)
{
    if (!m->watch)
        return;
    rx_watch_destroy(m->watch);
    m->watch = NULL;
    close(m->fd);
}

/* The answer to every call that may end the connection. A refusal in CONNACK says more than the code. */
static bool survived(struct rx_mosquitto *m, int code, int error)
{
    if (code == MOSQ_ERR_SUCCESS && mosquitto_socket(m->mosq) >= 0)
        return true;
    rx_broker_lost(m->broker, m->refusal[0] ? m->refusal : reason_of(code, error), 0);
    return false;
}

static void read_packets(struct rx_mosquitto *m)
{
    struct rx_broker *broker = m->broker;
    bool opening = broker->state == RX_BROKER_OPENING;
    broker->in_read = true;
    for (int i = 0; i < READS_A_TURN; i++) {
        errno = 0;
        int code = mosquitto_loop_read(m->mosq, 1);
        int error = errno;
        if (!survived(m, code, error) || error == EAGAIN || opening)
            break;
    }
    /* Still in the read: what is sent or subscribed meanwhile waits until the round over the subscribers is through. */
    rx_broker_end_read(broker);
    broker->in_read = false;
}

static void on_ready(void *arg, int fd, unsigned events)
{
    struct rx_mosquitto *m = arg;
    (void)fd;
    /* During a TLS handshake it is loop_read that goes on with it, whatever it waited for. */
    if ((events & RX_READABLE) || m->broker->state == RX_BROKER_OPENING)
        read_packets(m);
    if ((events & RX_WRITABLE) && m->watch) {
        int code = mosquitto_loop_write(m->mosq, 1);
        survived(m, code, errno);
    }
    rx_filters_pump(m->broker);
    rx_broker_pump(m->broker);
    settle(m);
}

/* After any call to libmosquitto: what to wait for. */
static void settle(struct rx_mosquitto *m)
{
    if (!m->watch || m->broker->in_read)
        return;
    if (mosquitto_socket(m->mosq) < 0)
        rx_broker_lost(m->broker, "the socket was closed", 0);
    else
        rx_watch_set(m->watch, RX_READABLE | (mosquitto_want_write(m->mosq) ? (unsigned)RX_WRITABLE : 0));
}

/* A descriptor of our own: libmosquitto closes its one when it likes, and another thread may have the number by the time we
 * stop watching it. */
static int watch_socket(struct rx_mosquitto *m)
{
    m->fd = fcntl(mosquitto_socket(m->mosq), F_DUPFD_CLOEXEC, 0);
    if (m->fd < 0)
        return -errno;
    int r = rx_watch_create(m->broker->loop, m->fd, RX_READABLE | RX_WRITABLE, on_ready, m, &m->watch);
    if (r < 0)
        close(m->fd);
    return r;
}

static void on_dialed(void *arg)
{
    struct rx_mosquitto *m = arg;
    int code, error;
    if (!rx_mosquitto_dial_finish(m, &code, &error))
        return;
    if (m->broker->state != RX_BROKER_OPENING) { /* given up meanwhile */
        if (code == MOSQ_ERR_SUCCESS)
            mosquitto_disconnect(m->mosq);
        return;
    }
    if (code != MOSQ_ERR_SUCCESS)
        rx_broker_lost(m->broker, reason_of(code, error), 0);
    else if (watch_socket(m) < 0)
        rx_broker_lost(m->broker, "no descriptor or memory left", 0);
    m->misc = rx_sched_now(m->broker->sched) + MISC_PERIOD;
    rx_broker_rearm(m->broker);
}

/* What libmosquitto reports. */

static void on_connect(struct mosquitto *mosq, void *arg, int reason, int flags, const mosquitto_property *properties)
{
    struct rx_mosquitto *m = arg;
    (void)mosq, (void)properties;
    if (reason != 0) {
        const char *text = rx_broker_is_v5(m->broker->options) ? rx_reason_text((unsigned)reason)
                                                               : rx_connack_text_311((unsigned)reason);
        snprintf(m->refusal, sizeof m->refusal, "the broker refuses us: %s", text);
        return;
    }
    rx_broker_opened(m->broker, flags & 1);
}

static size_t filters_of(const mosquitto_property *property, uint32_t *filters)
{
    size_t count = 0;
    for (; property && count < FILTERS_TOLD; property = mosquitto_property_next(property))
        if (mosquitto_property_identifier(property) == MQTT_PROP_SUBSCRIPTION_IDENTIFIER &&
            mosquitto_property_read_varint(property, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, &filters[count], false))
            count++;
    return count;
}

static void on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct rx_mosquitto *m = arg;
    uint32_t filters[FILTERS_TOLD];
    size_t length = strlen(message->topic);
    struct rx_mqtt_message own = {.topic = message->topic,
                                  .topic_length = length,
                                  .topic_hash = rx_topic_hash(message->topic, length),
                                  .payload = message->payload ? message->payload : "",
                                  .length = (size_t)message->payloadlen,
                                  .qos = message->qos,
                                  .retained = message->retain,
                                  .filters = filters,
                                  .filter_count = filters_of(properties, filters)};
    (void)mosq;
    rx_broker_messages(m->broker, &own, 1);
}

static void on_subscribe(struct mosquitto *mosq, void *arg, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    struct rx_mosquitto *m = arg;
    (void)mosq, (void)properties;
    if (count > 0)
        rx_broker_granted(m->broker, mid, (unsigned)granted[0]);
}

static void on_unsubscribe(struct mosquitto *mosq, void *arg, int mid, const mosquitto_property *properties)
{
    struct rx_mosquitto *m = arg;
    (void)mosq, (void)properties;
    rx_broker_granted(m->broker, mid, 0);
}

static void on_publish(struct mosquitto *mosq, void *arg, int mid, int reason, const mosquitto_property *properties)
{
    struct rx_mosquitto *m = arg;
    (void)mosq, (void)properties;
    for (size_t i = 0; i < m->flight_count; i++)
        if (m->flights[i].mid == mid) {
            struct rx_outgoing *o = m->flights[i].message;
            m->flights[i] = m->flights[--m->flight_count];
            rx_broker_published(m->broker, o, (unsigned)reason);
            return;
        }
}

/* Making the handle. */

static int no_password(char *buffer, int size, int writing, void *userdata)
{
    (void)buffer, (void)size, (void)writing, (void)userdata;
    return 0;
}

static int set_tls(struct rx_mosquitto *m)
{
    const struct rx_broker_options *o = m->broker->options;
    int code = mosquitto_tls_set(m->mosq, o->tls.ca, o->tls.ca ? NULL : "/etc/ssl/certs", o->tls.cert, o->tls.key,
                                 no_password);
    return code == MOSQ_ERR_SUCCESS ? mosquitto_tls_insecure_set(m->mosq, o->tls.insecure) : code;
}

static int set_will(struct rx_mosquitto *m)
{
    const struct rx_broker_note *will = &m->broker->will;
    char topic[RX_TOPIC_BYTES_MAX + 1];
    if (!will->topic)
        return MOSQ_ERR_SUCCESS;
    memcpy(topic, will->topic, will->topic_length);
    topic[will->topic_length] = '\0';
    return mosquitto_will_set(m->mosq, topic, (int)will->payload_length, will->payload, will->qos, will->retain);
}

static int configure(struct rx_mosquitto *m, struct rx_error *reterr)
{
    const struct rx_broker_options *o = m->broker->options;
    int protocol = rx_broker_is_v5(o) ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311;
    mosquitto_int_option(m->mosq, MOSQ_OPT_PROTOCOL_VERSION, protocol);
    mosquitto_int_option(m->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(m->mosq, MOSQ_OPT_SEND_MAXIMUM, (int)o->max_inflight);
    mosquitto_int_option(m->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, (int)o->receive_maximum);
    int code = o->user ? mosquitto_username_pw_set(m->mosq, o->user, o->password) : MOSQ_ERR_SUCCESS;
    if (code != MOSQ_ERR_SUCCESS)
        return rx_error_set(reterr, -EINVAL, "user: %s", mosquitto_strerror(code));
    code = set_will(m);
    if (code != MOSQ_ERR_SUCCESS)
        return rx_error_set(reterr, -EINVAL, "will: %s", mosquitto_strerror(code));
    code = m->broker->address.tls ? set_tls(m) : MOSQ_ERR_SUCCESS;
    return code == MOSQ_ERR_SUCCESS ? 0 : rx_error_set(reterr, -EINVAL, "TLS: %s", mosquitto_strerror(code));
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static void init_library(void) { mosquitto_lib_init(); }

static int create(struct rx_broker *broker, struct rx_error *reterr)
{
    struct rx_mosquitto *m = calloc(1, sizeof *m);
    if (!m)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    broker->link = m;
    m->broker = broker;
    pthread_once(&library_once, init_library);
    m->flights = calloc((size_t)broker->options->max_inflight, sizeof *m->flights);
    m->mosq = mosquitto_new(broker->client_id, broker->options->clean_start, m);
    if (!m->flights || !m->mosq || rx_wake_create(broker->loop, on_dialed, m, &m->wake) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    mosquitto_connect_v5_callback_set(m->mosq, on_connect);
    mosquitto_message_v5_callback_set(m->mosq, on_message);
    mosquitto_publish_v5_callback_set(m->mosq, on_publish);
    mosquitto_subscribe_v5_callback_set(m->mosq, on_subscribe);
    mosquitto_unsubscribe_v5_callback_set(m->mosq, on_unsubscribe);
    return configure(m, reterr);
}

static void destroy(struct rx_broker *broker)
{
    struct rx_mosquitto *m = link_of(broker);
    if (!m)
        return;
    rx_mosquitto_dial_abandon(m);
    forget_socket(m);
    if (m->mosq) {
        mosquitto_disconnect(m->mosq);
        mosquitto_destroy(m->mosq);
    }
    rx_wake_destroy(m->wake);
    while (m->flight_count > 0)
        rx_broker_published(broker, m->flights[--m->flight_count].message, RX_REASON_FAILURE);
    free(m->flights);
    free(m);
    broker->link = NULL;
}

/* The class. */

static int open_connection(struct rx_broker *broker)
{
    struct rx_mosquitto *m = link_of(broker);
    m->refusal[0] = '\0';
    m->misc = RX_TIME_NEVER;
    return m->dial ? 0 : rx_mosquitto_dial_start(m); /* a dial that was given up may still be under way: it will do */
}

static void close_connection(struct rx_broker *broker)
{
    struct rx_mosquitto *m = link_of(broker);
    m->misc = RX_TIME_NEVER;
    if (m->watch && mosquitto_socket(m->mosq) >= 0 && !broker->in_read)
        mosquitto_disconnect(m->mosq);
    forget_socket(m);
}

static int tick(struct rx_broker *broker, const char **ret_why)
{
    struct rx_mosquitto *m = link_of(broker);
    rx_time now = rx_sched_now(broker->sched);
    if (now < m->misc)
        return 0;
    m->misc = now + MISC_PERIOD;
    int code = mosquitto_loop_misc(m->mosq);
    if (code == MOSQ_ERR_SUCCESS && mosquitto_socket(m->mosq) >= 0) {
        settle(m);
        return 0;
    }
    *ret_why = code == MOSQ_ERR_KEEPALIVE ? "the broker has not been heard for two keep-alives" : reason_of(code, 0);
    return -ETIMEDOUT;
}

static rx_time due(const struct rx_broker *broker) { return link_of(broker)->misc; }

static int subscribe(struct rx_broker *broker, const struct rx_filter *filter, int *ret_asked)
{
    struct rx_mosquitto *m = link_of(broker);
    mosquitto_property *properties = NULL;
    bool v5 = rx_broker_is_v5(broker->options);
    if (v5)
        mosquitto_property_add_varint(&properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, filter->id);
    int flags = v5 && !filter->retained_again ? MQTT_SUB_OPT_SEND_RETAIN_NEW : 0;
    int code = mosquitto_subscribe_v5(m->mosq, ret_asked, filter->text, filter->qos, flags, properties);
    mosquitto_property_free_all(&properties);
    return code == MOSQ_ERR_SUCCESS ? 0 : -EAGAIN;
}

static int unsubscribe(struct rx_broker *broker, const struct rx_filter *filter, int *ret_asked)
{
    int code = mosquitto_unsubscribe(link_of(broker)->mosq, ret_asked, filter->text);
    return code == MOSQ_ERR_SUCCESS ? 0 : -EAGAIN;
}

static bool has_room(const struct rx_mosquitto *m, int qos)
{
    size_t max = (size_t)m->broker->options->max_inflight;
    if (qos == 2 && max > QOS2_INFLIGHT)
        max = QOS2_INFLIGHT;
    return qos == 0 || m->flight_count < max;
}

static unsigned refusal_of(int code)
{
    switch (code) {
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_OVERSIZE_PACKET:
        return RX_REASON_TOO_LARGE;
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
        return 0x9B;
    case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
        return 0x9A;
    default:
        return RX_REASON_FAILURE;
    }
}

static int publish(struct rx_broker *broker, struct rx_outgoing *o)
{
    struct rx_mosquitto *m = link_of(broker);
    int mid = 0;
    if (broker->in_read || !has_room(m, o->qos) || mosquitto_want_write(m->mosq))
        return -EAGAIN;
    int code = mosquitto_publish_v5(m->mosq, &mid, o->data, (int)o->payload_length, o->data + o->topic_length + 1,
                                    o->qos, o->retain, NULL);
    if (code == MOSQ_ERR_NO_CONN || code == MOSQ_ERR_CONN_LOST || code == MOSQ_ERR_ERRNO || code == MOSQ_ERR_NOMEM)
        return -EAGAIN;
    if (code != MOSQ_ERR_SUCCESS)
        return (int)refusal_of(code);
    if (o->qos > 0)
        m->flights[m->flight_count++] = (struct rx_mosquitto_flight){.mid = mid, .message = o};
    return 0;
}

static void flush(struct rx_broker *broker) { settle(link_of(broker)); }
static size_t inflight(const struct rx_broker *broker) { return link_of(broker)->flight_count; }
static size_t unanswered(const struct rx_broker *broker) { return (void)broker, (size_t)0; }

static size_t unsent(const struct rx_broker *broker)
{
    const struct rx_mosquitto *m = link_of(broker);
    return m->watch && mosquitto_want_write(m->mosq);
}

const struct rx_client_class rx_client_mosquitto = {
    .name = "mosquitto",
    .create = create,
    .destroy = destroy,
    .open = open_connection,
    .close = close_connection,
    .tick = tick,
    .due = due,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
    .publish = publish,
    .flush = flush,
    .inflight = inflight,
    .unsent = unsent,
    .unanswered = unanswered,
};
