/* What a channel's subscribers at one cursor get next, as pieces for one writev. */
#include "core/io/serve/fanout_private.h"
#include "core/io/serve/stream_meta.h"

enum { META_KEPT = 1 << 20 }; /* bytes of memory for the next batch */

static void add_piece(struct batch *b, uint64_t sequence, const void *data, size_t length)
{
    b->iov[b->pieces] = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    b->sequence[b->pieces] = sequence;
    b->frames_before[b->pieces++] = b->frames;
    b->bytes += length;
}

/* Frames that lie side by side in one segment are one piece. */
static void add_text(struct batch *b, const struct rx_frame_view *f)
{
    struct iovec *before = b->pieces ? &b->iov[b->pieces - 1] : NULL;
    if (before && f->sequence == b->to && (const char *)before->iov_base + before->iov_len == f->sse) {
        before->iov_len += f->sse_length;
        b->bytes += f->sse_length;
    } else {
        add_piece(b, f->sequence, f->sse, f->sse_length);
    }
}

static void add_frame(struct batch *b, const struct rx_frame_view *f)
{
    unsigned kind = b->channel->kind;
    if (kind == RX_SSE) {
        add_text(b, f);
    } else if (f->terminal) {
        return;
    } else if (kind == RX_NDJSON) {
        add_piece(b, f->sequence, f->json, f->json_length + 1); /* with the newline that follows in the log */
    } else {
        uint8_t *header = b->headers[b->pieces / 2];
        add_piece(b, f->sequence, header, rx_ws_header(header, RX_WS_TEXT, f->json_length));
        add_piece(b, f->sequence, f->json, f->json_length);
    }
    b->frames++;
}

bool batch_encode_meta(const struct channel *channel, struct rx_buffer *out, const struct rx_frame_view *f)
{
    uint64_t generation = rx_log_generation(channel->fanout->log);
    if (channel->kind == RX_SSE)
        rx_meta_sse(out, generation, f);
    else
        rx_meta_json(out, generation, f);
    if (channel->kind == RX_NDJSON)
        rx_buffer_append(out, "\n", 1);
    return !out->failed;
}

/* Its memory may move until the last frame is in. */
static void add_meta(struct batch *b, const struct rx_frame_view *f)
{
    size_t start = b->meta.length;
    if (f->terminal && b->channel->kind != RX_SSE)
        return;
    if (!batch_encode_meta(b->channel, &b->meta, f))
        return;
    size_t length = b->meta.length - start;
    if (b->channel->kind == RX_WEBSOCKET) {
        uint8_t header[10];
        size_t size = rx_ws_header(header, RX_WS_TEXT, length);
        rx_buffer_append(&b->meta, header, size);
        add_piece(b, f->sequence, (void *)(start + length), size);
    }
    add_piece(b, f->sequence, (void *)start, length);
    b->frames++;
}

/* Without memory there is nothing to send now. */
static void settle_meta(struct batch *b)
{
    if (b->meta.failed) {
        b->to = b->from;
        b->pieces = b->frames = 0;
        b->bytes = 0;
        b->ends = false;
    }
    for (unsigned i = 0; i < b->pieces; i++)
        b->iov[i].iov_base = b->meta.data + (size_t)b->iov[i].iov_base;
}

static bool has_room(const struct batch *b) { return b->pieces + 2 <= BATCH_PIECES && b->bytes < BATCH_BYTES; }

/* Half a millisecond of filtering is enough before others have their turn. */
static void gather_frames(struct rx_log *log, struct batch *b)
{
    struct rx_selection *selection = b->channel->selection;
    uint64_t enough = rx_selection_steps(selection) + BATCH_STEPS;
    struct rx_frame_view f;
    for (unsigned scanned = 0; has_room(b) && scanned < BATCH_SCAN && !b->ends; scanned++) {
        if (rx_selection_steps(selection) >= enough || !rx_log_frame(log, b->to, &f))
            return;
        bool wanted = rx_selection_test(selection, &f);
        if (rx_selection_exhausted(selection))
            return;
        if (wanted && b->channel->meta)
            add_meta(b, &f);
        else if (wanted)
            add_frame(b, &f);
        b->ends = f.terminal;
        b->to++;
    }
}

static void gather_spans(struct rx_log *log, struct batch *b)
{
    while (has_room(b) && !b->ends) {
        const char *text;
        size_t length;
        uint64_t next = rx_log_span(log, b->to, &text, &length);
        if (next == b->to)
            return;
        add_piece(b, b->to, text, length);
        struct rx_frame_view last;
        b->ends = rx_log_frame(log, next - 1, &last) && last.terminal;
        b->frames += (uint32_t)(next - b->to);
        b->to = next;
    }
}

const struct batch *batch_make(struct rx_fanout *f, const struct channel *channel, uint64_t from)
{
    struct batch *b = &f->all->batch;
    if (b->channel == channel && b->from == from)
        return b;
    b->channel = channel;
    b->from = b->to = from;
    b->bytes = 0;
    b->pieces = b->frames = 0;
    b->ends = false;
    if (b->meta.capacity > META_KEPT)
        rx_buffer_finish(&b->meta);
    rx_buffer_clear(&b->meta);
    if (channel->kind == RX_SSE && !channel->selection && !channel->meta)
        gather_spans(f->log, b);
    else
        gather_frames(f->log, b);
    if (channel->meta)
        settle_meta(b);
    return b;
}

/* Where a batch stands after `sent` bytes of it. */
struct batch_place batch_locate(const struct rx_fanout *f, const struct batch *b, size_t sent)
{
    unsigned i = 0;
    for (; i < b->pieces && sent >= b->iov[i].iov_len; i++)
        sent -= b->iov[i].iov_len;
    if (i == b->pieces)
        return (struct batch_place){.cursor = b->to, .frames = b->frames};
    struct batch_place place = {.cursor = b->sequence[i], .offset = sent, .frames = b->frames_before[i]};
    if (b->channel->kind == RX_SSE && !b->channel->meta) {
        size_t start = 0;
        place.cursor = rx_log_frame_at(f->log, b->sequence[i], sent, &start);
        place.offset = sent - start;
        place.frames += (uint32_t)(place.cursor - b->sequence[i]);
    } else if (b->channel->kind == RX_WEBSOCKET && i % 2) {
        place.offset += b->iov[i - 1].iov_len;
        place.frames = b->frames_before[i - 1];
    }
    return place;
}
