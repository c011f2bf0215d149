/* Config files to one tree: YAML and JSON through libyaml, every node with its place, sections of all files merged.
 *
 * The forest owns the texts and the nodes; what it hands out is borrowed and lives as long as it. Diagnostics copy what
 * they show, so they may outlive it. Any thread; once read it never changes, and threads may share it. */
#ifndef RX_PIPELINES_CONFIG_READ_H
#define RX_PIPELINES_CONFIG_READ_H

#include "core/option/diagnostics.h"

struct rx_forest;

enum {
    RX_FOREST_LITERAL = 1,  /* ${VAR} and ${file:} are errors: for text from clients, who must not read our secrets */
    RX_FOREST_FRAGMENT = 2, /* not a config but any one node (a pipeline in a PUT): see rx_forest_root */
};

#define RX_CONFIG_BYTES_MAX (16u << 20) /* in one file */
#define RX_CONFIG_DEPTH_MAX 64          /* levels of nesting */
#define RX_CONFIG_NODES_MAX 1000000     /* nodes in one file, those behind aliases counted each time */

/* Reads files, folders (their *.yaml *.yml *.json, sorted by name) and "-" (stdin). Answers 0, or -EINVAL (-ENOMEM)
 * with every mistake in the diagnostics; *ret is then untouched, unless all files could be made sense of as trees: it then
 * holds these, for who wants to look for more mistakes in them. ${VAR} ${VAR:-default} ${VAR:?message} ${file:/path}
 * are expanded in values. */
int rx_forest_read(const char *const *paths, size_t n, struct rx_diagnostics *, struct rx_forest **ret);

/* The same for one text, named `path_label` in messages. The text is copied. */
int rx_forest_read_text(const char *text, size_t length, const char *path_label, unsigned flags,
                        struct rx_diagnostics *, struct rx_forest **ret);
/* One more holder: the forest goes with its last. */
struct rx_forest *rx_forest_ref(const struct rx_forest *);
void rx_forest_destroy(struct rx_forest *);

/* A top-level section, merged over all files ("http", "brokers", "sources", "pipelines" ...): a map, or the scalar of a
 * one-value section (`workers: 2`). NULL: nowhere given. */
const struct rx_tree *rx_forest_section(const struct rx_forest *, const char *name);
/* The whole tree: a map of sections; with RX_FOREST_FRAGMENT whatever the text is. NULL: empty text. */
const struct rx_tree *rx_forest_root(const struct rx_forest *);
/* A node to blame for what is nowhere given ("no pipelines"): the start of the first file, NULL without one. */
const struct rx_tree *rx_forest_start(const struct rx_forest *);

#endif
