/* What the files of users' tests share. */
#ifndef RX_PIPELINES_TEST_PRIVATE_H
#define RX_PIPELINES_TEST_PRIVATE_H

#include "pipelines/run/test_file.h"

/* A duration, or a number of milliseconds. -EINVAL. */
int test_time_of(const struct rx_tree *, rx_time *ret);

/* What symbols stand for in a test: its own, then the file's. -ENOMEM. */
int test_legend_read(struct rx_test *, struct rx_heap *);
void test_legend_finish(struct rx_legend *);
/* The value of a symbol: the legend's, or a digit's or a letter's own; the caller's. -EINVAL: it has none. */
int test_symbol(const struct rx_legend *, struct rx_heap *, const struct rx_marble *, struct rx_value *ret,
                struct rx_error *reterr);

/* Both set what they read in the test; mistakes go to the diagnostics. -ENOMEM. */
int test_input_read(const struct rx_test_file *, struct rx_test *, struct rx_heap *, struct rx_diagnostics *);
int test_expect_read(struct rx_test *, struct rx_heap *, struct rx_diagnostics *);

#endif
