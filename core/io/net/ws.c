/* One end of a WebSocket. wslay makes and reads the frames. */
#include "core/io/net/ws.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <wslay/wslay.h>

#include "core/base/sha1.h"
#include "core/base/utf8.h"

enum { HEADER_MAX = 16 * 1024, KEY_BYTES = 16, CONTROL_MAX = 125 };
enum { KEEP_MAX = 1024 * 1024 }; /* of memory that nothing is in */
enum { FRAGMENTS_MAX = 65536 };  /* of one message: one that never ends need not hold a byte */

struct piece { /* a whole message in `plain` */
    size_t end;
    bool text;
};

struct rx_ws {
    wslay_event_context_ptr context;
    bool open;
    char key[32], accept[32]; /* base64 */
    char *subprotocol;        /* malloc'ed; NULL: none */
    struct rx_buffer head;    /* of the answer, until it is whole */
    struct rx_buffer plain, wire;
    const unsigned char *at, *end; /* what is fed */
    const char *why;
    unsigned mistake;
    char why_text[224];

    size_t max_message; /* 0: a stream */
    struct rx_buffer pieces;
    size_t piece, taken;     /* the next to be given, and where it starts in `plain` */
    size_t begun, fragments; /* of the message under way: where it starts, and its frames so far */
    bool text;               /* it is */
    struct {
        unsigned opcode;
        bool fin;
        unsigned char control[CONTROL_MAX];
        size_t length;
    } frame;
};

static ssize_t take(wslay_event_context_ptr context, uint8_t *into, size_t length, int flags, void *arg)
{
    struct rx_ws *ws = arg;
    size_t left = (size_t)(ws->end - ws->at), n = length < left ? length : left;
    (void)flags;
    if (n == 0 || ws->why) { /* behind a mistake nothing is read */
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

static bool is_control(unsigned opcode) { return opcode >= WSLAY_CONNECTION_CLOSE; }

/* The first mistake counts; the other side is told. */
static void refuse(struct rx_ws *ws, unsigned code, const char *why)
{
    if (ws->why)
        return;
    ws->why = why;
    ws->mistake = code;
    wslay_event_queue_close(ws->context, (uint16_t)code, NULL, 0);
}

static void begin_message(struct rx_ws *ws, unsigned opcode)
{
    ws->begun = ws->plain.length;
    ws->fragments = 0;
    ws->text = opcode == WSLAY_TEXT_FRAME;
}

static void on_begin(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *frame,
                     void *arg)
{
    struct rx_ws *ws = arg;
    (void)context;
    ws->frame.opcode = frame->opcode;
    ws->frame.fin = frame->fin;
    ws->frame.length = 0;
    if (is_control(frame->opcode))
        return;
    if (frame->opcode != WSLAY_CONTINUATION_FRAME)
        begin_message(ws, frame->opcode);
    if (ws->max_message == 0) { /* frames are but pieces of one stream */
        if (frame->opcode == WSLAY_TEXT_FRAME)
            refuse(ws, WSLAY_CODE_UNSUPPORTED_DATA, "a WebSocket frame of text");
        return;
    }
    if (frame->payload_length > ws->max_message - (ws->plain.length - ws->begun)) {
        snprintf(ws->why_text, sizeof ws->why_text, "a WebSocket message of more than %zu bytes (max_message)",
                 ws->max_message);
        refuse(ws, WSLAY_CODE_MESSAGE_TOO_BIG, ws->why_text);
    } else if (++ws->fragments > FRAGMENTS_MAX) {
        refuse(ws, WSLAY_CODE_MESSAGE_TOO_BIG, "a WebSocket message in too many fragments");
    }
}

static void on_chunk(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_chunk_arg *chunk,
                     void *arg)
{
    struct rx_ws *ws = arg;
    (void)context;
    if (!is_control(ws->frame.opcode)) {
        rx_buffer_append(&ws->plain, chunk->data, chunk->data_length);
    } else if (chunk->data_length <= CONTROL_MAX - ws->frame.length) {
        memcpy(ws->frame.control + ws->frame.length, chunk->data, chunk->data_length);
        ws->frame.length += chunk->data_length;
    }
}

static void on_close(struct rx_ws *ws)
{
    const unsigned char *payload = ws->frame.control;
    char reason[CONTROL_MAX + 1] = "";
    if (ws->why)
        return;
    if (ws->frame.length > 2)
        reason[rx_utf8_mend((const char *)payload + 2, ws->frame.length - 2, reason, sizeof reason - 1)] = '\0';
    if (ws->frame.length >= 2)
        snprintf(ws->why_text, sizeof ws->why_text, "the other side closed the WebSocket: %u%s%s",
                 (unsigned)payload[0] << 8 | payload[1], *reason ? " " : "", reason);
    else
        snprintf(ws->why_text, sizeof ws->why_text, "the other side closed the WebSocket");
    ws->why = ws->why_text; /* wslay answers it */
}

static void on_end(wslay_event_context_ptr context, void *arg)
{
    struct rx_ws *ws = arg;
    (void)context;
    if (ws->frame.opcode == WSLAY_CONNECTION_CLOSE)
        on_close(ws);
    else if (!is_control(ws->frame.opcode) && ws->frame.fin && ws->max_message > 0)
        rx_buffer_append(&ws->pieces, &(struct piece){ws->plain.length, ws->text}, sizeof(struct piece));
}

void rx_ws_accept(const char *key, char ret_accept[static 29])
{
    unsigned char digest[RX_SHA1_LENGTH];
    char text[64];
    int length = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    rx_sha1(text, (size_t)length, digest);
    EVP_EncodeBlock((unsigned char *)ret_accept, digest, sizeof digest);
}

static void make_keys(struct rx_ws *ws)
{
    unsigned char random[KEY_BYTES];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        memset(random, 0, sizeof random);
    EVP_EncodeBlock((unsigned char *)ws->key, random, sizeof random);
    rx_ws_accept(ws->key, ws->accept);
}

static const struct wslay_event_callbacks callbacks = {.recv_callback = take,
                                                       .send_callback = give,
                                                       .genmask_callback = mask,
                                                       .on_frame_recv_start_callback = on_begin,
                                                       .on_frame_recv_chunk_callback = on_chunk,
                                                       .on_frame_recv_end_callback = on_end};

static struct rx_ws *create(size_t max_message,
                            int (*init)(wslay_event_context_ptr *, const struct wslay_event_callbacks *, void *))
{
    struct rx_ws *ws = calloc(1, sizeof *ws);
    if (!ws || init(&ws->context, &callbacks, ws) != 0) {
        free(ws);
        return NULL;
    }
    wslay_event_config_set_no_buffering(ws->context, 1);
    ws->max_message = max_message;
    return ws;
}

static void write_request(struct rx_ws *ws, const struct rx_ws_options *o)
{
    bool literal6 = strchr(o->host, ':') != NULL;
    rx_buffer_printf(&ws->wire, "GET %s HTTP/1.1\r\nHost: %s%s%s", o->path, literal6 ? "[" : "", o->host,
                     literal6 ? "]" : "");
    if (o->port)
        rx_buffer_printf(&ws->wire, ":%d", o->port);
    rx_buffer_printf(&ws->wire,
                     "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                     "Sec-WebSocket-Version: 13\r\n",
                     ws->key);
    if (o->subprotocol)
        rx_buffer_printf(&ws->wire, "Sec-WebSocket-Protocol: %s\r\n", o->subprotocol);
    rx_buffer_text(&ws->wire, o->headers ? o->headers : "");
    rx_buffer_text(&ws->wire, "\r\n");
}

struct rx_ws *rx_ws_create(const struct rx_ws_options *o)
{
    struct rx_ws *ws = create(o->max_message, wslay_event_context_client_init);
    if (!ws)
        return NULL;
    make_keys(ws);
    write_request(ws, o);
    ws->subprotocol = o->subprotocol ? strdup(o->subprotocol) : NULL;
    if (!ws->wire.failed && (ws->subprotocol || !o->subprotocol))
        return ws;
    rx_ws_destroy(ws);
    return NULL;
}

struct rx_ws *rx_ws_create_server(size_t max_message)
{
    struct rx_ws *ws = create(max_message, wslay_event_context_server_init);
    if (ws)
        ws->open = true;
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
    rx_buffer_finish(&ws->pieces);
    free(ws->subprotocol);
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

/* Whether the other side chose one of what was offered, "a, b". */
static bool has_chosen(const struct rx_ws *ws, const char *head)
{
    size_t length;
    const char *chosen = header_value(head, "Sec-WebSocket-Protocol", &length);
    if (!ws->subprotocol)
        return !chosen;
    for (const char *at = ws->subprotocol; chosen && *at; at += strspn(at, ", ")) {
        size_t offered = strcspn(at, ", ");
        if (offered == length && memcmp(at, chosen, length) == 0)
            return true;
        at += offered;
    }
    return false;
}

/* RFC 6455, 4.1, the client's duties. */
static const char *mistake_in(struct rx_ws *ws, const char *head)
{
    if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
        bool http = strncmp(head, "HTTP/1.", 7) == 0 && strspn(head + 9, "0123456789") == 3;
        snprintf(ws->why_text, sizeof ws->why_text, "an answer that is no WebSocket%s%.3s (is the path right?)",
                 http ? ": status " : "", http ? head + 9 : "");
        return ws->why_text;
    }
    if (!has_value(head, "Upgrade", "websocket", false) || !has_value(head, "Sec-WebSocket-Accept", ws->accept, true))
        return "a wrong WebSocket handshake";
    if (!has_chosen(ws, head)) {
        snprintf(ws->why_text, sizeof ws->why_text, "a WebSocket that does not speak %.100s",
                 ws->subprotocol ? ws->subprotocol : "without a subprotocol");
        return ws->why_text;
    }
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

static bool has_next(const struct rx_ws *ws) { return (ws->piece + 1) * sizeof(struct piece) <= ws->pieces.length; }

/* Once all whole messages were given, what is left is the start of one. */
static void forget_given(struct rx_ws *ws)
{
    if (ws->max_message == 0 || ws->pieces.length == 0 || has_next(ws))
        return;
    rx_buffer_clear(&ws->pieces);
    ws->piece = 0;
    ws->plain.length -= ws->taken;
    if (ws->plain.length > 0)
        memmove(ws->plain.data, ws->plain.data + ws->taken, ws->plain.length);
    else if (ws->plain.capacity > KEEP_MAX)
        rx_buffer_finish(&ws->plain);
    ws->begun -= ws->begun < ws->taken ? ws->begun : ws->taken;
    ws->taken = 0;
}

/* What wslay found, and has told the other side. */
static void note_mistake(struct rx_ws *ws)
{
    bool text = wslay_event_get_status_code_sent(ws->context) == WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
    ws->mistake = text ? WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA : WSLAY_CODE_PROTOCOL_ERROR;
    ws->why = text ? "a WebSocket text that is not UTF-8" : "a malformed WebSocket frame";
}

static void read_frames(struct rx_ws *ws)
{
    int received = wslay_event_recv(ws->context);
    int sent = wslay_event_send(ws->context); /* also why it ends, if it does */
    bool stopped = received != 0 || ws->at != ws->end || wslay_event_get_close_sent(ws->context);
    if (ws->plain.failed || ws->pieces.failed || ws->wire.failed)
        ws->why = "out of memory";
    else if (stopped && !ws->why)
        note_mistake(ws);
    else if (sent != 0 && !ws->why)
        ws->why = "a WebSocket frame that cannot be answered";
}

int rx_ws_feed(struct rx_ws *ws, const unsigned char *bytes, size_t length, const char **ret_why)
{
    forget_given(ws);
    size_t used = ws->open ? 0 : feed_head(ws, bytes, length);
    ws->at = bytes + used;
    ws->end = bytes + length;
    if (ws->open && !ws->why)
        read_frames(ws);
    if (!ws->why)
        return 0;
    *ret_why = ws->why;
    return -EBADMSG;
}

unsigned rx_ws_mistake(const struct rx_ws *ws) { return ws->mistake; }

bool rx_ws_next(struct rx_ws *ws, struct rx_ws_message *ret)
{
    if (!has_next(ws))
        return false;
    const struct piece *piece = (const struct piece *)(const void *)ws->pieces.data + ws->piece++;
    size_t length = piece->end - ws->taken;
    *ret = (struct rx_ws_message){piece->text, length ? ws->plain.data + ws->taken : "", length};
    ws->taken = piece->end;
    return true;
}

static int queue(struct rx_ws *ws, unsigned opcode, const void *bytes, size_t length)
{
    struct wslay_event_msg message = {.opcode = (uint8_t)opcode, .msg = bytes, .msg_length = length};
    if (wslay_event_queue_msg(ws->context, &message) != 0 || wslay_event_send(ws->context) != 0)
        return -ENOMEM;
    return 0;
}

int rx_ws_send(struct rx_ws *ws, bool text, const void *bytes, size_t length)
{
    return queue(ws, text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, bytes, length);
}

int rx_ws_ping(struct rx_ws *ws) { return queue(ws, WSLAY_PING, NULL, 0); }

int rx_ws_close(struct rx_ws *ws, unsigned code, const char *reason)
{
    size_t length = strlen(reason), most = CONTROL_MAX - 2;
    int r =
        wslay_event_queue_close(ws->context, (uint16_t)code, (const uint8_t *)reason, length < most ? length : most);
    return r == 0 && wslay_event_send(ws->context) == 0 ? 0 : -ENOMEM;
}
