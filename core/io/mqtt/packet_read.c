/* MQTT control packets: reading what a broker sends. */
#include <errno.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/io/mqtt/packet_private.h"

/* The flags that a type must have (MQTT 5.0, table 2-2); PUBLISH has its own. -1: not for a client. */
static const int8_t flags_of[16] = {
    [0] = -1,
    [RX_PACKET_CONNECT] = -1,
    [RX_PACKET_SUBSCRIBE] = -1,
    [RX_PACKET_UNSUBSCRIBE] = -1,
    [RX_PACKET_PINGREQ] = -1,
    [RX_PACKET_PUBREL] = 2,
};

static int fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EBADMSG;
}

int rx_packet_read(const unsigned char *bytes, size_t length, struct rx_packet *ret, const char **ret_why)
{
    ret->size = 0;
    if (length < 2)
        return 0;
    unsigned type = bytes[0] >> 4, flags = bytes[0] & 15;
    if (flags_of[type] < 0)
        return fail(ret_why, "a packet that a broker must not send");
    if (type != RX_PACKET_PUBLISH && flags != (unsigned)flags_of[type])
        return fail(ret_why, "a packet with wrong flags");
    size_t left = 0, at = 1;
    for (unsigned shift = 0;; shift += 7, at++) {
        if (at == length)
            return 0;
        left |= (size_t)(bytes[at] & 127) << shift;
        if (!(bytes[at] & 128))
            break;
        if (at == 4)
            return fail(ret_why, "a length of more than four bytes");
    }
    if (at > 1 && bytes[at] == 0)
        return fail(ret_why, "a length that is longer than it need be");
    at++;
    *ret = (struct rx_packet){
        .type = type, .flags = (uint8_t)flags, .body = bytes + at, .length = left, .size = at + left};
    return length - at >= left;
}

static struct rx_cursor cursor_of(const struct rx_packet *packet)
{
    return (struct rx_cursor){.at = packet->body, .end = packet->body + packet->length};
}

static int finish(const struct rx_cursor *c, const char **ret_why)
{
    if (c->why)
        return fail(ret_why, c->why);
    return c->at == c->end ? 0 : fail(ret_why, "a packet with bytes behind its end");
}

static bool is_topic_name(const char *topic, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (topic[i] == '+' || topic[i] == '#' || topic[i] == '\0')
            return false;
    return rx_utf8_valid(topic, length);
}

static void read_publish_properties(struct rx_cursor *c, struct rx_publish *ret)
{
    struct rx_properties properties = rx_properties_of(c, RX_PACKET_PUBLISH);
    struct rx_property property;
    ret->properties = properties.cursor.at;
    ret->properties_length = rx_cursor_left(&properties.cursor);
    while (rx_property_next(&properties, &property)) {
        if (property.id == RX_PROPERTY_TOPIC_ALIAS)
            ret->alias = (uint16_t)property.number;
        else if (property.id == RX_PROPERTY_SUBSCRIPTION_IDENTIFIER &&
                 ret->subscription_count < RX_PACKET_SUBSCRIPTIONS_MAX)
            ret->subscriptions[ret->subscription_count++] = property.number;
    }
    if (properties.cursor.why)
        rx_cursor_fail(c, properties.cursor.why);
}

int rx_publish_read(const struct rx_packet *packet, bool v5, struct rx_publish *ret, const char **ret_why)
{
    struct rx_cursor c = cursor_of(packet);
    const unsigned char *topic;
    ret->qos = packet->flags >> 1 & 3;
    ret->retain = packet->flags & 1;
    ret->duplicate = packet->flags & 8;
    ret->id = ret->alias = 0;
    ret->subscription_count = ret->properties_length = 0;
    if (ret->qos == 3)
        return fail(ret_why, "a message with a QoS of 3");
    if (ret->qos == 0 && ret->duplicate)
        return fail(ret_why, "a message at QoS 0 that says it is a duplicate");
    rx_cursor_binary(&c, &topic, &ret->topic_length);
    ret->topic = (const char *)topic;
    if (!is_topic_name(ret->topic, ret->topic_length))
        return fail(ret_why, "a topic that is not UTF-8, or holds +, # or NUL");
    if (ret->qos > 0) {
        ret->id = (uint16_t)rx_cursor_u16(&c);
        if (ret->id == 0)
            rx_cursor_fail(&c, "a message with a packet identifier of 0");
    }
    if (v5)
        read_publish_properties(&c, ret);
    if (ret->topic_length == 0 && ret->alias == 0)
        rx_cursor_fail(&c, "a message without a topic");
    if (c.why)
        return fail(ret_why, c.why);
    ret->payload = c.at;
    ret->payload_length = rx_cursor_left(&c);
    return 0;
}

bool rx_packet_pair_next(const struct rx_publish *publish, size_t *at, struct rx_packet_pair *ret)
{
    struct rx_properties properties = {
        .cursor = {.at = publish->properties + *at, .end = publish->properties + publish->properties_length},
        .of = RX_PACKET_PUBLISH};
    struct rx_property property;
    if (publish->properties_length == 0)
        return false;
    while (rx_property_next(&properties, &property)) {
        *at = (size_t)(properties.cursor.at - publish->properties);
        if (property.id == RX_PROPERTY_USER) {
            *ret = property.pair;
            return true;
        }
    }
    return false;
}

static void take_connack_property(const struct rx_property *p, struct rx_connack *ret)
{
    switch (p->id) {
    case RX_PROPERTY_SESSION_EXPIRY:
        ret->session_expiry = p->number;
        ret->has_session_expiry = true;
        break;
    case RX_PROPERTY_ASSIGNED_CLIENT_ID:
        ret->assigned_id = p->text;
        ret->assigned_id_length = p->length;
        break;
    case RX_PROPERTY_SERVER_KEEP_ALIVE:
        ret->keep_alive = (uint16_t)p->number;
        ret->has_keep_alive = true;
        break;
    case RX_PROPERTY_SERVER_REFERENCE:
        ret->server_reference = p->text;
        ret->server_reference_length = p->length;
        break;
    case RX_PROPERTY_REASON_STRING:
        ret->reason_string = p->text;
        ret->reason_string_length = p->length;
        break;
    case RX_PROPERTY_RECEIVE_MAXIMUM:
        ret->receive_maximum = (uint16_t)p->number;
        break;
    case RX_PROPERTY_TOPIC_ALIAS_MAXIMUM:
        ret->topic_alias_maximum = (uint16_t)p->number;
        break;
    case RX_PROPERTY_MAXIMUM_QOS:
        ret->qos_maximum = (uint8_t)p->number;
        break;
    case RX_PROPERTY_RETAIN_AVAILABLE:
        ret->retain_available = p->number;
        break;
    case RX_PROPERTY_MAXIMUM_PACKET:
        ret->packet_maximum = p->number;
        break;
    case RX_PROPERTY_WILDCARD_AVAILABLE:
        ret->wildcard_available = p->number;
        break;
    case RX_PROPERTY_IDENTIFIERS_AVAILABLE:
        ret->identifiers_available = p->number;
        break;
    case RX_PROPERTY_SHARED_AVAILABLE:
        ret->shared_available = p->number;
        break;
    default:
        break;
    }
}

int rx_connack_read(const struct rx_packet *packet, bool v5, struct rx_connack *ret, const char **ret_why)
{
    struct rx_cursor c = cursor_of(packet);
    struct rx_property property;
    *ret = (struct rx_connack){.receive_maximum = 65535,
                               .qos_maximum = 2,
                               .retain_available = true,
                               .wildcard_available = true,
                               .identifiers_available = true,
                               .shared_available = true,
                               .packet_maximum = UINT32_MAX};
    unsigned flags = rx_cursor_u8(&c);
    ret->session_present = flags & 1;
    ret->reason = (uint8_t)rx_cursor_u8(&c);
    if (flags & ~1u)
        rx_cursor_fail(&c, "a CONNACK with wrong flags");
    if (ret->reason != 0 && ret->session_present)
        rx_cursor_fail(&c, "a CONNACK that refuses and speaks of a session");
    if (v5 && !c.why) {
        struct rx_properties properties = rx_properties_of(&c, RX_PACKET_CONNACK);
        while (rx_property_next(&properties, &property))
            take_connack_property(&property, ret);
        if (properties.cursor.why)
            rx_cursor_fail(&c, properties.cursor.why);
    }
    return finish(&c, ret_why);
}

int rx_answer_read(const struct rx_packet *packet, bool v5, struct rx_answer *ret, const char **ret_why)
{
    struct rx_cursor c = cursor_of(packet);
    struct rx_property property;
    *ret = (struct rx_answer){0};
    if (packet->type == RX_PACKET_DISCONNECT && !v5)
        return fail(ret_why, "a DISCONNECT, which a broker of 3.1.1 must not send");
    if (packet->type != RX_PACKET_DISCONNECT) {
        ret->id = (uint16_t)rx_cursor_u16(&c);
        if (ret->id == 0)
            rx_cursor_fail(&c, "an answer with a packet identifier of 0");
    }
    if (v5 && rx_cursor_left(&c) > 0)
        ret->reason = (uint8_t)rx_cursor_u8(&c);
    if (v5 && rx_cursor_left(&c) > 0) {
        struct rx_properties properties = rx_properties_of(&c, packet->type);
        while (rx_property_next(&properties, &property)) {
            if (property.id == RX_PROPERTY_REASON_STRING) {
                ret->reason_string = property.text;
                ret->reason_string_length = property.length;
            } else if (property.id == RX_PROPERTY_SERVER_REFERENCE) {
                ret->server_reference = property.text;
                ret->server_reference_length = property.length;
            }
        }
        if (properties.cursor.why)
            rx_cursor_fail(&c, properties.cursor.why);
    }
    return finish(&c, ret_why);
}

int rx_granted_read(const struct rx_packet *packet, bool v5, struct rx_granted *ret, const char **ret_why)
{
    struct rx_cursor c = cursor_of(packet);
    struct rx_property property;
    *ret = (struct rx_granted){.id = (uint16_t)rx_cursor_u16(&c)};
    if (ret->id == 0)
        rx_cursor_fail(&c, "an answer with a packet identifier of 0");
    if (v5 && !c.why) {
        struct rx_properties properties = rx_properties_of(&c, packet->type);
        while (rx_property_next(&properties, &property))
            ;
        if (properties.cursor.why)
            rx_cursor_fail(&c, properties.cursor.why);
    }
    bool empty = packet->type == RX_PACKET_UNSUBACK && !v5;
    ret->reasons = c.at;
    ret->count = rx_cursor_left(&c);
    if (!c.why && (ret->count == 0) != empty)
        rx_cursor_fail(&c, "an answer with the wrong number of reasons");
    c.at = c.end;
    return finish(&c, ret_why);
}
