/* What stands beside a source's kind, gathered to one mapping; and a field that holds the event time, as an expression. */
#include <errno.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"

const char *rx_planner_nearest_common(const char *name)
{
    const char *names[32];
    size_t n = 0;
    for (const struct rx_option *o = rx_source_common.options; o->name && n < 31; o++)
        names[n++] = o->name;
    names[n] = NULL;
    return rx_nearest(name, names);
}

struct rx_tree *rx_planner_map(struct rx_planner *planner, const struct rx_tree *at, size_t most)
{
    struct rx_tree *map = rx_planner_alloc(planner, sizeof *map);
    struct rx_tree **pairs = rx_planner_alloc(planner, (2 * most + 1) * sizeof(struct rx_tree *));
    if (!map || !pairs)
        return NULL;
    *map = (struct rx_tree){.kind = RX_TREE_MAP, .file = at->file, .at = at->at, .keys = pairs, .items = pairs + most};
    return map;
}

void rx_planner_put(struct rx_tree *map, struct rx_tree *key, struct rx_tree *item)
{
    map->keys[map->count] = key;
    map->items[map->count++] = item;
}

/* ---- event_time: FIELD ---- */

/* data.ts -> event["data"]["ts"]: whatever the names are. */
static const char *path_of(struct rx_planner *planner, const char *field)
{
    struct rx_buffer path = {0};
    rx_buffer_text(&path, "event[\"");
    for (; *field; field++) {
        if (*field == '.') {
            rx_buffer_text(&path, "\"][\"");
            continue;
        }
        if (*field == '"' || *field == '\\')
            rx_buffer_text(&path, "\\");
        rx_buffer_append(&path, field, 1);
    }
    rx_buffer_append(&path, "\"]", 3);
    const char *text = path.failed ? NULL : rx_planner_text(planner, path.data);
    rx_buffer_finish(&path);
    return text;
}

struct rx_tree *rx_planner_scalar(struct rx_planner *planner, const struct rx_tree *at, const char *text)
{
    struct rx_tree *scalar = text ? rx_planner_alloc(planner, sizeof *scalar) : NULL;
    if (scalar)
        *scalar = (struct rx_tree){.text = text, .length = strlen(text), .file = at->file, .at = at->at};
    return scalar;
}

/* A mapping with `expr` in the place of `field`; `tree` itself where there is none to replace. */
static struct rx_tree *with_expr(struct rx_planner *planner, struct rx_tree *tree)
{
    const struct rx_tree *field = tree->kind == RX_TREE_SCALAR ? tree : rx_tree_get(tree, "field");
    if (!field || field->kind != RX_TREE_SCALAR || !field->length || rx_tree_get(tree, "expr"))
        return tree;
    struct rx_tree *map = rx_planner_map(planner, tree, tree->count + 1);
    struct rx_tree *key = rx_planner_scalar(planner, field, "expr");
    struct rx_tree *expr = rx_planner_scalar(planner, field, path_of(planner, field->text));
    if (!map || !key || !expr)
        return NULL;
    rx_planner_put(map, key, expr);
    for (size_t i = 0; tree->kind == RX_TREE_MAP && i < tree->count; i++)
        if (strcmp(tree->keys[i]->text, "field") != 0)
            rx_planner_put(map, tree->keys[i], tree->items[i]);
    return map;
}

/* ---- gathering ---- */

static int take(struct rx_planner *planner, struct rx_tree *map, struct rx_tree *key, struct rx_tree *item)
{
    if (rx_tree_get(map, key->text)) {
        rx_diagnosef(planner->diagnostics, key, "once is enough: beside the kind", "`%s` is written twice", key->text);
        return 0;
    }
    if (strcmp(key->text, "event_time") == 0)
        item = with_expr(planner, item);
    if (!item)
        return -ENOMEM;
    rx_planner_put(map, key, item);
    return 0;
}

/* Written in the kind's mapping they are meant all the same. */
static bool is_inside(const struct rx_logical_source *s, const char *key)
{
    return rx_source_common_has(key) && !rx_class_has_option(&s->class->base, key);
}

static int take_inside(struct rx_planner *planner, struct rx_logical_source *s, struct rx_tree *common)
{
    const struct rx_tree *options = s->options;
    struct rx_tree *left = rx_planner_map(planner, options, options->count);
    int r = left ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < options->count; i++) {
        if (is_inside(s, options->keys[i]->text))
            r = take(planner, common, options->keys[i], options->items[i]);
        else
            rx_planner_put(left, options->keys[i], options->items[i]);
    }
    if (r == 0 && left->count < options->count)
        s->options = left;
    return r;
}

int rx_planner_source_common(struct rx_planner *planner, struct rx_logical_source *s)
{
    const struct rx_tree *tree = s->tree, *options = s->options;
    size_t inside = options && options->kind == RX_TREE_MAP ? options->count : 0;
    struct rx_tree *common = rx_planner_map(planner, tree, tree->count + inside);
    int r = common ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < tree->count; i++)
        if (rx_source_common_has(tree->keys[i]->text))
            r = take(planner, common, tree->keys[i], tree->items[i]);
    if (r == 0 && inside)
        r = take_inside(planner, s, common);
    if (r == 0 && common->count)
        common->at = common->keys[0]->at;
    s->common = common;
    return r;
}
