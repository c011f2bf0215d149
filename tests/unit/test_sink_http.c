// layer: pipelines
/* The http sink against a server that does as it is told: what is sent, what is sent again, what is given up; its account. */
#include "tests/unit/client_harness.h"

extern const struct rx_sink_class rx_sink_http;

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
/* On a connection that was used before libcurl itself tries again at once, where no byte of an answer came. */
#define BROKEN "!HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"

static struct rx_sink *sink_of(const char *yaml)
{
    struct rx_error error = {0};
    struct rx_sink *sink = world_image(&rx_sink_http.base, yaml);
    sink->class = &rx_sink_http;
    sink->pipeline = "pipe";
    sink->engine = world.h.engine;
    sink->heap = world.h.heap;
    sink->sched = rx_loop_sched(world.h.loop);
    sink->site = &world.h.site;
    ck_assert_msg(sink->class->init(sink, &error) == 0, "%s", error.message);
    return sink;
}

static void put(struct rx_sink *sink, const char *json)
{
    ck_assert_int_eq(delivery_write(&world.h, sink, json), 0);
    sink->class->flush(sink);
}

static const char *request(size_t i)
{
    ck_assert_uint_lt(i, world.peer->request_count);
    return world.peer->requests[i];
}

static const char *body(size_t i) { return strstr(request(i), "\r\n\r\n") + 4; }

#define until(condition_) harness_until(&world.h, condition_)

START_TEST(each_event_is_a_request_in_order)
{
    struct rx_sink *sink = sink_of("post: \"URLrooms/{room}?t={t}\"\nheaders: {X-Room: \"{room}\", X-N: \"{t}\"}\n");
    peer_say(world.peer, OK);
    put(sink, "{\"room\":\"a b/c\",\"t\":1}");
    put(sink, "{\"room\":\"\\u00fc\",\"t\":2.5}");
    until(sink->out == 2);
    ck_assert_msg(strncmp(request(0), "POST /rooms/a%20b%2Fc?t=1 HTTP/1.1\r\n", 36) == 0, "%s", request(0));
    ck_assert_ptr_nonnull(strstr(request(0), "\r\nX-Room: a b/c\r\n"));
    ck_assert_ptr_nonnull(strstr(request(0), "\r\nX-N: 1\r\n"));
    ck_assert_ptr_nonnull(strstr(request(0), "\r\nContent-Type: application/json\r\n"));
    ck_assert_str_eq(body(0), "{\"room\":\"a b/c\",\"t\":1}");
    ck_assert_ptr_nonnull(strstr(request(1), "POST /rooms/%C3%BC?t=2.5"));
    ck_assert_uint_eq(world.peer->accepted, 1);
    ck_assert(sink->class->drain(sink));
    delivery_destroy(sink);
}
END_TEST

START_TEST(a_payload_of_text_is_sent_as_it_is)
{
    struct rx_sink *sink = sink_of("put: URL\npayload: \"room {room}\\n\"\nheaders: {content-type: text/x}\n");
    struct rx_sink *plain = sink_of("post: URL\npayload: \"{room}\"\n");
    peer_say(world.peer, OK);
    put(sink, "{\"room\":\"a\"}");
    until(sink->out == 1);
    put(plain, "{\"room\":\"b\"}");
    until(plain->out == 1);
    ck_assert_int_eq(strncmp(request(0), "PUT / ", 6), 0);
    ck_assert_str_eq(body(0), "room a\n");
    ck_assert_ptr_nonnull(strstr(request(0), "\r\ncontent-type: text/x\r\n"));
    ck_assert_ptr_null(strstr(request(0), "Content-Type"));
    ck_assert_ptr_nonnull(strstr(request(1), "Content-Type: text/plain; charset=utf-8\r\n"));
    delivery_destroy(sink);
    delivery_destroy(plain);
}
END_TEST

START_TEST(a_batch_goes_when_it_is_full)
{
    struct rx_sink *sink = sink_of("post: URL\nbatch: {count: 3, every: 1h}\n");
    peer_say(world.peer, OK);
    for (int i = 0; i < 7; i++)
        put(sink, "{\"n\":1}");
    until(sink->out == 6);
    ck_assert_str_eq(body(0), "{\"n\":1}\n{\"n\":1}\n{\"n\":1}\n");
    ck_assert_ptr_nonnull(strstr(request(0), "Content-Type: application/x-ndjson\r\n"));
    ck_assert_uint_eq(world.peer->request_count, 2);
    ck_assert_uint_eq(sink->held, 1);
    until(sink->class->drain(sink)); /* what waits for others goes when the daemon stops */
    ck_assert_str_eq(body(2), "{\"n\":1}\n");
    delivery_destroy(sink);
}
END_TEST

START_TEST(a_batch_goes_when_its_oldest_has_waited_enough)
{
    struct rx_sink *sink = sink_of("post: URL\nbatch: {every: 80ms, form: array}\npayload: \"{event.n} \\\"x\\\"\"\n");
    rx_time before = rx_sched_now(sink->sched);
    peer_say(world.peer, OK);
    put(sink, "{\"n\":1}");
    put(sink, "{\"n\":2}");
    until(sink->out == 2);
    ck_assert(world_elapsed(before, 80 * RX_MSEC));
    ck_assert_str_eq(body(0), "[\"1 \\\"x\\\"\",\"2 \\\"x\\\"\"]");
    ck_assert_ptr_nonnull(strstr(request(0), "Content-Type: application/json\r\n"));
    delivery_destroy(sink);
}
END_TEST

START_TEST(a_batch_has_a_size_and_one_destination)
{
    struct rx_sink *sink = sink_of(
        "post: \"URL{k}\"\nbatch: {count: 10, size: 20, every: 1h}\nheaders: {X-H: \"{h}\"}\npayload: \"{text}\"\n");
    peer_say(world.peer, OK);
    put(sink, "{\"k\":1,\"h\":1,\"text\":\"0123456789\"}");
    put(sink, "{\"k\":1,\"h\":1,\"text\":\"012345678\\n\"}");
    put(sink, "{\"k\":1,\"h\":1,\"text\":\"larger than a whole batch\"}");
    put(sink, "{\"k\":2,\"h\":1,\"text\":\"a\"}");
    put(sink, "{\"k\":2,\"h\":2,\"text\":\"b\"}");
    until(sink->out == 4);
    until(sink->class->drain(sink));
    static const char *const expected[] = {"0123456789\n012345678 \n", "larger than a whole batch\n", "a\n", "b\n"};
    ck_assert_uint_eq(world.peer->request_count, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_eq(body(i), expected[i]);
    delivery_destroy(sink);
}
END_TEST

START_TEST(what_may_pass_is_tried_again_in_order)
{
    struct rx_sink *sink =
        sink_of("post: \"URLx?token=secret\"\ntimeout: 500ms\nretry: {delay: 10ms, max_delay: 20ms}\n");
    peer_say(world.peer, BROKEN);
    peer_say(world.peer, PEER_CLOSE);
    peer_say(world.peer, "!garbage");
    peer_say(world.peer, PEER_SILENT);
    peer_say(world.peer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    peer_say(world.peer, OK);
    put(sink, "{\"n\":1}");
    put(sink, "{\"n\":2}");
    until(sink->failures == 1);
    char url[128];
    snprintf(url, sizeof url, "POST %sx: 500 Internal Server Error", world.peer->url);
    ck_assert_str_eq(sink->fault, url);
    until(sink->out == 2);
    ck_assert_uint_eq(sink->failures, 5);
    ck_assert_ptr_null(sink->fault);
    ck_assert_uint_eq(world.peer->request_count, 7);
    for (size_t i = 0; i < 6; i++)
        ck_assert_str_eq(body(i), "{\"n\":1}");
    ck_assert_str_eq(body(6), "{\"n\":2}");
    delivery_destroy(sink);
}
END_TEST

START_TEST(a_server_that_is_away_gets_all_of_it_when_it_is_back)
{
    struct rx_sink *sink = sink_of("post: URL\nbatch: {count: 4, every: 0s}\nretry: {delay: 5ms, max_delay: 20ms}\n");
    peer_close(world.peer);
    peer_say(world.peer, OK);
    for (int i = 0; i < 50; i++)
        put(sink, "{\"n\":1}");
    until(sink->failures >= 3);
    ck_assert_msg(strstr(sink->fault, "Connection refused") != NULL, "%s", sink->fault);
    ck_assert_uint_eq(sink->held, 50);
    peer_listen(world.peer);
    until(sink->out == 50);
    ck_assert_uint_eq(sink->lost + sink->refused + sink->dropped_full, 0);
    delivery_destroy(sink);
}
END_TEST

START_TEST(the_server_says_when_to_come_again)
{
    struct rx_sink *sink = sink_of("post: URL\nretry: {delay: 1ms, max_delay: 1ms}\n");
    peer_say(world.peer, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    peer_say(world.peer, OK);
    rx_time then = rx_loop_clock(world.h.loop);
    put(sink, "{\"n\":1}");
    until(sink->failures == 1);
    until(sink->out == 1);
    ck_assert(world_elapsed(then, RX_SEC));
    delivery_destroy(sink);
}
END_TEST

START_TEST(what_is_refused_is_counted_and_the_next_goes_on)
{
    struct rx_sink *sink = sink_of("post: \"URL?token=secret\"\nheaders: {Authorization: secret}\n");
    char said[128];
    peer_say(world.peer, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    peer_say(world.peer, "HTTP/1.1 301 Moved Permanently\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
    peer_say(world.peer, OK);
    put(sink, "{\"n\":1}");
    until(sink->refused == 1);
    snprintf(said, sizeof said, "POST %s: 404 Not Found", world.peer->url);
    ck_assert_str_eq(sink->loss, said);
    put(sink, "{\"n\":2}");
    put(sink, "{\"n\":3}");
    until(sink->out == 1);
    ck_assert_uint_eq(sink->refused, 2);
    ck_assert_ptr_null(strstr(sink->loss, "secret"));
    ck_assert_uint_eq(world.peer->request_count, 3);
    delivery_destroy(sink);
}
END_TEST

START_TEST(tries_that_are_counted_come_to_an_end)
{
    struct rx_sink *sink = sink_of("post: URL\nbatch: {count: 2, every: 0s}\nretry: {count: 2, delay: 2ms}\n");
    peer_say(world.peer, BROKEN);
    peer_say(world.peer, BROKEN);
    peer_say(world.peer, BROKEN);
    peer_say(world.peer, OK);
    ck_assert_int_eq(delivery_write(&world.h, sink, "1"), 0);
    put(sink, "2");
    put(sink, "3");
    until(sink->out == 1);
    ck_assert_uint_eq(sink->lost, 2);
    ck_assert_ptr_nonnull(strstr(sink->loss, "500"));
    ck_assert_str_eq(body(3), "3\n");
    delivery_destroy(sink);
}
END_TEST

START_TEST(an_answer_without_end_is_not_read)
{
    struct rx_sink *sink = sink_of("post: URL\n");
    peer_say(world.peer, PEER_FLOOD);
    put(sink, "{\"n\":1}");
    until(sink->out == 1 && world.peer->open == 0);
    ck_assert_uint_lt(world.peer->flooded, 64u << 20);
    delivery_destroy(sink);
}
END_TEST

START_TEST(past_its_bound_it_is_full_and_what_it_has_is_delivered)
{
    struct rx_sink *sink = sink_of("post: URL\nmax_buffer: 1KiB\nretry: {delay: 10ms}\n");
    peer_close(world.peer);
    peer_say(world.peer, OK);
    int taken = 0;
    while (delivery_write(&world.h, sink, "{\"n\":\"a text of some length, so that it is soon full\"}") == 0)
        taken++;
    ck_assert_int_gt(taken, 3);
    ck_assert_int_lt(taken, 20);
    sink->class->flush(sink);
    peer_listen(world.peer);
    until(sink->out == (uint64_t)taken);
    ck_assert_uint_eq(sink->dropped_full, 1);
    ck_assert_int_eq(delivery_write(&world.h, sink, "{}"), 0);
    delivery_destroy(sink);
}
END_TEST

START_TEST(an_event_that_cannot_be_sent_is_an_error_of_its_own)
{
    struct rx_sink *sink = sink_of("post: \"http://{host}/\"\nheaders: {X-Name: \"{name}\"}\n");
    ck_assert_int_eq(delivery_write(&world.h, sink, "{\"host\":\"\",\"name\":\"a\"}"), -EINVAL);
    ck_assert_int_eq(delivery_write(&world.h, sink, "{\"host\":\"h\",\"name\":\"a\\r\\nX-Other: b\"}"), -EINVAL);
    ck_assert_int_eq(delivery_write(&world.h, sink, "{\"host\":\"h\",\"name\":\"a\\u0000b\"}"), -EINVAL);
    ck_assert_int_lt(delivery_write(&world.h, sink, "{\"name\":\"a\"}"), 0);
    ck_assert_uint_eq(sink->held, 0);
    ck_assert_uint_eq(sink->errored, 4);
    delivery_destroy(sink);
}
END_TEST

/* ---- state ---- */

static void save(struct rx_sink *sink, struct rx_writer *w)
{
    sink->class->save(sink, w);
    sink->handed_over = true;
}

static int load(struct rx_sink *sink, const struct rx_writer *w, size_t length)
{
    struct rx_reader r = {.data = (const unsigned char *)w->buffer.data, .length = length, .heap = world.h.heap};
    return sink->class->load(sink, &r);
}

/* What was taken in by the first sink and goes out of the second. */
static struct rx_sink *succeed(struct rx_sink *old, const char *yaml, struct rx_writer *w)
{
    struct rx_sink *new = sink_of(yaml);
    save(old, w);
    new->in = old->in;
    new->out = old->out;
    delivery_destroy(old);
    ck_assert_int_eq(load(new, w, w->buffer.length), 0);
    return new;
}

START_TEST(a_reload_keeps_what_is_held_and_what_is_under_way)
{
    static const char yaml[] = "post: URL\n";
    struct rx_writer w = {0};
    struct rx_sink *old = sink_of(yaml);
    peer_say(world.peer, PEER_SILENT);
    peer_say(world.peer, OK);
    put(old, "{\"n\":1}");
    put(old, "{\"n\":2}");
    until(world.peer->request_count == 1);
    struct rx_sink *new = succeed(old, yaml, &w);
    rx_client_drop_left(world.client);
    ck_assert_uint_eq(new->held, 2);
    peer_push(world.peer, OK);
    until(new->out == 2);
    ck_assert_uint_eq(world.peer->request_count, 2); /* the first was sent once */
    ck_assert_str_eq(body(1), "{\"n\":2}");
    rx_buffer_finish(&w.buffer);
    delivery_destroy(new);
}
END_TEST

START_TEST(another_process_sends_again_what_was_under_way)
{
    static const char yaml[] = "post: URL\nheaders: {X-N: \"{n}\"}\n";
    struct rx_writer w = {0};
    struct rx_sink *old = sink_of(yaml);
    peer_say(world.peer, PEER_SILENT);
    peer_say(world.peer, OK);
    put(old, "{\"n\":1}");
    until(world.peer->request_count == 1);
    struct rx_sink *new = sink_of(yaml);
    save(old, &w);
    new->in = old->in;
    delivery_destroy(old);
    rx_client_drop_left(world.client);
    ck_assert_int_eq(load(new, &w, w.buffer.length), 0);
    until(new->out == 1);
    ck_assert_str_eq(body(1), "{\"n\":1}");
    ck_assert_ptr_nonnull(strstr(request(1), "\r\nX-N: 1\r\n"));
    rx_buffer_finish(&w.buffer);
    delivery_destroy(new);
}
END_TEST

START_TEST(a_reload_does_not_forget_that_it_waits)
{
    static const char yaml[] = "post: URL\nretry: {delay: 1h, max_delay: 1h}\n";
    struct rx_writer w = {0};
    struct rx_sink *old = sink_of(yaml);
    peer_say(world.peer, BROKEN);
    put(old, "{\"n\":1}");
    until(old->failures == 1);
    struct rx_sink *new = succeed(old, yaml, &w);
    ck_assert_ptr_nonnull(strstr(new->fault, "500"));
    for (int i = 0; i < 10; i++)
        rx_loop_once(world.h.loop, 2);
    ck_assert_uint_eq(world.peer->request_count, 1);
    ck_assert(!new->class->drain(new)); /* it is tried once more, soon */
    until(new->failures == 1);
    rx_buffer_finish(&w.buffer);
    delivery_destroy(new);
}
END_TEST

START_TEST(a_damaged_state_is_refused)
{
    static const char yaml[] = "post: URL\nheaders: {X-N: \"{n}\"}\n";
    struct rx_writer w = {0};
    struct rx_sink *old = sink_of(yaml);
    peer_say(world.peer, PEER_SILENT);
    put(old, "{\"n\":1}");
    put(old, "{\"n\":2}");
    save(old, &w);
    for (size_t length = 0; length < w.buffer.length; length++) {
        struct rx_sink *new = sink_of(yaml);
        world_forget(1);
        ck_assert_int_lt(load(new, &w, length), 0);
        new->class->dispose(new);
        free(new);
    }
    rx_buffer_finish(&w.buffer);
    delivery_destroy(old);
}
END_TEST

/* ---- at load ---- */

START_TEST(headers_that_are_known_are_checked_at_load)
{
    static const char *const bad[] = {"{A: \"b\\nc\"}", "{\"A b\": c}", "text", "[a, b]", "{Host: a}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char yaml[80];
        struct rx_error error = {0};
        snprintf(yaml, sizeof yaml, "post: URL\nheaders: %s\n", bad[i]);
        struct rx_sink *sink = world_image(&rx_sink_http.base, yaml);
        sink->class = &rx_sink_http;
        sink->heap = world.h.heap;
        sink->sched = rx_loop_sched(world.h.loop);
        ck_assert_msg(sink->class->init(sink, &error) == -EINVAL, "%s", bad[i]);
        sink->class->dispose(sink);
        free(sink);
    }
}
END_TEST

START_TEST(mistakes_are_told_at_load)
{
    static const char *const cases[][2] = {
        {"{}", "an http sink needs a URL"},
        {"{post: \"http://a/\", put: \"http://a/\"}", "not both"},
        {"{post: \"a/b\"}", "begins with http:// or https://"},
        {"{post: \"http:///x\"}", "names no host"},
        {"{post: \"http://a/\", batch: {form: csv}}", "`form` must be one of lines, array"},
        {"{post: \"http://a/\", tls: {cert: c}}", "key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_buffer said = {0};
        void *image = calloc(1, rx_sink_http.base.state_size);
        ck_assert_int_lt(world_parse(&rx_sink_http.base, cases[i][0], image, &said), 0);
        ck_assert_msg(strstr(said.data, cases[i][1]) != NULL, "%s", said.data);
        rx_buffer_finish(&said);
        free(image);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sink_http");
    TCase *t = tcase_create("sink_http");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, world_setup, world_teardown);
    tcase_add_test(t, each_event_is_a_request_in_order);
    tcase_add_test(t, a_payload_of_text_is_sent_as_it_is);
    tcase_add_test(t, a_batch_goes_when_it_is_full);
    tcase_add_test(t, a_batch_goes_when_its_oldest_has_waited_enough);
    tcase_add_test(t, a_batch_has_a_size_and_one_destination);
    tcase_add_test(t, what_may_pass_is_tried_again_in_order);
    tcase_add_test(t, a_server_that_is_away_gets_all_of_it_when_it_is_back);
    tcase_add_test(t, the_server_says_when_to_come_again);
    tcase_add_test(t, what_is_refused_is_counted_and_the_next_goes_on);
    tcase_add_test(t, tries_that_are_counted_come_to_an_end);
    tcase_add_test(t, an_answer_without_end_is_not_read);
    tcase_add_test(t, past_its_bound_it_is_full_and_what_it_has_is_delivered);
    tcase_add_test(t, an_event_that_cannot_be_sent_is_an_error_of_its_own);
    tcase_add_test(t, a_reload_keeps_what_is_held_and_what_is_under_way);
    tcase_add_test(t, another_process_sends_again_what_was_under_way);
    tcase_add_test(t, a_reload_does_not_forget_that_it_waits);
    tcase_add_test(t, a_damaged_state_is_refused);
    tcase_add_test(t, headers_that_are_known_are_checked_at_load);
    tcase_add_test(t, mistakes_are_told_at_load);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
