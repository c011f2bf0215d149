/* Steps: what the user wrote, checked. A step is one operator with its options, at its place in the config; it knows no
 * engine and no heap, is made once, on any thread, and never changes. Workers, fused nodes, explain, metrics, reload and saved
 * state speak of steps; a node of the running graph (graph.h) runs one or more of them and says which. */
#ifndef RX_CORE_STEP_H
#define RX_CORE_STEP_H

#include "core/graph/operator.h"

enum rx_on_error { RX_DEAD_LETTER, RX_DROP, RX_FAIL, RX_NULLIFY };

struct rx_step {
    /* Unique in the config and the same in the next one, whatever stands around it: PIPELINE/ID where the user gave an
     * `id:`, else PIPELINE/OPERATOR/ORDINAL (from 1, among the steps of that name in the pipeline). What the planner adds to
     * a step (a scope's entry, the to_array of a buffer) is named behind it: STEP/entry. */
    const char *id;
    const char *label; /* for people, in its pipeline: the user's id, else the position and the name, "2.aggregate" */
    const char *pipeline; /* its name */
    const struct rx_operator_class *class;
    const struct rx_tree *where;   /* the operator's name in the config; its place is where->at. Never NULL */
    const struct rx_tree *options; /* the value as written; NULL: none */
    enum rx_on_error on_error;
    uint32_t number; /* dense, from 0: the place of its ledger in a plan */
    struct rx_facts facts;
    uint64_t
        bytes; /* it may keep, in all its groups and windows, by its facts; an estimate where events may be of any size */
    uint64_t hash; /* of the options that shape its state, canonical: equal hashes read each other's state */
};

/* Leaves that the planner places: what a scope's steps read, and a subscription to node->hub. */
extern const struct rx_operator_class rx_operator_entry;
extern const struct rx_operator_class rx_operator_subscription;

/* What a step that asks the outside (class->answer) has asked; not saved. */
struct rx_request_counts {
    uint64_t good, bad; /* answers: the one that was wanted, and others */
    uint64_t failed;    /* no answer came */
    uint64_t cancelled;
    uint64_t again; /* of all of them: not the first time */
    uint64_t kept;  /* answered from what was kept; none of the above */
    int64_t under_way;
    bool breaker_open;
};

/* A step's account, kept by every engine that runs it. in = the sum of accounts (absent is a part of filtered) + held. */
struct rx_ledger {
    uint64_t in, out, accounts[RX_ACCOUNTS];
    int64_t held;
    uint64_t keys_evicted;              /* groups ended to make room for others */
    uint64_t failures;                  /* inputs that ended in an error; not saved */
    struct rx_request_counts *requests; /* of a step that asks the outside; else NULL */
};

#endif
