// layer: daemon
/* GET /streams and /streams/NAME: every form, every selection, and what is refused, over real sockets. */
#include "daemon/front/streams_private.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct rx_loop *loop;
static struct rx_http_server *http;
static struct rx_streams *streams;
static struct rx_log_writer *plain, *keyed;

static struct rx_log_writer *add_limited(const char *name, uint64_t generation, bool has_key,
                                         const struct rx_log_limits *limits)
{
    struct rx_log_writer *writer;
    struct rx_log *log;
    struct rx_stream_options options = {.limits = *limits, .keyed = has_key};
    ck_assert_int_eq(rx_log_create(generation, limits, &writer, &log), 0);
    rx_log_writer_set_inbox(writer, streams->inbox);
    ck_assert_int_eq(streams_add(streams, name, log, &options), 0);
    return writer;
}

static struct rx_log_writer *add_stream(const char *name, uint64_t generation, bool has_key, uint64_t history)
{
    return add_limited(name, generation, has_key, &(struct rx_log_limits){.max_frames = history});
}

static const struct rx_http_route routes[] = {
    {RX_HTTP_GET, "/streams", RX_HTTP_READ, NULL, rx_streams_answer_list},
    {RX_HTTP_GET, "/streams/", RX_HTTP_READ, rx_streams_parameters, rx_streams_answer},
};

static void start_within(const struct rx_http_limits *limits)
{
    struct rx_error error = {0};
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_msg(rx_http_listen(loop, "127.0.0.1:0", limits, &http, &error) == 0, "%s", error.message);
    ck_assert_int_eq(rx_streams_create(loop, http, NULL, &streams), 0);
    ck_assert_int_eq(rx_http_routes(http, routes, sizeof routes / sizeof *routes, streams), 0);
    plain = add_stream("plain", 9, false, 0);
    keyed = add_stream("device_avg", 7, true, 0);
}

static void start(void) { start_within(NULL); }

static void stop(void)
{
    rx_log_writer_destroy(plain);
    rx_log_writer_destroy(keyed);
    rx_streams_destroy(streams);
    rx_http_destroy(http);
    rx_loop_destroy(loop);
}

static void append_event(struct rx_log_writer *writer, const char *key, const char *json, const char *event)
{
    struct rx_frame f = {.json = json, .json_length = strlen(json), .key = key, .event = event};
    f.key_length = key ? strlen(key) : 0;
    f.time = 1700000000123 * RX_MSEC;
    ck_assert_int_eq(rx_log_append(writer, &f), 0);
    rx_log_publish(writer);
}

static void append(struct rx_log_writer *writer, const char *key, const char *json)
{
    append_event(writer, key, json, "message");
}

static void append_numbers(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%u}", i);
        append(plain, NULL, json);
    }
}

struct client {
    int fd;
    size_t length;
    bool eof;
    char data[16384];
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* How long to wait for what should take so long at the most: sanitizers make everything slower. */
static double patience(double at_most)
{
    const char *slowness = getenv("RXD_TEST_SLOWNESS");
    return at_most * (slowness ? atof(slowness) : 1);
}

static void turn(struct client *c)
{
    rx_loop_once(loop, 5);
    ssize_t n = recv(c->fd, c->data + c->length, sizeof c->data - 1 - c->length, MSG_DONTWAIT);
    c->eof = n == 0 || (n < 0 && errno == ECONNRESET);
    c->length += n > 0 ? (size_t)n : 0;
    c->data[c->length] = 0;
}

/* `headers` are whole lines. */
static struct client *ask(const char *path, const char *headers)
{
    struct client *c = calloc(1, sizeof *c);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)rx_http_port(http));
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(c->fd, (struct sockaddr *)&address, sizeof address), 0);
    char text[2048];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost:80\r\n%s\r\n", path, headers);
    ck_assert_int_eq(send(c->fd, text, (size_t)n, 0), n);
    return c;
}

static void leave(struct client *c)
{
    close(c->fd);
    free(c);
}

static void wait_for(struct client *c, const char *text)
{
    double deadline = seconds() + patience(10);
    while (!strstr(c->data, text)) {
        turn(c);
        ck_assert_msg(!c->eof && seconds() < deadline, "waited for %s in:\n%s", text, c->data);
    }
}

static void wait_for_end(struct client *c)
{
    double deadline = seconds() + patience(10);
    while (!c->eof) {
        turn(c);
        ck_assert_msg(seconds() < deadline, "waited for the end of:\n%s", c->data);
    }
}

/* The answer to a request that asks to close. Static. */
static const char *get_with(const char *path, const char *headers)
{
    static char answer[16384];
    char all[512];
    snprintf(all, sizeof all, "%sConnection: close\r\n", headers);
    struct client *c = ask(path, all);
    wait_for_end(c);
    memcpy(answer, c->data, sizeof answer);
    leave(c);
    return answer;
}

static void expect(const char *path, int status, const char *body)
{
    const char *answer = get_with(path, "");
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    ck_assert_msg(strncmp(answer, line, strlen(line)) == 0, "%s: %s", path, answer);
    const char *got = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(got);
    ck_assert_msg(strcmp(got + 4, body) == 0, "%s: %s", path, answer);
}

static void expect_refusal(const char *path, const char *headers, int status, const char *words)
{
    const char *answer = get_with(path, headers);
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    ck_assert_msg(strncmp(answer, line, strlen(line)) == 0 && strstr(answer, words), "%s: %s", path, answer);
}

#define SSE   "Accept: text/event-stream\r\n"
#define LINES "Accept: application/x-ndjson\r\n"
#define SOCKET                                                                                                         \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                                       \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define FRAME(n) "id: 9-" #n "\nevent: message\ndata: {\"n\":" #n "}\n\n"

START_TEST(the_list_is_sorted_and_says_what_each_stream_is)
{
    start();
    expect("/streams", 200,
           "{\"streams\":[{\"name\":\"device_avg\",\"rate\":0.0,\"events\":0,\"last_event_time\":null,\"keys\":0,"
           "\"subscribers\":0,\"dropped\":0,\"disconnected\":0,\"first_id\":null,\"last_id\":null},"
           "{\"name\":\"plain\",\"rate\":0.0,\"events\":0,\"last_event_time\":null,\"keys\":0,"
           "\"subscribers\":0,\"dropped\":0,\"disconnected\":0,\"first_id\":null,\"last_id\":null}]}\n");
    append(keyed, "\"a\"", "1");
    append(keyed, "\"b\"", "1");
    struct client *c = ask("/streams/device_avg?last=1", SSE);
    wait_for(c, "7-2");
    const char *answer = get_with("/streams", "");
    ck_assert_msg(strstr(answer, ",\"events\":2,\"last_event_time\":\"2023-11-14T22:13:20.123Z\",\"keys\":2,"
                                 "\"subscribers\":1,\"dropped\":0,\"disconnected\":0,\"first_id\":\"7-1\","
                                 "\"last_id\":\"7-2\"}"),
                  "%s", answer);
    ck_assert_msg(!strstr(answer, "\"device_avg\",\"rate\":0.0,"), "%s", answer);
    leave(c);
    stop();
}
END_TEST

START_TEST(json_is_the_latest_value_or_204)
{
    start();
    expect("/streams/plain", 204, "");
    append_numbers(1, 3);
    expect("/streams/plain", 200, "{\"n\":3}\n");
    expect("/streams/plain?filter=n%3C3", 200, "{\"n\":2}\n");
    expect("/streams/plain?filter=n%3E3", 204, "");
    append_event(plain, NULL, "{\"error\":\"x\"}", "error");
    expect("/streams/plain", 200, "{\"n\":3}\n");
    ck_assert_ptr_nonnull(strstr(get_with("/streams/plain", ""), "Rxd-Last-Id: 9-4\r\n"));
    stop();
}
END_TEST

START_TEST(json_with_keys_is_the_sorted_array_of_the_latest_of_each)
{
    start();
    expect("/streams/device_avg", 200, "[]\n");
    append(keyed, "\"b\"", "{\"v\":1}");
    append(keyed, "\"a\"", "{\"v\":2}");
    append(keyed, "\"b\"", "{\"v\":3}");
    append(keyed, "10", "{\"v\":4}");
    expect("/streams/device_avg", 200, "[{\"v\":4},{\"v\":2},{\"v\":3}]\n");
    expect("/streams/device_avg?key=b", 200, "[{\"v\":3}]\n");
    expect("/streams/device_avg?key=%22b%22", 200, "[{\"v\":3}]\n");
    expect("/streams/device_avg?key=10", 200, "[{\"v\":4}]\n");
    expect("/streams/device_avg?key=c", 200, "[]\n");
    expect("/streams/device_avg?filter=v+%3E+2", 200, "[{\"v\":4},{\"v\":3}]\n");
    stop();
}
END_TEST

START_TEST(json_history_is_an_array)
{
    start();
    append_numbers(1, 5);
    expect("/streams/plain?last=2", 200, "[{\"n\":4},{\"n\":5}]\n");
    expect("/streams/plain?last=0", 200, "[]\n");
    expect("/streams/plain?last=99", 200, "[{\"n\":1},{\"n\":2},{\"n\":3},{\"n\":4},{\"n\":5}]\n");
    expect("/streams/plain?last=2&filter=n%252==1", 200, "[{\"n\":3},{\"n\":5}]\n");
    expect("/streams/plain?since=9-3", 200, "[{\"n\":4},{\"n\":5}]\n");
    expect("/streams/plain?since=9-5", 200, "[]\n");
    append_event(plain, NULL, "{\"error\":\"x\"}", "error");
    append_numbers(7, 7);
    expect("/streams/plain?last=2", 200, "[{\"n\":5},{\"n\":7}]\n");
    ck_assert_ptr_nonnull(strstr(get_with("/streams/plain?since=8-3", ""), "Rxd-Missed: unknown\r\n"));
    stop();
}
END_TEST

START_TEST(json_history_says_how_many_frames_a_burst_cost)
{
    start();
    struct rx_log_writer *small = add_limited("small", 3, false, &(struct rx_log_limits){.max_bytes = 1});
    struct rx_frame f = {.json = "1", .json_length = 1};
    unsigned n = 0;
    while (rx_log_append(small, &f) == 0) {
        rx_log_publish(small);
        n++;
    }
    rx_log_append(small, &f);
    rx_log_publish(small);
    rx_loop_once(loop, 50);
    append(small, NULL, "{\"last\":true}");
    expect("/streams/small?last=2", 200, "[1,{\"last\":true}]\n");
    char path[64], events[64];
    snprintf(path, sizeof path, "/streams/small?since=3-%u", n);
    const char *answer = get_with(path, "");
    ck_assert_msg(strstr(answer, "Rxd-Missed: 2\r\n") && strstr(answer, "[{\"last\":true}]\n"), "%s", answer);
    snprintf(events, sizeof events, "\"name\":\"small\",\"rate\":");
    answer = get_with("/streams", "");
    ck_assert_ptr_nonnull(strstr(answer, events));
    snprintf(events, sizeof events, "\"events\":%u,", n + 1);
    ck_assert_msg(strstr(answer, events), "%s", answer);
    rx_log_writer_destroy(small);
    stop();
}
END_TEST

/* A condition that takes some thousands of steps for each frame. */
static const char *heavy_filter(const char *path)
{
    static char text[1024];
    char list[128] = "[1";
    for (unsigned i = 2; i <= 32; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), ",%u", i);
    snprintf(text, sizeof text, "%sfilter=%s].exists(a,%s].exists(b,a*b==n%%2B2000))", path, list, list);
    return text;
}

START_TEST(a_filter_over_history_has_its_budget_and_all_have_theirs)
{
    start();
    append_numbers(1, 2000);
    streams->filters.each = streams->filters.all = 1000000;
    expect_refusal(heavy_filter("/streams/plain?"), "", 429, "filter: it takes too much time");
    const char *answer;
    double deadline = seconds() + patience(20);
    do {
        answer = get_with(heavy_filter("/streams/plain?last=2000&"), SSE);
        ck_assert(seconds() < deadline);
    } while (strncmp(answer, "HTTP/1.1 429 ", 13) == 0);
    ck_assert_msg(strncmp(answer, "HTTP/1.1 503 ", 13) == 0, "%s", answer);
    ck_assert_ptr_nonnull(strstr(answer, "Retry-After: 1\r\n"));
    expect("/streams/plain?last=1", 200, "[{\"n\":2000}]\n");
    stop();
}
END_TEST

START_TEST(sse_is_live_and_history_comes_first_when_asked_for)
{
    start();
    append_numbers(1, 3);
    struct client *live = ask("/streams/plain", SSE), *last = ask("/streams/plain?last=2", SSE);
    wait_for(live, "\r\n\r\n");
    wait_for(last, FRAME(2) FRAME(3));
    append_numbers(4, 4);
    wait_for(live, "\r\n\r\n" FRAME(4));
    wait_for(last, "\r\n\r\n" FRAME(2) FRAME(3) FRAME(4));
    ck_assert_ptr_nonnull(strstr(live->data, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
    leave(live);
    leave(last);
    stop();
}
END_TEST

START_TEST(resuming_repeats_nothing_and_tells_of_gaps)
{
    start();
    append_numbers(1, 3);
    struct client *c = ask("/streams/plain", SSE "Last-Event-ID: 9-1\r\n");
    wait_for(c, "\r\n\r\n" FRAME(2) FRAME(3));
    leave(c);
    c = ask("/streams/plain?last=1", SSE "Last-Event-ID: 9-1\r\n");
    wait_for(c, "\r\n\r\n" FRAME(2) FRAME(3));
    leave(c);
    c = ask("/streams/plain?since=5-77", SSE);
    wait_for(c, "\r\n\r\nevent: gap\ndata: {\"missed\": null}\n\n" FRAME(1));
    leave(c);
    c = ask("/streams/plain?since=9-2", LINES);
    wait_for(c, "\r\n\r\n{\"n\":3}\n");
    leave(c);
    rx_log_writer_destroy(plain);
    rx_streams_remove(streams, "plain");
    plain = add_stream("plain", 9, false, 2);
    append_numbers(1, 9);
    c = ask("/streams/plain?since=9-2", SSE);
    wait_for(c, "\r\n\r\nevent: gap\ndata: {\"missed\": 5}\n\n" FRAME(8) FRAME(9));
    leave(c);
    stop();
}
END_TEST

START_TEST(a_web_socket_is_upgraded_and_gets_text_frames)
{
    start();
    append_numbers(1, 1);
    struct client *c = ask("/streams/plain?last=1", SOCKET);
    wait_for(c, "\r\n\r\n\x81\x07{\"n\":1}");
    ck_assert_ptr_nonnull(strstr(c->data, "HTTP/1.1 101 Switching Protocols\r\n"));
    ck_assert_ptr_nonnull(strstr(c->data, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    append_numbers(2, 2);
    wait_for(c, "\x81\x07{\"n\":2}");
    leave(c);
    c = ask("/streams/plain?last=1&filter=n==1", SOCKET "Origin: http://localhost:80\r\n");
    wait_for(c, "\r\n\r\n\x81\x07{\"n\":1}");
    leave(c);
    stop();
}
END_TEST

START_TEST(selections_apply_to_every_form)
{
    start();
    append(keyed, "\"a\"", "{\"v\":1}");
    append(keyed, "\"b\"", "{\"v\":2}");
    append(keyed, "\"a\"", "{\"v\":3}");
    struct client *c = ask("/streams/device_avg?key=a&last=9", LINES);
    wait_for(c, "\r\n\r\n{\"v\":1}\n{\"v\":3}\n");
    append(keyed, "\"b\"", "{\"v\":4}");
    append(keyed, "\"a\"", "{\"v\":5}");
    wait_for(c, "\r\n\r\n{\"v\":1}\n{\"v\":3}\n{\"v\":5}\n");
    leave(c);
    c = ask("/streams/device_avg?key=a&filter=v%3E1&last=1", SSE);
    wait_for(c, "\r\n\r\nid: 7-5\nevent: message\ndata: {\"v\":5}\n\n");
    leave(c);
    stop();
}
END_TEST

START_TEST(what_is_wrong_is_refused_in_a_sentence)
{
    start();
    expect_refusal("/streams/plan", "", 404, "did you mean \\\"plain\\\"?");
    expect_refusal("/streams/zzzzzzz", "", 404, "no stream is called \\\"zzzzzzz\\\"\"");
    expect_refusal("/streams/", "", 404, "no stream");
    expect_refusal("/streams/plain?last=x", "", 400, "last: ");
    expect_refusal("/streams/plain?last=-1", SSE, 400, "last: ");
    expect_refusal("/streams/plain?since=12", "", 400, "since: ");
    expect_refusal("/streams/plain?since=1-2&last=2", "", 400, "together");
    expect_refusal("/streams/plain?filter=n+%3E+%3E+3", LINES, 400, "filter: column 5: ");
    expect_refusal("/streams/plain?filter=", "", 400, "filter: ");
    expect_refusal("/streams/plain?filter=n%2B1", SSE, 400, "filter: not a condition");
    expect_refusal(
        "/streams/plain?last=1&filer=n", SSE, 400,
        "\"detail\":\"filer: there is no such parameter; did you mean filter; there are last, since, key, "
        "filter and meta\",\"parameter\":\"filer\",\"parameters\":[\"last\",\"since\",\"key\",\"filter\",\"meta\"]}\n");
    expect_refusal("/streams/plain?meta=yes", "", 400, "meta: \\\"yes\\\" is not 0 or 1");
    expect_refusal("/streams/plain?x=%FF&%FF=1", "", 400, "there is no such parameter");
    expect_refusal("/streams/plain?last=1&last=2", LINES, 400, "last: it is given twice");
    expect_refusal("/streams/plain?last=1e3", "", 400, "Content-Type: application/problem+json\r\n");
    expect_refusal("/streams/plain?last=10000001", "", 400, "from 0 to 10000000");
    expect_refusal("/streams/plain?filter=l.all(a,l.all(b,l.all(c,a*b*c>0)))", "", 400, "more than 100000 steps");
    expect_refusal("/streams/plain", "Upgrade: websocket\r\n", 426, "handshake");
    struct client *c = ask("/streams/plain", SOCKET "Origin: http://evil.example\r\n");
    wait_for(c, "pages of \\\"http://evil.example\\\" may not ask here");
    ck_assert_int_eq(strncmp(c->data, "HTTP/1.1 403 ", 13), 0);
    leave(c);
    stop();
}
END_TEST

START_TEST(a_completed_stream_ends_every_subscription)
{
    start();
    append_numbers(1, 1);
    append_event(plain, NULL, "{\"complete\":true}", "complete");
    struct client *c = ask("/streams/plain?last=5", SSE);
    wait_for_end(c);
    ck_assert_ptr_nonnull(strstr(c->data, FRAME(1) "id: 9-2\nevent: complete\ndata: {\"complete\":true}\n\n"));
    leave(c);
    c = ask("/streams/plain", LINES);
    wait_for_end(c);
    ck_assert_ptr_nonnull(strstr(c->data, "HTTP/1.1 200 OK"));
    leave(c);
    ck_assert_int_eq(strncmp(get_with("/streams/plain", SSE "Last-Event-ID: 9-2\r\n"), "HTTP/1.1 204 ", 13), 0);
    stop();
}
END_TEST

START_TEST(history_does_not_go_back_beyond_an_earlier_end)
{
    start();
    append_numbers(1, 2);
    append_event(plain, NULL, "{\"error\":\"x\"}", "error");
    append_numbers(4, 5);
    struct client *c = ask("/streams/plain?last=4", SSE);
    wait_for(c, "\r\n\r\n" FRAME(4) FRAME(5));
    leave(c);
    stop();
}
END_TEST

START_TEST(a_stream_that_is_removed_closes_its_subscribers)
{
    start();
    append_numbers(1, 1);
    struct client *c = ask("/streams/plain?last=1", SSE);
    wait_for(c, FRAME(1));
    rx_log_writer_destroy(plain);
    rx_streams_remove(streams, "plain");
    rx_streams_remove(streams, "plain");
    wait_for_end(c);
    leave(c);
    expect_refusal("/streams/plain", "", 404, "no stream");
    plain = add_stream("plain", 10, false, 0);
    expect("/streams/plain", 204, "");
    stop();
}
END_TEST

static void renew(void)
{
    rx_log_writer_destroy(plain);
    rx_streams_remove(streams, "plain");
    plain = add_stream("plain", 11, false, 0);
}

static void remove_now(void *arg, struct rx_http_request *request)
{
    (void)arg;
    renew();
    rx_http_reply(request, 200, "text/plain", "removed", 7);
}

START_TEST(a_stream_that_is_removed_while_a_connection_is_taken_over_is_closed)
{
    start();
    static const struct rx_http_route removal = {RX_HTTP_GET, "/remove", RX_HTTP_OPEN, NULL, remove_now};
    ck_assert_int_eq(rx_http_routes(http, &removal, 1, NULL), 0);
    for (unsigned i = 0; i < 20; i++) {
        struct client *c = ask("/streams/plain?filter=n%3E1", SSE), *d = ask("/remove", "Connection: close\r\n");
        wait_for_end(d);
        while (!c->eof) {
            turn(c);
            if (c->length)
                renew();
        }
        leave(c);
        leave(d);
    }
    stop();
}
END_TEST

START_TEST(draining_sends_what_is_there_and_ends)
{
    start();
    struct client *c = ask("/streams/plain", LINES);
    wait_for(c, "\r\n\r\n");
    append_numbers(1, 3);
    bool done = false;
    for (double deadline = seconds() + patience(10); !done && seconds() < deadline;) {
        done = rx_streams_drain(streams);
        turn(c);
    }
    ck_assert(done);
    ck_assert(c->eof);
    ck_assert_ptr_nonnull(strstr(c->data, "\r\n\r\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"));
    leave(c);
    stop();
}
END_TEST

START_TEST(subscribers_count_as_connections_and_give_way_when_they_leave)
{
    start_within(&(struct rx_http_limits){.max_connections = 3});
    struct client *c[] = {ask("/streams/plain", SSE), ask("/streams/plain", LINES), ask("/streams/plain", SOCKET)};
    for (unsigned i = 0; i < 3; i++)
        wait_for(c[i], "\r\n\r\n");
    expect_refusal("/streams/plain", SSE, 503, "Retry-After: 1\r\n");
    append_numbers(1, 1);
    for (unsigned i = 0; i < 3; i++)
        wait_for(c[i], "{\"n\":1}");
    leave(c[1]);
    double deadline = seconds() + 10;
    while (strncmp(get_with("/streams/plain?last=1", ""), "HTTP/1.1 200 ", 13) != 0)
        ck_assert(seconds() < deadline);
    leave(c[0]);
    leave(c[2]);
    stop();
}
END_TEST

/* On a thread of its own: some frames, from one acquisition to the release. */
struct turn_of_writing {
    unsigned from, to;
    int result;
};

static void *write_for_a_while(void *arg)
{
    struct turn_of_writing *t = arg;
    struct rx_log_writer *writer;
    t->result = rx_streams_acquire(streams, "kept", &(struct rx_stream_options){.limits.max_frames = 100}, &writer);
    for (unsigned i = t->from; t->result == 0 && i <= t->to; i++) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%u}", i);
        t->result = rx_log_append(writer, &(struct rx_frame){.json = json, .json_length = strlen(json)});
    }
    if (t->result == 0)
        rx_log_publish(writer);
    rx_streams_release(streams, "kept");
    return NULL;
}

static void write_elsewhere(unsigned from, unsigned to)
{
    struct turn_of_writing t = {.from = from, .to = to};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, write_for_a_while, &t), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(t.result, 0);
}

START_TEST(a_stream_goes_on_from_one_writer_to_the_next)
{
    start();
    write_elsewhere(1, 3);
    struct client *c = ask("/streams/kept?last=2", SSE);
    wait_for(c, "{\"n\":3}\n\n");
    write_elsewhere(4, 4);
    write_elsewhere(5, 7);
    wait_for(c, "{\"n\":7}\n\n");
    const char *at = strstr(c->data, "id: ");
    unsigned long long generation = strtoull(at + 4, NULL, 10);
    for (unsigned i = 2; i <= 7; i++) {
        char frame[100];
        snprintf(frame, sizeof frame, "id: %llu-%u\nevent: message\ndata: {\"n\":%u}\n\n", generation, i, i);
        ck_assert_msg(strncmp(at, frame, strlen(frame)) == 0, "%s", c->data);
        at += strlen(frame);
    }
    ck_assert_str_eq(at, "");
    expect("/streams/kept?last=3", 200, "[{\"n\":5},{\"n\":6},{\"n\":7}]\n");
    leave(c);
    stop();
}
END_TEST

START_TEST(a_stream_has_one_writer_at_a_time_and_goes_when_a_sweep_finds_none)
{
    start();
    struct rx_log_writer *writer, *other;
    ck_assert_int_eq(rx_streams_acquire(streams, "kept", &(struct rx_stream_options){.limits.max_frames = 5}, &writer),
                     0);
    ck_assert_int_eq(rx_streams_acquire(streams, "kept", &(struct rx_stream_options){0}, &other), -EBUSY);
    for (unsigned i = 0; i < 9; i++)
        append(writer, NULL, "1");
    rx_streams_sweep(streams);
    expect("/streams/kept?last=9", 200, "[1,1,1,1,1]\n");
    rx_streams_release(streams, "kept");
    ck_assert_int_eq(rx_streams_acquire(streams, "kept", &(struct rx_stream_options){.limits.max_frames = 2}, &other),
                     0);
    ck_assert_ptr_eq(writer, other);
    rx_streams_release(streams, "kept");
    expect("/streams/kept?last=9", 200, "[1,1]\n");
    struct client *c = ask("/streams/kept", SSE);
    wait_for(c, "200 OK");
    rx_streams_sweep(streams);
    wait_for_end(c);
    leave(c);
    expect_refusal("/streams/kept", "", 404, "no stream");
    expect("/streams/plain", 204, ""); /* its writer is not the registry's */
    stop();
}
END_TEST

START_TEST(ids_of_a_stream_that_comes_again_never_were)
{
    start();
    unsigned long long before = 0;
    for (unsigned i = 0; i < 5; i++) {
        write_elsewhere(1, 1);
        const char *id = strstr(get_with("/streams/kept", ""), "Rxd-Last-Id: ");
        unsigned long long generation = strtoull(id + strlen("Rxd-Last-Id: "), NULL, 10);
        ck_assert_uint_gt(generation, before);
        before = generation;
        rx_streams_sweep(streams);
    }
    stop();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("api_streams");
    TCase *t = tcase_create("api");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_list_is_sorted_and_says_what_each_stream_is);
    tcase_add_test(t, json_is_the_latest_value_or_204);
    tcase_add_test(t, json_with_keys_is_the_sorted_array_of_the_latest_of_each);
    tcase_add_test(t, json_history_is_an_array);
    tcase_add_test(t, json_history_says_how_many_frames_a_burst_cost);
    tcase_add_test(t, a_filter_over_history_has_its_budget_and_all_have_theirs);
    tcase_add_test(t, sse_is_live_and_history_comes_first_when_asked_for);
    tcase_add_test(t, resuming_repeats_nothing_and_tells_of_gaps);
    tcase_add_test(t, a_web_socket_is_upgraded_and_gets_text_frames);
    tcase_add_test(t, selections_apply_to_every_form);
    tcase_add_test(t, what_is_wrong_is_refused_in_a_sentence);
    tcase_add_test(t, a_completed_stream_ends_every_subscription);
    tcase_add_test(t, history_does_not_go_back_beyond_an_earlier_end);
    tcase_add_test(t, a_stream_that_is_removed_closes_its_subscribers);
    tcase_add_test(t, a_stream_that_is_removed_while_a_connection_is_taken_over_is_closed);
    tcase_add_test(t, draining_sends_what_is_there_and_ends);
    tcase_add_test(t, subscribers_count_as_connections_and_give_way_when_they_leave);
    tcase_add_test(t, a_stream_goes_on_from_one_writer_to_the_next);
    tcase_add_test(t, a_stream_has_one_writer_at_a_time_and_goes_when_a_sweep_finds_none);
    tcase_add_test(t, ids_of_a_stream_that_comes_again_never_were);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
