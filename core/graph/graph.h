/* The graph: sub-graphs that the planner made, and their running instances.
 *
 * A sub-graph is a tree of nodes: each node feeds exactly one port of one other node, the last one is the exit. Sharing
 * happens in hubs. An instance is one run of a sub-graph: a pipeline's root, a group, a window. Nodes are immutable and
 * shared by all instances; what counts and what is common to all instances of a node hangs off `run`. One worker. */
#ifndef RX_CORE_GRAPH_H
#define RX_CORE_GRAPH_H

#include "core/graph/hub.h"
#include "core/graph/step.h"

/* What the instances of a node have in common. It is a step's: of the node's only one, or of steps[common_step]. */
struct rx_node_run {
    struct rx_common *common; /* private to core/graph */
    struct rx_buffer saved;   /* state of `common`, until the first instance asks for it */
};

struct rx_node {
    const struct rx_operator_class *class; /* of the one step, or what runs several as one */
    const void *image;                     /* class->base.state_size bytes, options set */
    const struct rx_step *step;            /* steps[0] */
    struct rx_ledger *ledger;              /* ledgers[0] */
    const struct rx_step *const *steps;    /* what it runs, upstream first; at least one */
    struct rx_ledger *const *ledgers;      /* of each */
    uint16_t step_count, common_step;
    bool in_row;    /* its steps stand behind one another, not inside: in saved state each has a place of its own */
    uint16_t index; /* in its sub-graph */
    const uint16_t *inputs;                  /* node indices, by port */
    const struct rx_key *const *input_names; /* likewise; interned by the planner */
    uint8_t input_count;
    uint8_t down_port;
    int32_t down;       /* consumer's index, -1: the exit */
    uint32_t rank;      /* order in the plan: upstream first, across pipelines; never 0 */
    bool span_ok;       /* this node and all behind it take spans */
    bool told;          /* its events have times of their own */
    bool indexed;       /* it reads a hub alone, which may look its condition up */
    bool inner_ordered; /* it opens windows on event time in which a step needs order (rx_facts.needs_order) */
    struct rx_subgraph *subgraphs[2];
    struct rx_hub *hub;            /* of a subscription leaf */
    struct rx_table_handle *table; /* of a step that looks things up in a file (core/feed/table.h); NULL */
    struct rx_hub *const *feeds;   /* of a step that feeds streams of its own, in the order of its option */
    uint16_t feed_count;
    struct rx_hub *errors; /* where bad events go; NULL: only counted. And late ones: */
    struct rx_hub *late;
    struct rx_node_run *run;
};

struct rx_subgraph {
    struct rx_node *nodes; /* inputs before consumers; the last is the exit */
    size_t count;
    bool timeless; /* nothing in it waits for event time: its instances are not told of it */
    bool patient;  /* what waits for it says for which instant (RX_TOLD_WHEN_WANTED) */
};

/* A call that is pending: the caller's while it is, until it is answered or cancelled. */
struct rx_call {
    struct rx_call *next, *previous; /* private to core/graph, as are these: */
    struct rx_timer later;
    struct rx_value answer;
    bool planned;
    struct rx_op *op; /* whose step says who asks */
    uint64_t tag;
    struct rx_value request; /* what is asked */
    void *ticket;            /* the caller's */
};
/* Who asks the outside. */
struct rx_caller {
    int (*begin)(void *arg, struct rx_call *, struct rx_error *reterr); /* does not answer at once */
    void (*cancel)(void *arg, struct rx_call *);
    void *arg;
};
/* The caller's answer, on the worker's thread: the value is borrowed; NULL: the error. The call is gone after it. */
void rx_call_answer(struct rx_call *, const struct rx_value *, const struct rx_error *);
/* In place of that, of who knows the answer beforehand (from `begin`, of a replay): it comes after `wait`, and is saved with the call, so that a
 * restart changes nothing. A text is an error in those words. -ENOMEM. */
int rx_call_answer_later(struct rx_call *, rx_time wait, struct rx_value answer);

/* Fewer are asked one by one: that is as fast. */
#define RX_INDEX_FROM 4

/* The engine of one worker. */
struct rx_engine {
    struct rx_caller caller; /* zeroes: there is none */
    struct rx_heap *heap;
    struct rx_sched *sched;
    unsigned depth;          /* of turns */
    struct rx_rounds rounds; /* of all ops, and the number of the outermost turn: endless.c */
    uint32_t turn;
    unsigned passes; /* that are under way, one in the other: settle.c */
    struct rx_unsettled {
        struct rx_op **ops; /* by rank */
        uint32_t count, capacity;
    } unsettled;
    bool observe_subscriptions;
    /* Where the log step writes: syslog's level, the step's label, one line. NULL: silent. */
    void (*log)(void *arg, int level, const char *step, const char *text);
    void *log_arg;
    struct rx_op *dead; /* to be disposed at the end of the turn */
    struct rx_instance *dead_instances;
    uint64_t births;          /* of ops and instances */
    struct rx_hub *idle_hubs; /* whose last subscriber left in this turn */
    struct rx_hub *lingering_hubs;
    struct rx_lane_host *lanes; /* NULL: no other threads (lanes.h) */
    bool closing;               /* nobody who leaves comes again: hubs do not linger */
    size_t index_from;          /* so many conditions on one hub are looked up, not asked one by one; SIZE_MAX: never */
};
struct rx_engine *rx_engine_create(struct rx_heap *, struct rx_sched *); /* both borrowed */
void rx_engine_destroy(struct rx_engine *);
void rx_engine_close(
    struct rx_engine *); /* before all leave for good: what lingers stops, and nothing lingers any more */
/* A turn: what is cancelled or ended within it is reclaimed when the outermost one is left. */
void rx_engine_enter(struct rx_engine *);
void rx_engine_leave(struct rx_engine *);

/* A root instance: its exit's notifications go to `on_note`. Subscribed before the call returns. */
struct rx_instance *rx_graph_start(struct rx_engine *, const struct rx_subgraph *,
                                   void (*on_note)(void *arg, const struct rx_note *), void *arg);
/* A barrier for what runs without an input in the instance; the others get it through their hubs. */
void rx_graph_barrier(struct rx_instance *, uint64_t number);
/* What hubs have counted for the steps of a root instance goes into their ledgers: before those are read. NULL is fine. */
void rx_graph_account(struct rx_instance *);
void rx_graph_stop(struct rx_instance *); /* cancels; no-op on NULL. After a terminal the instance is gone already */
struct rx_instance *rx_graph_load(struct rx_engine *, const struct rx_subgraph *,
                                  void (*on_note)(void *arg, const struct rx_note *), void *arg, struct rx_reader *);

void rx_node_run_finish(struct rx_node_run *); /* frees what the instances had in common; NULL is fine */
/* State of a step beside its ops: load it before them. What is held they say themselves: the account's `held` is zero
 * after the load, and *ret_held is what it is to become. */
void rx_node_run_save(const struct rx_node_run *, struct rx_writer *);
void rx_node_run_load(struct rx_node_run *, struct rx_reader *);
void rx_ledger_save(const struct rx_ledger *, struct rx_writer *);
void rx_ledger_load(struct rx_ledger *, struct rx_reader *, int64_t *ret_held);

/* An event for an error stream: {at, reason, step, message, event}. The caller's to unref. */
struct rx_event rx_error_event(struct rx_engine *, const char *reason, const char *step, const struct rx_error *,
                               struct rx_value event);

#endif
