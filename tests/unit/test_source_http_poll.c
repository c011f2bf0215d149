// layer: pipelines
/* http_poll against a server that does as it is told. */
#include "tests/unit/client_harness.h"

extern const struct rx_source_class rx_source_http_poll;

#define JSON(text_, length_) "HTTP/1.1 200 OK\r\nContent-Length: " length_ "\r\n\r\n" text_

static struct feed *feed_from(const char *yaml) { return world_feed(&rx_source_http_poll, yaml); }

#define until(condition_) harness_until(&world.h, condition_)

START_TEST(what_is_new_is_an_event_and_what_is_not_is_none)
{
    struct feed *feed = feed_from("url: URL\nevery: 10ms\nheaders: {X-Token: secret}\n");
    peer_say(world.peer, "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
                         "Content-Length: 7\r\n\r\n{\"n\":1}");
    peer_say(world.peer, "HTTP/1.1 304 Not Modified\r\n\r\n");
    peer_say(world.peer, JSON("{\"n\":2}", "7"));
    peer_say(world.peer, "HTTP/1.1 204 No Content\r\n\r\n");
    feed_subscribe(feed);
    until(world.peer->request_count >= 5);
    ck_assert_uint_eq(feed->events.count, 2);
    ck_assert_str_eq(feed->events.lines[0], "{\"n\":1}");
    ck_assert_str_eq(feed->events.lines[1], "{\"n\":2}");
    ck_assert_ptr_null(strstr(world.peer->requests[0], "If-"));
    for (int i = 1; i < 3; i++) {
        ck_assert_ptr_nonnull(strstr(world.peer->requests[i], "\r\nIf-None-Match: \"a\"\r\n"));
        ck_assert_ptr_nonnull(
            strstr(world.peer->requests[i], "\r\nIf-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT\r\n"));
        ck_assert_ptr_nonnull(strstr(world.peer->requests[i], "\r\nX-Token: secret\r\n"));
    }
    ck_assert_ptr_null(strstr(world.peer->requests[3], "If-")); /* the newest answer had none */
    ck_assert(feed->source->connected);
    ck_assert_ptr_null(feed->source->fault);
    feed_destroy(feed);
}
END_TEST

/* What is longer is not kept: the next request is as the first. */
START_TEST(a_validator_has_so_many_bytes_at_the_most)
{
    char answers[2][1200], tag[1026];
    struct feed *feed = feed_from("url: URL\nevery: 10ms\n");
    memset(tag, 'x', sizeof tag);
    for (int i = 0; i < 2; i++) {
        snprintf(answers[i], sizeof answers[i], "HTTP/1.1 200 OK\r\nETag: %.*s\r\nContent-Length: 1\r\n\r\n1", 1024 + i,
                 tag);
        peer_say(world.peer, answers[i]);
    }
    feed_subscribe(feed);
    until(world.peer->request_count >= 3);
    ck_assert_ptr_nonnull(strstr(world.peer->requests[1], "\r\nIf-None-Match: xxx"));
    ck_assert_ptr_null(strstr(world.peer->requests[2], "If-"));
    feed_destroy(feed);
}
END_TEST

START_TEST(an_answer_is_what_its_type_says)
{
    struct feed *feed = feed_from("url: URL\nevery: 10ms\n");
    peer_say(world.peer, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 16\r\n\r\n"
                         "{\"n\":1}\n{\"n\":2}\n");
    peer_say(world.peer, "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 12\r\n\r\nn,m\n3,4\n5,6\n");
    feed_subscribe(feed);
    until(feed->events.count >= 4);
    ck_assert_str_eq(feed->events.lines[1], "{\"n\":2}");
    ck_assert_str_eq(feed->events.lines[2], "{\"n\":3,\"m\":4}");
    feed_destroy(feed);
}
END_TEST

START_TEST(the_interval_is_from_request_to_request)
{
    struct feed *feed = feed_from("url: URL\nevery: 100ms\njitter: 50ms\n");
    peer_say(world.peer, JSON("1", "1"));
    rx_time first = rx_sched_now(feed->source->sched);
    feed_subscribe(feed);
    until(feed->events.count == 4);
    ck_assert(world_elapsed(first, 300 * RX_MSEC));
    feed_destroy(feed);
}
END_TEST

static const struct {
    const char *answer, *words;
} failures[] = {
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ": 404 Not Found"},
    {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", ": 500 Internal Server Error"},
    {"HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\nContent-Length: 0\r\n\r\n", ": 302 Found"},
    {"!HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", ": the connection was closed in the middle of the answer"},
    {"!\x01\x02 garbage", ": "},
    {PEER_CLOSE, ": the connection was closed without an answer"},
    {PEER_SILENT, ": it did not answer in time"},
};

START_TEST(failures_are_told_and_it_asks_again_later)
{
    struct feed *feed =
        feed_from(failures[_i].answer == PEER_SILENT ? "url: \"URLx?token=secret\"\nevery: 20ms\ntimeout: 200ms\n"
                                                     : "url: \"URLx?token=secret\"\nevery: 20ms\n");
    char said[160];
    peer_say(world.peer, failures[_i].answer);
    peer_say(world.peer, JSON("1", "1"));
    rx_time then = rx_loop_clock(world.h.loop);
    feed_subscribe(feed);
    until(feed->source->failures == 1);
    snprintf(said, sizeof said, "GET %sx%s", world.peer->url, failures[_i].words);
    ck_assert_msg(strncmp(feed->source->fault, said, strlen(said)) == 0, "%s", feed->source->fault);
    ck_assert_ptr_null(strstr(feed->source->fault, "secret"));
    ck_assert(!feed->source->connected);
    until(feed->events.count == 1);
    ck_assert(world_elapsed(then, 25 * RX_MSEC)); /* twice the interval, less a quarter */
    ck_assert_ptr_null(feed->source->fault);
    ck_assert(feed->source->connected);
    ck_assert_uint_eq(feed->source->connects, 1);
    feed_destroy(feed);
}
END_TEST

START_TEST(nobody_is_there)
{
    struct feed *feed = feed_from("url: URL\nevery: 10ms\n");
    peer_close(world.peer);
    peer_say(world.peer, JSON("1", "1"));
    feed_subscribe(feed);
    until(feed->source->failures == 2);
    ck_assert_ptr_nonnull(strstr(feed->source->fault, "Connection refused"));
    peer_listen(world.peer);
    until(feed->events.count == 1);
    feed_destroy(feed);
}
END_TEST

START_TEST(the_server_says_when_to_come_again)
{
    struct feed *feed = feed_from("url: URL\nevery: 10ms\n");
    peer_say(world.peer, "HTTP/1.1 429 Slow down\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    peer_say(world.peer, JSON("1", "1"));
    rx_time then = rx_loop_clock(world.h.loop);
    feed_subscribe(feed);
    until(feed->source->failures == 1);
    until(feed->events.count == 1);
    ck_assert(world_elapsed(then, RX_SEC));
    feed_destroy(feed);
}
END_TEST

START_TEST(what_is_too_large_or_no_json_is_rejected_and_counted)
{
    struct feed *feed = feed_from("url: URL\nevery: 10ms\nmax_message: 100\nformat: json\n");
    peer_say(world.peer, PEER_FLOOD);
    peer_say(world.peer, JSON("{oops", "5"));
    peer_say(world.peer, JSON("7", "1"));
    feed_subscribe(feed);
    until(feed->events.count > 0);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_TOO_LARGE], 1);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_SYNTAX], 1);
    ck_assert_uint_eq(feed->rejects.count, 2);
    ck_assert_ptr_nonnull(strstr(feed->rejects.lines[0], "larger than 100 bytes"));
    ck_assert_uint_eq(feed->source->failures, 0);
    ck_assert_uint_lt(world.peer->flooded, 64u << 20);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_paused_source_does_not_ask)
{
    struct feed *feed = feed_from("url: URL\nevery: 10ms\n");
    peer_say(world.peer, JSON("1", "1"));
    feed_subscribe(feed);
    until(feed->events.count == 1);
    feed->source->class->pause(feed->source, true);
    size_t asked = world.peer->request_count;
    rx_time then = rx_loop_clock(world.h.loop);
    until(world_elapsed(then, 60 * RX_MSEC));
    ck_assert_uint_le(world.peer->request_count, asked + 1); /* one may have been under way */
    asked = feed->events.count;
    feed->source->class->pause(feed->source, false);
    until(feed->events.count > asked);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_subscriber_may_leave_at_an_answer_and_come_again)
{
    struct feed *feed = feed_from("url: URL\nevery: 10ms\n");
    peer_say(world.peer, "HTTP/1.1 200 OK\r\nETag: a\r\nContent-Length: 1\r\n\r\n1");
    feed->events.leave_after = 1;
    feed_subscribe(feed);
    until(feed->events.count == 1);
    ck_assert(!feed->source->running);
    for (int i = 0; i < 10; i++)
        rx_loop_once(world.h.loop, 5);
    ck_assert_uint_eq(world.peer->request_count, 1);
    feed_subscribe(feed);
    until(feed->events.count == 2);
    ck_assert_ptr_null(strstr(world.peer->requests[1], "If-None-Match")); /* it has seen nothing yet */
    feed_destroy(feed);
}
END_TEST

static int load(struct feed *feed, const struct rx_writer *w, size_t length)
{
    struct rx_reader r = {.data = (const unsigned char *)w->buffer.data, .length = length, .heap = world.h.heap};
    return feed->source->class->load(feed->source, &r);
}

START_TEST(it_goes_on_where_another_engine_was)
{
    static const char yaml[] = "url: URL\nevery: 300ms\n";
    struct feed *old = feed_from(yaml);
    struct rx_writer w = {0};
    peer_say(world.peer, "HTTP/1.1 200 OK\r\nETag: a\r\nContent-Length: 1\r\n\r\n1");
    rx_time then = rx_sched_now(old->source->sched);
    feed_subscribe(old);
    until(old->events.count == 1);
    old->source->class->save(old->source, &w);
    feed_destroy(old);
    struct feed *new = feed_from(yaml);
    ck_assert_int_eq(load(new, &w, w.buffer.length), 0);
    feed_subscribe(new);
    ck_assert(new->source->connected);
    until(new->events.count == 1);
    ck_assert_uint_eq(new->source->connects, 0);
    ck_assert(world_elapsed(then, 300 * RX_MSEC));
    ck_assert_ptr_nonnull(strstr(world.peer->requests[1], "If-None-Match: a\r\n"));
    feed_destroy(new);
    for (size_t length = 0; length < w.buffer.length; length++) {
        struct feed *broken = feed_from(yaml);
        world_forget(2);
        ck_assert_int_lt(load(broken, &w, length), 0);
        feed_destroy(broken);
    }
    rx_buffer_finish(&w.buffer);
}
END_TEST

START_TEST(mistakes_are_told_at_load)
{
    static const char *const cases[][2] = {
        {"{}", "needs `url`"},
        {"{url: \"example.net/x\"}", "begins with http:// or https://"},
        {"{url: \"http://a/\", headers: {\"A b\": c}}", "is no name of a header"},
        {"{url: \"http://a/\", headers: {A: \"b\\nc\"}}", "line break"},
        {"{url: \"http://a/\", every: 1ms}", "`every`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_buffer said = {0};
        void *image = calloc(1, rx_source_http_poll.base.state_size);
        ck_assert_int_lt(world_parse(&rx_source_http_poll.base, cases[i][0], image, &said), 0);
        ck_assert_msg(strstr(said.data, cases[i][1]) != NULL, "%s", said.data);
        rx_buffer_finish(&said);
        free(image);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source_http_poll");
    TCase *t = tcase_create("source_http_poll");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, world_setup, world_teardown);
    tcase_add_test(t, what_is_new_is_an_event_and_what_is_not_is_none);
    tcase_add_test(t, a_validator_has_so_many_bytes_at_the_most);
    tcase_add_test(t, an_answer_is_what_its_type_says);
    tcase_add_test(t, the_interval_is_from_request_to_request);
    tcase_add_loop_test(t, failures_are_told_and_it_asks_again_later, 0, sizeof failures / sizeof *failures);
    tcase_add_test(t, nobody_is_there);
    tcase_add_test(t, the_server_says_when_to_come_again);
    tcase_add_test(t, what_is_too_large_or_no_json_is_rejected_and_counted);
    tcase_add_test(t, a_paused_source_does_not_ask);
    tcase_add_test(t, a_subscriber_may_leave_at_an_answer_and_come_again);
    tcase_add_test(t, it_goes_on_where_another_engine_was);
    tcase_add_test(t, mistakes_are_told_at_load);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
