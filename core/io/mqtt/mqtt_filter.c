/* Receiving from a broker: subscriptions, messages to those they are for, and what may be acknowledged. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/utf8.h"
#include "core/io/mqtt/mqtt_private.h"
#include "core/io/mqtt/mqtt_topic.h"

#define FILTER_ID_MAX 268435455u /* MQTT 5.0, 3.8.2.1.2 */

void rx_broker_join(struct rx_broker *broker, struct rx_subscriber *subscriber)
{
    subscriber->previous = NULL;
    subscriber->next = broker->subscribers;
    subscriber->taken = subscriber->acked = 0;
    subscriber->parked = 0;
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
    rx_park_leave(broker, subscriber);
}

/* Rounds over the subscribers: any of them may leave in its callback. */
static struct rx_subscriber *next_of(struct rx_broker *broker)
{
    struct rx_subscriber *subscriber = broker->cursor;
    if (subscriber)
        broker->cursor = subscriber->next;
    return subscriber;
}

/* Messages. */

/* A subscriber that owes nothing older owes this message alone: what others took before it is none of its business. The
 * debt stands before the call, as it may be acknowledged within it. */
enum rx_claim rx_subscriber_offer(struct rx_subscriber *s, const struct rx_mqtt_message *message)
{
    uint64_t taken = s->taken;
    if (message->position) {
        if (s->taken <= s->acked)
            s->acked = message->position - 1;
        s->taken = message->position;
    }
    enum rx_claim claim = s->message(s, message);
    if (claim != RX_CLAIM_TAKEN && message->position)
        s->taken = taken;
    return claim;
}

/* Answers the highest claim. */
enum rx_claim rx_broker_offer(struct rx_broker *broker, const struct rx_mqtt_message *message)
{
    enum rx_claim claim = RX_CLAIM_NONE;
    broker->cursor = broker->subscribers;
    for (struct rx_subscriber *s; (s = next_of(broker));) {
        enum rx_claim own = rx_subscriber_offer(s, message);
        if (own == RX_CLAIM_LATER)
            rx_park(broker, message, s);
        claim = own > claim ? own : claim;
    }
    return claim;
}

static bool knows_one(const struct rx_broker *broker, const struct rx_mqtt_message *message)
{
    for (size_t i = 0; i < message->filter_count; i++)
        for (size_t row = 0; row < broker->filter_count; row++)
            if (broker->filters[row].text && broker->filters[row].id == message->filters[i])
                return true;
    return false;
}

void rx_broker_note_unclaimed(struct rx_broker *broker, const char *topic, size_t length)
{
    char *text = broker->unclaimed_topic;
    broker->status.unclaimed++;
    text[rx_utf8_mend(topic, length < 100 ? length : 100, text, sizeof broker->unclaimed_topic - 1)] = '\0';
}

static bool keeps_session(const struct rx_broker *broker) { return !broker->options->clean_start; }

bool rx_broker_expects(const struct rx_broker *broker, const struct rx_mqtt_message *message)
{
    struct rx_topic_span captures[RX_TOPIC_CAPTURES_MAX];
    for (size_t i = 0; keeps_session(broker) && message->position && i < broker->filter_count; i++) {
        const struct rx_filter *filter = &broker->filters[i];
        if (filter->text && filter->users == 0 && filter->state != RX_FILTER_DROPPED &&
            rx_topic_match(filter->topic, message->topic, message->topic_length, captures))
            return true;
    }
    return false;
}

/* A session may hold subscriptions under numbers that we do not know, of an older rxd or another program: then the
 * message is for whom its topic says. */
static void take(struct rx_broker *broker, struct rx_mqtt_message *message)
{
    enum rx_claim claim = rx_broker_offer(broker, message);
    if (claim == RX_CLAIM_OTHER && !knows_one(broker, message)) {
        message->filter_count = 0;
        claim = rx_broker_offer(broker, message);
    }
    if (claim == RX_CLAIM_NONE && rx_broker_expects(broker, message))
        rx_park(broker, message, NULL);
    else if (claim == RX_CLAIM_NONE)
        rx_broker_note_unclaimed(broker, message->topic, message->topic_length);
}

/* Messages that nobody acknowledges, and only one subscriber can have: it takes as many as it takes without a word. */
static size_t take_run(struct rx_broker *broker, const struct rx_mqtt_message *messages, size_t count)
{
    struct rx_subscriber *alone = broker->subscribers;
    if (!alone || alone->next || !alone->messages || messages->position)
        return 0;
    return alone->messages(alone, messages, count);
}

void rx_broker_messages(struct rx_broker *broker, struct rx_mqtt_message *messages, size_t count)
{
    broker->status.received += count;
    broker->carried += count;
    for (size_t i = 0; i < count;) {
        i += take_run(broker, messages + i, count - i);
        if (i < count)
            take(broker, &messages[i++]);
    }
}

void rx_broker_oversized(struct rx_broker *broker, size_t size)
{
    (void)size;
    broker->status.received++;
    broker->status.oversized++;
}

/* Answers go in order (MQTT 5.0, 4.6): up to the first position that somebody still owes. */
static void acknowledge(struct rx_broker *broker)
{
    uint64_t safe = rx_park_floor(broker);
    if (!broker->client->ack || broker->state != RX_BROKER_OPEN)
        return;
    for (const struct rx_subscriber *s = broker->subscribers; s; s = s->next)
        if (s->taken > s->acked && s->acked < safe)
            safe = s->acked;
    broker->client->ack(broker, safe);
}

void rx_broker_ack(struct rx_broker *broker, struct rx_subscriber *subscriber, uint64_t position)
{
    if (position <= subscriber->acked)
        return;
    subscriber->acked = position;
    if (!broker->in_read)
        acknowledge(broker);
}

void rx_broker_resume(struct rx_broker *broker, struct rx_subscriber *subscriber)
{
    if (subscriber->parked > 0)
        rx_park_soon(broker);
}

void rx_broker_end_read(struct rx_broker *broker)
{
    broker->cursor = broker->subscribers;
    for (struct rx_subscriber *s; (s = next_of(broker));)
        s->read_end(s);
    acknowledge(broker);
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

static void note_refusal(struct rx_broker *broker, const struct rx_filter *filter)
{
    snprintf(broker->refusal, sizeof broker->refusal, "%.120s: %s", filter->text, rx_reason_text(filter->reason));
}

static void set_filter_state(struct rx_broker *broker, struct rx_filter *filter, enum rx_filter_state state)
{
    bool was = filter->state == RX_FILTER_REFUSED, is = state == RX_FILTER_REFUSED;
    filter->state = state;
    broker->status.refused += is;
    broker->status.refused_now += (size_t)is - (size_t)was;
    if (is)
        note_refusal(broker, filter);
    for (size_t i = 0; was && !is && i < broker->filter_count; i++)
        if (broker->filters[i].text && broker->filters[i].state == RX_FILTER_REFUSED)
            note_refusal(broker, &broker->filters[i]);
}

static void free_row(struct rx_broker *broker, struct rx_filter *filter)
{
    set_filter_state(broker, filter, RX_FILTER_WANTED);
    free(filter->text);
    rx_topic_destroy(filter->topic);
    *filter = (struct rx_filter){0};
}

/* What the client takes no more of now is asked after the next answer. */
void rx_filters_pump(struct rx_broker *broker)
{
    if (broker->state != RX_BROKER_OPEN)
        return;
    for (size_t i = 0; i < broker->filter_count; i++) {
        struct rx_filter *filter = &broker->filters[i];
        if (!filter->text || filter->asked || (filter->state != RX_FILTER_WANTED && filter->state != RX_FILTER_DROPPED))
            continue;
        int r = filter->state == RX_FILTER_WANTED ? broker->client->subscribe(broker, filter, &filter->asked)
                                                  : broker->client->unsubscribe(broker, filter, &filter->asked);
        if (r < 0)
            return;
        if (filter->state == RX_FILTER_WANTED)
            filter->state = RX_FILTER_ASKED;
    }
}

void rx_filters_opened(struct rx_broker *broker, bool session_present)
{
    for (size_t i = 0; i < broker->filter_count; i++) {
        struct rx_filter *filter = &broker->filters[i];
        filter->asked = 0;
        if (!filter->text || (filter->state == RX_FILTER_GRANTED && session_present))
            continue;
        if (filter->state != RX_FILTER_DROPPED)
            set_filter_state(broker, filter, RX_FILTER_WANTED);
        else if (!session_present)
            free_row(broker, filter);
    }
    rx_filters_pump(broker);
}

void rx_broker_granted(struct rx_broker *broker, int asked, unsigned reason)
{
    size_t i = 0;
    while (i < broker->filter_count && !(broker->filters[i].text && broker->filters[i].asked == asked))
        i++;
    if (i < broker->filter_count) {
        struct rx_filter *filter = &broker->filters[i];
        filter->asked = 0;
        filter->reason = (uint8_t)reason;
        filter->retained_again = false;
        if (filter->state == RX_FILTER_DROPPED)
            free_row(broker, filter);
        else if (filter->state == RX_FILTER_ASKED)
            set_filter_state(broker, filter, reason < RX_REASON_FAILURE ? RX_FILTER_GRANTED : RX_FILTER_REFUSED);
    }
    rx_filters_pump(broker);
}

static bool id_taken(const struct rx_broker *broker, uint32_t id)
{
    for (size_t i = 0; i < broker->filter_count; i++)
        if (broker->filters[i].text && broker->filters[i].id == id)
            return true;
    return false;
}

/* Of two filters with one number (one in 268 million pairs) the later one gets the next. */
static uint32_t id_of(const struct rx_broker *broker, const char *text)
{
    uint32_t id = (uint32_t)(XXH3_64bits(text, strlen(text)) % FILTER_ID_MAX) + 1;
    while (id_taken(broker, id))
        id = id % FILTER_ID_MAX + 1;
    return id;
}

static int add_row(struct rx_broker *broker, const char *text, struct rx_filter **ret)
{
    size_t row = 0;
    while (row < broker->filter_count && broker->filters[row].text)
        row++;
    if (row == broker->filter_count) {
        struct rx_filter *rows = reallocarray(broker->filters, row + 1, sizeof *rows);
        if (!rows)
            return -ENOMEM;
        broker->filters = rows;
        rows[row] = (struct rx_filter){0};
        broker->filter_count++;
    }
    struct rx_topic *topic = NULL;
    char *copy = strdup(text);
    int r = copy ? rx_topic_parse(text, &topic, NULL) : -ENOMEM;
    if (r < 0) {
        free(copy);
        return r;
    }
    broker->filters[row] = (struct rx_filter){.id = id_of(broker, text)};
    broker->filters[row].text = copy;
    broker->filters[row].topic = topic;
    *ret = &broker->filters[row];
    return 0;
}

static struct rx_filter *find_row(struct rx_broker *broker, const char *text)
{
    for (size_t i = 0; i < broker->filter_count; i++)
        if (broker->filters[i].text && strcmp(broker->filters[i].text, text) == 0)
            return &broker->filters[i];
    return NULL;
}

/* A second user wants the retained messages too: asked again. One that comes back to a subscription that was kept for it,
 * or takes the place of one that left in this turn, had them. */
int rx_broker_subscribe(struct rx_broker *broker, const char *text, int qos, uint32_t *ret_filter)
{
    struct rx_filter *filter = find_row(broker, text);
    int r = filter ? 0 : add_row(broker, text, &filter);
    if (r < 0)
        return r;
    bool back = filter->leaving > 0, more = filter->users > 0 && !back, higher = qos > filter->qos;
    filter->leaving -= back;
    if (filter->users == 0 && broker->parked)
        rx_park_soon(broker);
    filter->users++;
    filter->qos = higher ? qos : filter->qos;
    *ret_filter = filter->id;
    if (filter->state == RX_FILTER_DROPPED || ((more || higher) && filter->state != RX_FILTER_WANTED)) {
        filter->retained_again = filter->retained_again || more;
        filter->asked = 0;
        set_filter_state(broker, filter, RX_FILTER_WANTED);
    }
    rx_filters_pump(broker);
    rx_broker_flush(broker);
    return 0;
}

/* A session that ends with the connection needs no goodbye to what it was never asked for, nor once it is gone. */
static void drop(struct rx_broker *broker, struct rx_filter *filter)
{
    bool held = keeps_session(broker) || (broker->state == RX_BROKER_OPEN && filter->state != RX_FILTER_WANTED);
    if (!held) {
        free_row(broker, filter);
        return;
    }
    filter->asked = 0;
    set_filter_state(broker, filter, RX_FILTER_DROPPED);
}

void rx_broker_unsubscribe(struct rx_broker *broker, uint32_t id)
{
    for (size_t i = 0; i < broker->filter_count; i++) {
        struct rx_filter *filter = &broker->filters[i];
        if (!filter->text || filter->id != id || filter->users == 0)
            continue;
        filter->users--;
        filter->leaving++;
        rx_sched_arm(broker->sched, &broker->unused, rx_sched_now(broker->sched));
        break;
    }
}

/* Behind the turn that stopped users. A reload starts others in their place within it. */
void rx_filters_on_unused(struct rx_timer *timer)
{
    struct rx_broker *broker = (struct rx_broker *)(void *)((char *)timer - offsetof(struct rx_broker, unused));
    for (size_t i = 0; i < broker->filter_count; i++)
        broker->filters[i].leaving = 0;
    if (!keeps_session(broker))
        rx_broker_drop_unused(broker);
}

void rx_broker_drop_unused(struct rx_broker *broker)
{
    for (size_t i = 0; i < broker->filter_count; i++)
        if (broker->filters[i].text && broker->filters[i].users == 0 && broker->filters[i].state != RX_FILTER_DROPPED)
            drop(broker, &broker->filters[i]);
    rx_filters_pump(broker);
    rx_broker_flush(broker);
}

void rx_filters_finish(struct rx_broker *broker)
{
    for (size_t i = 0; i < broker->filter_count; i++) {
        free(broker->filters[i].text);
        rx_topic_destroy(broker->filters[i].topic);
    }
    free(broker->filters);
}
