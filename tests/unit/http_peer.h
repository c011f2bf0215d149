/* An HTTP server that does what a test says, on the test's own loop: the n-th request gets the n-th answer, as bytes; further ones the
 * last. Requests are kept as they came. */
#ifndef RX_TESTS_HTTP_PEER_H
#define RX_TESTS_HTTP_PEER_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/io/loop/loop.h"

enum { PEER_CONNECTIONS = 300, PEER_REQUESTS = 2000, PEER_ANSWERS = 32 };

#define PEER_SILENT ((const char *)0) /* no answer: the request hangs */
#define PEER_CLOSE  ""                /* the connection is closed instead */
#define PEER_FLOOD  "FLOOD"           /* a body of bytes without end, as fast as they are taken */
/* An answer that begins with '!' closes the connection behind it. */

struct peer;
struct peer_connection {
    struct peer *peer;
    struct rx_watch *watch;
    struct rx_buffer in;
    int fd;
    bool flooding;
};

struct peer {
    struct rx_loop *loop;
    struct rx_watch *watch;
    int fd;
    unsigned port;
    const char *answers[PEER_ANSWERS];
    size_t answer_count;
    struct peer_connection connections[PEER_CONNECTIONS];
    size_t accepted, open;
    char *requests[PEER_REQUESTS]; /* head and body, terminated */
    size_t request_count;
    uint64_t flooded; /* bytes */
    char url[64];
};

static inline void peer_drop(struct peer_connection *c)
{
    if (c->fd < 0)
        return;
    rx_watch_destroy(c->watch);
    close(c->fd);
    c->fd = -1;
    c->peer->open--;
    rx_buffer_finish(&c->in);
}

static inline void peer_send(struct peer_connection *c, const char *text)
{
    size_t length = strlen(text), sent = 0;
    while (c->fd >= 0 && sent < length) {
        ssize_t n = send(c->fd, text + sent, length - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            peer_drop(c);
        sent += n > 0 ? (size_t)n : 0;
    }
}

static inline void peer_flood(struct peer_connection *c)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    ssize_t n = send(c->fd, block, sizeof block, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN)
        peer_drop(c);
    c->peer->flooded += n > 0 ? (uint64_t)n : 0;
}

static inline void peer_answer(struct peer_connection *c, const char *answer)
{
    if (answer == PEER_SILENT)
        return;
    if (strcmp(answer, PEER_FLOOD) == 0) {
        peer_send(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
        c->flooding = true;
        if (c->fd >= 0)
            rx_watch_set(c->watch, RX_READABLE | RX_WRITABLE);
        return;
    }
    peer_send(c, answer[0] == '!' ? answer + 1 : answer);
    if (answer[0] == '!' || !answer[0])
        peer_drop(c);
}

/* The bytes of the first whole request; 0: it is not all there. */
static inline size_t peer_whole(struct peer_connection *c)
{
    char *end = c->in.length ? memmem(c->in.data, c->in.length, "\r\n\r\n", 4) : NULL;
    if (!end)
        return 0;
    size_t head = (size_t)(end - c->in.data) + 4, body = 0;
    for (const char *line = c->in.data; line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
        line += *line == '\n';
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            body = strtoul(line + 15, NULL, 10);
    }
    return c->in.length >= head + body ? head + body : 0;
}

static inline void peer_take(struct peer_connection *c)
{
    struct peer *p = c->peer;
    for (size_t n; c->fd >= 0 && (n = peer_whole(c)) > 0;) {
        ck_assert_uint_lt(p->request_count, PEER_REQUESTS);
        size_t i = p->request_count++;
        p->requests[i] = strndup(c->in.data, n);
        memmove(c->in.data, c->in.data + n, c->in.length - n);
        c->in.length -= n;
        ck_assert_uint_gt(p->answer_count, 0);
        peer_answer(c, p->answers[i < p->answer_count ? i : p->answer_count - 1]);
    }
}

static inline void peer_on_ready(void *arg, int fd, unsigned events)
{
    struct peer_connection *c = arg;
    char bytes[65536];
    if (events & RX_WRITABLE && c->flooding)
        peer_flood(c);
    if (!(events & RX_READABLE) || c->fd < 0)
        return;
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        peer_drop(c);
        return;
    }
    rx_buffer_append(&c->in, bytes, (size_t)n);
    peer_take(c);
}

static inline void peer_on_accept(void *arg, int fd, unsigned events)
{
    struct peer *p = arg;
    (void)events;
    int new = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (new < 0)
        return;
    ck_assert_uint_lt(p->accepted, PEER_CONNECTIONS);
    struct peer_connection *c = &p->connections[p->accepted++];
    *c = (struct peer_connection){.peer = p, .fd = new};
    p->open++;
    ck_assert_int_eq(rx_watch_create(p->loop, new, RX_READABLE, peer_on_ready, c, &c->watch), 0);
}

static inline void peer_listen(struct peer *p)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)p->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int on = 1;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(p->fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(p->fd, 64), 0);
    ck_assert_int_eq(getsockname(p->fd, (struct sockaddr *)&at, &size), 0);
    p->port = ntohs(at.sin_port);
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%u/", p->port);
    ck_assert_int_eq(rx_watch_create(p->loop, p->fd, RX_READABLE, peer_on_accept, p, &p->watch), 0);
}

static inline struct peer *peer_create(struct rx_loop *loop)
{
    struct peer *p = calloc(1, sizeof *p);
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("all_proxy");
    p->loop = loop;
    peer_listen(p);
    return p;
}

static inline void peer_say(struct peer *p, const char *answer) { p->answers[p->answer_count++] = answer; }

static inline void peer_drop_all(struct peer *p)
{
    for (size_t i = 0; i < p->accepted; i++)
        peer_drop(&p->connections[i]);
}

/* Nobody listens there any more; peer_listen takes the same port again. */
static inline void peer_close(struct peer *p)
{
    peer_drop_all(p);
    rx_watch_destroy(p->watch);
    p->watch = NULL;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static inline void peer_destroy(struct peer *p)
{
    peer_close(p);
    for (size_t i = 0; i < p->request_count; i++)
        free(p->requests[i]);
    free(p);
}

/* To the newest connection, beside any request. */
static inline void peer_push(struct peer *p, const char *text)
{
    ck_assert_uint_gt(p->accepted, 0);
    peer_send(&p->connections[p->accepted - 1], text);
}

#endif
