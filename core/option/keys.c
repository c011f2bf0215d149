/* Keys of groups and joins: named expressions, evaluated to a small record of their own. */
#include <errno.h>
#include <string.h>

#include "core/option/option_private.h"

struct rx_keys {
    size_t count;
    const struct rx_shape *shape;
    const struct rx_key **names;
    struct rx_expr **exprs;
};

size_t rx_keys_count(const struct rx_keys *keys) { return keys->count; }

const struct rx_key *rx_keys_name(const struct rx_keys *keys, size_t i) { return keys->names[i]; }

struct rx_expr *rx_keys_expr(const struct rx_keys *keys, size_t i) { return keys->exprs[i]; }

static int name_key(struct rx_keys *keys, size_t i, const struct rx_key *name, const struct rx_tree *blame,
                    const struct shaper_request *request)
{
    for (size_t k = 0; k < i; k++) {
        if (keys->names[k] == name) {
            rx_diagnosef(request->diagnostics, blame, NULL, "the key `%s` is given twice", shown_text(name->text).text);
            return -EINVAL;
        }
    }
    keys->names[i] = name;
    keys->shape = name && keys->shape ? rx_shape_with(rx_plan_heap(request->arena), keys->shape, name) : NULL;
    if (keys->shape)
        return 0;
    if (i < RX_SHAPE_KEYS_MAX) {
        rx_diagnose_starved(request->diagnostics, blame);
        return -ENOMEM;
    }
    rx_diagnosef(request->diagnostics, blame, NULL, "no room for another key: at most %d", RX_SHAPE_KEYS_MAX);
    return -EINVAL;
}

static bool is_word(const char *text, const char *more)
{
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    for (; *text; text++)
        if (!strchr(word, *text) && !strchr(more, *text))
            return false;
    return true;
}

/* `meta.topic` is told how to be named `topic`, `battery-level` how to be one name. */
static int nameless(const struct rx_tree *tree, const struct shaper_request *request)
{
    struct rx_error error = {0};
    struct shown text = shown_text(tree->text);
    const char *dot = strrchr(tree->text, '.');
    const char *name = dot && dot[1] && is_word(dot + 1, "") ? dot + 1 : "name";
    rx_error_set(&error, -EINVAL, "the key `%s` needs a name, as it is not a plain field", text.text);
    if (strchr(tree->text, '-') && is_word(tree->text, "-"))
        rx_error_hint(&error, "if it is one field, write it in backticks and quotes: \"`%s`\"", text.text);
    else
        rx_error_hint(&error, "write {%s: \"%s\"}; as a step: group_by: {by: {%s: \"%s\"}}", shown_text(name).text,
                      text.text, shown_text(name).text, text.text);
    rx_diagnose(request->diagnostics, tree, &error);
    return -EINVAL;
}

/* A field by its own name. */
static int field_key(struct rx_keys *keys, size_t i, const struct rx_tree *tree, const struct shaper_request *request)
{
    if (tree->kind != RX_TREE_SCALAR) {
        rx_diagnosef(request->diagnostics, tree, "write a field name, or a mapping {name: EXPRESSION}",
                     "expected the name of a field to group by");
        return -EINVAL;
    }
    int r = expr_compile_scalar(request, tree, &keys->exprs[i]);
    if (r < 0)
        return r;
    const struct rx_key *name = rx_expr_as_field(keys->exprs[i]);
    if (name)
        return name_key(keys, i, name, tree, request);
    return nameless(tree, request);
}

static int named_key(struct rx_keys *keys, size_t i, const struct rx_tree *map, const struct shaper_request *request)
{
    const struct rx_tree *name = map->keys[i], *tree = map->items[i];
    if (tree->kind != RX_TREE_SCALAR) {
        rx_diagnosef(request->diagnostics, tree, NULL, "the key `%s` expects an expression",
                     shown_text(name->text).text);
        return -EINVAL;
    }
    int r = expr_compile_scalar(request, tree, &keys->exprs[i]);
    if (r < 0)
        return r;
    return name_key(keys, i, rx_key_intern(rx_plan_heap(request->arena), name->text, name->length), name, request);
}

static int compile_all(struct rx_keys *keys, const struct shaper_request *request)
{
    const struct rx_tree *tree = request->tree;
    int first = 0;
    for (size_t i = 0; i < keys->count; i++) {
        int r = tree->kind == RX_TREE_MAP    ? named_key(keys, i, tree, request)
                : tree->kind == RX_TREE_LIST ? field_key(keys, i, tree->items[i], request)
                                             : field_key(keys, i, tree, request);
        if (r < 0 && first == 0)
            first = r;
    }
    return first;
}

int rx_keys_compile(const struct rx_tree *tree, struct rx_plan_arena *arena, struct rx_keys **ret,
                    struct rx_diagnostics *diagnostics)
{
    struct shaper_request request = {
        .tree = tree, .expr_flags = RX_EXPR_MARK_NAMES, .arena = arena, .diagnostics = diagnostics};
    size_t count = tree->kind == RX_TREE_SCALAR ? 1 : tree->count;
    if (count == 0) {
        rx_diagnosef(diagnostics, tree, "write the name of a field", "expected at least one key");
        return -EINVAL;
    }
    struct rx_keys *keys = rx_plan_alloc(arena, sizeof *keys);
    if (!keys)
        return -ENOMEM;
    keys->count = count;
    keys->shape = rx_shape_empty(rx_plan_heap(arena));
    keys->names = rx_plan_alloc(arena, count * sizeof *keys->names);
    keys->exprs = rx_plan_alloc(arena, count * sizeof *keys->exprs);
    if (!keys->names || !keys->exprs)
        return -ENOMEM;
    int r = compile_all(keys, &request);
    if (r == 0)
        *ret = keys;
    return r;
}

int rx_keys_values(struct rx_keys *keys, const struct rx_expr_env *env, struct rx_value *values,
                   struct rx_error *reterr)
{
    size_t n = 0;
    int r = 0;
    while (n < keys->count && r == 0) {
        r = rx_expr_eval(keys->exprs[n], env, &values[n], NULL);
        if (r < 0)
            r = rx_expr_eval(keys->exprs[n], env, &values[n], reterr);
        n += r == 0;
    }
    while (r < 0 && n > 0)
        rx_value_unref(values[--n]);
    return r;
}

static int eval_compact(struct rx_expr *expr, const struct rx_expr_env *env, struct rx_heap *heap, struct rx_value *ret,
                        struct rx_error *reterr)
{
    struct rx_value value;
    int r = rx_expr_eval(expr, env, &value, reterr);
    if (r < 0)
        return r;
    *ret = rx_value_compact(heap, value);
    bool lost = ret->kind != value.kind;
    rx_value_unref(value);
    return lost ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

int rx_keys_eval(struct rx_keys *keys, const struct rx_expr_env *env, struct rx_heap *heap, struct rx_value *ret,
                 struct rx_error *reterr)
{
    struct rx_value values[RX_SHAPE_KEYS_MAX];
    for (size_t i = 0; i < keys->count; i++) {
        int r = eval_compact(keys->exprs[i], env, heap, &values[i], reterr);
        if (r < 0) {
            while (i > 0)
                rx_value_unref(values[--i]);
            return r;
        }
    }
    struct rx_value key = rx_record_take(heap, keys->shape, values);
    if (key.kind != RX_RECORD)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *ret = key;
    return 0;
}
