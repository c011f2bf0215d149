/* The byte stream to a broker: TCP, TLS, and WebSocket over either. One thread, the loop's. */
#ifndef RX_IO_MQTT_TRANSPORT_H
#define RX_IO_MQTT_TRANSPORT_H

#include <openssl/ssl.h>

#include "core/io/mqtt/mqtt_private.h"

/* Entered with the scheduler at the present. Any of them may destroy the transport. */
struct rx_transport_host {
    void (*up)(void *arg); /* bytes can go out */
    /* What has come. Answers how much was used up; the rest comes again with more behind it. */
    size_t (*bytes)(void *arg, const unsigned char *bytes, size_t length);
    void (*read_end)(void *arg, size_t length); /* what one read brought is through */
    void (*drained)(void *arg);                 /* all that was written is with the kernel */
    void (*down)(void *arg, const char *why);   /* the end */
};

struct rx_transport;
/* Begins to connect. `tls` NULL: none. -ENOMEM, -EAGAIN. */
int rx_transport_create(struct rx_loop *, const struct rx_broker_address *, SSL_CTX *tls, bool insecure,
                        const struct rx_transport_host *, void *arg, struct rx_transport **ret);
/* Closes. What is written is offered to the kernel once more where `linger` is true. NULL is fine. */
void rx_transport_destroy(struct rx_transport *, bool linger);
void rx_transport_write(struct rx_transport *, const void *bytes, size_t length);
size_t rx_transport_unsent(const struct rx_transport *);
/* Reads nothing for so long: what comes meanwhile is read at once then. */
void rx_transport_rest(struct rx_transport *, rx_time);

#endif
