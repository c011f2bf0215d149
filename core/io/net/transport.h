/* A connection that we make: bytes over TCP, TLS, and WebSocket over either, or a WebSocket's messages. One thread, the
 * loop's. */
#ifndef RX_IO_NET_TRANSPORT_H
#define RX_IO_NET_TRANSPORT_H

#include <openssl/ssl.h>

#include "core/io/loop/loop.h"
#include "core/io/net/address.h"
#include "core/io/net/ws.h"

/* Entered with the scheduler at the present. Any of them may destroy the transport. */
struct rx_transport_host {
    void (*up)(void *arg); /* bytes can go out */
    /* What has come. Answers how much was used up; the rest comes again with more behind it. */
    size_t (*bytes)(void *arg, const unsigned char *bytes, size_t length);
    void (*message)(void *arg, const struct rx_ws_message *); /* in place of bytes, where a WebSocket has messages */
    void (*read_end)(void *arg, size_t length);               /* what one read brought is through */
    void (*drained)(void *arg);                               /* all that was written is with the kernel */
    void (*down)(void *arg, const char *why);                 /* the end */
};

struct rx_transport;
struct rx_transport_options {
    const struct rx_net_address *address; /* copied */
    SSL_CTX *tls;                         /* NULL: none */
    bool insecure;
    const char *peer; /* who closes and ends handshakes, in messages: "broker". A literal */
    /* Of a WebSocket; its host, path and port are the address's. Copied but for the texts, which outlive the transport. */
    struct rx_ws_options ws;
};
/* Begins to connect. -ENOMEM, -EAGAIN. */
int rx_transport_create(struct rx_loop *, const struct rx_transport_options *, const struct rx_transport_host *,
                        void *arg, struct rx_transport **ret);
/* Closes. What is written is offered to the kernel once more where `linger` is true. NULL is fine. */
void rx_transport_destroy(struct rx_transport *, bool linger);
void rx_transport_write(struct rx_transport *, const void *bytes, size_t length);
/* Of a WebSocket that is up. */
void rx_transport_send(struct rx_transport *, bool text, const void *bytes, size_t length);
void rx_transport_ping(struct rx_transport *);
unsigned rx_transport_mistake(const struct rx_transport *);          /* rx_ws_mistake; 0 where it is none */
void rx_transport_say_goodbye(struct rx_transport *, unsigned code); /* RFC 6455, 7.4 */
size_t rx_transport_unsent(const struct rx_transport *);
/* Reads nothing for so long: what comes meanwhile is read at once then. */
void rx_transport_rest(struct rx_transport *, rx_time);
/* Reads nothing until it is told otherwise, not even the end. */
void rx_transport_pause(struct rx_transport *, bool);

#endif
