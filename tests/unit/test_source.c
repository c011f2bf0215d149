// layer: sources
/* Sources: decoding, captures, meta, event time, rejections; timer, simulate, file and http. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/source_harness.h"

extern const struct rx_source_class rx_source_timer, rx_source_simulate, rx_source_file, rx_source_http;

static struct harness h;
static void setup(void) { harness_init(&h); }
static void teardown(void) { harness_finish(&h); }

static int message(struct feed *feed, enum rx_format format, const char *text, const struct rx_message_info *info)
{
    int r = rx_source_message(feed->source, format, text, strlen(text), info, NULL);
    rx_source_flush(feed->source);
    return r;
}

static const char *last(const struct feed *feed)
{
    return feed->events.count > 0 ? feed->events.lines[feed->events.count - 1] : "";
}

static const struct rx_key *key(const char *name) { return rx_key_intern(h.heap, name, strlen(name)); }

START_TEST(an_object_gives_its_fields_and_anything_else_stays_itself)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    static const struct {
        enum rx_format format;
        const char *payload, *event;
    } cases[] = {
        {RX_FORMAT_JSON, "{\"a\":1,\"b\":[true]}", "{\"a\":1,\"b\":[true]}"},
        {RX_FORMAT_JSON, " 21.5 ", "21.5"},
        {RX_FORMAT_JSON, "null", "null"},
        {RX_FORMAT_JSON, "\"x\"", "\"x\""},
        {RX_FORMAT_JSON, "[1,2]", "[1,2]"},
        {RX_FORMAT_AUTO, "true", "true"},
        {RX_FORMAT_AUTO, "-7", "-7"},
        {RX_FORMAT_AUTO, "nominal", "\"nominal\""},
        {RX_FORMAT_AUTO, "off", "\"off\""},
        {RX_FORMAT_AUTO, "-", "\"-\""},
        {RX_FORMAT_AUTO, "", "\"\""},
        {RX_FORMAT_TEXT, "{\"a\":1}", "\"{\\\"a\\\":1}\""},
    };
    feed_subscribe(feed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(message(feed, cases[i].format, cases[i].payload, NULL), 0);
        ck_assert_str_eq(last(feed), cases[i].event);
    }
    feed_destroy(feed);
}
END_TEST

START_TEST(captures_are_added_and_win_over_the_payload)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    const struct rx_key *keys[] = {key("device"), key("room")};
    struct rx_value values[] = {rx_string(h.heap, "d1", 2), rx_string(h.heap, "kitchen", 7)};
    struct rx_message_info info = {.capture_keys = keys, .captures = values, .capture_count = 2};
    feed_subscribe(feed);
    message(feed, RX_FORMAT_AUTO, "{\"t\":1}", &info);
    ck_assert_str_eq(last(feed), "{\"t\":1,\"device\":\"d1\",\"room\":\"kitchen\"}");
    message(feed, RX_FORMAT_AUTO, "{\"room\":7,\"t\":2}", &info);
    ck_assert_str_eq(last(feed), "{\"room\":\"kitchen\",\"t\":2,\"device\":\"d1\"}");
    message(feed, RX_FORMAT_AUTO, "21", &info);
    ck_assert_str_eq(last(feed), "{\"value\":21,\"device\":\"d1\",\"room\":\"kitchen\"}");
    message(feed, RX_FORMAT_AUTO, "{}", &info);
    ck_assert_str_eq(last(feed), "{\"device\":\"d1\",\"room\":\"kitchen\"}");
    rx_value_unref(values[0]);
    rx_value_unref(values[1]);
    feed_destroy(feed);
}
END_TEST

START_TEST(captures_go_into_objects_too_wide_for_a_shape)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    const struct rx_key *keys[] = {key("device")};
    struct rx_value value = rx_string(h.heap, "d1", 2);
    struct rx_message_info info = {.capture_keys = keys, .captures = &value, .capture_count = 1};
    char text[4096] = "{", *at = text + 1;
    feed_subscribe(feed);
    for (int keys_wanted = 64; keys_wanted <= 70; keys_wanted += 6) {
        at = text + 1;
        for (int i = 0; i < keys_wanted; i++)
            at += sprintf(at, "%s\"k%d\":%d", i ? "," : "", i, i);
        strcpy(at, "}");
        ck_assert_int_eq(message(feed, RX_FORMAT_AUTO, text, &info), 0);
        ck_assert_ptr_nonnull(strstr(last(feed), ",\"device\":\"d1\"}"));
    }
    rx_value_unref(value);
    feed_destroy(feed);
}
END_TEST

START_TEST(only_what_the_plan_reaches_is_captured)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    struct rx_fields *fields = rx_fields_create(h.heap);
    const struct rx_key *keys[] = {key("device"), key("room")};
    struct rx_value values[] = {rx_string(h.heap, "d1", 2), rx_string(h.heap, "kitchen", 7)};
    struct rx_message_info info = {.capture_keys = keys, .captures = values, .capture_count = 2};
    rx_fields_add(fields, "room", 4);
    rx_fields_add(fields, "t", 1);
    feed->source->fields = fields;
    feed_subscribe(feed);
    message(feed, RX_FORMAT_AUTO, "{\"t\":1,\"u\":2}", &info);
    ck_assert_str_eq(last(feed), "{\"t\":1,\"room\":\"kitchen\"}");
    rx_fields_add(fields, "device", 6);
    message(feed, RX_FORMAT_AUTO, "{\"t\":1,\"u\":2}", &info);
    ck_assert_str_eq(last(feed), "{\"t\":1,\"device\":\"d1\",\"room\":\"kitchen\"}");
    rx_value_unref(values[0]);
    rx_value_unref(values[1]);
    feed_destroy(feed);
    rx_fields_destroy(fields);
}
END_TEST

START_TEST(meta_is_made_only_when_it_is_reached)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    struct rx_message_info info = {.topic = "a/b", .topic_length = 3, .retained = true};
    struct rx_buffer text = {0};
    feed_subscribe(feed);
    message(feed, RX_FORMAT_AUTO, "1", &info);
    ck_assert_int_eq(feed->events.last.meta.kind, RX_NULL);
    feed->source->reaches = RX_REACHES_META;
    message(feed, RX_FORMAT_AUTO, "1", &info);
    rx_json_write(&text, feed->events.last.meta);
    rx_buffer_append(&text, "", 1);
    ck_assert_str_eq(text.data, "{\"source\":\"feed\",\"topic\":\"a/b\",\"retained\":true}");
    rx_buffer_clear(&text);
    message(feed, RX_FORMAT_AUTO, "1", NULL);
    rx_json_write(&text, feed->events.last.meta);
    rx_buffer_append(&text, "", 1);
    ck_assert_str_eq(text.data, "{\"source\":\"feed\"}");
    rx_buffer_finish(&text);
    feed_destroy(feed);
}
END_TEST

START_TEST(event_time_is_read_from_numbers_and_text)
{
    static const struct {
        int unit;
        const char *payload;
        rx_time time;
    } cases[] = {
        {RX_UNIT_S, "{\"ts\":1700000000}", 1700000000 * RX_SEC},
        {RX_UNIT_MS, "{\"ts\":1700000000123}", 1700000000123 * RX_MSEC},
        {RX_UNIT_US, "{\"ts\":1700000000123456}", 1700000000123456 * 1000},
        {RX_UNIT_NS, "{\"ts\":1700000000123456789}", 1700000000123456789},
        {RX_UNIT_S, "{\"ts\":1700000000.1}", 1700000000100 * RX_MSEC},
        {RX_UNIT_MS, "{\"ts\":1700000000123.5}", 1700000000123500 * 1000},
        {RX_UNIT_S, "{\"ts\":-1}", -RX_SEC},
        {RX_UNIT_TEXT, "{\"ts\":\"2023-11-14T22:13:20Z\"}", 1700000000 * RX_SEC},
        {RX_UNIT_S, "{\"ts\":\"2023-11-14t23:13:20.5+01:00\"}", 1700000000 * RX_SEC + RX_SEC / 2},
        {RX_UNIT_TEXT, "{\"ts\":\"1969-12-31T23:59:59.999999999Z\"}", -1},
        {RX_UNIT_TEXT, "{\"ts\":\"2016-12-31T23:59:60Z\"}", 1483228800 * RX_SEC},
        {RX_UNIT_TEXT, "{\"ts\":\"2024-02-29T00:00:00Z\"}", 1709164800 * RX_SEC},
    };
    static const struct {
        int unit;
        const char *payload;
    } bad[] = {
        {RX_UNIT_TEXT, "{\"ts\":1700000000}"},
        {RX_UNIT_S, "{\"ts\":\"yesterday\"}"},
        {RX_UNIT_S, "{\"ts\":\"2023-11-14 22:13:20Z\"}"},
        {RX_UNIT_S, "{\"ts\":\"2023-02-29T00:00:00Z\"}"},
        {RX_UNIT_S, "{\"u\":1}"},
        {RX_UNIT_S, "{\"ts\":null}"},
        {RX_UNIT_S, "{\"ts\":true}"},
        {RX_UNIT_S, "{\"ts\":1e300}"},
        {RX_UNIT_S, "{\"ts\":9300000000}"},
        {RX_UNIT_S, "{\"ts\":\"2023-11-14T22:13:20\"}"},
    };
    struct rx_source_common common = {.lateness = 200 * RX_YEAR};
    struct rx_event_clock clock;
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    struct rx_expr_options options = {.heap = h.heap};
    ck_assert_int_eq(rx_expr_compile("ts", 2, &options, &common.event_time.expr, NULL), 0);
    rx_event_clock_init(&clock, &common, h.engine, feed->source->sched, feed->source->hub, false);
    feed->source->clock = &clock;
    feed_subscribe(feed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        common.event_time.unit = cases[i].unit;
        ck_assert_msg(message(feed, RX_FORMAT_AUTO, cases[i].payload, NULL) == 0, "%s", cases[i].payload);
        ck_assert_msg(feed->events.last.time == cases[i].time, "%s: %lld", cases[i].payload,
                      (long long)feed->events.last.time);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        common.event_time.unit = bad[i].unit;
        ck_assert_msg(message(feed, RX_FORMAT_AUTO, bad[i].payload, NULL) < 0, "%s", bad[i].payload);
    }
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_TIME], sizeof bad / sizeof *bad);
    feed->source->clock = NULL;
    rx_expr_destroy(common.event_time.expr);
    feed_destroy(feed);
}
END_TEST

START_TEST(bad_messages_are_counted_by_reason_and_sent_to_the_error_stream)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    char *deep = malloc(10001), *big = malloc(2000001);
    memset(deep, '[', 10000);
    deep[10000] = '\0';
    memset(big, ' ', 2000000);
    big[2000000] = '\0';
    feed_subscribe(feed);
    message(feed, RX_FORMAT_JSON, "{\"a\":}", NULL);
    message(feed, RX_FORMAT_JSON, "\"\xFF\"", NULL);
    message(feed, RX_FORMAT_TEXT, "caf\xE9", NULL);
    message(feed, RX_FORMAT_JSON, "1e999", NULL);
    message(feed, RX_FORMAT_JSON, deep, NULL);
    message(feed, RX_FORMAT_JSON, big, NULL);
    message(feed, RX_FORMAT_JSON, "1", NULL);
    struct rx_source *source = feed->source;
    ck_assert_uint_eq(source->rejected[RX_REJECT_SYNTAX], 1);
    ck_assert_uint_eq(source->rejected[RX_REJECT_UTF8], 2);
    ck_assert_uint_eq(source->rejected[RX_REJECT_NUMBER], 1);
    ck_assert_uint_eq(source->rejected[RX_REJECT_TOO_DEEP], 1);
    ck_assert_uint_eq(source->rejected[RX_REJECT_TOO_LARGE], 1);
    ck_assert_uint_eq(source->received, 7);
    ck_assert_uint_eq(feed->events.count, 1);
    ck_assert_uint_eq(feed->rejects.count, 6);
    ck_assert_ptr_nonnull(strstr(feed->rejects.lines[0], "\"reason\":\"syntax\",\"step\":\"http\""));
    ck_assert_ptr_nonnull(strstr(feed->rejects.lines[0], "\"event\":\"{\\\"a\\\":}\"}"));
    ck_assert_ptr_nonnull(strstr(feed->rejects.lines[2], "\"event\":\"caf\xEF\xBF\xBD\""));
    free(deep);
    free(big);
    feed_destroy(feed);
}
END_TEST

START_TEST(events_go_out_in_spans_of_256_and_nothing_waits_after_a_flush)
{
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    feed_subscribe(feed);
    for (int i = 0; i < 600; i++)
        rx_source_message(feed->source, RX_FORMAT_JSON, "1", 1, NULL, NULL);
    ck_assert_uint_eq(feed->events.count, 512);
    rx_source_flush(feed->source);
    ck_assert_uint_eq(feed->events.count, 600);
    ck_assert_uint_eq(feed->events.spans, 3);
    feed_destroy(feed);
}
END_TEST

/* A run and message by message, side by side: the same events, rejections and ledger. */
static void take_all(struct feed *feed, bool in_a_run, const struct rx_message_info *info)
{
    static const char *const messages[] = {"{\"a\":1,\"b\":\"x\"}",
                                           "7",
                                           "{\"a\":}",
                                           " {\"b\":2} ",
                                           "[1,2]",
                                           "nominal",
                                           "{\"a\":\"123456789012345678901234567890\"}",
                                           "\xFF",
                                           "{}"};
    struct rx_source_run run;
    rx_source_run_begin(&run, feed->source, RX_FORMAT_AUTO);
    for (size_t i = 0; i < 900; i++) {
        const char *text = messages[i % 9];
        if (in_a_run)
            ck_assert(rx_source_run_message(&run, text, strlen(text), info));
        else
            rx_source_message(feed->source, RX_FORMAT_AUTO, text, strlen(text), info, NULL);
    }
    rx_source_run_end(&run);
    rx_source_flush(feed->source);
}

START_TEST(a_run_of_messages_makes_what_they_make_one_by_one)
{
    const struct rx_key *keys[] = {key("a"), key("device")};
    struct rx_value captures[] = {rx_string(h.heap, "top", 3), rx_string(h.heap, "dev", 3)};
    struct rx_message_info info = {.capture_keys = keys, .captures = captures, .topic = "t", .topic_length = 1};
    for (unsigned kind = 0; kind < 6; kind++) { /* without and with captures; all fields, none, one of them */
        struct feed *runs = feed_create(&h, &rx_source_http, NULL), *single = feed_create(&h, &rx_source_http, NULL);
        struct rx_fields *fields = kind / 2 ? rx_fields_create(h.heap) : NULL;
        info.capture_count = kind % 2 ? 2 : 0;
        if (kind / 2 == 2)
            ck_assert_int_eq(rx_fields_add(fields, "device", 6) | rx_fields_add(fields, "b", 1), 0);
        runs->source->max_message = single->source->max_message = 30;
        runs->source->fields = single->source->fields = fields;
        feed_subscribe(runs);
        feed_subscribe(single);
        take_all(runs, true, &info);
        take_all(single, false, &info);
        ck_assert_uint_eq(single->events.count, 600);
        ck_assert_uint_eq(runs->events.count, single->events.count);
        for (size_t i = 0; i < single->events.count; i++)
            ck_assert_str_eq(runs->events.lines[i], single->events.lines[i]);
        ck_assert_uint_eq(runs->rejects.count, single->rejects.count);
        for (size_t i = 0; i < single->rejects.count; i++)
            ck_assert_str_eq(strstr(runs->rejects.lines[i], "reason"), strstr(single->rejects.lines[i], "reason"));
        ck_assert_uint_eq(runs->events.spans, single->events.spans);
        ck_assert_uint_eq(runs->source->received, single->source->received);
        ck_assert_uint_eq(runs->source->decoded, single->source->decoded);
        ck_assert_uint_eq(runs->source->bytes, single->source->bytes);
        feed_destroy(runs);
        feed_destroy(single);
        rx_fields_destroy(fields);
    }
    rx_value_unref(captures[0]);
    rx_value_unref(captures[1]);
}
END_TEST

/* Timer and simulate. */

START_TEST(a_timer_counts_from_zero_and_completes)
{
    struct feed *feed = feed_create(&h, &rx_source_timer, "every", "1s", "count", "3", NULL);
    struct rx_sched *sched = rx_loop_sched(h.loop);
    rx_time start = rx_sched_now(sched);
    feed_subscribe(feed);
    rx_sched_run_until(sched, start + RX_SEC - 1, true);
    ck_assert_uint_eq(feed->events.count, 0);
    rx_sched_run_until(sched, start + RX_SEC, true);
    ck_assert_str_eq(last(feed), "{\"value\":0}");
    ck_assert_int_eq(feed->events.last.time, start + RX_SEC);
    rx_sched_run_until(sched, start + 10 * RX_SEC, true);
    ck_assert_uint_eq(feed->events.count, 3);
    ck_assert_str_eq(last(feed), "{\"value\":2}");
    ck_assert_int_eq(feed->events.last.time, start + 3 * RX_SEC);
    ck_assert_int_eq(feed->events.completes, 1);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_timer_starts_over_for_a_new_subscriber_and_stops_with_the_last)
{
    struct feed *feed = feed_create(&h, &rx_source_timer, "every", "1s", NULL);
    struct rx_sched *sched = rx_loop_sched(h.loop);
    rx_time start = rx_sched_now(sched);
    feed->events.leave_after = 2;
    feed_subscribe(feed);
    rx_sched_run_until(sched, start + 5 * RX_SEC, true);
    ck_assert_uint_eq(feed->events.count, 2);
    ck_assert_int_eq(rx_sched_next_due(sched), RX_TIME_NEVER);
    feed_subscribe(feed);
    rx_sched_run_until(sched, start + 6 * RX_SEC, true);
    ck_assert_str_eq(last(feed), "{\"value\":0}");
    feed_destroy(feed);
}
END_TEST

static char *simulated(const char *seed)
{
    struct feed *feed =
        feed_create(&h, &rx_source_simulate, "seed", seed, "rate", "1000", "devices", "3", "count", "500", NULL);
    struct rx_sched *sched = rx_loop_sched(h.loop);
    struct rx_buffer all = {0};
    feed_subscribe(feed);
    rx_sched_run_until(sched, rx_sched_now(sched) + RX_SEC / 4, true);
    ck_assert_uint_le(feed->events.count, 250);
    ck_assert_uint_ge(feed->events.count, 240);
    ck_assert_uint_le(feed->events.spans, 26);
    rx_sched_run_until(sched, rx_sched_now(sched) + RX_SEC, true);
    ck_assert_uint_eq(feed->events.count, 500);
    ck_assert_int_eq(feed->events.completes, 1);
    ck_assert_ptr_nonnull(
        strstr(feed->events.lines[1], "{\"device\":\"dev-002\",\"metric\":\"temperature\",\"value\":"));
    for (size_t i = 0; i < feed->events.count; i++)
        rx_buffer_text(&all, feed->events.lines[i]);
    rx_buffer_append(&all, "", 1);
    feed_destroy(feed);
    return all.data;
}

START_TEST(simulate_is_the_same_for_the_same_seed_at_a_bounded_wake_up_rate)
{
    char *one = simulated("7"), *two = simulated("7"), *other = simulated("8");
    ck_assert_str_eq(one, two);
    ck_assert_str_ne(one, other);
    free(one);
    free(two);
    free(other);
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

START_TEST(a_file_is_read_line_by_line_to_its_end)
{
    static const char text[] = "{\"n\":1}\r\n\n{\"n\":2}\n{\"n\":}\n  \n{\"n\":3}";
    char path[32];
    write_file(path, text, sizeof text - 1);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, NULL);
    for (int run = 1; run <= 2; run++) {
        feed_subscribe(feed);
        harness_until(&h, feed->events.completes == run);
        ck_assert_uint_eq(feed->events.count, 3 * (size_t)run);
        ck_assert_str_eq(last(feed), "{\"n\":3}");
    }
    ck_assert_uint_eq(feed->rejects.count, 2);
    ck_assert_ptr_nonnull(strstr(feed->rejects.lines[0], "\"message\":\"line 4, column 6:"));
    feed_destroy(feed);
    unlink(path);
}
END_TEST

START_TEST(a_line_past_the_limit_is_refused_once_and_the_next_is_read)
{
    size_t length = 2000000;
    char *text = malloc(length + 32), path[32];
    memset(text, 'x', length);
    memcpy(text, "{\"n\":1}\n", 8);
    memcpy(text + length, "\n{\"n\":2}\n", 9);
    write_file(path, text, length + 9);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, "max_message", "64KiB", NULL);
    feed_subscribe(feed);
    harness_until(&h, feed->events.completes == 1);
    ck_assert_uint_eq(feed->events.count, 2);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_TOO_LARGE], 1);
    ck_assert_uint_eq(feed->source->received, 3);
    feed_destroy(feed);
    unlink(path);
    free(text);
}
END_TEST

START_TEST(a_pipe_is_read_as_it_fills_and_a_subscriber_may_leave_inside_a_line)
{
    int ends[2];
    char path[64];
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    struct feed *feed = feed_create(&h, &rx_source_file, "path", path, NULL);
    feed_subscribe(feed);
    ck_assert_int_eq(write(ends[1], "{\"n\":1}\n{\"n\"", 12), 12);
    harness_until(&h, feed->events.count == 1);
    feed->events.leave_after = 2;
    ck_assert_int_eq(write(ends[1], ":2}\n{\"n\":3}\n", 12), 12);
    harness_until(&h, feed->events.count == 2);
    ck_assert(!feed->source->running);
    close(ends[1]);
    close(ends[0]);
    feed_destroy(feed);
}
END_TEST

/* Bodies. */

static struct rx_ingest post(struct feed *feed, const char *type, const char *body)
{
    struct rx_ingest ingest = {.body = strdup(body), .length = strlen(body), .type = type};
    feed->source->class->ingest(feed->source, &ingest);
    free(ingest.body);
    return ingest;
}

START_TEST(a_body_is_a_value_an_array_or_lines)
{
    static const struct {
        const char *type, *body;
        uint64_t accepted;
    } cases[] = {
        {"application/json", "{\"a\":1}", 1},
        {"application/json", " {\"a\":\n {\"b\":\n1}\n}\n ", 1},
        {"application/json", "[{\"a\":1},2,\"],[\",[3,{\"b\":4}] ]", 4},
        {"application/json", "[\n{\"a\":1},\n{\"a\":2}\n]\n", 2},
        {"application/json", "[]", 0},
        {"application/x-ndjson", "{\"a\":1}\n\n{\"a\":2}\r\n[1,2]", 3},
        {"application/x-ndjson; charset=utf-8", "[1]\n[2]", 2},
        {"", "{\"a\":\"\\\"}\\n\"}\n{\"a\":2}\n", 2},
        {"application/x-www-form-urlencoded", "1\n2\n3\n", 3},
        {"", "7", 1},
        {"", "[1]\n[2]\n", 2},
    };
    struct feed *feed = feed_create(&h, &rx_source_http, NULL);
    feed_subscribe(feed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_ingest ingest = post(feed, cases[i].type, cases[i].body);
        ck_assert_msg(ingest.status == 202 && ingest.accepted == cases[i].accepted, "%s: %d, %llu, %s", cases[i].body,
                      ingest.status, (unsigned long long)ingest.accepted, ingest.error.message);
    }
    feed_destroy(feed);
}
END_TEST

START_TEST(a_bad_body_is_answered_with_its_place_and_nothing_of_it_is_taken)
{
    static const struct {
        const char *type, *body;
        uint64_t accepted;
        unsigned line, column;
        int status;
    } cases[] = {
        {"application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n {\"a\":x}\n{\"a\":4}\n", 0, 3, 7, 400},
        {"application/json", "[{\"a\":1},\n {\"\xC3\xA9\":x}]", 0, 2, 7, 400},
        {"application/json", "[1,2", 0, 1, 5, 400},
        {"application/json", "[1,,2]", 0, 1, 4, 400},
        {"application/json", "[1,]", 0, 1, 4, 400},
        {"application/json", "[1] 2", 0, 1, 5, 400},
        {"application/json", "{\"a\":1", 0, 1, 7, 400},
        {"application/json", " \n ", 0, 0, 0, 400},
        {"application/json", "[1,\"01234567890123456789\"]", 0, 1, 4, 413},
    };
    struct feed *feed = feed_create(&h, &rx_source_http, "max_message", "20", NULL);
    feed_subscribe(feed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_ingest ingest = post(feed, cases[i].type, cases[i].body);
        ck_assert_msg(ingest.status == cases[i].status && ingest.accepted == cases[i].accepted &&
                          ingest.error.at.line == cases[i].line && ingest.error.at.column == cases[i].column,
                      "%s: %d, accepted %llu, %s", cases[i].body, ingest.status, (unsigned long long)ingest.accepted,
                      ingest.error.message);
        ck_assert_uint_eq(feed->source->decoded, 0);
    }
    feed_destroy(feed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("source");
    TCase *t = tcase_create("source");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_object_gives_its_fields_and_anything_else_stays_itself);
    tcase_add_test(t, captures_are_added_and_win_over_the_payload);
    tcase_add_test(t, captures_go_into_objects_too_wide_for_a_shape);
    tcase_add_test(t, only_what_the_plan_reaches_is_captured);
    tcase_add_test(t, meta_is_made_only_when_it_is_reached);
    tcase_add_test(t, event_time_is_read_from_numbers_and_text);
    tcase_add_test(t, bad_messages_are_counted_by_reason_and_sent_to_the_error_stream);
    tcase_add_test(t, events_go_out_in_spans_of_256_and_nothing_waits_after_a_flush);
    tcase_add_test(t, a_run_of_messages_makes_what_they_make_one_by_one);
    tcase_add_test(t, a_timer_counts_from_zero_and_completes);
    tcase_add_test(t, a_timer_starts_over_for_a_new_subscriber_and_stops_with_the_last);
    tcase_add_test(t, simulate_is_the_same_for_the_same_seed_at_a_bounded_wake_up_rate);
    tcase_add_test(t, a_file_is_read_line_by_line_to_its_end);
    tcase_add_test(t, a_line_past_the_limit_is_refused_once_and_the_next_is_read);
    tcase_add_test(t, a_pipe_is_read_as_it_fills_and_a_subscriber_may_leave_inside_a_line);
    tcase_add_test(t, a_body_is_a_value_an_array_or_lines);
    tcase_add_test(t, a_bad_body_is_answered_with_its_place_and_nothing_of_it_is_taken);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
