/* Sharing out: pipelines that name a common stream, directly or through others, form a component (union-find); the
 * components are dealt to the workers in turn. */
#include "daemon/front/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct names {
    const struct rx_tree *sources, *pipelines;
    size_t *parent; /* sources first, then pipelines */
    size_t source_count, count;
};

static size_t root_of(struct names *n, size_t i)
{
    while (n->parent[i] != i)
        i = n->parent[i] = n->parent[n->parent[i]];
    return i;
}

static void join(struct names *n, size_t a, size_t b)
{
    size_t x = root_of(n, a), y = root_of(n, b);
    n->parent[x > y ? x : y] = x < y ? x : y;
}

static bool is_stream(const char *text, const char *name)
{
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && (text[length] == '\0' || text[length] == '.');
}

static void join_named(struct names *n, size_t pipeline, const char *text)
{
    for (size_t i = 0; i < n->source_count; i++)
        if (is_stream(text, n->sources->keys[i]->text))
            join(n, pipeline, i);
    for (size_t i = n->source_count; i < n->count; i++)
        if (is_stream(text, n->pipelines->keys[i - n->source_count]->text))
            join(n, pipeline, i);
}

/* Every scalar that reads as a stream's name may be one: too much joined is safe, too little is not. */
static void join_all(struct names *n, size_t pipeline, const struct rx_tree *tree)
{
    if (tree->kind == RX_TREE_SCALAR)
        join_named(n, pipeline, tree->text);
    for (size_t i = 0; tree->kind != RX_TREE_SCALAR && i < tree->count; i++)
        join_all(n, pipeline, tree->items[i]);
}

static void deal(struct names *n, unsigned workers, unsigned number, bool *here)
{
    size_t components = 0;
    for (size_t i = n->source_count; i < n->count; i++) {
        size_t earlier = n->source_count;
        while (earlier < i && root_of(n, earlier) != root_of(n, i))
            earlier++;
        here[i - n->source_count] = earlier < i ? here[earlier - n->source_count] : components++ % workers == number;
    }
}

int rx_share_out(const struct rx_forest *forest, unsigned workers, unsigned number, bool **ret)
{
    struct names n = {.sources = rx_forest_section(forest, "sources"),
                      .pipelines = rx_forest_section(forest, "pipelines")};
    *ret = NULL;
    if (workers <= 1 || !n.pipelines || n.pipelines->kind != RX_TREE_MAP)
        return 0;
    n.source_count = n.sources && n.sources->kind == RX_TREE_MAP ? n.sources->count : 0;
    n.count = n.source_count + n.pipelines->count;
    n.parent = calloc(n.count, sizeof *n.parent);
    bool *here = calloc(n.pipelines->count + 1, sizeof *here);
    if (!n.parent || !here) {
        free(n.parent);
        free(here);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n.count; i++)
        n.parent[i] = i;
    for (size_t i = n.source_count; i < n.count; i++)
        join_all(&n, i, n.pipelines->items[i - n.source_count]);
    deal(&n, workers, number, here);
    free(n.parent);
    *ret = here;
    return 0;
}
