/* Where in a text the nodes of YAML (and JSON) begin and end. Pure. */
#ifndef RX_PIPELINES_TEST_RANGES_H
#define RX_PIPELINES_TEST_RANGES_H

#include "core/option/tree.h"

struct test_range {
    size_t start, end; /* bytes */
    enum rx_tree_kind kind;
    bool flow; /* a collection in brackets */
};
struct test_ranges {
    struct test_range *items; /* in order of their starts, as far as they begin at different places */
    size_t count, capacity;
};
/* -EINVAL: it is no YAML to libyaml; -ENOMEM. */
int test_ranges_find(const char *text, size_t length, struct test_ranges *ret);
void test_ranges_finish(struct test_ranges *);
/* Of a node of the tree that was read from that text. NULL: there is none there. */
const struct test_range *test_ranges_of(const struct test_ranges *, const struct rx_tree *);

#endif
