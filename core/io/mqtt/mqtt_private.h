/* What the mqtt_*.c files share of a broker. For no one else. */
#ifndef RX_IO_MQTT_PRIVATE_H
#define RX_IO_MQTT_PRIVATE_H

#include <mosquitto.h>

#include "core/io/mqtt/mqtt.h"

struct rx_broker_address {
    char host[256];
    int port;
    bool tls;
};

enum rx_broker_state {
    RX_BROKER_IDLE,    /* nobody needs it */
    RX_BROKER_WAITING, /* for the next attempt */
    RX_BROKER_DIALING, /* a thread has the handle */
    RX_BROKER_OPENING, /* a socket; CONNECT sent or TLS under way */
    RX_BROKER_OPEN,    /* CONNACK seen */
};

struct rx_filter {
    char *text;
    int qos;
    unsigned users; /* 0: the row is free */
};

struct rx_outgoing {
    struct rx_outgoing *next;
    struct rx_publisher *publisher; /* NULL: has left */
    uint32_t payload_length;
    uint8_t qos;
    bool retain;
    uint16_t topic_length;
    char data[]; /* topic, NUL, payload */
};

struct rx_inflight {
    int mid;
    struct rx_publisher *publisher;
};

struct rx_dial;

struct rx_broker {
    struct rx_loop *loop;
    struct rx_sched *sched;
    char *name;
    const struct rx_broker_options *options;
    struct rx_broker_address address;
    char client_id[24]; /* made up, when none is configured */

    struct mosquitto *mosq;
    enum rx_broker_state state;
    bool dialed, was_open, in_read;
    struct rx_dial *dial;
    struct rx_wake *wake;
    struct rx_watch *watch;
    struct rx_timer tick; /* the next attempt; the deadline of opening; keep-alive */
    rx_time backoff, deadline;
    uint64_t random;

    struct rx_filter *filters; /* id = row + 1 */
    size_t filter_count;
    struct rx_subscriber *subscribers, *cursor; /* cursor: the next in a round that is under way */
    struct rx_publisher *publishers;

    struct rx_outgoing *first, **last; /* the queue */
    size_t queued, queue_bytes;
    struct rx_inflight *inflight;
    size_t inflight_count;

    struct rx_broker_status status;
    char last_error[256];
};

/* mqtt_options.c */
int rx_broker_parse_url(const char *url, struct rx_broker_address *ret, struct rx_error *reterr);
/* Makes the handle: identity, TLS, will, limits. */
int rx_broker_configure(struct rx_broker *, struct rx_error *reterr);
int rx_broker_is_v5(const struct rx_broker *);

/* mqtt_connection.c */
void rx_broker_start(struct rx_broker *);  /* somebody needs it; no-op when started */
void rx_broker_settle(struct rx_broker *); /* after any call to libmosquitto: what to wait for */

/* mqtt_dial.c: connecting on a thread of its own. The thread has the handle until rx_dial_finish says so. */
int rx_dial_start(struct rx_broker *);
/* True when the attempt is over: *ret_code is libmosquitto's, *ret_errno with MOSQ_ERR_ERRNO. */
bool rx_dial_finish(struct rx_broker *, int *ret_code, int *ret_errno);
/* Leaves the handle to the thread, which destroys it when its attempt is over. */
void rx_dial_abandon(struct rx_broker *);

/* mqtt_receive.c */
void rx_broker_on_message(struct mosquitto *, void *broker, const struct mosquitto_message *,
                          const mosquitto_property *);
void rx_broker_on_subscribe(struct mosquitto *, void *broker, int mid, int count, const int *granted,
                            const mosquitto_property *);
void rx_broker_subscribe_all(struct rx_broker *);
void rx_broker_tell(struct rx_broker *, bool connected);
void rx_broker_end_read(struct rx_broker *);
void rx_filters_finish(struct rx_broker *);

/* mqtt_send.c */
void rx_broker_on_publish(struct mosquitto *, void *broker, int mid, int reason, const mosquitto_property *);
void rx_broker_pump(struct rx_broker *);
void rx_queue_finish(struct rx_broker *);

#endif
