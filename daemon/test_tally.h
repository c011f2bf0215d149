/* What the tests of all files together reached: a place that several files have counts once. */
#ifndef RX_DAEMON_TEST_TALLY_H
#define RX_DAEMON_TEST_TALLY_H

#include <stdio.h>

#include "pipelines/run/test_coverage.h"

struct test_tally_row {
    char *place;
    size_t order;
    bool reached;
};
struct test_tally {
    struct test_tally_row *rows;
    size_t count, capacity;
    bool failed; /* out of memory */
};
void test_tally_add(struct test_tally *, const struct rx_test_coverage *);
/* "coverage: N of M steps and branches", and a line for each place that was not reached. -ENOMEM. */
int test_tally_write(struct test_tally *, FILE *out);
void test_tally_finish(struct test_tally *);

#endif
