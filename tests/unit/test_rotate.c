// layer: sinks
/* Rotated files: which names they have, which is older, and how many a second can have. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinks/rotate.h"

enum { SAME_SECOND = 1000 };

START_TEST(a_name_is_a_rotated_file_or_not)
{
    static const struct {
        const char *name;
        bool is, packed;
    } cases[] = {
        {"a.ndjson.20261124T221731Z", true, false},
        {"a.ndjson.20261124T221731Z.gz", true, true},
        {"a.ndjson.20261124T221731Z-2", true, false},
        {"a.ndjson.20261124T221731Z-17.gz", true, true},
        {"a.ndjson", false, false},
        {"a.ndjson.", false, false},
        {"a.ndjson.20261124T221731", false, false},
        {"a.ndjson.20261124T221731Z-", false, false},
        {"a.ndjson.20261124T221731Z.gz.tmp", false, false},
        {"a.ndjson.20261124T221731Zx", false, false},
        {"a.ndjson.2026112T221731ZZ", false, false},
        {"b.ndjson.20261124T221731Z", false, false},
        {"a.ndjsonx20261124T221731Z", false, false},
        {"a.ndjson.20261124T221731Z-2x", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool packed = false;
        bool is = rx_rotate_is_rotated("a.ndjson", cases[i].name, &packed);
        ck_assert_msg(is == cases[i].is && (!is || packed == cases[i].packed), "%s", cases[i].name);
    }
}
END_TEST

START_TEST(names_sort_by_age)
{
    static const char *const sorted[] = {
        "Z-9.20251231T235959Z-3.gz", "Z-9.20260101T000000Z.gz", "Z-9.20260101T000000Z-2", "Z-9.20260101T000000Z-9.gz",
        "Z-9.20260101T000000Z-10",   "Z-9.20260101T000001Z",    "Z-9.20261124T221731Z.gz"};
    for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++)
        for (size_t k = 0; k < sizeof sorted / sizeof *sorted; k++)
            ck_assert_msg((rx_rotate_compare(sorted[i], sorted[k]) < 0) == (i < k), "%s %s", sorted[i], sorted[k]);
    ck_assert_int_eq(rx_rotate_compare("a.20260101T000000Z", "a.20260101T000000Z.gz"), 0);
}
END_TEST

static void ignore(void *arg, const char *trouble) { (void)arg, (void)trouble; }

static void make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(a_second_has_so_many_and_no_name_comes_again)
{
    static const struct rx_rotate_options options = {.size = 1, .keep = 100000};
    char folder[] = "/tmp/rxd-rotate-XXXXXX", path[64], name[96], command[96];
    struct rx_loop *loop;
    struct rx_rotate *rotate;
    rx_time wall = 1767225600 * RX_SEC; /* 2026-01-01 */
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_int_eq(rx_rotate_create(loop, path, &options, false, ignore, NULL, &rotate), 0);
    ck_assert_int_eq(rx_rotate_now(rotate, wall), -ENOENT);
    make(path);
    ck_assert_int_eq(rx_rotate_now(rotate, wall), 0);
    snprintf(name, sizeof name, "%s/a.20260101T000000Z", folder);
    ck_assert_int_eq(unlink(name), 0); /* it is free again, and yet not taken */
    make(path);
    ck_assert_int_eq(rx_rotate_now(rotate, wall), 0);
    snprintf(name, sizeof name, "%s/a.20260101T000000Z-2", folder);
    ck_assert_int_eq(access(name, F_OK), 0);
    rx_rotate_destroy(rotate);
    ck_assert_int_eq(rx_rotate_create(loop, path, &options, false, ignore, NULL, &rotate), 0); /* another run */
    for (int i = 3; i <= SAME_SECOND; i++) {
        make(path);
        ck_assert_int_eq(rx_rotate_now(rotate, wall), 0);
    }
    make(path);
    ck_assert_int_eq(rx_rotate_now(rotate, wall), -EEXIST);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_int_eq(rx_rotate_now(rotate, wall + RX_SEC), 0);
    rx_rotate_destroy(rotate);
    rx_loop_destroy(loop);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rotate");
    TCase *t = tcase_create("rotate");
    tcase_add_test(t, a_name_is_a_rotated_file_or_not);
    tcase_add_test(t, names_sort_by_age);
    tcase_add_test(t, a_second_has_so_many_and_no_name_comes_again);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
