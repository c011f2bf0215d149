/* MQTT control packets as bytes: 3.1.1 and 5.0 (OASIS), the client's side. Pure functions, any thread.
 *
 * Strict: what the standard calls malformed or a protocol error is refused, with a sentence for the log. Nothing is
 * copied: what is parsed points into the bytes that were given. Writers append to a buffer and rely on its sticky
 * `failed`. */
#ifndef RX_IO_MQTT_PACKET_H
#define RX_IO_MQTT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"

#define RX_PACKET_LENGTH_MAX 268435455u /* of what follows the fixed header (MQTT 5.0, 1.5.5) */

enum rx_packet_type {
    RX_PACKET_CONNECT = 1,
    RX_PACKET_CONNACK,
    RX_PACKET_PUBLISH,
    RX_PACKET_PUBACK,
    RX_PACKET_PUBREC,
    RX_PACKET_PUBREL,
    RX_PACKET_PUBCOMP,
    RX_PACKET_SUBSCRIBE,
    RX_PACKET_SUBACK,
    RX_PACKET_UNSUBSCRIBE,
    RX_PACKET_UNSUBACK,
    RX_PACKET_PINGREQ,
    RX_PACKET_PINGRESP,
    RX_PACKET_DISCONNECT,
    RX_PACKET_AUTH,
};

/* Reason codes that are acted on (MQTT 5.0, 2.4). From 0x80 on they are failures. */
enum {
    RX_REASON_NORMAL = 0x00,
    RX_REASON_FAILURE = 0x80, /* and of SUBACK in 3.1.1 */
    RX_REASON_MALFORMED = 0x81,
    RX_REASON_PROTOCOL = 0x82,
    RX_REASON_TAKEN_OVER = 0x8E,
    RX_REASON_ID_UNKNOWN = 0x92,
    RX_REASON_RECEIVE_MAXIMUM = 0x93,
    RX_REASON_TOPIC_ALIAS = 0x94,
    RX_REASON_TOO_LARGE = 0x95,
};
const char *rx_reason_text(unsigned reason);    /* in words */
const char *rx_connack_text_311(unsigned code); /* the six of 3.1.1 */

struct rx_packet {
    enum rx_packet_type type;
    uint8_t flags;
    const unsigned char *body;
    size_t length; /* of the body */
    size_t size;   /* of all of it */
};
/* The packet at the start of the bytes. 1: it is whole. 0: more is needed, ret->size bytes in all as far as can be told
 * (0: not yet). -EBADMSG: no packet that a client may be sent, *ret_why says why. */
int rx_packet_read(const unsigned char *bytes, size_t length, struct rx_packet *ret, const char **ret_why);

/* A user property, or a UTF-8 pair of our own. */
struct rx_packet_pair {
    const char *name, *value;
    size_t name_length, value_length;
};

enum { RX_PACKET_SUBSCRIPTIONS_MAX = 64 }; /* identifiers of one message: one for each subscription that matches */

struct rx_publish {
    const char *topic;
    size_t topic_length;
    const unsigned char *payload;
    size_t payload_length;
    uint16_t id;    /* 0 at QoS 0 */
    uint16_t alias; /* version 5; 0: none */
    uint8_t qos;
    bool retain, duplicate;
    const unsigned char *properties; /* version 5, checked: for rx_packet_pair_next */
    size_t properties_length;
    uint32_t subscriptions[RX_PACKET_SUBSCRIPTIONS_MAX];
    size_t subscription_count; /* further ones are left out */
};
/* The readers of one type: 0, or -EBADMSG with *ret_why. `v5`: the session's version. */
int rx_publish_read(const struct rx_packet *, bool v5, struct rx_publish *ret, const char **ret_why);

/* The user properties of a message, one after the other; *at starts at 0. False: no more. */
bool rx_packet_pair_next(const struct rx_publish *, size_t *at, struct rx_packet_pair *ret);

struct rx_connack {
    bool session_present;
    uint8_t reason;
    uint16_t receive_maximum, topic_alias_maximum;
    uint8_t qos_maximum;
    bool retain_available, wildcard_available, identifiers_available, shared_available;
    bool has_keep_alive, has_session_expiry;
    uint16_t keep_alive;                                        /* seconds */
    uint32_t session_expiry;                                    /* seconds */
    uint32_t packet_maximum;                                    /* bytes */
    const char *assigned_id, *reason_string, *server_reference; /* NULL: none */
    size_t assigned_id_length, reason_string_length, server_reference_length;
};
int rx_connack_read(const struct rx_packet *, bool v5, struct rx_connack *ret, const char **ret_why);

/* PUBACK, PUBREC, PUBREL, PUBCOMP; DISCONNECT (its id is 0). */
struct rx_answer {
    uint16_t id;
    uint8_t reason;
    const char *reason_string, *server_reference;
    size_t reason_string_length, server_reference_length;
};
int rx_answer_read(const struct rx_packet *, bool v5, struct rx_answer *ret, const char **ret_why);

/* SUBACK, UNSUBACK: a reason for each filter, in order. */
struct rx_granted {
    uint16_t id;
    const unsigned char *reasons; /* UNSUBACK of 3.1.1: none */
    size_t count;
};
int rx_granted_read(const struct rx_packet *, bool v5, struct rx_granted *ret, const char **ret_why);

/* Writers. */
struct rx_connect_out {
    bool v5, clean;
    uint16_t keep_alive;                     /* seconds */
    const char *client_id, *user, *password; /* user, password: NULL: none */
    uint32_t session_expiry;                 /* version 5; 0: ends with the connection */
    uint16_t receive_maximum;                /* version 5; 0: not said */
    uint16_t topic_aliases;                  /* version 5: how many the broker may use */
    uint32_t packet_maximum;                 /* version 5; 0: not said */
    const char *will_topic;                  /* NULL: no will */
    const char *will_payload;
    size_t will_topic_length, will_payload_length;
    int will_qos;
    bool will_retain;
};
void rx_connect_write(struct rx_buffer *, const struct rx_connect_out *);

struct rx_publish_out {
    bool v5, retain, duplicate;
    int qos;
    uint16_t id;
    const char *topic;
    size_t topic_length;
    const void *payload;
    size_t payload_length;
    const struct rx_packet_pair *pairs; /* version 5 */
    size_t pair_count;
};
/* Bytes that the packet takes; 0: more than a packet can hold. */
size_t rx_publish_size(const struct rx_publish_out *);
void rx_publish_write(struct rx_buffer *, const struct rx_publish_out *);

/* PUBACK, PUBREC, PUBREL, PUBCOMP. The reason is written in version 5, where it is not 0. */
void rx_answer_write(struct rx_buffer *, enum rx_packet_type, bool v5, uint16_t id, uint8_t reason);

struct rx_subscribe_out {
    bool v5;
    uint16_t id;
    const char *filter;
    int qos;
    uint32_t identifier; /* version 5; 0: none */
    bool retained_once;  /* version 5: retained messages only if the session has no such subscription yet */
};
void rx_subscribe_write(struct rx_buffer *, const struct rx_subscribe_out *);
void rx_unsubscribe_write(struct rx_buffer *, bool v5, uint16_t id, const char *filter);
void rx_pingreq_write(struct rx_buffer *);
void rx_disconnect_write(struct rx_buffer *, bool v5, uint8_t reason);

#endif
