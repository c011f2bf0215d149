/* The registry: every operator, source and sink that rxd knows, from the .def lists. Any thread. */
#ifndef RX_PIPELINES_REGISTRY_H
#define RX_PIPELINES_REGISTRY_H

#include "core/feed/sink.h"
#include "core/feed/source.h"
#include "core/graph/operator.h"

/* All classes, NULL-terminated, in the order of the .def lists. Internal operators are among them. */
const struct rx_operator_class *const *rx_registry_operators(void);
const struct rx_source_class *const *rx_registry_sources(void);
const struct rx_sink_class *const *rx_registry_sinks(void);

/* By the name of a step; NULL: unknown, or not a step. */
const struct rx_operator_class *rx_registry_operator(const char *name);
const struct rx_source_class *rx_registry_source(const char *name);
const struct rx_sink_class *rx_registry_sink(const char *name);

/* The operator that a pipeline's key of that name means, in place of `from`. NULL: there is none. */
const struct rx_operator_class *rx_registry_beginning(const char *name);
/* The stream of that name that is written where it is read, from: {NAME: ...}. NULL: there is none. */
const struct rx_operator_class *rx_registry_creation(const char *name);
const char *rx_registry_nearest_creation(const char *name); /* or of a source's kind */
/* The operator that `from: [a, b]` means. */
const struct rx_operator_class *rx_registry_merging(void);

/* The nearest known name to a mistyped one, or NULL. */
const char *rx_registry_nearest_operator(const char *name);
const char *rx_registry_nearest_source(const char *name);
const char *rx_registry_nearest_sink(const char *name);

#endif
