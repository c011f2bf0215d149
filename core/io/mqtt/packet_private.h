/* What packet_read.c and packet_property.c share: a cursor over bytes. For no one else. */
#ifndef RX_IO_MQTT_PACKET_PRIVATE_H
#define RX_IO_MQTT_PACKET_PRIVATE_H

#include "core/io/mqtt/packet.h"

struct rx_cursor {
    const unsigned char *at, *end;
    const char *why; /* NULL: all well so far; then everything reads as 0 */
};

static inline size_t rx_cursor_left(const struct rx_cursor *c) { return (size_t)(c->end - c->at); }

static inline unsigned rx_cursor_fail(struct rx_cursor *c, const char *why)
{
    if (!c->why)
        c->why = why;
    c->at = c->end;
    return 0;
}

static inline unsigned rx_cursor_u8(struct rx_cursor *c)
{
    return c->at < c->end ? *c->at++ : rx_cursor_fail(c, "a packet that is too short");
}

static inline unsigned rx_cursor_u16(struct rx_cursor *c)
{
    if (rx_cursor_left(c) < 2)
        return rx_cursor_fail(c, "a packet that is too short");
    unsigned v = (unsigned)c->at[0] << 8 | c->at[1];
    c->at += 2;
    return v;
}

uint32_t rx_cursor_u32(struct rx_cursor *);
uint32_t rx_cursor_varint(struct rx_cursor *);
/* A length of two bytes, then as many: UTF-8 without NUL, or any bytes. */
void rx_cursor_text(struct rx_cursor *, const char **ret, size_t *ret_length);
void rx_cursor_binary(struct rx_cursor *, const unsigned char **ret, size_t *ret_length);

/* Properties (MQTT 5.0, 2.2.2). */
enum {
    RX_PROPERTY_PAYLOAD_FORMAT = 1,
    RX_PROPERTY_MESSAGE_EXPIRY = 2,
    RX_PROPERTY_CONTENT_TYPE = 3,
    RX_PROPERTY_RESPONSE_TOPIC = 8,
    RX_PROPERTY_CORRELATION_DATA = 9,
    RX_PROPERTY_SUBSCRIPTION_IDENTIFIER = 11,
    RX_PROPERTY_SESSION_EXPIRY = 17,
    RX_PROPERTY_ASSIGNED_CLIENT_ID = 18,
    RX_PROPERTY_SERVER_KEEP_ALIVE = 19,
    RX_PROPERTY_AUTH_METHOD = 21,
    RX_PROPERTY_AUTH_DATA = 22,
    RX_PROPERTY_RESPONSE_INFORMATION = 26,
    RX_PROPERTY_SERVER_REFERENCE = 28,
    RX_PROPERTY_REASON_STRING = 31,
    RX_PROPERTY_RECEIVE_MAXIMUM = 33,
    RX_PROPERTY_TOPIC_ALIAS_MAXIMUM = 34,
    RX_PROPERTY_TOPIC_ALIAS = 35,
    RX_PROPERTY_MAXIMUM_QOS = 36,
    RX_PROPERTY_RETAIN_AVAILABLE = 37,
    RX_PROPERTY_USER = 38,
    RX_PROPERTY_MAXIMUM_PACKET = 39,
    RX_PROPERTY_WILDCARD_AVAILABLE = 40,
    RX_PROPERTY_IDENTIFIERS_AVAILABLE = 41,
    RX_PROPERTY_SHARED_AVAILABLE = 42,
};

struct rx_property {
    unsigned id;
    uint32_t number;
    const char *text; /* and binary */
    size_t length;
    struct rx_packet_pair pair; /* of a user property */
};

/* The properties of a packet: their length, then them. */
struct rx_properties {
    struct rx_cursor cursor;
    enum rx_packet_type of;
    uint64_t seen; /* ids, for those that may come once only */
};
/* Takes the block off the packet's cursor. */
struct rx_properties rx_properties_of(struct rx_cursor *packet, enum rx_packet_type);
/* False at the end, or when one is unknown, misplaced, repeated or out of range (cursor.why). */
bool rx_property_next(struct rx_properties *, struct rx_property *ret);

#endif
