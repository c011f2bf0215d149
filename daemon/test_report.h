/* What `rxd test` tells: to people, as TAP, and as JUnit's XML. */
#ifndef RX_DAEMON_TEST_REPORT_H
#define RX_DAEMON_TEST_REPORT_H

#include "pipelines/run/test_run.h"

struct test_report {
    bool tap;                          /* TAP 14 on stdout, in place of words */
    bool updating;                     /* what differs is written into the files, and no failure */
    const char *junit;                 /* a file to write; NULL: none */
    size_t passed, failed, fresh, bad; /* bad: tests and files that could not be run; private from here on: */
    struct rx_buffer cases, suites;    /* XML */
    size_t suite_tests, suite_failures, suite_errors, suite_count;
    double suite_seconds;
    char suite_began[24];
};

void test_report_begin(struct test_report *);
void test_report_begin_file(struct test_report *, const char *path);
void test_report_test(struct test_report *, const struct rx_test_file *, const struct rx_test *,
                      const struct rx_test_result *, double seconds);
/* A file, or a test of it (`name`), that could not be run: why was told on stderr. */
void test_report_bad(struct test_report *, const char *path, const char *name);
void test_report_end_file(struct test_report *, const char *path);
/* The exit status; also where the file of the XML cannot be written. */
int test_report_end(struct test_report *);

#endif
