// layer: io
/* The inbox: each log with news comes once, in order, and not when it is gone. */
#include "core/io/serve/stream_inbox.h"

#include <check.h>

static struct rx_loop *loop;
static struct rx_wake *wake;
static struct rx_log_inbox *inbox;
static struct {
    struct rx_log_writer *writer;
    struct rx_log *log;
} streams[3];
static char told[16];
static size_t count;
static unsigned wakes;

static void tell(void *reader)
{
    told[count++] = *(const char *)reader;
    told[count] = 0;
}

static void on_wake(void *arg)
{
    (void)arg;
    wakes++;
    rx_log_inbox_take(inbox, tell);
}

static void start(void)
{
    static const char names[] = "abc";
    count = wakes = 0;
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_int_eq(rx_wake_create(loop, on_wake, NULL, &wake), 0);
    ck_assert_int_eq(rx_log_inbox_create(wake, &inbox), 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(rx_log_create(1, NULL, &streams[i].writer, &streams[i].log), 0);
        rx_log_set_reader(streams[i].log, (void *)(uintptr_t)&names[i]);
        rx_log_writer_set_inbox(streams[i].writer, inbox);
    }
}

static void stop(void)
{
    for (unsigned i = 0; i < 3; i++) {
        rx_log_writer_destroy(streams[i].writer);
        rx_log_destroy(streams[i].log);
    }
    rx_log_inbox_destroy(inbox);
    rx_wake_destroy(wake);
    rx_loop_destroy(loop);
}

static void publish(unsigned i)
{
    ck_assert_int_eq(rx_log_append(streams[i].writer, &(struct rx_frame){.json = "1", .json_length = 1}), 0);
    rx_log_publish(streams[i].writer);
}

static void expect(const char *names)
{
    rx_loop_once(loop, 0);
    ck_assert_str_eq(count ? told : "", names);
    count = 0;
}

START_TEST(a_log_comes_once_and_again_when_it_has_been_read)
{
    start();
    publish(1);
    publish(0);
    publish(1);
    expect("ba");
    ck_assert_uint_eq(wakes, 1);
    publish(1);
    expect("");
    rx_log_collect(streams[1].log);
    ck_assert_uint_eq(rx_log_last(streams[1].log), 3);
    publish(1);
    publish(2);
    expect("bc");
    stop();
}
END_TEST

/* Somebody asked for the stream meanwhile: it is on the inbox still, and what is published then comes with it. */
START_TEST(a_log_that_is_read_before_the_inbox_is_taken_comes_once)
{
    start();
    publish(0);
    rx_log_collect(streams[0].log);
    publish(0);
    expect("a");
    rx_log_collect(streams[0].log);
    ck_assert_uint_eq(rx_log_last(streams[0].log), 2);
    expect("");
    stop();
}
END_TEST

START_TEST(a_log_that_is_gone_tells_nobody)
{
    start();
    publish(0);
    publish(1);
    rx_log_destroy(streams[0].log);
    streams[0].log = NULL;
    expect("b");
    publish(2);
    stop(); /* with one in it */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stream_inbox");
    TCase *t = tcase_create("stream_inbox");
    tcase_add_test(t, a_log_comes_once_and_again_when_it_has_been_read);
    tcase_add_test(t, a_log_that_is_read_before_the_inbox_is_taken_comes_once);
    tcase_add_test(t, a_log_that_is_gone_tells_nobody);
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
