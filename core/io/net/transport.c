/* Connections that we make. */
#include "core/io/net/transport.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io/net/dial.h"
#include "core/io/net/tls.h"

enum {
    READ_MAX = 64 * 1024,
    KEEP_MAX = 1024 * 1024
}; /* bytes a turn, then the rest of the loop gets its turn; of memory */

/* Plain sockets are read and written here: evbuffer_read takes 4 KiB at a time whatever it is told (libevent 2.1,
 * EVBUFFER_MAX_READ). TLS is a bufferevent's. */
struct rx_transport {
    struct rx_loop *loop;
    const struct rx_transport_host *host;
    void *arg;
    unsigned holds; /* callbacks under way, that the transport must outlive */
    bool destroyed;
    struct rx_net_address address;
    struct rx_transport_options options;
    struct rx_dial *dial;
    struct rx_wake *wake;
    int fd; /* plain; -1: none */
    struct rx_watch *watch;
    struct bufferevent *stream; /* TLS; NULL: none */
    struct rx_buffer in, out;   /* received and not used up; plain, to be sent */
    size_t sent;                /* of out */
    struct rx_ws *ws;
    struct rx_timer rest;
    bool resting, paused;
    char why[80];
};

/* The buffers stay until nobody is in them any more: who is told of a message may destroy us and read on in it. */
static void release(struct rx_transport *t)
{
    if (--t->holds > 0 || !t->destroyed)
        return;
    rx_ws_destroy(t->ws);
    rx_buffer_finish(&t->in);
    rx_buffer_finish(&t->out);
    free(t);
}

/* Timers that were due come first, as they do for every watched descriptor; one of them may destroy us. */
static bool enter(struct rx_transport *t)
{
    t->holds++;
    rx_loop_now(t->loop);
    return !t->destroyed;
}

/* Valid until the next call. */
static const char *closed(struct rx_transport *t)
{
    snprintf(t->why, sizeof t->why, "the %s closed the connection", t->options.peer);
    return t->why;
}

static void fail(struct rx_transport *t, const char *why)
{
    if (!t->destroyed)
        t->host->down(t->arg, why);
}

static bool is_deaf(const struct rx_transport *t) { return t->resting || t->paused; }

/* Writing. */

static void watch_for(struct rx_transport *t)
{
    unsigned events =
        (is_deaf(t) ? 0u : (unsigned)RX_READABLE) | (t->out.length > t->sent ? (unsigned)RX_WRITABLE : 0u);
    rx_watch_set(t->watch, events);
}

/* False: the connection is broken; reading tells why. */
static bool send_some(struct rx_transport *t, const char *bytes, size_t length, size_t *ret_sent)
{
    ssize_t n = length ? send(t->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    *ret_sent = n > 0 ? (size_t)n : 0;
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static void send_rest(struct rx_transport *t)
{
    size_t sent;
    if (!send_some(t, t->out.data + t->sent, t->out.length - t->sent, &sent))
        sent = t->out.length - t->sent; /* nobody takes it any more */
    t->sent += sent;
    if (t->sent == t->out.length) {
        t->sent = 0;
        if (t->out.capacity > KEEP_MAX)
            rx_buffer_finish(&t->out);
        rx_buffer_clear(&t->out);
    }
}

static void put_on_wire(struct rx_transport *t, const char *bytes, size_t length)
{
    size_t sent = 0;
    if (t->stream) {
        bufferevent_write(t->stream, bytes, length);
        return;
    }
    if (t->fd < 0 || (t->out.length == 0 && !send_some(t, bytes, length, &sent)))
        return;
    rx_buffer_append(&t->out, bytes + sent, length - sent);
    watch_for(t);
}

static void put_frames_on_wire(struct rx_transport *t)
{
    struct rx_buffer *wire = rx_ws_wire(t->ws);
    put_on_wire(t, wire->data, wire->length);
    rx_buffer_clear(wire);
}

void rx_transport_write(struct rx_transport *t, const void *bytes, size_t length)
{
    if (!t->ws) {
        put_on_wire(t, bytes, length);
        return;
    }
    rx_transport_send(t, false, bytes, length);
}

void rx_transport_send(struct rx_transport *t, bool text, const void *bytes, size_t length)
{
    rx_ws_send(t->ws, text, bytes, length);
    put_frames_on_wire(t);
}

void rx_transport_ping(struct rx_transport *t)
{
    rx_ws_ping(t->ws);
    put_frames_on_wire(t);
}

unsigned rx_transport_mistake(const struct rx_transport *t) { return t->ws ? rx_ws_mistake(t->ws) : 0; }

void rx_transport_say_goodbye(struct rx_transport *t, unsigned code)
{
    rx_ws_close(t->ws, code, "");
    put_frames_on_wire(t);
}

size_t rx_transport_unsent(const struct rx_transport *t)
{
    if (t->stream)
        return evbuffer_get_length(bufferevent_get_output(t->stream));
    return t->out.length - t->sent;
}

static void drained(struct rx_transport *t)
{
    if (!t->destroyed && rx_transport_unsent(t) == 0 && (!t->ws || rx_ws_open(t->ws)))
        t->host->drained(t->arg);
}

/* Reading. */

/* What is left over is the beginning of a packet. */
static void hand_on(struct rx_transport *t, struct rx_buffer *buffer)
{
    if (buffer->failed) {
        fail(t, "out of memory");
        return;
    }
    if (buffer->length == 0)
        return;
    size_t used = t->host->bytes(t->arg, (const unsigned char *)buffer->data, buffer->length);
    if (t->destroyed)
        return;
    buffer->length -= used;
    if (buffer->length == 0 && buffer->capacity > KEEP_MAX)
        rx_buffer_finish(buffer);
    else if (used > 0 && buffer->length > 0)
        memmove(buffer->data, buffer->data + used, buffer->length);
}

static void hand_on_messages(struct rx_transport *t)
{
    struct rx_ws_message message;
    while (!t->destroyed && rx_ws_next(t->ws, &message))
        t->host->message(t->arg, &message);
}

/* What came before a mistake is as good as ever. */
static void unwrap(struct rx_transport *t)
{
    bool was_open = rx_ws_open(t->ws);
    const char *why;
    int r = rx_ws_feed(t->ws, (const unsigned char *)t->in.data, t->in.length, &why);
    rx_buffer_clear(&t->in);
    put_frames_on_wire(t);
    if (!was_open && rx_ws_open(t->ws))
        t->host->up(t->arg);
    if (!t->destroyed && t->options.ws.max_message > 0)
        hand_on_messages(t);
    else if (!t->destroyed && r == 0)
        hand_on(t, rx_ws_plain(t->ws));
    if (r < 0)
        fail(t, why);
}

static void take(struct rx_transport *t, size_t length)
{
    if (t->ws && !t->in.failed)
        unwrap(t);
    else
        hand_on(t, &t->in);
    if (!t->destroyed)
        t->host->read_end(t->arg, length);
}

/* A sender with Nagle's algorithm (a broker, by default) keeps the rest back until what it has sent is acknowledged, which
 * the kernel would put off for up to 40 ms; it forgets this each time (tcp(7), TCP_QUICKACK). */
static void acknowledge_at_once(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

/* Entered with the timers fired, and never after the watch is destroyed. */
static void on_ready(void *arg, int fd, unsigned events)
{
    struct rx_transport *t = arg;
    t->holds++;
    if (events & RX_WRITABLE) {
        send_rest(t);
        watch_for(t);
        drained(t);
    }
    if (!t->destroyed && (events & RX_READABLE) && !is_deaf(t)) {
        ssize_t n = rx_buffer_reserve(&t->in, READ_MAX) < 0
                        ? -1
                        : recv(fd, t->in.data + t->in.length, t->in.capacity - t->in.length, MSG_DONTWAIT);
        if (n > 0) {
            acknowledge_at_once(fd);
            t->in.length += (size_t)n;
            take(t, (size_t)n);
        } else if (t->in.failed || n == 0 || (errno != EAGAIN && errno != EINTR)) {
            fail(t, t->in.failed ? "out of memory" : n == 0 ? closed(t) : strerror(errno));
        }
    }
    release(t);
}

static void on_tls_read(struct bufferevent *stream, void *arg)
{
    struct rx_transport *t = arg;
    struct evbuffer *input = bufferevent_get_input(stream);
    if (enter(t)) {
        size_t length = evbuffer_get_length(input);
        if (rx_buffer_reserve(&t->in, length) == 0) {
            evbuffer_remove(input, t->in.data + t->in.length, length);
            t->in.length += length;
        }
        take(t, length);
    }
    release(t);
}

static void on_tls_write(struct bufferevent *stream, void *arg)
{
    struct rx_transport *t = arg;
    (void)stream;
    if (enter(t))
        drained(t);
    release(t);
}

static void listen_or_not(struct rx_transport *t)
{
    if (t->stream && is_deaf(t))
        bufferevent_disable(t->stream, EV_READ);
    else if (t->stream)
        bufferevent_enable(t->stream, EV_READ);
    else if (t->watch)
        watch_for(t);
}

static void read_again(struct rx_timer *timer)
{
    struct rx_transport *t = (struct rx_transport *)(void *)((char *)timer - offsetof(struct rx_transport, rest));
    t->resting = false;
    listen_or_not(t);
}

void rx_transport_pause(struct rx_transport *t, bool paused)
{
    t->paused = paused;
    listen_or_not(t);
}

void rx_transport_rest(struct rx_transport *t, rx_time duration)
{
    struct rx_sched *sched = rx_loop_sched(t->loop);
    t->rest.fire = read_again;
    if (rx_sched_arm(sched, &t->rest, rx_sched_now(sched) + duration) < 0)
        return;
    t->resting = true;
    listen_or_not(t);
}

/* The goodbye must be with the kernel before the close, or the broker would publish our will. */
static void offer_once_more(struct rx_transport *t)
{
    if (!t->stream) {
        if (t->fd >= 0)
            send_rest(t);
        return;
    }
    SSL *ssl = bufferevent_openssl_get_ssl(t->stream);
    struct evbuffer *output = bufferevent_get_output(t->stream);
    size_t length = evbuffer_get_length(output);
    const unsigned char *bytes = length ? evbuffer_pullup(output, -1) : NULL;
    if (bytes && SSL_is_init_finished(ssl) && SSL_write(ssl, bytes, (int)(length < INT_MAX ? length : INT_MAX)) > 0)
        SSL_shutdown(ssl);
}

/* Life. */

static void why_tls(struct rx_transport *t, short what, char *why, size_t size)
{
    int error = EVUTIL_SOCKET_ERROR();
    SSL *ssl = bufferevent_openssl_get_ssl(t->stream);
    unsigned long tls_error = bufferevent_get_openssl_error(t->stream);
    if (tls_error || SSL_get_verify_result(ssl) != X509_V_OK || !SSL_is_init_finished(ssl))
        rx_tls_why(ssl, tls_error, why, size);
    else
        snprintf(why, size, "%s", (what & BEV_EVENT_EOF) || error == 0 ? closed(t) : strerror(error));
}

static void up(struct rx_transport *t)
{
    if (t->ws)
        put_frames_on_wire(t);
    else
        t->host->up(t->arg);
}

static void on_tls_event(struct bufferevent *stream, short what, void *arg)
{
    struct rx_transport *t = arg;
    char why[256];
    (void)stream;
    if (!(what & BEV_EVENT_CONNECTED))
        why_tls(t, what, why, sizeof why); /* before anything else touches errno */
    if (enter(t)) {
        if (what & BEV_EVENT_CONNECTED)
            up(t);
        else
            fail(t, why);
    }
    release(t);
}

/* Takes the descriptor, also on failure. */
static int begin_tls(struct rx_transport *t, int fd)
{
    SSL *ssl = rx_tls_connection(t->options.tls, t->address.host, t->options.insecure);
    if (ssl)
        t->stream = bufferevent_openssl_socket_new(rx_loop_base(t->loop), fd, ssl, BUFFEREVENT_SSL_CONNECTING,
                                                   BEV_OPT_CLOSE_ON_FREE);
    if (!t->stream) {
        SSL_free(ssl);
        close(fd);
        return -ENOMEM;
    }
    bufferevent_set_max_single_read(t->stream, READ_MAX);
    bufferevent_set_max_single_write(t->stream, READ_MAX);
    bufferevent_setcb(t->stream, on_tls_read, on_tls_write, on_tls_event, t);
    bufferevent_enable(t->stream, EV_READ | EV_WRITE);
    return 0; /* BEV_EVENT_CONNECTED comes */
}

static void begin_stream(struct rx_transport *t, int fd)
{
    int r;
    if (t->options.tls) {
        r = begin_tls(t, fd);
    } else {
        t->fd = fd;
        r = rx_watch_create(t->loop, fd, RX_READABLE, on_ready, t, &t->watch);
    }
    if (r < 0)
        fail(t, "out of memory");
    else if (!t->options.tls)
        up(t);
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

static int create_ws(struct rx_transport *t)
{
    struct rx_ws_options o = t->options.ws;
    o.host = t->address.host;
    o.path = t->address.path;
    t->ws = rx_ws_create(&o);
    return t->ws ? 0 : -ENOMEM;
}

int rx_transport_create(struct rx_loop *loop, const struct rx_transport_options *options,
                        const struct rx_transport_host *host, void *arg, struct rx_transport **ret)
{
    struct rx_transport *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    *t = (struct rx_transport){
        .loop = loop, .host = host, .arg = arg, .options = *options, .address = *options->address, .fd = -1};
    t->options.address = &t->address;
    int r = t->address.websocket ? create_ws(t) : 0;
    if (r == 0)
        r = rx_wake_create(loop, on_dialed, t, &t->wake);
    if (r == 0)
        r = rx_dial_start(t->wake, t->address.host, t->address.port, &t->dial);
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
    if (linger)
        offer_once_more(t);
    if (t->stream)
        bufferevent_free(t->stream);
    rx_watch_destroy(t->watch);
    if (t->fd >= 0)
        close(t->fd);
    t->destroyed = true;
    t->holds++;
    release(t);
}
