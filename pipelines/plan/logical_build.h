/* Graphs while they grow: what logical_steps.c (steps, scopes) and logical_streams.c (what they read) share. */
#ifndef RX_PIPELINES_LOGICAL_BUILD_H
#define RX_PIPELINES_LOGICAL_BUILD_H

#include "pipelines/plan/logical_private.h"

/* A node while its graph grows: ports are connected as they come. */
struct rx_draft {
    struct rx_logical_node node;
    struct rx_logical_input inputs[RX_PORTS_MAX];
};

/* One graph while it grows. */
struct rx_builder {
    struct rx_planner *planner;
    struct rx_draft *drafts;
    size_t count, capacity;
    const char *scopes;           /* from the outermost: 'g' group, 'w' window, 'l' lanes */
    const struct rx_scope *scope; /* the innermost; NULL: none */
    bool opened;                  /* it is of a stream that a step opens */
    bool failed;
};

/* Where a list of steps stopped: the next step, and how many scopes are to be closed by those around. */
struct rx_position {
    const struct rx_tree *pipe;
    size_t next;
    size_t closing;
};

/* logical_steps.c. A node is an index; -1 after a mistake (diagnosed), when the builder has failed. */
int rx_builder_fail(struct rx_builder *); /* -1 */
int rx_builder_no_memory(struct rx_builder *, const struct rx_tree *where);
int rx_builder_add_node(struct rx_builder *, const struct rx_step_words *); /* without inputs, for one new step */
void rx_builder_connect(struct rx_builder *, int from, int to, const char *name);
int rx_builder_node(struct rx_builder *, int upstream, const struct rx_written_step *); /* `upstream` -1: it has none */
int rx_builder_steps(struct rx_builder *, int upstream, struct rx_position *);
/* logical_streams.c */
int rx_builder_stream(struct rx_builder *, const struct rx_tree *stream);
/* The steps behind a stream may count on what is known of it. */
void rx_builder_know(struct rx_builder *, int node);
/* Other streams of a step (with, other, until ...) become its further ports, in table order. */
void rx_builder_connect_streams(struct rx_builder *, int node, const struct rx_written_step *);

#endif
