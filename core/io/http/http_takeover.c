/* Leaving evhttp: connections handed to others, and refusals that reach their client. */
#include "core/io/http/http_internal.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FAREWELLS = 256, MAX_DRAINED = 4 << 20 };
static const rx_time FAREWELL_TIME = 2 * RX_SEC;

/* What is left to say goes out; then the client's unread bytes are read away, lest closing resets the connection before
 * the answer was read. */
struct http_farewell {
    struct http_farewell *next, **link;
    struct rx_http_server *server;
    struct rx_watch *watch;
    struct evbuffer *output;
    struct rx_timer deadline;
    size_t drained;
    int fd;
};

/* evhttp closes its descriptor, and shuts the connection down before: /dev/null takes the blow. */
static int move_socket(struct http_connection *c)
{
    int fd = bufferevent_getfd(c->socket);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    bufferevent_disable(c->gate, EV_READ | EV_WRITE);
    bufferevent_disable(c->socket, EV_READ | EV_WRITE);
    c->stage = HTTP_STAGE_CLOSED;
    if (copy >= 0)
        dup3(c->server->spare, fd, O_CLOEXEC);
    return copy;
}

int http_detach(struct http_connection *c)
{
    struct evbuffer *output = bufferevent_get_output(c->socket);
    int fd = move_socket(c);
    evbuffer_unfreeze(output, 1);
    evbuffer_drain(output, evbuffer_get_length(output));
    bufferevent_trigger_event(c->gate, BEV_EVENT_EOF | BEV_EVENT_READING, 0);
    return fd;
}

static void drop(struct http_farewell *f)
{
    rx_sched_stop(rx_loop_sched(f->server->loop), &f->deadline);
    rx_watch_destroy(f->watch);
    evbuffer_free(f->output);
    close(f->fd);
    *f->link = f->next;
    if (f->next)
        f->next->link = f->link;
    f->server->farewell_count--;
    http_listener_resume(f->server);
    free(f);
}

static void on_farewell_deadline(struct rx_timer *timer)
{
    drop((void *)((char *)timer - offsetof(struct http_farewell, deadline)));
}

static void drain(struct http_farewell *f)
{
    static const size_t piece = 64 << 10;
    char bytes[4096];
    for (size_t n = 0; n < piece; n += sizeof bytes) {
        ssize_t got = recv(f->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        f->drained += got > 0 ? (size_t)got : 0;
        if (got <= 0 || f->drained > MAX_DRAINED) {
            drop(f);
            return;
        }
    }
}

static void set_deadline(struct http_farewell *f, rx_time delay)
{
    struct rx_sched *sched = rx_loop_sched(f->server->loop);
    rx_sched_arm(sched, &f->deadline, rx_loop_clock(f->server->loop) + delay);
}

static void on_ready(void *arg, int fd, unsigned events)
{
    struct http_farewell *f = arg;
    if (!(events & RX_WRITABLE)) {
        drain(f);
        return;
    }
    int written = evbuffer_write(f->output, fd);
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        drop(f);
        return;
    }
    if (evbuffer_get_length(f->output) > 0)
        return;
    shutdown(fd, SHUT_WR);
    rx_watch_set(f->watch, RX_READABLE);
    set_deadline(f, FAREWELL_TIME);
}

/* Owns `fd` from here on. The output is moved out of `output`. */
static void say(struct rx_http_server *server, int fd, struct evbuffer *output, rx_time limit)
{
    struct http_farewell *f = server->farewell_count < MAX_FAREWELLS ? calloc(1, sizeof *f) : NULL;
    if (f)
        f->output = evbuffer_new();
    if (!f || !f->output || evbuffer_add_buffer(f->output, output) ||
        rx_watch_create(server->loop, fd, RX_WRITABLE, on_ready, f, &f->watch)) {
        if (f && f->output)
            evbuffer_free(f->output);
        free(f);
        close(fd);
        return;
    }
    f->next = server->farewells;
    f->link = &server->farewells;
    f->server = server;
    f->fd = fd;
    f->deadline.fire = on_farewell_deadline;
    if (f->next)
        f->next->link = &f->next;
    server->farewells = f;
    server->farewell_count++;
    set_deadline(f, limit);
}

void http_farewell(struct rx_http_server *server, int fd, int status, const char *reason)
{
    struct evbuffer *text = evbuffer_new();
    if (!text) {
        close(fd);
        return;
    }
    evbuffer_add_printf(text,
                        "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s"
                        "Connection: close\r\n\r\n{\"error\":\"%s\"}\n",
                        status, http_status_phrase(status), strlen(reason) + 13,
                        status == 503 ? "Retry-After: 1\r\n" : "", reason);
    say(server, fd, text, FAREWELL_TIME);
    evbuffer_free(text);
}

/* A filter's output is written, to evhttp's mind, as soon as the socket's bufferevent has it: when evhttp closes then,
 * the rest of the answer is brought to its end here. */
void http_finish_output(struct http_connection *c)
{
    struct rx_http_server *server = c->server;
    struct evbuffer *output = bufferevent_get_output(c->socket);
    if (evbuffer_get_length(output) == 0)
        return;
    int fd = move_socket(c);
    evbuffer_unfreeze(output, 1);
    if (fd >= 0)
        say(server, fd, output, server->limits.body_deadline);
}

void http_farewell_drop_all(struct rx_http_server *server)
{
    while (server->farewells)
        drop(server->farewells);
}

/* Bytes that came after the request, which evhttp never saw. */
static char *copy_ahead(struct http_connection *c, size_t *ret_length)
{
    struct evbuffer *input = bufferevent_get_input(c->socket);
    size_t length = evbuffer_get_length(input);
    char *ahead = length ? malloc(length) : NULL;
    *ret_length = ahead ? length : 0;
    if (ahead)
        evbuffer_remove(input, ahead, length);
    return ahead;
}

static void on_take(struct rx_timer *timer)
{
    struct rx_http_request *request = (void *)((char *)timer - offsetof(struct rx_http_request, take));
    struct http_connection *c = request->connection;
    struct rx_http_server *server = request->server;
    size_t length = 0;
    char *ahead = c ? copy_ahead(c, &length) : NULL;
    int fd = -1, on = 1;
    if (c) {
        c->request = NULL;
        request->connection = NULL;
        fd = http_detach(c);
    }
    if (fd >= 0) {
        server->taken++;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    request->on_taken(request->taken_arg, fd, ahead, length);
    free(ahead);
    http_request_free(request);
}

int rx_http_take_over(struct rx_http_request *request, rx_http_taken on_taken, void *arg)
{
    struct rx_sched *sched = rx_loop_sched(request->loop);
    request->on_taken = on_taken;
    request->taken_arg = arg;
    request->take.fire = on_take;
    return rx_sched_arm(sched, &request->take, 0);
}

void rx_http_release(struct rx_http_server *server)
{
    if (server->taken)
        server->taken--;
    http_listener_resume(server);
}
