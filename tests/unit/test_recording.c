// layer: daemon
/* What a daemon tells of its sources becomes a recording. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/recording.h"

static char *text;
static size_t size;
static struct rx_recording recording;
static struct rx_recorded_reader a, b;

static void begin(bool merges)
{
    a = b = (struct rx_recorded_reader){0};
    recording = (struct rx_recording){.out = open_memstream(&text, &size), .merges = merges};
    ck_assert_ptr_nonnull(recording.out);
}

static int tell(struct rx_recorded_reader *reader, rx_time now, const char *bytes)
{
    return rx_recorded_read(reader, &recording, reader == &a ? "a" : "b", now, bytes, strlen(bytes));
}

static void ends_as(const char *lines)
{
    rx_recording_finish(&recording);
    ck_assert_int_eq(fclose(recording.out), 0);
    ck_assert_str_eq(text, lines);
    rx_recorded_reader_finish(&a);
    rx_recorded_reader_finish(&b);
    free(text);
}

#define EVENT(at, rest) "id: 1-1\nevent: message\ndata: {\"id\":\"1-1\",\"at\":" at "," rest "}\n\n"

START_TEST(test_a_message_is_a_line_whose_value_stays_as_it_was_written)
{
    begin(false);
    ck_assert_int_eq(
        tell(&a, 0, ": hello\n\n" EVENT("1500.250000", "\"topic\":\"x/y\",\"next\":{\"at\": 1e3,\"n\":1.0}")), 0);
    ck_assert_int_eq(tell(&a, 0, EVENT("1600", "\"next\":7")), 0);
    ck_assert_uint_eq(recording.events, 2);
    ends_as("{\"at\":1500,\"start\":true}\n"
            "{\"at\":1500.250,\"source\":\"a\",\"topic\":\"x/y\",\"next\":{\"at\": 1e3,\"n\":1.0}}\n"
            "{\"at\":1600,\"source\":\"a\",\"next\":7}\n");
}
END_TEST

START_TEST(test_bytes_come_in_any_pieces)
{
    static const char all[] = EVENT("1", "\"next\":1") EVENT("2", "\"next\":2");
    begin(false);
    for (size_t i = 0; i < sizeof all - 1; i++)
        ck_assert_int_eq(rx_recorded_read(&a, &recording, "a", 0, all + i, 1), 0);
    ends_as(
        "{\"at\":1,\"start\":true}\n{\"at\":1,\"source\":\"a\",\"next\":1}\n{\"at\":2,\"source\":\"a\",\"next\":2}\n");
}
END_TEST

START_TEST(test_sources_are_merged_by_time_and_who_is_late_is_counted)
{
    begin(true);
    tell(&a, 0, EVENT("20", "\"next\":\"second\""));
    tell(&b, 0, EVENT("10", "\"next\":\"first\""));
    rx_recording_settle(&recording, 100 * RX_MSEC);
    ck_assert_uint_eq(recording.events, 0);
    rx_recording_settle(&recording, 300 * RX_MSEC);
    ck_assert_uint_eq(recording.events, 2);
    tell(&b, 400 * RX_MSEC, EVENT("15", "\"next\":\"late\""));
    rx_recording_settle(&recording, 700 * RX_MSEC);
    ck_assert_uint_eq(recording.late, 1);
    ends_as("{\"at\":10,\"start\":true}\n"
            "{\"at\":10,\"source\":\"b\",\"next\":\"first\"}\n"
            "{\"at\":20,\"source\":\"a\",\"next\":\"second\"}\n"
            "{\"at\":20,\"source\":\"b\",\"next\":\"late\"}\n");
}
END_TEST

START_TEST(test_ends_of_a_source_have_their_time_and_others_are_the_daemons)
{
    begin(false);
    ck_assert_int_eq(tell(&a, 0, "event: error\ndata: {\"error\":\"gone, \\\"at\\\":1\",\"at\":5.500}\n\n"), 0);
    ck_assert(a.ended);
    ck_assert_int_eq(tell(&b, 0, "event: complete\ndata: {\"complete\":true,\"at\":6.000}\n\n"), 0);
    ck_assert(b.ended);
    rx_recorded_reader_finish(&b);
    b = (struct rx_recorded_reader){0};
    ck_assert_int_eq(tell(&b, 0, "event: error\ndata: {\"error\":\"too slow\"}\n\n"), -EPROTO);
    ck_assert_str_eq(b.why, "{\"error\":\"too slow\"}");
    ck_assert(!b.ended);
    ends_as("{\"at\":5,\"start\":true}\n"
            "{\"at\":5.500,\"source\":\"a\",\"error\":\"gone, \\\"at\\\":1\"}\n"
            "{\"at\":6,\"source\":\"b\",\"complete\":true}\n");
}
END_TEST

START_TEST(test_gaps_are_holes)
{
    begin(false);
    ck_assert_int_eq(tell(&a, 0, "event: gap\ndata: {\"missed\":12}\n\nevent: gap\ndata: {\"missed\":null}\n\n"), 0);
    ck_assert(recording.holes);
    ck_assert_uint_eq(recording.missing, 12);
    ends_as("");
}
END_TEST

START_TEST(test_what_no_rxd_tells_is_refused)
{
    static const char *const wrong[] = {
        "event: message\ndata: {\"n\":1}\n\n",
        "event: message\ndata: {\"id\":\"1-1\"}\n\n",
        "event: message\ndata: {\"id\":\"1-1\",\"at\":soon,\"next\":1}\n\n",
        "event: message\ndata: {\"id\":\"1-1\",\"at\":5}\n\n",
        "data: {\"id\":\"1-1\",\"at\":5,\"next\":1}\n\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        begin(false);
        ck_assert_int_eq(tell(&a, 0, wrong[i]), -EPROTO);
        ck_assert(a.why[0]);
        ends_as("");
    }
}
END_TEST

START_TEST(test_a_line_without_end_is_refused)
{
    static char piece[1 << 20];
    int r = 0;
    memset(piece, 'x', sizeof piece);
    begin(false);
    for (int i = 0; i < 32 && r == 0; i++)
        r = rx_recorded_read(&a, &recording, "a", 0, piece, sizeof piece);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(rx_recorded_read(&a, &recording, "a", 0, piece, 1), -EPROTO);
    ends_as("");
}
END_TEST

START_TEST(test_a_bound_is_the_end_of_it)
{
    begin(false);
    recording.max_events = 1;
    tell(&a, 0, EVENT("1", "\"next\":1") EVENT("2", "\"next\":2"));
    ck_assert(recording.full);
    ends_as("{\"at\":1,\"start\":true}\n{\"at\":1,\"source\":\"a\",\"next\":1}\n");
}
END_TEST

START_TEST(test_an_output_that_takes_nothing_is_a_failure)
{
    begin(false);
    FILE *full = fopen("/dev/full", "w"), *memory = recording.out;
    ck_assert_ptr_nonnull(full);
    recording.out = full;
    ck_assert_int_eq(tell(&a, 0, EVENT("1", "\"next\":1")), -ENOSPC);
    ck_assert_int_eq(recording.failed, -ENOSPC);
    recording.out = memory;
    fclose(full);
    ends_as("");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("recording");
    TCase *tests = tcase_create("recording");
    tcase_add_test(tests, test_a_message_is_a_line_whose_value_stays_as_it_was_written);
    tcase_add_test(tests, test_bytes_come_in_any_pieces);
    tcase_add_test(tests, test_sources_are_merged_by_time_and_who_is_late_is_counted);
    tcase_add_test(tests, test_ends_of_a_source_have_their_time_and_others_are_the_daemons);
    tcase_add_test(tests, test_gaps_are_holes);
    tcase_add_test(tests, test_what_no_rxd_tells_is_refused);
    tcase_add_test(tests, test_a_line_without_end_is_refused);
    tcase_add_test(tests, test_a_bound_is_the_end_of_it);
    tcase_add_test(tests, test_an_output_that_takes_nothing_is_a_failure);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
