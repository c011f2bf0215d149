/* Errors as values: what went wrong, in words a user can act on, and where.
 *
 * Functions return 0 or a negative errno; where a `struct rx_error *reterr` is the last parameter it is filled on
 * failure only, and may be NULL. Library code never logs. Any thread. */
#ifndef RX_CORE_ERROR_H
#define RX_CORE_ERROR_H

#include <stddef.h>

/* A place in a text: 1-based line and column (in code points), the byte offset from the start of the text. */
struct rx_place {
    unsigned line, column;
    size_t offset;
};

struct rx_error {
    int code;           /* negative errno, never 0 once set */
    struct rx_place at; /* line 0: no place known */
    char message[480];  /* one sentence, no trailing full stop or newline, UTF-8, NUL-terminated */
    char hint[240];     /* what to write instead; empty: none */
};

/* Fills `reterr` (if not NULL) with a formatted message, an empty hint and no place; answers `code`.
 * Cut at a code-point boundary when it does not fit. */
int rx_error_set(struct rx_error *reterr, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds a hint to an error that is set. */
void rx_error_hint(struct rx_error *reterr, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The candidate nearest to `word` by edit distance (Damerau, at most a third of its length), or NULL.
 * `candidates` ends with NULL. Borrowed from the list. */
const char *rx_nearest(const char *word, const char *const *candidates);

#endif
