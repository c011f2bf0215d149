/* An MQTT session, the client's side: what was asked, what is in flight both ways, and what may be acknowledged.
 *
 * Over a seam of bytes: what arrives is fed in, what is to be sent goes to host->write, and time is told. So it runs over
 * TCP, TLS, WebSocket, or a network that a test makes up. It outlives connections: what was sent and not acknowledged is
 * sent again, and the packet identifiers received at QoS 2 are remembered, for as long as the broker keeps its side.
 * One thread. Sources: MQTT 3.1.1 and 5.0 (OASIS). */
#ifndef RX_IO_MQTT_SESSION_H
#define RX_IO_MQTT_SESSION_H

#include <sys/types.h>

#include "core/io/mqtt/mqtt.h"
#include "core/io/mqtt/packet.h"
#include "core/value/codec.h"

/* A message on its way out. One allocation; made and freed by its owner. */
struct rx_outgoing {
    struct rx_outgoing *previous, *next; /* the owner's, but while the session has it in flight */
    struct rx_tab *account;              /* the owner's */
    const struct rx_packet_pair *pairs;  /* user properties; sent in version 5 */
    size_t pair_count;
    uint32_t payload_length;
    uint16_t topic_length;
    uint16_t id; /* private to the session, like the next two */
    uint8_t stage;
    bool awaited; /* sent on this connection, and not acknowledged */
    uint8_t qos;
    bool retain;
    char data[]; /* topic, NUL, payload; then what the pairs point to */
};

/* None of these may destroy the session, nor feed it. */
struct rx_session_host {
    void (*write)(void *arg, const void *bytes, size_t length);
    void (*opened)(void *arg, bool session_present);
    void (*messages)(void *arg, struct rx_mqtt_message *,
                     size_t count); /* in order; the array is the host's meanwhile */
    /* A message larger than packet_maximum, which a broker of 3.1.1 cannot know: it was passed over and will be
     * acknowledged in its turn. */
    void (*oversized)(void *arg, const char *topic, size_t topic_length, size_t size);
    void (*published)(void *arg, struct rx_outgoing *, uint8_t reason); /* in flight no more: it is the owner's again */
    void (*granted)(void *arg, uint16_t id, uint8_t reason);            /* a subscription, or its end */
};

struct rx_session_options {
    struct rx_connect_out connect; /* borrowed texts */
    size_t inflight_maximum;       /* of our messages; the broker may allow fewer */
    size_t packet_maximum;         /* bytes, of the broker's */
};

struct rx_session;
int rx_session_create(const struct rx_session_options *, const struct rx_session_host *, void *arg,
                      struct rx_session **ret);
/* Gives back what is in flight through host->published, with RX_REASON_FAILURE. */
void rx_session_destroy(struct rx_session *);

/* A connection stands: says CONNECT. */
void rx_session_connect(struct rx_session *, rx_time now);
/* Takes what the broker sent. Answers how many of the bytes were used up; the rest must come again with more behind it.
 * -EBADMSG: the broker does not keep to the protocol, has
 * refused us or has said goodbye; close, rx_session_why says it. */
ssize_t rx_session_feed(struct rx_session *, const unsigned char *bytes, size_t length, rx_time now);
const char *rx_session_why(const struct rx_session *);
/* The reason that the broker gave in CONNACK or DISCONNECT of version 5; 0: none. */
uint8_t rx_session_reason(const struct rx_session *);
/* The connection is gone. */
void rx_session_lost(struct rx_session *);
/* Writes what has been collected: answers and publishes of one read or span go together. -ENOMEM: it could not be
 * collected whole; close. */
int rx_session_flush(struct rx_session *, rx_time now);
size_t rx_session_collected(const struct rx_session *); /* bytes */
void rx_session_disconnect(struct rx_session *);        /* says goodbye, and flushes */

/* Keep-alive: when to call tick next, RX_TIME_NEVER if not open. tick: -ETIMEDOUT when the broker has fallen silent. A
 * PINGREQ goes when nothing was sent or received for a keep-alive, and waits for no acknowledgement. */
rx_time rx_session_due(const struct rx_session *);
int rx_session_tick(struct rx_session *, rx_time now);

/* One filter each. -EAGAIN: many are unanswered, try again after host->granted. `identifier` is used in version 5. */
int rx_session_subscribe(struct rx_session *, const char *filter, int qos, uint32_t identifier, bool retained_once,
                         uint16_t *ret_id);
int rx_session_unsubscribe(struct rx_session *, const char *filter, uint16_t *ret_id);

/* 0: sent; at QoS 0 it is the caller's, else the session's until host->published. -EAGAIN: as many are in flight as may
 * be, or there is no connection. Above 0: a reason code, the broker does not take such a message. */
int rx_session_publish(struct rx_session *, struct rx_outgoing *);
size_t rx_session_inflight(const struct rx_session *);

/* Messages at QoS 1 and 2 have positions 1, 2, ... What is at or below this one is safe: it is answered, in order. */
void rx_session_ack(struct rx_session *, uint64_t position);
uint64_t rx_session_position(const struct rx_session *); /* of the newest message */
size_t rx_session_unanswered(const struct rx_session *);

/* What a checkpoint must hold for "exactly once": the packet identifiers received at QoS 2 and not released yet. */
void rx_session_save(const struct rx_session *, struct rx_writer *);
void rx_session_load(struct rx_session *, struct rx_reader *);

#endif
