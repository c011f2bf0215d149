// layer: sources
/* Following a path: files that take each other's place, found again by what they are, and how many wait. One thread. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sources/follow.h"

enum { WAITING = RX_FOLLOW_WAITING_MAX };

static struct rx_loop *loop;
static struct rx_follow *follow;
static char folder[64], path[96];
static unsigned looks;

static void on_look(void *arg)
{
    (void)arg;
    looks++;
}

static void setup(void)
{
    strcpy(folder, "/tmp/rxd-follow-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    looks = 0;
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_int_eq(rx_follow_create(loop, path, on_look, NULL, &follow), 0);
}

static void teardown(void)
{
    char command[96];
    rx_follow_destroy(follow);
    rx_loop_destroy(loop);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A new file in the place of the old one, whose name is kept as `old`, or gone. */
static void put(const char *text, const char *old)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", folder, old ? old : "gone");
    if (access(path, F_OK) == 0)
        ck_assert_int_eq(rename(path, name), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void expect_text(int fd, const char *text)
{
    char got[64] = "";
    ck_assert_int_ge(read(fd, got, sizeof got - 1), 0);
    ck_assert_str_eq(got, text);
}

START_TEST(an_empty_successor_waits_and_one_with_something_does_not)
{
    struct stat reading;
    put("one", NULL);
    ck_assert_int_eq(rx_follow_notice(follow, NULL), 0);
    ck_assert(rx_follow_has_next(follow, false));
    int first = rx_follow_take_next(follow);
    expect_text(first, "one");
    ck_assert_int_eq(fstat(first, &reading), 0);
    ck_assert_int_eq(rx_follow_notice(follow, &reading), 0);
    ck_assert(!rx_follow_has_next(follow, true)); /* it is the same */
    put("", "old");
    ck_assert_int_eq(rx_follow_notice(follow, &reading), 0);
    ck_assert(!rx_follow_has_next(follow, true));
    FILE *file = fopen(path, "ae");
    fputs("two", file);
    fclose(file);
    ck_assert(rx_follow_has_next(follow, true));
    int second = rx_follow_take_next(follow);
    expect_text(second, "two");
    close(first);
    close(second);
}
END_TEST

START_TEST(so_many_wait_and_the_others_are_seen_when_there_is_room)
{
    char text[16];
    for (int i = 0; i < WAITING + 3; i++) {
        snprintf(text, sizeof text, "%d", i);
        put(text, text);
        ck_assert_int_eq(rx_follow_notice(follow, NULL), 0);
    }
    for (int i = 0; i < WAITING; i++) {
        snprintf(text, sizeof text, "%d", i);
        int fd = rx_follow_take_next(follow);
        expect_text(fd, text);
        close(fd);
    }
    ck_assert(!rx_follow_has_next(follow, false));
    ck_assert_int_eq(rx_follow_notice(follow, NULL), 0);
    int last = rx_follow_take_next(follow);
    snprintf(text, sizeof text, "%d", WAITING + 2);
    expect_text(last, text);
    close(last);
}
END_TEST

START_TEST(a_renamed_file_is_found_by_what_it_is)
{
    struct stat was;
    put("one", NULL);
    ck_assert_int_eq(stat(path, &was), 0);
    put("two", "log.1");
    int fd = rx_follow_find(path, (struct rx_file_identity){was.st_dev, was.st_ino});
    expect_text(fd, "one");
    close(fd);
    ck_assert_int_eq(rx_follow_find(path, (struct rx_file_identity){was.st_dev, was.st_ino + 12345}), -1);
    ck_assert_int_eq(rx_follow_find("/no/such/folder", (struct rx_file_identity){was.st_dev, was.st_ino}), -1);
}
END_TEST

START_TEST(it_is_told_to_look_when_something_happens)
{
    put("", NULL);
    rx_time end = rx_loop_clock(loop) + 10 * RX_SEC;
    while (looks == 0 && rx_loop_clock(loop) < end)
        rx_loop_once(loop, 100);
    ck_assert_uint_gt(looks, 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    rx_follow_hear(follow, fd);
    looks = 0;
    ck_assert_int_eq(write(fd, "x", 1), 1);
    end = rx_loop_clock(loop) + 10 * RX_SEC;
    while (looks == 0 && rx_loop_clock(loop) < end)
        rx_loop_once(loop, 100);
    ck_assert_uint_gt(looks, 0);
    close(fd);
}
END_TEST

START_TEST(what_cannot_be_opened_is_told)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(rx_follow_notice(follow, NULL), -EISDIR);
    ck_assert(!rx_follow_has_next(follow, false));
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rx_follow_notice(follow, NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow");
    TCase *t = tcase_create("follow");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_empty_successor_waits_and_one_with_something_does_not);
    tcase_add_test(t, so_many_wait_and_the_others_are_seen_when_there_is_room);
    tcase_add_test(t, a_renamed_file_is_found_by_what_it_is);
    tcase_add_test(t, it_is_told_to_look_when_something_happens);
    tcase_add_test(t, what_cannot_be_opened_is_told);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
