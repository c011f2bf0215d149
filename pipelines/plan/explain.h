/* Explaining a plan in words, and as a Graphviz graph. */
#ifndef RX_PIPELINES_EXPLAIN_H
#define RX_PIPELINES_EXPLAIN_H

#include "core/json/json.h"
#include "pipelines/plan/plan.h"

/* `name` NULL: all pipelines. */
void rx_explain(const struct rx_plan *, const char *name, struct rx_buffer *out);
void rx_explain_dot(const struct rx_plan *, const char *name, struct rx_buffer *out);

#endif
