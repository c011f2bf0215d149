/* Samples of an error stream: the first few bad events of each minute go to the engine's log, with their reason. */
#ifndef RX_PIPELINES_SAMPLE_H
#define RX_PIPELINES_SAMPLE_H

#include "core/graph/graph.h"

struct rx_sample; /* NULL: no bad event yet */

/* A span of an error stream (rx_error_event's) has come. `*sample` is made on first use. */
void rx_sample_take(struct rx_sample **sample, struct rx_engine *, const char *stream, const struct rx_event *letters,
                    size_t n);
const char *rx_sample_last(const struct rx_sample *); /* what was wrong with the latest; "" on NULL */
void rx_sample_destroy(struct rx_sample *);

#endif
