/* What a WebSocket client says on a connection that only listens: control frames, and data that nobody wants.
 *
 * RFC 6455, section 5, the server's side. Data is not kept, but must be well formed: fragments in order, text in UTF-8,
 * a message (its frames' headers included) within 64 KiB. Keeps memory only in the middle of a frame or message. */
#ifndef RX_IO_WEBSOCKET_INPUT_H
#define RX_IO_WEBSOCKET_INPUT_H

#include <stddef.h>
#include <stdint.h>

enum { RX_WS_TEXT = 1, RX_WS_CLOSE = 8, RX_WS_PING = 9, RX_WS_PONG = 10, RX_WS_CONTROL_MAX = 125 };
enum { RX_WS_MESSAGE_MAX = 64 * 1024 };

typedef void (*rx_ws_control_fn)(void *arg, unsigned opcode, const uint8_t *payload, size_t length);

/* Takes in bytes; `*state` starts as NULL. `control` is called for each whole control frame, and must not free the
 * state. After a close frame, or a mistake, the rest is ignored. -ENOMEM, or what the client did wrong: -EPROTO,
 * -EILSEQ (text that is not UTF-8), -EMSGSIZE. */
struct rx_ws_input;
int rx_ws_input_feed(struct rx_ws_input **state, const void *data, size_t length, rx_ws_control_fn control, void *arg);
void rx_ws_input_destroy(struct rx_ws_input *);

/* The header of an unmasked, final frame; answers its length (2, 4 or 10). */
size_t rx_ws_header(uint8_t ret[static 10], unsigned opcode, size_t payload_length);

#endif
