// layer: io
/* A file that is read again when it changes: what is told of it, and a reading that nobody waits for any more. */
#include "core/io/loop/file_watch.h"

#include <check.h>
#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct rx_loop *loop;
static struct rx_file_watch *watch;
static char path[] = "/tmp/rxd-test-watch-XXXXXX", told[200];
static atomic_bool held; /* readings on other threads wait */
static atomic_int reading;

/* In place of the C library's: a disk that does not answer. */
ssize_t read(int fd, void *to, size_t size)
{
    bool elsewhere = syscall(SYS_gettid) != getpid();
    atomic_fetch_add(&reading, elsewhere);
    while (elsewhere && atomic_load(&held))
        sched_yield();
    return syscall(SYS_read, fd, to, size);
}

static void note(void *arg, const char *text, size_t length, const struct rx_error *error)
{
    (void)arg;
    snprintf(told, sizeof told, "%.*s", (int)(text ? length : 100), text ? text : error->message);
}

static void write_file(const char *text)
{
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void setup(void)
{
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    close(mkstemp(path));
    write_file("first");
    told[0] = '\0';
    ck_assert_int_eq(rx_file_watch_create(loop, path, 10, (struct rx_file_stamp){0}, note, NULL, &watch), 0);
}

static void teardown(void)
{
    rx_file_watch_destroy(watch);
    rx_loop_destroy(loop);
    unlink(path);
}

static void expect(const char *what)
{
    rx_time end = rx_loop_now(loop) + 20 * RX_SEC;
    while (!told[0] && rx_loop_now(loop) < end)
        ck_assert_int_eq(rx_loop_once(loop, 100), 0);
    ck_assert_msg(strstr(told, what), "\"%s\", and not \"%s\"", told, what);
    told[0] = '\0';
}

START_TEST(what_is_new_is_told_and_what_cannot_be_read)
{
    expect("first");
    write_file("far too long");
    expect("it has over");
}
END_TEST

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *e; (e = readdir(tasks));)
        count += e->d_name[0] != '.';
    closedir(tasks);
    return count;
}

START_TEST(a_reading_that_was_left_is_freed_by_its_thread)
{
    rx_time end = rx_loop_now(loop) + 20 * RX_SEC;
    int before = threads();
    atomic_store(&held, true);
    while (atomic_load(&reading) == 0 && rx_loop_now(loop) < end)
        ck_assert_int_eq(rx_loop_once(loop, 100), 0);
    ck_assert_int_eq(atomic_load(&reading), 1);
    ck_assert_int_gt(threads(), before);
    rx_file_watch_destroy(watch); /* with its wake */
    watch = NULL;
    atomic_store(&held, false);
    while (threads() > before)
        sched_yield(); /* the leak checker sees what is left */
    ck_assert_str_eq(told, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_watch");
    TCase *t = tcase_create("file_watch");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_new_is_told_and_what_cannot_be_read);
    tcase_add_test(t, a_reading_that_was_left_is_freed_by_its_thread);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
