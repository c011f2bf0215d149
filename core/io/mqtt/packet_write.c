/* MQTT control packets: writing what a client sends. */
#include <string.h>

#include "core/io/mqtt/packet_private.h"

static void put_u8(struct rx_buffer *b, unsigned v)
{
    unsigned char byte = (unsigned char)v;
    rx_buffer_append(b, &byte, 1);
}

static void put_u16(struct rx_buffer *b, unsigned v)
{
    unsigned char bytes[2] = {(unsigned char)(v >> 8), (unsigned char)v};
    rx_buffer_append(b, bytes, 2);
}

static void put_u32(struct rx_buffer *b, uint32_t v)
{
    put_u16(b, v >> 16);
    put_u16(b, v & 0xFFFF);
}

static size_t varint_size(size_t v) { return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4; }

static void put_varint(struct rx_buffer *b, size_t v)
{
    unsigned char bytes[4];
    size_t n = 0;
    do {
        bytes[n] = (unsigned char)(v % 128 | (v > 127 ? 128 : 0));
        v /= 128;
        n++;
    } while (v > 0 && n < sizeof bytes);
    rx_buffer_append(b, bytes, n);
}

static void put_text(struct rx_buffer *b, const char *text, size_t length)
{
    put_u16(b, (unsigned)length);
    rx_buffer_append(b, text, length);
}

static void put_header(struct rx_buffer *b, unsigned first, size_t length)
{
    put_u8(b, first);
    put_varint(b, length);
}

/* CONNECT (MQTT 5.0, 3.1). */

static size_t connect_properties_size(const struct rx_connect_out *c)
{
    return (c->session_expiry ? 5u : 0u) + (c->receive_maximum ? 3u : 0u) + (c->topic_aliases ? 3u : 0u) +
           (c->packet_maximum ? 5u : 0u);
}

static void put_connect_properties(struct rx_buffer *b, const struct rx_connect_out *c)
{
    put_varint(b, connect_properties_size(c));
    if (c->session_expiry) {
        put_u8(b, RX_PROPERTY_SESSION_EXPIRY);
        put_u32(b, c->session_expiry);
    }
    if (c->receive_maximum) {
        put_u8(b, RX_PROPERTY_RECEIVE_MAXIMUM);
        put_u16(b, c->receive_maximum);
    }
    if (c->topic_aliases) {
        put_u8(b, RX_PROPERTY_TOPIC_ALIAS_MAXIMUM);
        put_u16(b, c->topic_aliases);
    }
    if (c->packet_maximum) {
        put_u8(b, RX_PROPERTY_MAXIMUM_PACKET);
        put_u32(b, c->packet_maximum);
    }
}

static size_t connect_size(const struct rx_connect_out *c)
{
    size_t size = 6 + 1 + 1 + 2 + 2 + strlen(c->client_id);
    if (c->v5)
        size += varint_size(connect_properties_size(c)) + connect_properties_size(c);
    if (c->will_topic)
        size += (c->v5 ? 1u : 0u) + 2 + c->will_topic_length + 2 + c->will_payload_length;
    size += c->user ? 2 + strlen(c->user) : 0;
    return size + (c->password ? 2 + strlen(c->password) : 0);
}

void rx_connect_write(struct rx_buffer *b, const struct rx_connect_out *c)
{
    unsigned flags = c->clean ? 2 : 0;
    if (c->will_topic)
        flags |= 4u | (unsigned)c->will_qos << 3 | (c->will_retain ? 32u : 0u);
    flags |= (c->password ? 64u : 0u) | (c->user ? 128u : 0u);
    put_header(b, RX_PACKET_CONNECT << 4, connect_size(c));
    put_text(b, "MQTT", 4);
    put_u8(b, c->v5 ? 5 : 4);
    put_u8(b, flags);
    put_u16(b, c->keep_alive);
    if (c->v5)
        put_connect_properties(b, c);
    put_text(b, c->client_id, strlen(c->client_id));
    if (c->will_topic) {
        if (c->v5)
            put_u8(b, 0);
        put_text(b, c->will_topic, c->will_topic_length);
        put_text(b, c->will_payload, c->will_payload_length);
    }
    if (c->user)
        put_text(b, c->user, strlen(c->user));
    if (c->password)
        put_text(b, c->password, strlen(c->password));
}

/* PUBLISH (MQTT 5.0, 3.3). */

static size_t pairs_size(const struct rx_publish_out *p)
{
    size_t size = 0;
    for (size_t i = 0; i < p->pair_count; i++)
        size += 5 + p->pairs[i].name_length + p->pairs[i].value_length;
    return size;
}

static size_t publish_length(const struct rx_publish_out *p)
{
    size_t pairs = p->v5 ? pairs_size(p) : 0;
    return 2 + p->topic_length + (p->qos ? 2u : 0u) + (p->v5 ? varint_size(pairs) + pairs : 0) + p->payload_length;
}

size_t rx_publish_size(const struct rx_publish_out *p)
{
    size_t length = publish_length(p);
    return length > RX_PACKET_LENGTH_MAX ? 0 : 1 + varint_size(length) + length;
}

void rx_publish_write(struct rx_buffer *b, const struct rx_publish_out *p)
{
    unsigned first = RX_PACKET_PUBLISH << 4 | (p->duplicate ? 8u : 0u) | (unsigned)p->qos << 1 | (p->retain ? 1u : 0u);
    put_header(b, first, publish_length(p));
    put_text(b, p->topic, p->topic_length);
    if (p->qos)
        put_u16(b, p->id);
    if (p->v5) {
        put_varint(b, pairs_size(p));
        for (size_t i = 0; i < p->pair_count; i++) {
            put_u8(b, RX_PROPERTY_USER);
            put_text(b, p->pairs[i].name, p->pairs[i].name_length);
            put_text(b, p->pairs[i].value, p->pairs[i].value_length);
        }
    }
    rx_buffer_append(b, p->payload, p->payload_length);
}

void rx_answer_write(struct rx_buffer *b, enum rx_packet_type type, bool v5, uint16_t id, uint8_t reason)
{
    bool with_reason = v5 && reason != 0;
    put_header(b, (unsigned)type << 4 | (type == RX_PACKET_PUBREL ? 2u : 0u), with_reason ? 3 : 2);
    put_u16(b, id);
    if (with_reason)
        put_u8(b, reason);
}

/* SUBSCRIBE (MQTT 5.0, 3.8), one filter each: in version 5 the identifier is the packet's. */
void rx_subscribe_write(struct rx_buffer *b, const struct rx_subscribe_out *s)
{
    size_t filter = strlen(s->filter), properties = s->v5 && s->identifier ? 1 + varint_size(s->identifier) : 0;
    put_header(b, RX_PACKET_SUBSCRIBE << 4 | 2, 2 + (s->v5 ? 1 + properties : 0) + 2 + filter + 1);
    put_u16(b, s->id);
    if (s->v5) {
        put_varint(b, properties);
        if (s->identifier) {
            put_u8(b, RX_PROPERTY_SUBSCRIPTION_IDENTIFIER);
            put_varint(b, s->identifier);
        }
    }
    put_text(b, s->filter, filter);
    put_u8(b, (unsigned)s->qos | (s->v5 && s->retained_once ? 1u << 4 : 0u));
}

void rx_unsubscribe_write(struct rx_buffer *b, bool v5, uint16_t id, const char *filter)
{
    size_t length = strlen(filter);
    put_header(b, RX_PACKET_UNSUBSCRIBE << 4 | 2, 2 + (v5 ? 1u : 0u) + 2 + length);
    put_u16(b, id);
    if (v5)
        put_u8(b, 0);
    put_text(b, filter, length);
}

void rx_pingreq_write(struct rx_buffer *b) { put_header(b, RX_PACKET_PINGREQ << 4, 0); }

void rx_disconnect_write(struct rx_buffer *b, bool v5, uint8_t reason)
{
    bool with_reason = v5 && reason != 0;
    put_header(b, RX_PACKET_DISCONNECT << 4, with_reason);
    if (with_reason)
        put_u8(b, reason);
}
