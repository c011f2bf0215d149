/* The config tree: what YAML and JSON files parse to. Every node knows its file, line and column.
 *
 * Nodes are immutable after parsing and live as long as their forest. Scalars stay text: the option decides the type. */
#ifndef RX_CORE_TREE_H
#define RX_CORE_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

enum rx_tree_kind { RX_TREE_SCALAR, RX_TREE_LIST, RX_TREE_MAP };

struct rx_tree {
    enum rx_tree_kind kind;
    bool quoted;      /* scalar: written in quotes or as a block: always a string where spelling would decide */
    const char *text; /* scalar: NUL-terminated, after ${} expansion; else NULL */
    size_t length;
    const struct rx_file *file; /* never NULL */
    struct rx_place at;
    /* list: `count` items. map: `count` pairs in order, keys[i] a scalar (keys unique) */
    size_t count;
    struct rx_tree **items;
    struct rx_tree **keys;
    const struct rx_splice *splices; /* scalar: where ${} was expanded, in order; `splice_count` of them */
    size_t splice_count;
};

/* One ${} expansion: `source_length` bytes of what was written became the `length` bytes at `at` of the text. */
struct rx_splice {
    size_t at, length, source_length;
};

struct rx_file {
    const char *path; /* as the user named it; "<stdin>", "<request>" */
    const char *text; /* the whole text, for carets */
    size_t length;
};

/* The value under `key` in a map node; NULL if absent or not a map. */
const struct rx_tree *rx_tree_get(const struct rx_tree *map, const char *key);
/* Where byte `offset` of a scalar's text stands in its file: quotes, escapes, folding and ${} are undone as well as can
 * be. */
struct rx_place rx_tree_place(const struct rx_tree *scalar, size_t offset);

/* Collected mistakes: reported all at once, each with file:line:column, the source line, a caret and a hint. */
struct rx_diagnostics;
struct rx_diagnostics *rx_diagnostics_create(void);
void rx_diagnostics_destroy(struct rx_diagnostics *);
/* Adds a mistake at a node (its start), or at an offset inside a scalar's text (an expression's error: the column is
 * mapped back into the file, also for quoted and block scalars as well as can be). `node` NULL: no place. */
void rx_diagnose(struct rx_diagnostics *, const struct rx_tree *node, const struct rx_error *);
void rx_diagnose_inside(struct rx_diagnostics *, const struct rx_tree *scalar, const struct rx_error *);
/* Something legal that looks like a slip: shown as a note, and not counted as a mistake. */
void rx_remark_inside(struct rx_diagnostics *, const struct rx_tree *scalar, const struct rx_error *);
void rx_diagnosef(struct rx_diagnostics *, const struct rx_tree *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "out of memory" there: none of the config's mistakes, see rx_diagnostics_starved. */
void rx_diagnose_starved(struct rx_diagnostics *, const struct rx_tree *node);
size_t rx_diagnostics_count(const struct rx_diagnostics *);
/* Memory ran out on the way (an error of -ENOMEM was among them, or one could not be kept): what is counted need not be the
 * config's fault. */
bool rx_diagnostics_starved(const struct rx_diagnostics *);
struct rx_buffer;
/* "file:line:col: message\n    source line\n    ^\n  hint: ...\n" for each, in order of file and place, no repeats. */
void rx_diagnostics_render(const struct rx_diagnostics *, struct rx_buffer *out);
/* The same as a JSON array [{file, line, column, message, hint}] for the API. */
void rx_diagnostics_render_json(const struct rx_diagnostics *, struct rx_buffer *out);

#endif
