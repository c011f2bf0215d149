/* What the files of a broker share, and the seam to the client that speaks for it. For no one else. */
#ifndef RX_IO_MQTT_PRIVATE_H
#define RX_IO_MQTT_PRIVATE_H

#include "core/io/mqtt/mqtt.h"
#include "core/io/mqtt/session.h"
#include "core/io/net/address.h"
#include "core/io/net/backoff.h"

enum rx_broker_state {
    RX_BROKER_IDLE,    /* nobody needs it */
    RX_BROKER_WAITING, /* for the next attempt */
    RX_BROKER_OPENING, /* the client is at it: name, connection, TLS, CONNECT */
    RX_BROKER_OPEN,    /* CONNACK seen */
};

enum rx_filter_state { RX_FILTER_WANTED, RX_FILTER_ASKED, RX_FILTER_GRANTED, RX_FILTER_REFUSED, RX_FILTER_DROPPED };

struct rx_filter {
    char *text;              /* NULL: the row is free */
    struct rx_topic *topic;  /* its pattern */
    uint32_t id;             /* 1 to 268,435,455, from the text */
    unsigned users, leaving; /* leaving: of this turn */
    int qos, asked;          /* asked: the client's number of the question */
    enum rx_filter_state state;
    bool retained_again; /* a newcomer wants the retained messages, though the session may have had them */
    uint8_t reason;
};

/* Who queued a message; outlives the publisher for as long as anything of its is in the queue. */
struct rx_tab {
    struct rx_tab *previous, *next;
    uint64_t number;
    struct rx_publisher *publisher; /* NULL: has left */
    size_t messages;
};

/* A client: who speaks MQTT for a broker. Its state is broker->link. It reports by the rx_broker_* functions below, from
 * the loop, never from inside a call of these. */
struct rx_client_class {
    const char *name;
    int (*create)(struct rx_broker *, struct rx_error *reterr);
    void (*destroy)(struct rx_broker *); /* says DISCONNECT if it is open; gives back what is in flight */
    int (*open)(struct rx_broker *); /* begins an attempt: rx_broker_opened or rx_broker_lost follows. Negative errno */
    void (*close)(struct rx_broker *); /* gives up the attempt or connection, at once and without a word */
    /* Keep-alive: 0, or negative with *ret_why. due: when it wants to be called, RX_TIME_NEVER: not. */
    int (*tick)(struct rx_broker *, const char **ret_why);
    rx_time (*due)(const struct rx_broker *);
    int (*subscribe)(struct rx_broker *, const struct rx_filter *, int *ret_asked); /* 0; -EAGAIN: later */
    int (*unsubscribe)(struct rx_broker *, const struct rx_filter *, int *ret_asked);
    /* 0: sent; the client's until rx_broker_published if the QoS is above 0. -EAGAIN: not now, rx_broker_pump is called
     * when it is worth another try. Above 0: a reason code, it cannot be sent. */
    int (*publish)(struct rx_broker *, struct rx_outgoing *);
    void (*ack)(struct rx_broker *, uint64_t position); /* NULL: has answered already */
    void (*flush)(struct rx_broker *);
    size_t (*inflight)(const struct rx_broker *);
    size_t (*unsent)(const struct rx_broker *); /* bytes that the kernel has not taken */
    size_t (*unanswered)(const struct rx_broker *);
};
extern const struct rx_client_class rx_client_rxd, rx_client_mosquitto;

struct rx_broker {
    struct rx_loop *loop;
    struct rx_sched *sched;
    char *name;
    const struct rx_broker_options *options;
    struct rx_net_address address;
    struct rx_broker_note will, birth;
    char made_up_id[24]; /* when none is configured */
    const char *client_id;

    const struct rx_client_class *client;
    void *link;
    enum rx_broker_state state;
    bool was_open, in_read, closing;
    unsigned short_lived; /* sessions in a row that the other side ended soon */
    struct rx_timer tick; /* the next attempt; the deadline of opening; keep-alive */
    struct rx_backoff backoff;
    rx_time deadline;
    uint64_t carried; /* messages of this connection */

    struct rx_filter *filters;
    size_t filter_count;
    struct rx_timer unused;                     /* ends the subscriptions that nobody uses */
    struct rx_subscriber *subscribers, *cursor; /* cursor: the next in a round that is under way */
    struct rx_parked *parked, *parked_last;
    size_t parked_count, parked_bytes;
    struct rx_timer unpark;
    struct rx_publisher *publishers;
    struct rx_tab *tabs;
    uint64_t tab_number;

    struct rx_outgoing *first, *last; /* the queue */
    size_t queued, queue_bytes, orphans;

    struct rx_broker_status status;
    char last_error[256], last_loss[256], refusal[256], publish_refusal[256], unclaimed_topic[128];
};

/* mqtt_options.c */
int rx_broker_parse_url(const char *url, struct rx_net_address *ret, struct rx_error *reterr);
bool rx_broker_is_v5(const struct rx_broker_options *);
const struct rx_client_class *rx_broker_client(const struct rx_broker_options *);

/* mqtt_broker.c */
void rx_broker_start(struct rx_broker *); /* somebody needs it; no-op when started */
void rx_broker_opened(struct rx_broker *, bool session_present);
/* `reason`: the code of version 5, 0 if none. */
void rx_broker_lost(struct rx_broker *, const char *why, uint8_t reason);
void rx_broker_rearm(struct rx_broker *); /* what the client is due for has changed */

/* mqtt_filter.c */
void rx_broker_messages(struct rx_broker *, struct rx_mqtt_message *, size_t count);
void rx_broker_end_read(struct rx_broker *);
void rx_broker_oversized(struct rx_broker *, size_t size);
void rx_broker_granted(struct rx_broker *, int asked, unsigned reason);
void rx_filters_opened(struct rx_broker *, bool session_present);
void rx_filters_pump(struct rx_broker *);
void rx_filters_finish(struct rx_broker *);
void rx_filters_on_unused(struct rx_timer *);
void rx_broker_tell(struct rx_broker *, bool connected);

enum rx_claim rx_subscriber_offer(struct rx_subscriber *, const struct rx_mqtt_message *);
enum rx_claim rx_broker_offer(struct rx_broker *, const struct rx_mqtt_message *);
/* Whether a session that the broker keeps has a subscription for it, whose source is not there now. */
bool rx_broker_expects(const struct rx_broker *, const struct rx_mqtt_message *);
void rx_broker_note_unclaimed(struct rx_broker *, const char *topic, size_t length);

/* mqtt_park.c: messages that wait for their source. */
void rx_park(struct rx_broker *, const struct rx_mqtt_message *, struct rx_subscriber *owner);
/* The position below which nothing waits; UINT64_MAX: nothing does. Gives up what has waited for too long. */
uint64_t rx_park_floor(struct rx_broker *);
void rx_park_soon(struct rx_broker *); /* somebody is back: offers what waits from the loop */
void rx_park_leave(struct rx_broker *, struct rx_subscriber *);
void rx_park_lost(
    struct rx_broker *); /* the broker will send it again, but for QoS 2, which it is known to have sent */
void rx_park_finish(struct rx_broker *);

/* mqtt_queue.c */
void rx_broker_published(struct rx_broker *, struct rx_outgoing *, unsigned reason);
void rx_broker_pump(struct rx_broker *);
void rx_broker_send_birth(struct rx_broker *);
void rx_queue_finish(struct rx_broker *);

#endif
