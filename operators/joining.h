/* What the files of join share: its state. */
#ifndef RX_OPERATORS_JOINING_H
#define RX_OPERATORS_JOINING_H

#include "core/graph/operator.h"
#include "operators/join_table.h"

enum join_kind { JOIN_INNER, JOIN_LEFT, JOIN_FULL };

/* What must be equal or near for rows to pair, beside the key. */
enum join_mode {
    JOIN_WITHIN,  /* their times */
    JOIN_WINDOWS, /* their windows: rows are over at the window's end */
    JOIN_ALL,     /* nothing: rows are over when the inputs end */
};

struct join_distance {
    rx_time both, before, after;
};

struct join {
    struct rx_op op;
    const struct rx_tree *streams;
    struct rx_side_keys *by;
    struct join_distance within;
    bool has_within;
    int kind;
    int64_t max_held;

    struct join_table table;
    struct rx_keys *keys[RX_PORTS_MAX]; /* of each side */
    rx_time before, after;              /* of the first side to the second */
    rx_time over;                       /* rows up to here have been given up */
    size_t waiting[RX_PORTS_MAX];       /* rows of each side */
    unsigned ended;                     /* bit p: port p has completed */
    int window;                         /* which of the key's parts is the window; -1: none */
    uint8_t mode;
    bool main_on_top; /* a step; else each side is under its name, and the key on top */
};

static inline size_t join_key_count(const struct join *j) { return j->by ? rx_side_keys_count(j->by) : 0; }

/* joining_key.c: the keys of an event. */
enum join_keyed {
    JOIN_KEYED,
    JOIN_KEYLESS,   /* a part of it is absent or null: it pairs with nothing */
    JOIN_NOT_FINAL, /* of a window that will tell of itself again */
    JOIN_NOT_KEYED, /* the expression failed: reterr */
};
/* `keys` gets the table's width of values, the caller's to unref where it is JOIN_KEYED: the window's part is its start, its
 * end comes last. *ret_end: the end of the window, also where another part is missing; without one the event's time. */
enum join_keyed join_key_eval(struct join *, unsigned side, const struct rx_event *, struct rx_value *keys,
                              rx_time *ret_end, struct rx_error *reterr);
unsigned join_key_width(const struct join *);
/* Adds the key's fields to a result, and the window. */
void join_key_put(struct join *, const struct join_row *, struct rx_object_builder *);
/* The mark of the results of a row; the caller's. NULL: no memory. */
const struct rx_mark *join_key_mark(struct join *, const struct join_row *, uint32_t flags);
/* The end of the window in a key. */
rx_time join_key_end(const struct join *, const struct rx_value *keys);

/* joining_result.c: the pairs of a row that has been added are put out at once. */
void join_pair(struct join *, struct join_row *);
/* A row that leaves: if it found no partner it is put out where the kind says so; marked partial, if it leaves early. False: it
 * is in no result. */
bool join_give_up(struct join *, struct join_row *, bool early);

#endif
