/* Users' tests, run: a replay of what goes in, and what came held against what is expected. */
#ifndef RX_PIPELINES_TEST_RUN_H
#define RX_PIPELINES_TEST_RUN_H

#include "pipelines/plan/logical.h"
#include "pipelines/run/test_coverage.h"
#include "pipelines/run/test_file.h"

struct rx_test_result {
    bool ran, passed;
    struct rx_buffer report;   /* where it did not: which streams differ, and how */
    struct rx_outputs outputs; /* what came of the streams that are expected */
};

/* Of a config that was planned for a replay, with all that is expected shown. `coverage` may be NULL. 0; -EINVAL where the test does
 * not go with the config, with mistakes in the diagnostics; -ENOMEM; or another errno with what ended the run in the report. Finish
 * the result in any case. */
int rx_test_run(const struct rx_test *, const struct rx_logical *, struct rx_heap *, struct rx_diagnostics *,
                struct rx_test_coverage *coverage, struct rx_test_result *ret);
/* Whether of one stream that came which is expected. */
bool rx_test_expectation_holds(const struct rx_test *, const struct rx_test_expectation *,
                               const struct rx_test_result *, struct rx_heap *);
void rx_test_result_finish(struct rx_test_result *);

#endif
