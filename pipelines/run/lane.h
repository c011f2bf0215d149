/* A lane: a world with a clock of its own that follows its owner's, in which parts of the steps behind `parallel` run.
 *
 * It does what parcels say, one after another, and nothing else: what comes in is decoded on its heap, what comes out written into
 * the same parcel. Private to pipelines/run/lanes*.c, lane.c. On a thread of the crew while its task runs, else its owner's. */
#ifndef RX_PIPELINES_LANE_H
#define RX_PIPELINES_LANE_H

#include <stdatomic.h>

#include "core/graph/lanes.h"
#include "core/value/crossing.h"
#include "pipelines/run/crew.h"
#include "pipelines/run/world.h"

enum { RX_PARTS_MAX = 16, RX_PARCEL_EVENTS = RX_SPAN_MAX };

/* What a parcel holds, in order: into the lane, and out of it. */
enum rx_parcel_tag {
    RX_PARCEL_EVENT, /* part, event; out: event */
    RX_PARCEL_WATERMARK,
    RX_PARCEL_LINK, /* away */
    RX_PARCEL_BARRIER,
    RX_PARCEL_COMPLETE,
    RX_PARCEL_ERROR,  /* code, message */
    RX_PARCEL_ERRORS, /* event, of X.errors, and of: */
    RX_PARCEL_LATE,
    RX_PARCEL_BRANCH, /* which, event */
};

struct rx_parcel {
    struct rx_parcel *next;
    struct rx_lane *lane;
    rx_time now, drift; /* the owner's clock when it was sent */
    bool through;       /* what is due at `now` fires too */
    unsigned events;
    struct rx_writer in, out;
    struct rx_ledger *accounts; /* of the steps in the lane, what has come to them in it */
    rx_time next_due;           /* of the lane's timers, behind it */
    bool failed;                /* memory ran out in the lane */
    rx_time hold;               /* the owner's: event time before it */
    struct rx_parcel *behind;   /* the owner's: the next that is on its way */
};

struct rx_lane_part {
    struct rx_lane *lane;
    struct rx_instance *instance; /* NULL: not begun, or over */
    bool begun, over;
};

struct rx_branch_observer {
    struct rx_observer observer;
    struct rx_lane *lane;
    enum rx_parcel_tag tag;
    unsigned which;
};

struct rx_lane {
    struct rx_task task;
    struct rx_lanes *group; /* NULL after it was closed */
    void (*done)(struct rx_parcel *);
    struct rx_crew *crew;
    struct rx_parcel *waiting, **waiting_tail; /* under the crew's lock */
    atomic_bool closing;
    atomic_uint_fast64_t busy; /* ns */

    struct rx_world world;
    const struct rx_node *node; /* `parallel` in this world */
    size_t first_step, step_count;
    struct rx_lane_part parts[RX_PARTS_MAX];
    struct rx_branch_observer *observers;
    size_t observer_count;
    rx_time watermark;
    bool away, completing, lost; /* lost: something that it had to put out, for want of memory */
    struct rx_parcel *current;
    struct rx_ledger *published;
    struct rx_event events[RX_PARCEL_EVENTS];
    uint8_t part_of[RX_PARCEL_EVENTS];
    size_t gathered;
    struct rx_crossing_in from_owner;
    struct rx_crossing_out to_owner;

    /* The owner's. */
    struct rx_crossing_out to_lane;
    struct rx_crossing_in from_lane;
    struct rx_parcel *filling, *flight, **flight_tail;
    size_t in_flight; /* events */
    rx_time next_due;
    uint64_t barrier; /* that has come out last */
    size_t back;      /* parcels of `flight` that have been worked on */
    bool over;        /* its end has come out */
    uint64_t sent;
};

/* lane.c, for lane_life.c: the notes of a part and of a side stream, and what the task runs. */
void rx_lane_on_part_note(void *part, const struct rx_note *);
void rx_lane_on_branch_note(struct rx_observer *, const struct rx_note *);
void rx_lane_run(struct rx_task *);

/* A lane for the op's steps, in a world of its own, at the owner's time. */
int rx_lane_create(const struct rx_logical *, struct rx_crew *, const struct rx_op *, struct rx_lane **ret,
                   struct rx_error *reterr);
/* Its task is recalled. Tells what has become of what it held in `accounts`. */
void rx_lane_destroy(struct rx_lane *, struct rx_ledger *accounts);

struct rx_parcel *rx_parcel_create(struct rx_lane *);
void rx_parcel_destroy(struct rx_parcel *);

/* While its task does not run. */
void rx_lane_save_common(const struct rx_lane *, struct rx_writer *); /* what a lane's parts have in common */
void rx_lane_load_common(struct rx_lane *, struct rx_reader *);       /* before its parts */
void rx_lane_save_part(struct rx_lane *, unsigned part, struct rx_writer *);
void rx_lane_load_part(struct rx_lane *, unsigned part, struct rx_reader *);
void rx_lane_load_time(struct rx_lane *, rx_time watermark, bool away, bool completing);
void rx_lane_account(struct rx_lane *, struct rx_ledger *accounts); /* what has come since it was asked last */

#endif
