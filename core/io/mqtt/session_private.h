/* What the session*.c files share. For no one else. */
#ifndef RX_IO_MQTT_SESSION_PRIVATE_H
#define RX_IO_MQTT_SESSION_PRIVATE_H

#include "core/io/mqtt/session.h"

enum rx_session_state { RX_SESSION_CLOSED, RX_SESSION_CONNECTING, RX_SESSION_OPEN };

/* Packet identifiers: from 1 for messages, the slots of `flights`; from ASKED_FIRST for what is asked. */
enum { RX_ASKED_FIRST = 65001, RX_ASKED_MAX = 256, RX_INFLIGHT_MAX = 65000, RX_ALIASES = 64 };

struct rx_alias {
    char *topic;
    size_t length;
    uint64_t hash;
};

struct rx_pending { /* a message received and not answered yet */
    uint16_t id;
    uint8_t qos;
};

struct rx_session {
    struct rx_session_options options;
    const struct rx_session_host *host;
    void *arg;
    enum rx_session_state state;
    bool v5;
    struct rx_connack connack;
    const char *why;
    char why_text[256];
    uint8_t reason;

    struct rx_buffer out;
    rx_time keep_alive, last_in, last_out, pinged; /* pinged 0: no PINGREQ is unanswered */
    size_t skip;                                   /* bytes of an oversized packet that are still to come */

    bool asked[RX_ASKED_MAX];
    size_t asked_count, asked_next;

    /* Out. */
    struct rx_outgoing **flights; /* by identifier - 1 */
    uint16_t *free_ids;           /* a ring: identifiers rest as long as they can before they are used again */
    size_t free_first, free_count;
    struct rx_outgoing *first, *last; /* in flight, in the order of sending */
    struct rx_outgoing *again;        /* the first that is still to be sent again on this connection */
    size_t inflight, awaited;         /* held; sent on this connection and not acknowledged */

    /* In. */
    struct rx_pending *pending; /* a ring; its first has position `answered` + 1 */
    size_t pending_first, pending_count, pending_capacity;
    uint64_t answered, safe;
    uint64_t *received; /* QoS 2: a bit for each identifier; NULL: none ever came */
    struct rx_alias aliases[RX_ALIASES];
};

/* -EBADMSG, with a DISCONNECT that says so in version 5. */
int rx_session_refuse(struct rx_session *, uint8_t reason, const char *why);

/* session_in.c */
int rx_session_take(struct rx_session *, const struct rx_packet *); /* PUBLISH */
int rx_session_pass_over(struct rx_session *, const struct rx_packet *, size_t length);
void rx_session_release(struct rx_session *, const struct rx_answer *); /* PUBREL */
void rx_session_forget_pending(struct rx_session *);
void rx_session_forget_received(struct rx_session *);
void rx_session_finish_in(struct rx_session *);

/* session_run.c: takes the messages at QoS 0 that stand at the start of the bytes; answers how many bytes those are. */
size_t rx_session_take_run(struct rx_session *, const unsigned char *bytes, size_t length);

/* session_out.c */
int rx_session_init_out(struct rx_session *);
int rx_session_answered(struct rx_session *, enum rx_packet_type,
                        const struct rx_answer *); /* PUBACK, PUBREC, PUBCOMP */
void rx_session_send_again(struct rx_session *, bool session_present);
void rx_session_finish_out(struct rx_session *);

#endif
