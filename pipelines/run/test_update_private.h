/* What the files of --update share. */
#ifndef RX_PIPELINES_TEST_UPDATE_PRIVATE_H
#define RX_PIPELINES_TEST_UPDATE_PRIVATE_H

#include "pipelines/run/test_ranges.h"
#include "pipelines/run/test_update.h"

struct test_edit {
    size_t from, to, order;
    struct rx_buffer text;
};

struct test_update {
    const struct rx_test_file *file;
    const struct rx_test *test;
    const struct rx_test_result *result;
    struct rx_heap *heap;
    const char *text;
    size_t length;
    bool json; /* the file is JSON: names are quoted, lists in brackets */
    struct test_ranges ranges;
    struct rx_legend legend; /* of the test at hand, with the symbols made up for it behind its own */
    bool themselves[128];    /* characters of its diagrams */
    struct test_edit *edits;
    size_t count, capacity, changed;
    int failed;
};

/* ---- test_update_text.c ---- */

/* In place of what stands from `from` to `to`. Takes the text. */
void test_edit(struct test_update *, size_t from, size_t to, struct rx_buffer *text);
/* The text with all of them. -EINVAL: two of them are about one place (an alias), and differ; -ENOMEM. */
int test_edits_apply(struct test_update *, struct rx_buffer *out);
size_t test_column_of(const struct test_update *, size_t at);
/* A new line, ended as those of the file. */
void test_indent(const struct test_update *, struct rx_buffer *out, size_t columns);
/* Whether a key stands in a mapping without brackets: it is the first in its line, but for the dashes of lists. */
bool test_is_in_block(const struct test_update *, const struct rx_tree *key);
/* As JSON, and in YAML with bare names. */
void test_write_value(const struct test_update *, struct rx_buffer *out, struct rx_value);
/* What was expected where it fits, with what is new from what came. The caller's. */
struct rx_value test_merged(struct test_update *, struct rx_value old, struct rx_value came);

/* ---- test_update.c ---- */

void test_write_list(struct test_update *, const struct rx_test_expectation *, const struct test_range *,
                     const struct rx_output_stream *came);

/* ---- test_update_marbles.c ---- */

/* Before and after the expectations of a test: symbols are collected between. */
void test_symbols_begin(struct test_update *);
void test_symbols_end(struct test_update *, bool write);
/* Or as a list, where a diagram cannot tell it. */
void test_write_diagram(struct test_update *, const struct rx_test_expectation *, const struct test_range *,
                        const struct rx_output_stream *came);

#endif
