/* Client frames by libwslay's frame parser, which is made when a frame or message begins and freed when it ends. */
#include "core/io/serve/websocket_input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "core/base/utf8.h"

enum { CONTINUATION, BINARY = 2 };

struct rx_ws_input {
    struct wslay_frame_context *frames;
    const uint8_t *at;
    size_t left;

    uint64_t taken;    /* bytes given to the parser since the last frame boundary */
    uint64_t received; /* payload bytes of the current frame */
    uint64_t message;  /* bytes of the message under way: payloads and headers */
    struct rx_utf8_check text;
    uint8_t opcode; /* of the message under way; 0: none */
    uint8_t payload[RX_WS_CONTROL_MAX];
    bool closed;
};

static ssize_t receive(uint8_t *buffer, size_t length, int flags, void *user)
{
    struct rx_ws_input *in = user;
    (void)flags;
    size_t n = length < in->left ? length : in->left;
    if (!n)
        return -1;
    memcpy(buffer, in->at, n);
    in->at += n;
    in->left -= n;
    in->taken += n;
    return (ssize_t)n;
}

static struct rx_ws_input *create(void)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = receive};
    struct rx_ws_input *in = calloc(1, sizeof *in);
    if (in && wslay_frame_context_init(&in->frames, &callbacks, in) == 0)
        return in;
    free(in);
    return NULL;
}

void rx_ws_input_destroy(struct rx_ws_input *in)
{
    if (!in)
        return;
    wslay_frame_context_free(in->frames);
    free(in);
}

static uint64_t header_length(uint64_t payload) { return payload < 126 ? 6 : payload < 65536 ? 8 : 14; }

static bool is_known(unsigned opcode) { return opcode <= BINARY || (opcode >= RX_WS_CLOSE && opcode <= RX_WS_PONG); }

/* A data frame continues the message under way, or begins one: never the other. */
static int begin_data(struct rx_ws_input *in, const struct wslay_frame_iocb *part)
{
    if ((part->opcode == CONTINUATION) != (in->opcode != 0))
        return -EPROTO;
    if (part->opcode != CONTINUATION) {
        in->opcode = part->opcode;
        in->message = 0;
        in->text = (struct rx_utf8_check){0};
    }
    if (part->payload_length > RX_WS_MESSAGE_MAX)
        return -EMSGSIZE;
    in->message += header_length(part->payload_length) + part->payload_length;
    return in->message > RX_WS_MESSAGE_MAX ? -EMSGSIZE : 0;
}

static int on_data(struct rx_ws_input *in, const struct wslay_frame_iocb *part)
{
    int r = in->received == 0 ? begin_data(in, part) : 0;
    if (r < 0)
        return r;
    if (in->opcode == RX_WS_TEXT && !rx_utf8_feed(&in->text, (const char *)part->data, part->data_length))
        return -EILSEQ;
    in->received += part->data_length;
    if (in->received < part->payload_length || !part->fin)
        return 0;
    in->opcode = 0;
    return in->text.need ? -EILSEQ : 0;
}

static int on_control(struct rx_ws_input *in, const struct wslay_frame_iocb *part, rx_ws_control_fn control, void *arg)
{
    if (part->data_length)
        memcpy(in->payload + in->received, part->data, part->data_length);
    in->received += part->data_length;
    if (in->received < part->payload_length)
        return 0;
    if (part->opcode == RX_WS_CLOSE && in->received > 2 &&
        !rx_utf8_valid((const char *)in->payload + 2, (size_t)in->received - 2))
        return -EILSEQ;
    in->closed = part->opcode == RX_WS_CLOSE;
    control(arg, part->opcode, in->payload, (size_t)in->received);
    return 0;
}

static int on_part(struct rx_ws_input *in, const struct wslay_frame_iocb *part, rx_ws_control_fn control, void *arg)
{
    if (!part->mask || part->rsv || !is_known(part->opcode))
        return -EPROTO;
    int r = part->opcode >= RX_WS_CLOSE ? on_control(in, part, control, arg) : on_data(in, part);
    if (r == 0 && in->received == part->payload_length) {
        in->taken -= header_length(part->payload_length) + part->payload_length;
        in->received = 0;
    }
    return r;
}

static int take_in(struct rx_ws_input *in, rx_ws_control_fn control, void *arg)
{
    while (!in->closed) {
        struct wslay_frame_iocb part = {0};
        ssize_t n = wslay_frame_recv(in->frames, &part);
        if (n == WSLAY_ERR_WANT_READ)
            return 0;
        int r = n < 0 ? -EPROTO : on_part(in, &part, control, arg);
        if (r < 0) {
            in->closed = true;
            return r;
        }
    }
    return 0;
}

int rx_ws_input_feed(struct rx_ws_input **state, const void *data, size_t length, rx_ws_control_fn control, void *arg)
{
    if (!length)
        return 0;
    if (!*state && !(*state = create()))
        return -ENOMEM;
    struct rx_ws_input *in = *state;
    in->at = data;
    in->left = length;
    int r = take_in(in, control, arg);
    if (r == 0 && in->taken == 0 && !in->opcode && !in->closed) {
        rx_ws_input_destroy(in);
        *state = NULL;
    }
    return r;
}

size_t rx_ws_header(uint8_t ret[static 10], unsigned opcode, size_t payload_length)
{
    ret[0] = (uint8_t)(0x80 | opcode);
    if (payload_length < 126) {
        ret[1] = (uint8_t)payload_length;
        return 2;
    }
    unsigned bytes = payload_length < 65536 ? 2 : 8;
    ret[1] = bytes == 2 ? 126 : 127;
    for (unsigned i = 0; i < bytes; i++)
        ret[2 + i] = (uint8_t)((uint64_t)payload_length >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}
