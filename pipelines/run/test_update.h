/* Users' tests: what came, written into the file in place of what is expected. */
#ifndef RX_PIPELINES_TEST_UPDATE_H
#define RX_PIPELINES_TEST_UPDATE_H

#include "pipelines/run/test_run.h"

/* The file's text with new expectations where results differ; comments and all else stay as they are. `results`: one a test, those
 * that did not run zeroed. A list stays a list, and parts of it that fit (patterns, too) stay; a diagram stays a diagram, with new symbols
 * in `values`, where its frames can tell the times, else it becomes a list. *ret_changed: how many expectations are new. -EINVAL
 * with a message: the text cannot be followed; -ENOMEM. */
int rx_test_update(const struct rx_test_file *, const struct rx_test_result *results, struct rx_heap *,
                   struct rx_buffer *ret_text, size_t *ret_changed, struct rx_error *reterr);

#endif
