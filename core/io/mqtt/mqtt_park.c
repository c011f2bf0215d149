/* Messages that wait for their source: it is paused, or it is stopped and the session kept its subscription.
 *
 * While one waits, neither it nor what came after it is acknowledged (answers go in order). So what waits for a source
 * that may never come back is given up after a while, or others would starve: counted as unclaimed. */
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"

#define PATIENCE (30 * RX_SEC) /* with a source that is stopped, while others run */

enum { EXPECTED_MAX = 1000, PAUSED_MAX = 65535, BYTES_MAX = 64 * 1024 * 1024 };

struct rx_parked {
    struct rx_parked *next;
    struct rx_subscriber *owner; /* NULL: whoever comes */
    rx_time since;
    struct rx_mqtt_message message; /* points into data */
    char data[];                    /* topic, payload, filters */
};

static size_t size_of(const struct rx_parked *p)
{
    return sizeof *p + p->message.topic_length + p->message.length + p->message.filter_count * sizeof(uint32_t);
}

static struct rx_parked *copy_of(const struct rx_mqtt_message *m)
{
    size_t filters = m->filter_count * sizeof *m->filters;
    struct rx_parked *p = malloc(sizeof *p + m->topic_length + m->length + filters);
    if (!p)
        return NULL;
    *p = (struct rx_parked){.message = *m};
    p->message.waited = true;
    char *payload = p->data + filters, *topic = payload + m->length;
    if (filters)
        memcpy(p->data, m->filters, filters);
    memcpy(payload, m->payload, m->length);
    memcpy(topic, m->topic, m->topic_length);
    p->message.filters = (const uint32_t *)(const void *)p->data;
    p->message.payload = payload;
    p->message.topic = topic;
    return p;
}

static void append(struct rx_broker *broker, struct rx_parked *p)
{
    p->next = NULL;
    *(broker->parked_last ? &broker->parked_last->next : &broker->parked) = p;
    broker->parked_last = p;
    broker->parked_count++;
    broker->parked_bytes += size_of(p);
    if (p->owner)
        p->owner->parked++;
}

static struct rx_parked *take_first(struct rx_broker *broker)
{
    struct rx_parked *p = broker->parked;
    broker->parked = p->next;
    if (!broker->parked)
        broker->parked_last = NULL;
    broker->parked_count--;
    broker->parked_bytes -= size_of(p);
    if (p->owner)
        p->owner->parked--;
    return p;
}

static void give_up_first(struct rx_broker *broker)
{
    struct rx_parked *p = take_first(broker);
    rx_broker_note_unclaimed(broker, p->message.topic, p->message.topic_length);
    free(p);
}

/* Nobody else waits for an answer, or it is the owner's to say. */
static bool is_patient(const struct rx_broker *broker)
{
    return !broker->parked || broker->parked->owner || !broker->subscribers;
}

uint64_t rx_park_floor(struct rx_broker *broker)
{
    rx_time now = rx_sched_now(broker->sched);
    while (!is_patient(broker) && (broker->parked_count > EXPECTED_MAX || broker->parked->since + PATIENCE <= now))
        give_up_first(broker);
    for (const struct rx_parked *p = broker->parked; p; p = p->next)
        if (p->message.position)
            return p->message.position - 1;
    return UINT64_MAX;
}

void rx_park(struct rx_broker *broker, const struct rx_mqtt_message *message, struct rx_subscriber *owner)
{
    bool room = broker->parked_count < PAUSED_MAX && broker->parked_bytes < BYTES_MAX;
    struct rx_parked *p = room ? copy_of(message) : NULL;
    if (!p) {
        broker->status.parked_dropped++;
        return;
    }
    p->owner = owner;
    p->since = rx_sched_now(broker->sched);
    append(broker, p);
}

/* To whom it is kept for, or to all. */
static void offer(struct rx_broker *broker, struct rx_parked *p)
{
    struct rx_mqtt_message *message = &p->message;
    enum rx_claim claim = p->owner ? rx_subscriber_offer(p->owner, message) : rx_broker_offer(broker, message);
    bool again = p->owner ? claim == RX_CLAIM_LATER : claim == RX_CLAIM_NONE && rx_broker_expects(broker, message);
    if (again) {
        append(broker, p);
        return;
    }
    if (claim == RX_CLAIM_NONE)
        rx_broker_note_unclaimed(broker, message->topic, message->topic_length);
    free(p);
}

static void on_unpark(struct rx_timer *timer)
{
    struct rx_broker *broker = (struct rx_broker *)((char *)timer - offsetof(struct rx_broker, unpark));
    broker->in_read = true;
    for (size_t n = broker->parked_count; n > 0 && broker->parked; n--)
        offer(broker, take_first(broker));
    rx_broker_end_read(broker);
    broker->in_read = false;
    rx_broker_flush(broker);
}

void rx_park_soon(struct rx_broker *broker)
{
    broker->unpark.fire = on_unpark;
    rx_sched_arm(broker->sched, &broker->unpark, rx_sched_now(broker->sched));
}

/* Keeps, in order, what `stays` says. */
static void sift(struct rx_broker *broker, const void *arg,
                 bool (*stays)(struct rx_broker *, struct rx_parked *, const void *))
{
    for (size_t n = broker->parked_count; n > 0; n--) {
        struct rx_parked *p = take_first(broker);
        if (stays(broker, p, arg))
            append(broker, p);
        else
            free(p);
    }
}

static bool stays_when_left(struct rx_broker *broker, struct rx_parked *p, const void *subscriber)
{
    if (p->owner != subscriber)
        return true;
    p->owner = NULL;
    return p->message.position && !broker->options->clean_start;
}

void rx_park_leave(struct rx_broker *broker, struct rx_subscriber *subscriber)
{
    if (subscriber->parked > 0)
        sift(broker, subscriber, stays_when_left);
}

static bool stays_when_lost(struct rx_broker *broker, struct rx_parked *p, const void *arg)
{
    (void)broker, (void)arg;
    return p->message.qos != 1;
}

void rx_park_lost(struct rx_broker *broker) { sift(broker, NULL, stays_when_lost); }

void rx_park_finish(struct rx_broker *broker)
{
    rx_sched_stop(broker->sched, &broker->unpark);
    while (broker->parked)
        free(take_first(broker));
}
