/* rxd's own client: a session over a transport. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"
#include "core/io/net/tls.h"
#include "core/io/net/transport.h"

/* Reads are put together above a rate, by resting after one that emptied the socket, the longer the more comes. Below it
 * nothing waits. */
#define BUSY_RATE   18000 /* messages a second */
#define FULL_RATE   60000 /* rests are as long as they get */
#define REST_MAX    RX_MSEC
#define RATE_WINDOW (50 * RX_MSEC)

enum { UNSENT_MAX = 256 * 1024, FULL_READ = 60 * 1024 };

struct rxd_client {
    struct rx_broker *broker;
    struct rx_session *session;
    struct rx_transport *transport;
    SSL_CTX *tls;
    rx_time window;    /* when the counting began */
    uint64_t messages; /* since then */
    rx_time rest;      /* after a read; 0: none */
};

static struct rxd_client *link_of(const struct rx_broker *broker) { return broker->link; }
static rx_time now_of(const struct rx_broker *broker) { return rx_sched_now(broker->sched); }

/* The session's host. */

static void on_session_write(void *arg, const void *bytes, size_t length)
{
    struct rxd_client *c = arg;
    if (c->transport)
        rx_transport_write(c->transport, bytes, length);
}

static void on_session_opened(void *arg, bool present)
{
    struct rxd_client *c = arg;
    rx_broker_opened(c->broker, present);
}

static void on_session_messages(void *arg, struct rx_mqtt_message *messages, size_t count)
{
    struct rxd_client *c = arg;
    c->messages += count;
    rx_broker_messages(c->broker, messages, count);
}

static void on_session_oversized(void *arg, const char *topic, size_t topic_length, size_t size)
{
    struct rxd_client *c = arg;
    (void)topic, (void)topic_length;
    rx_broker_oversized(c->broker, size);
}

static void on_session_published(void *arg, struct rx_outgoing *o, uint8_t reason)
{
    struct rxd_client *c = arg;
    rx_broker_published(c->broker, o, reason);
}

static void on_session_granted(void *arg, uint16_t id, uint8_t reason)
{
    struct rxd_client *c = arg;
    rx_broker_granted(c->broker, id, reason);
}

static const struct rx_session_host session_host = {.write = on_session_write,
                                                    .opened = on_session_opened,
                                                    .messages = on_session_messages,
                                                    .oversized = on_session_oversized,
                                                    .published = on_session_published,
                                                    .granted = on_session_granted};

/* The transport's host. */

static void on_up(void *arg)
{
    struct rxd_client *c = arg;
    rx_session_connect(c->session, now_of(c->broker));
}

static void end(struct rxd_client *c, const char *why, uint8_t reason)
{
    char text[256];
    snprintf(text, sizeof text, "%s", why); /* the session's text may change while it is closed */
    rx_broker_lost(c->broker, text, reason);
}

static size_t on_bytes(void *arg, const unsigned char *bytes, size_t length)
{
    struct rxd_client *c = arg;
    c->broker->in_read = true;
    ssize_t used = rx_session_feed(c->session, bytes, length, now_of(c->broker));
    c->broker->in_read = false;
    if (used >= 0)
        return (size_t)used;
    rx_broker_end_read(c->broker); /* what came before is as good as ever */
    end(c, rx_session_why(c->session), rx_session_reason(c->session));
    return 0;
}

/* A rate, taken anew every so often. */
static void measure(struct rxd_client *c, rx_time now)
{
    if (now - c->window < RATE_WINDOW)
        return;
    double rate = (double)c->messages * RX_SEC / (double)(now - c->window);
    c->rest = rate < BUSY_RATE ? 0 : rate > FULL_RATE ? REST_MAX : (rx_time)(REST_MAX * (rate / FULL_RATE));
    c->window = now;
    c->messages = 0;
}

static void flush(struct rx_broker *broker)
{
    struct rxd_client *c = link_of(broker);
    if (rx_session_flush(c->session, now_of(broker)) < 0)
        end(c, "out of memory", 0);
}

static void on_read_end(void *arg, size_t length)
{
    struct rxd_client *c = arg;
    struct rx_broker *broker = c->broker;
    broker->in_read = true;
    rx_broker_end_read(broker);
    broker->in_read = false;
    rx_broker_pump(broker);
    flush(broker);
    measure(c, now_of(broker));
    if (c->rest && length < FULL_READ && c->transport)
        rx_transport_rest(c->transport, c->rest);
}

static void on_drained(void *arg)
{
    struct rxd_client *c = arg;
    rx_broker_pump(c->broker);
    flush(c->broker);
}

static void on_down(void *arg, const char *why)
{
    struct rxd_client *c = arg;
    end(c, why, 0);
}

static const struct rx_transport_host transport_host = {
    .up = on_up, .bytes = on_bytes, .read_end = on_read_end, .drained = on_drained, .down = on_down};

/* The client. */

static struct rx_session_options session_options(const struct rx_broker *broker)
{
    const struct rx_broker_options *o = broker->options;
    const struct rx_broker_note *will = &broker->will;
    return (struct rx_session_options){
        .connect = {.v5 = rx_broker_is_v5(o),
                    .clean = o->clean_start,
                    .keep_alive = (uint16_t)(o->keep_alive / RX_SEC),
                    .client_id = broker->client_id,
                    .user = o->user,
                    .password = o->password,
                    .session_expiry = o->clean_start ? 0 : (uint32_t)(o->session_expiry / RX_SEC),
                    .receive_maximum = (uint16_t)o->receive_maximum,
                    .packet_maximum = (uint32_t)o->max_packet,
                    .will_topic = will->topic,
                    .will_topic_length = will->topic_length,
                    .will_payload = will->payload ? will->payload : "",
                    .will_payload_length = will->payload_length,
                    .will_qos = will->qos,
                    .will_retain = will->retain},
        .inflight_maximum = (size_t)o->max_inflight,
        .packet_maximum = (size_t)o->max_packet,
    };
}

static int create(struct rx_broker *broker, struct rx_error *reterr)
{
    struct rxd_client *c = calloc(1, sizeof *c);
    if (!c)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    broker->link = c;
    c->broker = broker;
    struct rx_session_options options = session_options(broker);
    if (rx_session_create(&options, &session_host, c, &c->session) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return broker->address.tls ? rx_tls_create(&broker->options->tls, &c->tls, reterr) : 0;
}

static void close_transport(struct rxd_client *c, bool linger)
{
    struct rx_transport *transport = c->transport;
    c->transport = NULL;
    rx_transport_destroy(transport, linger);
    if (c->session)
        rx_session_lost(c->session);
}

static void destroy(struct rx_broker *broker)
{
    struct rxd_client *c = link_of(broker);
    if (!c)
        return;
    if (broker->state == RX_BROKER_OPEN)
        rx_session_disconnect(c->session);
    close_transport(c, true);
    rx_session_destroy(c->session);
    SSL_CTX_free(c->tls);
    free(c);
    broker->link = NULL;
}

static int open_connection(struct rx_broker *broker)
{
    struct rxd_client *c = link_of(broker);
    struct rx_transport_options options = {.address = &broker->address,
                                           .tls = c->tls,
                                           .insecure = broker->options->tls.insecure,
                                           .peer = "broker",
                                           .ws = {.port = broker->address.port, .subprotocol = "mqtt"}};
    return rx_transport_create(broker->loop, &options, &transport_host, c, &c->transport);
}

/* What the session said last (why it ends) is offered to the kernel. */
static void close_connection(struct rx_broker *broker) { close_transport(link_of(broker), true); }

static int tick(struct rx_broker *broker, const char **ret_why)
{
    struct rxd_client *c = link_of(broker);
    int r = rx_session_tick(c->session, now_of(broker));
    if (r < 0)
        *ret_why = rx_session_why(c->session);
    return r;
}

static rx_time due(const struct rx_broker *broker) { return rx_session_due(link_of(broker)->session); }

static int subscribe(struct rx_broker *broker, const struct rx_filter *filter, int *ret_asked)
{
    uint16_t id = 0;
    int r = rx_session_subscribe(link_of(broker)->session, filter->text, filter->qos, filter->id,
                                 !filter->retained_again, &id);
    *ret_asked = id;
    return r;
}

static int unsubscribe(struct rx_broker *broker, const struct rx_filter *filter, int *ret_asked)
{
    uint16_t id = 0;
    int r = rx_session_unsubscribe(link_of(broker)->session, filter->text, &id);
    *ret_asked = id;
    return r;
}

/* What is collected goes out in pieces, and no more than the kernel takes soon. */
static int publish(struct rx_broker *broker, struct rx_outgoing *o)
{
    struct rxd_client *c = link_of(broker);
    if (!c->transport || rx_transport_unsent(c->transport) > UNSENT_MAX)
        return -EAGAIN;
    int r = rx_session_publish(c->session, o);
    if (r == 0 && rx_session_collected(c->session) > UNSENT_MAX)
        rx_session_flush(c->session, now_of(broker));
    return r;
}

static void ack(struct rx_broker *broker, uint64_t position)
{
    struct rxd_client *c = link_of(broker);
    rx_session_ack(c->session, position);
    if (!broker->in_read)
        flush(broker);
}

static size_t inflight(const struct rx_broker *broker) { return rx_session_inflight(link_of(broker)->session); }

static size_t unsent(const struct rx_broker *broker)
{
    const struct rxd_client *c = link_of(broker);
    return rx_session_collected(c->session) + (c->transport ? rx_transport_unsent(c->transport) : 0);
}

static size_t unanswered(const struct rx_broker *broker) { return rx_session_unanswered(link_of(broker)->session); }

const struct rx_client_class rx_client_rxd = {
    .name = "rxd",
    .create = create,
    .destroy = destroy,
    .open = open_connection,
    .close = close_connection,
    .tick = tick,
    .due = due,
    .subscribe = subscribe,
    .unsubscribe = unsubscribe,
    .publish = publish,
    .ack = ack,
    .flush = flush,
    .inflight = inflight,
    .unsent = unsent,
    .unanswered = unanswered,
};
