// layer: sources
/* Formats in sources: what is many in one message, streams with a header, bodies by their Content-Type, limits, repeats. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/source_harness.h"

extern const struct rx_source_class rx_source_file, rx_source_http;

static struct harness h;
static void setup(void) { harness_init(&h); }
static void teardown(void) { harness_finish(&h); }

static int take(struct feed *feed, const char *bytes, size_t length, const struct rx_message_info *info)
{
    int r = rx_source_message(feed->source, rx_source_format(feed->source), bytes, length, info, NULL);
    rx_source_flush(feed->source);
    return r;
}

static int take_text(struct feed *feed, const char *text) { return take(feed, text, strlen(text), NULL); }

static const char *event_at(const struct feed *feed, size_t i)
{
    return i < feed->events.count ? feed->events.lines[i] : "";
}

static bool is_rejected(const struct feed *feed, size_t i, const char *words)
{
    return i < feed->rejects.count && strstr(feed->rejects.lines[i], words);
}

static const struct rx_key *key(const char *name) { return rx_key_intern(h.heap, name, strlen(name)); }

/* Messages. */

START_TEST(a_message_of_many_rows_is_as_many_events_with_its_captures)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "format", "csv", NULL);
    const struct rx_key *keys[] = {key("device")};
    struct rx_value captures[] = {rx_string(h.heap, "x-1", 3)};
    struct rx_message_info info = {.capture_keys = keys, .captures = captures, .capture_count = 1};
    static const char text[] = "t,v\n1,20.5\n2\n3,21\n";
    feed_subscribe(feed);
    ck_assert_int_eq(take(feed, text, sizeof text - 1, &info), -EBADMSG);
    ck_assert_uint_eq(feed->events.count, 2);
    ck_assert_str_eq(event_at(feed, 0), "{\"t\":1,\"v\":20.5,\"device\":\"x-1\"}");
    ck_assert_str_eq(event_at(feed, 1), "{\"t\":3,\"v\":21,\"device\":\"x-1\"}");
    ck_assert(is_rejected(feed, 0, "\"message\":\"1 cells, and there are 2 columns\",\"event\":\"2\\n\"}"));
    ck_assert_uint_eq(feed->source->received, 3);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_SYNTAX], 1);
    rx_value_unref(captures[0]);
    feed_destroy(feed);
}
END_TEST

START_TEST(split_makes_events_of_the_elements_of_an_array)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "format", "auto", "split", "true", NULL);
    feed_subscribe(feed);
    ck_assert_int_eq(take_text(feed, "[{\"a\":1},{\"a\":}, 7]"), -EBADMSG);
    ck_assert_int_eq(take_text(feed, "{\"a\":2}"), 0);
    ck_assert_int_eq(take_text(feed, "off"), 0);
    ck_assert_uint_eq(feed->events.count, 4);
    ck_assert_str_eq(event_at(feed, 1), "7");
    ck_assert_str_eq(event_at(feed, 3), "\"off\"");
    ck_assert(is_rejected(feed, 0, "expected a value"));
    ck_assert_uint_eq(feed->source->received, 5);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_binary_message_becomes_an_event)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "format", "msgpack", NULL);
    feed_subscribe(feed);
    ck_assert_int_eq(take(feed, "\x82\xA1\x61\xCA\x3F\xC0\x00\x00\xA1\x62\xC4\x01\x01", 13, NULL), 0);
    ck_assert_int_eq(take(feed, "\x82\xA1\x61", 3, NULL), -EBADMSG);
    ck_assert_str_eq(event_at(feed, 0), "{\"a\":1.5,\"b\":\"AQ==\"}");
    ck_assert(is_rejected(feed, 0, "byte 3: the message ends too early"));
    feed_destroy(feed);
}
END_TEST

START_TEST(a_subscriber_may_leave_inside_a_message_of_many)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "format", "csv", NULL);
    struct rx_buffer text = {0};
    rx_buffer_text(&text, "n\n");
    for (int i = 0; i < 2000; i++)
        rx_buffer_printf(&text, "%d\n", i);
    feed->events.leave_after = 100;
    feed_subscribe(feed);
    take(feed, text.data, text.length, NULL);
    ck_assert_uint_eq(feed->events.count, 100);
    ck_assert_uint_eq(feed->source->received, 256); /* a span; no more is decoded for nobody */
    rx_buffer_finish(&text);
    feed_destroy(feed);
}
END_TEST

static uint64_t told;
static uint64_t heard_when_told;
static struct feed *told_of;
static void on_ack(struct rx_source *source, uint64_t position)
{
    (void)source;
    told = position;
    heard_when_told = told_of->events.count;
}

START_TEST(a_message_of_many_is_acknowledged_when_all_of_it_has_passed)
{
    struct rx_source_class class = rx_source_http;
    struct rx_buffer text = {0};
    class.ack = on_ack;
    struct feed *feed = told_of = feed_create(&h, &class, "format", "csv", NULL);
    rx_buffer_text(&text, "n\n");
    for (int i = 0; i < 1000; i++)
        rx_buffer_printf(&text, "%d\n", i);
    feed_subscribe(feed);
    rx_source_position(feed->source, 7);
    take(feed, text.data, text.length, NULL);
    ck_assert_uint_eq(told, 7);
    ck_assert_uint_eq(heard_when_told, 1000);
    rx_buffer_finish(&text);
    feed_destroy(feed);
}
END_TEST

START_TEST(max_message_is_a_reason_to_reject_whatever_the_format)
{
    static const char *const formats[] = {"auto", "json", "text", "csv", "influx", "cbor", "msgpack"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct feed *feed = feed_create(&h, &rx_source_http, "format", formats[i], "max_message", "16", NULL);
        feed_subscribe(feed);
        ck_assert_int_eq(take_text(feed, "12345678901234567"), -EMSGSIZE);
        ck_assert_uint_eq(feed->source->rejected[RX_REJECT_TOO_LARGE], 1);
        ck_assert(is_rejected(feed, 0, "\"reason\":\"too_large\""));
        ck_assert(is_rejected(feed, 0, "a message of 17 bytes; max_message is 16"));
        feed_destroy(feed);
    }
}
END_TEST

/* Repeats. */

START_TEST(repeats_are_dropped_and_counted_and_nothing_else_is_said_of_them)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "dedupe", "id", "split", "true", NULL);
    feed_subscribe(feed);
    ck_assert_int_eq(take_text(feed, "[{\"id\":1},{\"id\":2},{\"id\":1},{\"x\":0},{\"x\":0}]"), 0);
    ck_assert_int_eq(take_text(feed, "{\"id\":2}"), 0);
    ck_assert_uint_eq(feed->events.count, 4);
    ck_assert_uint_eq(feed->rejects.count, 0);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_REPEATED], 2);
    ck_assert_uint_eq(feed->source->received, 6);
    ck_assert_str_eq(rx_reject_name(RX_REJECT_REPEATED), "repeated");
    feed_destroy(feed);
}
END_TEST

START_TEST(a_key_that_fails_is_an_error_of_its_event)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "dedupe.by", "id + 1", "dedupe.max", "10", NULL);
    feed_subscribe(feed);
    take_text(feed, "{\"id\":\"a\"}");
    ck_assert_uint_eq(feed->events.count, 0);
    ck_assert(is_rejected(feed, 0, "\"reason\":\"type\""));
    feed_destroy(feed);
}
END_TEST

START_TEST(what_dedupe_remembers_is_saved_with_the_source)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "dedupe", "id", NULL);
    struct feed *again = feed_create(&h, &rx_source_http, "dedupe", "id", NULL);
    struct feed *other = feed_create(&h, &rx_source_http, NULL);
    struct rx_writer w = {0};
    feed_subscribe(feed);
    feed_subscribe(again);
    take_text(feed, "{\"id\":1}");
    rx_source_save(feed->source, &w);
    struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = h.heap};
    rx_source_load(again->source, &r);
    ck_assert(!rx_reader_failed(&r));
    take_text(again, "{\"id\":1}");
    ck_assert_uint_eq(again->events.count, 0);
    r.position = 0;
    rx_source_load(other->source, &r);
    ck_assert_int_eq(r.failed, -EBADMSG);
    memset(&other->source->received, 0, sizeof other->source->received);
    other->source->decoded = 0;
    memset(other->source->rejected, 0, sizeof other->source->rejected);
    rx_buffer_finish(&w.buffer);
    feed_destroy(feed);
    feed_destroy(again);
    feed_destroy(other);
}
END_TEST

/* Bodies. */

static struct rx_ingest post(struct feed *feed, const char *type, const char *body, size_t length)
{
    struct rx_ingest ingest = {.body = malloc(length + 1), .length = length, .type = type};
    memcpy(ingest.body, body, length);
    feed->source->class->ingest(feed->source, &ingest);
    free(ingest.body);
    return ingest;
}

START_TEST(a_content_type_says_what_a_body_is)
{
    static const struct {
        const char *type, *body;
        uint64_t accepted;
        const char *last;
    } cases[] = {
        {"text/csv", "a,b\n1,x\n2,y\n", 2, "{\"a\":2,\"b\":\"y\"}"},
        {"text/csv; charset=utf-8; header=present", "c\n5\n", 1, "{\"c\":5}"},
        {"application/cbor", "\x82\x01\xA1\x61\x61\x02", 2, "{\"a\":2}"},
        {"application/cbor-seq", "\x01\x02\x03", 3, "3"},
        {"application/x-msgpack", "\x81\xA1\x61\x03", 1, "{\"a\":3}"},
        {"application/json", "[1,2]", 2, "2"},
        {"text/plain", "{\"a\":9}", 1, "{\"a\":9}"},
    };
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    feed_subscribe(feed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_ingest ingest = post(feed, cases[i].type, cases[i].body, strlen(cases[i].body));
        ck_assert_msg(ingest.status == 202 && ingest.accepted == cases[i].accepted, "%s: %d, %s", cases[i].type,
                      ingest.status, ingest.error.message);
        ck_assert_str_eq(event_at(feed, feed->events.count - 1), cases[i].last);
    }
    feed_destroy(feed);
}
END_TEST

START_TEST(what_the_user_says_a_body_is_goes_before_its_content_type)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "format", "influx", NULL);
    feed_subscribe(feed);
    struct rx_ingest ingest = post(feed, "application/json", "m f=1\nm f=2\n", 12);
    ck_assert_msg(ingest.status == 202 && ingest.accepted == 2, "%s", ingest.error.message);
    ingest = post(feed, "", "m f=3\nm f=x\n", 12);
    ck_assert_int_eq(ingest.status, 400);
    ck_assert_str_eq(ingest.error.message, "line 2, column 5: expected a value: a number, 1i, 1u, true, or a text in "
                                           "double quotes");
    ck_assert_uint_eq(feed->events.count, 2);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_bad_body_is_answered_with_its_place_and_nothing_of_it_is_taken)
{
    static const struct {
        const char *type, *body;
        size_t length;
        int status;
        const char *message;
    } cases[] = {
        {"text/csv", "a,b\n1,2\n3\n", 10, 400, "line 3, column 1: 1 cells, and there are 2 columns"},
        {"text/csv", "a\n12345678901234567890123456789012\n", 36, 413,
         "line 2, column 1: a message of 33 bytes; max_message is 32"},
        {"application/cbor", "\x01\x61\xFF", 3, 400, "byte 1: a text is not UTF-8"},
        {"application/msgpack", "\x92\x01", 2, 400, "byte 2: the message ends too early"},
    };
    struct feed *feed = feed_create(&h, &rx_source_http, "max_message", "32", NULL);
    feed_subscribe(feed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_ingest ingest = post(feed, cases[i].type, cases[i].body, cases[i].length);
        ck_assert_int_eq(ingest.status, cases[i].status);
        ck_assert_str_eq(ingest.error.message, cases[i].message);
        ck_assert_uint_eq(feed->source->decoded, 0);
    }
    feed_destroy(feed);
}
END_TEST

/* A client mends a body that was refused, and sends it again: what was right in it is no repeat. */
START_TEST(a_refused_body_leaves_nothing_behind_that_its_repetition_meets)
{
    struct feed *feed = feed_create(&h, &rx_source_http, "dedupe", "id", NULL);
    feed_subscribe(feed);
    ck_assert_int_eq(post(feed, "", "[{\"id\":1},x]", 12).status, 400);
    struct rx_ingest ingest = post(feed, "", "[{\"id\":1},{\"id\":2}]", 19);
    ck_assert(ingest.status == 202 && ingest.accepted == 2);
    ingest = post(feed, "", "[{\"id\":1},{\"id\":3}]", 19);
    ck_assert(ingest.status == 202 && ingest.accepted == 1);
    feed_destroy(feed);
}
END_TEST

/* Past 16,384 messages a body is read twice; a mistake behind them refuses all. */
START_TEST(a_long_body_is_taken_whole_or_not_at_all)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    struct rx_buffer text = {0};
    rx_buffer_text(&text, "n\n");
    for (int i = 0; i < 19000; i++)
        rx_buffer_printf(&text, "%d\n", i);
    feed_subscribe(feed);
    struct rx_ingest ingest = post(feed, "text/csv", text.data, text.length);
    ck_assert(ingest.status == 202 && ingest.accepted == 19000);
    ck_assert_str_eq(event_at(feed, 18999), "{\"n\":18999}");
    rx_buffer_text(&text, "1,2\n");
    ingest = post(feed, "text/csv", text.data, text.length);
    ck_assert_int_eq(ingest.status, 400);
    ck_assert_uint_eq(feed->events.count, 19000);
    rx_buffer_finish(&text);
    feed_destroy(feed);
}
END_TEST

/* Files. */

static void write_file(char *path, const char *text, size_t length)
{
    strcpy(path, "/tmp/rxd-test-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
    close(fd);
}

static void add_to(const char *path, int flags, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

START_TEST(a_csv_file_gives_rows_and_names_the_line_of_a_wrong_one)
{
    static const char text[] = "t,name\r\n1,\"two\r\nlines\"\r\n2,x,y\r\n\r\n3,z";
    char path[32];
    write_file(path, text, sizeof text - 1);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "format", "csv", NULL);
    for (int run = 1; run <= 2; run++) {
        feed_subscribe(feed);
        harness_until(&h, feed->events.completes == run);
        ck_assert_uint_eq(feed->events.count, 2 * (size_t)run);
    }
    ck_assert_str_eq(event_at(feed, 0), "{\"t\":1,\"name\":\"two\\r\\nlines\"}");
    ck_assert_str_eq(event_at(feed, 1), "{\"t\":3,\"name\":\"z\"}");
    ck_assert(is_rejected(feed, 0, "\"message\":\"line 4, column 1: 3 cells, and there are 2 columns\""));
    ck_assert_uint_eq(feed->source->headers, 0);
    feed_destroy(feed);
    unlink(path);
}
END_TEST

START_TEST(a_csv_file_whose_header_changes_is_read_by_the_new_one_and_counted)
{
    static const char text[] = "t,v\n1,20\nv,t,unit\n21,2,C\nv,t,unit\n22,3,C\n";
    char path[32];
    write_file(path, text, sizeof text - 1);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "format", "csv", NULL);
    feed_subscribe(feed);
    harness_until(&h, feed->events.completes == 1);
    ck_assert_uint_eq(feed->events.count, 3);
    ck_assert_str_eq(event_at(feed, 1), "{\"v\":21,\"t\":2,\"unit\":\"C\"}");
    ck_assert_uint_eq(feed->source->headers, 2);
    ck_assert_uint_eq(feed->rejects.count, 0);
    feed_destroy(feed);
    unlink(path);
}
END_TEST

START_TEST(a_file_that_takes_the_place_of_a_followed_one_brings_its_own_header)
{
    char path[32], old[40];
    write_file(path, "t,v\n1,20\n", 9);
    snprintf(old, sizeof old, "%s.1", path);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "format", "csv", "follow", "true", NULL);
    feed_subscribe(feed);
    harness_until(&h, feed->events.count == 1);
    ck_assert_int_eq(rename(path, old), 0);
    add_to(path, O_EXCL, "name,v\nx,21\n");
    harness_until(&h, feed->events.count == 2);
    add_to(path, O_APPEND, "y,22\n");
    harness_until(&h, feed->events.count == 3);
    ck_assert_str_eq(event_at(feed, 1), "{\"name\":\"x\",\"v\":21}");
    ck_assert_str_eq(event_at(feed, 2), "{\"name\":\"y\",\"v\":22}");
    add_to(path, O_TRUNC, "v\n23\n");
    harness_until(&h, feed->events.count == 4);
    ck_assert_uint_eq(feed->source->headers, 2);
    ck_assert_str_eq(event_at(feed, 3), "{\"v\":23}");
    ck_assert_uint_eq(feed->rejects.count, 0);
    feed_destroy(feed);
    unlink(path);
    unlink(old);
}
END_TEST

START_TEST(a_file_goes_on_with_its_header_after_a_restart)
{
    char path[32];
    write_file(path, "t,v\n1,20\n", 9);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "format", "csv", "follow", "true", NULL);
    struct feed *again = feed_create(&h, &rx_source_file, "path", path, "format", "csv", "follow", "true", NULL);
    struct rx_writer w = {0};
    feed_subscribe(feed);
    harness_until(&h, feed->events.count == 1);
    feed->source->class->save(feed->source, &w);
    struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = h.heap};
    ck_assert_int_eq(again->source->class->load(again->source, &r), 0);
    ck_assert_uint_eq(r.position, r.length);
    add_to(path, O_APPEND, "2,21\n");
    feed_subscribe(again);
    harness_until(&h, again->events.count == 1);
    ck_assert_str_eq(event_at(again, 0), "{\"t\":2,\"v\":21}");
    rx_buffer_finish(&w.buffer);
    feed_destroy(feed);
    feed_destroy(again);
    unlink(path);
}
END_TEST

START_TEST(a_row_past_the_limit_is_refused_once_and_the_next_is_read)
{
    size_t length = 1500000;
    char *text = malloc(length + 32), path[32];
    memset(text, 'x', length);
    memcpy(text, "a\n1\n\"", 5);
    memcpy(text + length, "\n2\n", 3);
    write_file(path, text, length + 3);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "format", "csv", "max_message", "64KiB", NULL);
    feed_subscribe(feed);
    harness_until(&h, feed->events.completes == 1);
    ck_assert_uint_eq(feed->events.count, 2);
    ck_assert_str_eq(event_at(feed, 1), "{\"a\":2}");
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_TOO_LARGE], 1);
    feed_destroy(feed);
    unlink(path);
    free(text);
}
END_TEST

START_TEST(a_file_of_items_is_read_item_by_item_up_to_what_is_none)
{
    char path[32];
    struct rx_buffer text = {0};
    for (int i = 0; i < 300; i++) { /* more than a span, and newlines in it that mean nothing */
        char item[] = {(char)0xA1, 0x61, '\n', 0x19, (char)(i >> 8), (char)i};
        rx_buffer_append(&text, item, sizeof item);
    }
    rx_buffer_append(&text, "\x1C\x01\x02", 3);
    write_file(path, text.data, text.length);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "format", "cbor", NULL);
    feed_subscribe(feed);
    harness_until(&h, feed->events.completes == 1);
    ck_assert_uint_eq(feed->events.count, 300);
    ck_assert_str_eq(event_at(feed, 299), "{\"\\n\":299}");
    ck_assert_uint_eq(feed->rejects.count, 1);
    ck_assert(is_rejected(feed, 0, "byte 0: this is not cbor"));
    rx_buffer_finish(&text);
    feed_destroy(feed);
    unlink(path);
}
END_TEST

/* Lines go a short way where nothing but their values is asked for, and the long one where meta is: side by side. */
static const char *const odd_lines[] = {"{\"n\":1,\"s\":\"a\"}\n",
                                        "{\"n\":2}\r\n",
                                        "\n",
                                        " {\"n\":3}\n",
                                        "[4]\n",
                                        "{\"n\":5} \n",
                                        "7\n",
                                        "{}\n",
                                        "  \r\n",
                                        "{\"n\":6}\n"};

static void write_lines(struct rx_buffer *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rx_buffer_text(text, odd_lines[i % (sizeof odd_lines / sizeof *odd_lines)]);
}

static void expect_same(const struct feed *a, const struct feed *b)
{
    ck_assert_uint_eq(a->events.count, b->events.count);
    for (size_t i = 0; i < a->events.count; i++)
        ck_assert_str_eq(a->events.lines[i], b->events.lines[i]);
    ck_assert_uint_eq(a->rejects.count, b->rejects.count);
    for (size_t i = 0; i < a->rejects.count; i++)
        ck_assert_str_eq(strstr(a->rejects.lines[i], "reason"), strstr(b->rejects.lines[i], "reason"));
    ck_assert_uint_eq(a->events.spans, b->events.spans);
    ck_assert_uint_eq(a->source->received, b->source->received);
    ck_assert_uint_eq(a->source->decoded, b->source->decoded);
    ck_assert_uint_eq(a->source->bytes, b->source->bytes);
}

START_TEST(lines_of_a_file_are_the_same_by_the_short_way_and_the_long_one)
{
    struct rx_buffer text = {0};
    char path[32];
    write_lines(&text, 5003);
    rx_buffer_text(&text, "{\"n\":}\n{\"n\":8}\n{\"long\":\"----------------------\"}\n\xFF\n{\"n\":9}");
    write_file(path, text.data, text.length);
    struct feed *feeds[2];
    for (unsigned i = 0; i < 2; i++) {
        feeds[i] = feed_create(&h, &rx_source_file, "path", path, NULL);
        feeds[i]->source->reaches = i ? RX_REACHES_META : 0;
        feeds[i]->source->max_message = 30;
        feed_subscribe(feeds[i]);
        harness_until(&h, feeds[i]->events.completes == 1);
    }
    ck_assert_uint_eq(feeds[0]->events.count, 4004);
    ck_assert_uint_eq(feeds[0]->rejects.count, 3);
    ck_assert(is_rejected(feeds[0], 0, "line 5004, column 6"));
    expect_same(feeds[0], feeds[1]);
    feed_destroy(feeds[0]);
    feed_destroy(feeds[1]);
    rx_buffer_finish(&text);
    unlink(path);
}
END_TEST

/* Times that rise, that fall behind the watermark (a span ends before them), that are none, and that are far ahead. */
static void write_dated(struct rx_buffer *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (i % 100 == 99)
            rx_buffer_printf(text, "{\"n\":%zu}\n", i);
        else
            rx_buffer_printf(text, "{\"ts\":%zu%s}%s\n", i % 700 == 650 ? i - 300 : i, i % 501 == 500 ? "0000000" : "",
                             i % 90 == 89 ? " " : "");
}

START_TEST(lines_with_times_are_the_same_by_the_short_way_and_the_long_one)
{
    struct rx_source_common common = {.lateness = 100 * RX_SEC, .max_ahead = 100000 * RX_SEC};
    struct rx_expr_options options = {.heap = h.heap};
    struct rx_event_clock clocks[2];
    struct rx_buffer text = {0};
    struct feed *feeds[2];
    char path[32];
    common.event_time.unit = RX_UNIT_S;
    ck_assert_int_eq(rx_expr_compile("ts", 2, &options, &common.event_time.expr, NULL), 0);
    write_dated(&text, 5000);
    write_file(path, text.data, text.length);
    for (unsigned i = 0; i < 2; i++) {
        feeds[i] = feed_create(&h, &rx_source_file, "path", path, NULL);
        struct rx_source *source = feeds[i]->source;
        rx_event_clock_init(&clocks[i], &common, h.engine, source->sched, source->hub, true);
        source->clock = &clocks[i];
        source->reaches = i ? RX_REACHES_META : 0;
        feed_subscribe(feeds[i]);
        harness_until(&h, feeds[i]->events.completes == 1);
    }
    ck_assert_uint_eq(feeds[0]->events.count + feeds[0]->rejects.count, 5000);
    ck_assert_uint_ge(feeds[0]->source->rejected[RX_REJECT_TIME], 49);
    ck_assert_uint_gt(feeds[0]->events.spans, (5000 + 255) / 256);
    ck_assert_int_eq(feeds[0]->events.last.time, feeds[1]->events.last.time);
    ck_assert_int_eq(clocks[0].newest, clocks[1].newest);
    ck_assert_int_eq(clocks[0].told, clocks[1].told);
    expect_same(feeds[0], feeds[1]);
    for (unsigned i = 0; i < 2; i++) {
        feeds[i]->source->clock = NULL;
        feed_destroy(feeds[i]);
    }
    rx_expr_destroy(common.event_time.expr);
    rx_buffer_finish(&text);
    unlink(path);
}
END_TEST

START_TEST(lines_of_a_body_are_the_same_by_the_short_way_and_the_long_one)
{
    static const char *const ends[] = {"", "{\"n\":}\n", "{\"long\":\"----------------------\"}\n{\"n\":1}\n"};
    for (unsigned kind = 0; kind < 9; kind++) { /* in all, what waits at the most, and more */
        struct rx_buffer text = {0};
        struct rx_ingest answers[2];
        struct feed *feeds[2];
        write_lines(&text, (size_t[]){9, 19000, 23000}[kind / 3]);
        rx_buffer_text(&text, ends[kind % 3]);
        for (unsigned i = 0; i < 2; i++) {
            feeds[i] = feed_create(&h, &rx_source_http, NULL);
            feeds[i]->source->reaches = i ? RX_REACHES_META : 0;
            feeds[i]->source->max_message = 30;
            feed_subscribe(feeds[i]);
            answers[i] = post(feeds[i], "application/x-ndjson", text.data, text.length);
        }
        ck_assert_int_eq(answers[0].status, kind % 3 == 0 ? 202 : kind % 3 == 1 ? 400 : 413);
        ck_assert_int_eq(answers[0].status, answers[1].status);
        ck_assert_uint_eq(answers[0].accepted, answers[1].accepted);
        ck_assert_uint_eq(answers[0].accepted, feeds[0]->events.count);
        if (kind % 3)
            ck_assert_str_eq(answers[0].error.message, answers[1].error.message);
        expect_same(feeds[0], feeds[1]);
        feed_destroy(feeds[0]);
        feed_destroy(feeds[1]);
        rx_buffer_finish(&text);
    }
}
END_TEST

START_TEST(lines_of_influx_in_a_file_have_their_line_in_what_is_said_of_them)
{
    static const char text[] = "# what a device writes\nm,d=a v=1i 1000\nm,d=a v=\n";
    char path[32];
    write_file(path, text, sizeof text - 1);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "format", "influx", NULL);
    feed_subscribe(feed);
    harness_until(&h, feed->events.completes == 1);
    ck_assert_str_eq(event_at(feed, 0),
                     "{\"d\":\"a\",\"v\":1,\"measurement\":\"m\",\"time\":\"1970-01-01T00:00:00.000001Z\"}");
    ck_assert(is_rejected(feed, 0, "\"message\":\"line 3, column 9: expected a value"));
    feed_destroy(feed);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source_formats");
    TCase *t = tcase_create("formats");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_message_of_many_rows_is_as_many_events_with_its_captures);
    tcase_add_test(t, split_makes_events_of_the_elements_of_an_array);
    tcase_add_test(t, a_binary_message_becomes_an_event);
    tcase_add_test(t, a_subscriber_may_leave_inside_a_message_of_many);
    tcase_add_test(t, a_message_of_many_is_acknowledged_when_all_of_it_has_passed);
    tcase_add_test(t, max_message_is_a_reason_to_reject_whatever_the_format);
    tcase_add_test(t, repeats_are_dropped_and_counted_and_nothing_else_is_said_of_them);
    tcase_add_test(t, a_key_that_fails_is_an_error_of_its_event);
    tcase_add_test(t, what_dedupe_remembers_is_saved_with_the_source);
    tcase_add_test(t, a_content_type_says_what_a_body_is);
    tcase_add_test(t, what_the_user_says_a_body_is_goes_before_its_content_type);
    tcase_add_test(t, a_bad_body_is_answered_with_its_place_and_nothing_of_it_is_taken);
    tcase_add_test(t, a_refused_body_leaves_nothing_behind_that_its_repetition_meets);
    tcase_add_test(t, a_long_body_is_taken_whole_or_not_at_all);
    tcase_add_test(t, a_csv_file_gives_rows_and_names_the_line_of_a_wrong_one);
    tcase_add_test(t, a_csv_file_whose_header_changes_is_read_by_the_new_one_and_counted);
    tcase_add_test(t, a_file_that_takes_the_place_of_a_followed_one_brings_its_own_header);
    tcase_add_test(t, a_file_goes_on_with_its_header_after_a_restart);
    tcase_add_test(t, a_row_past_the_limit_is_refused_once_and_the_next_is_read);
    tcase_add_test(t, a_file_of_items_is_read_item_by_item_up_to_what_is_none);
    tcase_add_test(t, lines_of_influx_in_a_file_have_their_line_in_what_is_said_of_them);
    tcase_add_test(t, lines_of_a_file_are_the_same_by_the_short_way_and_the_long_one);
    tcase_add_test(t, lines_with_times_are_the_same_by_the_short_way_and_the_long_one);
    tcase_add_test(t, lines_of_a_body_are_the_same_by_the_short_way_and_the_long_one);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
