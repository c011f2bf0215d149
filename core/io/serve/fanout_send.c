/* Sending: the rest of a frame that was begun, then what is queued, then what lies between the cursor and the end. */
#include "core/io/serve/fanout_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 8, PENDING_MAX = 64 * 1024 }; /* batches a subscriber gets before others have their turn */

static void set_blocked(struct subscriber *s, bool blocked)
{
    if (s->blocked == blocked)
        return;
    s->blocked = blocked;
    s->progress = fanout_now(s->channel->fanout);
    rx_conn_watch(s->conn, RX_READABLE | (blocked ? RX_WRITABLE : 0u));
}

/* Bytes written, which may be none; negative: the connection is lost. Fewer than all: waits until there is room. */
static ssize_t send_pieces(struct subscriber *s, const struct iovec *iov, unsigned count, size_t total)
{
    ssize_t n = rx_conn_writev(s->conn, iov, count);
    if (n < 0 && n != -EAGAIN)
        return n;
    if (n > 0) {
        s->channel->fanout->stats.bytes += (uint64_t)n;
        s->progress = fanout_now(s->channel->fanout);
    }
    n = n < 0 ? 0 : n;
    set_blocked(s, (size_t)n < total);
    return n;
}

bool subscriber_queue(struct subscriber *s, const void *data, size_t length)
{
    size_t before = s->pending ? s->pending->length : 0;
    if (before + length > PENDING_MAX)
        return false;
    struct pending *p = realloc(s->pending, sizeof *p + before + length);
    if (!p)
        return false;
    if (!before)
        p->length = p->sent = 0;
    s->pending = p;
    memcpy(p->data + before, data, length);
    p->length += (uint32_t)length;
    return true;
}

bool subscriber_queue_text(struct subscriber *s, const char *text) { return subscriber_queue(s, text, strlen(text)); }

bool subscriber_queue_control(struct subscriber *s, unsigned opcode, const void *payload, size_t length)
{
    uint8_t frame[10 + RX_WS_CONTROL_MAX];
    size_t header = rx_ws_header(frame, opcode, length);
    if (length)
        memcpy(frame + header, payload, length);
    return subscriber_queue(s, frame, header + length);
}

bool subscriber_missed(struct subscriber *s, uint64_t frames)
{
    char number[24] = "null", text[80];
    if (frames != RX_MISSED_UNKNOWN)
        snprintf(number, sizeof number, "%llu", (unsigned long long)frames);
    switch (s->channel->kind) {
    case RX_SSE:
        snprintf(text, sizeof text, "event: gap\ndata: {\"missed\": %s}\n\n", number);
        return subscriber_queue_text(s, text);
    case RX_NDJSON:
        snprintf(text, sizeof text, "{\"gap\":%s}\n", number);
        return subscriber_queue_text(s, text);
    default:
        snprintf(text, sizeof text, "{\"gap\":%s}", number);
        return subscriber_queue_control(s, RX_WS_TEXT, text, strlen(text));
    }
}

/* The reason fits a control frame, cut at a code point. */
static size_t cut_reason(const char *reason, size_t length)
{
    size_t n = length < RX_WS_CONTROL_MAX - 2 ? length : RX_WS_CONTROL_MAX - 2;
    while (n && n < length && ((unsigned char)reason[n] & 0xC0) == 0x80)
        n--;
    return n;
}

void subscriber_end(struct subscriber *s, unsigned code, const char *reason, size_t reason_length)
{
    if (s->phase != SERVING)
        return;
    s->phase = ENDING;
    if (s->channel->kind != RX_WEBSOCKET)
        return;
    char payload[RX_WS_CONTROL_MAX] = {(char)(code >> 8), (char)code};
    size_t n = cut_reason(reason, reason_length);
    if (n)
        memcpy(payload + 2, reason, n);
    subscriber_queue_control(s, RX_WS_CLOSE, payload, n + 2);
}

/* Ends it with a reason of our own, which needs no escaping, in the form of its kind. False: no memory. */
static bool refuse(struct subscriber *s, const char *reason)
{
    char text[200];
    if (s->channel->kind == RX_WEBSOCKET) {
        subscriber_end(s, 1008, reason, strlen(reason));
        return true;
    }
    snprintf(text, sizeof text,
             s->channel->kind == RX_SSE ? "event: error\ndata: {\"error\":\"%s\"}\n\n" : "{\"error\":\"%s\"}\n",
             reason);
    subscriber_end(s, 1008, NULL, 0);
    return subscriber_queue_text(s, text);
}

/* 1: all out; 0: the socket is full; negative: lost. */
static int send_pending(struct subscriber *s)
{
    struct pending *p = s->pending;
    if (!p)
        return 1;
    struct iovec rest = {.iov_base = p->data + p->sent, .iov_len = p->length - p->sent};
    ssize_t n = send_pieces(s, &rest, 1, rest.iov_len);
    if (n < 0)
        return (int)n;
    p->sent += (uint32_t)n;
    if (p->sent < p->length)
        return 0;
    free(p);
    s->pending = NULL;
    return 1;
}

/* 0: no memory. */
static unsigned encode_meta(const struct subscriber *s, const struct rx_frame_view *f, uint8_t header[10],
                            struct iovec iov[2])
{
    struct rx_buffer *frame = &s->channel->fanout->all->frame;
    unsigned websocket = s->channel->kind == RX_WEBSOCKET;
    rx_buffer_clear(frame);
    if (!batch_encode_meta(s->channel, frame, f))
        return 0;
    iov[0] = (struct iovec){header, websocket ? rx_ws_header(header, RX_WS_TEXT, frame->length) : 0};
    iov[websocket] = (struct iovec){frame->data, frame->length};
    return 1 + websocket;
}

static unsigned encode(const struct subscriber *s, const struct rx_frame_view *f, uint8_t header[10],
                       struct iovec iov[2])
{
    if (s->channel->meta)
        return encode_meta(s, f, header, iov);
    if (s->channel->kind == RX_SSE) {
        iov[0] = (struct iovec){(void *)(uintptr_t)f->sse, f->sse_length};
        return 1;
    }
    if (s->channel->kind == RX_NDJSON) {
        iov[0] = (struct iovec){(void *)(uintptr_t)f->json, f->json_length + 1};
        return 1;
    }
    iov[0] = (struct iovec){header, rx_ws_header(header, RX_WS_TEXT, f->json_length)};
    iov[1] = (struct iovec){(void *)(uintptr_t)f->json, f->json_length};
    return 2;
}

/* An error frame is {"error":"TEXT"}; the text is the reason. */
static void end_with(struct subscriber *s, const struct rx_frame_view *f)
{
    static const char opening[] = "{\"error\":\"";
    const size_t skip = sizeof opening - 1;
    if (strcmp(f->event, "error") != 0)
        subscriber_end(s, 1000, NULL, 0);
    else if (f->json_length > skip + 2 && memcmp(f->json, opening, skip) == 0)
        subscriber_end(s, 1011, f->json + skip, f->json_length - skip - 2);
    else
        subscriber_end(s, 1011, f->json, f->json_length);
}

static void skip_sent(struct iovec iov[2], size_t sent)
{
    for (unsigned i = 0; i < 2; i++) {
        size_t n = sent < iov[i].iov_len ? sent : iov[i].iov_len;
        iov[i].iov_base = (char *)iov[i].iov_base + n;
        iov[i].iov_len -= n;
        sent -= n;
    }
}

/* The rest of the frame that was begun. 1: done; 0: the socket is full; negative: lost. */
static int send_rest(struct subscriber *s)
{
    struct rx_frame_view f;
    if (!s->pin)
        return 1;
    if (!rx_log_pinned_frame(s->pin, s->cursor, &f))
        return -EIO;
    uint8_t header[10];
    struct iovec iov[2] = {0};
    unsigned count = encode(s, &f, header, iov);
    if (!count)
        return -ENOMEM;
    skip_sent(iov, s->offset);
    size_t rest = iov[0].iov_len + iov[1].iov_len;
    ssize_t n = send_pieces(s, iov, count, rest);
    if (n < 0)
        return (int)n;
    s->offset += (uint32_t)n;
    if ((size_t)n < rest)
        return 0;
    if (f.terminal)
        end_with(s, &f);
    rx_log_unpin(s->pin);
    s->pin = NULL;
    s->offset = 0;
    s->cursor++;
    s->channel->fanout->stats.frames++;
    return 1;
}

/* One batch. 1: all out; 0: the socket is full; negative: lost. */
static int send_batch(struct subscriber *s)
{
    struct rx_fanout *f = s->channel->fanout;
    const struct batch *b = batch_make(f, s->channel, s->cursor);
    ssize_t n = b->pieces ? send_pieces(s, b->iov, b->pieces, b->bytes) : 0;
    if (n < 0)
        return (int)n;
    struct batch_place place = {.cursor = b->to, .frames = b->frames};
    if ((size_t)n < b->bytes)
        place = batch_locate(f, b, (size_t)n);
    s->cursor = place.cursor;
    s->offset = (uint32_t)place.offset;
    f->stats.frames += place.frames;
    if (place.offset && !(s->pin = rx_log_pin(f->log, s->cursor)))
        return -EIO;
    struct rx_frame_view last;
    if ((size_t)n == b->bytes && b->ends && rx_log_frame(f->log, b->to - 1, &last))
        end_with(s, &last);
    return (size_t)n == b->bytes;
}

/* A cursor whose frame is gone, or never came, is told and moves on. */
static int meet_gap(struct subscriber *s)
{
    struct rx_fanout *f = s->channel->fanout;
    uint64_t next = rx_log_next(f->log, s->cursor), missing = next - s->cursor;
    if (!missing)
        return 0;
    bool overtaken = s->cursor < rx_log_first(f->log);
    if (overtaken && f->slow == RX_SLOW_DISCONNECT) {
        f->stats.overtaken++;
        return refuse(s, "frames were missed: the subscriber reads too slowly") ? 0 : -ENOMEM;
    }
    if (overtaken && f->slow == RX_SLOW_LATEST) {
        next = rx_log_previous(f->log, rx_log_last(f->log) + 1);
        missing = next - s->cursor;
    }
    *(overtaken ? &f->stats.skipped : &f->stats.lost) += missing;
    if (!subscriber_missed(s, missing))
        return -ENOMEM;
    s->cursor = next;
    return 0;
}

/* What its selection costs, and where it stands: 0, or negative when it cannot even be told. */
static int meet_limits(struct subscriber *s)
{
    if (!rx_selection_exhausted(s->channel->selection))
        return meet_gap(s);
    s->channel->fanout->stats.exhausted++;
    return refuse(s, "the filter takes more time than a subscriber may; a pipeline can do that once for all") ? 0
                                                                                                              : -ENOMEM;
}

static void finish(struct subscriber *s)
{
    s->phase = LINGERING;
    rx_conn_end(s->conn);
    s->progress = fanout_now(s->channel->fanout);
}

/* 1: there is more, go on; 0: nothing more for now; negative: lost. */
static int step(struct subscriber *s)
{
    struct rx_fanout *f = s->channel->fanout;
    int r = send_rest(s);
    if (r > 0 && s->phase == SERVING && !s->pending)
        r = meet_limits(s) < 0 ? -ECONNABORTED : 1;
    if (r > 0)
        r = send_pending(s);
    if (r <= 0)
        return r;
    if (s->phase == ENDING)
        finish(s);
    if (s->phase != SERVING)
        return 0;
    if (s->cursor <= rx_log_last(f->log))
        return send_batch(s);
    if (!f->draining)
        return 0;
    subscriber_end(s, 1001, NULL, 0);
    return 1;
}

bool subscriber_pump(struct subscriber *s)
{
    if (s->phase == LINGERING)
        return true;
    int r = 1;
    for (unsigned turn = 0; turn < TURNS && r > 0; turn++)
        r = step(s);
    if (r < 0) {
        subscriber_close(s);
        return false;
    }
    if (r > 0)
        set_blocked(s, true);
    return true;
}
