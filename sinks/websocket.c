/* websocket: sends each event to a WebSocket server, and keeps it while there is no connection. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/sink.h"
#include "core/io/net/ws_client.h"
#include "core/io/site.h"
#include "core/value/codec.h"
#include "sinks/render.h"

enum { UNSENT_MAX = 256 * 1024, HEARD_MAX = 64 * 1024 }; /* bytes: handed over ahead of the kernel; of what it says */

struct message {
    struct message *next;
    size_t length;
    bool text;
    char bytes[];
};

struct websocket {
    struct rx_sink sink;
    struct rx_ws_client_options connection;
    struct rx_shaper *payload;
    int64_t max_queue;
    uint64_t max_queue_bytes;
    int full;
    struct rx_render_options format;

    struct rx_render render;
    struct rx_ws_client *client;
    struct message *first, *last, *unsent; /* the queue; the first that was not handed over */
    size_t count, bytes;                   /* of the queue */
    struct rx_buffer scratch;
};

static const struct rx_option options[] = {
    {.name = "connection",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct websocket, connection, struct rx_ws_client_options),
     .group = &rx_ws_client_class,
     .flags = RX_INLINE | RX_REQUIRED},
    {.name = "payload",
     .help = RX_PAYLOAD_HELP,
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct websocket, payload, struct rx_shaper *)},
    {.name = "max_queue",
     .help = "events that are held while there is no connection",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct websocket, max_queue, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e7},
    {.name = "max_queue_bytes",
     .help = "the same, in bytes",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct websocket, max_queue_bytes, uint64_t),
     .fallback = "16MiB",
     .min = 1024,
     .max = 1e12},
    {.name = "full",
     .help = RX_FULL_HELP,
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct websocket, full, int),
     .fallback = "drop",
     .choices = rx_full_choices},
    {.name = "format",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct websocket, format, struct rx_render_options),
     .group = &rx_render_class,
     .flags = RX_INLINE},
    {0},
};

/* ---- the queue ---- */

static int push(struct websocket *ws, const char *bytes, size_t length, bool text)
{
    struct message *message = malloc(sizeof *message + length);
    if (!message)
        return -ENOMEM;
    *message = (struct message){.length = length, .text = text};
    if (length)
        memcpy(message->bytes, bytes, length);
    if (ws->last)
        ws->last->next = message;
    else
        ws->first = message;
    ws->last = message;
    ws->unsent = ws->unsent ? ws->unsent : message;
    ws->count++;
    ws->bytes += length;
    ws->sink.held++;
    return 0;
}

static void pop(struct websocket *ws)
{
    struct message *message = ws->first;
    ws->first = message->next;
    ws->last = ws->first ? ws->last : NULL;
    ws->count--;
    ws->bytes -= message->length;
    ws->sink.held--;
    free(message);
}

/* What the kernel has taken is delivered: there is no other acknowledgement. */
static void count_out(struct websocket *ws)
{
    while (ws->first != ws->unsent) {
        pop(ws);
        ws->sink.out++;
    }
}

static void pump(struct websocket *ws)
{
    if (!ws->client || !rx_ws_client_up(ws->client))
        return;
    while (ws->unsent && rx_ws_client_unsent(ws->client) < UNSENT_MAX) {
        struct message *message = ws->unsent;
        ws->unsent = message->next;
        rx_ws_client_send(ws->client, message->text, message->bytes, message->length);
        if (rx_ws_client_unsent(ws->client) == 0)
            count_out(ws);
    }
}

/* ---- the connection ---- */

static void on_up(void *arg)
{
    struct websocket *ws = arg;
    ws->sink.connected = true;
    pump(ws);
}

static void on_message(void *arg, const struct rx_ws_message *message) { (void)arg, (void)message; }
static void on_read_end(void *arg) { (void)arg; }

static void on_drained(void *arg)
{
    struct websocket *ws = arg;
    count_out(ws);
    pump(ws);
}

/* What the kernel may not have taken is sent again. */
static void on_down(void *arg, bool was_up)
{
    struct websocket *ws = arg;
    (void)was_up;
    ws->sink.connected = false;
    ws->unsent = ws->first;
    ws->sink.fault = rx_ws_client_fault(ws->client);
}

static void on_fine(void *arg) { ((struct websocket *)arg)->sink.fault = NULL; }

static const struct rx_ws_client_host host = {.up = on_up,
                                              .message = on_message,
                                              .read_end = on_read_end,
                                              .drained = on_drained,
                                              .down = on_down,
                                              .fine = on_fine};

/* ---- the sink ---- */

static int check(const void *image, struct rx_error *reterr)
{
    const struct websocket *ws = image;
    int r = rx_ws_client_check(&ws->connection, reterr);
    return r < 0 ? r : rx_render_check(&ws->format, reterr);
}

static int init(struct rx_sink *sink, struct rx_error *reterr)
{
    struct websocket *ws = (struct websocket *)sink;
    sink->pauses = ws->full == RX_FULL_PAUSE;
    if (rx_render_init(&ws->render, &ws->format, sink->heap, sink->pipeline) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return sink->site ? rx_tls_check_files(&ws->connection.tls, reterr) : 0;
}

static int start(struct rx_sink *sink, struct rx_error *reterr)
{
    struct websocket *ws = (struct websocket *)sink;
    return rx_ws_client_create(sink->site->loop, &ws->connection, HEARD_MAX, &host, ws, &ws->client, reterr);
}

static int write_event(struct rx_sink *sink, const struct rx_event *event, struct rx_error *reterr)
{
    struct websocket *ws = (struct websocket *)sink;
    bool text;
    if (ws->count >= (size_t)ws->max_queue || ws->bytes >= ws->max_queue_bytes)
        return -EAGAIN;
    int r = rx_render_payload(&ws->render, &ws->scratch, ws->payload, event, &text, reterr);
    if (r == 0 && push(ws, ws->scratch.data, ws->scratch.length, text) < 0)
        r = rx_error_set(reterr, -ENOMEM, "out of memory");
    return r;
}

static void flush(struct rx_sink *sink) { pump((struct websocket *)sink); }

static bool drain(struct rx_sink *sink)
{
    struct websocket *ws = (struct websocket *)sink;
    pump(ws);
    return ws->count == 0;
}

static void stop(struct rx_sink *sink)
{
    struct websocket *ws = (struct websocket *)sink;
    if (ws->client && !sink->handed_over)
        pump(ws);
    struct rx_ws_client *client = ws->client;
    ws->client = NULL;
    if (client && sink->handed_over)
        rx_ws_client_leave(&sink->site->websockets, client);
    else
        rx_ws_client_destroy(client);
    sink->connected = false;
    sink->fault = NULL;
}

/* How many of the queue are with the connection, which goes on over a reload. */
static uint64_t handed_on(const struct websocket *ws)
{
    uint64_t count = 0;
    for (const struct message *message = ws->first; message != ws->unsent; message = message->next)
        count++;
    return count;
}

static void save(struct rx_sink *sink, struct rx_writer *w)
{
    struct websocket *ws = (struct websocket *)sink;
    rx_write_uint(w, ws->client ? rx_ws_client_number(&sink->site->websockets, ws->client) : 0);
    rx_write_uint(w, handed_on(ws));
    rx_write_uint(w, ws->count);
    for (const struct message *message = ws->first; message; message = message->next) {
        rx_write_bool(w, message->text);
        rx_write_text(w, message->bytes, message->length);
    }
}

/* Another process, or one whose connection is gone, sends again what may not have left. */
static void adopt(struct websocket *ws, uint64_t number, uint64_t handed)
{
    struct rx_ws_client *client = rx_ws_client_take(&ws->sink.site->websockets, number, &ws->connection, &host, ws);
    if (!client)
        return;
    rx_ws_client_destroy(ws->client);
    ws->client = client;
    ws->sink.connected = rx_ws_client_up(client);
    ws->sink.fault = rx_ws_client_fault(client);
    for (uint64_t i = 0; i < handed && ws->unsent; i++)
        ws->unsent = ws->unsent->next;
}

static int load(struct rx_sink *sink, struct rx_reader *r)
{
    struct websocket *ws = (struct websocket *)sink;
    uint64_t number = rx_read_uint(r), handed = rx_read_uint(r), count = rx_read_uint(r);
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++) {
        size_t length = 0;
        bool text = rx_read_bool(r);
        const char *bytes = rx_read_text(r, &length);
        if (!rx_reader_failed(r) && push(ws, bytes, length, text) < 0)
            return -ENOMEM;
    }
    if (rx_reader_failed(r))
        return -EBADMSG;
    adopt(ws, number, handed);
    return 0;
}

static void dispose(struct rx_sink *sink)
{
    struct websocket *ws = (struct websocket *)sink;
    stop(sink);
    while (ws->first)
        pop(ws);
    ws->unsent = NULL;
    rx_render_finish(&ws->render);
    rx_buffer_finish(&ws->scratch);
}

const struct rx_sink_class rx_sink_websocket = {
    .base = {.name = "websocket",
             .summary = "Sends each event to a WebSocket server",
             .options = options,
             .state_size = sizeof(struct websocket),
             .example = "websocket: { url: ws://127.0.0.1:9000/events }",
             .check = check},
    .init = init,
    .start = start,
    .write = write_event,
    .flush = flush,
    .drain = drain,
    .stop = stop,
    .save = save,
    .load = load,
    .dispose = dispose,
};
