/* Tables for lookups: rows by the text of one column, from a CSV or JSON file's bytes.
 *
 * CSV: the first row names the columns; a cell that is a JSON number, true or false is such, an empty one without quotes is
 * absent. JSON: a list of objects, or an object whose names are the keys (and, without a `column`, whose values are the
 * rows). Where a key comes twice the last row counts. Reads nothing by itself; one worker. */
#ifndef RX_CORE_TABLE_H
#define RX_CORE_TABLE_H

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/value/keytable.h"

#define RX_TABLE_BYTES_MAX (16u << 20) /* of a file */

enum rx_table_format { RX_TABLE_CSV, RX_TABLE_JSON };
/* By the path's ending, .csv or .json. -EINVAL with a message. */
int rx_table_format_of(const char *path, enum rx_table_format *ret, struct rx_error *reterr);

struct rx_table;
struct rx_table_options {
    enum rx_table_format format;
    const char *column; /* whose text finds a row; NULL: the first */
    uint64_t max_rows;
    bool any; /* every key finds the first row */
};
/* -EBADMSG (no table, with the place in the text), -E2BIG (too many rows or bytes), -ENOMEM; all with a message. */
int rx_table_parse(struct rx_heap *, const struct rx_table_options *, const char *text, size_t length,
                   struct rx_table **ret, struct rx_error *reterr);
void rx_table_destroy(struct rx_table *);
size_t rx_table_rows(const struct rx_table *);
/* The row by the text of a value, as templates write it; borrowed. NULL: none. */
const struct rx_value *rx_table_find(struct rx_table *, struct rx_value key);

/* The text of a value as a key: itself where it is one; else written into `scratch`, and good as long as that is. Null: no memory;
 * it finds no row. */
struct rx_value rx_table_key(struct rx_value, struct rx_buffer *scratch);
/* A new entry for it, with a text of its own. NULL: no memory. */
struct rx_keyed *rx_table_add_key(struct rx_keytable *, struct rx_value text, uint64_t hash);

/* A table that may be replaced while it is used: a node's, with what happened to it. */
struct rx_table_handle {
    struct rx_heap *heap;
    struct rx_table_options options;
    const char *path;       /* as it was found; borrowed */
    struct rx_table *table; /* NULL: not read yet */
    uint64_t loads;         /* good ones */
    uint64_t failures;      /* bad ones, with the former table kept */
    char fault[320];        /* why the last was bad; empty: it was good */
};
/* Another table in its place; a bad one is counted, with its reason, and leaves the former. */
int rx_table_replace(struct rx_table_handle *, const char *text, size_t length, struct rx_error *reterr);
/* The file could not be read: likewise. */
void rx_table_missed(struct rx_table_handle *, const struct rx_error *);
void rx_table_handle_finish(struct rx_table_handle *);

#endif
