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
static int taken_fd;
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

static void say_much(void *arg, struct rx_http_request *request)
{
    size_t length = 3 << 20;
    char *body = malloc(length);
    (void)arg;
    memset(body, 'x', length);
    rx_http_reply(request, 200, "text/plain", body, length);
    free(body);
}

static void note_taken(void *arg, int fd, const char *ahead, size_t length)
{
    (void)arg;
    taken_fd = fd;
    snprintf(taken_ahead, sizeof taken_ahead, "%.*s", (int)length, length ? ahead : "");
}

static void take(void *arg, struct rx_http_request *request)
{
    (void)arg;
    ck_assert_int_eq(rx_http_take_over(request, note_taken, NULL), 0);
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

static void listen_with(const struct rx_http_limits *limits)
{
    struct rx_error error;
    ck_assert_int_eq(rx_http_listen(loop, "127.0.0.1:0", limits, &server, &error), 0);
    rx_http_route(server, RX_HTTP_GET, "/hello", say_hello, NULL);
    rx_http_route(server, RX_HTTP_GET, "/hello/", say_hello, NULL);
    rx_http_route(server, RX_HTTP_POST | RX_HTTP_PUT, "/count", count_body, NULL);
    rx_http_route(server, RX_HTTP_GET, "/hold", hold, NULL);
    rx_http_route(server, RX_HTTP_GET, "/much", say_much, NULL);
    rx_http_route(server, RX_HTTP_GET, "/take", take, NULL);
    rx_http_route(server, RX_HTTP_GET, "/preference", say_preference, NULL);
    rx_http_route(server, RX_HTTP_GET, "/accept", say_accept_value, NULL);
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    held = NULL;
    taken_fd = -2;
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
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\nhello", 411},
    {"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", 411},
    {"POST /count HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411},
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
    ck_assert_ptr_nonnull(strstr(body(), "{\"error\":\""));
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
    ask("GET /hello/a%20b%2Fc?x=1&q=1%2B1+%3D2&q=second&flag HTTP/1.1\r\nHost: a\r\n\r\n");
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
    say(fd, "GET /much HTTP/1.1\r\nHost: a\r\n\r\n");
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
    while (taken_fd == -2)
        pump();
    ck_assert_int_ge(taken_fd, 0);
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
    close(taken_fd);
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
    ck_assert_int_eq(rx_http_take_over(held, note_taken, NULL), 0);
    rx_http_destroy(server);
    listen_with(NULL);
    settle_down();
    ck_assert_int_eq(taken_fd, -1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
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
    few.rlim_cur = (rlim_t)lowest + 2;
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
