/* Sending to a broker: a bounded queue, handed to the client only as fast as it takes it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"
#include "core/io/mqtt/mqtt_topic.h"

int rx_broker_publisher_join(struct rx_broker *broker, struct rx_publisher *publisher)
{
    struct rx_tab *account = calloc(1, sizeof *account);
    if (!account)
        return -ENOMEM;
    *account = (struct rx_tab){.publisher = publisher, .number = ++broker->tab_number, .next = broker->tabs};
    if (broker->tabs)
        broker->tabs->previous = account;
    broker->tabs = account;
    publisher->account = account;
    publisher->previous = NULL;
    publisher->next = broker->publishers;
    if (broker->publishers)
        broker->publishers->previous = publisher;
    broker->publishers = publisher;
    rx_broker_start(broker);
    if (publisher->connection)
        publisher->connection(publisher, broker->state == RX_BROKER_OPEN);
    return 0;
}

static void release_account(struct rx_broker *broker, struct rx_tab *account)
{
    if (account->publisher || account->messages > 0)
        return;
    if (account->next)
        account->next->previous = account->previous;
    *(account->previous ? &account->previous->next : &broker->tabs) = account->next;
    free(account);
}

uint64_t rx_broker_publisher_number(const struct rx_publisher *publisher)
{
    return publisher->account ? publisher->account->number : 0;
}

size_t rx_broker_publisher_adopt(struct rx_broker *broker, struct rx_publisher *publisher, uint64_t number)
{
    struct rx_tab *left = broker->tabs, *own = publisher->account;
    while (left && (left->number != number || left->publisher))
        left = left->next;
    if (!left || own->messages > 0)
        return 0;
    own->publisher = NULL;
    release_account(broker, own);
    publisher->account = left;
    publisher->held += left->messages;
    left->publisher = publisher;
    broker->orphans -= left->messages;
    return left->messages;
}

void rx_broker_publisher_leave(struct rx_broker *broker, struct rx_publisher *publisher)
{
    struct rx_tab *account = publisher->account;
    if (!account)
        return;
    if (publisher->next)
        publisher->next->previous = publisher->previous;
    if (publisher->previous)
        publisher->previous->next = publisher->next;
    else if (broker->publishers == publisher)
        broker->publishers = publisher->next;
    publisher->previous = publisher->next = NULL;
    publisher->account = NULL;
    account->publisher = NULL;
    broker->orphans += account->messages;
    release_account(broker, account);
}

static size_t size_of(const struct rx_outgoing *outgoing)
{
    return sizeof *outgoing + outgoing->topic_length + 1u + outgoing->payload_length;
}

/* The end of a message, whatever it was. */
static void settle(struct rx_broker *broker, struct rx_outgoing *o, bool delivered)
{
    struct rx_tab *account = o->account;
    if (account && account->publisher) {
        account->publisher->held--;
        account->publisher->delivered += delivered;
        account->publisher->lost += !delivered;
    } else if (account) {
        broker->orphans--;
    }
    if (account) {
        account->messages--;
        release_account(broker, account);
    }
    free(o);
}

static struct rx_outgoing *take_first(struct rx_broker *broker)
{
    struct rx_outgoing *o = broker->first;
    broker->first = o->next;
    if (!broker->first)
        broker->last = NULL;
    o->next = NULL;
    broker->queued--;
    broker->queue_bytes -= size_of(o);
    return o;
}

static void note_refusal(struct rx_broker *broker, const struct rx_outgoing *o, unsigned reason)
{
    broker->status.dropped++;
    broker->status.publishes_refused++;
    snprintf(broker->publish_refusal, sizeof broker->publish_refusal, "%.120s: %s", o->data, rx_reason_text(reason));
}

void rx_broker_published(struct rx_broker *broker, struct rx_outgoing *o, unsigned reason)
{
    bool delivered = reason < RX_REASON_FAILURE;
    if (!delivered && !broker->closing)
        note_refusal(broker, o, reason);
    broker->carried += delivered;
    settle(broker, o, delivered);
}

static void put_first(struct rx_broker *broker, struct rx_outgoing *o)
{
    o->next = broker->first;
    broker->first = o;
    if (!broker->last)
        broker->last = o;
    broker->queued++;
    broker->queue_bytes += size_of(o);
}

static void put_last(struct rx_broker *broker, struct rx_outgoing *o)
{
    *(broker->last ? &broker->last->next : &broker->first) = o;
    broker->last = o;
    broker->queued++;
    broker->queue_bytes += size_of(o);
}

void rx_broker_pump(struct rx_broker *broker)
{
    while (broker->state == RX_BROKER_OPEN && broker->first) {
        struct rx_outgoing *o = take_first(broker);
        int r = broker->client->publish(broker, o);
        if (r == -EAGAIN) {
            put_first(broker, o);
            return;
        }
        broker->status.sent += r == 0;
        if (r > 0 || o->qos == 0)
            rx_broker_published(broker, o, (unsigned)r);
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
    if (!rx_topic_is_name(topic, topic_length) || length > RX_PACKET_LENGTH_MAX)
        return -EINVAL;
    if (broker->queued >= (size_t)broker->options->max_queue ||
        broker->queue_bytes + length > broker->options->max_queue_bytes) {
        broker->status.dropped++;
        return -EAGAIN;
    }
    struct rx_outgoing *outgoing = make_outgoing(topic, topic_length, payload, length);
    if (!outgoing)
        return -ENOMEM;
    outgoing->account = publisher->account;
    outgoing->qos = (uint8_t)qos;
    outgoing->retain = retain;
    put_last(broker, outgoing);
    publisher->account->messages++;
    publisher->held++;
    return 0;
}

/* Ahead of what waits: who reads it learns that we are back before it hears from us. */
void rx_broker_send_birth(struct rx_broker *broker)
{
    const struct rx_broker_note *birth = &broker->birth;
    if (!birth->topic)
        return;
    struct rx_outgoing *o = make_outgoing(birth->topic, birth->topic_length, birth->payload, birth->payload_length);
    if (!o)
        return;
    o->qos = (uint8_t)birth->qos;
    o->retain = birth->retain;
    put_first(broker, o);
}

void rx_broker_flush(struct rx_broker *broker)
{
    if (broker->in_read)
        return; /* the read's end does it */
    rx_broker_pump(broker);
    if (broker->state == RX_BROKER_OPEN)
        broker->client->flush(broker);
}

void rx_queue_finish(struct rx_broker *broker)
{
    while (broker->first)
        settle(broker, take_first(broker), false);
}
