/* MQTT 5 properties: which may stand where, of what type, and how often (MQTT 5.0, 2.2.2). */
#include <string.h>

#include "core/base/utf8.h"
#include "core/io/mqtt/packet_private.h"

uint32_t rx_cursor_u32(struct rx_cursor *c)
{
    uint32_t high = rx_cursor_u16(c);
    return high << 16 | rx_cursor_u16(c);
}

/* A number that is longer than it need be is malformed (1.5.5). */
uint32_t rx_cursor_varint(struct rx_cursor *c)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        unsigned byte = rx_cursor_u8(c);
        value |= (uint32_t)(byte & 127) << shift;
        if (!(byte & 128))
            return byte == 0 && shift > 0 ? rx_cursor_fail(c, "a length that is longer than it need be") : value;
    }
    return rx_cursor_fail(c, "a length of more than four bytes");
}

void rx_cursor_binary(struct rx_cursor *c, const unsigned char **ret, size_t *ret_length)
{
    size_t length = rx_cursor_u16(c);
    if (length > rx_cursor_left(c))
        length = rx_cursor_fail(c, "a text that goes beyond its packet");
    *ret = c->at;
    *ret_length = length;
    c->at += length;
}

void rx_cursor_text(struct rx_cursor *c, const char **ret, size_t *ret_length)
{
    const unsigned char *bytes;
    rx_cursor_binary(c, &bytes, ret_length);
    *ret = (const char *)bytes;
    if (!rx_utf8_valid(*ret, *ret_length) || memchr(bytes, '\0', *ret_length))
        rx_cursor_fail(c, "a text that is not UTF-8, or holds NUL");
}

enum type { NONE, FLAG, U8, U16, U32, VARINT, TEXT, BINARY, PAIR };

#define IN(type_) (1u << RX_PACKET_##type_)
#define ACKS      (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK))

static const struct {
    uint8_t type;
    bool positive; /* 0 is a protocol error */
    uint32_t in;   /* the packets that a client may be sent with it */
} known[] = {
    [RX_PROPERTY_PAYLOAD_FORMAT] = {FLAG, false, IN(PUBLISH)},
    [RX_PROPERTY_MESSAGE_EXPIRY] = {U32, false, IN(PUBLISH)},
    [RX_PROPERTY_CONTENT_TYPE] = {TEXT, false, IN(PUBLISH)},
    [RX_PROPERTY_RESPONSE_TOPIC] = {TEXT, false, IN(PUBLISH)},
    [RX_PROPERTY_CORRELATION_DATA] = {BINARY, false, IN(PUBLISH)},
    [RX_PROPERTY_SUBSCRIPTION_IDENTIFIER] = {VARINT, true, IN(PUBLISH)},
    [RX_PROPERTY_SESSION_EXPIRY] = {U32, false, IN(CONNACK)},
    [RX_PROPERTY_ASSIGNED_CLIENT_ID] = {TEXT, false, IN(CONNACK)},
    [RX_PROPERTY_SERVER_KEEP_ALIVE] = {U16, false, IN(CONNACK)},
    [RX_PROPERTY_AUTH_METHOD] = {TEXT, false, IN(CONNACK)},
    [RX_PROPERTY_AUTH_DATA] = {BINARY, false, IN(CONNACK)},
    [RX_PROPERTY_RESPONSE_INFORMATION] = {TEXT, false, IN(CONNACK)},
    [RX_PROPERTY_SERVER_REFERENCE] = {TEXT, false, IN(CONNACK) | IN(DISCONNECT)},
    [RX_PROPERTY_REASON_STRING] = {TEXT, false, ACKS | IN(CONNACK) | IN(DISCONNECT)},
    [RX_PROPERTY_RECEIVE_MAXIMUM] = {U16, true, IN(CONNACK)},
    [RX_PROPERTY_TOPIC_ALIAS_MAXIMUM] = {U16, false, IN(CONNACK)},
    [RX_PROPERTY_TOPIC_ALIAS] = {U16, true, IN(PUBLISH)},
    [RX_PROPERTY_MAXIMUM_QOS] = {FLAG, false, IN(CONNACK)},
    [RX_PROPERTY_RETAIN_AVAILABLE] = {FLAG, false, IN(CONNACK)},
    [RX_PROPERTY_USER] = {PAIR, false, ACKS | IN(PUBLISH) | IN(CONNACK) | IN(DISCONNECT)},
    [RX_PROPERTY_MAXIMUM_PACKET] = {U32, true, IN(CONNACK)},
    [RX_PROPERTY_WILDCARD_AVAILABLE] = {FLAG, false, IN(CONNACK)},
    [RX_PROPERTY_IDENTIFIERS_AVAILABLE] = {FLAG, false, IN(CONNACK)},
    [RX_PROPERTY_SHARED_AVAILABLE] = {FLAG, false, IN(CONNACK)},
};

struct rx_properties rx_properties_of(struct rx_cursor *packet, enum rx_packet_type of)
{
    size_t length = rx_cursor_varint(packet);
    if (length > rx_cursor_left(packet))
        length = rx_cursor_fail(packet, "properties that go beyond their packet");
    struct rx_properties properties = {.cursor = {.at = packet->at, .end = packet->at + length}, .of = of};
    packet->at += length;
    return properties;
}

static void read_value(struct rx_cursor *c, enum type type, struct rx_property *ret)
{
    switch (type) {
    case FLAG:
        ret->number = rx_cursor_u8(c);
        if (ret->number > 1)
            rx_cursor_fail(c, "a property that must be 0 or 1");
        break;
    case U8:
        ret->number = rx_cursor_u8(c);
        break;
    case U16:
        ret->number = rx_cursor_u16(c);
        break;
    case U32:
        ret->number = rx_cursor_u32(c);
        break;
    case VARINT:
        ret->number = rx_cursor_varint(c);
        break;
    case TEXT:
        rx_cursor_text(c, &ret->text, &ret->length);
        break;
    case BINARY:
        rx_cursor_binary(c, (const unsigned char **)&ret->text, &ret->length);
        break;
    case PAIR:
        rx_cursor_text(c, &ret->pair.name, &ret->pair.name_length);
        rx_cursor_text(c, &ret->pair.value, &ret->pair.value_length);
        break;
    case NONE:
        break;
    }
}

/* A message may carry several of these, the identifiers for overlapping subscriptions (3.3.2.3.8). */
static bool may_repeat(unsigned id) { return id == RX_PROPERTY_USER || id == RX_PROPERTY_SUBSCRIPTION_IDENTIFIER; }

bool rx_property_next(struct rx_properties *properties, struct rx_property *ret)
{
    struct rx_cursor *c = &properties->cursor;
    if (c->at == c->end)
        return false;
    unsigned id = rx_cursor_varint(c);
    if (id >= sizeof known / sizeof *known || !(known[id].in >> properties->of & 1)) {
        rx_cursor_fail(c, "a property that has no place there");
        return false;
    }
    if ((properties->seen >> id & 1) && !may_repeat(id)) {
        rx_cursor_fail(c, "a property that comes twice");
        return false;
    }
    properties->seen |= (uint64_t)1 << id;
    ret->id = id;
    read_value(c, known[id].type, ret);
    if (!c->why && known[id].positive && ret->number == 0)
        rx_cursor_fail(c, "a property that must not be 0");
    return !c->why;
}
