/* One end of a WebSocket (RFC 6455): the client's handshake, and frames, between the bytes of a connection and what they
 * carry: messages, or (MQTT 5.0, 6) one stream of bytes. No I/O, no clock. */
#ifndef RX_IO_NET_WS_H
#define RX_IO_NET_WS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"

struct rx_ws_options {
    /* The client's handshake. Borrowed during create. */
    const char *host, *path;
    int port;                /* named in Host: where it is not 0 */
    const char *subprotocol; /* what the other side must choose of this list; NULL: none is asked for */
    const char *headers;     /* further lines, each with its \r\n; NULL: none */
    /* Messages are bounded by this; 0: no messages, what binary frames carry is one stream. */
    size_t max_message;
};

struct rx_ws_message {
    bool text; /* and then UTF-8 */
    const char *data;
    size_t length;
};

struct rx_ws;
struct rx_ws *rx_ws_create(const struct rx_ws_options *); /* a client. NULL: no memory */
struct rx_ws *rx_ws_create_server(size_t max_message);    /* behind the handshake. NULL: no memory */
void rx_ws_destroy(struct rx_ws *);
/* What came from the network. 0, or -EBADMSG with *ret_why (the ws's own). Afterwards `wire` holds what is to be sent: the
 * request at first, later frames, answers to pings, and why it ends; `plain` or rx_ws_next what was carried. */
int rx_ws_feed(struct rx_ws *, const unsigned char *bytes, size_t length, const char **ret_why);
bool rx_ws_open(const struct rx_ws *); /* the handshake is done */
/* The next whole message; false: none. Valid until the next feed. */
bool rx_ws_next(struct rx_ws *, struct rx_ws_message *ret);
/* The close code for what the other side did wrong in its frames (RFC 6455, 7.4.1): 1002, 1003, 1007 or 1009. 0: nothing. */
unsigned rx_ws_mistake(const struct rx_ws *);
/* Frames for the wire. -ENOMEM. */
int rx_ws_send(struct rx_ws *, bool text, const void *bytes, size_t length);
int rx_ws_ping(struct rx_ws *);
int rx_ws_close(struct rx_ws *, unsigned code, const char *reason);
/* Their owner is the ws; take from them and clear. */
struct rx_buffer *rx_ws_plain(struct rx_ws *);
struct rx_buffer *rx_ws_wire(struct rx_ws *);

/* The answer to a client's Sec-WebSocket-Key of 24 characters (RFC 6455, 4.2.2). */
void rx_ws_accept(const char *key, char ret_accept[static 29]);

#endif
