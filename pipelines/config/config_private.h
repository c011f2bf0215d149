/* What the parts of the config reader share: one text being read. */
#ifndef RX_PIPELINES_CONFIG_PRIVATE_H
#define RX_PIPELINES_CONFIG_PRIVATE_H

#include <yaml.h>

#include "core/json/json.h"
#include "pipelines/config/config_read.h"

/* Memory that lives as long as the forest. */
struct config_chunk;
struct config_pool {
    struct config_chunk *newest;
    size_t expanded; /* bytes of texts that held ${} */
};
void *config_alloc(struct config_pool *, size_t size); /* zeroed; NULL: out of memory */
char *config_copy(struct config_pool *, const char *text, size_t length);
void config_pool_finish(struct config_pool *);

/* Follows libyaml's marks, which count code points, through the text. */
struct config_cursor {
    size_t index;
    size_t pair; /* the next of the reader's pairs */
    struct rx_place place;
};

/* One text being read. */
struct config_anchor;
struct config_reader {
    const struct rx_file *file;
    unsigned flags;
    struct config_pool *pool;
    struct rx_diagnostics *diagnostics;
    yaml_parser_t parser;
    struct config_cursor cursor;
    char *rewritten; /* the text with pairs written long; NULL: none were */
    size_t *pairs;   /* offsets of the pairs in the file, ascending, then SIZE_MAX */
    size_t skipped;  /* bytes of a byte order mark */
    struct config_anchor *anchors;
    unsigned anchor_count, depth, deepest;
    size_t weight;   /* nodes so far, those behind aliases counted each time */
    size_t mistakes; /* told so far */
};

void config_rewind(struct config_reader *);
/* Where a mark of libyaml's stands in the file. */
struct rx_place config_place(struct config_reader *, yaml_mark_t mark);
/* What libyaml's reader (not its scanner) refuses has an offset in bytes only. */
struct rx_place config_place_of_byte(struct config_reader *, size_t offset);
/* Copies the text into `rewritten` with each \uD83D\uDE00 as one long escape, which is what libyaml understands. */
int config_rewrite_pairs(struct config_reader *, const char *text, size_t length, size_t *ret_length);

void config_mistake(struct config_reader *, struct rx_place at, const char *hint, const char *message);
int config_no_memory(struct config_reader *); /* answers -ENOMEM */
/* Bytes from here to the end of the line; at most 240, which bounds what a message costs. */
size_t config_line_rest(const struct rx_file *, size_t offset);
/* A scalar without text that nobody quoted: `filter:` and nothing behind it. */
bool config_is_empty(const struct rx_tree *);
void config_refuse_tag(struct config_reader *, struct rx_place at);
/* {p: quantile(v, 0.95)}: to YAML the comma ends the value. True when that was said. */
bool config_refuse_split(struct config_reader *, const struct rx_tree *);
/* `key` NULL: a list's entry. */
void config_refuse_empty(struct config_reader *, const struct rx_tree *key, const struct rx_tree *node, bool flow);
bool config_check_key(struct config_reader *, const struct rx_tree *key); /* false: it cannot be one */
/* Sorts what it is given: call it on a copy. */
void config_refuse_duplicates(struct config_reader *, struct rx_tree **keys, size_t count);

/* Reads one text into a tree; *ret NULL for an empty one. -EINVAL: the diagnostics say why, and *ret is set all the same where
 * the text could be made sense of as a tree. */
int config_parse(const struct rx_file *, unsigned flags, struct config_pool *, struct rx_diagnostics *,
                 struct rx_tree **ret);

/* Replaces ${} in a scalar's text and notes the splices. -EINVAL with the place in the text. */
int config_expand(struct rx_tree *scalar, unsigned flags, struct config_pool *, struct rx_error *reterr);

/* What libyaml stumbled over, in words for a beginner, at `place`. `context` is where what it was reading began. */
void config_problem(const struct rx_file *, const yaml_parser_t *, struct rx_place place, struct rx_place context,
                    struct rx_diagnostics *);
/* "quote the expression: ..." for the text that starts at `offset` and goes to the end of its line. */
void config_quote_hint(const struct rx_file *, size_t offset, size_t length, char *out, size_t size);

#endif
