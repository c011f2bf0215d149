// layer: core
/* Server-Sent Events: the examples and rules of WHATWG HTML 9.2.6, in one piece and byte by byte; limits; state. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/event_stream.h"

enum { MAX_DATA = 32 };

static struct rx_buffer seen;
static struct rx_event_stream stream;
static bool enough; /* one event, and no more */

static bool on_event(void *arg, const struct rx_event_stream_event *event)
{
    (void)arg;
    rx_buffer_printf(&seen, "%.*s=%.*s%s;", (int)event->type_length, event->type, (int)event->length, event->data,
                     event->too_large ? " TOO LARGE" : "");
    return !enough;
}

static void begin(void)
{
    rx_buffer_clear(&seen);
    rx_event_stream_finish(&stream);
    enough = false;
    stream = (struct rx_event_stream){.max_data = MAX_DATA, .event = on_event};
}

static const char *feed_in(const char *bytes, size_t length, size_t piece)
{
    for (size_t at = 0; at < length; at += piece)
        ck_assert_int_eq(rx_event_stream_feed(&stream, bytes + at, length - at < piece ? length - at : piece), 0);
    rx_buffer_append(&seen, "", 1);
    seen.length--;
    return seen.data;
}

static const char *feed(const char *text) { return feed_in(text, strlen(text), strlen(text) + 1); }

static const char *id(void)
{
    rx_buffer_append(&stream.id, "", 1);
    stream.id.length--;
    return stream.id.data;
}

/* The text, what comes of it, and the id that it leaves. */
static const struct {
    const char *text, *events, *id;
} cases[] = {
    {"data: YHOO\ndata: +2\ndata: 10\n\n", "message=YHOO\n+2\n10;", ""},
    {": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
     "message=first event;message=second event;message= third event;", ""},
    {"data\n\ndata\ndata\n\ndata:", "message=;message=\n;", ""},
    {"data:test\n\ndata: test\n\n", "message=test;message=test;", ""},
    {"event: add\ndata: 1\n\ndata: 2\n\n", "add=1;message=2;", ""},
    {"data: a\rdata: b\r\rdata: c\r\n\r\n\ndata: d\n\r\n", "message=a\nb;message=c;message=d;", ""},
    {"\xEF\xBB\xBF"
     "data: bom\n\n",
     "message=bom;", ""},
    {"\xEF\xBB"
     "data: x\n\ndata: y\n\n",
     "message=y;", ""}, /* the first field has another name */
    {"id: 7\n\ndata: a\n\n", "message=a;", "7"},
    {"id: 7\ndata: a\n\nid: 8\ndata: half", "message=a;", "7"}, /* 8 is of no whole event */
    {"unknown: x\nDATA: x\ndata : x\n\n", "", ""},
    {"event: lonely\n\ndata: a\n\n", "message=a;", ""},
    {":data: a\n\n", "", ""},
    {"data: a:b: c\n\n", "message=a:b: c;", ""},
};

START_TEST(events_are_read_as_the_standard_says)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece < 5; piece++) {
            begin();
            const char *events = feed_in(cases[i].text, strlen(cases[i].text), piece == 4 ? 1000 : piece);
            ck_assert_msg(strcmp(events, cases[i].events) == 0, "case %zu, piece %zu: %s", i, piece, events);
            ck_assert_str_eq(id(), cases[i].id);
        }
}
END_TEST

START_TEST(an_id_that_cannot_be_sent_back_changes_nothing)
{
    static const char nul[] = "id: a\0b\ndata: 2\n\n";
    char longest[RX_EVENT_ID_MAX + 20];
    begin();
    stream.max_data = 4 * RX_EVENT_ID_MAX;
    feed("id: good\ndata: 1\n\n");
    feed_in(nul, sizeof nul - 1, 3);
    feed("id: a\x01\ndata: 3\n\n");
    ck_assert_str_eq(id(), "good");
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "id: ", 4);
    memcpy(longest + 4 + RX_EVENT_ID_MAX + 1, "\ndata:4\n\n", 10);
    feed(longest);
    ck_assert_str_eq(id(), "good");
    memcpy(longest + 4 + RX_EVENT_ID_MAX, "\ndata:5\n\n", 10);
    ck_assert_str_eq(feed(longest), "message=1;message=2;message=3;message=4;message=5;");
    ck_assert_uint_eq(stream.id.length, RX_EVENT_ID_MAX);
}
END_TEST

START_TEST(the_pause_is_digits_and_bounded)
{
    begin();
    feed("retry: 1500\n");
    ck_assert_int_eq(stream.retry, 1500 * RX_MSEC);
    feed("retry: 2s\nretry: -1\nretry:\nretry\n");
    ck_assert_int_eq(stream.retry, 1500 * RX_MSEC);
    feed("retry: 99999999999999999999999999\n");
    ck_assert_int_eq(stream.retry, 3600 * RX_SEC);
}
END_TEST

START_TEST(what_is_too_large_is_told_and_not_kept)
{
    begin();
    feed("data: 12345678901234567890123456789012\n\n"); /* just as much as may be */
    ck_assert_str_eq(seen.data, "message=12345678901234567890123456789012;");
    begin();
    feed("data: 1234567890\ndata: 1234567890123456789012\n\ndata: ok\n\n");
    ck_assert_str_eq(seen.data, "message=1234567890 TOO LARGE;message=ok;");
    begin();
    for (int i = 0; i < 1000; i++) {
        feed("data: a line that never ends");
        ck_assert_uint_le(stream.line.length, MAX_DATA + 64);
    }
    feed("\n\n: a comment as long as you like, which is nobody's event; it goes on and on and on and on and "
         "on\n\ndata: ok\n\n");
    ck_assert_str_eq(seen.data, "message= TOO LARGE;message=ok;");
}
END_TEST

START_TEST(a_new_connection_drops_half_an_event_and_keeps_the_id)
{
    begin();
    feed("id: 1\ndata: a\n\nid: 2\nevent: x\ndata: b\nda");
    rx_event_stream_begin(&stream);
    ck_assert_str_eq(feed("\xEF\xBB\xBF"
                          "data: c\n\n"),
                     "message=a;message=c;");
    ck_assert_str_eq(id(), "1");
}
END_TEST

START_TEST(who_reads_can_stop_at_any_event)
{
    begin();
    enough = true;
    ck_assert_str_eq(feed("data: a\n\ndata: b\n\n"), "message=a;");
    ck_assert_str_eq(feed("dat"), "message=a;");
    ck_assert_str_eq(feed("a: c\n\ndata: d\n\n"), "message=a;message=c;");
}
END_TEST

START_TEST(it_goes_on_from_what_was_saved_at_any_byte)
{
    static const char text[] = "\xEF\xBB\xBFid: 5\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\nretry: 9\ndata: c\n\n";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct rx_writer w = {0};
        begin();
        feed_in(text, cut, 1000);
        rx_event_stream_save(&stream, &w);
        rx_event_stream_finish(&stream);
        stream = (struct rx_event_stream){.max_data = MAX_DATA, .event = on_event};
        struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length};
        ck_assert_int_eq(rx_event_stream_load(&stream, &r), 0);
        ck_assert_uint_eq(r.position, r.length);
        feed_in(text + cut, sizeof text - 1 - (cut < sizeof text - 1 ? cut : sizeof text - 1), 1000);
        ck_assert_str_eq(seen.data, "x=a\nb;message=c;");
        ck_assert_str_eq(id(), "5");
        ck_assert_int_eq(stream.retry, 9 * RX_MSEC);
        for (size_t less = 0; less < w.buffer.length; less++) {
            struct rx_reader part = {.data = (const unsigned char *)w.buffer.data, .length = less};
            struct rx_event_stream broken = {.max_data = MAX_DATA, .event = on_event};
            ck_assert_int_lt(rx_event_stream_load(&broken, &part), 0);
            rx_event_stream_finish(&broken);
        }
        rx_buffer_finish(&w.buffer);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event_stream");
    TCase *t = tcase_create("event_stream");
    suite_add_tcase(suite, t);
    tcase_add_test(t, events_are_read_as_the_standard_says);
    tcase_add_test(t, an_id_that_cannot_be_sent_back_changes_nothing);
    tcase_add_test(t, the_pause_is_digits_and_bounded);
    tcase_add_test(t, what_is_too_large_is_told_and_not_kept);
    tcase_add_test(t, a_new_connection_drops_half_an_event_and_keeps_the_id);
    tcase_add_test(t, who_reads_can_stop_at_any_event);
    tcase_add_test(t, it_goes_on_from_what_was_saved_at_any_byte);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
