/* Columns: what steps do to each event by itself, over a span of events at once.
 *
 * A program is built step by step from expressions that are compiled already. It computes one column after another: an array with
 * a lane for each event, in one loop where the values are of one kind. What lies between two steps is never made: a field that an
 * earlier step made is the column that it was computed in. The interpreter (run.c) stays the specification: a lane in which
 * something is unusual (an error, an absent operand, a kind that the loop does not know) is left to the caller, who runs the
 * steps on that event. So a program never fails, counts nothing twice and says nothing of errors.
 *
 * After MonetDB/X100's vectors (Boncz, Zukowski, Nes, CIDR 2005). A program belongs to one heap (one thread). */
#ifndef RX_CORE_COLUMNS_H
#define RX_CORE_COLUMNS_H

#include "core/expr/expr.h"

enum {
    RX_LANES_MAX = 256,
    RX_COLUMN_STEPS_MAX = 16,
};

struct rx_columns;

struct rx_columns *rx_columns_create(struct rx_heap *); /* NULL: no memory */
void rx_columns_destroy(struct rx_columns *);           /* NULL is fine */

/* Adds a step. 1: it is in the program; 0: it cannot be said in columns, and the program is as it was; -ENOMEM.
 * The expressions must live as long as the program. */
int rx_columns_keep(struct rx_columns *, struct rx_expr *condition); /* only events for which it holds */
int rx_columns_become(struct rx_columns *, struct rx_expr *);        /* each event becomes its value */

/* A step that makes an object: begin, put each field (none sees what another one puts), end. `over` is the event as it was;
 * else the object has these fields alone. Where one call answers other than 1 the step is taken back. */
int rx_columns_object_begin(struct rx_columns *, bool over);
int rx_columns_put(struct rx_columns *, const struct rx_key *, struct rx_expr *);
int rx_columns_put_constant(struct rx_columns *, const struct rx_key *, struct rx_value);
int rx_columns_object_end(struct rx_columns *);

int rx_columns_remove(struct rx_columns *, const struct rx_key *const *,
                      size_t count); /* a step that takes fields away */
/* A step that adds fields where they are absent: the constants. */
int rx_columns_default(struct rx_columns *, const struct rx_key *const *, const struct rx_value *, size_t count);

/* The program is whole. 1, 0: it would take too many columns, and is of no use, -ENOMEM. */
int rx_columns_finish(struct rx_columns *);
bool rx_columns_makes(const struct rx_columns *); /* does it make values, or only choose among events? */

/* What became of a span. */
struct rx_columns_outcome {
    size_t made, left;
    uint8_t made_at[RX_LANES_MAX];          /* of each event that was put out: its place in the span, growing */
    uint8_t left_at[RX_LANES_MAX];          /* of each that is left to the caller */
    uint16_t filtered[RX_COLUMN_STEPS_MAX]; /* by each step, without those left */
    uint16_t absent[RX_COLUMN_STEPS_MAX];   /* a part of filtered: an operand was absent or null */
};

/* Runs the program over 1 to RX_LANES_MAX events, and writes what it makes of them to `out`, in order: their values are the
 * caller's where the program makes any, else borrowed as the rest of each event is. `out` has room for `n`, apart from `in`. */
void rx_columns_run(struct rx_columns *, const struct rx_event *in, size_t n, struct rx_event *out,
                    struct rx_columns_outcome *ret);

#endif
