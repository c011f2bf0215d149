/* The logical plan: a checked config as sources, streams, pipelines and their steps. It knows no engine and no worker, is made
 * once, on any thread, and never changes: workers, explain and reload read it side by side.
 *
 * Making it validates all that a config can tell by itself; what needs the outside (brokers, the loop) is looked at when a
 * worker's plan (plan.h) is made of it. Linear in steps and dependencies. */
#ifndef RX_PIPELINES_LOGICAL_H
#define RX_PIPELINES_LOGICAL_H

#include "core/feed/sink.h"
#include "core/feed/source.h"
#include "core/graph/step.h"
#include "pipelines/config/config_read.h"

#define RX_STEPS_MAX   1000 /* in one pipeline, those in scopes and inline streams among them */
#define RX_SCOPES_MAX  16   /* open at one place */
#define RX_SOURCES_MAX 1024 /* inline ones among them */
#define RX_CHAIN_MAX   256  /* pipelines that read one another in a row */

struct rx_logical_source;
struct rx_logical_pipeline;

/* A name that can be read: X, X.errors, X.BRANCH. */
struct rx_outlet {
    const char *name;
    struct rx_logical_source *source;     /* NULL: a pipeline's */
    struct rx_logical_pipeline *pipeline; /* NULL: a source's */
    bool singles;                         /* events go one by one: branches of it may meet again */
    bool told;                            /* its events have times of their own, and its producer tells the watermark */
    struct rx_share share;
    uint64_t bytes;                   /* that are kept of it for late subscribers */
    const struct rx_tree *share_tree; /* NULL: nothing is written of it */
    struct rx_reading *readings;      /* by whom it is read; private to the planner, as is: */
    unsigned reaches;
};

/* The fields and more that something needs of the events that come to it. */
struct rx_need {
    bool all;
    unsigned reaches; /* RX_REACHES_META ... */
    const char **fields;
    size_t count;
};

struct rx_logical_input {
    uint16_t node;
    const char *name; /* that the user gave the stream; "" for the chain */
};

/* How far apart events come, in ns; 0: nothing is known. */
struct rx_pace {
    int64_t spacing, rhythm; /* at least so far apart; at least so often, while events come in */
    const struct rx_step *of;
};

struct rx_logical_node {
    const struct rx_step *step;
    struct rx_logical_graph *opened; /* beside its scope: of a stream that it opens as often as it wants */
    struct rx_logical_graph *scope;  /* what runs once per group or window; NULL */
    struct rx_outlet *reads;         /* of a subscription */
    struct rx_outlet *const *feeds;  /* the branches that it feeds */
    unsigned feed_count;
    const struct rx_logical_input *inputs; /* port 0 is the chain */
    unsigned input_count;
    int32_t down; /* consumer's index; -1: the exit */
    uint8_t down_port;
    struct rx_known known; /* of its input, by its expressions */
    struct rx_need need;   /* of its own, of what comes in */
    bool ends;             /* what it puts out may end while the pipeline runs */
    bool told;             /* what it puts out has event time of its own */
    bool inner_ordered;    /* rx_node.inner_ordered */
    unsigned width;        /* fields of an event that it puts out, as well as can be told */
    struct rx_pace pace;   /* of what it puts out */
    uint32_t seen;         /* private to the planner */
};

struct rx_logical_graph {
    struct rx_logical_node *nodes; /* inputs before consumers; the last is the exit */
    size_t count;
    const struct rx_logical_graph *outer; /* NULL: a pipeline's */
    size_t opener;                        /* in the outer graph */
};

struct rx_logical_source {
    const char *name;
    const struct rx_source_class *class;
    const struct rx_tree *tree, *kind, *options; /* the whole, the kind's name, its value */
    const struct rx_tree *common;                /* what stands beside the kind (rx_source_common); NULL: nothing */
    struct rx_outlet out, errors;
    size_t position;          /* among the sources */
    struct rx_fields *fields; /* what it must decode */
    unsigned reaches;         /* RX_REACHES_META ... */
    struct rx_need need;      /* of its own: of the event time */
    bool cold;                /* replay: cold */
    bool used;
};

struct rx_logical_sink {
    const struct rx_sink_class *class;
    const struct rx_tree *where, *options;
};

struct rx_logical_pipeline {
    const char *name;
    const struct rx_tree *key, *tree;
    struct rx_logical_graph *graph;
    struct rx_outlet out, errors, late;
    struct rx_outlet *branches;
    size_t branch_count;
    struct rx_logical_sink *sinks;
    size_t sink_count;
    size_t *depends; /* positions of the pipelines that it reads, each once */
    size_t depend_count;
    size_t position;     /* as written */
    unsigned order;      /* topological: what it reads comes first */
    uint32_t first_step; /* its steps have consecutive numbers */
    uint32_t step_count;
    struct rx_known known;  /* of its events, as those who read it may count on */
    uint64_t bytes;         /* that its steps may keep */
    bool ends;              /* its stream may end while it runs */
    bool singles;           /* its events go one by one */
    bool lates;             /* some step of it may find an event too late */
    unsigned leaves, chain; /* private to the planner, from here on */
    bool again;             /* it, or who reads it, may be subscribed anew */
    struct rx_logical_pipeline *reader;
};

struct rx_logical {
    struct rx_logical_source **sources;
    size_t source_count;
    struct rx_logical_pipeline *pipelines;
    size_t pipeline_count;
    size_t *ordered;        /* positions of pipelines, upstream first */
    struct rx_step **steps; /* by number */
    size_t step_count;
    uint64_t bytes, max_state; /* that all steps may keep; the budget, UINT64_MAX: none */
    struct rx_heap *heap;      /* the rest is private */
    struct rx_plan_arena *arena;
    struct rx_names *outlets; /* by name */
};

/* What may stand beside a step's operator. */
extern const struct rx_option rx_step_siblings[];

struct rx_logical_options {
    bool replay;              /* sources will be replaced: any may end */
    const char *const *shown; /* NULL-terminated names of streams that will be shown whole; may be NULL */
};

/* 0, or -EINVAL with every mistake in the diagnostics. The forest must outlive the plan. */
int rx_logical_create(const struct rx_forest *, const struct rx_logical_options *, struct rx_diagnostics *,
                      struct rx_logical **ret);
void rx_logical_destroy(struct rx_logical *);

const struct rx_outlet *rx_logical_find_outlet(const struct rx_logical *, const char *name); /* NULL: no such stream */
struct rx_logical_source *rx_logical_find_source(const struct rx_logical *, const char *name);
struct rx_logical_pipeline *rx_logical_find_pipeline(const struct rx_logical *, const char *name);
/* Whether `by` reads a stream that branches off `p` (p.errors, p.late, p.BRANCH), and comes only while `p` runs. */
bool rx_logical_reads_branch(const struct rx_logical_pipeline *by, const struct rx_logical_pipeline *p);

/* Which worker runs what: a pipeline and what feeds it live on one. By position. */
#define RX_NOWHERE UINT32_MAX /* a source that no pipeline reads */
struct rx_shares {
    unsigned *pipelines, *sources;
};
/* `before`, with its shares, is the plan that runs now, or NULL: what is in both stays on its worker. -ENOMEM. */
int rx_logical_share(const struct rx_logical *, unsigned workers, const struct rx_logical *before,
                     const struct rx_shares *shares, struct rx_shares *ret);
void rx_shares_finish(struct rx_shares *);

/* Calls `each` for every node of a graph and of those inside it, outer first. */
void rx_logical_walk(const struct rx_logical_graph *,
                     void (*each)(void *arg, const struct rx_logical_node *, unsigned depth), void *arg);

#endif
