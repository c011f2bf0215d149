/* The gate: a bufferevent filter between socket and evhttp, through which whole, clean requests pass one by one.
 *
 * A header block is held back until it is complete and has passed the lint; its body follows, counted; what comes after
 * waits until the answer has been written. So evhttp never meets a byte that it could read in another way than the lint
 * did. Deadlines are absolute: a client that sends a byte now and then gains nothing by it. */
#include "core/io/http/http_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { DIRECT_READ = 256 << 10, READ_AHEAD = 64 << 10 };

static struct rx_sched *sched_of(struct http_connection *c) { return rx_loop_sched(c->server->loop); }

/* From the clock, not from the scheduler's now: evhttp's callbacks do not move the scheduler. */
static void arm_in(struct http_connection *c, struct rx_timer *timer, rx_time delay)
{
    rx_sched_arm(sched_of(c), timer, rx_loop_clock(c->server->loop) + delay);
}

static void enter(struct http_connection *c, enum http_stage stage)
{
    const struct rx_http_limits *limits = &c->server->limits;
    c->stage = stage;
    switch (stage) {
    case HTTP_STAGE_IDLE:
        arm_in(c, &c->deadline, limits->idle_deadline);
        break;
    case HTTP_STAGE_HEAD:
        arm_in(c, &c->deadline, limits->header_deadline);
        break;
    case HTTP_STAGE_BODY:
        arm_in(c, &c->deadline, limits->body_deadline);
        break;
    default:
        rx_sched_stop(sched_of(c), &c->deadline);
    }
}

/* Not at once: evhttp is somewhere up the stack. */
static void refuse_soon(struct http_connection *c, int status, const char *reason)
{
    enter(c, HTTP_STAGE_CLOSED);
    c->refusal = status;
    c->refusal_reason = reason;
    rx_sched_arm(sched_of(c), &c->soon, 0);
}

/* evhttp dispatches within this turn, unless it sees an error where the lint saw none. */
static void expect_dispatch(struct http_connection *c)
{
    refuse_soon(c, 400, "the request was not understood");
    c->stage = HTTP_STAGE_ANSWER;
}

void http_gate_dispatched(struct http_connection *c)
{
    c->refusal = 0;
    rx_sched_stop(sched_of(c), &c->soon);
}

void http_gate_forget(struct http_connection *c)
{
    if (!c->server)
        return;
    rx_sched_stop(sched_of(c), &c->deadline);
    rx_sched_stop(sched_of(c), &c->soon);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->stage = HTTP_STAGE_CLOSED;
    struct rx_http_server *server = c->server;
    if (c->known_fd >= 0 && server->by_fd[c->known_fd] == c)
        server->by_fd[c->known_fd] = NULL;
    c->server = NULL;
    server->stats.open--;
    http_listener_resume(server);
}

/* evhttp frees its connection when told that the client has left. */
static void close_now(struct http_connection *c)
{
    c->stage = HTTP_STAGE_CLOSED;
    bufferevent_trigger_event(c->gate, BEV_EVENT_EOF | BEV_EVENT_READING, 0);
}

static void refuse_now(struct http_connection *c)
{
    struct rx_http_server *server = c->server;
    int status = c->refusal;
    const char *reason = c->refusal_reason;
    int fd = http_detach(c);
    server->stats.refused++;
    if (fd >= 0)
        http_farewell(server, fd, status, reason);
}

static void on_deadline(struct rx_timer *timer)
{
    struct http_connection *c = (void *)((char *)timer - offsetof(struct http_connection, deadline));
    c->server->stats.timed_out++;
    if (c->stage == HTTP_STAGE_IDLE || c->stage == HTTP_STAGE_ANSWER) {
        close_now(c);
        return;
    }
    c->refusal = 408;
    c->refusal_reason = c->stage == HTTP_STAGE_HEAD ? "the header took too long" : "the body took too long";
    refuse_now(c);
}

/* After an answer: what has arrived meanwhile is the next request. */
static void go_on(struct http_connection *c)
{
    c->flushing = evbuffer_get_length(bufferevent_get_output(c->socket)) > 0;
    if (c->flushing)
        return;
    enter(c, HTTP_STAGE_IDLE);
    if (c->server->draining) {
        close_now(c);
        return;
    }
    if (evbuffer_get_length(bufferevent_get_input(c->socket)) == 0)
        return;
    bufferevent_flush(c->gate, EV_READ, BEV_NORMAL);
    if (c->server && evbuffer_get_length(bufferevent_get_input(c->gate)) > 0)
        bufferevent_trigger(c->gate, EV_READ, BEV_TRIG_IGNORE_WATERMARKS);
}

static void on_soon(struct rx_timer *timer)
{
    struct http_connection *c = (void *)((char *)timer - offsetof(struct http_connection, soon));
    if (c->refusal)
        refuse_now(c);
    else
        go_on(c);
}

static bool make_known(struct http_connection *c)
{
    struct rx_http_server *server = c->server;
    int fd = bufferevent_getfd(c->socket);
    if ((size_t)fd >= server->by_fd_size) {
        size_t size = (size_t)fd * 2 + 64;
        struct http_connection **table = realloc(server->by_fd, size * sizeof *table);
        if (!table)
            return false;
        memset(table + server->by_fd_size, 0, (size - server->by_fd_size) * sizeof *table);
        server->by_fd = table;
        server->by_fd_size = size;
    }
    server->by_fd[fd] = c;
    c->known_fd = fd;
    return true;
}

static enum bufferevent_filter_result pass_head(struct http_connection *c, struct evbuffer *from, struct evbuffer *to)
{
    size_t have = evbuffer_get_length(from), limit = c->server->limits.max_header;
    size_t length = have < limit ? have : limit;
    const char *text = (const char *)evbuffer_pullup(from, (ev_ssize_t)length);
    long head_length = text ? http_head_scan(text, length, &c->scanned) : 0;
    struct http_head head = {0};
    if (head_length > 0)
        http_head_lint(text, (size_t)head_length, c->server->limits.max_body, &head);
    else if (head_length < 0)
        head = (struct http_head){.status = 400, .reason = "a control byte or a bare line end in the header"};
    else if (have >= limit)
        head = (struct http_head){.status = 431, .reason = "the header is larger than the limit"};
    if (head_length > 0 && !head.status && !make_known(c))
        head = (struct http_head){.status = 503, .reason = "out of memory"};
    if (head.status)
        refuse_soon(c, head.status, head.reason);
    if (head.status || head_length == 0)
        return BEV_NEED_MORE;
    evbuffer_remove_buffer(from, to, (size_t)head_length);
    c->body_left = head.body_length;
    if (c->body_left)
        enter(c, HTTP_STAGE_BODY);
    else
        expect_dispatch(c);
    return BEV_OK;
}

/* libevent reads 4 KiB a call; a large body comes straight from the socket in larger pieces. */
static void read_directly(struct http_connection *c, struct evbuffer *to)
{
    struct evbuffer_iovec space;
    size_t want = c->body_left < DIRECT_READ ? c->body_left : DIRECT_READ;
    if (want < READ_AHEAD || evbuffer_reserve_space(to, (ev_ssize_t)want, &space, 1) != 1)
        return;
    ssize_t n = recv(bufferevent_getfd(c->socket), space.iov_base, want, MSG_DONTWAIT);
    space.iov_len = n > 0 ? (size_t)n : 0;
    evbuffer_commit_space(to, &space, 1);
    c->body_left -= space.iov_len;
}

static enum bufferevent_filter_result pass_body(struct http_connection *c, struct evbuffer *from, struct evbuffer *to)
{
    int moved = evbuffer_remove_buffer(from, to, c->body_left);
    c->body_left -= moved > 0 ? (size_t)moved : 0;
    if (c->body_left && evbuffer_get_length(from) == 0)
        read_directly(c, to);
    if (c->body_left == 0)
        expect_dispatch(c);
    return BEV_OK;
}

static void begin_head(struct http_connection *c, struct evbuffer *from)
{
    char start[2];
    int on = 1;
    if (evbuffer_copyout(from, start, 2) == 2 && memcmp(start, "\r\n", 2) == 0)
        evbuffer_drain(from, 2); /* RFC 9112, 2.2: one empty line before a request is forgiven */
    c->scanned = 0;
    if (c->stage == HTTP_STAGE_IDLE)
        enter(c, HTTP_STAGE_HEAD);
    setsockopt(bufferevent_getfd(c->socket), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static enum bufferevent_filter_result pass(struct evbuffer *from, struct evbuffer *to, ev_ssize_t limit,
                                           enum bufferevent_flush_mode mode, void *arg)
{
    struct http_connection *c = arg;
    (void)limit, (void)mode;
    if (!c->server || evbuffer_get_length(from) == 0)
        return BEV_NEED_MORE;
    if (c->stage == HTTP_STAGE_IDLE || (c->stage == HTTP_STAGE_HEAD && c->scanned == 0))
        begin_head(c, from);
    if (c->stage == HTTP_STAGE_HEAD)
        return pass_head(c, from, to);
    if (c->stage == HTTP_STAGE_BODY)
        return pass_body(c, from, to);
    if (c->stage == HTTP_STAGE_CLOSED)
        evbuffer_drain(from, evbuffer_get_length(from));
    return BEV_NEED_MORE;
}

/* The filter does not look at its output when it is enabled, which evhttp does last. */
void http_gate_answering(struct http_connection *c)
{
    arm_in(c, &c->deadline, c->server->limits.body_deadline);
    bufferevent_flush(c->gate, EV_WRITE, BEV_NORMAL);
}

void http_gate_answered(struct evhttp_request *request, void *arg)
{
    struct http_connection *c = arg;
    (void)request;
    if (c->server)
        rx_sched_arm(sched_of(c), &c->soon, 0);
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_connection *c = arg;
    (void)info;
    if (c->server && c->flushing && evbuffer_get_length(output) == 0)
        rx_sched_arm(sched_of(c), &c->soon, 0);
}

/* The last of a connection: its filter is gone. */
static void finish(void *arg)
{
    struct http_connection *c = arg;
    http_gate_forget(c);
    free(c);
}

static struct http_connection *connect_to(struct rx_http_server *server)
{
    struct http_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct http_connection){
        .next = server->connections, .link = &server->connections, .server = server, .known_fd = -1};
    c->deadline.fire = on_deadline;
    c->soon.fire = on_soon;
    if (c->next)
        c->next->link = &c->next;
    server->connections = c;
    server->stats.connections++;
    server->stats.open++;
    return c;
}

/* NULL makes evhttp use a plain bufferevent without lint: only for want of memory, and then http_gate_of finds no
 * connection and the request is refused at dispatch. */
struct bufferevent *http_gate_create(struct event_base *base, void *arg)
{
    struct rx_http_server *server = arg;
    struct http_connection *c = connect_to(server);
    struct bufferevent *socket = c ? bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE) : NULL;
    struct bufferevent *gate = NULL;
    if (socket)
        gate = bufferevent_filter_new(socket, pass, NULL, BEV_OPT_CLOSE_ON_FREE, finish, c);
    if (!gate) {
        if (socket)
            bufferevent_free(socket);
        if (c)
            finish(c);
        return NULL;
    }
    c->socket = socket;
    c->gate = gate;
    evbuffer_add_cb(bufferevent_get_output(socket), on_output, c);
    bufferevent_setwatermark(socket, EV_READ, 0, server->limits.max_header + READ_AHEAD);
    enter(c, HTTP_STAGE_HEAD);
    if (server->stats.open + server->taken > server->limits.max_connections)
        refuse_soon(c, 503, "too many connections");
    http_listener_check(server);
    return gate;
}

/* evhttp shows a bufferevent, and that shows a descriptor. */
struct http_connection *http_gate_of(struct rx_http_server *server, struct bufferevent *gate)
{
    int fd = bufferevent_getfd(gate);
    struct http_connection *c = fd >= 0 && (size_t)fd < server->by_fd_size ? server->by_fd[fd] : NULL;
    return c && c->gate == gate ? c : NULL;
}

void http_gate_drain(struct http_connection *c)
{
    if (c->stage == HTTP_STAGE_IDLE || (c->stage == HTTP_STAGE_HEAD && c->scanned == 0))
        close_now(c);
}
