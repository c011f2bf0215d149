/* stream: the served stream, GET /streams/NAME: each event a frame in the log that subscribers read. */
#include <errno.h>
#include <string.h>

#include "core/feed/sink.h"
#include "core/io/site.h"
#include "sinks/frame.h"

struct stream {
    struct rx_sink sink;
    struct rx_expr *key;
    rx_time ttl;
    int64_t history, max_keys;
    int slow; /* enum rx_slow */

    struct rx_log_writer *log; /* the site's */
    struct rx_buffer json, key_json;
};

static const char *const slow_choices[] = {"skip", "latest", "disconnect", NULL};

static const struct rx_option options[] = {
    {.name = "key",
     .help = "what the latest value is kept by; default: the group's key",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct stream, key, struct rx_expr *)},
    {.name = "ttl",
     .help = "a key that was not updated for so long leaves the snapshot; default: never",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct stream, ttl, rx_time),
     .min = 1e-3,
     .max = 1e9},
    {.name = "history",
     .help = "events kept for who comes later; default: those of the last minute, and at least the last 64",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct stream, history, int64_t),
     .min = 1,
     .max = 1e7},
    {.name = "max_keys",
     .help = "how many keys the snapshot holds; the least recently updated leaves it",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct stream, max_keys, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e7},
    {.name = "slow",
     .help =
         "a subscriber that has fallen behind what is kept goes on with the oldest that is there, or with the latest, "
         "and is told how many events it missed; or is disconnected",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct stream, slow, int),
     .fallback = "skip",
     .choices = slow_choices},
    {0},
};

static int start(struct rx_sink *sink, struct rx_error *reterr)
{
    struct stream *stream = (struct stream *)sink;
    struct rx_stream_options asked = {.limits = {.max_frames = (uint64_t)stream->history,
                                                 .max_keys = (unsigned)stream->max_keys,
                                                 .key_ttl = stream->ttl},
                                      .slow = (enum rx_slow)stream->slow,
                                      .keyed = stream->key != NULL};
    stream->log = sink->site->stream(sink->site, sink->pipeline, &asked, reterr);
    sink->connected = stream->log != NULL;
    return stream->log ? 0 : -EIO;
}

/* The key's JSON goes to key_json. 1: a key, 0: none, or an error of the expression. */
static int write_key(struct stream *stream, const struct rx_event *event, struct rx_error *reterr)
{
    struct rx_value key;
    rx_buffer_clear(&stream->key_json);
    if (!stream->key)
        return rx_frame_key(&stream->key_json, event);
    int r = rx_expr_eval(stream->key, &(struct rx_expr_env){.event = event}, &key, reterr);
    if (r < 0)
        return r;
    rx_json_write(&stream->key_json, key);
    rx_value_unref(key);
    return 1;
}

static int append(struct stream *stream, const struct rx_frame *frame, struct rx_error *reterr)
{
    if (stream->json.failed || stream->key_json.failed)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int r = rx_log_append(stream->log, frame);
    if (r == 0)
        stream->sink.out++;
    else if (r != -EAGAIN)
        rx_error_set(reterr, r, "a frame of %zu bytes: %s", frame->json_length, strerror(-r));
    return r;
}

static int write_event(struct rx_sink *sink, const struct rx_event *event, struct rx_error *reterr)
{
    struct stream *stream = (struct stream *)sink;
    int keyed = write_key(stream, event, reterr);
    if (keyed < 0)
        return keyed;
    rx_buffer_clear(&stream->json);
    rx_frame_json(&stream->json, event);
    struct rx_frame frame = {.json = stream->json.data,
                             .json_length = stream->json.length,
                             .key = keyed ? stream->key_json.data : NULL,
                             .key_length = keyed ? stream->key_json.length : 0,
                             .time = event->time};
    return append(stream, &frame, reterr);
}

static void flush(struct rx_sink *sink)
{
    struct stream *stream = (struct stream *)sink;
    if (stream->log)
        rx_log_publish(stream->log);
}

/* Subscribers see how it ended: {"complete":true} or {"error":"..."}, under an SSE event of that name. */
static void end(struct rx_sink *sink, const struct rx_error *error)
{
    struct stream *stream = (struct stream *)sink;
    if (!stream->log)
        return;
    rx_buffer_clear(&stream->json);
    rx_buffer_text(&stream->json, error ? "{\"error\":" : "{\"complete\":true");
    if (error)
        rx_json_write_string(&stream->json, error->message, strlen(error->message));
    rx_buffer_append(&stream->json, "}", 1);
    struct rx_frame frame = {.json = stream->json.data,
                             .json_length = stream->json.length,
                             .time = rx_sched_wall(sink->sched),
                             .event = error ? "error" : "complete"};
    if (!stream->json.failed)
        rx_log_append(stream->log, &frame);
    rx_log_publish(stream->log);
}

static bool drain(struct rx_sink *sink)
{
    flush(sink);
    return true;
}

static void stop(struct rx_sink *sink)
{
    struct stream *stream = (struct stream *)sink;
    flush(sink);
    if (stream->log)
        sink->site->stream_done(sink->site, sink->pipeline);
    stream->log = NULL;
    sink->connected = false;
}

static void dispose(struct rx_sink *sink)
{
    struct stream *stream = (struct stream *)sink;
    rx_buffer_finish(&stream->json);
    rx_buffer_finish(&stream->key_json);
}

const struct rx_sink_class rx_sink_stream = {
    .base = {.name = "stream",
             .summary = "Serves the events at GET /streams/NAME: JSON, NDJSON, Server-Sent Events, WebSocket",
             .options = options,
             .state_size = sizeof(struct stream),
             .flags = RX_SINK_ONCE,
             .example = "stream: { key: device, ttl: 1h, history: 1000 }"},
    .start = start,
    .write = write_event,
    .flush = flush,
    .end = end,
    .drain = drain,
    .stop = stop,
    .dispose = dispose,
};
