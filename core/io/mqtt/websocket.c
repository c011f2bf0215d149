/* MQTT over WebSocket. wslay makes and reads the frames. */
#include "core/io/mqtt/websocket.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <wslay/wslay.h>

enum { HEADER_MAX = 16 * 1024, KEY_BYTES = 16 };

struct rx_ws {
    wslay_event_context_ptr context;
    bool open;
    char key[32], accept[32]; /* base64 */
    struct rx_buffer head;    /* of the answer, until it is whole */
    struct rx_buffer plain, wire;
    const unsigned char *at, *end; /* what is fed */
    const char *why;
};

static ssize_t take(wslay_event_context_ptr context, uint8_t *into, size_t length, int flags, void *arg)
{
    struct rx_ws *ws = arg;
    size_t left = (size_t)(ws->end - ws->at), n = length < left ? length : left;
    (void)flags;
    if (n == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(into, ws->at, n);
    ws->at += n;
    return (ssize_t)n;
}

static ssize_t give(wslay_event_context_ptr context, const uint8_t *bytes, size_t length, int flags, void *arg)
{
    struct rx_ws *ws = arg;
    (void)flags;
    rx_buffer_append(&ws->wire, bytes, length);
    if (ws->wire.failed) {
        wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)length;
}

static int mask(wslay_event_context_ptr context, uint8_t *into, size_t length, void *arg)
{
    (void)context, (void)arg;
    return getrandom(into, length, 0) == (ssize_t)length ? 0 : -1;
}

/* Frames are but pieces of one stream (MQTT 5.0, 6.0). */
static void on_begin(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *frame,
                     void *arg)
{
    struct rx_ws *ws = arg;
    (void)context;
    if (frame->opcode == WSLAY_TEXT_FRAME)
        ws->why = "a WebSocket frame of text";
    else if (frame->opcode == WSLAY_CONNECTION_CLOSE)
        ws->why = "a WebSocket close";
}

static void on_chunk(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_chunk_arg *chunk,
                     void *arg)
{
    struct rx_ws *ws = arg;
    (void)context;
    rx_buffer_append(&ws->plain, chunk->data, chunk->data_length);
}

/* The answer to our key (RFC 6455, 4.2.2). */
static void make_keys(struct rx_ws *ws)
{
    unsigned char random[KEY_BYTES], digest[SHA_DIGEST_LENGTH];
    char text[64 + sizeof ws->key];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        memset(random, 0, sizeof random);
    EVP_EncodeBlock((unsigned char *)ws->key, random, sizeof random);
    int len = snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", ws->key);
    SHA1((const unsigned char *)text, (size_t)len, digest);
    EVP_EncodeBlock((unsigned char *)ws->accept, digest, sizeof digest);
}

struct rx_ws *rx_ws_create(const char *host, int port, const char *path)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = take,
                                                           .send_callback = give,
                                                           .genmask_callback = mask,
                                                           .on_frame_recv_start_callback = on_begin,
                                                           .on_frame_recv_chunk_callback = on_chunk};
    struct rx_ws *ws = calloc(1, sizeof *ws);
    if (!ws || wslay_event_context_client_init(&ws->context, &callbacks, ws) != 0) {
        free(ws);
        return NULL;
    }
    wslay_event_config_set_no_buffering(ws->context, 1);
    make_keys(ws);
    bool literal6 = strchr(host, ':') != NULL;
    rx_buffer_printf(&ws->wire,
                     "GET %s HTTP/1.1\r\nHost: %s%s%s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
                     path, literal6 ? "[" : "", host, literal6 ? "]" : "", port, ws->key);
    return ws;
}

void rx_ws_destroy(struct rx_ws *ws)
{
    if (!ws)
        return;
    wslay_event_context_free(ws->context);
    rx_buffer_finish(&ws->head);
    rx_buffer_finish(&ws->plain);
    rx_buffer_finish(&ws->wire);
    free(ws);
}

bool rx_ws_open(const struct rx_ws *ws) { return ws->open; }
struct rx_buffer *rx_ws_plain(struct rx_ws *ws) { return &ws->plain; }
struct rx_buffer *rx_ws_wire(struct rx_ws *ws) { return &ws->wire; }

/* The value of a header, trimmed; NULL: none. `head` is NUL-terminated. */
static const char *header_value(const char *head, const char *name, size_t *ret_length)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        if (strncasecmp(at, name, length) != 0 || at[length] != ':')
            continue;
        at += length + 1;
        at += strspn(at, " \t");
        *ret_length = strcspn(at, "\r");
        while (*ret_length > 0 && (at[*ret_length - 1] == ' ' || at[*ret_length - 1] == '\t'))
            --*ret_length;
        return at;
    }
    return NULL;
}

static bool has_value(const char *head, const char *name, const char *expected, bool exact)
{
    size_t length;
    const char *value = header_value(head, name, &length);
    if (!value || length != strlen(expected))
        return false;
    return exact ? memcmp(value, expected, length) == 0 : strncasecmp(value, expected, length) == 0;
}

/* RFC 6455, 4.1, the client's duties. */
static const char *mistake_in(const struct rx_ws *ws, const char *head)
{
    if (strncmp(head, "HTTP/1.1 101", 12) != 0)
        return "an answer that is no WebSocket (is the path right?)";
    if (!has_value(head, "Upgrade", "websocket", false) || !has_value(head, "Sec-WebSocket-Accept", ws->accept, true))
        return "a wrong WebSocket handshake";
    if (!has_value(head, "Sec-WebSocket-Protocol", "mqtt", true))
        return "a WebSocket that does not speak mqtt";
    return NULL;
}

/* Answers how many of the bytes belong to the head of the answer; the rest are frames. */
static size_t feed_head(struct rx_ws *ws, const unsigned char *bytes, size_t length)
{
    size_t before = ws->head.length;
    rx_buffer_append(&ws->head, bytes, length);
    const char *end = ws->head.data ? memmem(ws->head.data, ws->head.length, "\r\n\r\n", 4) : NULL;
    if (ws->head.failed || (!end && ws->head.length > HEADER_MAX)) {
        ws->why = "an answer that is no WebSocket";
        return length;
    }
    if (!end)
        return length;
    size_t size = (size_t)(end - ws->head.data) + 4;
    ws->head.data[size - 1] = '\0';
    ws->why = mistake_in(ws, ws->head.data);
    ws->open = !ws->why;
    rx_buffer_finish(&ws->head);
    return size - before;
}

int rx_ws_feed(struct rx_ws *ws, const unsigned char *bytes, size_t length, const char **ret_why)
{
    size_t used = ws->open ? 0 : feed_head(ws, bytes, length);
    ws->at = bytes + used;
    ws->end = bytes + length;
    if (ws->open && !ws->why) {
        if (wslay_event_recv(ws->context) != 0 || ws->at != ws->end)
            ws->why = ws->why ? ws->why : "a malformed WebSocket frame";
        else if (wslay_event_send(ws->context) != 0)
            ws->why = "a WebSocket frame that cannot be answered";
    }
    if (!ws->why)
        return 0;
    *ret_why = ws->why;
    return -EBADMSG;
}

int rx_ws_send(struct rx_ws *ws, const void *bytes, size_t length)
{
    struct wslay_event_msg message = {.opcode = WSLAY_BINARY_FRAME, .msg = bytes, .msg_length = length};
    if (wslay_event_queue_msg(ws->context, &message) != 0 || wslay_event_send(ws->context) != 0)
        return -ENOMEM;
    return 0;
}
