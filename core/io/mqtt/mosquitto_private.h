/* What the two files of the libmosquitto client share. For no one else. */
#ifndef RX_IO_MQTT_MOSQUITTO_PRIVATE_H
#define RX_IO_MQTT_MOSQUITTO_PRIVATE_H

#include <mosquitto.h>

#include "core/io/mqtt/mqtt_private.h"

struct rx_mosquitto_dial;

struct rx_mosquitto {
    struct rx_broker *broker;
    struct mosquitto *mosq; /* NULL: a thread has kept it */
    struct rx_mosquitto_dial *dial;
    struct rx_wake *wake;
    struct rx_watch *watch;
    int fd; /* what is watched, while it is: ours to close */
    bool dialed;
    char refusal[128]; /* of CONNACK */
    rx_time misc;      /* when to look at its keep-alive next */
    struct rx_mosquitto_flight {
        int mid;
        struct rx_outgoing *message;
    } * flights;
    size_t flight_count;
};

/* Connecting on a thread of its own. The thread has the handle until rx_mosquitto_dial_finish says so. */
int rx_mosquitto_dial_start(struct rx_mosquitto *);
/* True when the attempt is over: *ret_code is libmosquitto's, *ret_errno with MOSQ_ERR_ERRNO. */
bool rx_mosquitto_dial_finish(struct rx_mosquitto *, int *ret_code, int *ret_errno);
/* Leaves the handle to the thread, which destroys it when its attempt is over. */
void rx_mosquitto_dial_abandon(struct rx_mosquitto *);

#endif
