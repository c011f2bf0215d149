/* MQTT: one connection per broker, shared by every source and sink that names it.
 *
 * libmosquitto driven from the loop: nothing here blocks; name look-up and connecting run on a thread of their own. The
 * connection comes back by itself: backoff with jitter from 0.25 s to 30 s, subscriptions made anew. A broker belongs to
 * the thread of its loop. Sources: MQTT 3.1.1 and 5.0 (OASIS). */
#ifndef RX_IO_MQTT_H
#define RX_IO_MQTT_H

#include "core/io/loop/loop.h"
#include "core/option/option.h"

/* `brokers: NAME: {...}`: parse with rx_options_parse(&rx_broker_class, ...) into one of these. */
struct rx_broker_options {
    const char *url, *user, *password, *client_id;
    int version;
    bool clean_start;
    rx_time keep_alive, session_expiry;
    const char *ca, *cert, *key;
    bool insecure;
    struct rx_value will; /* {topic, payload, qos, retain} */
    int64_t max_inflight, max_queue;
    uint64_t max_queue_bytes, max_packet;
};
extern const struct rx_class rx_broker_class;
/* Whether a broker can be made of them (`check`): -EINVAL with a sentence. Opens nothing. */
int rx_broker_check(const struct rx_broker_options *, struct rx_error *reterr);

struct rx_broker;
/* The options are borrowed and must outlive the broker. Connects when the first subscriber or publisher comes. Reads
 * the TLS files: -ENOENT and the like. */
int rx_broker_create(struct rx_loop *, const char *name, const struct rx_broker_options *, struct rx_broker **ret,
                     struct rx_error *reterr);
/* Says DISCONNECT and closes. No subscriber or publisher may be left. */
void rx_broker_destroy(struct rx_broker *);

struct rx_broker_status {
    const char *name;
    bool used, connected;
    rx_time since;              /* of the present state */
    uint64_t connects;          /* sessions begun */
    uint64_t disconnects;       /* sessions lost */
    uint64_t failures;          /* attempts that did not get that far */
    uint64_t gaps;              /* came back and the broker had forgotten us: messages may be missing */
    uint64_t received, sent;    /* messages */
    uint64_t unclaimed;         /* received, and nobody's */
    uint64_t refused;           /* subscriptions that the broker did not grant */
    uint64_t dropped;           /* to be sent, and dropped: the queue was full, or the broker cannot take it */
    size_t queued, queue_bytes; /* to be sent */
    size_t inflight;            /* sent at QoS 1 or 2 and not acknowledged */
    const char *last_error;     /* "" if none yet; borrowed */
};
void rx_broker_status(const struct rx_broker *, struct rx_broker_status *ret);

/* Receiving. */
struct rx_mqtt_message { /* borrowed */
    const char *topic;
    size_t topic_length;
    uint64_t topic_hash; /* of the bytes, the same in every message */
    const char *payload;
    size_t length;
    int qos;
    bool retained;
    const uint32_t *filters; /* MQTT 5: the subscriptions that this copy is for */
    size_t filter_count;     /* 0: not told */
};
/* Embedded by its owner. Every message of the connection goes to every subscriber, which takes what is its own: with
 * overlapping subscriptions a broker may send several copies (MQTT 5.0, section 3.3.4), and only who knows all of a
 * source's patterns can tell which one counts. */
struct rx_subscriber {
    bool (*message)(struct rx_subscriber *, const struct rx_mqtt_message *); /* true: it was its own */
    void (*read_end)(struct rx_subscriber *);                                /* what one read brought is through */
    void (*connection)(struct rx_subscriber *, bool connected);
    struct rx_subscriber *previous, *next; /* private */
};
void rx_broker_join(struct rx_broker *, struct rx_subscriber *);
void rx_broker_leave(struct rx_broker *, struct rx_subscriber *); /* also inside its callbacks */
/* Subscribes, now and after each reconnect; one subscription for all who ask for the same filter, at the highest QoS.
 * *ret_filter is what rx_mqtt_message.filters holds. */
int rx_broker_subscribe(struct rx_broker *, const char *filter, int qos, uint32_t *ret_filter);
void rx_broker_unsubscribe(struct rx_broker *, uint32_t filter);

/* Sending. Embedded by its owner: counts what it has in the queue and what was delivered. */
struct rx_publisher {
    uint64_t held, delivered, lost;
    void (*connection)(struct rx_publisher *, bool connected); /* may be NULL */
    struct rx_publisher *previous, *next;                      /* private */
};
void rx_broker_publisher_join(struct rx_broker *, struct rx_publisher *);
/* What it has in the queue is still sent, uncounted. */
void rx_broker_publisher_leave(struct rx_broker *, struct rx_publisher *);
/* Sends, or queues while disconnected or held up; copies. -EAGAIN: the queue is full. -EINVAL: no topic to publish to. */
int rx_broker_publish(struct rx_broker *, struct rx_publisher *, const char *topic, size_t topic_length,
                      const void *payload, size_t length, int qos, bool retain);
/* Writes out what rx_broker_publish has queued: call once per span. */
void rx_broker_flush(struct rx_broker *);

#endif
