// layer: io
/* The log of a served stream: text, history, hand-over between threads, snapshots, pins. */
#include "core/io/serve/stream_keys.h"
#include "core/io/serve/stream_log.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rx_log_writer *writer;
static struct rx_log *log_;

static void open_log(const struct rx_log_limits *limits)
{
    ck_assert_int_eq(rx_log_create(7, limits, &writer, &log_), 0);
}

static void close_log(void)
{
    rx_log_writer_destroy(writer);
    rx_log_destroy(log_);
}

static int append_event(const char *key, const char *json, rx_time time, const char *event)
{
    return rx_log_append(writer, &(struct rx_frame){.json = json,
                                                    .json_length = strlen(json),
                                                    .key = key,
                                                    .key_length = key ? strlen(key) : 0,
                                                    .time = time,
                                                    .event = event});
}

static void append(const char *key, const char *json) { ck_assert_int_eq(append_event(key, json, 0, "message"), 0); }

static void collect(void)
{
    rx_log_publish(writer);
    rx_log_collect(log_);
}

static void append_numbers(unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++) {
        char json[32];
        snprintf(json, sizeof json, "{\"n\":%u}", i);
        append(NULL, json);
    }
}

static void join(void *arg, const struct rx_frame_view *f)
{
    strncat(arg, f->json, f->json_length);
    strcat(arg, " ");
}

static const char *snapshot(rx_time now)
{
    static char text[65536];
    text[0] = 0;
    rx_log_snapshot(log_, now, join, text);
    return text;
}

START_TEST(frames_are_server_sent_events_text)
{
    open_log(NULL);
    append("\"a\"", "{\"v\":1}");
    ck_assert_int_eq(append_event(NULL, "null", 5, "complete"), 0);
    ck_assert_uint_eq(rx_log_last(log_), 0);
    collect();

    const char *text;
    size_t length;
    ck_assert_uint_eq(rx_log_span(log_, 1, &text, &length), 3);
    const char *expected = "id: 7-1\nevent: message\ndata: {\"v\":1}\n\nid: 7-2\nevent: complete\ndata: null\n\n";
    ck_assert_uint_eq(length, strlen(expected));
    ck_assert_mem_eq(text, expected, length);

    struct rx_frame_view f;
    ck_assert(rx_log_frame(log_, 1, &f));
    ck_assert_mem_eq(f.json, "{\"v\":1}", f.json_length);
    ck_assert_mem_eq(f.key, "\"a\"", f.key_length);
    ck_assert(!f.terminal);
    ck_assert(rx_log_frame(log_, 2, &f));
    ck_assert(f.terminal);
    ck_assert_ptr_null(f.key);
    ck_assert_int_eq(rx_log_last_time(log_), 5);
    ck_assert(!rx_log_frame(log_, 3, &f));
    ck_assert(!rx_log_frame(log_, 0, &f));
    close_log();
}
END_TEST

START_TEST(an_unknown_event_name_or_a_huge_frame_is_refused)
{
    open_log(NULL);
    ck_assert_int_eq(append_event(NULL, "1", 0, "surprise"), -EINVAL);
    struct rx_frame huge = {.json = "", .json_length = (size_t)17 << 20};
    ck_assert_int_eq(rx_log_append(writer, &huge), -EMSGSIZE);
    collect();
    ck_assert_uint_eq(rx_log_last(log_), 0);
    close_log();
}
END_TEST

START_TEST(spans_cover_every_frame_once_whatever_the_hand_over_size)
{
    open_log(NULL);
    unsigned n = 0, steps[] = {1, 3, 700, 1, 900, 5000, 2};
    for (unsigned i = 0; i < 7; i++) {
        append_numbers(n + 1, n + steps[i]);
        n += steps[i];
        collect();
    }
    ck_assert_uint_eq(rx_log_last(log_), n);
    uint64_t at = 1, frames = 0;
    while (at <= n) {
        const char *text;
        size_t length;
        uint64_t next = rx_log_span(log_, at, &text, &length);
        ck_assert_uint_gt(next, at);
        for (uint64_t i = at; i < next; i++, frames++) {
            char expected[80];
            size_t m = (size_t)snprintf(expected, sizeof expected, "id: 7-%u\nevent: message\ndata: {\"n\":%u}\n\n",
                                        (unsigned)i, (unsigned)i);
            ck_assert_uint_ge(length, m);
            ck_assert_mem_eq(text, expected, m);
            text += m;
            length -= m;
        }
        ck_assert_uint_eq(length, 0);
        at = next;
    }
    ck_assert_uint_eq(frames, n);
    close_log();
}
END_TEST

START_TEST(a_span_stops_behind_the_end_of_the_stream)
{
    open_log(NULL);
    append_numbers(1, 2);
    ck_assert_int_eq(append_event(NULL, "{}", 0, "error"), 0);
    append_numbers(4, 5);
    collect();
    const char *text;
    size_t length;
    ck_assert_uint_eq(rx_log_span(log_, 1, &text, &length), 4);
    ck_assert_uint_eq(rx_log_span(log_, 4, &text, &length), 6);
    ck_assert_uint_eq(rx_log_span(log_, 6, &text, &length), 6);
    close_log();
}
END_TEST

START_TEST(a_byte_of_a_span_belongs_to_its_frame)
{
    open_log(NULL);
    append_numbers(1, 50);
    collect();
    const char *text;
    size_t length, offset = 0;
    rx_log_span(log_, 11, &text, &length);
    for (uint64_t i = 11; i <= 50; i++) {
        struct rx_frame_view f;
        ck_assert(rx_log_frame(log_, i, &f));
        size_t start = 99;
        ck_assert_uint_eq(rx_log_frame_at(log_, 11, offset, &start), i);
        ck_assert_uint_eq(start, offset);
        ck_assert_uint_eq(rx_log_frame_at(log_, 11, offset + f.sse_length - 1, &start), i);
        ck_assert_uint_eq(start, offset);
        offset += f.sse_length;
    }
    close_log();
}
END_TEST

START_TEST(history_is_bounded_by_frames_exactly)
{
    open_log(&(struct rx_log_limits){.max_frames = 10});
    for (unsigned i = 1; i <= 5000; i += 7) {
        append_numbers(i, i + 6);
        collect();
        uint64_t last = rx_log_last(log_);
        ck_assert_uint_eq(last, i + 6);
        ck_assert_uint_eq(rx_log_first(log_), last < 10 ? 1 : last - 9);
    }
    struct rx_frame_view f;
    ck_assert(!rx_log_frame(log_, rx_log_first(log_) - 1, &f));
    ck_assert(rx_log_frame(log_, rx_log_first(log_), &f));
    close_log();
}
END_TEST

START_TEST(history_is_bounded_by_bytes)
{
    open_log(&(struct rx_log_limits){.max_bytes = 256 * 1024});
    for (unsigned i = 0; i < 300; i++) {
        append_numbers(i * 100 + 1, i * 100 + 100);
        collect();
    }
    uint64_t kept = rx_log_last(log_) + 1 - rx_log_first(log_);
    ck_assert_uint_eq(rx_log_last(log_), 30000);
    ck_assert_uint_lt(kept * 40, 256 * 1024);
    ck_assert_uint_gt(kept, 1000);
    close_log();
}
END_TEST

START_TEST(a_frame_larger_than_a_segment_keeps_its_place)
{
    open_log(NULL);
    size_t n = 200000;
    char *big = malloc(n + 1);
    memset(big, '7', n);
    big[n] = 0;
    append_numbers(1, 1);
    append(NULL, big);
    append_numbers(3, 3);
    collect();
    struct rx_frame_view f;
    ck_assert_uint_eq(rx_log_last(log_), 3);
    ck_assert(rx_log_frame(log_, 2, &f));
    ck_assert_uint_eq(f.json_length, n);
    ck_assert(rx_log_frame(log_, 3, &f));
    ck_assert_mem_eq(f.json, "{\"n\":3}", 7);
    free(big);
    close_log();
}
END_TEST

/* Publishes frame by frame until there is no room; answers how many found some. */
static unsigned fill(void)
{
    unsigned n = 0;
    while (append_event(NULL, "{\"some\":\"frame\"}", 0, "message") == 0) {
        rx_log_publish(writer);
        n++;
    }
    return n;
}

START_TEST(a_front_far_behind_is_seen_as_a_hole_by_readers)
{
    open_log(&(struct rx_log_limits){.max_bytes = 200000});
    unsigned n = fill();
    ck_assert_uint_lt(n, 20000);
    for (unsigned i = 1; i < 500; i++)
        ck_assert_int_eq(append_event(NULL, "1", 0, "message"), -EAGAIN);
    collect();
    ck_assert_uint_eq(rx_log_last(log_), n + 500);
    ck_assert_uint_eq(rx_log_lost(log_), 500);
    ck_assert_uint_eq(rx_log_next(log_, n), n);
    ck_assert_uint_eq(rx_log_next(log_, n + 1), n + 501);
    ck_assert_uint_eq(rx_log_previous(log_, n + 501), n);
    append(NULL, "2");
    collect();
    ck_assert_uint_eq(rx_log_last(log_), n + 501);
    ck_assert_uint_eq(rx_log_lost(log_), 500);
    ck_assert_uint_eq(rx_log_next(log_, n + 7), n + 501);
    ck_assert_uint_eq(rx_log_previous(log_, n + 501), n);
    struct rx_frame_view f;
    ck_assert(!rx_log_frame(log_, n + 500, &f));
    ck_assert_ptr_null(rx_log_pin(log_, n + 500));
    const char *text;
    size_t length;
    ck_assert_uint_eq(rx_log_span(log_, n + 500, &text, &length), n + 500);
    ck_assert(rx_log_frame(log_, n + 501, &f));
    ck_assert_uint_eq(f.json_length, 1);
    close_log();
}
END_TEST

START_TEST(frames_published_one_by_one_share_segments_while_the_front_is_elsewhere)
{
    open_log(&(struct rx_log_limits){.max_bytes = 400000});
    unsigned n = fill();
    ck_assert_uint_gt(n, 400000 / 150);
    rx_log_hold(log_, 1);
    collect();
    for (unsigned i = 1; i <= n; i++)
        ck_assert_uint_eq(rx_log_next(log_, i), i);
    close_log();
}
END_TEST

START_TEST(the_end_of_the_stream_finds_room)
{
    open_log(&(struct rx_log_limits){.max_bytes = 200000});
    unsigned n = fill();
    ck_assert_int_eq(append_event(NULL, "{\"complete\":true}", 0, "complete"), 0);
    collect();
    struct rx_frame_view f;
    ck_assert(rx_log_frame(log_, n + 2, &f));
    ck_assert(f.terminal);
    close_log();
}
END_TEST

START_TEST(history_counts_frames_and_not_holes)
{
    open_log(&(struct rx_log_limits){.max_bytes = 200000, .max_frames = 10});
    unsigned n = fill();
    for (unsigned i = 1; i < 500; i++)
        ck_assert_int_eq(append_event(NULL, "1", 0, "message"), -EAGAIN);
    collect();
    ck_assert_uint_eq(rx_log_first(log_), n - 9);
    append_numbers(1, 3);
    collect();
    ck_assert_uint_eq(rx_log_first(log_), n - 6);
    append_numbers(4, 10);
    collect();
    ck_assert_uint_eq(rx_log_first(log_), n + 501);
    close_log();
}
END_TEST

START_TEST(what_readers_hold_stays_until_twice_the_bytes_are_there)
{
    open_log(&(struct rx_log_limits){.max_bytes = 300000, .max_frames = 10});
    append_numbers(1, 5);
    collect();
    rx_log_hold(log_, 5);
    for (unsigned i = 6; i < 2006; i += 500) {
        append_numbers(i, i + 499);
        collect();
    }
    ck_assert_uint_eq(rx_log_first(log_), 5);
    rx_log_hold(log_, UINT64_MAX);
    collect();
    ck_assert_uint_eq(rx_log_first(log_), 1996);
    rx_log_hold(log_, 2000);
    unsigned n = 2005;
    for (; rx_log_first(log_) <= 2000; n += 500) {
        append_numbers(n + 1, n + 500);
        collect();
    }
    ck_assert_uint_gt(n, 2000 + 2 * 300000 / 150);
    ck_assert_uint_lt(n, 2000 + 2 * 300000 / 50);
    close_log();
}
END_TEST

START_TEST(a_pinned_frame_stays_readable_after_the_log_dropped_it)
{
    open_log(&(struct rx_log_limits){.max_bytes = 1});
    append(NULL, "\"precious\"");
    collect();
    struct rx_segment *pin = rx_log_pin(log_, 1);
    ck_assert_ptr_nonnull(pin);
    ck_assert(!rx_log_is_orphan(pin));
    for (unsigned i = 0; i < 20; i++) {
        append_numbers(1, 500);
        collect();
    }
    ck_assert_uint_gt(rx_log_first(log_), 1);
    ck_assert(rx_log_is_orphan(pin));
    ck_assert_uint_gt(rx_log_orphan_bytes(log_), 0);
    struct rx_frame_view f;
    ck_assert(rx_log_pinned_frame(pin, 1, &f));
    ck_assert_mem_eq(f.json, "\"precious\"", 10);
    rx_log_unpin(pin);
    ck_assert_uint_eq(rx_log_orphan_bytes(log_), 0);
    close_log();
}
END_TEST

START_TEST(without_keys_the_snapshot_is_the_latest_message)
{
    open_log(&(struct rx_log_limits){.max_frames = 1});
    ck_assert_str_eq(snapshot(0), "");
    append_numbers(1, 9);
    ck_assert_int_eq(append_event(NULL, "{\"code\":1}", 0, "error"), 0);
    collect();
    ck_assert_str_eq(snapshot(0), "{\"n\":9} ");
    close_log();
}
END_TEST

START_TEST(the_snapshot_is_sorted_numbers_before_strings)
{
    open_log(NULL);
    static const char *const keys[] = {"\"b\"", "10",    "\"a\"",      "9",         "\"\"",      "-1.5",        "null",
                                       "true",  "false", "[\"a\",10]", "[\"a\",9]", "\"a\\\"\"", "\"\xc3\xa9\""};
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        append(keys[i], keys[i]);
    append("9", "9");
    collect();
    ck_assert_uint_eq(rx_log_key_count(log_), 13);
    ck_assert_str_eq(snapshot(0),
                     "null false true -1.5 9 10 \"\" \"a\" \"a\\\"\" \"b\" \"\xc3\xa9\" [\"a\",9] [\"a\",10] ");
    close_log();
}
END_TEST

START_TEST(quiet_keys_outlive_their_segments_and_the_least_recent_is_evicted)
{
    open_log(&(struct rx_log_limits){.max_bytes = 1, .max_keys = 100, .max_frames = 3});
    append("\"quiet\"", "\"still here\"");
    for (unsigned i = 0; i < 5000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i % 99);
        append(key, key);
        if (i % 50 == 0)
            collect();
    }
    collect();
    ck_assert_uint_eq(rx_log_key_count(log_), 100);
    ck_assert_ptr_nonnull(strstr(snapshot(0), "still here"));
    append("\"new\"", "1");
    collect();
    ck_assert_uint_eq(rx_log_key_count(log_), 100);
    ck_assert_ptr_null(strstr(snapshot(0), "still here"));
    close_log();
}
END_TEST

START_TEST(a_million_keys_stay_within_the_table)
{
    open_log(&(struct rx_log_limits){.max_keys = 500});
    for (unsigned i = 0; i < 50000; i++) {
        char key[16];
        snprintf(key, sizeof key, "\"k%u\"", i * 7919);
        append(key, key);
        if (i % 100 == 0)
            collect();
    }
    collect();
    ck_assert_uint_eq(rx_log_key_count(log_), 500);
    ck_assert_ptr_nonnull(strstr(snapshot(0), "\"k395942081\""));
    close_log();
}
END_TEST

START_TEST(a_key_leaves_the_snapshot_after_its_time_to_live)
{
    open_log(&(struct rx_log_limits){.key_ttl = 10});
    ck_assert_int_eq(append_event("1", "1", 100, "message"), 0);
    ck_assert_int_eq(append_event("2", "2", 105, "message"), 0);
    collect();
    ck_assert_str_eq(snapshot(110), "1 2 ");
    ck_assert_str_eq(snapshot(111), "2 ");
    ck_assert_uint_eq(rx_log_key_count(log_), 1);
    close_log();
}
END_TEST

START_TEST(key_order_is_total)
{
    static const char *const keys[] = {"null",      "1",  "1.5", "\"1\"", "[1]",  "[1,2]",
                                       "[1,\"2\"]", "{}", "",    "[",     "[[1]]"};
    enum { N = sizeof keys / sizeof *keys };
    for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++) {
            int x = rx_key_order(keys[i], strlen(keys[i]), keys[j], strlen(keys[j]));
            int y = rx_key_order(keys[j], strlen(keys[j]), keys[i], strlen(keys[i]));
            ck_assert_msg((x > 0) == (y < 0) && (x == 0) == (i == j), "%s %s", keys[i], keys[j]);
        }
}
END_TEST

enum { THREAD_FRAMES = 200000 };

/* Each frame says its sequence; those that find no room are lost. */
static void *write_many(void *arg)
{
    unsigned *lost = arg;
    for (unsigned i = 1; i <= THREAD_FRAMES; i++) {
        char json[32];
        snprintf(json, sizeof json, "%u", i);
        int r = append_event("\"k\"", json, i, "message");
        ck_assert(r == 0 || r == -EAGAIN);
        *lost += r < 0;
        if (i % 13 == 0 || i % 1000 < 200)
            rx_log_publish(writer);
    }
    rx_log_writer_destroy(writer);
    return NULL;
}

START_TEST(a_writer_on_another_thread_hands_over_every_frame_in_order)
{
    open_log(&(struct rx_log_limits){.max_bytes = 1 << 20, .max_frames = 5});
    pthread_t thread;
    unsigned lost = 0, seen = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, write_many, &lost), 0);
    for (uint64_t next = 1; next <= THREAD_FRAMES;) {
        rx_log_hold(log_, next);
        rx_log_collect(log_);
        for (next = rx_log_next(log_, next); next <= rx_log_last(log_); next = rx_log_next(log_, next + 1), seen++) {
            struct rx_frame_view f;
            ck_assert(rx_log_frame(log_, next, &f));
            ck_assert_uint_eq(strtoul(f.json, NULL, 10), next);
        }
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(rx_log_lost(log_), lost);
    ck_assert_uint_eq(seen, THREAD_FRAMES - lost);
    rx_log_destroy(log_);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stream_log");
    TCase *t = tcase_create("log");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, frames_are_server_sent_events_text);
    tcase_add_test(t, an_unknown_event_name_or_a_huge_frame_is_refused);
    tcase_add_test(t, spans_cover_every_frame_once_whatever_the_hand_over_size);
    tcase_add_test(t, a_span_stops_behind_the_end_of_the_stream);
    tcase_add_test(t, a_byte_of_a_span_belongs_to_its_frame);
    tcase_add_test(t, history_is_bounded_by_frames_exactly);
    tcase_add_test(t, history_is_bounded_by_bytes);
    tcase_add_test(t, a_frame_larger_than_a_segment_keeps_its_place);
    tcase_add_test(t, a_front_far_behind_is_seen_as_a_hole_by_readers);
    tcase_add_test(t, frames_published_one_by_one_share_segments_while_the_front_is_elsewhere);
    tcase_add_test(t, the_end_of_the_stream_finds_room);
    tcase_add_test(t, history_counts_frames_and_not_holes);
    tcase_add_test(t, what_readers_hold_stays_until_twice_the_bytes_are_there);
    tcase_add_test(t, a_pinned_frame_stays_readable_after_the_log_dropped_it);
    tcase_add_test(t, without_keys_the_snapshot_is_the_latest_message);
    tcase_add_test(t, the_snapshot_is_sorted_numbers_before_strings);
    tcase_add_test(t, quiet_keys_outlive_their_segments_and_the_least_recent_is_evicted);
    tcase_add_test(t, a_million_keys_stay_within_the_table);
    tcase_add_test(t, a_key_leaves_the_snapshot_after_its_time_to_live);
    tcase_add_test(t, key_order_is_total);
    tcase_add_test(t, a_writer_on_another_thread_hands_over_every_frame_in_order);
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
