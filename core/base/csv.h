/* CSV: rows of cells, one row after the other, from a text at hand (RFC 4180). Any thread; a reader belongs to one.
 *
 * A row ends with CRLF or LF, or with the text; a line without anything is no row. A cell in double quotes may hold
 * delimiters, line breaks and doubled quotes; one without may hold no quote. Text is UTF-8; a byte order mark before the
 * first row is left out. What cells mean (header, numbers) is the caller's. */
#ifndef RX_CORE_CSV_H
#define RX_CORE_CSV_H

#include <stdbool.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

enum { RX_CSV_CELLS_MAX = 65536 }; /* of a row */

struct rx_csv_cell {
    const char *text; /* without its quotes; not NUL-terminated */
    size_t length;
    bool quoted;  /* "" is an empty text; nothing between two delimiters may be no value at all */
    bool doubled; /* private */
    size_t place; /* of its first byte, quote included, in the text */
};

/* Zero-initialise the first time; finish frees. The cells lie in the text or in the reader: good until the next row. */
struct rx_csv {
    const struct rx_csv_cell *cells; /* the row that was read last */
    size_t count;
    unsigned line;  /* on which it begins, from 1 */
    const char *at; /* what is not read yet */

    /* private */
    const char *text, *row, *end;
    char delimiter;
    unsigned next_line;
    size_t capacity;
    struct rx_csv_cell *room;
    struct rx_buffer plain;
};
void rx_csv_finish(struct rx_csv *);

/* Begins with another text, borrowed; keeps the memory of the last. `delimiter`: ',' as a rule; no quote, line break or
 * byte of a number. */
void rx_csv_begin(struct rx_csv *, const char *text, size_t length, char delimiter);
/* The next row: 1; 0 at the end. A row that is wrong: -EBADMSG, -EILSEQ (not UTF-8), -E2BIG (more cells than may be), with
 * `reterr->at` its place in the text; the next call goes on behind it (behind its first line where a quote is never
 * closed). -ENOMEM. */
int rx_csv_next(struct rx_csv *, struct rx_error *reterr);
/* Where a byte of the last row is: line, column and offset in the text. */
struct rx_place rx_csv_place(const struct rx_csv *, size_t offset);

/* Behind the line break of the row that begins at `at`, for who reads a stream piece by piece. NULL: it does not end
 * before `end`. */
const char *rx_csv_row_end(const char *at, const char *end, char delimiter);

/* Appends a cell, in quotes where it needs them: `text` is empty, or holds a quote, delimiter, line break or space at an
 * end. */
void rx_csv_write_cell(struct rx_buffer *, const char *text, size_t length, char delimiter);

#endif
