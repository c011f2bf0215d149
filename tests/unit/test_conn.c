// layer: io
/* Connections: bytes both ways, the end of each direction, and one owner after another. */
#include "core/io/loop/conn.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static struct rx_loop *loop;
static struct rx_conn *conn;
static int peer;
static unsigned first_calls, second_calls, last_events;

static void setup(void)
{
    int pair[2];
    first_calls = second_calls = last_events = 0;
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(rx_conn_of_fd(loop, pair[0], &conn), 0);
    peer = pair[1];
}

static void teardown(void)
{
    rx_conn_close(conn);
    if (peer >= 0)
        close(peer);
    rx_loop_destroy(loop);
}

static void count_first(void *arg, unsigned events)
{
    (void)arg;
    first_calls++;
    last_events = events;
}

static void count_second(void *arg, unsigned events)
{
    (void)arg;
    second_calls++;
    last_events = events;
}

static void close_it(void *arg, unsigned events)
{
    (void)events;
    rx_conn_close(*(struct rx_conn **)arg);
    *(struct rx_conn **)arg = NULL;
}

START_TEST(bytes_go_both_ways_and_the_end_of_each_is_seen)
{
    char text[16];
    struct iovec pieces[] = {{.iov_base = (char[]){"hel"}, .iov_len = 3}, {.iov_base = (char[]){"lo"}, .iov_len = 2}};
    ck_assert_int_eq(rx_conn_read(conn, text, sizeof text), -EAGAIN);
    ck_assert_int_eq(rx_conn_writev(conn, pieces, 2), 5);
    ck_assert_int_eq(read(peer, text, sizeof text), 5);
    ck_assert_int_eq(memcmp(text, "hello", 5), 0);
    rx_conn_end(conn);
    ck_assert_int_eq(read(peer, text, sizeof text), 0);
    ck_assert_int_eq(write(peer, "bye", 3), 3);
    shutdown(peer, SHUT_WR);
    ck_assert_int_eq(rx_conn_read(conn, text, sizeof text), 3);
    ck_assert_int_eq(rx_conn_read(conn, text, sizeof text), 0);
}
END_TEST

START_TEST(a_full_connection_takes_a_part_and_then_nothing)
{
    static char much[1 << 20];
    struct iovec all = {.iov_base = much, .iov_len = sizeof much};
    ssize_t n = rx_conn_writev(conn, &all, 1);
    ck_assert_int_gt(n, 0);
    ck_assert_int_lt(n, (ssize_t)sizeof much);
    while ((n = rx_conn_writev(conn, &all, 1)) > 0)
        ;
    ck_assert_int_eq(n, -EAGAIN);
}
END_TEST

START_TEST(a_lost_connection_is_an_error_and_no_signal)
{
    struct iovec piece = {.iov_base = (char[]){"x"}, .iov_len = 1};
    close(peer);
    peer = -1;
    ck_assert_int_eq(rx_conn_writev(conn, &piece, 1), -EPIPE);
}
END_TEST

START_TEST(it_tells_its_owner_what_is_watched_for_and_the_next_owner_goes_on)
{
    rx_conn_set_owner(conn, count_first, NULL);
    ck_assert_int_eq(write(peer, "x", 1), 1);
    rx_loop_once(loop, 0);
    ck_assert_uint_eq(first_calls, 0);
    ck_assert_int_eq(rx_conn_watch(conn, RX_READABLE), 0);
    rx_loop_once(loop, 100);
    ck_assert_uint_eq(first_calls, 1);
    ck_assert_uint_eq(last_events, RX_READABLE);
    rx_conn_set_owner(conn, count_second, NULL);
    rx_loop_once(loop, 100); /* nobody has read it: it is told again */
    ck_assert_uint_eq(second_calls, 1);
    ck_assert_int_eq(rx_conn_watch(conn, RX_WRITABLE), 0);
    rx_loop_once(loop, 100);
    ck_assert_uint_eq(last_events, RX_WRITABLE);
    ck_assert_uint_eq(first_calls, 1);
}
END_TEST

START_TEST(it_may_be_closed_in_its_own_callback)
{
    char byte;
    rx_conn_set_owner(conn, close_it, &conn);
    ck_assert_int_eq(rx_conn_watch(conn, RX_READABLE | RX_WRITABLE), 0);
    ck_assert_int_eq(write(peer, "x", 1), 1);
    rx_loop_once(loop, 100);
    ck_assert_ptr_null(conn);
    ck_assert_int_le(read(peer, &byte, 1), 0);
    rx_loop_once(loop, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conn");
    TCase *t = tcase_create("conn");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, bytes_go_both_ways_and_the_end_of_each_is_seen);
    tcase_add_test(t, a_full_connection_takes_a_part_and_then_nothing);
    tcase_add_test(t, a_lost_connection_is_an_error_and_no_signal);
    tcase_add_test(t, it_tells_its_owner_what_is_watched_for_and_the_next_owner_goes_on);
    tcase_add_test(t, it_may_be_closed_in_its_own_callback);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
