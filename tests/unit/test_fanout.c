// layer: io
/* Fan-out of a served stream: every subscriber gets every frame exactly once, in order, or is told. */
#include "core/base/buffer.h"
#include "core/io/serve/fanout.h"
#include "core/io/serve/stream_inbox.h"
#include "core/value/heap.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct rx_loop *loop;
static struct rx_log_writer *writer;
static struct rx_log *log_;
static struct rx_fanouts *fanouts;
static struct rx_fanout *fanout;
static struct rx_heap *heap;
static struct rx_selections *selections;
static struct rx_filter_budget budget;
static unsigned closed;

struct client {
    int fd;
    char *data;
    size_t length, capacity;
    bool eof;
};

static void start(const struct rx_log_limits *limits, const struct rx_fanout_options *options)
{
    closed = 0;
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_int_eq(rx_log_create(7, limits, &writer, &log_), 0);
    ck_assert_int_eq(rx_fanouts_create(loop, options, &fanouts), 0);
    ck_assert_int_eq(rx_fanout_create(fanouts, log_, RX_SLOW_SKIP, &fanout), 0);
    heap = rx_heap_create(NULL);
    budget = (struct rx_filter_budget){.sched = rx_loop_sched(loop)};
    selections = rx_selections_create(heap, &budget);
}

static void stop(void)
{
    rx_fanout_destroy(fanout);
    rx_fanouts_destroy(fanouts);
    rx_selections_destroy(selections);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
    ck_assert_uint_eq(rx_log_orphan_bytes(log_), 0);
    rx_log_writer_destroy(writer);
    rx_log_destroy(log_);
    rx_loop_destroy(loop);
}

static void on_closed(void *arg)
{
    (void)arg;
    closed++;
}

static struct client subscribe_as(struct rx_subscription s, int buffer)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    if (buffer) {
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
        setsockopt(pair[1], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    ck_assert_int_eq(rx_conn_of_fd(loop, pair[0], &s.conn), 0);
    s.on_closed = on_closed;
    s.cursor = s.cursor ? s.cursor : 1;
    ck_assert_int_eq(rx_fanout_subscribe(fanout, &s), 0);
    return (struct client){.fd = pair[1]};
}

static struct client subscribe(enum rx_subscriber_kind kind)
{
    return subscribe_as((struct rx_subscription){.kind = kind}, 0);
}

static void read_some(struct client *c, size_t limit)
{
    if (c->capacity < c->length + limit + 1) {
        c->capacity = (c->length + limit + 1) * 2;
        c->data = realloc(c->data, c->capacity);
    }
    ssize_t n = read(c->fd, c->data + c->length, limit);
    c->eof = c->eof || n == 0 || (n < 0 && errno == ECONNRESET);
    c->length += n > 0 ? (size_t)n : 0;
    c->data[c->length] = 0;
}

static void leave(struct client *c)
{
    close(c->fd);
    free(c->data);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Turns the loop until the client has `length` bytes, or the other side has closed (length SIZE_MAX). */
static void wait_for(struct client *c, size_t length)
{
    double deadline = seconds() + 20;
    while (c->length < length && !c->eof) {
        rx_loop_once(loop, 5);
        read_some(c, 65536);
        ck_assert_msg(seconds() < deadline, "got %zu bytes of %zu: %.200s", c->length, length, c->data);
    }
}

static void wait_for_text(struct client *c, const char *text)
{
    while (!c->data || !strstr(c->data, text)) {
        ck_assert(!c->eof);
        wait_for(c, c->length + 1);
    }
}

static void expect(struct client *c, const char *text)
{
    wait_for(c, strlen(text));
    ck_assert_str_eq(c->data, text);
    c->length = 0;
}

static void append_event(const char *key, const char *json, const char *event)
{
    struct rx_frame f = {.json = json, .json_length = strlen(json), .key = key, .event = event};
    f.key_length = key ? strlen(key) : 0;
    ck_assert_int_eq(rx_log_append(writer, &f), 0);
}

static void append(const char *json) { append_event(NULL, json, "message"); }

static void collect(void)
{
    rx_log_publish(writer);
    rx_fanout_collect(fanout);
}

static void publish_numbers(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%u}", i);
        append(json);
    }
    collect();
}

/* Reads SSE text: the frames in it must follow each other; a gap notice moves on. Answers the number after the last. */
static uint64_t follow(const char *text, uint64_t next, uint64_t *missed)
{
    while (*text) {
        unsigned long long sequence, n, m;
        int used = 0;
        if (sscanf(text, "event: gap\ndata: {\"missed\": %llu}\n\n%n", &m, &used) == 1 && used) {
            next += m;
            *missed += m;
        } else {
            int got = sscanf(text, "id: 7-%llu\nevent: message\ndata: {\"n\":%llu}%n", &sequence, &n, &used);
            ck_assert_msg(got == 2 && sequence == next && n == next, "after %llu: %.80s", (unsigned long long)next - 1,
                          text);
            used += 2;
            next++;
        }
        text += used;
    }
    return next;
}

START_TEST(each_kind_gets_its_form_of_every_frame)
{
    start(NULL, NULL);
    append("1");
    append("{\"a\":2}");
    collect();
    struct client sse = subscribe(RX_SSE), lines = subscribe(RX_NDJSON), socket = subscribe(RX_WEBSOCKET);
    expect(&sse, "id: 7-1\nevent: message\ndata: 1\n\nid: 7-2\nevent: message\ndata: {\"a\":2}\n\n");
    expect(&lines, "1\n{\"a\":2}\n");
    expect(&socket, "\x81\x01"
                    "1\x81\x07{\"a\":2}");
    append("3");
    collect();
    expect(&sse, "id: 7-3\nevent: message\ndata: 3\n\n");
    expect(&lines, "3\n");
    expect(&socket, "\x81\x01"
                    "3");
    ck_assert_uint_eq(rx_fanout_stats(fanout).subscribers, 3);
    ck_assert_uint_eq(rx_fanout_stats(fanout).frames, 9);
    leave(&sse);
    leave(&lines);
    leave(&socket);
    while (closed < 3)
        rx_loop_once(loop, 10);
    ck_assert_uint_eq(rx_fanout_stats(fanout).subscribers, 0);
    stop();
}
END_TEST

START_TEST(greeting_and_gap_come_before_the_frames)
{
    start(NULL, NULL);
    publish_numbers(1, 1);
    struct rx_subscription s = {.kind = RX_SSE, .greeting = "HEAD\r\n\r\n", .greeting_length = 8, .missed = 4};
    struct client sse = subscribe_as(s, 0);
    expect(&sse, "HEAD\r\n\r\nevent: gap\ndata: {\"missed\": 4}\n\nid: 7-1\nevent: message\ndata: {\"n\":1}\n\n");
    s.kind = RX_NDJSON;
    s.missed = RX_MISSED_UNKNOWN;
    struct client lines = subscribe_as(s, 0);
    expect(&lines, "HEAD\r\n\r\n{\"gap\":null}\n{\"n\":1}\n");
    s.kind = RX_WEBSOCKET;
    s.missed = 12;
    struct client socket = subscribe_as(s, 0);
    expect(&socket, "HEAD\r\n\r\n\x81\x0a{\"gap\":12}\x81\x07{\"n\":1}");
    leave(&sse);
    leave(&lines);
    leave(&socket);
    stop();
}
END_TEST

START_TEST(web_socket_headers_have_three_sizes)
{
    start(NULL, NULL);
    struct client c = subscribe(RX_WEBSOCKET);
    static const size_t sizes[] = {125, 126, 65535, 65536};
    static const size_t headers[] = {2, 4, 4, 10};
    char *json = malloc(65537);
    memset(json, '5', 65536);
    size_t total = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct rx_frame f = {.json = json, .json_length = sizes[i]};
        ck_assert_int_eq(rx_log_append(writer, &f), 0);
        total += sizes[i] + headers[i];
    }
    collect();
    wait_for(&c, total);
    ck_assert_uint_eq(c.length, total);
    const unsigned char *at = (const unsigned char *)c.data;
    ck_assert_uint_eq(at[1], 125);
    ck_assert_mem_eq(at + 127, "\x81\x7e\x00\x7e", 4);
    ck_assert_mem_eq(at + 127 + 130, "\x81\x7e\xff\xff", 4);
    ck_assert_mem_eq(at + 127 + 130 + 65539, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
    free(json);
    leave(&c);
    stop();
}
END_TEST

/* Unmasks nothing: server frames. Answers the number after the last whole frame, and the bytes used. */
static uint64_t follow_web_socket(const char *data, size_t length, uint64_t next)
{
    while (length) {
        size_t n = (unsigned char)data[1];
        ck_assert_uint_eq((unsigned char)data[0], 0x81);
        ck_assert_uint_lt(n, 126);
        ck_assert_uint_ge(length, n + 2);
        ck_assert_uint_eq(strtoull(data + 2 + 5, NULL, 10), next);
        next++;
        data += n + 2;
        length -= n + 2;
    }
    return next;
}

START_TEST(a_tiny_send_buffer_resumes_at_the_byte)
{
    start(NULL, NULL);
    struct client c[3];
    enum { N = 4000 };
    for (unsigned k = 0; k < 3; k++)
        c[k] = subscribe_as((struct rx_subscription){.kind = (enum rx_subscriber_kind)k}, 1);
    size_t expected[3] = {0};
    for (unsigned i = 1; i <= N; i++) {
        char number[16];
        size_t digits = (size_t)snprintf(number, sizeof number, "%u", i);
        expected[0] += strlen("id: 7-\nevent: message\ndata: {\"n\":}\n\n") + 2 * digits;
        expected[1] += strlen("{\"n\":}\n") + digits;
        expected[2] += 2 + strlen("{\"n\":}") + digits;
    }
    for (unsigned i = 0; i < N; i += 100) {
        publish_numbers(i + 1, i + 100);
        rx_loop_once(loop, 0);
        for (unsigned k = 0; k < 3; k++)
            read_some(&c[k], 1 + i % 37);
    }
    for (unsigned k = 0; k < 3; k++)
        wait_for(&c[k], expected[k]);
    uint64_t missed = 0;
    ck_assert_uint_eq(follow(c[0].data, 1, &missed), N + 1);
    ck_assert_uint_eq(follow_web_socket(c[2].data, c[2].length, 1), N + 1);
    char *line = c[1].data;
    for (unsigned i = 1; i <= N; i++) {
        unsigned n;
        ck_assert_int_eq(sscanf(line, "{\"n\":%u}\n", &n), 1);
        ck_assert_uint_eq(n, i);
        line = strchr(line, '\n') + 1;
    }
    ck_assert_uint_eq(rx_fanout_stats(fanout).frames, 3 * N);
    for (unsigned k = 0; k < 3; k++) {
        ck_assert_uint_eq(c[k].length, expected[k]);
        leave(&c[k]);
    }
    stop();
}
END_TEST

static const rx_time meta_times[] = {0, 1795560889999999999, -1500, 42 * RX_MSEC};
static const char *const meta_at[] = {"0", "1795560889999.999999", "-0.001500", "42"};

/* What each kind is to get of frame i, with its id, time and key. */
static void expect_meta(struct rx_buffer expected[3], unsigned i)
{
    char json[160];
    int n = snprintf(json, sizeof json, "{\"id\":\"7-%u\",\"at\":%s%s,\"next\":{\"n\":%u}}", i, meta_at[i % 4],
                     i % 3 ? ",\"key\":\"k\"" : "", i);
    rx_buffer_printf(&expected[0], "id: 7-%u\nevent: message\ndata: %s\n\n", i, json);
    rx_buffer_printf(&expected[1], "%s\n", json);
    rx_buffer_printf(&expected[2], "\x81%c%s", n, json);
}

START_TEST(frames_with_meta_resume_at_the_byte_too)
{
    enum { N = 3000 };
    struct rx_buffer expected[3] = {0};
    struct client c[3];
    start(NULL, NULL);
    struct client plain = subscribe(RX_NDJSON); /* a channel of its own */
    for (unsigned k = 0; k < 3; k++)
        c[k] = subscribe_as((struct rx_subscription){.kind = (enum rx_subscriber_kind)k, .meta = true}, 1);
    for (unsigned i = 1; i <= N; i++) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%u}", i);
        struct rx_frame f = {.json = json, .json_length = strlen(json), .time = meta_times[i % 4], .event = "message"};
        f.key = i % 3 ? "\"k\"" : NULL;
        f.key_length = f.key ? 3 : 0;
        ck_assert_int_eq(rx_log_append(writer, &f), 0);
        expect_meta(expected, i);
        if (i % 100)
            continue;
        rx_log_publish(writer);
        rx_fanout_collect(fanout);
        rx_loop_once(loop, 0);
        for (unsigned k = 0; k < 3; k++)
            read_some(&c[k], 1 + i % 37);
    }
    append_event(NULL, "{\"complete\":true}", "complete");
    rx_log_publish(writer);
    rx_fanout_collect(fanout);
    rx_buffer_printf(&expected[0], "id: 7-%u\nevent: complete\ndata: {\"complete\":true}\n\n", N + 1);
    rx_buffer_append(&expected[2], "\x88\x02\x03\xe8", 4);
    for (unsigned k = 0; k < 3; k++) {
        wait_for(&c[k], expected[k].length);
        ck_assert_uint_eq(c[k].length, expected[k].length);
        ck_assert_int_eq(memcmp(c[k].data, expected[k].data, expected[k].length), 0);
        rx_buffer_finish(&expected[k]);
        leave(&c[k]);
    }
    wait_for_text(&plain, "{\"n\":3000}\n");
    ck_assert_ptr_null(strstr(plain.data, "next"));
    leave(&plain);
    stop();
}
END_TEST

START_TEST(an_overtaken_subscriber_finishes_its_frame_is_told_and_goes_on)
{
    start(&(struct rx_log_limits){.max_bytes = 1, .max_frames = 50}, NULL);
    struct client c = subscribe_as((struct rx_subscription){.kind = RX_SSE}, 1);
    enum { N = 60000 };
    for (unsigned i = 0; i < N; i += 300) {
        publish_numbers(i + 1, i + 300);
        rx_loop_once(loop, 0);
    }
    publish_numbers(N + 1, N + 1);
    char last[64];
    snprintf(last, sizeof last, "data: {\"n\":%u}\n\n", N + 1);
    while (!c.data || !strstr(c.data, last)) {
        rx_loop_once(loop, 5);
        read_some(&c, 4096);
        ck_assert(!c.eof);
    }
    uint64_t missed = 0;
    ck_assert_uint_eq(follow(c.data, 1, &missed), N + 2);
    ck_assert_uint_gt(missed, N / 2);
    ck_assert_uint_eq(rx_fanout_stats(fanout).skipped, missed);
    leave(&c);
    stop();
}
END_TEST

START_TEST(a_burst_beyond_the_history_reaches_who_is_there)
{
    start(&(struct rx_log_limits){.max_frames = 50}, NULL);
    struct client c = subscribe(RX_SSE);
    publish_numbers(1, 5000);
    publish_numbers(5001, 9000); /* before the flush that is due */
    wait_for_text(&c, "{\"n\":9000}\n\n");
    uint64_t missed = 0;
    ck_assert_uint_eq(follow(c.data, 1, &missed), 9001);
    ck_assert_uint_eq(missed, 0);
    publish_numbers(9001, 9001);
    rx_loop_once(loop, 20);
    publish_numbers(9002, 9002);
    ck_assert_uint_eq(rx_log_first(log_), 9002 - 49);
    leave(&c);
    stop();
}
END_TEST

START_TEST(a_burst_that_finds_no_room_is_told_at_once_and_to_every_kind)
{
    start(&(struct rx_log_limits){.max_bytes = 1}, NULL);
    struct client sse = subscribe(RX_SSE), lines = subscribe(RX_NDJSON), socket = subscribe(RX_WEBSOCKET);
    struct rx_selection *none;
    ck_assert_int_eq(rx_selection_get(selections, "nobody", NULL, &none, NULL), 0);
    struct client selecting = subscribe_as((struct rx_subscription){.kind = RX_NDJSON, .selection = none}, 0);
    unsigned n = 0, lost = 0;
    while (lost < 77) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%u}", n + 1);
        bool took = rx_log_append(writer, &(struct rx_frame){.json = json, .json_length = strlen(json)}) == 0;
        n += took;
        lost += !took;
        rx_log_publish(writer);
    }
    rx_fanout_collect(fanout);
    expect(&selecting, "{\"gap\":77}\n");
    wait_for_text(&sse, "{\"missed\": 77}\n\n");
    wait_for_text(&lines, "{\"gap\":77}\n");
    while (!socket.data || socket.length < 12 || memcmp(socket.data + socket.length - 12, "\x81\x0a{\"gap\":77}", 12))
        wait_for(&socket, socket.length + 1);
    uint64_t missed = 0;
    ck_assert_uint_eq(follow(sse.data, 1, &missed), n + 78);
    ck_assert_uint_eq(rx_fanout_stats(fanout).lost, 4 * 77);
    ck_assert_uint_eq(rx_fanout_stats(fanout).frames, 3 * n);
    leave(&selecting);
    leave(&sse);
    leave(&lines);
    leave(&socket);
    rx_selection_unref(none);
    stop();
}
END_TEST

START_TEST(an_overtaken_subscriber_is_disconnected_where_that_is_asked_for)
{
    start(&(struct rx_log_limits){.max_frames = 5}, NULL);
    rx_fanout_set_slow(fanout, RX_SLOW_DISCONNECT);
    publish_numbers(1, 10);
    struct client c = subscribe(RX_SSE);
    wait_for(&c, SIZE_MAX);
    ck_assert_str_eq(c.data,
                     "event: error\ndata: {\"error\":\"frames were missed: the subscriber reads too slowly\"}\n\n");
    struct client lines = subscribe(RX_NDJSON), socket = subscribe(RX_WEBSOCKET);
    wait_for(&lines, SIZE_MAX);
    wait_for(&socket, SIZE_MAX);
    ck_assert_str_eq(lines.data, "{\"error\":\"frames were missed: the subscriber reads too slowly\"}\n");
    ck_assert_mem_eq(socket.data,
                     "\x88\x35\x03\xf0"
                     "frames were missed",
                     22);
    ck_assert_uint_eq(rx_fanout_stats(fanout).overtaken, 3);
    leave(&c);
    leave(&lines);
    leave(&socket);
    stop();
}
END_TEST

START_TEST(an_overtaken_subscriber_goes_on_with_the_latest_where_that_is_asked_for)
{
    start(&(struct rx_log_limits){.max_frames = 5}, NULL);
    rx_fanout_set_slow(fanout, RX_SLOW_LATEST);
    publish_numbers(1, 10);
    struct client c = subscribe(RX_NDJSON);
    expect(&c, "{\"gap\":9}\n{\"n\":10}\n");
    ck_assert_uint_eq(rx_fanout_stats(fanout).skipped, 9);
    leave(&c);
    stop();
}
END_TEST

START_TEST(a_subscriber_that_never_reads_is_dropped_at_its_deadline_and_holds_nobody_up)
{
    start(&(struct rx_log_limits){.max_bytes = 1},
          &(struct rx_fanout_options){.stall_deadline = 200 * RX_MSEC, .flush_every = RX_MSEC});
    struct client deaf = subscribe_as((struct rx_subscription){.kind = RX_SSE}, 1), good = subscribe(RX_SSE);
    unsigned n = 0;
    double deadline = seconds() + 20;
    while (!closed) {
        publish_numbers(n + 1, n + 10);
        n += 10;
        rx_loop_once(loop, 1);
        read_some(&good, 1 << 20);
        ck_assert(seconds() < deadline);
    }
    ck_assert_uint_eq(rx_fanout_stats(fanout).stalled, 1);
    ck_assert_uint_eq(rx_fanout_stats(fanout).subscribers, 1);
    ck_assert_uint_eq(rx_log_orphan_bytes(log_), 0);
    publish_numbers(n + 1, n + 1);
    char last[64];
    snprintf(last, sizeof last, "{\"n\":%u}\n\n", n + 1);
    while (!strstr(good.data, last)) {
        rx_loop_once(loop, 5);
        read_some(&good, 1 << 20);
    }
    uint64_t missed = 0;
    ck_assert_uint_eq(follow(good.data, 1, &missed), n + 2);
    ck_assert_uint_eq(missed, 0);
    leave(&deaf);
    leave(&good);
    stop();
}
END_TEST

START_TEST(memory_of_half_sent_frames_is_bounded)
{
    start(&(struct rx_log_limits){.max_bytes = 1}, &(struct rx_fanout_options){.orphan_bytes = 300000});
    char *big = malloc(100000);
    memset(big, '1', 99999);
    big[99999] = 0;
    struct client c[10];
    for (unsigned i = 0; i < 10; i++) {
        append(big);
        collect();
        c[i] = subscribe_as((struct rx_subscription){.kind = RX_NDJSON, .cursor = rx_log_last(log_)}, 1);
    }
    for (unsigned i = 0; i < 5; i++) {
        append(big);
        collect();
        ck_assert_uint_le(rx_log_orphan_bytes(log_), 300000);
    }
    ck_assert_uint_ge(rx_fanout_stats(fanout).overtaken, 7);
    for (unsigned i = 0; i < 10; i++)
        leave(&c[i]);
    free(big);
    stop();
}
END_TEST

START_TEST(the_end_of_the_stream_closes_each_kind_in_order)
{
    start(NULL, NULL);
    struct client sse = subscribe(RX_SSE), lines = subscribe(RX_NDJSON), socket = subscribe(RX_WEBSOCKET);
    append("1");
    append_event(NULL, "null", "complete");
    append("2");
    collect();
    wait_for(&sse, SIZE_MAX);
    wait_for(&lines, SIZE_MAX);
    wait_for(&socket, SIZE_MAX);
    ck_assert_str_eq(sse.data, "id: 7-1\nevent: message\ndata: 1\n\nid: 7-2\nevent: complete\ndata: null\n\n");
    ck_assert_str_eq(lines.data, "1\n");
    ck_assert_uint_eq(socket.length, 7);
    ck_assert_mem_eq(socket.data,
                     "\x81\x01"
                     "1\x88\x02\x03\xe8",
                     7);
    leave(&sse);
    leave(&lines);
    leave(&socket);
    while (closed < 3)
        rx_loop_once(loop, 10);
    stop();
}
END_TEST

START_TEST(an_error_closes_a_web_socket_with_its_reason)
{
    start(NULL, NULL);
    struct client c = subscribe(RX_WEBSOCKET);
    append_event(NULL, "{\"error\":\"gone\"}", "error");
    collect();
    wait_for(&c, SIZE_MAX);
    ck_assert_uint_eq(c.length, 8);
    ck_assert_mem_eq(c.data, "\x88\x06\x03\xf3gone", 8);
    leave(&c);
    stop();
}
END_TEST

START_TEST(a_peer_that_stays_after_the_end_is_closed_after_the_linger)
{
    start(NULL, &(struct rx_fanout_options){.linger = 20 * RX_MSEC});
    struct client c = subscribe(RX_SSE);
    append_event(NULL, "null", "complete");
    collect();
    double deadline = seconds() + 10;
    while (!closed && seconds() < deadline)
        rx_loop_once(loop, 10);
    ck_assert_uint_eq(closed, 1);
    ck_assert_uint_eq(rx_fanout_stats(fanout).stalled, 0);
    leave(&c);
    stop();
}
END_TEST

/* A masked client frame; the mask is 1 2 3 4. */
static size_t client_frame(unsigned char *out, unsigned opcode, const char *payload, size_t length)
{
    out[0] = (unsigned char)(0x80 | opcode);
    out[1] = (unsigned char)(0x80 | length);
    for (unsigned i = 0; i < 4; i++)
        out[2 + i] = (unsigned char)(i + 1);
    for (size_t i = 0; i < length; i++)
        out[6 + i] = (unsigned char)payload[i] ^ (unsigned char)(i % 4 + 1);
    return 6 + length;
}

START_TEST(pings_are_answered_byte_by_byte_and_text_is_ignored)
{
    start(NULL, NULL);
    struct client c = subscribe(RX_WEBSOCKET);
    unsigned char out[400];
    size_t n = client_frame(out, 1, "hello", 5);
    n += client_frame(out + n, 9, "are you there", 13);
    n += client_frame(out + n, 10, "", 0);
    n += client_frame(out + n, 9, "", 0);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(write(c.fd, out + i, 1), 1);
        rx_loop_once(loop, 5);
    }
    wait_for(&c, 17);
    ck_assert_uint_eq(c.length, 17);
    ck_assert_mem_eq(c.data,
                     "\x8a\x0d"
                     "are you there\x8a\x00",
                     17);
    c.length = 0;
    n = client_frame(out, 8,
                     "\x03\xe9"
                     "bye",
                     5);
    ck_assert_int_eq(write(c.fd, out, n), (ssize_t)n);
    wait_for(&c, SIZE_MAX);
    ck_assert_uint_eq(c.length, 4);
    ck_assert_mem_eq(c.data, "\x88\x02\x03\xe9", 4);
    leave(&c);
    stop();
}
END_TEST

START_TEST(what_the_client_sent_ahead_is_heard)
{
    start(NULL, NULL);
    unsigned char out[20];
    size_t n = client_frame(out, 9, "x", 1);
    struct client c =
        subscribe_as((struct rx_subscription){.kind = RX_WEBSOCKET, .ahead = (char *)out, .ahead_length = n}, 0);
    expect(&c, "\x8a\x01x");
    leave(&c);
    stop();
}
END_TEST

START_TEST(a_client_that_breaks_the_protocol_is_told_how)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *close;
    } cases[] = {
        {"\x81\x01x", 3, "\x03\xea"}, /* unmasked */
        {"\xc1\x80\1\2\3\4", 6, "\x03\xea"},
        {"\x83\x80\1\2\3\4", 6, "\x03\xea"},
        {"\x89\xfe\1\2\3\4", 6, "\x03\xea"},
        {"\x88\x81\1\2\3\4\1", 7, "\x03\xea"},
        {"\x80\x80\1\2\3\4", 6, "\x03\xea"},                   /* continues nothing */
        {"\x81\x81\1\2\3\4\xfe", 7, "\x03\xef"},               /* text of the byte FF */
        {"\x82\xff\0\0\0\0\0\1\0\0\1\2\3\4x", 15, "\x03\xf1"}, /* 64 KiB and a header */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(NULL, NULL);
        struct client c = subscribe(RX_WEBSOCKET);
        ck_assert_int_eq(write(c.fd, cases[i].bytes, cases[i].length), (ssize_t)cases[i].length);
        wait_for(&c, SIZE_MAX);
        ck_assert_msg(c.length == 4, "case %u: %zu bytes", i, c.length);
        ck_assert_mem_eq(c.data, "\x88\x02", 2);
        ck_assert_mem_eq(c.data + 2, cases[i].close, 2);
        leave(&c);
        stop();
    }
}
END_TEST

START_TEST(a_flood_of_pings_without_reading_takes_no_memory)
{
    start(NULL, &(struct rx_fanout_options){.stall_deadline = 300 * RX_MSEC});
    struct client c = subscribe_as((struct rx_subscription){.kind = RX_WEBSOCKET}, 1);
    unsigned char out[140];
    size_t n = client_frame(out, 9, "12345678901234567890", 20);
    double deadline = seconds() + 20;
    while (!closed) {
        for (unsigned i = 0; i < 20; i++)
            if (send(c.fd, out, n, MSG_NOSIGNAL) != (ssize_t)n)
                break;
        rx_loop_once(loop, 1);
        ck_assert(seconds() < deadline);
    }
    leave(&c);
    stop();
}
END_TEST

START_TEST(silence_is_broken_by_comments_and_pings)
{
    start(NULL, &(struct rx_fanout_options){.heartbeat = 20 * RX_MSEC, .ping = 20 * RX_MSEC});
    struct client sse = subscribe(RX_SSE), socket = subscribe(RX_WEBSOCKET);
    wait_for(&sse, 6);
    ck_assert_mem_eq(sse.data, ":\n\n:\n\n", 6);
    wait_for(&socket, SIZE_MAX); /* it never answers */
    ck_assert_mem_eq(socket.data, "\x89\x00", 2);
    ck_assert_uint_eq(rx_fanout_stats(fanout).stalled, 1);
    leave(&sse);
    leave(&socket);
    stop();
}
END_TEST

START_TEST(resuming_at_a_cursor_repeats_nothing)
{
    start(NULL, NULL);
    publish_numbers(1, 100);
    struct client first = subscribe_as((struct rx_subscription){.kind = RX_SSE, .cursor = 98}, 0);
    wait_for(&first, 3);
    uint64_t missed = 0;
    ck_assert_uint_eq(follow(first.data, 98, &missed), 101);
    struct client later = subscribe_as((struct rx_subscription){.kind = RX_SSE, .cursor = 101}, 0);
    publish_numbers(101, 101);
    wait_for(&later, 3);
    ck_assert_uint_eq(follow(later.data, 101, &missed), 102);
    leave(&first);
    leave(&later);
    stop();
}
END_TEST

START_TEST(a_key_selects_its_frames_as_text_or_json)
{
    start(NULL, NULL);
    struct rx_selection *text, *json, *again;
    ck_assert_int_eq(rx_selection_get(selections, "a", NULL, &text, NULL), 0);
    ck_assert_int_eq(rx_selection_get(selections, "[ \"b\", 1 ]", NULL, &json, NULL), 0);
    ck_assert_int_eq(rx_selection_get(selections, "a", NULL, &again, NULL), 0);
    ck_assert_ptr_eq(text, again);
    struct client c[6];
    for (unsigned i = 0; i < 6; i++) {
        struct rx_subscription s = {.kind = (enum rx_subscriber_kind)(i % 3), .selection = i < 3 ? text : json};
        c[i] = subscribe_as(s, 0);
    }
    append_event("\"a\"", "1", "message");
    append_event("[\"b\",1]", "2", "message");
    append_event("\"c\"", "3", "message");
    append_event("\"a\"", "4", "message");
    append_event("\"a\"", "5", "message");
    collect();
    expect(&c[0], "id: 7-1\nevent: message\ndata: 1\n\nid: 7-4\nevent: message\ndata: 4\n\n"
                  "id: 7-5\nevent: message\ndata: 5\n\n");
    expect(&c[1], "1\n4\n5\n");
    expect(&c[2], "\x81\x01"
                  "1\x81\x01"
                  "4\x81\x01"
                  "5");
    expect(&c[3], "id: 7-2\nevent: message\ndata: 2\n\n");
    expect(&c[4], "2\n");
    expect(&c[5], "\x81\x01"
                  "2");
    for (unsigned i = 0; i < 6; i++)
        leave(&c[i]);
    rx_selection_unref(text);
    rx_selection_unref(again);
    rx_selection_unref(json);
    stop();
}
END_TEST

static void expect_selected(enum rx_subscriber_kind kind, const char *key, const char *filter, const char *text)
{
    struct rx_selection *selection;
    struct rx_error error = {0};
    int r = rx_selection_get(selections, key, filter, &selection, &error);
    ck_assert_msg(r == 0, "%s", error.message);
    struct client c = subscribe_as((struct rx_subscription){.kind = kind, .selection = selection}, 0);
    expect(&c, text);
    rx_selection_unref(selection);
    leave(&c);
}

START_TEST(a_filter_selects_frames_and_an_error_in_it_says_no)
{
    start(NULL, NULL);
    append_event("\"a\"", "{\"t\":10,\"s\":\"x\"}", "message");
    append_event("\"b\"", "{\"t\":20}", "message");
    append_event("\"b\"", "{\"t\":\"warm\"}", "message");
    append_event("\"a\"", "{\"t\":30}", "message");
    append_event(NULL, "7", "message");
    collect();
    expect_selected(RX_NDJSON, NULL, "t > 15", "{\"t\":20}\n{\"t\":30}\n");
    expect_selected(RX_NDJSON, "b", "t > 15", "{\"t\":20}\n");
    expect_selected(RX_SSE, "a", "s == 'x'", "id: 7-1\nevent: message\ndata: {\"t\":10,\"s\":\"x\"}\n\n");
    expect_selected(RX_NDJSON, NULL, "meta.key == 'b' && t == 20", "{\"t\":20}\n");
    expect_selected(RX_WEBSOCKET, NULL, "event == 7",
                    "\x81\x01"
                    "7");
    stop();
}
END_TEST

START_TEST(a_filter_that_is_wrong_is_refused_with_its_place)
{
    start(NULL, NULL);
    struct rx_selection *selection = NULL;
    struct rx_error error = {0};
    ck_assert_int_eq(rx_selection_get(selections, NULL, "t > > 3", &selection, &error), -EINVAL);
    ck_assert_uint_eq(error.at.column, 5);
    ck_assert_ptr_null(selection);
    stop();
}
END_TEST

START_TEST(a_filter_that_takes_too_much_time_ends_its_subscribers_and_no_others)
{
    start(NULL, NULL);
    budget.each = 2000;
    struct rx_selection *heavy, *light;
    ck_assert_int_eq(rx_selection_get(selections, NULL, "n > 0 && [1,2,3].all(x, x < 9)", &heavy, NULL), 0);
    ck_assert_int_eq(rx_selection_get(selections, "nobody", NULL, &light, NULL), 0);
    struct client c[3], other = subscribe(RX_SSE);
    for (unsigned i = 0; i < 3; i++)
        c[i] = subscribe_as((struct rx_subscription){.kind = (enum rx_subscriber_kind)i, .selection = heavy}, 0);
    struct client none = subscribe_as((struct rx_subscription){.kind = RX_NDJSON, .selection = light}, 0);
    publish_numbers(1, 1000);
    for (unsigned i = 0; i < 3; i++)
        wait_for(&c[i], SIZE_MAX);
    static const char why[] = "the filter takes more time than a subscriber may; a pipeline can do that once for all",
                      sse[] = "event: error\ndata: {\"error\":\"";
    ck_assert_ptr_nonnull(strstr(strstr(c[0].data, sse), why));
    ck_assert_ptr_nonnull(strstr(strstr(c[1].data, "{\"error\":\""), why));
    ck_assert_mem_eq(c[2].data + c[2].length - strlen(why) - 4, "\x88\x57\x03\xf0", 4);
    ck_assert_mem_eq(c[2].data + c[2].length - strlen(why), why, strlen(why));
    ck_assert_uint_eq(rx_fanout_stats(fanout).exhausted, 3);
    wait_for_text(&other, "{\"n\":1000}");
    publish_numbers(1001, 1001);
    wait_for_text(&other, "{\"n\":1001}");
    ck_assert(!none.eof && none.length == 0);
    for (unsigned i = 0; i < 3; i++)
        leave(&c[i]);
    leave(&other);
    leave(&none);
    rx_selection_unref(heavy);
    rx_selection_unref(light);
    stop();
}
END_TEST

START_TEST(a_flush_to_thousands_goes_in_slices_and_misses_nobody)
{
    start(NULL, &(struct rx_fanout_options){.heartbeat = 1000 * RX_SEC});
    enum { N = 2500 };
    struct client *c = calloc(N, sizeof *c);
    for (unsigned i = 0; i < N; i++)
        c[i] = subscribe((enum rx_subscriber_kind)(i % 2));
    append("1");
    collect();
    ck_assert_uint_lt(rx_fanout_stats(fanout).frames, N);
    leave(&c[0]);
    leave(&c[N - 1]);
    append("2");
    collect();
    while (closed < 2 || rx_fanout_stats(fanout).frames < 2 * (N - 2))
        rx_loop_once(loop, 1);
    for (unsigned i = 1; i < N - 1; i++)
        read_some(&c[i], 200);
    for (unsigned i = 1; i < N - 1; i++)
        expect(&c[i], i % 2 ? "1\n2\n" : "id: 7-1\nevent: message\ndata: 1\n\nid: 7-2\nevent: message\ndata: 2\n\n");
    for (unsigned i = 1; i < N - 1; i++)
        leave(&c[i]);
    free(c);
    stop();
}
END_TEST

START_TEST(an_idle_stream_sends_at_once_and_a_busy_one_at_its_tick)
{
    start(NULL, &(struct rx_fanout_options){.flush_every = 1000 * RX_SEC});
    publish_numbers(1, 1); /* with nobody there: no tick */
    struct client c = subscribe_as((struct rx_subscription){.kind = RX_NDJSON, .cursor = 2}, 0);
    publish_numbers(2, 2);
    read_some(&c, 100);
    ck_assert_str_eq(c.data, "{\"n\":2}\n");
    publish_numbers(3, 3);
    rx_loop_once(loop, 0);
    publish_numbers(4, 4);
    rx_loop_once(loop, 0);
    read_some(&c, 100);
    ck_assert_str_eq(c.data, "{\"n\":2}\n");
    leave(&c);
    stop();

    start(NULL, &(struct rx_fanout_options){.flush_every = 20 * RX_MSEC});
    c = subscribe(RX_NDJSON);
    publish_numbers(1, 1);
    publish_numbers(2, 2);
    expect(&c, "{\"n\":1}\n{\"n\":2}\n");
    leave(&c);
    stop();
}
END_TEST

START_TEST(draining_sends_what_is_there_and_closes)
{
    start(NULL, NULL);
    publish_numbers(1, 3000);
    struct client sse = subscribe_as((struct rx_subscription){.kind = RX_SSE}, 1), socket = subscribe(RX_WEBSOCKET);
    rx_fanout_drain(fanout);
    wait_for(&sse, SIZE_MAX);
    wait_for(&socket, SIZE_MAX);
    uint64_t missed = 0;
    ck_assert_uint_eq(follow(sse.data, 1, &missed), 3001);
    ck_assert_mem_eq(socket.data + socket.length - 4, "\x88\x02\x03\xe9", 4);
    leave(&sse);
    leave(&socket);
    stop();
}
END_TEST

static struct rx_log_inbox *inbox;
static void on_news(void *reader) { rx_fanout_news(reader); }
static void on_wake(void *arg) { rx_log_inbox_take(*(struct rx_log_inbox **)arg, on_news); }

enum { THREAD_FRAMES = 30000 };

static void *write_many(void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= THREAD_FRAMES;) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%u}", i);
        struct rx_frame f = {.json = json, .json_length = strlen(json)};
        int r = rx_log_append(writer, &f);
        i += r == 0;
        if (i % 7 == 0 || r)
            rx_log_publish(writer);
    }
    rx_log_publish(writer);
    return NULL;
}

START_TEST(a_writer_on_another_thread_reaches_every_subscriber)
{
    start(&(struct rx_log_limits){.max_bytes = 16 << 20}, NULL);
    struct rx_wake *wake;
    ck_assert_int_eq(rx_wake_create(loop, on_wake, &inbox, &wake), 0);
    ck_assert_int_eq(rx_log_inbox_create(wake, &inbox), 0);
    rx_log_set_reader(log_, fanout);
    rx_log_writer_set_inbox(writer, inbox);
    struct client c[3] = {subscribe_as((struct rx_subscription){.kind = RX_SSE}, 1), subscribe(RX_SSE),
                          subscribe(RX_SSE)};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, write_many, NULL), 0);
    char last[64];
    snprintf(last, sizeof last, "{\"n\":%u}\n\n", THREAD_FRAMES);
    for (unsigned done = 0; done < 3;) {
        rx_loop_once(loop, 5);
        for (unsigned i = done = 0; i < 3; i++) {
            read_some(&c[i], 65536);
            size_t n = strlen(last);
            done += c[i].length > n && strcmp(c[i].data + c[i].length - n, last) == 0;
        }
    }
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t missed = 0;
        ck_assert_uint_eq(follow(c[i].data, 1, &missed), THREAD_FRAMES + 1);
        ck_assert_uint_eq(missed, 0);
        leave(&c[i]);
    }
    rx_log_writer_set_inbox(writer, NULL);
    rx_log_inbox_destroy(inbox);
    rx_wake_destroy(wake);
    stop();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fanout");
    TCase *t = tcase_create("fanout");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, each_kind_gets_its_form_of_every_frame);
    tcase_add_test(t, greeting_and_gap_come_before_the_frames);
    tcase_add_test(t, web_socket_headers_have_three_sizes);
    tcase_add_test(t, a_tiny_send_buffer_resumes_at_the_byte);
    tcase_add_test(t, frames_with_meta_resume_at_the_byte_too);
    tcase_add_test(t, an_overtaken_subscriber_finishes_its_frame_is_told_and_goes_on);
    tcase_add_test(t, a_burst_beyond_the_history_reaches_who_is_there);
    tcase_add_test(t, a_burst_that_finds_no_room_is_told_at_once_and_to_every_kind);
    tcase_add_test(t, an_overtaken_subscriber_is_disconnected_where_that_is_asked_for);
    tcase_add_test(t, an_overtaken_subscriber_goes_on_with_the_latest_where_that_is_asked_for);
    tcase_add_test(t, a_subscriber_that_never_reads_is_dropped_at_its_deadline_and_holds_nobody_up);
    tcase_add_test(t, memory_of_half_sent_frames_is_bounded);
    tcase_add_test(t, the_end_of_the_stream_closes_each_kind_in_order);
    tcase_add_test(t, an_error_closes_a_web_socket_with_its_reason);
    tcase_add_test(t, a_peer_that_stays_after_the_end_is_closed_after_the_linger);
    tcase_add_test(t, pings_are_answered_byte_by_byte_and_text_is_ignored);
    tcase_add_test(t, what_the_client_sent_ahead_is_heard);
    tcase_add_test(t, a_client_that_breaks_the_protocol_is_told_how);
    tcase_add_test(t, a_flood_of_pings_without_reading_takes_no_memory);
    tcase_add_test(t, silence_is_broken_by_comments_and_pings);
    tcase_add_test(t, resuming_at_a_cursor_repeats_nothing);
    tcase_add_test(t, a_key_selects_its_frames_as_text_or_json);
    tcase_add_test(t, a_filter_selects_frames_and_an_error_in_it_says_no);
    tcase_add_test(t, a_filter_that_is_wrong_is_refused_with_its_place);
    tcase_add_test(t, a_filter_that_takes_too_much_time_ends_its_subscribers_and_no_others);
    tcase_add_test(t, a_flush_to_thousands_goes_in_slices_and_misses_nobody);
    tcase_add_test(t, an_idle_stream_sends_at_once_and_a_busy_one_at_its_tick);
    tcase_add_test(t, draining_sends_what_is_there_and_closes);
    tcase_add_test(t, a_writer_on_another_thread_reaches_every_subscriber);
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
