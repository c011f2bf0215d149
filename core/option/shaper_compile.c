/* Shapers at load: config trees to nodes, with keys interned and shapes found beforehand. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/shaper_private.h"

struct compiler {
    const struct shaper_request *request;
    struct rx_shaper *shaper;
    size_t expr_capacity;
};

static void destroy_shaper(void *what)
{
    struct rx_shaper *shaper = what;
    free(shaper->exprs);
    rx_shape_unref(shaper->overlay.result);
    rx_buffer_finish(&shaper->scratch);
}

static void destroy_expr(void *what) { rx_expr_destroy(what); }

static int no_memory(const struct compiler *compiler, const struct rx_tree *tree)
{
    rx_diagnose_starved(compiler->request->diagnostics, tree);
    return -ENOMEM;
}

/* Compiles text that starts at byte `offset` of a scalar. */
static int compile_expr(const struct shaper_request *request, const struct rx_tree *scalar, size_t offset,
                        size_t length, struct rx_expr **ret)
{
    struct rx_expr_options options = {
        .heap = rx_plan_heap(request->arena), .flags = request->expr_flags, .locals = request->locals};
    struct rx_known known = rx_plan_known(request->arena);
    options.types = known.types;
    options.type_count = known.count;
    options.flags |= known.closed ? RX_EXPR_CLOSED : known.declared ? RX_EXPR_DECLARED : 0;
    struct rx_error error = {0};
    struct rx_expr *expr;
    int r = rx_expr_compile(scalar->text + offset, length, &options, &expr, &error);
    if (r < 0) {
        error.at.offset += offset;
        rx_diagnose_inside(request->diagnostics, scalar, &error);
        return -EINVAL;
    }
    for (size_t i = 0; i < rx_expr_hint_count(expr); i++) {
        struct rx_error note = *rx_expr_hint(expr, i);
        note.at.offset += offset;
        rx_remark_inside(request->diagnostics, scalar, &note);
    }
    r = rx_plan_defer(request->arena, destroy_expr, expr);
    if (r < 0) {
        rx_expr_destroy(expr);
        return r;
    }
    *ret = expr;
    return 0;
}

int expr_compile_scalar(const struct shaper_request *request, const struct rx_tree *scalar, struct rx_expr **ret)
{
    return compile_expr(request, scalar, 0, scalar->length, ret);
}

/* Takes a constant expression's value now. One that fails is left to fail at run time. */
static void fold(struct rx_expr *expr, struct shape_node *node)
{
    struct rx_expr_env nothing = {0};
    struct rx_value value;
    if (!rx_expr_is_constant(expr) || rx_expr_eval(expr, &nothing, &value, NULL) < 0)
        return;
    if (rx_is_counted(value)) { /* rare (a list, a map): not worth a destructor */
        rx_value_unref(value);
        return;
    }
    node->kind = SHAPE_CONST;
    node->constant = value;
}

static int add_expr(struct compiler *compiler, const struct rx_tree *scalar, size_t offset, size_t length,
                    struct shape_node *node)
{
    struct rx_shaper *shaper = compiler->shaper;
    struct rx_expr *expr;
    int r = compile_expr(compiler->request, scalar, offset, length, &expr);
    if (r < 0)
        return r;
    if (shaper->expr_count == compiler->expr_capacity) {
        size_t capacity = compiler->expr_capacity ? compiler->expr_capacity * 2 : 4;
        struct shape_expr *grown = realloc(shaper->exprs, capacity * sizeof *grown);
        if (!grown)
            return no_memory(compiler, scalar);
        shaper->exprs = grown;
        compiler->expr_capacity = capacity;
    }
    node->kind = SHAPE_EXPR;
    node->expr = shaper->expr_count;
    shaper->exprs[shaper->expr_count++] =
        (struct shape_expr){.expr = expr, .slot_first = shaper->slot_count, .is_slot = rx_expr_is_slot(expr)};
    shaper->slot_count += rx_expr_aggregate_count(expr);
    fold(expr, node);
    return 0;
}

/* Past a string literal of the expression language that opens at `at`. */
static size_t skip_literal(const char *text, size_t at, size_t length)
{
    char quote = text[at++];
    while (at < length && text[at] != quote)
        at += text[at] == '\\' && quote != '`' ? 2 : 1;
    return at < length ? at + 1 : length;
}

/* The offset of the brace that closes the expression starting at `at`; `length` when there is none. */
static size_t find_close(const char *text, size_t at, size_t length)
{
    unsigned depth = 0;
    while (at < length) {
        char c = text[at];
        if (c == '"' || c == '\'' || c == '`') {
            at = skip_literal(text, at, length);
            continue;
        }
        if (c == '}' && depth == 0)
            return at;
        depth += c == '{';
        depth -= c == '}';
        at++;
    }
    return length;
}

static int template_error(struct compiler *compiler, const struct rx_tree *scalar, size_t offset, const char *message,
                          const char *hint)
{
    struct rx_error error = {0};
    rx_error_set(&error, -EINVAL, "%s", message);
    rx_error_hint(&error, "%s", hint);
    error.at.offset = offset;
    rx_diagnose_inside(compiler->request->diagnostics, scalar, &error);
    return -EINVAL;
}

static void remark(struct compiler *compiler, const struct rx_tree *scalar, size_t offset, const char *hint,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
static void remark(struct compiler *compiler, const struct rx_tree *scalar, size_t offset, const char *hint,
                   const char *format, ...)
{
    struct rx_error note = {.code = -EINVAL};
    va_list args;
    va_start(args, format);
    vsnprintf(note.message, sizeof note.message, format, args);
    va_end(args);
    rx_error_hint(&note, "%s", hint);
    note.at.offset = offset;
    rx_remark_inside(compiler->request->diagnostics, scalar, &note);
}

/* `{{ value_json.avg }}` at `at`: a template of Home Assistant, Jinja or Mustache. Its length; 0: braces of JSON, perhaps. */
static size_t foreign_template(const char *text, size_t at)
{
    size_t start = at + 2 + strspn(text + at + 2, " \t"), inside = strcspn(text + start, "{}");
    char first = text[start];
    bool name = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_';
    return name && inside > 0 && strncmp(text + start + inside, "}}", 2) == 0 ? start + inside + 2 - at : 0;
}

static void check_foreign(struct compiler *compiler, const struct rx_tree *scalar, size_t at)
{
    const char *text = scalar->text;
    size_t length = foreign_template(text, at);
    char hint[200];
    if (length == 0)
        return;
    struct shown whole = shown_text(text);
    snprintf(hint, sizeof hint,
             "one pair of braces is rxd's: {NAME}; to send another system's template as it is: !raw \"%s\"",
             strchr(text, '"') ? "..." : whole.text);
    remark(compiler, scalar, at, hint, "`{{` is a literal brace here: `%.*s` is sent as `%.*s`",
           length < 80 ? (int)length : 80, text + at, length < 80 ? (int)length - 2 : 79, text + at + 1);
}

/* {who: device}: the word, where the field may be meant. */
static void check_literal(struct compiler *compiler, const struct rx_tree *scalar)
{
    struct rx_known known = rx_plan_known(compiler->request->arena);
    char hint[200];
    for (size_t i = 0; i < known.count; i++) {
        if (strcmp(known.types[i].name, scalar->text) != 0)
            continue;
        snprintf(hint, sizeof hint, "for the field write \"{%.60s}\"; for the word !raw %.60s", scalar->text,
                 scalar->text);
        remark(compiler, scalar, 0, hint, "this is the word \"%.60s\", and there is a field of that name",
               scalar->text);
        return;
    }
}

/* Literal text up to the next {EXPR}, `{{` and `}}` undone, appended to `out`. Answers where it ends, or an error. */
static int read_literal(struct compiler *compiler, const struct rx_tree *scalar, size_t *at, struct rx_buffer *out)
{
    const char *text = scalar->text;
    for (; *at < scalar->length; ++*at) {
        char c = text[*at];
        if (c == '{' || c == '}') {
            bool twice = text[*at + 1] == c;
            if (!twice && c == '{')
                return 0;
            if (!twice)
                return template_error(compiler, scalar, *at, "a `}` without its `{`", "write }} for a literal brace");
            if (c == '{')
                check_foreign(compiler, scalar, *at);
            ++*at;
        }
        rx_buffer_append(out, &c, 1);
    }
    return 0;
}

static int add_literal(struct compiler *compiler, const struct rx_tree *scalar, const struct rx_buffer *text,
                       struct shape_node *node)
{
    char *copy = rx_plan_alloc(compiler->request->arena, text->length + 1);
    if (!copy || text->failed)
        return no_memory(compiler, scalar);
    memcpy(copy, text->length ? text->data : "", text->length);
    node->kind = SHAPE_CONST;
    node->constant = rx_string_static(copy, (uint32_t)text->length);
    return 0;
}

static int read_embedded(struct compiler *compiler, const struct rx_tree *scalar, size_t *at, struct shape_node *node)
{
    size_t start = *at + 1, end = find_close(scalar->text, start, scalar->length);
    if (end == scalar->length)
        return template_error(compiler, scalar, *at, "a `{` without its `}`",
                              "close it: {name}; a literal brace is written {{");
    if (end == start + strspn(scalar->text + start, " \t"))
        return template_error(compiler, scalar, *at, "an empty `{}` in a template",
                              "write {name}, or {{}} for literal braces");
    *at = end + 1;
    return add_expr(compiler, scalar, start, end - start, node);
}

static int read_parts(struct compiler *compiler, const struct rx_tree *scalar, struct shape_node *node)
{
    struct rx_buffer literal = {0};
    size_t at = 0;
    int r = 0;
    while (r == 0 && at < scalar->length) {
        rx_buffer_clear(&literal);
        r = read_literal(compiler, scalar, &at, &literal);
        if (r == 0 && literal.length > 0)
            r = add_literal(compiler, scalar, &literal, &node->children[node->count++]);
        if (r == 0 && at < scalar->length)
            r = read_embedded(compiler, scalar, &at, &node->children[node->count++]);
    }
    rx_buffer_finish(&literal);
    return r;
}

static int compile_template(struct compiler *compiler, const struct rx_tree *scalar, struct shape_node *node)
{
    size_t braces = 0;
    for (size_t i = 0; !scalar->raw && i < scalar->length; i++)
        braces += scalar->text[i] == '{' || scalar->text[i] == '}';
    if (braces == 0) {
        node->kind = SHAPE_CONST;
        if (!scalar->raw)
            check_literal(compiler, scalar);
        return value_from_tree(scalar, compiler->request->arena, compiler->request->diagnostics, &node->constant);
    }
    struct shape_node text = {.kind = SHAPE_TEXT};
    text.children = rx_plan_alloc(compiler->request->arena, (2 * braces + 1) * sizeof *text.children);
    if (!text.children)
        return no_memory(compiler, scalar);
    int r = read_parts(compiler, scalar, &text);
    *node = r == 0 && text.count == 1 ? text.children[0] : text;
    return r;
}

static int compile_node(struct compiler *, const struct rx_tree *, struct shape_node *);

static int compile_children(struct compiler *compiler, const struct rx_tree *tree, struct shape_node *node)
{
    node->count = tree->count;
    node->children = rx_plan_alloc(compiler->request->arena, tree->count * sizeof *node->children);
    if (!node->children)
        return no_memory(compiler, tree);
    int first = 0;
    for (size_t i = 0; i < tree->count; i++) { /* go on after a mistake: the user wants all of them */
        int r = compile_node(compiler, tree->items[i], &node->children[i]);
        if (r < 0 && first == 0)
            first = r;
    }
    return first;
}

static int compile_object(struct compiler *compiler, const struct rx_tree *tree, struct shape_node *node)
{
    struct rx_heap *heap = rx_plan_heap(compiler->request->arena);
    node->kind = SHAPE_OBJECT;
    node->keys = rx_plan_alloc(compiler->request->arena, tree->count * sizeof *node->keys);
    if (!node->keys)
        return no_memory(compiler, tree);
    node->shape = rx_shape_empty(heap);
    for (size_t i = 0; i < tree->count; i++) {
        node->keys[i] = rx_key_intern(heap, tree->keys[i]->text, tree->keys[i]->length);
        if (!node->keys[i])
            return no_memory(compiler, tree->keys[i]);
        node->shape = node->shape ? rx_shape_with(heap, node->shape, node->keys[i]) : NULL;
    }
    return compile_children(compiler, tree, node);
}

/* Recursion is bounded by the depth of the config tree. */
static int compile_node(struct compiler *compiler, const struct rx_tree *tree, struct shape_node *node)
{
    if (tree->kind == RX_TREE_MAP)
        return compile_object(compiler, tree, node);
    if (tree->kind == RX_TREE_LIST) {
        node->kind = SHAPE_LIST;
        return compile_children(compiler, tree, node);
    }
    if (compiler->request->leaf == LEAF_TEMPLATE)
        return compile_template(compiler, tree, node);
    return add_expr(compiler, tree, 0, tree->length, node);
}

int shaper_compile(const struct shaper_request *request, struct rx_shaper **ret)
{
    struct rx_shaper *shaper = rx_plan_alloc(request->arena, sizeof *shaper);
    struct compiler compiler = {.request = request, .shaper = shaper};
    if (!shaper || rx_plan_defer(request->arena, destroy_shaper, shaper) < 0)
        return no_memory(&compiler, request->tree);
    shaper->heap = rx_plan_heap(request->arena);
    shaper->absent_is_null = request->expr_flags & RX_EXPR_AGGREGATES;
    shaper->root = rx_plan_alloc(request->arena, sizeof *shaper->root);
    if (!shaper->root)
        return no_memory(&compiler, request->tree);
    int r = compile_node(&compiler, request->tree, shaper->root);
    if (r < 0)
        return r;
    *ret = shaper;
    return 0;
}

int rx_shaper_template(const struct rx_tree *tree, struct rx_plan_arena *arena, struct rx_shaper **ret,
                       struct rx_diagnostics *diagnostics)
{
    struct shaper_request request = {.tree = tree,
                                     .leaf = LEAF_TEMPLATE,
                                     .expr_flags = RX_EXPR_MARK_NAMES,
                                     .arena = arena,
                                     .diagnostics = diagnostics};
    return shaper_compile(&request, ret);
}
