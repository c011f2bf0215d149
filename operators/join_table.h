/* The rows that a join holds, found by key and by time, and given up in the order in which their time is over. Plain data: it
 * knows no stream, no clock and no account. One thread.
 *
 * A row is over at `until`. The rows of one key and side stand in order of (until, arrival), so that those between two
 * instants are found by halving; a heap over all rows (Williams, CACM 7, 1964) finds the first that is over. That row is also the
 * first of its key and side: rows leave at the front. Putting a row in costs the logarithm of what is held, and
 * moving those of its key and side that are over later. */
#ifndef RX_OPERATORS_JOIN_TABLE_H
#define RX_OPERATORS_JOIN_TABLE_H

#include "core/value/codec.h"
#include "core/value/keytable.h"

#define JOIN_WIDTH_MAX 17 /* values in a key: those of `by`, and the end of a window */

struct join_row {
    struct rx_event event;
    rx_time until;
    uint64_t arrival;
    struct rx_keyed *key; /* NULL: it pairs with nothing */
    uint8_t side;
    bool paired; /* it is in a result already */
};

/* The rows of one key and side, `count` of them from rows[head] on. */
struct join_rows {
    struct join_row **rows;
    uint32_t head, count, capacity;
};

struct join_table {
    struct rx_keytable keys;
    unsigned sides;
    struct join_row **heap;
    size_t count, capacity;
    uint64_t arrivals;
    struct join_row *spare;
    struct join_chunk *chunks;
};

/* `width`: values in a key, 1 to JOIN_WIDTH_MAX. */
void join_table_init(struct join_table *, struct rx_heap *, unsigned width, unsigned sides);
void join_table_finish(struct join_table *);

/* A key is there while it has rows: one that was added and given none is the caller's to tidy away. NULL: no memory. */
struct rx_keyed *join_table_find_or_add(struct join_table *, const struct rx_value *keys);
void join_table_tidy(struct join_table *, struct rx_keyed *);
const struct join_rows *join_table_rows(const struct join_table *, struct rx_keyed *, unsigned side);
/* The mark that a key's results have: kept here, made by who knows how; NULL: not yet. Taken. */
const struct rx_mark **join_table_mark(struct join_table *, struct rx_keyed *);

/* A row for the event, which is referred to; key NULL: of none. NULL: no memory. */
struct join_row *join_table_add(struct join_table *, struct rx_keyed *key, unsigned side, const struct rx_event *,
                                rx_time until);
/* The row that is over first; NULL: there is none. */
struct join_row *join_table_first(const struct join_table *);
/* Takes that row out; a key without rows goes with its last. */
void join_table_drop_first(struct join_table *);

static inline struct join_row *join_rows_at(const struct join_rows *rows, uint32_t i)
{
    return rows->rows[rows->head + i];
}
/* The place of the first row that is over at `until` or later. */
uint32_t join_rows_from(const struct join_rows *, rx_time until);

void join_table_save(const struct join_table *, struct rx_writer *);
/* Into an empty table. */
int join_table_load(struct join_table *, struct rx_reader *);

#endif
