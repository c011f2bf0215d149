/* Users' tests: what went to error streams that nothing is expected of, told where a test fails. */
#ifndef RX_PIPELINES_TEST_LOSSES_H
#define RX_PIPELINES_TEST_LOSSES_H

#include "pipelines/run/outputs.h"

/* Zero-initialise but for the heap (borrowed); finish releases. */
struct test_losses {
    struct rx_heap *heap;
    struct rx_outputs firsts; /* of each error stream the first */
};
/* An output line, of any stream. Memory that runs out costs the message, not the test. */
void test_losses_take(struct test_losses *, const char *line, size_t length);
/* "N events went to STREAM, the first: STEP: MESSAGE: EVENT". */
void test_losses_tell(struct test_losses *, const char *stream, uint64_t n, struct rx_buffer *out);
void test_losses_finish(struct test_losses *);

#endif
