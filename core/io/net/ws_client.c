/* A WebSocket that we keep open. */
#include "core/io/net/ws_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/net/backoff.h"
#include "core/io/net/header.h"
#include "core/io/net/transport.h"

#define OPEN_DEADLINE (15 * RX_SEC) /* from the name to the end of the handshake */
#define STOOD         (10 * RX_SEC)

/* Bytes unsent behind a read: a peer that pings and takes no answers. */
enum { PONGS_MAX = 1024 * 1024, HEADERS_MAX = 8192 };

enum state { WAITING, OPENING, UP };

struct rx_ws_client {
    struct rx_loop *loop;
    struct rx_sched *sched;
    const struct rx_ws_client_options *options;
    const struct rx_ws_client_host *host;
    void *arg;
    struct rx_net_address address;
    SSL_CTX *tls;
    struct rx_buffer headers; /* lines of the request */
    size_t max_message;

    struct rx_transport *transport;
    enum state state;
    bool paused, pinged, proven; /* proven: it carried something, or stood */
    unsigned holds;              /* callbacks under way, that the client must outlive */
    bool destroyed;
    struct rx_backoff backoff;
    struct rx_timer tick; /* the next attempt; a deadline; the next ping */
    rx_time since, heard; /* of the present state; when bytes came last, or a ping went out */
    char fault[256];
    unsigned mistake;          /* that the last connection ended for */
    uint64_t number;           /* 0: none yet */
    struct rx_ws_client *next; /* in the pool */
};

#define AT(field_, type_) .offset = RX_AT(struct rx_ws_client_options, field_, type_)

static const struct rx_option options_table[] = {
    {.name = "url",
     .help = "ws://HOST[:80][/PATH], or wss:// for TLS",
     .type = RX_OPTION_STRING,
     AT(url, const char *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "headers",
     .help = "further headers of the request, {Authorization: Bearer ...}",
     .type = RX_OPTION_PAIRS,
     AT(headers, struct rx_pairs)},
    {.name = "subprotocol",
     .help = "which the server must choose; several: a, b",
     .type = RX_OPTION_STRING,
     AT(subprotocol, const char *)},
    {.name = "ping",
     .help = "a ping after so much silence, and after as much again the connection is given up; 0: never",
     .type = RX_OPTION_DURATION,
     AT(ping, rx_time),
     .fallback = "30s",
     .min = 0,
     .max = 86400},
    {.name = "tls",
     .help = "certificates, for wss://: {ca, cert, key, insecure}",
     .type = RX_OPTION_GROUP,
     AT(tls, struct rx_tls_options),
     .group = &rx_tls_class},
    {0},
};

const struct rx_class rx_ws_client_class = {.name = "websocket",
                                            .summary = "A connection to a WebSocket server",
                                            .options = options_table,
                                            .state_size = sizeof(struct rx_ws_client_options)};

/* ---- options ---- */

static int check_headers(const struct rx_pairs *headers, struct rx_error *reterr)
{
    static const char *const own[] = {"Connection",
                                      "Content-Length",
                                      "Host",
                                      "Sec-WebSocket-Accept",
                                      "Sec-WebSocket-Extensions",
                                      "Sec-WebSocket-Key",
                                      "Sec-WebSocket-Protocol",
                                      "Sec-WebSocket-Version",
                                      "Transfer-Encoding",
                                      "Upgrade",
                                      NULL};
    size_t size = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < headers->count; i++) {
        r = rx_net_check_header(headers->names[i], headers->texts[i], own, reterr);
        size += strlen(headers->names[i]) + strlen(headers->texts[i]) + 4;
    }
    return r < 0 || size <= HEADERS_MAX ? r : rx_error_set(reterr, -EINVAL, "headers: at most 8 KiB together");
}

static int check_subprotocol(const char *list, struct rx_error *reterr)
{
    char name[128];
    for (const char *at = list; at && *at; at += strspn(at, ", ")) {
        size_t length = strcspn(at, ", ");
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : 0), at);
        if (!rx_net_is_token(name))
            return rx_error_set(reterr, -EINVAL, "subprotocol: a name, or several: a, b");
        at += length;
    }
    return 0;
}

static int parse_url(const char *url, struct rx_net_address *ret, struct rx_error *reterr)
{
    int r = rx_net_parse_url(url, rx_net_websocket_schemes, ret, reterr);
    if (r == -ENOENT) {
        r = rx_error_set(reterr, -EINVAL, "url: expected ws://HOST:PORT/PATH or wss://..., not \"%.100s\"", url);
        rx_error_hint(reterr, "wss://example.net/feed");
    }
    if (r == 0 && !ret->path[0])
        memcpy(ret->path, "/", sizeof "/");
    return r;
}

int rx_ws_client_check(const struct rx_ws_client_options *o, struct rx_error *reterr)
{
    struct rx_net_address address;
    int r = parse_url(o->url, &address, reterr);
    if (r == 0)
        r = check_headers(&o->headers, reterr);
    if (r == 0)
        r = check_subprotocol(o->subprotocol, reterr);
    if (r == 0 && !address.tls && rx_tls_given(&o->tls))
        r = rx_error_set(reterr, -EINVAL, "tls needs wss:// in the url");
    return r;
}

/* ---- the connection ---- */

static rx_time now_of(const struct rx_ws_client *c) { return rx_sched_now(c->sched); }

static void release(struct rx_ws_client *c)
{
    if (--c->holds == 0 && c->destroyed)
        free(c);
}

static void arm(struct rx_ws_client *c, rx_time due) { rx_sched_arm(c->sched, &c->tick, due); }

static void set_state(struct rx_ws_client *c, enum state state)
{
    c->state = state;
    c->since = now_of(c);
}

static void lose(struct rx_ws_client *c, const char *why)
{
    bool was_up = c->state == UP;
    snprintf(c->fault, sizeof c->fault, "%s: %s", was_up ? "connection lost" : "cannot connect", why);
    if (was_up && now_of(c) - c->since >= STOOD)
        rx_backoff_reset(&c->backoff);
    struct rx_transport *transport = c->transport;
    c->mistake = transport ? rx_transport_mistake(transport) : 0;
    c->transport = NULL;
    rx_transport_destroy(transport, true);
    set_state(c, WAITING);
    arm(c, now_of(c) + rx_backoff_next(&c->backoff));
    c->host->down(c->arg, was_up);
}

/* The next thing that time alone brings about while it is up. */
static rx_time next_due(const struct rx_ws_client *c)
{
    rx_time ping = c->options->ping > 0 ? c->heard + c->options->ping : RX_TIME_NEVER;
    rx_time proof = c->proven ? RX_TIME_NEVER : c->since + STOOD;
    return ping < proof ? ping : proof;
}

static void watch_time(struct rx_ws_client *c)
{
    rx_time due = next_due(c);
    if (due == RX_TIME_NEVER)
        rx_sched_stop(c->sched, &c->tick);
    else if (due != c->tick.due || !rx_timer_armed(&c->tick))
        arm(c, due);
}

static void prove(struct rx_ws_client *c)
{
    bool faulty = c->fault[0];
    c->proven = true;
    c->fault[0] = '\0';
    if (faulty)
        c->host->fine(c->arg);
}

static void on_up(void *arg)
{
    struct rx_ws_client *c = arg;
    set_state(c, UP);
    c->heard = c->since;
    c->pinged = c->proven = false;
    watch_time(c);
    c->holds++;
    c->host->up(c->arg);
    if (c->transport && c->paused)
        rx_transport_pause(c->transport, true);
    release(c);
}

static void on_message(void *arg, const struct rx_ws_message *message)
{
    struct rx_ws_client *c = arg;
    c->holds++;
    prove(c);
    if (!c->destroyed)
        c->host->message(c->arg, message);
    release(c);
}

static void on_read_end(void *arg, size_t length)
{
    struct rx_ws_client *c = arg;
    if (c->state != UP)
        return;
    (void)length;
    c->heard = now_of(c);
    c->pinged = false;
    c->holds++;
    c->host->read_end(c->arg);
    if (!c->destroyed && c->transport && rx_transport_unsent(c->transport) > PONGS_MAX + c->max_message)
        lose(c, "the server reads nothing");
    release(c);
}

static size_t on_bytes(void *arg, const unsigned char *bytes, size_t length)
{
    (void)arg, (void)bytes;
    return length;
}

static void on_drained(void *arg)
{
    struct rx_ws_client *c = arg;
    if (c->state == UP)
        c->host->drained(c->arg);
}

static void on_down(void *arg, const char *why)
{
    struct rx_ws_client *c = arg;
    char text[224];
    snprintf(text, sizeof text, "%s", why); /* the transport's own, which goes */
    c->holds++;
    lose(c, text);
    release(c);
}

static const struct rx_transport_host transport_host = {.up = on_up,
                                                        .bytes = on_bytes,
                                                        .message = on_message,
                                                        .read_end = on_read_end,
                                                        .drained = on_drained,
                                                        .down = on_down};

static void open_connection(struct rx_ws_client *c)
{
    const struct rx_net_address *a = &c->address;
    bool usual = a->port == (a->tls ? 443 : 80);
    struct rx_transport_options options = {.address = a,
                                           .tls = c->tls,
                                           .insecure = c->options->tls.insecure,
                                           .peer = "server",
                                           .ws = {.port = usual ? 0 : a->port,
                                                  .subprotocol = c->options->subprotocol,
                                                  .headers = c->headers.data,
                                                  .max_message = c->max_message}};
    set_state(c, OPENING);
    arm(c, now_of(c) + OPEN_DEADLINE);
    int r = rx_transport_create(c->loop, &options, &transport_host, c, &c->transport);
    if (r < 0)
        lose(c, strerror(-r));
}

/* A ping asks whether anybody is there; whatever comes back is an answer. A reader that is paused hears nothing. */
static void ask_whether_alive(struct rx_ws_client *c)
{
    rx_time ping = c->options->ping;
    if (ping == 0 || now_of(c) < c->heard + ping)
        return;
    if (c->pinged && !c->paused) {
        lose(c, "the server is silent, and answers no ping");
        return;
    }
    c->pinged = true;
    c->heard = now_of(c);
    rx_transport_ping(c->transport);
}

static void on_tick(struct rx_timer *timer)
{
    struct rx_ws_client *c = (struct rx_ws_client *)(void *)((char *)timer - offsetof(struct rx_ws_client, tick));
    c->holds++;
    if (c->state == WAITING) {
        open_connection(c);
    } else if (c->state == OPENING) {
        lose(c, "no answer from the server");
    } else {
        if (now_of(c) - c->since >= STOOD)
            prove(c);
        if (!c->destroyed)
            ask_whether_alive(c);
    }
    if (!c->destroyed && c->state == UP)
        watch_time(c);
    release(c);
}

/* ---- life ---- */

static int init(struct rx_ws_client *c, struct rx_error *reterr)
{
    const struct rx_ws_client_options *o = c->options;
    int r = rx_ws_client_check(o, reterr);
    if (r == 0)
        r = parse_url(o->url, &c->address, reterr);
    if (r == 0)
        r = rx_tls_check_files(&o->tls, reterr);
    if (r == 0 && c->address.tls)
        r = rx_tls_create(&o->tls, &c->tls, reterr);
    for (size_t i = 0; r == 0 && i < o->headers.count; i++)
        rx_buffer_printf(&c->headers, "%s: %s\r\n", o->headers.names[i], o->headers.texts[i]);
    rx_buffer_append(&c->headers, "", 1);
    return r == 0 && c->headers.failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : r;
}

int rx_ws_client_create(struct rx_loop *loop, const struct rx_ws_client_options *options, size_t max_message,
                        const struct rx_ws_client_host *host, void *arg, struct rx_ws_client **ret,
                        struct rx_error *reterr)
{
    struct rx_ws_client *c = calloc(1, sizeof *c);
    if (!c)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *c = (struct rx_ws_client){.loop = loop,
                               .sched = rx_loop_sched(loop),
                               .options = options,
                               .host = host,
                               .arg = arg,
                               .max_message = max_message,
                               .tick.fire = on_tick};
    rx_backoff_init(&c->backoff);
    int r = init(c, reterr);
    if (r == 0 && rx_sched_arm(c->sched, &c->tick, now_of(c)) < 0) /* the first attempt, from the loop */
        r = rx_error_set(reterr, -ENOMEM, "out of memory");
    if (r < 0)
        rx_ws_client_destroy(c);
    else
        *ret = c;
    return r;
}

void rx_ws_client_destroy(struct rx_ws_client *c)
{
    if (!c || c->destroyed)
        return;
    rx_sched_stop(c->sched, &c->tick);
    if (c->state == UP)
        rx_transport_say_goodbye(c->transport, 1000);
    rx_transport_destroy(c->transport, true);
    c->transport = NULL;
    SSL_CTX_free(c->tls);
    rx_buffer_finish(&c->headers);
    c->destroyed = true;
    c->holds++;
    release(c);
}

unsigned rx_ws_client_mistake(const struct rx_ws_client *c) { return c->mistake; }
bool rx_ws_client_up(const struct rx_ws_client *c) { return c->state == UP; }
const char *rx_ws_client_fault(const struct rx_ws_client *c) { return c->fault[0] ? c->fault : NULL; }

void rx_ws_client_send(struct rx_ws_client *c, bool text, const void *bytes, size_t length)
{
    rx_transport_send(c->transport, text, bytes, length);
}

size_t rx_ws_client_unsent(const struct rx_ws_client *c)
{
    return c->transport ? rx_transport_unsent(c->transport) : 0;
}

void rx_ws_client_pause(struct rx_ws_client *c, bool paused)
{
    c->paused = paused;
    c->heard = now_of(c); /* nothing was read meanwhile */
    if (c->state != UP)
        return;
    rx_transport_pause(c->transport, paused);
    watch_time(c);
}

/* ---- without an owner ---- */

uint64_t rx_ws_client_number(struct rx_ws_pool *pool, struct rx_ws_client *c)
{
    if (!c->number)
        c->number = ++pool->number;
    return c->number;
}

void rx_ws_client_leave(struct rx_ws_pool *pool, struct rx_ws_client *c)
{
    c->next = pool->first;
    pool->first = c;
}

struct rx_ws_client *rx_ws_client_take(struct rx_ws_pool *pool, uint64_t number,
                                       const struct rx_ws_client_options *options, const struct rx_ws_client_host *host,
                                       void *arg)
{
    struct rx_ws_client **at = &pool->first, *c;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    c = *at;
    if (!c)
        return NULL;
    *at = c->next;
    c->next = NULL;
    c->options = options;
    c->host = host;
    c->arg = arg;
    rx_ws_client_pause(c, false);
    return c;
}

void rx_ws_pool_drop(struct rx_ws_pool *pool)
{
    while (pool->first) {
        struct rx_ws_client *c = pool->first;
        pool->first = c->next;
        rx_ws_client_destroy(c);
    }
}
