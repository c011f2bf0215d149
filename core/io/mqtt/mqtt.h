/* MQTT: one connection per broker, shared by every source and sink that names it.
 *
 * Nothing here blocks; name look-up and connecting run on a thread of their own. The connection comes back by itself:
 * backoff with jitter from 0.25 s to 30 s, subscriptions made anew where the broker forgot them. What is received at QoS 1
 * and 2 is acknowledged when its subscribers say that it is safe (with `client: mosquitto`: on arrival). A broker belongs
 * to the thread of its loop. Sources: MQTT 3.1.1 and 5.0 (OASIS). */
#ifndef RX_IO_MQTT_H
#define RX_IO_MQTT_H

#include "core/io/loop/loop.h"
#include "core/io/net/tls.h"
#include "core/option/option.h"

/* `brokers: NAME: {...}`: parse with rx_options_parse(&rx_broker_class, ...) into one of these. */
struct rx_broker_options {
    const char *url, *user, *password, *client_id;
    int version, client;
    bool clean_start;
    rx_time keep_alive, session_expiry;
    struct rx_tls_options tls;
    struct rx_value will;  /* {topic, payload, qos, retain} */
    struct rx_value birth; /* the same, published at each connection; and retained unless it says otherwise */
    int64_t max_inflight, max_queue, receive_maximum;
    uint64_t max_queue_bytes, max_packet;
};
extern const struct rx_class rx_broker_class;
/* Whether a broker can be made of them (`check`): -EINVAL with a sentence. Opens nothing. */
int rx_broker_check(const struct rx_broker_options *, struct rx_error *reterr);
/* A message that a connection itself sends: its will, its birth. Borrowed texts. */
struct rx_broker_note {
    const char *topic, *payload; /* topic NULL: none */
    size_t topic_length, payload_length;
    int qos;
    bool retain;
};
/* From {topic:, payload:, qos:, retain:}; *ret is left empty where the value is null. `what` names it in messages; `retain`: where
 * it does not say. -EINVAL with a sentence. */
int rx_broker_parse_note(const char *what, struct rx_value, bool retain, struct rx_broker_note *ret,
                         struct rx_error *reterr);

/* Which connection a source or sink uses: one of `brokers:`, or one that is written where it is used. */
struct rx_broker_choice {
    const char *name; /* NULL: of these options */
    bool given;       /* some of the options were */
    struct rx_broker_options options;
};
/* The rows of an option table for a `struct rx_broker_choice` in it. */
#define RX_BROKER_CHOICE_ROWS(type_, field_)                                                                           \
    {.name = "broker",                                                                                                 \
     .help = "which of `brokers:`; or its options here, url and the rest: the same options are the same connection",   \
     .type = RX_OPTION_STRING,                                                                                         \
     .offset = RX_AT(type_, field_.name, const char *),                                                                \
     .flags = RX_BROKER},                                                                                              \
    {                                                                                                                  \
        .name = "connection", .type = RX_OPTION_GROUP,                                                                 \
        .offset = RX_AT(type_, field_.options, struct rx_broker_options), .group = &rx_broker_class,                   \
        .given = RX_AT(type_, field_.given, bool), .flags = RX_INLINE                                                  \
    }
/* Whether it is one and only one, and that one can be: -EINVAL with a sentence and a hint. */
int rx_broker_choice_check(const struct rx_broker_choice *, struct rx_error *reterr);
bool rx_broker_options_same(const struct rx_broker_options *, const struct rx_broker_options *);
/* A copy that the arena owns, of the same heap as the values in it. -ENOMEM. */
int rx_broker_options_copy(const struct rx_broker_options *, struct rx_plan_arena *, struct rx_broker_options *ret);

/* What is legal but worth a warning: the `i`th, from 0; NULL: no more. */
const char *rx_broker_warning(const struct rx_broker_options *, size_t i);

struct rx_broker;
/* The options are borrowed and must outlive the broker. Connects when the first subscriber or publisher comes. Reads
 * the TLS files: -ENOENT and the like. */
int rx_broker_create(struct rx_loop *, const char *name, const struct rx_broker_options *, struct rx_broker **ret,
                     struct rx_error *reterr);
/* Says DISCONNECT and closes. No subscriber or publisher may be left. The session, if it is one that the broker keeps,
 * keeps its subscriptions. What is still to be sent is dropped: rx_broker_status tells how much that is. */
void rx_broker_destroy(struct rx_broker *);

struct rx_broker_status {
    const char *name;
    bool used, connected;
    rx_time since;     /* of the present state */
    const char *state; /* in a word: idle, connecting, waiting, connected */
    const char *client_id;
    const char *last_error;      /* why it is not connected; "" once it is. Borrowed, like the next */
    const char *last_loss;       /* why the connection was lost last; "" if never */
    const char *refusal;         /* a subscription that the broker refuses now, and why; "" if none */
    const char *publish_refusal; /* the newest message that it refused, and why; "" if none */
    const char *unclaimed_topic; /* of the newest message that was nobody's; "" if none */
    uint64_t connects;           /* sessions begun */
    uint64_t disconnects;        /* sessions lost */
    uint64_t failures;           /* attempts that did not get that far */
    uint64_t gaps;               /* came back and the broker had forgotten us: messages may be missing */
    uint64_t taken_over;         /* sessions lost to another client with our client_id */
    uint64_t received, sent;     /* messages */
    uint64_t unclaimed;          /* received, and nobody's */
    uint64_t oversized;          /* received, larger than max_packet and passed over */
    uint64_t refused;            /* subscriptions that the broker did not grant */
    uint64_t publishes_refused;  /* messages that the broker did not take */
    uint64_t dropped;            /* to be sent, and dropped: the queue was full, or the broker cannot take it */
    size_t refused_now;          /* subscriptions */
    size_t queued, queue_bytes;  /* to be sent */
    size_t inflight;             /* sent at QoS 1 or 2 and not acknowledged */
    size_t orphans;              /* of these two, what publishers queued that have left */
    size_t unanswered;           /* received at QoS 1 or 2 and not acknowledged */
    size_t parked, parked_bytes; /* messages kept for sources that are paused, or are expected back */
    uint64_t parked_dropped;     /* more of them than are kept */
};
void rx_broker_status(const struct rx_broker *, struct rx_broker_status *ret);

/* Receiving. */
struct rx_mqtt_message { /* borrowed */
    const char *topic;
    size_t topic_length;
    uint64_t topic_hash; /* of the bytes, the same in every message */
    const char *payload;
    size_t length;
    uint64_t position; /* 0: nothing to acknowledge */
    int qos;
    bool retained;
    bool waited;             /* it was kept: see RX_CLAIM_LATER */
    const uint32_t *filters; /* MQTT 5: the subscriptions that this copy is for */
    size_t filter_count;     /* 0: not told */
};
/* Embedded by its owner. Every message of the connection goes to every subscriber, which takes what is its own: with
 * overlapping subscriptions a broker may send several copies (MQTT 5.0, section 3.3.4), and only who knows all of a
 * source's patterns can tell which one counts. */
enum rx_claim {
    RX_CLAIM_NONE,  /* not its own */
    RX_CLAIM_OTHER, /* the topic is, but this copy is for another subscription */
    RX_CLAIM_LATER, /* its own, but it is paused: kept, unacknowledged, until rx_broker_resume */
    RX_CLAIM_TAKEN, /* its own: it owes an acknowledgement for the position, if there is one */
};
struct rx_subscriber {
    enum rx_claim (*message)(struct rx_subscriber *, const struct rx_mqtt_message *);
    /* Messages without a position, in order: answers how many of them, from the first on, it took as RX_CLAIM_TAKEN. The next is
     * offered to `message`. NULL: each is. */
    size_t (*messages)(struct rx_subscriber *, const struct rx_mqtt_message *, size_t count);
    void (*read_end)(struct rx_subscriber *); /* what one read brought is through */
    void (*connection)(struct rx_subscriber *, bool connected);
    struct rx_subscriber *previous, *next; /* private from here on */
    uint64_t taken, acked;
    size_t parked;
};
void rx_broker_join(struct rx_broker *, struct rx_subscriber *);
/* Also inside its callbacks. What it has not acknowledged by then counts as safe, but for what is kept for it. */
void rx_broker_leave(struct rx_broker *, struct rx_subscriber *);
/* What it took up to this position is safe. Answers leave at the end of the read, or with rx_broker_flush. */
void rx_broker_ack(struct rx_broker *, struct rx_subscriber *, uint64_t position);
/* A subscriber that answered RX_CLAIM_LATER takes messages again: it is offered them soon, in order. */
void rx_broker_resume(struct rx_broker *, struct rx_subscriber *);
/* Subscribes, now and after each reconnect; one subscription for all who ask for the same filter, at the highest QoS.
 * *ret_filter is what rx_mqtt_message.filters holds: it comes from the filter's text, so that what waited in a session
 * over a restart still finds its place. */
int rx_broker_subscribe(struct rx_broker *, const char *filter, int qos, uint32_t *ret_filter);
/* The caller's part is over. In a session that the broker keeps, the subscription stays: stopping must not lose what
 * comes meanwhile. rx_broker_drop_unused ends those that nobody uses any more; call it when a new plan runs. */
void rx_broker_unsubscribe(struct rx_broker *, uint32_t filter);
void rx_broker_drop_unused(struct rx_broker *);

/* Sending. Embedded by its owner: counts what it has in the queue and what was delivered. */
struct rx_publisher {
    uint64_t held, delivered, lost;
    void (*connection)(struct rx_publisher *, bool connected); /* may be NULL */
    struct rx_publisher *previous, *next;                      /* private from here on */
    struct rx_tab *account;
};
int rx_broker_publisher_join(struct rx_broker *, struct rx_publisher *); /* -ENOMEM */
/* What it has in the queue lives on in the broker and is still sent: rx_broker_status.orphans. */
void rx_broker_publisher_leave(struct rx_broker *, struct rx_publisher *);
/* Over a reload: what a publisher that has left queued under this number (rx_broker_publisher_number, not 0) becomes this
 * one's to count. Answers how many messages there are still. */
uint64_t rx_broker_publisher_number(const struct rx_publisher *);
size_t rx_broker_publisher_adopt(struct rx_broker *, struct rx_publisher *, uint64_t number);
/* Sends, or queues while disconnected or held up; copies. -EAGAIN: the queue is full. -EINVAL: no topic to publish to. */
int rx_broker_publish(struct rx_broker *, struct rx_publisher *, const char *topic, size_t topic_length,
                      const void *payload, size_t length, int qos, bool retain);
/* Writes out what rx_broker_publish has queued: call once per span. */
void rx_broker_flush(struct rx_broker *);
/* Nothing is queued, in flight, or written and not yet taken by the kernel. */
bool rx_broker_idle(const struct rx_broker *);

#endif
