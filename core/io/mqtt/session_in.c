/* What a session receives: messages, and answering them once they are safe. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_topic.h"
#include "core/io/mqtt/session_private.h"

/* The ring of what is not answered yet. A broker of 3.1.1 knows no receive maximum, but has no more identifiers. */
static size_t pending_limit(const struct rx_session *s)
{
    uint16_t asked = s->options.connect.receive_maximum;
    return s->v5 && asked ? asked : 65535;
}

static int grow(struct rx_session *s)
{
    size_t capacity = s->pending_capacity ? s->pending_capacity * 2 : 64;
    struct rx_pending *ring = malloc(capacity * sizeof *ring);
    if (!ring)
        return -ENOMEM;
    for (size_t i = 0; i < s->pending_count; i++)
        ring[i] = s->pending[(s->pending_first + i) & (s->pending_capacity - 1)];
    free(s->pending);
    s->pending = ring;
    s->pending_capacity = capacity;
    s->pending_first = 0;
    return 0;
}

static int push(struct rx_session *s, uint16_t id, int qos)
{
    if (s->pending_count == pending_limit(s))
        return rx_session_refuse(s, RX_REASON_RECEIVE_MAXIMUM, "more messages at once than the receive maximum");
    if (s->pending_count == s->pending_capacity && grow(s) < 0)
        return rx_session_refuse(s, RX_REASON_FAILURE, "more than there is memory for");
    size_t at = (s->pending_first + s->pending_count++) & (s->pending_capacity - 1);
    s->pending[at] = (struct rx_pending){.id = id, .qos = (uint8_t)qos};
    return 0;
}

uint64_t rx_session_position(const struct rx_session *s) { return s->answered + s->pending_count; }

void rx_session_ack(struct rx_session *s, uint64_t position)
{
    uint64_t newest = rx_session_position(s); /* what is still to come is not safe, whatever the caller says */
    position = position < newest ? position : newest;
    if (position > s->safe)
        s->safe = position;
    while (s->pending_count > 0 && s->answered < s->safe) {
        struct rx_pending p = s->pending[s->pending_first];
        s->pending_first = (s->pending_first + 1) & (s->pending_capacity - 1);
        s->pending_count--;
        s->answered++;
        rx_answer_write(&s->out, p.qos == 1 ? RX_PACKET_PUBACK : RX_PACKET_PUBREC, s->v5, p.id, 0);
    }
}

size_t rx_session_unanswered(const struct rx_session *s) { return s->pending_count; }

/* The broker sends again what was not answered: identifiers of a connection that is gone must not be answered on the
 * next one, where they may stand for something else. Positions go on. */
void rx_session_forget_pending(struct rx_session *s)
{
    s->answered += s->pending_count;
    s->pending_count = 0;
    for (size_t i = 0; i < RX_ALIASES; i++) {
        free(s->aliases[i].topic);
        s->aliases[i] = (struct rx_alias){0};
    }
}

void rx_session_finish_in(struct rx_session *s)
{
    rx_session_forget_pending(s);
    free(s->pending);
    free(s->received);
}

/* QoS 2 (MQTT 5.0, 4.3.3, method B turned round: the identifier is kept from the first PUBLISH to PUBREL). */

enum { RECEIVED_WORDS = 65536 / 64 };

static bool was_received(const struct rx_session *s, uint16_t id)
{
    return s->received && (s->received[id / 64] >> (id % 64) & 1);
}

static int mark_received(struct rx_session *s, uint16_t id)
{
    if (!s->received)
        s->received = calloc(RECEIVED_WORDS, sizeof *s->received);
    if (!s->received)
        return -ENOMEM;
    s->received[id / 64] |= (uint64_t)1 << (id % 64);
    return 0;
}

void rx_session_forget_received(struct rx_session *s)
{
    free(s->received);
    s->received = NULL;
}

void rx_session_release(struct rx_session *s, const struct rx_answer *answer)
{
    bool known = was_received(s, answer->id);
    if (known)
        s->received[answer->id / 64] &= ~((uint64_t)1 << (answer->id % 64));
    rx_answer_write(&s->out, RX_PACKET_PUBCOMP, s->v5, answer->id, known ? 0 : RX_REASON_ID_UNKNOWN);
}

void rx_session_save(const struct rx_session *s, struct rx_writer *w)
{
    uint64_t count = 0;
    for (size_t i = 0; s->received && i < RECEIVED_WORDS; i++)
        count += (uint64_t)__builtin_popcountll(s->received[i]);
    rx_write_uint(w, count);
    for (unsigned id = 1; count > 0 && id < 65536; id++)
        if (was_received(s, (uint16_t)id))
            rx_write_uint(w, id);
}

void rx_session_load(struct rx_session *s, struct rx_reader *r)
{
    rx_session_forget_received(s);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        uint64_t id = rx_read_uint(r);
        if (rx_reader_failed(r))
            return;
        if (id == 0 || id > 65535)
            rx_reader_fail(r, -EBADMSG);
        else if (mark_received(s, (uint16_t)id) < 0)
            rx_reader_fail(r, -ENOMEM);
    }
}

/* Topic aliases (MQTT 5.0, 3.3.2.3.4): a number in the place of a topic, for this connection. */

static int name_alias(struct rx_session *s, const struct rx_publish *publish, uint64_t hash)
{
    struct rx_alias *alias = &s->aliases[publish->alias - 1];
    if (alias->topic && alias->length == publish->topic_length &&
        memcmp(alias->topic, publish->topic, alias->length) == 0)
        return 0;
    char *copy = malloc(publish->topic_length);
    if (!copy)
        return rx_session_refuse(s, RX_REASON_FAILURE, "more than there is memory for");
    memcpy(copy, publish->topic, publish->topic_length);
    free(alias->topic);
    *alias = (struct rx_alias){.topic = copy, .length = publish->topic_length, .hash = hash};
    return 0;
}

static int find_topic(struct rx_session *s, struct rx_publish *publish, uint64_t *ret_hash)
{
    if (publish->alias > RX_ALIASES)
        return rx_session_refuse(s, RX_REASON_TOPIC_ALIAS, "a topic alias above the maximum");
    if (publish->topic_length > 0) {
        *ret_hash = rx_topic_hash(publish->topic, publish->topic_length);
        return publish->alias ? name_alias(s, publish, *ret_hash) : 0;
    }
    const struct rx_alias *alias = &s->aliases[publish->alias - 1];
    if (!alias->topic)
        return rx_session_refuse(s, RX_REASON_TOPIC_ALIAS, "a topic alias that stands for nothing");
    publish->topic = alias->topic;
    publish->topic_length = alias->length;
    *ret_hash = alias->hash;
    return 0;
}

static void deliver(struct rx_session *s, const struct rx_publish *publish, uint64_t hash)
{
    struct rx_mqtt_message message = {.topic = publish->topic,
                                      .topic_length = publish->topic_length,
                                      .topic_hash = hash,
                                      .payload = (const char *)publish->payload,
                                      .length = publish->payload_length,
                                      .position = publish->qos ? rx_session_position(s) : 0,
                                      .qos = publish->qos,
                                      .retained = publish->retain,
                                      .filters = publish->subscriptions,
                                      .filter_count = publish->subscription_count};
    s->host->messages(s->arg, &message, 1);
}

int rx_session_take(struct rx_session *s, const struct rx_packet *packet)
{
    struct rx_publish publish;
    uint64_t hash = 0;
    const char *why;
    if (rx_publish_read(packet, s->v5, &publish, &why) < 0)
        return rx_session_refuse(s, RX_REASON_MALFORMED, why);
    int r = find_topic(s, &publish, &hash);
    if (r == 0 && publish.qos > 0)
        r = push(s, publish.id, publish.qos);
    if (r < 0)
        return r;
    if (publish.qos == 2) {
        if (was_received(s, publish.id))
            return 0; /* it is in already: only its PUBREC was lost */
        if (mark_received(s, publish.id) < 0)
            return rx_session_refuse(s, RX_REASON_FAILURE, "more than there is memory for");
    }
    deliver(s, &publish, hash);
    return 0;
}

/* A message that is too large, as the topic and the identifier at its beginning tell. */
int rx_session_pass_over(struct rx_session *s, const struct rx_packet *packet, size_t length)
{
    size_t before = packet->size - packet->length, topic_length = 0;
    unsigned qos = packet->flags >> 1 & 3;
    if (length >= before + 2)
        topic_length = (size_t)packet->body[0] << 8 | packet->body[1];
    size_t need = 2 + topic_length + (qos ? 2u : 0u);
    if (qos == 3 || packet->length < need)
        return rx_session_refuse(s, RX_REASON_MALFORMED, "a malformed message");
    if (length < before + need)
        return 0;
    const unsigned char *id = packet->body + 2 + topic_length;
    if (qos && push(s, (uint16_t)(id[0] << 8 | id[1]), (int)qos) < 0)
        return -EBADMSG;
    s->skip = packet->size;
    s->host->oversized(s->arg, (const char *)packet->body + 2, topic_length, packet->size);
    return 1;
}
