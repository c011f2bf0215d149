/* Sending to a broker: a bounded queue, handed to libmosquitto only as fast as the socket takes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"
#include "core/io/mqtt/mqtt_topic.h"

void rx_broker_publisher_join(struct rx_broker *broker, struct rx_publisher *publisher)
{
    publisher->previous = NULL;
    publisher->next = broker->publishers;
    if (broker->publishers)
        broker->publishers->previous = publisher;
    broker->publishers = publisher;
    rx_broker_start(broker);
    if (publisher->connection)
        publisher->connection(publisher, broker->state == RX_BROKER_OPEN);
}

void rx_broker_publisher_leave(struct rx_broker *broker, struct rx_publisher *publisher)
{
    if (publisher->next)
        publisher->next->previous = publisher->previous;
    if (publisher->previous)
        publisher->previous->next = publisher->next;
    else if (broker->publishers == publisher)
        broker->publishers = publisher->next;
    publisher->previous = publisher->next = NULL;
    for (struct rx_outgoing *o = broker->first; o; o = o->next)
        if (o->publisher == publisher)
            o->publisher = NULL;
    for (size_t i = 0; i < broker->inflight_count; i++)
        if (broker->inflight[i].publisher == publisher)
            broker->inflight[i].publisher = NULL;
}

static size_t size_of(const struct rx_outgoing *outgoing)
{
    return sizeof *outgoing + outgoing->topic_length + 1u + outgoing->payload_length;
}

static void settle_account(struct rx_publisher *publisher, bool delivered)
{
    if (!publisher)
        return;
    publisher->held--;
    publisher->delivered += delivered;
    publisher->lost += !delivered;
}

static void drop_first(struct rx_broker *broker)
{
    struct rx_outgoing *outgoing = broker->first;
    broker->first = outgoing->next;
    if (!broker->first)
        broker->last = &broker->first;
    broker->queued--;
    broker->queue_bytes -= size_of(outgoing);
    free(outgoing);
}

/* Handed over: QoS 0 is then as delivered as it will ever be. */
static void hand_over(struct rx_broker *broker, struct rx_outgoing *outgoing, int mid)
{
    broker->status.sent++;
    if (outgoing->qos == 0)
        settle_account(outgoing->publisher, true);
    else
        broker->inflight[broker->inflight_count++] = (struct rx_inflight){.mid = mid, .publisher = outgoing->publisher};
}

/* Of what is sent at QoS 2 mosquitto takes so many at once (its max_inflight_messages, 20 unless set), and over MQTT 3.1.1
 * it cannot say so: what is beyond is never answered. */
enum { QOS2_INFLIGHT = 20 };

static size_t inflight_max(const struct rx_broker *broker)
{
    size_t max = (size_t)broker->options->max_inflight;
    return broker->first->qos == 2 && max > QOS2_INFLIGHT ? QOS2_INFLIGHT : max;
}

static bool can_send(const struct rx_broker *broker)
{
    if (broker->state != RX_BROKER_OPEN || broker->in_read || !broker->first)
        return false;
    bool room = broker->first->qos == 0 || broker->inflight_count < inflight_max(broker);
    return room && !mosquitto_want_write(broker->mosq);
}

void rx_broker_pump(struct rx_broker *broker)
{
    while (can_send(broker)) {
        struct rx_outgoing *o = broker->first;
        int mid = 0;
        int code = mosquitto_publish_v5(broker->mosq, &mid, o->data, (int)o->payload_length,
                                        o->data + o->topic_length + 1, o->qos, o->retain, NULL);
        if (code == MOSQ_ERR_NO_CONN || code == MOSQ_ERR_CONN_LOST || code == MOSQ_ERR_ERRNO || code == MOSQ_ERR_NOMEM)
            return;
        if (code == MOSQ_ERR_SUCCESS) {
            hand_over(broker, o, mid);
        } else { /* the broker cannot take it: too large, no retain, no such QoS */
            broker->status.dropped++;
            settle_account(o->publisher, false);
        }
        drop_first(broker);
    }
}

void rx_broker_on_publish(struct mosquitto *mosq, void *arg, int mid, int reason, const mosquitto_property *properties)
{
    struct rx_broker *broker = arg;
    (void)mosq, (void)properties;
    for (size_t i = 0; i < broker->inflight_count; i++)
        if (broker->inflight[i].mid == mid) {
            settle_account(broker->inflight[i].publisher, reason < 128);
            broker->status.dropped += reason >= 128;
            broker->inflight[i] = broker->inflight[--broker->inflight_count];
            return;
        }
}

static struct rx_outgoing *make_outgoing(const char *topic, size_t topic_length, const void *payload, size_t length)
{
    struct rx_outgoing *outgoing = malloc(sizeof *outgoing + topic_length + 1 + length);
    if (!outgoing)
        return NULL;
    *outgoing = (struct rx_outgoing){.topic_length = (uint16_t)topic_length, .payload_length = (uint32_t)length};
    memcpy(outgoing->data, topic, topic_length);
    outgoing->data[topic_length] = '\0';
    if (length > 0)
        memcpy(outgoing->data + topic_length + 1, payload, length);
    return outgoing;
}

int rx_broker_publish(struct rx_broker *broker, struct rx_publisher *publisher, const char *topic, size_t topic_length,
                      const void *payload, size_t length, int qos, bool retain)
{
    if (!rx_topic_is_name(topic, topic_length) || length > 268435455u)
        return -EINVAL;
    if (broker->queued >= (size_t)broker->options->max_queue ||
        broker->queue_bytes + length > broker->options->max_queue_bytes) {
        broker->status.dropped++;
        return -EAGAIN;
    }
    struct rx_outgoing *outgoing = make_outgoing(topic, topic_length, payload, length);
    if (!outgoing)
        return -ENOMEM;
    outgoing->publisher = publisher;
    outgoing->qos = (uint8_t)qos;
    outgoing->retain = retain;
    *broker->last = outgoing;
    broker->last = &outgoing->next;
    broker->queued++;
    broker->queue_bytes += size_of(outgoing);
    publisher->held++;
    return 0;
}

void rx_broker_flush(struct rx_broker *broker)
{
    if (broker->in_read)
        return; /* the read's end does it */
    rx_broker_pump(broker);
    rx_broker_settle(broker);
}

void rx_queue_finish(struct rx_broker *broker)
{
    while (broker->first)
        drop_first(broker);
}
