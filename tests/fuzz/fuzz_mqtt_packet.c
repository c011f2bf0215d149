// layer: mqtt
/* The MQTT codec and session: any bytes from a broker, in any pieces, while messages are under way both ways. */
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/session.h"

static struct rx_session *session;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void on_write(void *arg, const void *bytes, size_t length)
{
    /* What we send is well-formed as far as its framing goes. */
    const unsigned char *at = bytes;
    (void)arg;
    while (length > 0) {
        size_t left = 0, used = 1;
        for (unsigned shift = 0;; shift += 7) {
            check(used < length && shift < 28);
            left |= (size_t)(at[used] & 127) << shift;
            if (!(at[used++] & 128))
                break;
        }
        check(left <= length - used);
        at += used + left;
        length -= used + left;
    }
}

static void on_opened(void *arg, bool present)
{
    uint16_t id;
    (void)arg, (void)present;
    rx_session_subscribe(session, "a/+", 1, 77, true, &id);
    rx_session_unsubscribe(session, "b/#", &id);
}

static volatile uint64_t all_read; /* so that every byte is */

static void on_message(void *arg, const struct rx_mqtt_message *message)
{
    struct rx_packet_pair pair;
    size_t at = 0;
    uint64_t sum = message->topic_hash;
    (void)arg, (void)pair, (void)at;
    for (size_t i = 0; i < message->topic_length; i++) {
        check(message->topic[i] != '\0' && message->topic[i] != '+' && message->topic[i] != '#');
        sum += (unsigned char)message->topic[i];
    }
    for (size_t i = 0; i < message->length; i++)
        sum += (unsigned char)message->payload[i];
    for (size_t i = 0; i < message->filter_count; i++)
        check(message->filters[i] > 0);
    all_read = sum;
    check(message->topic_length > 0 && (message->position > 0) == (message->qos > 0));
}

static void on_messages(void *arg, struct rx_mqtt_message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        on_message(arg, &messages[i]);
}

static void on_oversized(void *arg, const char *topic, size_t topic_length, size_t size)
{
    uint64_t sum = size;
    (void)arg;
    for (size_t i = 0; i < topic_length; i++)
        sum += (unsigned char)topic[i];
    check(sum > 0);
}

static void on_published(void *arg, struct rx_outgoing *o, uint8_t reason) { (void)arg, (void)reason, free(o); }
static void on_granted(void *arg, uint16_t id, uint8_t reason) { (void)arg, (void)id, (void)reason; }

static const struct rx_session_host host = {.write = on_write,
                                            .opened = on_opened,
                                            .messages = on_messages,
                                            .oversized = on_oversized,
                                            .published = on_published,
                                            .granted = on_granted};

static void publish(unsigned qos)
{
    struct rx_outgoing *o = calloc(1, sizeof *o + 8);
    if (!o)
        abort();
    *o = (struct rx_outgoing){.topic_length = 1, .payload_length = 2, .qos = (uint8_t)(qos % 3)};
    memcpy(o->data, "t\0hi", 4);
    if (rx_session_publish(session, o) != 0 || o->qos == 0)
        free(o);
}

/* The broker's side of one connection: the first byte of each piece says how long it is, and what we do before it. */
static void connection(const uint8_t **data, size_t *size)
{
    unsigned char *held = malloc(*size + 1);
    size_t have = 0;
    rx_time now = 2;
    rx_session_connect(session, 1);
    while (*size > 1) {
        unsigned order = **data;
        size_t piece = order % 32 + 1 < *size - 1 ? order % 32 + 1 : *size - 1;
        now += RX_SEC;
        if (order / 32 == 1)
            publish(order);
        else if (order / 32 == 2)
            rx_session_ack(session, rx_session_position(session) - (order & 1));
        else if (order / 32 == 3 && rx_session_tick(session, now) < 0)
            break;
        memcpy(held + have, *data + 1, piece);
        have += piece;
        *data += piece + 1;
        *size -= piece + 1;
        ssize_t used = rx_session_feed(session, held, have, now);
        check(used < 0 || (size_t)used <= have);
        if (used < 0 || order / 32 == 7)
            break;
        have -= (size_t)used;
        memmove(held, held + used, have);
        rx_session_flush(session, now);
    }
    rx_session_lost(session);
    free(held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct rx_session_options options = {.connect = {.v5 = data[0] & 1,
                                                     .clean = data[0] >> 1 & 1,
                                                     .client_id = "fuzz",
                                                     .keep_alive = 5,
                                                     .receive_maximum = data[0] >> 2 & 1 ? 3 : 0},
                                         .inflight_maximum = data[0] >> 3 & 1 ? 2 : 50,
                                         .packet_maximum = data[0] >> 4 & 1 ? 20 : 1 << 20};
    check(rx_session_create(&options, &host, NULL, &session) == 0);
    data++;
    size--;
    for (int i = 0; i < 4 && size > 1; i++)
        connection(&data, &size);
    rx_session_destroy(session);
    return 0;
}
