// layer: io
/* WebSocket bytes from a client, whole and in pieces: the same control frames come out, and the same verdict. And the
 * same bytes as text in pieces: UTF-8 or not, as it is whole. */
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/io/serve/websocket_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t hash;
    size_t frames;
};

static void on_control(void *arg, unsigned opcode, const uint8_t *payload, size_t length)
{
    struct seen *seen = arg;
    if (length > RX_WS_CONTROL_MAX)
        abort();
    seen->hash = seen->hash * 31 + opcode;
    for (size_t i = 0; i < length; i++)
        seen->hash = seen->hash * 31 + payload[i];
    seen->frames++;
}

static int feed(const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
    struct rx_ws_input *input = NULL;
    int r = 0;
    for (size_t at = 0; r == 0 && at < size; at += piece)
        r = rx_ws_input_feed(&input, data + at, size - at < piece ? size - at : piece, on_control, seen);
    rx_ws_input_destroy(input);
    return r;
}

static bool is_text(const uint8_t *data, size_t size, size_t piece)
{
    struct rx_utf8_check check = {0};
    bool ok = true;
    for (size_t at = 0; ok && at < size; at += piece)
        ok = rx_utf8_feed(&check, (const char *)data + at, size - at < piece ? size - at : piece);
    return ok && !check.need;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0}, pieces = {0};
    int a = feed(data, size, size ? size : 1, &whole), b = feed(data, size, 1 + size % 7, &pieces);
    if (a != b || whole.frames != pieces.frames || whole.hash != pieces.hash)
        abort();
    if (is_text(data, size, 1 + size % 3) != rx_utf8_valid((const char *)data, size))
        abort();
    return 0;
}
