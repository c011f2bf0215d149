/* Users' tests: answers given in place of those of servers and files.
 *
 * `mock: {STEP: ANSWER}`: STEP is a step's `id`, PIPELINE/ID, or the name of its operator, for all steps of it. To a step that
 * asks (http) ANSWER is the body of each answer; an object of `status body after error retry_after` alone describes it; {answers: [...]}
 * are several of these, of which the first that fits is given (`when`: a condition on the request's method, url and body;
 * `times`: so often). To one that looks up in a file it is the row of every key; a list, or {rows: ...}, is a table, {missing: true} an
 * empty one. */
#ifndef RX_PIPELINES_TEST_MOCK_H
#define RX_PIPELINES_TEST_MOCK_H

#include "pipelines/run/test_file.h"
#include "pipelines/run/world.h"

struct rx_test_mock;
/* -EINVAL with mistakes in the diagnostics; -ENOMEM. The test, the plan and the heap (where conditions are checked) are borrowed. */
int rx_test_mock_create(const struct rx_test *, const struct rx_logical *, struct rx_heap *, struct rx_diagnostics *,
                        struct rx_test_mock **ret);
void rx_test_mock_destroy(struct rx_test_mock *);
/* Answers from now on in that world; of a restarted one, as in the former. `arg` is the mock. */
void rx_test_mock_enter(void *arg, struct rx_world *);
/* As rx_plan_options.rows; `arg` is the mock. */
const char *rx_test_mock_rows(void *arg, const struct rx_step *, bool *ret_any);
/* The same before any test runs: an empty table where one of the file's tests has an answer. `arg` is the test file. */
const char *rx_test_file_rows(void *arg, const struct rx_step *, bool *ret_any);

#endif
