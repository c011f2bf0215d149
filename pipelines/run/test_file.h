/* Users' tests: a file of them, read and checked; what each gives in and expects.
 *
 * The file is a tree (YAML or JSON) in which everything knows its place. Values belong to the heap of the file's expressions and
 * patterns, which is the caller's. One thread. */
#ifndef RX_PIPELINES_TEST_FILE_H
#define RX_PIPELINES_TEST_FILE_H

#include "pipelines/config/config_read.h"
#include "pipelines/run/marble.h"
#include "pipelines/run/marble_draw.h"

#define RX_TESTS_MAX 10000 /* in a file */

/* One line of what goes in. */
struct rx_test_line {
    rx_time at;
    char *text; /* as `rxd replay` reads it, malloc'ed */
    size_t length;
    const struct rx_tree *where; /* whence it came, */
    size_t offset;               /* in a scalar's text */
};
struct rx_test_input {
    struct rx_test_line *lines; /* in order of time; at one instant as they are written */
    size_t count, capacity;
};

/* What is expected of one stream. */
struct rx_test_expectation {
    const struct rx_tree *key, *where; /* the stream's name; what was written for it */
    bool untimed;                      /* values; else a diagram */
    bool ends;                         /* its end counts */
    struct rx_output_stream stream;
};

struct rx_test {
    const struct rx_tree *tree, *name;           /* a scalar */
    const struct rx_tree *input, *expect, *mock; /* NULL: not given */
    const struct rx_tree *values;                /* of this test; and of the file: */
    const struct rx_tree *common_values, *common_mock;
    rx_time tick, end;     /* what a frame is worth; where the clock is stopped, -1: it is not */
    unsigned long restart; /* as of a replay; 0: none */
    bool subset;
    struct rx_legend legend; /* of both, the test's first */
    struct rx_test_input in;
    struct rx_test_expectation *expected;
    size_t expected_count;
};

struct rx_test_file {
    const char *path; /* borrowed */
    struct rx_forest *forest;
    const struct rx_tree *root;
    char **configs; /* paths, from where rxd runs; NULL-terminated */
    struct rx_test *tests;
    size_t count;
};

/* 0, -EINVAL with every mistake in the diagnostics, -ENOMEM, or what reading the file gave, with a diagnostic too. Safe to finish in either
 * case. */
int rx_test_file_read(const char *path, struct rx_heap *, struct rx_diagnostics *, struct rx_test_file *ret);
/* The same of a text, of whose `path` only the folder is used. */
int rx_test_file_parse(const char *text, size_t length, const char *path, struct rx_heap *, struct rx_diagnostics *,
                       struct rx_test_file *ret);
void rx_test_file_finish(struct rx_test_file *);
/* A path that is written in the file: from its folder. The caller's; NULL: no memory. */
char *rx_test_file_path(const struct rx_test_file *, const char *written);

#endif
