/* Keys by which streams are paired: one expression for all of them, or one for each where their names differ. */
#include <errno.h>
#include <string.h>

#include "core/option/option_private.h"

/* The expressions of one stream; those without a name are of every stream that is not named. */
struct side {
    const struct rx_tree *name; /* where it is first named */
    struct rx_keys *keys;
};

struct rx_side_keys {
    struct rx_keys *others;
    struct side *sides;
    size_t side_count;
};

size_t rx_side_keys_count(const struct rx_side_keys *keys) { return rx_keys_count(keys->others); }

const struct rx_key *rx_side_keys_name(const struct rx_side_keys *keys, size_t i)
{
    return rx_keys_name(keys->others, i);
}

size_t rx_side_keys_side_count(const struct rx_side_keys *keys) { return keys->side_count; }

const struct rx_tree *rx_side_keys_side(const struct rx_side_keys *keys, size_t i) { return keys->sides[i].name; }

struct rx_keys *rx_side_keys_of(const struct rx_side_keys *keys, const char *side)
{
    for (size_t i = 0; i < keys->side_count; i++)
        if (strcmp(keys->sides[i].name->text, side) == 0)
            return keys->sides[i].keys;
    return keys->others;
}

/* ---- {key: {SIDE: EXPR, ...}, ...} as one mapping {key: EXPR} for each side ---- */

static struct rx_tree *scalar_at(struct rx_plan_arena *arena, const struct rx_tree *at, const char *text)
{
    struct rx_tree *tree = rx_plan_alloc(arena, sizeof *tree);
    if (tree)
        *tree = (struct rx_tree){.text = text, .length = strlen(text), .file = at->file, .at = at->at};
    return tree;
}

/* The field of the key's own name: where a side gives no expression. */
static struct rx_tree *own_field(struct rx_plan_arena *arena, const struct rx_tree *name)
{
    char *text = rx_plan_alloc(arena, name->length + 3);
    if (!text)
        return NULL;
    text[0] = text[name->length + 1] = '`';
    memcpy(text + 1, name->text, name->length);
    return scalar_at(arena, name, text);
}

static struct rx_tree *mapping_of(const struct rx_tree *tree, const char *side, struct rx_plan_arena *arena)
{
    struct rx_tree *mapping = rx_plan_alloc(arena, sizeof *mapping);
    struct rx_tree **items = rx_plan_alloc(arena, tree->count * sizeof *items);
    if (!mapping || !items)
        return NULL;
    *mapping = *tree;
    mapping->items = items;
    for (size_t i = 0; i < tree->count; i++) {
        const struct rx_tree *given = tree->items[i];
        if (given->kind == RX_TREE_MAP)
            given = side ? rx_tree_get(given, side) : NULL;
        items[i] = given ? (struct rx_tree *)(uintptr_t)given : own_field(arena, tree->keys[i]);
        if (!items[i])
            return NULL;
    }
    return mapping;
}

static bool is_noted(const struct rx_side_keys *keys, const struct rx_tree *name)
{
    for (size_t i = 0; i < keys->side_count; i++)
        if (strcmp(keys->sides[i].name->text, name->text) == 0)
            return true;
    return false;
}

/* Each name that some key gives an expression for, once. */
static int note_sides(struct rx_side_keys *keys, const struct rx_tree *tree, struct rx_plan_arena *arena)
{
    size_t most = 0;
    for (size_t i = 0; i < tree->count; i++)
        most += tree->items[i]->kind == RX_TREE_MAP ? tree->items[i]->count : 0;
    keys->sides = rx_plan_alloc(arena, most * sizeof *keys->sides);
    if (!keys->sides)
        return -ENOMEM;
    for (size_t i = 0; i < tree->count; i++)
        for (size_t k = 0; tree->items[i]->kind == RX_TREE_MAP && k < tree->items[i]->count; k++)
            if (!is_noted(keys, tree->items[i]->keys[k]))
                keys->sides[keys->side_count++].name = tree->items[i]->keys[k];
    return 0;
}

static int compile_sides(struct rx_side_keys *keys, const struct rx_tree *tree, struct rx_plan_arena *arena,
                         struct rx_diagnostics *diagnostics)
{
    int r = note_sides(keys, tree, arena);
    for (size_t i = 0; r == 0 && i < keys->side_count; i++) {
        const struct rx_tree *mapping = mapping_of(tree, keys->sides[i].name->text, arena);
        r = mapping ? rx_keys_compile(mapping, arena, &keys->sides[i].keys, diagnostics) : -ENOMEM;
    }
    const struct rx_tree *mapping = r == 0 ? mapping_of(tree, NULL, arena) : NULL;
    if (r == 0)
        r = mapping ? rx_keys_compile(mapping, arena, &keys->others, diagnostics) : -ENOMEM;
    return r;
}

int rx_side_keys_compile(const struct rx_tree *tree, struct rx_plan_arena *arena, struct rx_side_keys **ret,
                         struct rx_diagnostics *diagnostics)
{
    struct rx_side_keys *keys = rx_plan_alloc(arena, sizeof *keys);
    if (!keys)
        return -ENOMEM;
    int r = tree->kind == RX_TREE_MAP ? compile_sides(keys, tree, arena, diagnostics)
                                      : rx_keys_compile(tree, arena, &keys->others, diagnostics);
    if (r == 0)
        *ret = keys;
    return r;
}
