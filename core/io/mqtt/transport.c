/* The byte stream to a broker. */
#include "core/io/mqtt/transport.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io/mqtt/dial.h"
#include "core/io/mqtt/tls.h"
#include "core/io/mqtt/websocket.h"

enum { READ_MAX = 64 * 1024 }; /* bytes a turn; then the rest of the loop gets its turn */

struct rx_transport {
    struct rx_loop *loop;
    const struct rx_transport_host *host;
    void *arg;
    unsigned holds; /* callbacks under way, that the transport must outlive */
    bool destroyed;
    bool insecure;
    struct rx_broker_address address;
    SSL_CTX *tls;
    struct rx_dial *dial;
    struct rx_wake *wake;
    struct bufferevent *stream;
    struct rx_ws *ws;
    struct rx_timer rest;
};

static void release(struct rx_transport *t)
{
    if (--t->holds == 0 && t->destroyed)
        free(t);
}

/* Timers that were due come first, as they do for every watched descriptor; one of them may destroy us. */
static bool enter(struct rx_transport *t)
{
    t->holds++;
    rx_loop_now(t->loop);
    return !t->destroyed;
}

static void fail(struct rx_transport *t, const char *why)
{
    if (!t->destroyed)
        t->host->down(t->arg, why);
}

/* Reading. */

/* Hands on what is contiguous; a packet that lies across pieces is put together once it is whole. */
static void hand_on(struct rx_transport *t, struct evbuffer *input)
{
    size_t length, want = 0;
    while (!t->destroyed && (length = evbuffer_get_length(input)) > 0 && length >= want) {
        size_t near = evbuffer_get_contiguous_space(input);
        const unsigned char *bytes = evbuffer_pullup(input, (ssize_t)(near > want ? near : want));
        if (!bytes) {
            fail(t, "out of memory");
            return;
        }
        near = near > want ? near : want;
        size_t used = t->host->bytes(t->arg, bytes, near, &want);
        if (t->destroyed)
            return;
        evbuffer_drain(input, used);
        if (used == near)
            want = 0;
        else if (want <= near - used) /* unknown yet: as much more as there is */
            want = near - used + 1;
    }
}

static void put_on_wire(struct rx_transport *t)
{
    struct rx_buffer *wire = rx_ws_wire(t->ws);
    bufferevent_write(t->stream, wire->data, wire->length);
    rx_buffer_clear(wire);
}

static void unwrap(struct rx_transport *t, struct evbuffer *input)
{
    bool was_open = rx_ws_open(t->ws);
    struct rx_buffer *plain = rx_ws_plain(t->ws);
    struct evbuffer_iovec piece;
    const char *why;
    while (!t->destroyed && evbuffer_peek(input, -1, NULL, &piece, 1) > 0) {
        int r = rx_ws_feed(t->ws, piece.iov_base, piece.iov_len, &why);
        put_on_wire(t);
        if (r < 0 || plain->failed) {
            fail(t, r < 0 ? why : "out of memory");
            return;
        }
        evbuffer_drain(input, piece.iov_len);
        if (!was_open && rx_ws_open(t->ws)) {
            was_open = true;
            t->host->up(t->arg);
        }
    }
    size_t want = 0;
    if (t->destroyed || plain->length == 0)
        return;
    size_t used = t->host->bytes(t->arg, (const unsigned char *)plain->data, plain->length, &want);
    if (t->destroyed)
        return;
    memmove(plain->data, plain->data + used, plain->length - used);
    plain->length -= used;
}

static void on_read(struct bufferevent *stream, void *arg)
{
    struct rx_transport *t = arg;
    if (enter(t)) {
        struct evbuffer *input = bufferevent_get_input(stream);
        size_t length = evbuffer_get_length(input);
        if (t->ws)
            unwrap(t, input);
        else
            hand_on(t, input);
        if (!t->destroyed)
            t->host->read_end(t->arg, length);
    }
    release(t);
}

static void on_rested(struct rx_timer *timer)
{
    struct rx_transport *t = (struct rx_transport *)(void *)((char *)timer - offsetof(struct rx_transport, rest));
    bufferevent_enable(t->stream, EV_READ);
}

void rx_transport_rest(struct rx_transport *t, rx_time duration)
{
    struct rx_sched *sched = rx_loop_sched(t->loop);
    t->rest.fire = on_rested;
    if (rx_sched_arm(sched, &t->rest, rx_sched_now(sched) + duration) == 0)
        bufferevent_disable(t->stream, EV_READ);
}

/* Writing. */

static void on_write(struct bufferevent *stream, void *arg)
{
    struct rx_transport *t = arg;
    (void)stream;
    if (enter(t) && (!t->ws || rx_ws_open(t->ws)))
        t->host->drained(t->arg);
    release(t);
}

void rx_transport_write(struct rx_transport *t, const void *bytes, size_t length)
{
    if (!t->stream)
        return;
    if (!t->ws) {
        bufferevent_write(t->stream, bytes, length);
        return;
    }
    rx_ws_send(t->ws, bytes, length);
    put_on_wire(t);
}

size_t rx_transport_unsent(const struct rx_transport *t)
{
    return t->stream ? evbuffer_get_length(bufferevent_get_output(t->stream)) : 0;
}

/* The goodbye must be with the kernel before the close, or the broker would publish our will. */
static void offer_once_more(struct rx_transport *t)
{
    struct evbuffer *output = bufferevent_get_output(t->stream);
    SSL *ssl = bufferevent_openssl_get_ssl(t->stream);
    size_t length = evbuffer_get_length(output);
    if (length == 0)
        return;
    const unsigned char *bytes = evbuffer_pullup(output, -1);
    if (!bytes)
        return;
    if (ssl) {
        SSL_write(ssl, bytes, (int)(length < INT32_MAX ? length : INT32_MAX));
        SSL_shutdown(ssl);
    } else {
        send(bufferevent_getfd(t->stream), bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* Life. */

static void why_of(struct rx_transport *t, short what, char *why, size_t size)
{
    int error = EVUTIL_SOCKET_ERROR();
    SSL *ssl = bufferevent_openssl_get_ssl(t->stream);
    unsigned long tls_error = ssl ? bufferevent_get_openssl_error(t->stream) : 0;
    if (ssl && (tls_error || SSL_get_verify_result(ssl) != X509_V_OK || !SSL_is_init_finished(ssl)))
        rx_tls_why(ssl, tls_error, why, size);
    else if (what & BEV_EVENT_EOF || error == 0)
        snprintf(why, size, "the broker closed the connection");
    else
        snprintf(why, size, "%s", strerror(error));
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    struct rx_transport *t = arg;
    char why[256];
    (void)stream;
    if (!(what & BEV_EVENT_CONNECTED))
        why_of(t, what, why, sizeof why); /* before anything else touches errno */
    if (enter(t)) {
        if (!(what & BEV_EVENT_CONNECTED))
            fail(t, why);
        else if (t->ws)
            put_on_wire(t);
        else
            t->host->up(t->arg);
    }
    release(t);
}

static struct bufferevent *make_stream(struct rx_transport *t, int fd)
{
    struct event_base *base = rx_loop_base(t->loop);
    if (!t->tls)
        return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    SSL *ssl = rx_tls_connection(t->tls, t->address.host, t->insecure);
    struct bufferevent *stream =
        ssl ? bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (ssl && !stream)
        SSL_free(ssl);
    return stream;
}

static void begin_stream(struct rx_transport *t, int fd)
{
    t->stream = make_stream(t, fd);
    if (!t->stream) {
        close(fd);
        fail(t, "out of memory");
        return;
    }
    bufferevent_set_max_single_read(t->stream, READ_MAX);
    bufferevent_set_max_single_write(t->stream, READ_MAX);
    bufferevent_setcb(t->stream, on_read, on_write, on_event, t);
    bufferevent_enable(t->stream, EV_READ | EV_WRITE);
    if (t->tls)
        return; /* BEV_EVENT_CONNECTED comes */
    if (t->ws)
        put_on_wire(t);
    else
        t->host->up(t->arg);
}

static void on_dialed(void *arg)
{
    struct rx_transport *t = arg;
    char why[160];
    int fd;
    if (!t->dial || !rx_dial_finish(t->dial, &fd, why, sizeof why))
        return;
    t->dial = NULL;
    t->holds++;
    if (fd < 0)
        fail(t, why);
    else
        begin_stream(t, fd);
    release(t);
}

int rx_transport_create(struct rx_loop *loop, const struct rx_broker_address *address, SSL_CTX *tls, bool insecure,
                        const struct rx_transport_host *host, void *arg, struct rx_transport **ret)
{
    struct rx_transport *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    *t = (struct rx_transport){
        .loop = loop, .host = host, .arg = arg, .tls = tls, .insecure = insecure, .address = *address};
    int r = 0;
    if (address->websocket) {
        t->ws = rx_ws_create(address->host, address->port, address->path);
        r = t->ws ? 0 : -ENOMEM;
    }
    if (r == 0)
        r = rx_wake_create(loop, on_dialed, t, &t->wake);
    if (r == 0)
        r = rx_dial_start(t->wake, address->host, address->port, &t->dial);
    if (r < 0)
        rx_transport_destroy(t, false);
    else
        *ret = t;
    return r;
}

void rx_transport_destroy(struct rx_transport *t, bool linger)
{
    if (!t || t->destroyed)
        return;
    rx_sched_stop(rx_loop_sched(t->loop), &t->rest);
    rx_dial_abandon(t->dial);
    rx_wake_destroy(t->wake);
    if (t->stream) {
        if (linger)
            offer_once_more(t);
        bufferevent_free(t->stream);
    }
    rx_ws_destroy(t->ws);
    t->destroyed = true;
    t->holds++;
    release(t);
}
