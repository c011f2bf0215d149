// layer: pipelines
/* sse against a server that does as it is told: plain Server-Sent Events, and another rxd's. */
#include "sources/rxd_frame.h"
#include "tests/unit/client_harness.h"

extern const struct rx_source_class rx_source_sse;

#define PLAIN "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
#define RXD   "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nRxd-Meta: 1\r\nConnection: close\r\n\r\n"

static struct feed *feed_from(const char *yaml) { return world_feed(&rx_source_sse, yaml); }

static const char *request(size_t i)
{
    ck_assert_uint_lt(i, world.peer->request_count);
    return world.peer->requests[i];
}

#define until(condition_) harness_until(&world.h, condition_)

START_TEST(events_come_as_they_are_sent)
{
    struct feed *feed = feed_from("url: \"URLs?x=1\"\nheaders: {Authorization: Bearer secret}\n");
    peer_say(world.peer, PLAIN ": hello\n\nevent: tick\ndata: {\"n\":1}\n\ndata: two\ndata: lines\n\n");
    feed->source->reaches = RX_REACHES_META;
    feed_subscribe(feed);
    until(feed->events.count == 2);
    ck_assert_str_eq(feed->events.lines[0], "{\"n\":1}");
    ck_assert_ptr_nonnull(strstr(feed->events.lines[1], "two\\nlines"));
    peer_push(world.peer, "event: tick\ndata: {\"n\":");
    rx_loop_once(world.h.loop, 5);
    peer_push(world.peer, "3}\n\n");
    until(feed->events.count == 3);
    const struct rx_value *topic = rx_object_get_text(feed->events.last.meta, "topic");
    ck_assert(topic && topic->kind == RX_STRING && topic->aux == 4 && memcmp(topic->u.text, "tick", 4) == 0);
    ck_assert(feed->source->connected);
    ck_assert_msg(strncmp(request(0), "GET /s?x=1 HTTP/1.1\r\n", 21) == 0, "%s", request(0));
    ck_assert_ptr_nonnull(strstr(request(0), "\r\nAuthorization: Bearer secret\r\n"));
    ck_assert_ptr_nonnull(strstr(request(0), "\r\nAccept: text/event-stream\r\n"));
    ck_assert_ptr_nonnull(strstr(request(0), "\r\nCache-Control: no-store\r\n"));
    ck_assert_ptr_null(strstr(request(0), "Last-Event-ID"));
    feed_destroy(feed);
}
END_TEST

START_TEST(it_comes_back_and_says_what_it_saw_last)
{
    struct feed *feed = feed_from("url: URL\n");
    peer_say(world.peer, PLAIN "retry: 30\nid: 7\ndata: 1\n\nid: 8\ndata: lost in the mid");
    peer_say(world.peer, PLAIN "id: 8\ndata: 2\n\n");
    feed_subscribe(feed);
    until(feed->events.count == 1);
    rx_time then = rx_loop_clock(world.h.loop);
    peer_drop_all(world.peer);
    until(feed->events.count == 2);
    ck_assert(world_elapsed(then, 30 * RX_MSEC));
    ck_assert_ptr_nonnull(strstr(request(1), "\r\nLast-Event-ID: 7\r\n"));
    ck_assert_ptr_nonnull(strchr(feed->events.lines[1], '2'));
    ck_assert_uint_eq(feed->source->connects, 2);
    ck_assert_uint_eq(feed->source->disconnects, 1);
    ck_assert_uint_eq(feed->source->failures, 0);
    ck_assert_ptr_null(feed->source->fault); /* it was closed in order */
    feed_destroy(feed);
}
END_TEST

static const struct {
    const char *answer, *words;
} failures[] = {
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ": 404 Not Found"},
    {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
     ": the answer is not text/event-stream"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ": the answer is not text/event-stream"},
    {"!HTTP/2 nonsense", ": "},
    {"!\x16\x03\x01", ": "},
    {PEER_CLOSE, ": the connection was closed without an answer"},
    {PEER_SILENT, ": nothing came for 150ms"},
};

START_TEST(failures_are_told_and_it_comes_again)
{
    bool silent = failures[_i].answer == PEER_SILENT;
    struct feed *feed = feed_from(silent ? "url: \"URLx?token=secret\"\nheaders: {X-Token: secret}\nstall: 150ms\n"
                                         : "url: \"URLx?token=secret\"\nheaders: {X-Token: secret}\n");
    char said[160];
    peer_say(world.peer, "!" PLAIN "retry: 20\ndata: 1\n\n");
    peer_say(world.peer, failures[_i].answer);
    peer_say(world.peer, PLAIN "data: 2\n\n");
    feed_subscribe(feed);
    until(feed->source->failures == 1);
    snprintf(said, sizeof said, "GET %sx%s", world.peer->url, failures[_i].words);
    ck_assert_msg(strncmp(feed->source->fault, said, strlen(said)) == 0, "%s", feed->source->fault);
    ck_assert_ptr_null(strstr(feed->source->fault, "secret"));
    ck_assert(!feed->source->connected);
    until(feed->events.count == 2);
    ck_assert_ptr_null(feed->source->fault);
    feed_destroy(feed);
}
END_TEST

START_TEST(the_server_says_when_to_come_again)
{
    struct feed *feed = feed_from("url: URL\n");
    peer_say(world.peer, "!" PLAIN "retry: 20\ndata: 1\n\n");
    peer_say(world.peer, "HTTP/1.1 429 Slow down\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    peer_say(world.peer, PLAIN "data: 2\n\n");
    rx_time then = rx_loop_clock(world.h.loop);
    feed_subscribe(feed);
    until(feed->source->failures == 1);
    until(feed->events.count == 2);
    ck_assert(world_elapsed(then, RX_SEC));
    feed_destroy(feed);
}
END_TEST

START_TEST(a_connection_that_stands_still_is_left)
{
    struct feed *feed = feed_from("url: URL\nstall: 400ms\n");
    peer_say(world.peer, PLAIN "retry: 10\ndata: 1\n\n");
    feed_subscribe(feed);
    until(feed->events.count == 1);
    rx_time then = rx_loop_clock(world.h.loop);
    for (int i = 0; i < 6; i++) { /* comments keep it */
        rx_time before = rx_loop_clock(world.h.loop);
        peer_push(world.peer, ":\n\n");
        until(world_elapsed(before, 100 * RX_MSEC));
    }
    ck_assert_uint_eq(world.peer->accepted, 1);
    until(feed->events.count == 2);
    ck_assert(world_elapsed(then, 800 * RX_MSEC));
    ck_assert_uint_eq(feed->source->disconnects, 1);
    until(world.peer->open == 1);
    feed_destroy(feed);
}
END_TEST

START_TEST(another_rxd_gives_times_and_keys)
{
    struct feed *feed = feed_from("url: URL\n");
    feed->source->reaches = RX_REACHES_META;
    peer_say(world.peer, RXD "id: 5-1\nevent: message\ndata: {\"id\":\"5-1\",\"at\":1795560889999.999999,\"key\":\"a\","
                             "\"next\":{\"room\":\"a\",\"text\":\"},{\\\"\"}}\n\n");
    feed_subscribe(feed);
    until(feed->events.count == 1);
    ck_assert_ptr_nonnull(strstr(request(0), "\r\nRxd-Meta: 1\r\n"));
    ck_assert_str_eq(feed->events.lines[0], "{\"room\":\"a\",\"text\":\"},{\\\"\"}");
    ck_assert_int_eq(feed->events.last.time, 1795560889999999999);
    const struct rx_value *key = rx_object_get_text(feed->events.last.mark->key, "key");
    ck_assert(key && key->kind == RX_STRING && key->aux == 1);
    peer_push(world.peer, "data: {\"id\":\"5-2\",\"at\":42,\"key\":[\"a\",3],\"topic\":\"x/y\",\"next\":21.5}\n\n");
    until(feed->events.count == 2);
    ck_assert_ptr_nonnull(strstr(feed->events.lines[1], "21.5"));
    ck_assert_int_eq(feed->events.last.time, 42 * RX_MSEC);
    key = rx_object_get_text(feed->events.last.mark->key, "key");
    ck_assert(key && key->kind == RX_LIST);
    ck_assert_ptr_nonnull(rx_object_get_text(feed->events.last.meta, "topic"));
    peer_push(world.peer, "data: {\"id\":\"5-3\",\"at\":-1.5,\"next\":null}\n\n");
    until(feed->events.count == 3);
    ck_assert_ptr_null(feed->events.last.mark);
    ck_assert_int_eq(feed->events.last.time, -1500000);
    feed_destroy(feed);
}
END_TEST

START_TEST(what_another_rxd_says_of_gaps_and_nonsense_goes_to_the_errors)
{
    struct feed *feed = feed_from("url: URL\n");
    peer_say(world.peer,
             RXD "event: gap\ndata: {\"missed\": 17}\n\ndata: {\"n\":1}\n\ndata: {\"at\":1,\"next\":{oops}}\n\n"
                 "data: {\"at\":1,\"key\":x,\"next\":1}\n\ndata: {\"at\":1,\"next\":1}\n\n");
    feed_subscribe(feed);
    until(feed->events.count == 1);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_GAP], 1);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_SYNTAX], 3);
    ck_assert_uint_eq(feed->rejects.count, 4);
    ck_assert_msg(strstr(feed->rejects.lines[0], "\"reason\":\"gap\"") &&
                      strstr(feed->rejects.lines[0], "\\\"missed\\\": 17"),
                  "%s", feed->rejects.lines[0]);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_gap_of_any_other_server_is_an_event)
{
    struct feed *feed = feed_from("url: URL\n");
    peer_say(world.peer, PLAIN "event: gap\ndata: {\"missed\":1}\n\n");
    feed_subscribe(feed);
    until(feed->events.count == 1);
    ck_assert_uint_eq(feed->rejects.count, 0);
    feed_destroy(feed);
}
END_TEST

START_TEST(it_ends_where_the_other_side_has_ended)
{
    static const char *const ends[] = {RXD "id: 5-1\nevent: complete\ndata: {\"complete\":true}\n\n",
                                       "HTTP/1.1 204 No Content\r\n\r\n"};
    struct feed *feed = feed_from("url: URL\n");
    peer_say(world.peer, ends[_i]);
    feed_subscribe(feed);
    until(feed->events.completes == 1);
    ck_assert(!feed->source->running);
    rx_time then = rx_loop_clock(world.h.loop);
    until(world_elapsed(then, 50 * RX_MSEC));
    ck_assert_uint_eq(world.peer->request_count, 1);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_stream_that_failed_there_is_read_again)
{
    struct feed *feed = feed_from("url: URL\n");
    peer_say(world.peer, "!" RXD "retry: 100\nid: 5-9\nevent: error\ndata: {\"error\":\"no luck\"}\n\n");
    peer_say(world.peer, RXD "data: {\"at\":1,\"next\":1}\n\n");
    feed_subscribe(feed);
    until(feed->source->fault);
    ck_assert_ptr_nonnull(strstr(feed->source->fault, "it says: {\"error\":\"no luck\"}"));
    until(feed->events.count == 1);
    ck_assert_ptr_nonnull(strstr(request(1), "Last-Event-ID: 5-9\r\n"));
    feed_destroy(feed);
}
END_TEST

START_TEST(what_is_too_large_is_rejected_and_nothing_grows)
{
    struct feed *feed = feed_from("url: URL\nmax_message: 20\n");
    peer_say(world.peer, PLAIN "data: 123456789012345678901234567890\n\ndata: 1\n\n");
    feed_subscribe(feed);
    until(feed->events.count == 1);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_TOO_LARGE], 1);
    feed_destroy(feed);
    feed = feed_from("url: URL\nmax_message: 20\n");
    peer_say(world.peer, PEER_FLOOD); /* a line without end */
    feed_subscribe(feed);
    until(world.peer->flooded > 100u << 20);
    ck_assert_uint_eq(feed->events.count, 0);
    ck_assert_uint_lt(rx_heap_live_bytes(world.h.heap), 1 << 20);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_paused_source_reads_nothing_and_goes_on)
{
    struct feed *feed = feed_from("url: URL\nstall: 50ms\n");
    peer_say(world.peer, PLAIN "data: 1\n\n");
    feed_subscribe(feed);
    until(feed->events.count == 1);
    feed->source->class->pause(feed->source, true);
    size_t accepted = world.peer->accepted;
    peer_push(world.peer, "data: 2\n\n");
    rx_time then = rx_loop_clock(world.h.loop);
    until(world_elapsed(then, 120 * RX_MSEC)); /* longer than `stall`: it is we who do not read */
    ck_assert_uint_eq(feed->events.count, 1);
    ck_assert_uint_eq(world.peer->accepted, accepted);
    feed->source->class->pause(feed->source, false);
    until(feed->events.count == 2);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_subscriber_may_leave_in_the_middle_and_come_again)
{
    struct feed *feed = feed_from("url: URL\n");
    peer_say(world.peer, PLAIN "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n");
    feed->events.leave_after = 2;
    feed_subscribe(feed);
    until(feed->events.count >= 2 && world.peer->open == 0);
    ck_assert_uint_eq(feed->events.count, 2);
    ck_assert(!feed->source->running && !feed->source->connected);
    feed_subscribe(feed);
    until(feed->events.count == 5);
    ck_assert_ptr_null(strstr(request(1), "Last-Event-ID")); /* who comes anew begins with what is live */
    feed_destroy(feed);
}
END_TEST

/* ---- state ---- */

static int load(struct feed *feed, const struct rx_writer *w, size_t length)
{
    struct rx_reader r = {.data = (const unsigned char *)w->buffer.data, .length = length, .heap = world.h.heap};
    return feed->source->class->load(feed->source, &r);
}

static struct feed *succeed(struct feed *old, bool reload)
{
    struct rx_writer w = {0};
    old->source->class->save(old->source, &w);
    old->source->handed_over = reload;
    feed_destroy(old);
    struct feed *new = feed_from("url: URL\n");
    ck_assert_int_eq(load(new, &w, w.buffer.length), 0);
    feed_subscribe(new);
    rx_client_drop_left(world.client);
    for (size_t length = 0; length < w.buffer.length; length++) {
        struct feed *broken = feed_from("url: URL\n");
        world_forget(2);
        ck_assert_int_lt(load(broken, &w, length), 0);
        feed_destroy(broken);
    }
    rx_buffer_finish(&w.buffer);
    return new;
}

START_TEST(a_reload_keeps_the_connection_in_the_middle_of_an_event)
{
    struct feed *old = feed_from("url: URL\n");
    peer_say(world.peer, RXD "id: 5-1\ndata: {\"at\":1,\"next\":1}\n\nid: 5-2\ndata: {\"at\":2,\"ne");
    feed_subscribe(old);
    until(old->events.count == 1);
    for (int i = 0; i < 3; i++)
        rx_loop_once(world.h.loop, 5);
    struct feed *new = succeed(old, true);
    peer_push(world.peer, "xt\":2}\n\n");
    until(new->events.count == 1);
    ck_assert_ptr_nonnull(strchr(new->events.lines[0], '2'));
    ck_assert_int_eq(new->events.last.time, 2 * RX_MSEC);
    ck_assert_uint_eq(world.peer->accepted, 1);
    ck_assert(new->source->connected);
    feed_destroy(new);
}
END_TEST

START_TEST(another_process_goes_on_behind_the_last_id)
{
    struct feed *old = feed_from("url: URL\n");
    peer_say(world.peer, PLAIN "id: 5-1\ndata: 1\n\nid: 5-2\ndata: ");
    peer_say(world.peer, PLAIN "id: 5-2\ndata: 2\n\n");
    feed_subscribe(old);
    until(old->events.count == 1);
    struct feed *new = succeed(old, false);
    until(new->events.count == 1);
    ck_assert_ptr_nonnull(strchr(new->events.lines[0], '2'));
    ck_assert_ptr_nonnull(strstr(request(1), "\r\nLast-Event-ID: 5-1\r\n"));
    feed_destroy(new);
}
END_TEST

/* ---- frames ---- */

START_TEST(frames_are_taken_apart_exactly)
{
    static const struct {
        const char *text, *next;
        bool right;
        rx_time at;
    } cases[] = {
        {"{\"at\":1,\"next\":{}}", "{}", true, RX_MSEC},
        {" { \"next\" : [ 1 , 2 ] , \"at\" : 0.000001 } ", "[ 1 , 2 ]", true, 1},
        {"{\"at\":1.0000019,\"next\":\"}\\\"\"}", "\"}\\\"\"", true, 1000001},
        {"{\"at\":-9223372036854.775807,\"next\":1}", "1", true, -9223372036854775807},
        {"{\"at\":9223372036855,\"next\":1}", NULL, false, 0},
        {"{\"at\":99999999999999999999,\"next\":1}", NULL, false, 0},
        {"{\"at\":1e3,\"next\":1}", NULL, false, 0},
        {"{\"at\":\"1\",\"next\":1}", NULL, false, 0},
        {"{\"next\":1}", NULL, false, 0},
        {"{\"at\":1}", NULL, false, 0},
        {"{\"at\":1,\"next\":}", NULL, false, 0},
        {"{\"at\":1,\"next\":1", NULL, false, 0},
        {"{\"at\":1,\"next\":1} x", NULL, false, 0},
        {"{\"at\":1,\"next\":[1}", NULL, false, 0},
        {"{\"at\":1,\"next\":\"", NULL, false, 0},
        {"", NULL, false, 0},
        {"[]", NULL, false, 0},
        {"{\"at\"", NULL, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_rxd_frame frame;
        struct rx_error error;
        int r = rx_rxd_frame_read(cases[i].text, strlen(cases[i].text), &frame, &error);
        ck_assert_msg(r == (cases[i].right ? 0 : -EBADMSG), "%s", cases[i].text);
        if (r < 0)
            continue;
        ck_assert_uint_eq(frame.next_length, strlen(cases[i].next));
        ck_assert_int_eq(memcmp(frame.next, cases[i].next, frame.next_length), 0);
        ck_assert_int_eq(frame.at, cases[i].at);
    }
}
END_TEST

START_TEST(mistakes_are_told_at_load)
{
    static const char *const cases[][2] = {
        {"{}", "needs `url`"},
        {"{url: \"ws://a/\"}", "begins with http:// or https://"},
        {"{url: \"http://a/\", headers: {Host: b}}", "written by rxd itself"},
        {"{url: \"http://a/\", stal: 1s}", "did you mean `stall`?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_buffer said = {0};
        void *image = calloc(1, rx_source_sse.base.state_size);
        ck_assert_int_lt(world_parse(&rx_source_sse.base, cases[i][0], image, &said), 0);
        ck_assert_msg(strstr(said.data, cases[i][1]) != NULL, "%s", said.data);
        rx_buffer_finish(&said);
        free(image);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source_sse");
    TCase *t = tcase_create("source_sse");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, world_setup, world_teardown);
    tcase_add_test(t, events_come_as_they_are_sent);
    tcase_add_test(t, it_comes_back_and_says_what_it_saw_last);
    tcase_add_loop_test(t, failures_are_told_and_it_comes_again, 0, sizeof failures / sizeof *failures);
    tcase_add_test(t, the_server_says_when_to_come_again);
    tcase_add_test(t, a_connection_that_stands_still_is_left);
    tcase_add_test(t, another_rxd_gives_times_and_keys);
    tcase_add_test(t, what_another_rxd_says_of_gaps_and_nonsense_goes_to_the_errors);
    tcase_add_test(t, a_gap_of_any_other_server_is_an_event);
    tcase_add_loop_test(t, it_ends_where_the_other_side_has_ended, 0, 2);
    tcase_add_test(t, a_stream_that_failed_there_is_read_again);
    tcase_add_test(t, what_is_too_large_is_rejected_and_nothing_grows);
    tcase_add_test(t, a_paused_source_reads_nothing_and_goes_on);
    tcase_add_test(t, a_subscriber_may_leave_in_the_middle_and_come_again);
    tcase_add_test(t, a_reload_keeps_the_connection_in_the_middle_of_an_event);
    tcase_add_test(t, another_process_goes_on_behind_the_last_id);
    tcase_add_test(t, frames_are_taken_apart_exactly);
    tcase_add_test(t, mistakes_are_told_at_load);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
