// layer: io
/* Bytes from the other end of a WebSocket, to a client and to a server, whole and in pieces: the same messages come out, in
 * order, within the bound, text being UTF-8. As a stream no more comes out than went in. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/io/net/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 1000 };

struct seen {
    uint64_t hash;
    size_t messages;
    bool refused;
};

static void take(struct rx_ws *ws, struct seen *seen)
{
    struct rx_ws_message m;
    while (rx_ws_next(ws, &m)) {
        if (m.length > MESSAGE_MAX || (m.text && !rx_utf8_valid(m.data, m.length)))
            abort();
        seen->hash = seen->hash * 31 + m.text + m.length;
        for (size_t i = 0; i < m.length; i++)
            seen->hash = seen->hash * 31 + (unsigned char)m.data[i];
        seen->messages++;
    }
}

static void feed(struct rx_ws *ws, const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
    const char *why = NULL;
    for (size_t at = 0; !seen->refused && at < size; at += piece) {
        seen->refused = rx_ws_feed(ws, data + at, size - at < piece ? size - at : piece, &why) < 0;
        if (seen->refused && (!why || !*why))
            abort();
        take(ws, seen);
        if (rx_ws_plain(ws)->length > size)
            abort();
    }
    rx_ws_destroy(ws);
}

static void try_server(const uint8_t *data, size_t size)
{
    struct seen whole = {0}, pieces = {0};
    feed(rx_ws_create_server(MESSAGE_MAX), data, size, size ? size : 1, &whole);
    feed(rx_ws_create_server(MESSAGE_MAX), data, size, 1 + size % 7, &pieces);
    if (whole.messages != pieces.messages || whole.hash != pieces.hash)
        abort();
}

/* Without our key no answer is right: the first byte says whether the bytes stand in its place or behind it. */
static void try_client(const uint8_t *data, size_t size, size_t max_message)
{
    struct seen seen = {0};
    struct rx_ws_options options = {.host = "h", .path = "/", .max_message = max_message};
    struct rx_ws *ws = rx_ws_create(&options);
    if (size > 0 && data[0] % 2) {
        const char *key = strstr(rx_ws_wire(ws)->data, "Sec-WebSocket-Key: ") + 19;
        char accept[29], answer[256];
        rx_ws_accept(key, accept);
        int length = snprintf(
            answer, sizeof answer,
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
        const char *why = "";
        if (rx_ws_feed(ws, (const unsigned char *)answer, (size_t)length, &why) < 0 || !rx_ws_open(ws))
            abort();
    }
    feed(ws, data, size, 1 + size % 5, &seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_server(data, size);
    try_client(data, size, MESSAGE_MAX);
    try_client(data, size, 0);
    return 0;
}
