/* Receiving from a broker: subscriptions, and messages to those they are for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>
#include <xxhash.h>

#include "core/io/mqtt/mqtt_private.h"

enum { FILTERS_TOLD = 16 }; /* subscription identifiers of one message; a broker sends one, or one for each match */

void rx_broker_join(struct rx_broker *broker, struct rx_subscriber *subscriber)
{
    subscriber->previous = NULL;
    subscriber->next = broker->subscribers;
    if (broker->subscribers)
        broker->subscribers->previous = subscriber;
    broker->subscribers = subscriber;
    rx_broker_start(broker);
}

void rx_broker_leave(struct rx_broker *broker, struct rx_subscriber *subscriber)
{
    if (broker->cursor == subscriber)
        broker->cursor = subscriber->next;
    if (subscriber->next)
        subscriber->next->previous = subscriber->previous;
    if (subscriber->previous)
        subscriber->previous->next = subscriber->next;
    else if (broker->subscribers == subscriber)
        broker->subscribers = subscriber->next;
    subscriber->previous = subscriber->next = NULL;
}

/* Rounds over the subscribers: any of them may leave in its callback. */
static struct rx_subscriber *next_of(struct rx_broker *broker)
{
    struct rx_subscriber *subscriber = broker->cursor;
    if (subscriber)
        broker->cursor = subscriber->next;
    return subscriber;
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

/* The seam for durable intake: at QoS 1 libmosquitto has queued the PUBACK before it calls this. To acknowledge only
 * what was committed the writing has to be held back: mosquitto_threaded_set(m, true), so that nothing leaves from inside
 * loop_read; k reads; commit; then loop_write. */
void rx_broker_on_message(struct mosquitto *mosq, void *arg, const struct mosquitto_message *m,
                          const mosquitto_property *properties)
{
    struct rx_broker *broker = arg;
    uint32_t filters[FILTERS_TOLD];
    size_t length = strlen(m->topic);
    struct rx_mqtt_message message = {.topic = m->topic,
                                      .topic_length = length,
                                      .topic_hash = XXH3_64bits(m->topic, length),
                                      .payload = m->payload ? m->payload : "",
                                      .length = (size_t)m->payloadlen,
                                      .qos = m->qos,
                                      .retained = m->retain,
                                      .filters = filters,
                                      .filter_count = filters_of(properties, filters)};
    bool claimed = false;
    (void)mosq;
    broker->status.received++;
    broker->cursor = broker->subscribers;
    for (struct rx_subscriber *s; (s = next_of(broker));)
        claimed |= s->message(s, &message);
    broker->status.unclaimed += !claimed;
}

void rx_broker_end_read(struct rx_broker *broker)
{
    broker->cursor = broker->subscribers;
    for (struct rx_subscriber *s; (s = next_of(broker));)
        s->read_end(s);
}

void rx_broker_tell(struct rx_broker *broker, bool connected)
{
    broker->cursor = broker->subscribers;
    for (struct rx_subscriber *s; (s = next_of(broker));)
        s->connection(s, connected);
    for (struct rx_publisher *p = broker->publishers; p; p = p->next)
        if (p->connection)
            p->connection(p, connected);
}

/* Subscriptions. */

static void send_subscribe(struct rx_broker *broker, size_t row)
{
    mosquitto_property *properties = NULL;
    const struct rx_filter *filter = &broker->filters[row];
    if (broker->state != RX_BROKER_OPEN)
        return;
    if (rx_broker_is_v5(broker))
        mosquitto_property_add_varint(&properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, (uint32_t)row + 1);
    int code = mosquitto_subscribe_v5(broker->mosq, NULL, filter->text, filter->qos, 0, properties);
    broker->status.refused += code != MOSQ_ERR_SUCCESS;
    mosquitto_property_free_all(&properties);
}

void rx_broker_subscribe_all(struct rx_broker *broker)
{
    for (size_t i = 0; i < broker->filter_count; i++)
        if (broker->filters[i].users > 0)
            send_subscribe(broker, i);
}

void rx_broker_on_subscribe(struct mosquitto *mosq, void *arg, int mid, int count, const int *granted,
                            const mosquitto_property *properties)
{
    struct rx_broker *broker = arg;
    (void)mosq, (void)mid, (void)properties;
    for (int i = 0; i < count; i++)
        broker->status.refused += granted[i] >= 128;
}

static int free_row(struct rx_broker *broker, size_t *ret)
{
    size_t row = 0;
    while (row < broker->filter_count && broker->filters[row].users > 0)
        row++;
    if (row == broker->filter_count) {
        struct rx_filter *rows = reallocarray(broker->filters, row + 1, sizeof *rows);
        if (!rows)
            return -ENOMEM;
        rows[row] = (struct rx_filter){0};
        broker->filters = rows;
        broker->filter_count++;
    }
    *ret = row;
    return 0;
}

static int add_filter(struct rx_broker *broker, const char *text, size_t *ret)
{
    size_t row;
    int r = free_row(broker, &row);
    if (r < 0)
        return r;
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    broker->filters[row] = (struct rx_filter){.text = copy};
    *ret = row;
    return 0;
}

int rx_broker_subscribe(struct rx_broker *broker, const char *text, int qos, uint32_t *ret_filter)
{
    size_t row = 0;
    while (row < broker->filter_count &&
           (broker->filters[row].users == 0 || strcmp(broker->filters[row].text, text) != 0))
        row++;
    int r = row == broker->filter_count ? add_filter(broker, text, &row) : 0;
    if (r < 0)
        return r;
    struct rx_filter *filter = &broker->filters[row];
    filter->users++;
    if (qos > filter->qos)
        filter->qos = qos;
    *ret_filter = (uint32_t)row + 1;
    /* Also when it is subscribed already: the newcomer wants the retained messages. */
    send_subscribe(broker, row);
    rx_broker_settle(broker);
    return 0;
}

void rx_broker_unsubscribe(struct rx_broker *broker, uint32_t id)
{
    if (id == 0 || id > broker->filter_count || broker->filters[id - 1].users == 0)
        return;
    struct rx_filter *filter = &broker->filters[id - 1];
    if (--filter->users > 0)
        return;
    if (broker->state == RX_BROKER_OPEN)
        mosquitto_unsubscribe(broker->mosq, NULL, filter->text);
    free(filter->text);
    *filter = (struct rx_filter){0};
    rx_broker_settle(broker);
}

void rx_filters_finish(struct rx_broker *broker)
{
    for (size_t i = 0; i < broker->filter_count; i++)
        free(broker->filters[i].text);
    free(broker->filters);
}
