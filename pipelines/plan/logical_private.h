/* What the files of the logical plan share while it is made. */
#ifndef RX_PIPELINES_LOGICAL_PRIVATE_H
#define RX_PIPELINES_LOGICAL_PRIVATE_H

#include "pipelines/plan/logical.h"

struct rx_ordinals;

struct rx_planner {
    const struct rx_forest *forest;
    const struct rx_logical_options *options;
    struct rx_logical *plan;
    struct rx_diagnostics *diagnostics;
    /* Options and expressions are compiled here to be checked and asked, and thrown away with the pipeline that they are of:
     * each worker compiles its own. */
    struct rx_plan_arena *scratch;
    struct rx_logical_pipeline *pipeline; /* being made */
    unsigned steps, inline_sources;       /* in it, so far */
    struct rx_names *ids;                 /* of its steps */
    struct rx_ordinals *ordinals;
    size_t step_capacity, source_capacity;
};

/* Who reads an outlet. */
struct rx_reading {
    struct rx_reading *next;
    struct rx_logical_pipeline *by;
    struct rx_logical_graph *graph;
    size_t node;
};

/* logical.c: a copy of a text that lives as long as the plan; NULL: no memory. */
char *rx_planner_text(struct rx_planner *, const char *);
void *rx_planner_alloc(struct rx_planner *, size_t size);
/* Makes a name readable; one that is taken is the caller's to diagnose. NULL: no memory. */
int rx_planner_add_outlet(struct rx_planner *, struct rx_outlet *, const char *name, const char *suffix);
/* The outlet of that name; diagnoses an unknown one at `where`: NULL then. */
struct rx_outlet *rx_planner_outlet(struct rx_planner *, const char *name, const struct rx_tree *where);

/* What names the streams that a step of that class and value feeds: one text, or a mapping whose keys do; NULL: none. */
const struct rx_tree *rx_planner_branches(const struct rx_operator_class *, const struct rx_tree *value);
size_t rx_branch_count(const struct rx_tree *names);                       /* of NULL: 0 */
const struct rx_tree *rx_branch_at(const struct rx_tree *names, size_t i); /* a name */

/* logical_source.c */
int rx_planner_sources(struct rx_planner *);
struct rx_logical_source *rx_planner_add_source(struct rx_planner *, const char *name, const struct rx_tree *);
/* `known`: of the pipeline's events. */
int rx_planner_sinks(struct rx_planner *, struct rx_logical_pipeline *, const struct rx_tree *to,
                     struct rx_known known);

/* logical_common.c: an empty mapping with room for `most` pairs, at the place of `at`; a scalar there. NULL: no memory. */
struct rx_tree *rx_planner_map(struct rx_planner *, const struct rx_tree *at, size_t most);
void rx_planner_put(struct rx_tree *map, struct rx_tree *key, struct rx_tree *item);
struct rx_tree *rx_planner_scalar(struct rx_planner *, const struct rx_tree *at, const char *text); /* NULL of NULL */
/* Sets what stands beside a source's kind, or for want of a better place in it; *s* has a class. -ENOMEM. */
int rx_planner_source_common(struct rx_planner *, struct rx_logical_source *);
const char *rx_planner_nearest_common(const char *name); /* NULL: none is near */

/* logical_step.c: identities. */
struct rx_step_words {
    const struct rx_operator_class *class;
    const char *name;            /* what stands in the id in place of the user's */
    const struct rx_tree *id;    /* the user's; NULL: none */
    const struct rx_tree *where; /* the operator's name */
    const struct rx_tree *options;
    enum rx_on_error on_error;
    const struct rx_step *parent; /* the planner adds it to this step; NULL: the user wrote it */
    const char *label;            /* NULL: by position */
};
/* A new step; NULL: no memory. An id that cannot be is diagnosed. */
struct rx_step *rx_planner_add_step(struct rx_planner *, const struct rx_step_words *);
int rx_planner_begin_steps(struct rx_planner *); /* of a pipeline */
void rx_planner_finish_steps(struct rx_planner *);

/* logical_head.c: how a pipeline begins. Neither `from` nor a class: a mistake, which is diagnosed, as are unknown keys. */
struct rx_pipeline_head {
    const struct rx_tree *from;            /* NULL: a step stands in its place: */
    const struct rx_operator_class *class; /* NULL: none does */
    const struct rx_tree *where, *options;
};
int rx_planner_head(struct rx_planner *, struct rx_logical_pipeline *, struct rx_pipeline_head *ret);

/* logical_written.c: reads an item of a `pipe`. -EINVAL after a mistake (diagnosed), -ENOMEM. */
struct rx_written_step {
    const char *name;
    const struct rx_tree *id;                    /* NULL: none given */
    const struct rx_tree *where;                 /* the name's node */
    const struct rx_tree *value;                 /* NULL: none given */
    const struct rx_tree *beside, *beside_value; /* an option of the operator that stands beside it; NULL: none */
    enum rx_on_error on_error;
    const struct rx_operator_class *class;
    const char *label; /* NULL: by position */
};
int rx_planner_read_step(struct rx_planner *, const struct rx_tree *, struct rx_written_step *ret);

/* logical_made.c: where a mapping of the step's options is itself a stream (with: {of: [1, 2]}, or until: {from: ...} without its
 * `until`), it is put where the tables look for it. -ENOMEM. */
int rx_planner_place_streams(struct rx_planner *, struct rx_written_step *);

/* logical_steps.c: the graph of a pipeline from its head and `pipe`. NULL after a mistake (diagnosed). */
struct rx_logical_graph *rx_planner_steps(struct rx_planner *, const struct rx_pipeline_head *,
                                          const struct rx_tree *pipe);
/* The scopes around a step, innermost first. */
struct rx_scope {
    const struct rx_scope *outer;
    const struct rx_step *opener;
};
/* logical_types.c: what the expressions behind a step may know of its output. `image`: its options, parsed. */
void rx_planner_types_after(struct rx_planner *, const struct rx_step *, unsigned inputs, const void *image,
                            const struct rx_scope *);
/* What may be known of the events of a stream that is read: a source's columns, a pipeline's results where it was made before. */
struct rx_known rx_planner_types_of(struct rx_planner *, const struct rx_outlet *);
/* logical_names.c: refuses results that would hide a key, and what looks at many events where there is one. */
void rx_planner_check_names(struct rx_planner *, const struct rx_step *, const struct rx_scope *);
/* logical_lanes.c: refuses what lanes cannot do of the steps behind `opener`. */
void rx_planner_check_lanes(struct rx_planner *, const struct rx_step *opener, const struct rx_logical_graph *);
/* Notes what looks like a slip: a name without quotes that nothing gives, compared with a topic's capture. -ENOMEM. */
int rx_planner_remarks(struct rx_planner *);
/* Calls `each` for the names of a group's key, as written; a backtick on either side is left out. */
void rx_planner_each_key(const struct rx_step *opener, void (*each)(void *arg, const char *name, size_t length),
                         void *arg);

/* logical_order.c: what reads what; a topological order (a circle is a mistake); where events go one by one. */
int rx_planner_readings(struct rx_planner *, struct rx_logical_pipeline *);
int rx_planner_order(struct rx_planner *);
void rx_planner_singles(struct rx_planner *);
void rx_planner_ends(struct rx_planner *); /* refuses what would wait for an end that never comes */
/* logical_time.c: where events have times of their own, and which windows must sort them. */
void rx_planner_times(struct rx_planner *);
/* logical_pace.c: warns of waits and windows that cannot fit what comes. */
void rx_planner_paces(struct rx_planner *);
/* logical_bound.c: what each step may keep, in bytes; refuses more than `max_state`. */
void rx_planner_bound(struct rx_planner *);
/* logical_fields.c: which fields each source must decode. */
int rx_planner_need(struct rx_planner *, const struct rx_class *, const void *image, struct rx_need *ret);
int rx_planner_fields(struct rx_planner *);

#endif
