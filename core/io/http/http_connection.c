/* A connection: bytes in, requests one after the other, answers out, and a deadline for whatever it is at. */
#include "core/io/http/http_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    READ_AHEAD = 16 * 1024,   /* bytes behind a request that is with its handler */
    OUT_HIGH = 64 * 1024,     /* answers that wait: no further request is looked at */
    BATCH = 32,               /* requests that a connection gets before others have their turn */
    DIRECT_READ = 256 * 1024, /* bytes of a body that come straight to their place */
    DIRECT_MIN = 4 * 1024
};
static const rx_time LINGER = 2 * RX_SEC;

static size_t waiting(const struct http_connection *c) { return c->in.length - c->in_at; }
static size_t unsent(const struct http_connection *c) { return c->out.length - c->out_at; }

static struct rx_sched *sched_of(const struct http_connection *c) { return rx_loop_sched(c->server->loop); }

static void arm(struct http_connection *c, rx_time delay)
{
    rx_sched_arm(sched_of(c), &c->deadline, rx_loop_clock(c->server->loop) + delay);
}

/* ---- its end ---- */

static void forget_request(struct http_connection *c)
{
    struct rx_http_request *request = c->incoming;
    c->incoming = NULL;
    if (!request)
        return;
    request->connection = NULL;
    if (c->stage != HTTP_STAGE_ANSWER)
        http_request_destroy(request);
}

/* All but the connection itself, which may have a new owner. */
static void finish(struct http_connection *c)
{
    struct rx_http_server *server = c->server;
    forget_request(c);
    c->stage = HTTP_STAGE_GONE;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    rx_sched_stop(sched_of(c), &c->deadline);
    rx_sched_stop(sched_of(c), &c->soon);
    rx_buffer_finish(&c->in);
    rx_buffer_finish(&c->out);
    c->in_at = c->out_at = 0;
    http_client_unref(server, c->client);
    server->stats.open--;
    server->excess -= c->excess;
    if (!c->running)
        free(c);
}

void http_connection_close(struct http_connection *c)
{
    struct rx_http_server *server = c->server;
    rx_conn_close(c->conn);
    finish(c);
    http_listener_resume(server);
}

/* ---- output ---- */

/* False: the connection is lost. */
static bool flush(struct http_connection *c)
{
    if (c->out.failed) /* an answer that lacks its end */
        return false;
    while (unsent(c)) {
        struct iovec rest = {.iov_base = c->out.data + c->out_at, .iov_len = unsent(c)};
        ssize_t n = rx_conn_writev(c->conn, &rest, 1);
        if (n < 0 && n != -EAGAIN)
            return false;
        c->out_at += n > 0 ? (size_t)n : 0;
        if (n < 0)
            break;
    }
    if (!c->full && unsent(c))
        arm(c, c->server->limits.body_deadline);
    c->full = unsent(c) > 0;
    if (!c->full) {
        rx_buffer_finish(&c->out);
        c->out_at = 0;
    }
    return true;
}

static void end(struct http_connection *c)
{
    c->stage = HTTP_STAGE_ENDING;
    rx_buffer_finish(&c->in);
    c->in_at = 0;
}

static void refuse(struct http_connection *c, int status, const char *reason)
{
    forget_request(c);
    c->server->stats.refused++;
    http_write_refusal(c, status, reason);
    end(c);
}

/* ---- input ---- */

static void await_request(struct http_connection *c)
{
    c->stage = HTTP_STAGE_HEAD;
    c->scanned = 0;
    c->began = c->skipped = false;
}

/* RFC 9112, 2.2: one empty line before a request is forgiven. False: there is no more than a part of it. */
static bool skip_empty_line(struct http_connection *c)
{
    const char *at = c->in.data + c->in_at;
    if (c->skipped || c->scanned || *at != '\r')
        return true;
    if (waiting(c) < 2)
        return false;
    c->skipped = true;
    c->in_at += at[1] == '\n' ? 2 : 0;
    return waiting(c) > 0;
}

static void begin_request(struct http_connection *c)
{
    if (!c->first && !c->began)
        arm(c, c->server->limits.header_deadline);
    c->began = true;
    c->idling = false;
}

static void take_request(struct http_connection *c, const struct http_head *head)
{
    struct rx_http_request *request = NULL;
    int r = http_request_create(c, head, &request);
    if (r < 0) {
        refuse(c, r == -E2BIG ? 400 : 503, r == -E2BIG ? "too many parameters in the query" : "out of memory");
        return;
    }
    c->incoming = request;
    c->server->stats.requests++;
    http_body_begin(&c->body, head, c->server->limits.max_body);
    bool whole = http_body_whole(&c->body);
    request->keep = request->keep && whole; /* until the body is read */
    c->stage = HTTP_STAGE_ANSWER;
    if (!http_admit(request))
        return;
    if (whole) {
        http_serve(request);
        return;
    }
    c->stage = HTTP_STAGE_BODY;
    const char *reason;
    int status = http_unpack_begin(request, &reason);
    if (status) {
        refuse(c, status, reason);
        return;
    }
    request->keep = head->keep;
    arm(c, c->server->limits.body_deadline);
    if (head->expects && !waiting(c))
        rx_buffer_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
}

/* False: more bytes are needed. */
static bool read_head(struct http_connection *c)
{
    size_t limit = c->server->limits.max_header;
    begin_request(c);
    if (!skip_empty_line(c))
        return false;
    const char *at = c->in.data + c->in_at;
    size_t length = waiting(c) < limit ? waiting(c) : limit;
    long head_length = http_head_scan(at, length, &c->scanned);
    if (head_length < 0)
        refuse(c, 400, "a control byte or a bare line end in the header");
    else if (head_length == 0 && length == limit)
        refuse(c, 431, "the header is larger than the limit");
    if (head_length == 0)
        return false;
    if (head_length < 0)
        return true;
    struct http_head head;
    http_head_read(at, (size_t)head_length, c->server->limits.max_body, &head);
    if (head.status) {
        refuse(c, head.status, head.reason);
        return true;
    }
    c->in_at += (size_t)head_length;
    take_request(c, &head);
    return true;
}

static bool append_body(struct http_connection *c, struct http_text piece)
{
    struct rx_http_request *request = c->incoming;
    const char *reason = NULL;
    int status =
        request->unpack ? http_unpack(request, piece, &reason) : http_request_reserve(request, piece.length, &reason);
    if (status) {
        refuse(c, status, reason);
        return false;
    }
    if (request->unpack)
        return true;
    memcpy(request->body + request->body_length, piece.at, piece.length);
    request->body_length += piece.length;
    return true;
}

static void body_arrived(struct http_connection *c)
{
    if (!http_unpack_whole(c->incoming)) {
        refuse(c, 400, "the body ends before its gzip does");
        return;
    }
    c->stage = HTTP_STAGE_ANSWER;
    rx_sched_stop(sched_of(c), &c->deadline);
    http_serve(c->incoming);
}

/* False: more bytes are needed. */
static bool read_body(struct http_connection *c)
{
    struct http_text piece;
    while (waiting(c) && !http_body_whole(&c->body) && !c->body.status) {
        c->in_at += http_body_feed(&c->body, c->in.data + c->in_at, waiting(c), &piece);
        if (piece.length && !append_body(c, piece))
            return true;
    }
    if (c->body.status)
        refuse(c, c->body.status, c->body.reason);
    else if (http_body_whole(&c->body))
        body_arrived(c);
    else
        return false;
    return true;
}

/* A large body's bytes come straight to their place. */
static bool is_direct(const struct http_connection *c)
{
    return c->stage == HTTP_STAGE_BODY && !waiting(c) && !c->incoming->unpack &&
           http_body_ahead(&c->body) >= DIRECT_MIN;
}

static ssize_t read_directly(struct http_connection *c)
{
    struct rx_http_request *request = c->incoming;
    const char *reason = NULL;
    struct http_text piece;
    size_t want = c->body.left < DIRECT_READ ? c->body.left : DIRECT_READ;
    int status = http_request_reserve(request, want, &reason);
    if (status) {
        refuse(c, status, reason);
        return 1;
    }
    ssize_t n = rx_conn_read(c->conn, request->body + request->body_length, want);
    if (n > 0) {
        http_body_feed(&c->body, request->body + request->body_length, (size_t)n, &piece);
        request->body_length += (size_t)n;
        if (http_body_whole(&c->body))
            body_arrived(c);
    }
    return n;
}

static ssize_t read_ahead(struct http_connection *c)
{
    struct rx_http_server *server = c->server;
    ssize_t n = rx_conn_read(c->conn, server->scratch, sizeof server->scratch);
    if (n <= 0 || c->stage >= HTTP_STAGE_ENDING)
        return n;
    if (c->in_at) {
        memmove(c->in.data, c->in.data + c->in_at, waiting(c));
        c->in.length = waiting(c);
        c->in_at = 0;
    }
    rx_buffer_append(&c->in, server->scratch, (size_t)n);
    return c->in.failed ? -ENOMEM : n;
}

/* False: the connection is lost. */
static bool read_some(struct http_connection *c)
{
    ssize_t n = is_direct(c) ? read_directly(c) : read_ahead(c);
    if (n == 0)
        c->ended = true;
    return n >= 0 || n == -EAGAIN;
}

/* ---- its life ---- */

static bool step(struct http_connection *c)
{
    if (c->stage == HTTP_STAGE_HEAD)
        return waiting(c) && read_head(c);
    return c->stage == HTTP_STAGE_BODY && read_body(c);
}

/* Requests that are there, some at a time. */
static void advance(struct http_connection *c)
{
    unsigned steps = 0;
    while (unsent(c) < OUT_HIGH && step(c))
        if (++steps == BATCH) {
            rx_sched_arm(sched_of(c), &c->soon, rx_loop_clock(c->server->loop)); /* behind this turn's other work */
            return;
        }
}

/* The client will send no more, or it has been answered for the last time. */
static bool has_ended(struct http_connection *c)
{
    bool more = (unsent(c) >= OUT_HIGH || rx_timer_armed(&c->soon)) && waiting(c);
    if (c->ended && (c->stage == HTTP_STAGE_HEAD || c->stage == HTTP_STAGE_BODY) && !more) {
        forget_request(c);
        end(c);
    }
    if (c->stage == HTTP_STAGE_ENDING && !unsent(c)) {
        c->stage = HTTP_STAGE_LINGER;
        rx_conn_end(c->conn);
        arm(c, LINGER);
    }
    return c->stage == HTTP_STAGE_LINGER && c->ended;
}

static bool wants_to_read(const struct http_connection *c)
{
    if (c->ended)
        return false;
    if (c->stage == HTTP_STAGE_ENDING || c->stage == HTTP_STAGE_LINGER)
        return true;
    return waiting(c) < c->server->limits.max_header + READ_AHEAD;
}

/* True if it is waiting for a next request, with nothing under way. */
static bool is_idle(const struct http_connection *c)
{
    return c->stage == HTTP_STAGE_HEAD && !c->began && !waiting(c) && !unsent(c);
}

static void rest(struct http_connection *c)
{
    if (!waiting(c)) {
        rx_buffer_finish(&c->in);
        c->in_at = 0;
    }
    if (is_idle(c) && !c->first && !c->idling) {
        c->idling = true;
        arm(c, c->server->limits.idle_deadline);
    }
    rx_conn_watch(c->conn, (wants_to_read(c) ? RX_READABLE : 0u) | (unsent(c) ? RX_WRITABLE : 0u));
}

/* Whatever there is to do, and what to wait for then. `c` may be gone afterwards. */
static void run(struct http_connection *c, unsigned events)
{
    bool alive = true;
    c->running = true;
    if (events & RX_WRITABLE)
        alive = flush(c);
    if (alive && (events & RX_READABLE))
        alive = read_some(c);
    if (alive && c->stage != HTTP_STAGE_GONE)
        advance(c);
    if (c->stage != HTTP_STAGE_GONE) {
        if (!alive || !flush(c) || has_ended(c))
            http_connection_close(c);
        else
            rest(c);
    }
    c->running = false;
    if (c->stage == HTTP_STAGE_GONE)
        free(c);
}

static void on_ready(void *arg, unsigned events) { run(arg, events); }

static void on_soon(struct rx_timer *timer)
{
    run((struct http_connection *)(void *)((char *)timer - offsetof(struct http_connection, soon)), 0);
}

void http_connection_answered(struct http_connection *c)
{
    bool keep = c->incoming->keep && !c->server->draining;
    c->incoming = NULL;
    c->first = false;
    if (keep)
        await_request(c);
    else
        end(c);
    if (!c->running) /* not at once: an answer must not run another handler */
        rx_sched_arm(sched_of(c), &c->soon, rx_sched_now(sched_of(c)));
}

static void on_deadline(struct rx_timer *timer)
{
    struct http_connection *c = (void *)((char *)timer - offsetof(struct http_connection, deadline));
    bool telling = (c->stage == HTTP_STAGE_HEAD && c->began) || c->stage == HTTP_STAGE_BODY;
    if (c->stage == HTTP_STAGE_ANSWER && !c->full)
        return; /* its handler's time */
    if (!is_idle(c) || c->first)
        c->server->stats.timed_out += c->stage != HTTP_STAGE_LINGER;
    if (!telling || c->full) {
        http_connection_close(c);
        return;
    }
    refuse(c, 408, "the request took too long");
    run(c, 0);
}

void http_connection_drain(struct http_connection *c)
{
    if (c->stage == HTTP_STAGE_HEAD && !c->began && !unsent(c))
        http_connection_close(c);
}

static struct http_connection *create(struct rx_http_server *server, int fd, const struct sockaddr *peer)
{
    struct http_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct http_connection){.server = server, .link = &server->connections, .next = server->connections};
    c->client = http_client_get(server, peer);
    if (!c->client || rx_conn_of_fd(server->loop, fd, &c->conn) < 0) {
        http_client_unref(server, c->client);
        free(c);
        return NULL;
    }
    if (c->next)
        c->next->link = &c->next;
    server->connections = c;
    c->deadline.fire = on_deadline;
    c->soon.fire = on_soon;
    return c;
}

void http_connection_open(struct rx_http_server *server, int fd, const struct sockaddr *peer, bool excess)
{
    struct http_connection *c = create(server, fd, peer);
    if (!c) {
        close(fd);
        return;
    }
    server->stats.connections++;
    server->stats.open++;
    server->excess += excess;
    c->excess = excess;
    c->first = true;
    await_request(c);
    rx_conn_set_owner(c->conn, on_ready, c);
    arm(c, server->limits.header_deadline);
    if (excess)
        refuse(c, 503, "too many connections");
    run(c, RX_READABLE); /* often the request is there already */
}

int rx_http_take_over(struct rx_http_request *request, struct rx_http_taken *ret)
{
    struct http_connection *c = request->connection;
    if (!c || !flush(c))
        return -ECONNRESET;
    if (unsent(c))
        return -EAGAIN;
    *ret = (struct rx_http_taken){.conn = c->conn, .ahead_length = waiting(c)};
    if (ret->ahead_length) {
        ret->ahead = malloc(ret->ahead_length);
        if (!ret->ahead)
            return -EAGAIN;
        memcpy(ret->ahead, c->in.data + c->in_at, ret->ahead_length);
    }
    c->server->taken++;
    rx_conn_watch(c->conn, 0);
    rx_conn_set_owner(c->conn, NULL, NULL);
    c->incoming = NULL;
    finish(c);
    http_request_destroy(request);
    return 0;
}
