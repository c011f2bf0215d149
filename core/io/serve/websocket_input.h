/* What a WebSocket client says on a connection that only listens: control frames, and data that nobody wants.
 *
 * RFC 6455, section 5, the server's side. Keeps memory only in the middle of a frame. */
#ifndef RX_IO_WEBSOCKET_INPUT_H
#define RX_IO_WEBSOCKET_INPUT_H

#include <stddef.h>
#include <stdint.h>

enum { RX_WS_TEXT = 1, RX_WS_CLOSE = 8, RX_WS_PING = 9, RX_WS_PONG = 10, RX_WS_CONTROL_MAX = 125 };

typedef void (*rx_ws_control_fn)(void *arg, unsigned opcode, const uint8_t *payload, size_t length);

/* Takes in bytes; `*state` starts as NULL. `control` is called for each whole control frame, and must not free the
 * state. After a close frame the rest is ignored. -EPROTO: answer with 1002; -ENOMEM. */
struct rx_ws_input;
int rx_ws_input_feed(struct rx_ws_input **state, const void *data, size_t length, rx_ws_control_fn control, void *arg);
void rx_ws_input_destroy(struct rx_ws_input *);

/* The header of an unmasked, final frame; answers its length (2, 4 or 10). */
size_t rx_ws_header(uint8_t ret[static 10], unsigned opcode, size_t payload_length);

#endif
