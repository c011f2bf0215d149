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
    bool raw;         /* scalar: !raw: what is in it means nothing, neither ${} nor {EXPR} */
    bool options;     /* map: of options, also where the positional one takes a mapping whole (RX_SIBLING) */
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

/* What the positional option took whole: the options themselves, or what is beside another one (`options`; it is the first). */
static inline const struct rx_tree *rx_tree_whole(const struct rx_tree *options)
{
    return options && options->options ? options->items[0] : options;
}

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
/* The key of a map nearest to a mistyped one; NULL: none is near, or it is no map. */
const char *rx_tree_nearest(const struct rx_tree *map, const char *key);
/* Where byte `offset` of a scalar's text stands in its file: quotes, escapes, folding and ${} are undone as well as can
 * be. */
struct rx_place rx_tree_place(const struct rx_tree *scalar, size_t offset);

#endif
