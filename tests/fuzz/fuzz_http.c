// layer: io
/* Raw bytes to the HTTP parser, which must read them alike however they arrive, and to the server over a loopback
 * connection: every request is answered or the connection closed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io/http/http.h"
#include "core/io/http/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rx_loop *loop;
static struct rx_http_server *server;

static void on_request(void *arg, struct rx_http_request *request)
{
    char accept_value[29];
    size_t length;
    (void)arg;
    free(rx_http_body_take(request, &length));
    rx_http_query(request, "b");
    struct rx_http_taken taken;
    if (rx_http_wants_websocket(request, accept_value) && rx_http_take_over(request, &taken) == 0) {
        rx_conn_close(taken.conn);
        free(taken.ahead);
        rx_http_release(server);
        return;
    }
    rx_http_reply(request, rx_http_accepts(request, "text/event-stream") ? 200 : 404, "text/plain", "ok", 2);
}

enum { MAX_HEADER = 2048, MAX_BODY = 4096 };

struct outcome {
    unsigned requests;
    int status; /* of the refusal that ended it */
    uint64_t hash;
};

static void mix(struct outcome *o, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        o->hash = (o->hash ^ (unsigned char)data[i]) * 0x100000001B3u;
}

/* What the parser makes of bytes that come `step` at a time. */
struct reading {
    struct outcome outcome;
    struct http_body body;
    size_t at, scanned;
    bool in_body;
};

static bool read_head(struct reading *r, const char *data, size_t have)
{
    size_t length = have - r->at < MAX_HEADER ? have - r->at : MAX_HEADER;
    struct http_head head;
    long n = http_head_scan(data + r->at, length, &r->scanned);
    if (n < 0 || (n == 0 && length == MAX_HEADER))
        r->outcome.status = n < 0 ? 400 : 431;
    if (n <= 0)
        return false;
    http_head_read(data + r->at, (size_t)n, MAX_BODY, &head);
    r->outcome.status = head.status;
    if (head.status)
        return false;
    for (unsigned i = 0; i < head.field_count; i++)
        mix(&r->outcome, head.fields[i].value.at, head.fields[i].value.length);
    mix(&r->outcome, head.path.at, head.path.length);
    r->outcome.requests++;
    r->at += (size_t)n;
    r->scanned = 0;
    http_body_begin(&r->body, &head, MAX_BODY);
    r->in_body = true;
    return true;
}

static bool read_body(struct reading *r, const char *data, size_t have)
{
    struct http_text piece;
    size_t used = http_body_feed(&r->body, data + r->at, have - r->at, &piece);
    mix(&r->outcome, piece.at, piece.length);
    r->at += used;
    r->outcome.status = r->body.status;
    r->in_body = !http_body_whole(&r->body);
    return !r->body.status && (used || !r->in_body);
}

static struct outcome read_in_steps(const char *data, size_t size, size_t step)
{
    struct reading r = {0};
    for (size_t have = 0; have < size && !r.outcome.status;) {
        have += step < size - have ? step : size - have;
        while (r.at < have && (r.in_body ? read_body(&r, data, have) : read_head(&r, data, have)))
            ;
    }
    return r.outcome;
}

static void compare_steps(const char *data, size_t size)
{
    struct outcome whole = read_in_steps(data, size, size);
    for (size_t step = 1; step < size; step = step * 2 + 1) {
        struct outcome cut = read_in_steps(data, size, step);
        if (cut.requests != whole.requests || cut.status != whole.status || cut.hash != whole.hash)
            abort();
    }
}

static void start(void)
{
    struct rx_error error;
    struct rx_http_limits limits = {.max_header = MAX_HEADER, .max_body = MAX_BODY};
    if (rx_loop_create(&loop) < 0 || rx_http_listen(loop, "127.0.0.1:0", &limits, &server, &error) < 0)
        abort();
    static const char *const parameters[] = {"a", "b", NULL};
    static const struct rx_http_route everything = {0x3F, "/", RX_HTTP_OPEN, parameters, on_request};
    if (rx_http_routes(server, &everything, 1, NULL) < 0)
        abort();
}

/* The fuzzer's own alarm interrupts it now and then: it goes on by itself, and is waited for. */
static bool connects(int fd, const struct sockaddr_in *to)
{
    int code = 0;
    socklen_t size = sizeof code;
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
        return true;
    if (errno != EINTR)
        return false;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code == 0;
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)rx_http_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || !connects(fd, &to)) {
        perror("dial");
        abort();
    }
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!loop)
        start();
    compare_steps((const char *)data, size);
    int fd = dial();
    if (size && send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        size = 0;
    for (int i = 0; i < 4; i++)
        rx_loop_once(loop, 0);
    close(fd);
    for (int i = 0; i < 3; i++)
        rx_loop_once(loop, 0);
    return 0;
}
