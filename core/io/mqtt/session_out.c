/* What a session sends: messages in flight until they are acknowledged, and sent again on the next connection. */
#include <errno.h>
#include <stdlib.h>

#include "core/io/mqtt/session_private.h"

enum { SENT, AGAIN, RELEASED }; /* stages: PUBLISH sent; to be sent again, as a duplicate; PUBREL sent */

/* Of what is sent at QoS 2 mosquitto takes so many at once (its max_inflight_messages, 20 unless set), and over MQTT
 * 3.1.1 it cannot say so: what is beyond is never answered. Version 5 has the receive maximum. */
enum { QOS2_INFLIGHT_311 = 20 };

int rx_session_init_out(struct rx_session *s)
{
    size_t n = s->options.inflight_maximum;
    if (n > RX_INFLIGHT_MAX)
        n = s->options.inflight_maximum = RX_INFLIGHT_MAX;
    s->flights = calloc(n + 1, sizeof(struct rx_outgoing *));
    s->free_ids = calloc(n + 1, sizeof *s->free_ids);
    if (!s->flights || !s->free_ids)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        s->free_ids[i] = (uint16_t)(i + 1);
    s->free_count = n;
    return 0;
}

static void append(struct rx_session *s, struct rx_outgoing *o)
{
    o->next = NULL;
    o->awaited = true;
    o->previous = s->last;
    *(s->last ? &s->last->next : &s->first) = o;
    s->last = o;
    s->inflight++;
}

static void detach(struct rx_session *s, struct rx_outgoing *o)
{
    *(o->previous ? &o->previous->next : &s->first) = o->next;
    *(o->next ? &o->next->previous : &s->last) = o->previous;
    o->previous = o->next = NULL;
    s->inflight--;
}

static void take_id(struct rx_session *s, struct rx_outgoing *o)
{
    o->id = s->free_ids[s->free_first];
    s->free_first = (s->free_first + 1) % s->options.inflight_maximum;
    s->free_count--;
    s->flights[o->id - 1] = o;
}

static void give_id_back(struct rx_session *s, uint16_t id)
{
    s->flights[id - 1] = NULL;
    s->free_ids[(s->free_first + s->free_count) % s->options.inflight_maximum] = id;
    s->free_count++;
}

static size_t limit_for(const struct rx_session *s, int qos)
{
    size_t limit = s->options.inflight_maximum;
    if (s->v5)
        return limit < s->connack.receive_maximum ? limit : s->connack.receive_maximum;
    return qos == 2 && limit > QOS2_INFLIGHT_311 ? QOS2_INFLIGHT_311 : limit;
}

static struct rx_publish_out packet_of(const struct rx_session *s, const struct rx_outgoing *o, bool duplicate)
{
    return (struct rx_publish_out){.v5 = s->v5,
                                   .retain = o->retain,
                                   .duplicate = duplicate,
                                   .qos = o->qos,
                                   .id = o->id,
                                   .topic = o->data,
                                   .topic_length = o->topic_length,
                                   .payload = o->data + o->topic_length + 1,
                                   .payload_length = o->payload_length,
                                   .pairs = o->pairs,
                                   .pair_count = o->pair_count};
}

/* What the broker said in CONNACK that it does not take. */
static int reason_against(const struct rx_session *s, const struct rx_outgoing *o, const struct rx_publish_out *out)
{
    size_t size = rx_publish_size(out);
    if (size == 0 || size > s->connack.packet_maximum)
        return RX_REASON_TOO_LARGE;
    if (o->retain && !s->connack.retain_available)
        return 0x9A;
    return o->qos > s->connack.qos_maximum ? 0x9B : 0;
}

int rx_session_publish(struct rx_session *s, struct rx_outgoing *o)
{
    if (s->state != RX_SESSION_OPEN)
        return -EAGAIN;
    struct rx_publish_out out = packet_of(s, o, false);
    int reason = reason_against(s, o, &out);
    if (reason)
        return reason;
    if (o->qos > 0) {
        if (s->again || s->free_count == 0 || s->awaited >= limit_for(s, o->qos))
            return -EAGAIN;
        take_id(s, o);
        out.id = o->id;
        o->stage = SENT;
        append(s, o);
        s->awaited++;
    }
    rx_publish_write(&s->out, &out);
    return 0;
}

static void complete(struct rx_session *s, struct rx_outgoing *o, uint8_t reason)
{
    if (s->again == o)
        s->again = o->next;
    s->awaited -= o->awaited;
    give_id_back(s, o->id);
    detach(s, o);
    s->host->published(s->arg, o, reason);
}

static void go_on_sending_again(struct rx_session *s)
{
    while (s->again && s->awaited < limit_for(s, s->again->qos)) {
        struct rx_outgoing *o = s->again;
        s->again = o->next;
        s->awaited++;
        o->awaited = true;
        if (o->stage == RELEASED) {
            rx_answer_write(&s->out, RX_PACKET_PUBREL, s->v5, o->id, 0);
            continue;
        }
        struct rx_publish_out out = packet_of(s, o, o->stage == AGAIN);
        o->stage = SENT;
        rx_publish_write(&s->out, &out);
    }
}

/* A broker that has forgotten the session is sent everything as new: rather twice than not at all. */
void rx_session_send_again(struct rx_session *s, bool session_present)
{
    for (struct rx_outgoing *o = s->first; o; o = o->next) {
        o->awaited = false;
        if (!session_present)
            o->stage = SENT;
        else if (o->stage == SENT)
            o->stage = AGAIN;
    }
    s->again = s->first;
    go_on_sending_again(s);
}

static int take_received(struct rx_session *s, struct rx_outgoing *o, const struct rx_answer *answer)
{
    if (!o) { /* released long ago, or never sent */
        rx_answer_write(&s->out, RX_PACKET_PUBREL, s->v5, answer->id, RX_REASON_ID_UNKNOWN);
        return 0;
    }
    if (answer->reason >= RX_REASON_FAILURE) {
        complete(s, o, answer->reason);
        return 0;
    }
    o->stage = RELEASED;
    rx_answer_write(&s->out, RX_PACKET_PUBREL, s->v5, answer->id, 0);
    return 0;
}

int rx_session_answered(struct rx_session *s, enum rx_packet_type type, const struct rx_answer *answer)
{
    struct rx_outgoing *o =
        answer->id <= s->options.inflight_maximum && answer->id > 0 ? s->flights[answer->id - 1] : NULL;
    if (o && o->qos != (type == RX_PACKET_PUBACK ? 1 : 2))
        return rx_session_refuse(s, RX_REASON_PROTOCOL, "an answer for a message of another QoS");
    if (type == RX_PACKET_PUBREC)
        take_received(s, o, answer);
    else if (o && type == RX_PACKET_PUBCOMP && o->stage != RELEASED)
        return rx_session_refuse(s, RX_REASON_PROTOCOL, "a PUBCOMP before PUBREC");
    else if (o && type == RX_PACKET_PUBCOMP && answer->reason == RX_REASON_ID_UNKNOWN)
        complete(s, o, 0); /* it had our PUBREL before: the message is with it */
    else if (o)
        complete(s, o, answer->reason);
    go_on_sending_again(s);
    return 0;
}

size_t rx_session_inflight(const struct rx_session *s) { return s->inflight; }

void rx_session_finish_out(struct rx_session *s)
{
    for (struct rx_outgoing *o; (o = s->first);) {
        detach(s, o);
        s->host->published(s->arg, o, RX_REASON_FAILURE);
    }
    free(s->flights);
    free(s->free_ids);
}
