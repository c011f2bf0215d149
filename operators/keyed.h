/* What keyed_window and sliding_window are made of: a table of keys, what each has of open windows, and forms of that.
 *
 * operators/keyed_window.c has the keys, the life and what is fused; keyed_tumbling.c windows that follow one another, each with
 * accumulators of its own; keyed_sliding.c those that overlap or are counted, which share panes; keyed_each.c one for each event. */
#ifndef RX_OPERATORS_KEYED_H
#define RX_OPERATORS_KEYED_H

#include "core/aggregate/aggregation.h"
#include "core/graph/boundary.h"
#include "core/graph/step.h"
#include "core/value/keytable.h"

enum { KEYED_WIDTH_MAX = 16, KEYED_FLUSH = 0 /* of on_complete */ };

struct batch;

struct keyed_window {
    struct rx_op op;
    struct rx_keys *by;           /* NULL: no groups, one key without parts */
    int64_t max_keys, max_events; /* max_events: of windows of each event */
    struct rx_extent size, every;
    int on_complete;
    struct rx_shaper *fields;

    const struct keyed_form *form;
    unsigned window, aggregate; /* which of its steps these are; group_by, if any, is 0 */
    struct rx_keytable table;
    const struct rx_shape *key_shape; /* of a group's key; NULL: not known yet */
    struct rx_aggregation calls;
    struct rx_boundary_member member;
    rx_time pane;            /* sliding: how long one is */
    uint64_t events, stride; /* counted: in a pane; panes from one window to the next */
    rx_time closed, latest;  /* the last end that has closed; the last that was opened (tumbling) */
    bool closed_any, plain;  /* plain: the key is one field */
    rx_time quiet;           /* until then event time closes nothing; asked anew for each span */
    rx_time begins, ends;    /* the window, or the pane, of the newest event: mostly it is that of the next too */
    uint64_t open;           /* hopping: how many windows hold that pane and have not closed */
    struct keyed_tally {
        size_t grouped, taken, windows,
            used;          /* events put into a group, and into windows; of how many, and of them used */
    } tally;               /* of the span so far, for the ledgers */
    struct batch *pending; /* of the span: results on their way, where windows close at events */
    struct part {
        const struct rx_key *field; /* the part is a plain field; NULL: it is computed */
        struct rx_slot_cache cache;
    } parts[KEYED_WIDTH_MAX];
};

/* Results on their way. */
struct batch {
    struct rx_event events[RX_SPAN_MAX];
    size_t count;
};

struct keyed_form {
    size_t entry; /* bytes of a key, without accumulators */
    bool accumulates, by_time;
    int (*init)(struct keyed_window *, struct rx_keyed *); /* of a new key. NULL: nothing to do */
    void (*add)(struct keyed_window *, struct rx_keyed *, const struct rx_event *);
    /* The next end after `end` that the key has something for; RX_TIME_NEVER: none. by_time */
    rx_time (*next_end)(struct keyed_window *, struct rx_keyed *, rx_time end);
    void (*close)(struct keyed_window *, struct rx_keyed *, rx_time end, struct batch *); /* by_time */
    void (*flush)(struct keyed_window *, struct rx_keyed *, uint32_t flags, struct batch *);
    void (*forget)(struct keyed_window *, struct rx_keyed *);
    void (*save)(struct keyed_window *, struct rx_keyed *, uint64_t born, struct rx_writer *);
    void (*load)(struct keyed_window *, struct rx_keyed *, struct rx_reader *);
};
extern const struct keyed_form rx_keyed_tumbling, rx_keyed_hopping, rx_keyed_counted, rx_keyed_each;

static inline void *rx_keyed_of(struct keyed_window *k, struct rx_keyed *e) { return rx_keyed_data(&k->table, e); }

/* Puts out a result: of these accumulators, of the window [start, end). */
void rx_keyed_result(struct keyed_window *, struct rx_keyed *, const struct rx_accumulator *, const struct rx_carry *,
                     rx_time start, rx_time end, uint32_t flags, struct batch *);
void rx_keyed_flush(struct keyed_window *, struct batch *);
/* The window that ends there is wanted. False: it has closed. */
bool rx_keyed_want(struct keyed_window *, rx_time end);
void rx_keyed_failed(struct keyed_window *, const struct rx_event *, const struct rx_error *);
/* The event has been added to a window: counted, and a failure of a call told. `windows`: to how many it belongs. */
static inline void rx_keyed_added(struct keyed_window *k, const struct rx_event *event, int r,
                                  const struct rx_error *error, uint64_t windows)
{
    k->tally.taken++;
    k->tally.windows += windows;
    k->tally.used += windows - (r < 0);
    if (r < 0)
        rx_keyed_failed(k, event, error);
}
/* For groups that are empty frames to the steps that they stand for. */
void rx_keyed_write_entry(struct keyed_window *, struct rx_writer *);
void rx_keyed_read_entry(struct rx_reader *);

#endif
