/* MQTT over WebSocket (MQTT 5.0, 6; RFC 6455): the client's handshake and its frames, between two streams of bytes. */
#ifndef RX_IO_MQTT_WEBSOCKET_H
#define RX_IO_MQTT_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"

struct rx_ws;
/* NULL: no memory. */
struct rx_ws *rx_ws_create(const char *host, int port, const char *path);
void rx_ws_destroy(struct rx_ws *);
/* What came from the network. 0, or -EBADMSG with *ret_why. Afterwards `plain` holds what it carried, and `wire` what is to
 * be sent: the request at first, later frames and answers to pings. Their owner is the ws; take from them and clear. */
int rx_ws_feed(struct rx_ws *, const unsigned char *bytes, size_t length, const char **ret_why);
bool rx_ws_open(const struct rx_ws *); /* the handshake is done */
int rx_ws_send(struct rx_ws *, const void *bytes, size_t length);
struct rx_buffer *rx_ws_plain(struct rx_ws *);
struct rx_buffer *rx_ws_wire(struct rx_ws *);

#endif
