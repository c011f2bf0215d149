// layer: sinks
/* Sinks: frames and keys of the served stream, lines of the log and of a file, publishing; and their accounts. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sinks/frame.h"
#include "tests/unit/mqtt_harness.h"

extern const struct rx_sink_class rx_sink_stream, rx_sink_log, rx_sink_file, rx_sink_mqtt;

static struct harness h;
static struct rx_log_writer *writer;
static struct rx_log *frames;
static struct client client;
static char logged[256];

static struct rx_log_writer *find_stream(struct rx_site *site, const char *name,
                                         const struct rx_stream_options *options, struct rx_error *reterr)
{
    (void)site, (void)reterr;
    ck_assert_str_eq(name, "pipe");
    ck_assert_int_eq(rx_log_create(1, &options->limits, &writer, &frames), 0);
    return writer;
}

static void leave_stream(struct rx_site *site, const char *name)
{
    (void)site;
    ck_assert_str_eq(name, "pipe");
}

static struct rx_broker *find_broker(struct rx_site *site, const char *name)
{
    (void)site, (void)name;
    return client.broker;
}

static void take_line(struct rx_site *site, int level, const char *message, const char *const *pairs)
{
    (void)site;
    snprintf(logged, sizeof logged, "%d %s %s=%s", level, message, pairs[0], pairs[1]);
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    harness_init(&h);
    h.site.stream = find_stream;
    h.site.stream_done = leave_stream;
    h.site.broker = find_broker;
    h.site.log = take_line;
    writer = NULL;
    frames = NULL;
    client = (struct client){0};
    logged[0] = '\0';
}

static void teardown(void)
{
    rx_log_writer_destroy(writer);
    rx_log_destroy(frames);
    client_destroy(&client);
    harness_finish(&h);
}

/* The newest frame as "KEY JSON". */
static const char *newest(void)
{
    static char text[256];
    struct rx_frame_view view;
    rx_log_collect(frames);
    ck_assert(rx_log_frame(frames, rx_log_last(frames), &view));
    snprintf(text, sizeof text, "%.*s %.*s", (int)view.key_length, view.key ? view.key : "", (int)view.json_length,
             view.json);
    return text;
}

static void write_grouped(struct rx_sink *sink, const char *key, const char *value)
{
    struct rx_value names;
    struct rx_event event = {0};
    ck_assert_int_eq(rx_json_decode(h.heap, NULL, NULL, key, strlen(key), &names, NULL), 0);
    ck_assert_int_eq(rx_json_decode(h.heap, NULL, NULL, value, strlen(value), &event.value, NULL), 0);
    event.mark = rx_mark_with_key(h.heap, NULL, names);
    sink->in++;
    ck_assert_int_eq(sink->class->write(sink, &event, NULL), 0);
    sink->class->flush(sink);
    rx_value_unref(names);
    rx_event_unref(&event);
}

START_TEST(a_frame_is_the_event_and_its_key_the_groups)
{
    struct rx_sink *sink = delivery_create(&h, &rx_sink_stream, NULL);
    delivery_write(&h, sink, "{\"a\":1}");
    sink->class->flush(sink);
    ck_assert_str_eq(newest(), " {\"a\":1}");
    write_grouped(sink, "{\"device\":\"d1\"}", "{\"avg\":2.5}");
    ck_assert_str_eq(newest(), "\"d1\" {\"avg\":2.5}");
    write_grouped(sink, "{\"device\":\"d1\",\"floor\":3}", "{\"avg\":2.5}");
    ck_assert_str_eq(newest(), "[\"d1\",3] {\"avg\":2.5}");
    write_grouped(sink, "{\"device\":\"d1\",\"floor\":3}", "7");
    ck_assert_str_eq(newest(), "[\"d1\",3] {\"device\":\"d1\",\"floor\":3,\"value\":7}");
    delivery_destroy(sink);
}
END_TEST

/* A scalar of a window tells it, and whether it is final. */
static const char *framed(uint32_t flags, rx_time start, rx_time end)
{
    static char text[256];
    struct rx_buffer out = {0};
    struct rx_event event = {.value = rx_json_int(7), .mark = rx_mark_with_window(h.heap, NULL, start, end, flags)};
    rx_frame_json(&out, &event);
    snprintf(text, sizeof text, "%.*s", (int)out.length, out.data);
    rx_buffer_finish(&out);
    rx_event_unref(&event);
    return text;
}

START_TEST(a_scalar_of_a_window_is_framed_with_it)
{
    ck_assert_str_eq(framed(0, 0, RX_SEC),
                     "{\"value\":7,\"window\":{\"start\":\"1970-01-01T00:00:00Z\",\"end\":\"1970-01-01T00:00:01Z\"}}");
    ck_assert_ptr_nonnull(strstr(framed(RX_WINDOW_EARLY, 0, RX_SEC), ",\"final\":false}}"));
    ck_assert_ptr_nonnull(strstr(framed(RX_WINDOW_EARLY | RX_WINDOW_FINAL, 0, RX_SEC), ",\"final\":true}}"));
    ck_assert_ptr_nonnull(strstr(framed(RX_WINDOW_EARLY | RX_WINDOW_FINAL | RX_WINDOW_MERGED, 0, RX_SEC),
                                 ",\"final\":true,\"merged\":true}}"));
    ck_assert_str_eq(framed(0, RX_SEC, RX_SEC), "7"); /* a count that is not full yet: nobody knows its end */
}
END_TEST

START_TEST(a_stream_may_have_a_key_of_its_own_and_says_how_it_ended)
{
    struct rx_sink *sink = delivery_create(&h, &rx_sink_stream, "key", "n % 2", NULL);
    struct rx_error error;
    delivery_write(&h, sink, "{\"n\":7}");
    sink->class->flush(sink);
    ck_assert_str_eq(newest(), "1 {\"n\":7}");
    ck_assert_int_lt(delivery_write(&h, sink, "{\"m\":7}"), 0);
    ck_assert_uint_eq(sink->errored, 1);
    rx_error_set(&error, -EIO, "it \"broke\"");
    sink->class->end(sink, &error);
    ck_assert_str_eq(newest(), " {\"error\":\"it \\\"broke\\\"\"}");
    sink->class->end(sink, NULL);
    ck_assert_str_eq(newest(), " {\"complete\":true}");
    delivery_destroy(sink);
}
END_TEST

START_TEST(a_log_line_is_the_template_or_the_event)
{
    struct rx_sink *plain = delivery_create(&h, &rx_sink_log, NULL);
    struct rx_sink *shaped =
        delivery_create(&h, &rx_sink_log, "message", "{device} is at {t + 1}", "level", "warning", NULL);
    delivery_write(&h, plain, "{\"device\":\"d1\",\"t\":4}");
    ck_assert_str_eq(logged, "6 {\"device\":\"d1\",\"t\":4} stream=pipe");
    delivery_write(&h, shaped, "{\"device\":\"d1\",\"t\":4}");
    ck_assert_str_eq(logged, "4 d1 is at 5 stream=pipe");
    ck_assert_int_lt(delivery_write(&h, shaped, "{\"t\":\"warm\"}"), 0);
    delivery_destroy(plain);
    delivery_destroy(shaped);
}
END_TEST

static char *content_of(const char *path)
{
    static char text[4096];
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(a_file_is_appended_to_line_by_line)
{
    char path[] = "/tmp/rxd-sink-XXXXXX";
    close(mkstemp(path));
    for (int run = 0; run < 2; run++) {
        struct rx_sink *sink = delivery_create(&h, &rx_sink_file, "path", path, NULL);
        delivery_write(&h, sink, "{\"n\":1}");
        delivery_write(&h, sink, "{\"text\":\"a\\nb\"}");
        ck_assert_uint_eq(sink->held, 2);
        sink->class->flush(sink);
        ck_assert_uint_eq(sink->out, 2);
        delivery_destroy(sink);
    }
    ck_assert_str_eq(content_of(path), "{\"n\":1}\n{\"text\":\"a\\nb\"}\n{\"n\":1}\n{\"text\":\"a\\nb\"}\n");
    unlink(path);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_holds_a_bounded_part_and_is_tried_again)
{
    char folder[] = "/tmp/rxd-sink-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/later/out", folder);
    struct rx_sink *sink = delivery_create(&h, &rx_sink_file, "path", path, "max_buffer", "1KiB", NULL);
    int r = 0;
    for (int i = 0; i < 1000 && r == 0; i++)
        r = delivery_write(&h, sink, "{\"n\":1}");
    ck_assert_int_eq(r, -EAGAIN);
    sink->class->flush(sink);
    ck_assert(!sink->connected);
    ck_assert_uint_eq(sink->held, 128);
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(mkdir(path, 0700), 0);
    harness_until(&h, sink->held == 0);
    ck_assert_uint_eq(sink->out, 128);
    ck_assert(sink->connected);
    delivery_destroy(sink);
    strcat(path, "/out");
    ck_assert_uint_eq(strlen(content_of(path)), 128 * 8);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(folder);
}
END_TEST

START_TEST(a_file_that_is_moved_or_removed_is_made_anew)
{
    char folder[] = "/tmp/rxd-sink-XXXXXX", path[64], moved[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
    snprintf(moved, sizeof moved, "%s/out.1", folder);
    struct rx_sink *sink = delivery_create(&h, &rx_sink_file, "path", path, NULL);
    for (unsigned i = 0; i < 3; i++) {
        delivery_write(&h, sink, "{\"n\":1}");
        sink->class->flush(sink);
        ck_assert_uint_eq(sink->out, i + 1);
        ck_assert_str_eq(content_of(path), "{\"n\":1}\n");
        ck_assert_int_eq(i ? unlink(path) : rename(path, moved), 0);
    }
    ck_assert_str_eq(content_of(moved), "{\"n\":1}\n");
    ck_assert_str_eq(logged, "6 the file is gone: made anew stream=pipe");
    delivery_destroy(sink);
    unlink(moved);
    unlink(path);
    rmdir(folder);
}
END_TEST

/* The limit of a file's size stands for a full disk: writes come out short, then fail. */
START_TEST(a_full_disk_is_a_fault_that_ends_and_no_line_is_torn)
{
    char path[] = "/tmp/rxd-sink-XXXXXX";
    struct rlimit full = {.rlim_cur = 20, .rlim_max = RLIM_INFINITY}, room = {RLIM_INFINITY, RLIM_INFINITY};
    close(mkstemp(path));
    signal(SIGXFSZ, SIG_IGN);
    struct rx_sink *sink = delivery_create(&h, &rx_sink_file, "path", path, NULL);
    for (int i = 0; i < 4; i++)
        delivery_write(&h, sink, "{\"n\":1}");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    sink->class->flush(sink);
    ck_assert_uint_eq(sink->out, 2);
    ck_assert_uint_eq(sink->held, 2);
    ck_assert_ptr_nonnull(sink->fault);
    ck_assert_msg(strstr(sink->fault, path) && strstr(sink->fault, strerror(EFBIG)), "%s", sink->fault);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &room), 0);
    harness_until(&h, sink->held == 0);
    ck_assert_ptr_null(sink->fault);
    ck_assert_uint_eq(sink->out, 4);
    ck_assert_str_eq(content_of(path), "{\"n\":1}\n{\"n\":1}\n{\"n\":1}\n{\"n\":1}\n");
    delivery_destroy(sink);
    unlink(path);
}
END_TEST

START_TEST(a_line_that_was_begun_in_another_file_is_whole_in_the_new_one)
{
    char path[] = "/tmp/rxd-sink-XXXXXX";
    struct rlimit full = {.rlim_cur = 12, .rlim_max = RLIM_INFINITY}, room = {RLIM_INFINITY, RLIM_INFINITY};
    close(mkstemp(path));
    signal(SIGXFSZ, SIG_IGN);
    struct rx_sink *sink = delivery_create(&h, &rx_sink_file, "path", path, NULL);
    delivery_write(&h, sink, "{\"n\":1}");
    delivery_write(&h, sink, "{\"n\":2}");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    sink->class->flush(sink);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &room), 0);
    ck_assert_int_eq(unlink(path), 0);
    harness_until(&h, sink->held == 0);
    ck_assert_str_eq(content_of(path), "{\"n\":2}\n");
    delivery_destroy(sink);
    unlink(path);
}
END_TEST

static char received[256];

static enum rx_claim on_message(struct rx_subscriber *subscriber, const struct rx_mqtt_message *message)
{
    (void)subscriber;
    snprintf(received, sizeof received, "%.*s %.*s", (int)message->topic_length, message->topic, (int)message->length,
             message->payload);
    return RX_CLAIM_TAKEN;
}

static void on_read_end(struct rx_subscriber *subscriber) { (void)subscriber; }
static void on_connection(struct rx_subscriber *subscriber, bool connected) { (void)subscriber, (void)connected; }

static void expect_published(struct rx_sink *sink, const char *json, const char *expected)
{
    ck_assert_int_eq(delivery_write(&h, sink, json), 0);
    sink->class->flush(sink);
    harness_until(&h, strcmp(received, expected) == 0);
    harness_until(&h, sink->class->drain(sink));
    delivery_destroy(sink);
}

START_TEST(events_are_published_under_their_topic_with_their_payload)
{
    struct server server;
    struct rx_subscriber all = {.message = on_message, .read_end = on_read_end, .connection = on_connection};
    char url[64];
    uint32_t filter;
    server_init(&server, NULL);
    server_start(&server);
    snprintf(url, sizeof url, "mqtt://127.0.0.1:%u", server.port);
    client = client_create(&h, url, NULL);
    rx_broker_join(client.broker, &all);
    harness_until(&h, status_of(&client).connected);
    ck_assert_int_eq(rx_broker_subscribe(client.broker, "#", 1, &filter), 0);
    expect_published(delivery_create(&h, &rx_sink_mqtt, "broker", "b", "topic", "out/{device}", "qos", "1", NULL),
                     "{\"device\":\"d1\",\"t\":4}", "out/d1 {\"device\":\"d1\",\"t\":4}");
    expect_published(
        delivery_create(&h, &rx_sink_mqtt, "broker", "b", "topic", "hot", "payload", "{device} is hot", NULL),
        "{\"device\":\"d1\"}", "hot d1 is hot");
    expect_published(delivery_create(&h, &rx_sink_mqtt, "broker", "b", "topic", "t", "payload", "{t + 1}", NULL),
                     "{\"t\":4}", "t 5");
    struct rx_sink *sink = delivery_create(&h, &rx_sink_mqtt, "broker", "b", "topic", "out/{device}", NULL);
    ck_assert_int_eq(delivery_write(&h, sink, "{\"device\":\"a+b\"}"), -EINVAL);
    delivery_destroy(sink);
    rx_broker_unsubscribe(client.broker, filter);
    rx_broker_leave(client.broker, &all);
    client_destroy(&client);
    client = (struct client){0};
    server_finish(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sink");
    TCase *t = tcase_create("sink");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_frame_is_the_event_and_its_key_the_groups);
    tcase_add_test(t, a_scalar_of_a_window_is_framed_with_it);
    tcase_add_test(t, a_stream_may_have_a_key_of_its_own_and_says_how_it_ended);
    tcase_add_test(t, a_log_line_is_the_template_or_the_event);
    tcase_add_test(t, a_file_is_appended_to_line_by_line);
    tcase_add_test(t, a_file_that_cannot_be_written_holds_a_bounded_part_and_is_tried_again);
    tcase_add_test(t, a_file_that_is_moved_or_removed_is_made_anew);
    tcase_add_test(t, a_full_disk_is_a_fault_that_ends_and_no_line_is_torn);
    tcase_add_test(t, a_line_that_was_begun_in_another_file_is_whole_in_the_new_one);
    tcase_add_test(t, events_are_published_under_their_topic_with_their_payload);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
