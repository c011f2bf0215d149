/* What graph.c, instance.c and hub.c share: nobody else includes this. */
#ifndef RX_CORE_GRAPH_PRIVATE_H
#define RX_CORE_GRAPH_PRIVATE_H

#include "core/graph/graph.h"

/* The first of the sequence numbers with which a node's timers of event time stand in the scheduler: before all others, those
 * upstream first. */
static inline uint64_t rx_node_sequence(const struct rx_node *node) { return (uint64_t)node->rank << 32; }

enum rx_op_state { RX_OP_LIVE, RX_OP_DONE, RX_OP_CANCELLED };

struct rx_op_timer {
    struct rx_timer timer;
    struct rx_op *op;
    unsigned slot;
};

/* What an op waits for in event time. */
struct rx_op_want {
    struct rx_timer timer; /* armed while its watermark runs */
    struct rx_op *op;
    rx_time t; /* RX_TIME_NEVER: nothing */
    uint64_t sequence;
};

/* A note that came while its receiver was busy. */
struct rx_emission {
    struct rx_emission *next;
    unsigned port;
    struct rx_note note; /* its event or error is here: */
    struct rx_event event;
    struct rx_error *error;
};

struct rx_common {
    struct rx_timer timer;
    struct rx_engine *engine;
    uint64_t sequence;
    const struct rx_common_class *class;
    _Alignas(16) char data[];
};

struct rx_instance {
    struct rx_engine *engine;
    const struct rx_subgraph *subgraph;
    struct rx_op *opener; /* NULL: a root */
    struct rx_instance *next, **link;
    const struct rx_mark *mark;
    const struct rx_event
        *outer;                /* what `outer` names in it: its own, or that of the instance around it; NULL: nothing */
    struct rx_event own_outer; /* of one that was opened for an event */
    void *tag;
    uint64_t born;                                      /* as an op's */
    void (*on_note)(void *arg, const struct rx_note *); /* of a root */
    void *arg;
    struct rx_op *entry;
    rx_time wanted;  /* the earliest instant of event time that something in it wants */
    bool told_fixed; /* and it knows of a fixed watermark: it need not hear of others before that */
    bool ended;
    enum rx_input_end { RX_INPUT_OPEN, RX_INPUT_COMPLETED, RX_INPUT_FAILED } input_end; /* of what its entry reads */
    struct rx_error *failure; /* of that; NULL: none, or no memory for it */
    struct rx_op *ops[];      /* by node index */
};

/* graph.c */
struct rx_op *rx_op_create(struct rx_instance *, uint16_t index, struct rx_error *reterr);
void rx_op_start(struct rx_op *);
void rx_op_cancel(struct rx_op *);  /* NULL is fine */
void rx_op_reclaim(struct rx_op *); /* at the end of the turn */
/* deliver.c */
void rx_op_send(struct rx_op *, const struct rx_note *);  /* to what reads the op, or out of its instance */
void rx_op_relay(struct rx_op *, const struct rx_note *); /* of a leaf: a note that is no event becomes its own */
void rx_op_drain(struct rx_op *);                         /* what came while it was busy, in order */
void rx_op_drop_queue(struct rx_op *);
void rx_op_port_ended(struct rx_op *); /* a barrier, or event time, may have waited for it */
/* watermark.c */
void rx_op_reach(struct rx_op *);               /* its inputs may have reached another time */
void rx_instance_refresh(struct rx_instance *); /* before an event comes to it: tells it what it has not been told */
void rx_want_stop(struct rx_op *);              /* it wants nothing any more */
void rx_want_finish(struct rx_op *);            /* at reclaim */
void rx_watermarks_save(const struct rx_op *,
                        struct rx_writer *); /* of the op: what it has reached, put out, and wants */
void rx_watermarks_load(struct rx_op *, struct rx_reader *);
void rx_watermarks_save_step(const struct rx_op *as, struct rx_writer *); /* of a step that `as` stands for */
void rx_watermarks_skip_step(struct rx_reader *);
/* link.c */
void rx_op_relink(struct rx_op *); /* its inputs may have lost their connection, or have it again */
/* endless.c */
bool rx_op_may_fire(struct rx_op *, const struct rx_timer *); /* false: it has failed */
/* settle.c */
void rx_engine_settle(struct rx_engine *); /* whatever is not: at the end of a turn */
static inline void rx_pass_begin(struct rx_engine *engine) { engine->passes++; }
static inline void rx_pass_end(struct rx_engine *engine)
{
    if (--engine->passes == 0 && engine->unsettled.count)
        rx_engine_settle(engine);
}
void rx_op_settle(struct rx_op *); /* one that is not, and is not busy */
void rx_settle_forget(struct rx_op *);
/* call.c */
void rx_calls_cancel_all(struct rx_op *);
void rx_calls_save(const struct rx_op *, struct rx_writer *);
void rx_calls_load(struct rx_op *, struct rx_reader *);
/* kept.c */
void rx_kept_finish(struct rx_op *);
void rx_kept_save(const struct rx_op *, struct rx_writer *);
void rx_kept_load(struct rx_op *, struct rx_reader *);
/* instance.c */
struct rx_instance *rx_instance_create(struct rx_engine *, const struct rx_subgraph *); /* NULL: no memory */
/* One of the op's own, nothing in it runs yet; `mark` is taken. NULL: no memory, the op has failed. */
struct rx_instance *rx_instance_link(struct rx_op *, unsigned which, const struct rx_mark *mark, void *tag);
void rx_instance_set_outer(struct rx_instance *, const struct rx_event *outer);
void rx_instance_bury(struct rx_instance *);
/* A point of the turn: what is made after it and has ended by the time that its maker has returned is on nobody's stack, and is
 * reclaimed then. A turn may subscribe a million times. */
struct rx_point {
    struct rx_op *dead;
    struct rx_instance *dead_instances;
    uint64_t births;
};
struct rx_point rx_engine_point(const struct rx_engine *);
void rx_engine_reclaim_since(struct rx_engine *, const struct rx_point *);
void rx_instance_note(struct rx_instance *, const struct rx_note *);
/* An entry that is subscribed when what it reads has ended hears of the end at once. */
void rx_instance_start_entry(struct rx_op *entry);
/* Of what its entry reads: whether and how that has ended, for who subscribes to it again. */
void rx_instance_save_input(const struct rx_instance *, struct rx_writer *);
void rx_instance_load_input(struct rx_instance *, struct rx_reader *);
void rx_instances_close_all(struct rx_op *);
/* hub.c */
void rx_hub_settle(struct rx_hub *);
#endif
