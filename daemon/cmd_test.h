/* What the files of `rxd test` share. */
#ifndef RX_DAEMON_CMD_TEST_H
#define RX_DAEMON_CMD_TEST_H

#include "daemon/command.h"
#include "daemon/test_report.h"
#include "daemon/test_tally.h"

struct test_arguments {
    const char *files[RX_PATHS_MAX];
    size_t file_count;
    const char *filter, *junit;
    bool tap, coverage, update, watch;
};

/* One file's turn. */
struct test_session {
    const struct test_arguments *arguments;
    struct test_report *report;
    struct test_tally *tally;
    struct rx_heap *heap;
    struct rx_test_file file;
    struct rx_loaded loaded;
    struct rx_test_coverage *coverage; /* NULL: not asked for */
};

struct test_watch;
/* Runs them all once; what was read on the way is added to `watch`, where there is one. The exit status. */
int test_run_files(const struct test_arguments *, struct test_watch *watch);

/* test_watch.c: again and again, until SIGINT or SIGTERM. The exit status of the last run. */
int test_watch_run(const struct test_arguments *);
/* What a file's turn has read: the file, its configs, recordings and tables. */
void test_watch_add(struct test_watch *, const char *path, const struct test_session *);

#endif
