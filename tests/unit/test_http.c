// layer: io
/* The HTTP server, met with raw bytes: what is refused, the deadlines, the limits, take-over, and clients that leave. */
#include "core/io/http/http.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 16 };

static struct rx_loop *loop;
static struct rx_http_server *server;
static struct rx_http_request *held;
static char answer[ROOM];
static struct rx_conn *taken;
static int take_outcome;
static char taken_ahead[64];

static void say_hello(void *arg, struct rx_http_request *request)
{
    char text[256];
    const char *q = rx_http_query(request, "q");
    (void)arg;
    int length = snprintf(text, sizeof text, "tail=%s q=%s", rx_http_tail(request), q ? q : "none");
    rx_http_reply(request, 200, "text/plain", text, (size_t)length);
}

static void count_body(void *arg, struct rx_http_request *request)
{
    char text[32];
    size_t length;
    (void)arg;
    free(rx_http_body_take(request, &length));
    int n = snprintf(text, sizeof text, "%zu bytes", length);
    rx_http_reply(request, 200, "text/plain", text, (size_t)n);
}

static void hold(void *arg, struct rx_http_request *request)
{
    (void)arg;
    held = request;
}

static const size_t much = 3 << 20, more_than_the_kernel_takes = 24 << 20;

static void say_much(void *arg, struct rx_http_request *request)
{
    size_t length = *(const size_t *)arg;
    char *body = malloc(length);
    memset(body, 'x', length);
    rx_http_reply(request, 200, "text/plain", body, length);
    free(body);
}

static void take(void *arg, struct rx_http_request *request)
{
    struct rx_http_taken got = {0};
    (void)arg;
    take_outcome = rx_http_take_over(request, &got);
    taken = got.conn;
    snprintf(taken_ahead, sizeof taken_ahead, "%.*s", (int)got.ahead_length, got.ahead ? got.ahead : "");
    free(got.ahead);
    if (take_outcome)
        rx_http_reply_error(request, 503, "not now");
}

static void say_preference(void *arg, struct rx_http_request *request)
{
    const char *wanted = rx_http_accepts(request, "text/event-stream") ? "sse" : "other";
    (void)arg;
    rx_http_reply(request, 200, "text/plain", wanted, strlen(wanted));
}

static void say_accept_value(void *arg, struct rx_http_request *request)
{
    char value[29] = "no";
    (void)arg;
    rx_http_wants_websocket(request, value);
    rx_http_reply(request, 200, "text/plain", value, strlen(value));
}

static const char *const hello_parameters[] = {"q", "x", "flag", NULL};
static const struct rx_http_route routes[] = {
    {RX_HTTP_GET, "/hello", RX_HTTP_OPEN, hello_parameters, say_hello},
    {RX_HTTP_GET, "/hello/", RX_HTTP_OPEN, hello_parameters, say_hello},
    {RX_HTTP_POST | RX_HTTP_PUT, "/count", RX_HTTP_OPEN, NULL, count_body},
    {RX_HTTP_GET | RX_HTTP_POST, "/hold", RX_HTTP_OPEN, NULL, hold},
    {RX_HTTP_GET, "/take", RX_HTTP_OPEN, NULL, take},
    {RX_HTTP_GET, "/preference", RX_HTTP_OPEN, NULL, say_preference},
    {RX_HTTP_GET, "/accept", RX_HTTP_OPEN, NULL, say_accept_value},
};
static const struct rx_http_route much_route = {RX_HTTP_GET, "/much", RX_HTTP_OPEN, NULL, say_much};
static const struct rx_http_route huge_route = {RX_HTTP_GET, "/huge", RX_HTTP_OPEN, NULL, say_much};
static const char *const names[] = {"a", "host"}, *const friends[] = {"https://friend.example"};

static void listen_with(const struct rx_http_limits *limits)
{
    struct rx_error error;
    struct rx_http_limits l = limits ? *limits : (struct rx_http_limits){0};
    l.hosts = (struct rx_strings){names, 2};
    l.origins = (struct rx_strings){friends, 1};
    ck_assert_int_eq(rx_http_listen(loop, "127.0.0.1:0", &l, &server, &error), 0);
    ck_assert_int_eq(rx_http_routes(server, routes, sizeof routes / sizeof *routes, NULL), 0);
    ck_assert_int_eq(rx_http_routes(server, &much_route, 1, (void *)(uintptr_t)&much), 0);
    ck_assert_int_eq(rx_http_routes(server, &huge_route, 1, (void *)(uintptr_t)&more_than_the_kernel_takes), 0);
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    held = NULL;
    taken = NULL;
    take_outcome = 1;
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    listen_with(&(struct rx_http_limits){.max_header = 2048, .max_body = 1 << 20});
}

static void teardown(void)
{
    rx_http_destroy(server);
    rx_loop_destroy(loop);
}

/* The same server again, with other limits. */
static void limit(const struct rx_http_limits *limits)
{
    rx_http_destroy(server);
    listen_with(limits);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)rx_http_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void pump(void) { ck_assert_int_eq(rx_loop_once(loop, 5), 0); }

static void settle_down(void)
{
    for (int i = 0; i < 5; i++)
        rx_loop_once(loop, 0);
}

static void say_bytes(int fd, const char *bytes, size_t length)
{
    rx_time end = rx_loop_clock(loop) + 10 * RX_SEC;
    while (length > 0 && rx_loop_clock(loop) < end) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return; /* refused meanwhile */
        bytes += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
        rx_loop_once(loop, 0);
    }
}

static void say(int fd, const char *text) { say_bytes(fd, text, strlen(text)); }

/* Reads into `answer` until `enough` says so or the peer closes; answers whether it closed. */
static bool hear_until(int fd, bool (*enough)(const char *))
{
    size_t length = 0;
    rx_time end = rx_loop_clock(loop) + 10 * RX_SEC;
    answer[0] = 0;
    while (rx_loop_clock(loop) < end && !(enough && enough(answer))) {
        ssize_t n = recv(fd, answer + length, length < ROOM - 1 ? ROOM - 1 - length : 0, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        length += n > 0 ? (size_t)n : 0;
        answer[length] = 0;
        if (n < 0)
            pump();
    }
    return false;
}

static bool is_whole(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
    return body && (!length || strlen(body + 4) >= strtoul(length + 16, NULL, 10));
}

static void hear(int fd) { ck_assert(!hear_until(fd, is_whole)); }
static void hear_close(int fd) { ck_assert(hear_until(fd, NULL)); }
static int status(void) { return strncmp(answer, "HTTP/1.", 7) == 0 ? atoi(answer + 9) : 0; }
static const char *body(void)
{
    const char *at = strstr(answer, "\r\n\r\n");
    return at ? at + 4 : "";
}

/* One request on a connection of its own. */
static void ask(const char *text)
{
    int fd = dial();
    say(fd, text);
    hear(fd);
    close(fd);
    settle_down();
}

static const struct {
    const char *text;
    int status;
} refused[] = {
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\nhello", 501},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n", 501},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", 400},
    {"POST /count HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n", 400},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\nHost: a\n\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX: a\001b\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX: a\177b\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX: one\r\n two\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET /hello HTTP/1.1\r\nHost: u@a/x\r\n\r\n", 400},
    {"GET /he llo HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET\t/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello\r\n\r\n", 400},
    {"GET hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://[:: HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"POST http://[:: HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400},
    {"GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET //a/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /h\303\244 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello/%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello/%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello/%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello HTTP/1.1x\r\nHost: a\r\n\r\n", 400},
    {"GET /hello http/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"G(T /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"get /hello HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 400},
    {"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413},
    {"POST /count HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 5\r\n\r\nhello", 417},
};

START_TEST(a_request_that_could_be_misread_is_refused_and_the_connection_closed)
{
    int fd = dial();
    say(fd, refused[_i].text);
    hear_close(fd);
    ck_assert_msg(status() == refused[_i].status, "%s -> %s", refused[_i].text, answer);
    ck_assert_ptr_nonnull(strstr(answer, "Connection: close"));
    ck_assert_ptr_nonnull(strstr(body(), "\"detail\":\""));
    ck_assert_ptr_nonnull(strstr(answer, "Content-Type: application/problem+json\r\n"));
    ck_assert_ptr_null(strstr(body(), "\r\n")); /* the body was not read as a request */
    close(fd);
    ck_assert_uint_eq(rx_http_stats(server).refused, 1);
    ck_assert_uint_eq(rx_http_stats(server).requests, 0);
}
END_TEST

START_TEST(a_nul_in_the_header_is_refused)
{
    static const char text[] = "GET /hello HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    int fd = dial();
    say_bytes(fd, text, sizeof text - 1);
    hear_close(fd);
    ck_assert_int_eq(status(), 400);
    close(fd);
}
END_TEST

START_TEST(a_refusal_does_not_depend_on_how_the_bytes_arrive)
{
    int fd = dial();
    for (const char *c = refused[_i].text; *c; c++) {
        say_bytes(fd, c, 1);
        rx_loop_once(loop, 0);
    }
    hear_close(fd);
    ck_assert_msg(status() == refused[_i].status, "%s -> %s", refused[_i].text, answer);
    close(fd);
}
END_TEST

START_TEST(a_header_over_its_limit_is_431)
{
    char text[4096];
    int fd = dial();
    snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: a\r\nX: %03000d\r\n\r\n", 0);
    say(fd, text);
    hear_close(fd);
    ck_assert_int_eq(status(), 431);
    close(fd);
}
END_TEST

START_TEST(a_refusal_after_good_requests_does_not_lose_their_answers)
{
    int fd = dial();
    say(fd, "GET /hello/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello/2 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello/3\n\n");
    hear_close(fd);
    const char *first = strstr(answer, "tail=1"), *second = strstr(answer, "tail=2");
    ck_assert(first && second && first < second && strstr(second, "HTTP/1.1 400"));
    close(fd);
}
END_TEST

START_TEST(requests_are_answered_with_their_path_and_query_decoded)
{
    ask("GET /hello/a%20b%2Fc?x=1&q=1%2B1+%3D2&flag HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 200);
    ck_assert_str_eq(body(), "tail=a b/c q=1+1 =2");
    ask("GET http://host:80/hello HTTP/1.1\r\nHost: host\r\n\r\n");
    ck_assert_str_eq(body(), "tail= q=none");
    ask("\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 200);
    ck_assert_ptr_nonnull(strstr(answer, "Date: "));
}
END_TEST

START_TEST(many_requests_share_a_connection)
{
    int fd = dial();
    for (int i = 0; i < 20; i++) {
        say(fd, "GET /hello/x HTTP/1.1\r\nHost: a\r\n\r\n");
        hear(fd);
        ck_assert_str_eq(body(), "tail=x q=none");
        say(fd, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        hear(fd);
        ck_assert_str_eq(body(), "5 bytes");
    }
    ck_assert_uint_eq(rx_http_stats(server).connections, 1);
    ck_assert_uint_eq(rx_http_stats(server).requests, 40);
    close(fd);
}
END_TEST

START_TEST(a_request_in_single_bytes_is_one_request)
{
    int fd = dial();
    for (const char *c = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"; *c; c++)
        say_bytes(fd, c, 1);
    hear(fd);
    ck_assert_str_eq(body(), "5 bytes");
    close(fd);
}
END_TEST

START_TEST(a_body_as_large_as_the_limit_arrives_whole)
{
    size_t length = 1 << 20;
    char *bytes = calloc(1, length);
    for (int expects = 0; expects < 2; expects++) {
        int fd = dial();
        say(fd, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n");
        say(fd, expects ? "Expect: 100-continue\r\n\r\n" : "\r\n");
        if (expects) {
            hear(fd);
            ck_assert_int_eq(status(), 100);
        }
        say_bytes(fd, bytes, length);
        hear(fd);
        ck_assert_str_eq(body(), "1048576 bytes");
        close(fd);
    }
    free(bytes);
}
END_TEST

START_TEST(a_large_answer_arrives_whole_also_when_the_connection_then_closes)
{
    static const char *const requests[] = {"GET /much HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                                           "GET /much HTTP/1.0\r\n\r\n"};
    static char piece[ROOM];
    for (int i = 0; i < 2; i++) {
        int fd = dial();
        size_t total = 0;
        ssize_t n;
        say(fd, requests[i]);
        for (rx_time end = rx_loop_clock(loop) + 10 * RX_SEC; rx_loop_clock(loop) < end;) {
            n = recv(fd, piece, sizeof piece, 0);
            if (n == 0)
                break;
            total += n > 0 ? (size_t)n : 0;
            rx_loop_once(loop, n < 0 ? 5 : 0);
        }
        ck_assert_uint_gt(total, 3u << 20);
        ck_assert_uint_lt(total, (3u << 20) + 512);
        close(fd);
    }
}
END_TEST

START_TEST(head_has_the_length_of_get_and_no_body)
{
    int fd = dial();
    say(fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    hear_close(fd);
    ck_assert_int_eq(status(), 200);
    ck_assert_ptr_nonnull(strstr(answer, "Content-Length: 12\r\n"));
    ck_assert_str_eq(body(), "");
    close(fd);
}
END_TEST

START_TEST(http_1_0_is_answered_and_closed)
{
    int fd = dial();
    say(fd, "GET /hello HTTP/1.0\r\n\r\n");
    hear_close(fd);
    ck_assert_int_eq(status(), 200);
    ck_assert_str_eq(body(), "tail= q=none");
    close(fd);
}
END_TEST

START_TEST(unknown_paths_are_404_and_other_methods_405_with_allow)
{
    ask("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 404);
    ck_assert_str_eq(body(), "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                             "\"detail\":\"there is nothing at /nothing\"}\n");
    ask("GET /hello2 HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 404);
    ask("DELETE /count HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 405);
    ck_assert_ptr_nonnull(strstr(answer, "Allow: OPTIONS, POST, PUT\r\n"));
    ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 204);
}
END_TEST

START_TEST(accept_is_read_with_its_preferences)
{
    static const struct {
        const char *accept, *wanted;
    } cases[] = {{"text/event-stream", "sse"},
                 {"application/json, text/event-stream", "sse"},
                 {"application/json, text/event-stream;q=0.5", "other"},
                 {"application/json;q=0.4, text/event-stream;q=0.5", "sse"},
                 {"text/event-stream;q=0", "other"},
                 {"*/*", "other"},
                 {"text/event-stream-x", "other"},
                 {"TEXT/Event-Stream", "sse"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET /preference HTTP/1.1\r\nHost: a\r\nAccept: %s\r\n\r\n", cases[i].accept);
        ask(text);
        ck_assert_msg(strcmp(body(), cases[i].wanted) == 0, "%s -> %s", cases[i].accept, body());
    }
}
END_TEST

START_TEST(a_proper_upgrade_has_the_accept_value_of_the_rfc)
{
    ask("GET /accept HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    ck_assert_str_eq(body(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ask("GET /accept HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n");
    ck_assert_str_eq(body(), "no");
}
END_TEST

START_TEST(a_slow_header_is_closed_at_its_deadline_whatever_trickles_in)
{
    limit(&(struct rx_http_limits){.header_deadline = 60 * RX_MSEC});
    int fd = dial();
    rx_time end = rx_loop_clock(loop) + 5 * RX_SEC;
    say(fd, "GET /hello HTTP/1.1\r\nX: ");
    while (rx_http_stats(server).timed_out == 0 && rx_loop_clock(loop) < end) {
        say(fd, "x");
        pump();
    }
    hear_close(fd);
    ck_assert_int_eq(status(), 408);
    close(fd);
}
END_TEST

START_TEST(a_silent_connection_is_closed_at_the_header_deadline)
{
    limit(&(struct rx_http_limits){.header_deadline = 30 * RX_MSEC});
    int fd = dial();
    hear_close(fd);
    ck_assert_uint_eq(rx_http_stats(server).timed_out, 1);
    close(fd);
}
END_TEST

START_TEST(a_slow_body_is_closed_at_its_deadline)
{
    limit(&(struct rx_http_limits){.body_deadline = 60 * RX_MSEC});
    int fd = dial();
    rx_time end = rx_loop_clock(loop) + 5 * RX_SEC;
    say(fd, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    while (rx_http_stats(server).timed_out == 0 && rx_loop_clock(loop) < end) {
        say(fd, "x");
        pump();
    }
    hear_close(fd);
    ck_assert_int_eq(status(), 408);
    close(fd);
}
END_TEST

START_TEST(an_idle_connection_is_closed_at_its_deadline)
{
    limit(&(struct rx_http_limits){.idle_deadline = 40 * RX_MSEC});
    int fd = dial();
    say(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(fd);
    hear_close(fd);
    ck_assert_str_eq(answer, "");
    close(fd);
}
END_TEST

START_TEST(a_client_that_does_not_read_its_answer_is_dropped)
{
    limit(&(struct rx_http_limits){.body_deadline = 60 * RX_MSEC});
    int fd = dial();
    int small = 4096;
    rx_time end = rx_loop_clock(loop) + 8 * RX_SEC;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, "GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    do
        pump();
    while (rx_http_stats(server).open > 0 && rx_loop_clock(loop) < end);
    ck_assert_uint_eq(rx_http_stats(server).open, 0);
    close(fd);
}
END_TEST

START_TEST(an_answer_may_come_later)
{
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!held)
        pump();
    settle_down();
    ck_assert(!rx_http_gone(held));
    ck_assert_int_lt(recv(fd, answer, 1, 0), 0); /* the second request waits for its turn */
    rx_http_set_header(held, "X-Late", "yes");
    rx_http_reply(held, 202, "text/plain", "late", 4);
    hear(fd);
    ck_assert_int_eq(status(), 202);
    ck_assert_ptr_nonnull(strstr(answer, "X-Late: yes"));
    if (!strstr(answer, "tail="))
        hear(fd);
    ck_assert_ptr_nonnull(strstr(answer, "tail="));
    close(fd);
}
END_TEST

START_TEST(an_answer_to_a_client_that_left_is_a_no_op)
{
    struct linger hard = {.l_onoff = 1};
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!held)
        pump();
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    settle_down();
    ck_assert(rx_http_gone(held));
    ck_assert_str_eq(rx_http_path(held), "/hold");
    rx_http_reply(held, 200, "text/plain", "late", 4);
    settle_down();
    ck_assert_uint_eq(rx_http_stats(server).open, 0);
}
END_TEST

START_TEST(an_answer_after_the_server_is_gone_is_a_no_op)
{
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!held)
        pump();
    rx_http_destroy(server);
    ck_assert(rx_http_gone(held));
    rx_http_reply_error(held, 500, "late");
    listen_with(NULL);
    close(fd);
}
END_TEST

START_TEST(a_connection_taken_over_is_alive_and_ours)
{
    int fd = dial();
    say(fd, "GET /take HTTP/1.1\r\nHost: a\r\n\r\nahead");
    while (take_outcome > 0)
        pump();
    ck_assert_int_eq(take_outcome, 0);
    int taken_fd = rx_conn_fd(taken);
    ck_assert_str_eq(taken_ahead, "ahead");
    ck_assert_uint_eq(rx_http_stats(server).open, 1);
    settle_down();
    ck_assert_int_eq(send(taken_fd, "from us", 7, 0), 7);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&wait, 1, 5000), 1);
    ck_assert_int_eq(recv(fd, answer, ROOM, 0), 7);
    ck_assert_int_eq(send(fd, "to us", 5, 0), 5);
    wait.fd = taken_fd;
    ck_assert_int_eq(poll(&wait, 1, 5000), 1);
    ck_assert_int_eq(recv(taken_fd, answer, ROOM, 0), 5);
    rx_conn_close(taken);
    rx_http_release(server);
    ck_assert_uint_eq(rx_http_stats(server).open, 0);
    close(fd);
}
END_TEST

START_TEST(a_take_over_of_a_held_request_whose_client_left_says_so)
{
    struct linger hard = {.l_onoff = 1};
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!held)
        pump();
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    settle_down();
    take(NULL, held);
    ck_assert_int_eq(take_outcome, -ECONNRESET);
}
END_TEST

START_TEST(connections_beyond_the_cap_get_503_and_room_is_found_again)
{
    limit(&(struct rx_http_limits){.max_connections = 2});
    int a = dial(), b = dial();
    settle_down();
    int c = dial();
    say(c, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    hear_close(c);
    ck_assert_int_eq(status(), 503);
    ck_assert_ptr_nonnull(strstr(answer, "Retry-After: "));
    close(c);
    close(a);
    settle_down();
    ask("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 200);
    close(b);
}
END_TEST

START_TEST(without_descriptors_accepting_pauses_and_then_goes_on)
{
    struct rlimit files, few;
    int first = dial(), second = dial(), third = dial(); /* in the backlog until the loop turns */
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    int lowest = dup(0);
    close(lowest);
    few = files;
    few.rlim_cur = (rlim_t)lowest;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    uint64_t turns = rx_loop_turns(loop);
    struct timespec cpu_before, cpu_after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_before);
    for (rx_time end = rx_loop_clock(loop) + 300 * RX_MSEC; rx_loop_clock(loop) < end;)
        rx_loop_once(loop, 50);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_after);
    ck_assert_uint_lt(rx_loop_turns(loop) - turns, 60);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    close(first);
    close(second);
    say(third, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(third);
    ck_assert_int_eq(status(), 200);
    close(third);
}
END_TEST

START_TEST(some_descriptors_are_kept_free_and_who_would_take_them_is_told)
{
    struct rlimit files, few;
    int lowest = dup(0);
    close(lowest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    few = files;
    few.rlim_cur = (rlim_t)lowest + 3;
    int client = dial();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    hear_close(client);
    ck_assert_int_eq(status(), 503);
    ck_assert_ptr_nonnull(strstr(answer, "too many connections"));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    close(client);
    settle_down();
    ask("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(status(), 200);
}
END_TEST

static const struct {
    const char *body;
    int status;
    const char *said;
} chunked[] = {
    {"0\r\n\r\n", 200, "0 bytes"},
    {"5\r\nhello\r\n0\r\n\r\n", 200, "5 bytes"},
    {"00000005\r\nhello\r\nA;name=\"a b\"\r\n0123456789\r\n0\r\n\r\n", 200, "15 bytes"},
    {"1\r\na\r\n0\r\nX-Trailer: some text\r\nY:\r\n\r\n", 200, "1 bytes"},
    {"5\nhello\n0\n\n", 400, "chunk"},
    {"5\r\nhello0\r\n\r\n", 400, "chunk"},
    {"5\r\nhell\r\n0\r\n\r\n", 400, "chunk"},
    {"\r\n\r\n", 400, "chunk"},
    {"x\r\n\r\n", 400, "chunk"},
    {"-1\r\na\r\n0\r\n\r\n", 400, "chunk"},
    {"+1\r\na\r\n0\r\n\r\n", 400, "chunk"},
    {"0x1\r\na\r\n0\r\n\r\n", 400, "chunk"},
    {" 1\r\na\r\n0\r\n\r\n", 400, "chunk"},
    {"1 \r\na\r\n0\r\n\r\n", 400, "chunk"},
    {";\r\na\r\n0\r\n\r\n", 400, "chunk"},
    {"000000001\r\na\r\n0\r\n\r\n", 400, "chunk"},
    {"1;a=\001\r\na\r\n0\r\n\r\n", 400, "control byte"},
    {"1;a\nb\r\na\r\n0\r\n\r\n", 400, "control byte"},
    {"1\r\na\r\n0\r\n folded: x\r\n\r\n", 400, "chunk"},
    {"1\r\na\r\n0\r\nno colon\r\n\r\n", 400, "chunk"},
    {"1\r\na\r\n0\r\nX: a\nY: b\r\n\r\n", 400, "control byte"},
    {"100001\r\n", 413, "larger than the limit"},
    {"FFFFFFFF\r\n", 413, "larger than the limit"},
};

static void check_chunked(int i, const char *got)
{
    ck_assert_msg(status() == chunked[i].status && strstr(got, chunked[i].said), "%s -> %s", chunked[i].body, answer);
}

START_TEST(a_chunked_body_is_read_strictly_however_it_arrives)
{
    for (int slowly = 0; slowly < 2; slowly++) {
        int fd = dial();
        char text[512];
        snprintf(text, sizeof text, "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n%s",
                 chunked[_i].body);
        for (const char *c = text; slowly && *c; c++) {
            say_bytes(fd, c, 1);
            rx_loop_once(loop, 0);
        }
        if (!slowly)
            say(fd, text);
        hear(fd);
        check_chunked(_i, body());
        if (chunked[_i].status == 200) { /* and what is behind it is the next request */
            say(fd, "GET /hello/next HTTP/1.1\r\nHost: a\r\n\r\n");
            hear(fd);
            ck_assert_str_eq(body(), "tail=next q=none");
        }
        close(fd);
    }
}
END_TEST

START_TEST(extensions_and_trailers_of_chunks_are_bounded)
{
    static const char *const before[] = {"1;", "0\r\nX: ", "0\r\nX"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        int fd = dial();
        char text[8192];
        memset(text, 'x', sizeof text);
        say(fd, "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        say(fd, before[i]);
        say_bytes(fd, text, sizeof text);
        hear_close(fd);
        ck_assert_int_eq(status(), 431);
        close(fd);
    }
}
END_TEST

START_TEST(a_large_chunked_body_arrives_whole)
{
    enum { CHUNK = 65536, CHUNKS = 16 };
    static char data[CHUNK];
    int fd = dial();
    say(fd, "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < CHUNKS; i++) {
        say(fd, "10000\r\n");
        say_bytes(fd, data, sizeof data);
        say(fd, "\r\n");
    }
    say(fd, "0\r\n\r\n");
    hear(fd);
    ck_assert_str_eq(body(), "1048576 bytes");
    close(fd);
    settle_down();
    ck_assert_uint_eq(rx_http_stats(server).held, 0);
}
END_TEST

/* Bytes of all bodies: one client's, then everybody's. */
static int post_much(size_t length)
{
    char head[128];
    int fd = dial();
    char *bytes = calloc(1, length);
    snprintf(head, sizeof head, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", length + 1);
    say(fd, head);
    say_bytes(fd, bytes, length);
    free(bytes);
    settle_down();
    return fd;
}

START_TEST(the_bodies_of_a_client_and_of_all_are_bounded)
{
    enum { EACH = 600000 };
    for (int all = 0; all < 2; all++) {
        size_t most = 2 << 20;
        limit(&(struct rx_http_limits){
            .max_body = 1 << 20, .max_client_bodies = all ? 4 * most : most, .max_bodies = all ? most : 4 * most});
        int a = post_much(EACH), b = post_much(EACH), c = post_much(EACH);
        ck_assert_uint_gt(rx_http_stats(server).held, 3 * EACH - 1);
        ck_assert_uint_le(rx_http_stats(server).held, most);
        int d = post_much(EACH);
        hear_close(d);
        ck_assert_msg(status() == (all ? 503 : 429), "%s", answer);
        ck_assert_ptr_nonnull(strstr(answer, "Retry-After: "));
        close(a), close(b), close(c), close(d);
        settle_down();
        ck_assert_uint_eq(rx_http_stats(server).held, 0);
        d = post_much(EACH);
        say(d, "x");
        while (!held)
            pump();
        ck_assert_uint_ge(rx_http_stats(server).held, EACH); /* until it is answered */
        rx_http_reply(held, 204, NULL, NULL, 0);
        held = NULL;
        ck_assert_uint_eq(rx_http_stats(server).held, 0);
        close(d);
    }
}
END_TEST

static const struct {
    const char *host, *more;
    int status;
} guarded[] = {
    {"127.0.0.1", "", 200},
    {"127.0.0.1:8088", "", 200},
    {"192.168.1.20", "", 200},
    {"[::1]", "", 200},
    {"[fe80::1]:80", "", 200},
    {"localhost", "", 200},
    {"LocalHost:80", "", 200},
    {"app.localhost", "", 200},
    {"a", "", 200},
    {"A:123", "", 200},
    {"evil.example", "", 403},
    {"evil.example:80", "", 403},
    {"127.0.0.1.evil.example", "", 403},
    {"127.evil.example", "", 403},
    {"localhost.evil.example", "", 403},
    {"evillocalhost", "", 403},
    {".localhost.", "", 403},
    {"[::1].evil.example", "", 403},
    {"[::1", "", 403},
    {"2130706433", "", 403},
    {"127.1", "", 403},
    {"a:b", "", 403},
    {"", "", 403},
    {"evil.example", "Origin: http://evil.example\r\n", 403},
    {"localhost:80", "Origin: http://localhost:80\r\n", 200},
    {"localhost:80", "Origin: https://LOCALHOST:80\r\n", 200},
    {"localhost:80", "Origin: http://localhost:81\r\n", 403},
    {"localhost", "Origin: http://localhost.evil.example\r\n", 403},
    {"localhost", "Origin: null\r\n", 403},
    {"localhost", "Origin: \r\n", 403},
    {"localhost", "Origin: https://friend.example\r\n", 200},
    {"localhost", "Origin: http://friend.example\r\n", 403},
    {"localhost", "Origin: https://friend.example.evil\r\n", 403},
};

START_TEST(pages_of_other_sites_and_foreign_names_are_403)
{
    char text[256];
    snprintf(text, sizeof text, "GET /hello HTTP/1.1\r\nHost: %s\r\n%s\r\n", guarded[_i].host, guarded[_i].more);
    ask(text);
    ck_assert_msg(status() == guarded[_i].status, "%s -> %s", text, answer);
    ck_assert_msg(status() == 200 || strstr(body(), "http.hosts") || strstr(body(), "http.cors"), "%s", answer);
    bool friend = strstr(guarded[_i].more, "https://friend.example\r\n");
    ck_assert(friend == !!strstr(answer, "Access-Control-Allow-Origin: https://friend.example\r\n"));
    ck_assert(friend == !!strstr(answer, "Vary: Origin\r\n"));
    snprintf(text, sizeof text, "POST /count HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 500000\r\n\r\n",
             guarded[_i].host, guarded[_i].more);
    if (guarded[_i].status != 403)
        return;
    int fd = dial(); /* its body is not waited for */
    say(fd, text);
    hear_close(fd);
    ck_assert_int_eq(status(), 403);
    close(fd);
}
END_TEST

START_TEST(the_authority_of_an_absolute_target_is_the_host)
{
    ask("GET http://evil.example/hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert_int_eq(status(), 403);
    ask("GET http://localhost?q=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    ck_assert_int_eq(status(), 404);
    ask("GET /hello HTTP/1.0\r\n\r\n");
    ck_assert_int_eq(status(), 200);
}
END_TEST

START_TEST(a_page_of_an_allowed_site_may_ask_first)
{
    ask("OPTIONS /count HTTP/1.1\r\nHost: localhost\r\nOrigin: https://friend.example\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n");
    ck_assert_int_eq(status(), 204);
    ck_assert_ptr_nonnull(strstr(answer, "Access-Control-Allow-Methods: GET, HEAD, POST"));
    ck_assert_ptr_nonnull(strstr(answer, "Access-Control-Allow-Headers: Content-Type, Last-Event-ID\r\n"));
    ask("OPTIONS /count HTTP/1.1\r\nHost: localhost\r\nOrigin: https://foe.example\r\n"
        "Access-Control-Request-Method: POST\r\n\r\n");
    ck_assert_int_eq(status(), 403);
    ck_assert_ptr_null(strstr(answer, "Access-Control"));
}
END_TEST

START_TEST(a_parameter_that_the_route_does_not_have_is_400)
{
    static const struct {
        const char *target, *said;
    } cases[] = {
        {"/hello?p=1", "p: there is no such parameter"}, {"/hello?fla=1", "did you mean flag; there are q, x and flag"},
        {"/hello?q=1&q=2", "q: it is given twice"},      {"/hello?=1", "there is no such parameter"},
        {"/hello?%FF=1", "there is no such parameter"},  {"/much?q", "there are none here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].target);
        ask(text);
        ck_assert_msg(status() == 400 && strstr(body(), cases[i].said), "%s -> %s", cases[i].target, answer);
    }
    char text[1024] = "GET /hello?";
    for (int i = 0; i < 65; i++)
        strcat(text, "&x");
    strcat(text, " HTTP/1.1\r\nHost: a\r\n\r\n");
    ask(text);
    ck_assert_int_eq(status(), 400);
    ck_assert_ptr_nonnull(strstr(body(), "too many parameters"));
}
END_TEST

START_TEST(what_cannot_be_served_is_refused_before_its_body)
{
    static const struct {
        const char *line;
        int status;
    } cases[] = {{"POST /nothing", 404}, {"POST /hello", 405}, {"POST /count?x=1", 400}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        int fd = dial();
        snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n", cases[i].line);
        say(fd, text);
        hear_close(fd);
        ck_assert_msg(status() == cases[i].status, "%s -> %s", cases[i].line, answer);
        close(fd);
    }
}
END_TEST

enum { PIPELINED = 2500 };

static size_t answers_in(const char *text)
{
    size_t n = 0;
    while ((text = strstr(text, "HTTP/1.1 200"))) {
        text++;
        n++;
    }
    return n;
}

START_TEST(a_client_that_pipelines_thousands_keeps_nobody_waiting)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = dial(), other = dial();
    size_t length = PIPELINED * (sizeof request - 1), sent = 0, got = 0;
    char *all = malloc(length);
    bool answered = false;
    for (size_t i = 0; i < PIPELINED; i++)
        memcpy(all + i * (sizeof request - 1), request, sizeof request - 1);
    rx_time end = rx_loop_clock(loop) + 10 * RX_SEC;
    while (got < PIPELINED && rx_loop_clock(loop) < end) {
        ssize_t n = sent < length ? send(fd, all + sent, length - sent, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        if (got > 0 && !answered) {
            say(other, request);
            hear(other);
            ck_assert_uint_lt(got, PIPELINED / 2); /* served between them */
            answered = true;
        }
        rx_loop_once(loop, 0);
        while ((n = recv(fd, answer, ROOM - 1, 0)) > 0) {
            answer[n] = 0;
            for (ssize_t i = 0; i < n; i++)
                got += answer[i] == 'q'; /* once in each answer */
        }
    }
    ck_assert(answered);
    ck_assert_uint_eq(got, PIPELINED);
    ck_assert_uint_eq(rx_http_stats(server).requests, PIPELINED + 1);
    free(all);
    close(fd);
    close(other);
}
END_TEST

START_TEST(a_client_that_pipelines_and_does_not_read_is_not_read_either)
{
    int fd = dial();
    char request[] = "GET /huge HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < 20; i++)
        say(fd, request);
    for (int i = 0; i < 50; i++)
        rx_loop_once(loop, 0);
    ck_assert_uint_le(rx_http_stats(server).requests, 2); /* each answer is 24 MB */
    close(fd);
}
END_TEST

START_TEST(a_client_that_says_its_last_word_is_still_answered)
{
    int fd = dial();
    say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    while (!held)
        pump();
    settle_down();
    ck_assert(!rx_http_gone(held));
    uint64_t turns = rx_loop_turns(loop);
    for (rx_time end = rx_loop_clock(loop) + 50 * RX_MSEC; rx_loop_clock(loop) < end;)
        rx_loop_once(loop, 50);
    ck_assert_uint_lt(rx_loop_turns(loop) - turns, 20); /* waits, and does not spin */
    rx_http_reply(held, 200, "text/plain", "first", 5);
    hear_close(fd);
    const char *first = strstr(answer, "first"), *second = first ? strstr(first, "tail=") : NULL;
    ck_assert_ptr_nonnull(second);
    ck_assert_uint_eq(answers_in(answer), 2);
    close(fd);
}
END_TEST

START_TEST(http_1_0_is_kept_open_when_it_asks)
{
    int fd = dial();
    for (int i = 0; i < 2; i++) {
        say(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        hear(fd);
        ck_assert_int_eq(status(), 200);
        ck_assert_ptr_nonnull(strstr(answer, "Connection: keep-alive\r\n"));
    }
    close(fd);
}
END_TEST

START_TEST(a_drained_server_closes_what_is_idle_and_finishes_the_rest)
{
    int idle = dial(), busy = dial();
    say(idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(idle);
    settle_down();
    say(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    while (!held)
        pump();
    rx_http_drain(server);
    hear_close(idle);
    rx_http_reply(held, 200, "text/plain", "done", 4);
    hear_close(busy);
    ck_assert_str_eq(body(), "done");
    ck_assert_ptr_nonnull(strstr(answer, "Connection: close"));
    close(idle);
    close(busy);
}
END_TEST

enum { MANY = 2000 };

START_TEST(thousands_of_connections_come_and_go)
{
    static int fds[MANY];
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max < 5000 ? files.rlim_max : 5000;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * MANY + 300)
        return;
    limit(&(struct rx_http_limits){.max_connections = MANY});
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial();
        say(fds[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (int i = 0; i < MANY; i++) {
        hear(fds[i]);
        ck_assert_int_eq(status(), 200);
    }
    ck_assert_uint_eq(rx_http_stats(server).open, MANY);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    for (int i = 0; i < 1000 && rx_http_stats(server).open; i++)
        rx_loop_once(loop, 5);
    ck_assert_uint_eq(rx_http_stats(server).open, 0);
}
END_TEST

START_TEST(an_address_that_cannot_be_listened_on_is_explained)
{
    static const char *const bad[] = {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:80"};
    struct rx_http_server *other = NULL;
    struct rx_error error;
    char used[32];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(rx_http_listen(loop, bad[i], NULL, &other, &error) == -EINVAL, "%s", bad[i]);
    snprintf(used, sizeof used, "127.0.0.1:%u", rx_http_port(server));
    ck_assert_int_eq(rx_http_listen(loop, used, NULL, &other, &error), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(error.message, used));
    ck_assert_int_eq(rx_http_listen(loop, ":0", NULL, &other, &error), 0);
    rx_http_destroy(other);
}
END_TEST

static void add_tests(TCase *t)
{
    int refusals = sizeof refused / sizeof *refused;
    tcase_add_loop_test(t, a_request_that_could_be_misread_is_refused_and_the_connection_closed, 0, refusals);
    tcase_add_loop_test(t, a_refusal_does_not_depend_on_how_the_bytes_arrive, 0, refusals);
    tcase_add_test(t, a_nul_in_the_header_is_refused);
    tcase_add_test(t, a_header_over_its_limit_is_431);
    tcase_add_test(t, a_refusal_after_good_requests_does_not_lose_their_answers);
    tcase_add_test(t, requests_are_answered_with_their_path_and_query_decoded);
    tcase_add_test(t, many_requests_share_a_connection);
    tcase_add_test(t, a_request_in_single_bytes_is_one_request);
    tcase_add_test(t, a_body_as_large_as_the_limit_arrives_whole);
    tcase_add_test(t, a_large_answer_arrives_whole_also_when_the_connection_then_closes);
    tcase_add_test(t, head_has_the_length_of_get_and_no_body);
    tcase_add_test(t, http_1_0_is_answered_and_closed);
    tcase_add_test(t, unknown_paths_are_404_and_other_methods_405_with_allow);
    tcase_add_test(t, accept_is_read_with_its_preferences);
    tcase_add_test(t, a_proper_upgrade_has_the_accept_value_of_the_rfc);
    tcase_add_test(t, a_slow_header_is_closed_at_its_deadline_whatever_trickles_in);
    tcase_add_test(t, a_silent_connection_is_closed_at_the_header_deadline);
    tcase_add_test(t, a_slow_body_is_closed_at_its_deadline);
    tcase_add_test(t, an_idle_connection_is_closed_at_its_deadline);
    tcase_add_test(t, a_client_that_does_not_read_its_answer_is_dropped);
    tcase_add_test(t, an_answer_may_come_later);
    tcase_add_test(t, an_answer_to_a_client_that_left_is_a_no_op);
    tcase_add_test(t, an_answer_after_the_server_is_gone_is_a_no_op);
    tcase_add_test(t, a_connection_taken_over_is_alive_and_ours);
    tcase_add_test(t, a_take_over_of_a_held_request_whose_client_left_says_so);
    tcase_add_test(t, connections_beyond_the_cap_get_503_and_room_is_found_again);
    tcase_add_test(t, without_descriptors_accepting_pauses_and_then_goes_on);
    tcase_add_test(t, some_descriptors_are_kept_free_and_who_would_take_them_is_told);
    tcase_add_loop_test(t, a_chunked_body_is_read_strictly_however_it_arrives, 0, sizeof chunked / sizeof *chunked);
    tcase_add_test(t, extensions_and_trailers_of_chunks_are_bounded);
    tcase_add_test(t, a_large_chunked_body_arrives_whole);
    tcase_add_test(t, the_bodies_of_a_client_and_of_all_are_bounded);
    tcase_add_loop_test(t, pages_of_other_sites_and_foreign_names_are_403, 0, sizeof guarded / sizeof *guarded);
    tcase_add_test(t, the_authority_of_an_absolute_target_is_the_host);
    tcase_add_test(t, a_page_of_an_allowed_site_may_ask_first);
    tcase_add_test(t, a_parameter_that_the_route_does_not_have_is_400);
    tcase_add_test(t, what_cannot_be_served_is_refused_before_its_body);
    tcase_add_test(t, a_client_that_pipelines_thousands_keeps_nobody_waiting);
    tcase_add_test(t, a_client_that_pipelines_and_does_not_read_is_not_read_either);
    tcase_add_test(t, a_client_that_says_its_last_word_is_still_answered);
    tcase_add_test(t, http_1_0_is_kept_open_when_it_asks);
    tcase_add_test(t, a_drained_server_closes_what_is_idle_and_finishes_the_rest);
    tcase_add_test(t, thousands_of_connections_come_and_go);
    tcase_add_test(t, an_address_that_cannot_be_listened_on_is_explained);
}

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *t = tcase_create("http");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    add_tests(t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
