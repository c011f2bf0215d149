/* websocket: the messages of a WebSocket server, which is told what to send after each connect. */
#include <errno.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/feed/source.h"
#include "core/io/net/ws_client.h"
#include "core/io/site.h"

struct websocket {
    struct rx_source source;
    struct rx_ws_client_options connection;
    struct rx_strings send;

    struct rx_ws_client *client; /* NULL: stopped */
    uint64_t adopt;              /* the connection that the next start goes on with; 0: a new one */
};

static const struct rx_option options[] = {
    {.name = "connection",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct websocket, connection, struct rx_ws_client_options),
     .group = &rx_ws_client_class,
     .flags = RX_INLINE | RX_REQUIRED},
    {.name = "send",
     .help = "texts that are sent after each connect, to subscribe",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct websocket, send, struct rx_strings)},
    {0},
};

static void on_up(void *arg)
{
    struct websocket *ws = arg;
    rx_source_set_connected(&ws->source, true);
    for (size_t i = 0; i < ws->send.count; i++)
        rx_ws_client_send(ws->client, true, ws->send.items[i], strlen(ws->send.items[i]));
}

static void on_message(void *arg, const struct rx_ws_message *message)
{
    struct websocket *ws = arg;
    rx_source_message(&ws->source, rx_source_format(&ws->source), message->data, message->length, NULL, NULL);
}

static void on_read_end(void *arg) { rx_source_flush(&((struct websocket *)arg)->source); }

static void on_drained(void *arg) { (void)arg; }

/* A message that is refused before it is whole is one all the same. */
static void count_mistake(struct websocket *ws)
{
    struct rx_error error;
    unsigned code = rx_ws_client_mistake(ws->client);
    if (!code)
        return;
    rx_error_set(&error, code == 1009 ? -EMSGSIZE : -EBADMSG, "%s", rx_ws_client_fault(ws->client));
    rx_source_reject(&ws->source,
                     code == 1009   ? RX_REJECT_TOO_LARGE
                     : code == 1007 ? RX_REJECT_UTF8
                                    : RX_REJECT_SYNTAX,
                     "", 0, &error);
}

static void on_down(void *arg, bool was_up)
{
    struct websocket *ws = arg;
    ws->source.failures += !was_up;
    ws->source.fault = rx_ws_client_fault(ws->client);
    rx_source_flush(&ws->source);
    if (ws->client) /* who got it may have left */
        count_mistake(ws);
    rx_source_set_connected(&ws->source, false);
}

static void on_fine(void *arg) { ((struct websocket *)arg)->source.fault = NULL; }

static const struct rx_ws_client_host host = {.up = on_up,
                                              .message = on_message,
                                              .read_end = on_read_end,
                                              .drained = on_drained,
                                              .down = on_down,
                                              .fine = on_fine};

static int check(const void *image, struct rx_error *reterr)
{
    const struct websocket *ws = image;
    int r = rx_ws_client_check(&ws->connection, reterr);
    for (size_t i = 0; r == 0 && i < ws->send.count; i++)
        if (!rx_utf8_valid(ws->send.items[i], strlen(ws->send.items[i])))
            r = rx_error_set(reterr, -EINVAL, "send: a text must be UTF-8");
    return r;
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    return source->site ? rx_tls_check_files(&((struct websocket *)source)->connection.tls, reterr) : 0;
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct websocket *ws = (struct websocket *)source;
    struct rx_site *site = source->site;
    source->running = true;
    ws->client = rx_ws_client_take(&site->websockets, ws->adopt, &ws->connection, &host, ws);
    ws->adopt = 0;
    int r = ws->client ? 0
                       : rx_ws_client_create(site->loop, &ws->connection, (size_t)source->max_message, &host, ws,
                                             &ws->client, reterr);
    source->running = r == 0;
    if (r < 0)
        return r;
    source->connected = rx_ws_client_up(ws->client); /* one that was taken over is no news */
    rx_source_set_connected(source, source->connected);
    source->fault = rx_ws_client_fault(ws->client);
    return 0;
}

static void set_paused(struct rx_source *source, bool paused)
{
    struct websocket *ws = (struct websocket *)source;
    if (ws->client)
        rx_ws_client_pause(ws->client, paused);
}

static void stop(struct rx_source *source)
{
    struct websocket *ws = (struct websocket *)source;
    source->running = false;
    rx_source_set_connected(source, false);
    source->fault = NULL;
    struct rx_ws_client *client = ws->client;
    ws->client = NULL;
    if (client && source->handed_over)
        rx_ws_client_leave(&source->site->websockets, client);
    else
        rx_ws_client_destroy(client);
}

/* Over a reload the connection stays. Another process connects anew. */
static void save(struct rx_source *source, struct rx_writer *w)
{
    struct websocket *ws = (struct websocket *)source;
    rx_write_uint(w, ws->client ? rx_ws_client_number(&source->site->websockets, ws->client) : 0);
}

static int load(struct rx_source *source, struct rx_reader *r)
{
    ((struct websocket *)source)->adopt = rx_read_uint(r);
    return rx_reader_failed(r) ? -EBADMSG : 0;
}

const struct rx_source_class rx_source_websocket = {
    .base = {.name = "websocket",
             .summary = "The messages of a WebSocket server",
             .options = options,
             .state_size = sizeof(struct websocket),
             .flags = RX_SOURCE_CONNECTS,
             .example = "websocket: { url: wss://example.net/feed, send: ['{\"subscribe\": \"trades\"}'] }",
             .check = check},
    .init = init,
    .start = start,
    .pause = set_paused,
    .stop = stop,
    .save = save,
    .load = load,
    .dispose = stop,
};
