/* Facts: what a class says of one step, so that the planner need know no operator by name. They come from the class's
 * flags, and where the options matter from its `describe`. A wrong fact changes results. */
#ifndef RX_CORE_FACTS_H
#define RX_CORE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

/* What a step puts out, seen from what it takes in. */
enum rx_output {
    RX_OUTPUT_ANY,      /* cannot be said: every field of its input may be needed, nothing is known of its output */
    RX_OUTPUT_PASSES,   /* its input's events as they are, or other events of the same kind */
    RX_OUTPUT_EDITS,    /* its input's events with fields added, changed or taken away */
    RX_OUTPUT_REPLACES, /* nothing of its input but what its expressions read */
};

struct rx_facts {
    enum rx_output output;
    bool reads_all;     /* it looks at whole events, whatever its expressions read */
    bool reduces;       /* closes the innermost window, and puts out when it ends */
    bool ends_early;    /* may complete before its input does */
    bool ends_with_all; /* completes when the last of its inputs has, not the first */
    bool waits_for_end; /* what it keeps goes when its inputs end: refused where one never does */
    bool scope_ends;    /* the scopes that it opens may end before its input does (idle groups) */
    bool spans;         /* may be handed events in spans */
    /* Results depend on the order of events. Inside a window on event time they are then handed over in order of their times,
     * ties by arrival, when it closes (rx_node.inner_ordered). */
    bool needs_order;
    bool lates; /* may find an event too late (rx_late_event) */
    /* Asks for results before its scopes close (rx_instance_peek): the last step in them must be one that can say it. */
    bool early;
    /* What it may keep beside its state struct, at the most: so many keys or windows open at once, and of each (in all, without
     * them) so many events, so many values (of an expression: an accumulator, a last one), and bytes. Keys themselves are
     * counted already. By default a class that saves state keeps one value. The planner makes bytes of it
     * (pipelines/plan/logical_bound.c), times the groups and windows around the step. */
    uint64_t keys, windows, events, values, bytes;
    uint64_t parts;        /* the steps behind it run so often side by side, each for some of the keys */
    bool opens_unasked;    /* it opens scopes before an event comes for them */
    uint64_t waiting;      /* of `events`, those that wait for event time: none where the source tells none */
    uint64_t sorted;       /* of `events`, those kept only to put them in order for a step inside that needs it */
    uint64_t scope_events; /* each scope that it opens takes so many events at the most; 0: as many as come */
    int64_t wait;          /* ns until its first output after its first input, at the most; 0: none of its own */
    bool counts;           /* it also puts out when a count is full */
    /* Paces, in ns, by which check finds what cannot be meant; 0: nothing can be said. */
    int64_t quiet;   /* it puts out only after nothing came for so long */
    int64_t gathers; /* it puts together what comes within so long */
    int64_t spacing; /* what it (of a scope: each result) puts out is at least so far apart */
    int64_t rhythm;  /* while events come in it puts one out at least so often */
    bool at_end; /* what it is there for comes when its input ends. By default: it reduces, and does not end early */
};

#endif
