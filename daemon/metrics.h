/* Metrics: samples gathered by family from all threads, rendered in Prometheus' text format (version 0.0.4). */
#ifndef RX_DAEMON_METRICS_H
#define RX_DAEMON_METRICS_H

#include "core/json/json.h"
#include "pipelines/run/runtime.h"

enum rx_metric {
#define RX_METRIC(symbol_, name_, type_, labels_, help_) RX_METRIC_##symbol_,
#include "daemon/metrics.def"
#undef RX_METRIC
    RX_METRICS
};

/* Samples, a buffer a family: zero-initialise. Filled on one thread, handed over whole. */
struct rx_metrics {
    struct rx_buffer samples[RX_METRICS];
};
void rx_metrics_finish(struct rx_metrics *);

/* One sample. `labels` are name, value, ... NULL; may be NULL. */
void rx_metrics_add(struct rx_metrics *, enum rx_metric, double value, const char *const *labels);
void rx_metrics_count(struct rx_metrics *, enum rx_metric, uint64_t value, const char *const *labels);
void rx_metrics_merge(struct rx_metrics *into, const struct rx_metrics *from);
void rx_metrics_render(const struct rx_metrics *, struct rx_buffer *out);

/* What a worker knows: its sources, hubs, steps, sinks. On the worker's thread. */
void rx_metrics_of_runtime(struct rx_metrics *, struct rx_plan *, const struct rx_runtime *);
/* The process: CPU, memory, descriptors. */
void rx_metrics_of_process(struct rx_metrics *);

#endif
