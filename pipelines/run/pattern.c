/* Patterns: values that say what another one should be like. */
#include "pipelines/run/pattern.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/expr.h"
#include "core/option/option.h"

enum {
    SHOWN_MAX = 160, /* bytes of a value in a reason */
    DEPTH_MAX = 500, /* of what was decoded, at the most */
};

enum form { ITSELF, ANY, NEAR, MATCHES, WHERE, SUBSET, EXACT, FORMS };
static const char *const form_names[] = {"", "$any", "$near", "$matches", "$where", "$subset", "$exact", NULL};

struct fitting {
    struct rx_heap *heap;
    const struct rx_pattern_why *why;
    struct rx_buffer path;
    unsigned flags, reasons, depth;
};

static bool fits(struct fitting *, struct rx_value want, struct rx_value got);

/* ---- reasons ---- */

static struct rx_buffer *begin_reason(struct fitting *f)
{
    struct rx_buffer *out = f->why->out;
    rx_buffer_text(out, f->why->indent);
    if (f->path.length)
        rx_buffer_append(out, f->path.data, f->path.length);
    rx_buffer_text(out, f->path.length ? ": " : "");
    return out;
}

static bool no_more(struct fitting *f) { return !f->why || f->reasons++ >= RX_PATTERN_REASONS; }

static void tell_side(struct fitting *f, const char *word, const struct rx_value *value)
{
    rx_buffer_printf(f->why->out, "%s ", word);
    if (value)
        rx_json_write_cut(f->why->out, *value, SHOWN_MAX);
    else
        rx_buffer_text(f->why->out, "nothing");
}

/* NULL: there is none. */
static bool differ(struct fitting *f, const struct rx_value *want, const struct rx_value *got)
{
    if (no_more(f))
        return false;
    struct rx_buffer *out = begin_reason(f);
    tell_side(f, f->why->words[0], want);
    rx_buffer_text(out, ", ");
    tell_side(f, f->why->words[1], got);
    rx_buffer_text(out, "\n");
    return false;
}

static bool differ_by_condition(struct fitting *f, struct rx_value want, struct rx_value got,
                                const struct rx_error *error)
{
    if (no_more(f))
        return false;
    struct rx_buffer *out = begin_reason(f);
    tell_side(f, f->why->words[0], &want);
    rx_buffer_text(out, ", ");
    tell_side(f, f->why->words[1], &got);
    rx_buffer_printf(out, "%s%s\n", error->message[0] ? ": " : "", error->message);
    return false;
}

/* ---- paths ---- */

static size_t enter_key(struct fitting *f, struct rx_value key)
{
    size_t before = f->path.length;
    bool plain = key.kind == RX_STRING && key.aux > 0 && key.aux < 64;
    for (uint32_t i = 0; plain && i < key.aux; i++)
        plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", key.u.text[i]) != NULL;
    rx_buffer_text(&f->path, plain ? before ? "." : "" : "[");
    if (plain)
        rx_buffer_append(&f->path, key.u.text, key.aux);
    else
        rx_json_write_cut(&f->path, key, SHOWN_MAX);
    rx_buffer_text(&f->path, plain ? "" : "]");
    return before;
}

static size_t enter_item(struct fitting *f, uint32_t i)
{
    size_t before = f->path.length;
    rx_buffer_printf(&f->path, "[%u]", i);
    return before;
}

static void leave(struct fitting *f, size_t before) { f->path.length = before; }

/* ---- what a value says ---- */

static bool is_object(struct rx_value v) { return v.kind == RX_RECORD || v.kind == RX_MAP; }

/* The form that an object has, and what its name is given. */
static enum form form_of(struct rx_value want, const struct rx_value **ret_argument)
{
    for (int i = 1; is_object(want) && i < FORMS; i++)
        if ((*ret_argument = rx_object_get_text(want, form_names[i])))
            return (enum form)i;
    return ITSELF;
}

static bool number_of(const struct rx_value *v, double *ret)
{
    if (!v)
        return false;
    *ret = v->kind == RX_DOUBLE ? v->u.d
           : v->kind == RX_INT  ? (double)v->u.i
           : v->kind == RX_UINT ? (double)v->u.u
                                : NAN;
    return !isnan(*ret);
}

static bool is_near(struct rx_value want, struct rx_value got)
{
    double middle = 0, within = 0, is = 0;
    if (!number_of(rx_object_get_text(want, "$near"), &middle) || !number_of(&got, &is))
        return false;
    if (!number_of(rx_object_get_text(want, "within"), &within))
        within = 1e-9 * fmax(1, fabs(middle));
    return fabs(is - middle) <= within;
}

/* Whether a condition holds of a value, as if it were an event. 1, 0, or negative with the reason. */
static int holds(struct fitting *f, const char *condition, size_t length, struct rx_value got,
                 const struct rx_value *locals, struct rx_error *reterr)
{
    static const char *const names[] = {"pattern", NULL};
    struct rx_expr_options options = {.heap = f->heap, .locals = locals ? names : NULL};
    struct rx_event event = {.value = got};
    struct rx_expr *expr = NULL;
    int r = rx_expr_compile(condition, length, &options, &expr, reterr);
    if (r == 0)
        r = rx_expr_test(expr, &(struct rx_expr_env){.event = &event, .locals = locals}, reterr);
    rx_expr_destroy(expr);
    return r;
}

static bool matches(struct fitting *f, struct rx_value want, struct rx_value pattern, struct rx_value got)
{
    static const char condition[] = "event.matches(pattern)";
    struct rx_error error = {0};
    if (got.kind == RX_STRING && holds(f, condition, strlen(condition), got, &pattern, &error) == 1)
        return true;
    return differ_by_condition(f, want, got, &error);
}

static bool is_where(struct fitting *f, struct rx_value want, struct rx_value condition, struct rx_value got)
{
    struct rx_error error = {0};
    if (condition.kind == RX_STRING && holds(f, condition.u.text, condition.aux, got, NULL, &error) == 1)
        return true;
    return differ_by_condition(f, want, got, &error);
}

static bool fits_under(struct fitting *f, unsigned flags, struct rx_value want, struct rx_value got)
{
    unsigned before = f->flags;
    f->flags = flags;
    bool fit = fits(f, want, got);
    f->flags = before;
    return fit;
}

/* ---- what a value is ---- */

static bool fits_list(struct fitting *f, struct rx_value want, struct rx_value got)
{
    bool fit = true;
    uint32_t n = want.u.list->count, m = got.u.list->count;
    for (uint32_t i = 0; i < n || i < m; i++) {
        size_t before = enter_item(f, i);
        if (i < n && i < m)
            fit = fits(f, want.u.list->items[i], got.u.list->items[i]) && fit;
        else
            fit = differ(f, i < n ? &want.u.list->items[i] : NULL, i < m ? &got.u.list->items[i] : NULL);
        leave(f, before);
    }
    return fit;
}

static bool has_named(struct fitting *f, struct rx_value want, struct rx_value got)
{
    bool fit = true;
    for (uint32_t i = 0; i < rx_object_count(want); i++) {
        struct rx_value key, value;
        rx_object_entry(want, i, &key, &value);
        const struct rx_value *is = rx_object_get(got, key);
        size_t before = enter_key(f, key);
        fit = (is ? fits(f, value, *is) : differ(f, &value, NULL)) && fit;
        leave(f, before);
    }
    return fit;
}

static bool has_nothing_else(struct fitting *f, struct rx_value want, struct rx_value got)
{
    bool fit = true;
    for (uint32_t i = 0; i < rx_object_count(got); i++) {
        struct rx_value key, value;
        rx_object_entry(got, i, &key, &value);
        if (rx_object_get(want, key))
            continue;
        size_t before = enter_key(f, key);
        fit = differ(f, NULL, &value);
        leave(f, before);
    }
    return fit;
}

static bool fits_itself(struct fitting *f, struct rx_value want, struct rx_value got)
{
    if (want.kind == RX_LIST && got.kind == RX_LIST)
        return fits_list(f, want, got);
    if (is_object(want) && is_object(got)) {
        bool fit = has_named(f, want, got);
        return (f->flags & RX_PATTERN_SUBSET || has_nothing_else(f, want, got)) && fit;
    }
    return rx_value_equal(want, got) || differ(f, &want, &got);
}

static bool fits_form(struct fitting *f, struct rx_value want, struct rx_value got)
{
    const struct rx_value *argument = NULL;
    switch (f->flags & RX_PATTERN_PLAIN ? ITSELF : form_of(want, &argument)) {
    case ANY:
        return true;
    case NEAR:
        return is_near(want, got) || differ(f, &want, &got);
    case MATCHES:
        return matches(f, want, *argument, got);
    case WHERE:
        return is_where(f, want, *argument, got);
    case SUBSET:
        return fits_under(f, f->flags | RX_PATTERN_SUBSET, *argument, got);
    case EXACT:
        return fits_under(f, RX_PATTERN_PLAIN, *argument, got);
    default:
        return fits_itself(f, want, got);
    }
}

static bool fits(struct fitting *f, struct rx_value want, struct rx_value got)
{
    if (++f->depth > DEPTH_MAX) {
        f->depth--;
        return differ(f, &want, &got);
    }
    bool fit = fits_form(f, want, got);
    f->depth--;
    return fit;
}

bool rx_pattern_fits(struct rx_heap *heap, struct rx_value want, struct rx_value got, unsigned flags,
                     const struct rx_pattern_why *why)
{
    struct fitting f = {.heap = heap, .flags = flags, .why = why};
    bool fit = fits(&f, want, got);
    rx_buffer_finish(&f.path);
    return fit;
}

/* ---- checking ---- */

static void check_expression(const struct rx_tree *text, struct rx_heap *heap, struct rx_diagnostics *diagnostics)
{
    struct rx_expr *expr = NULL;
    struct rx_error error = {0};
    if (text->kind != RX_TREE_SCALAR)
        rx_diagnosef(diagnostics, text, "for example: {$where: \"value > 20\"}", "`$where` takes a condition");
    else if (rx_expr_compile(text->text, text->length, &(struct rx_expr_options){.heap = heap}, &expr, &error) < 0)
        rx_diagnose_inside(diagnostics, text, &error);
    rx_expr_destroy(expr);
}

static void check_regex(const struct rx_tree *text, struct rx_heap *heap, struct rx_diagnostics *diagnostics)
{
    static const char condition[] = "event.matches(pattern)";
    struct fitting f = {.heap = heap};
    struct rx_error error = {0};
    struct rx_value pattern = text->kind == RX_TREE_SCALAR ? rx_string(heap, text->text, text->length) : rx_null();
    if (pattern.kind != RX_STRING)
        rx_diagnosef(diagnostics, text, NULL, "`$matches` takes a regular expression");
    else if (holds(&f, condition, strlen(condition), rx_string_static("", 0), &pattern, &error) < 0)
        rx_diagnose(diagnostics, text, &error);
    rx_value_unref(pattern);
}

static void check_number(const struct rx_tree *number, const char *name, struct rx_diagnostics *diagnostics)
{
    char *end = NULL;
    if (number && number->kind == RX_TREE_SCALAR && !number->quoted && number->length > 0)
        strtod(number->text, &end);
    if (number && (!end || *end))
        rx_diagnosef(diagnostics, number, "for example: {$near: 21.5, within: 0.1}", "`%s` takes a number", name);
}

static void check_near(const struct rx_tree *near, struct rx_diagnostics *diagnostics)
{
    check_number(rx_tree_get(near, "$near"), "$near", diagnostics);
    check_number(rx_tree_get(near, "within"), "within", diagnostics);
    for (size_t i = 0; i < near->count; i++)
        if (strcmp(near->keys[i]->text, "$near") != 0 && strcmp(near->keys[i]->text, "within") != 0)
            rx_diagnosef(diagnostics, near->keys[i], NULL, "`$near` stands alone, or with `within`");
}

static enum form written_form(const char *name)
{
    for (int i = 1; i < FORMS; i++)
        if (strcmp(form_names[i], name) == 0)
            return (enum form)i;
    return ITSELF;
}

static void check_form(const struct rx_tree *map, size_t i, struct rx_heap *heap, struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *argument = map->items[i];
    enum form form = written_form(map->keys[i]->text);
    if (form == ITSELF) {
        const char *near = rx_nearest(map->keys[i]->text, form_names + 1);
        char hint[100] = "write {$exact: ...} around what has such a name itself";
        if (near)
            snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
        rx_diagnosef(diagnostics, map->keys[i], hint, "there is no pattern \"%.60s\"", map->keys[i]->text);
        return;
    }
    if (form != NEAR && map->count > 1)
        rx_diagnosef(diagnostics, map->keys[i], NULL, "`%s` stands alone in its object", form_names[form]);
    if (form == NEAR)
        check_near(map, diagnostics);
    else if (form == MATCHES)
        check_regex(argument, heap, diagnostics);
    else if (form == WHERE)
        check_expression(argument, heap, diagnostics);
    else if (form == SUBSET)
        rx_pattern_check(argument, heap, diagnostics);
}

/* Recursion is bounded by the depth of a config tree. */
void rx_pattern_check(const struct rx_tree *tree, struct rx_heap *heap, struct rx_diagnostics *diagnostics)
{
    for (size_t i = 0; tree->kind == RX_TREE_MAP && i < tree->count; i++)
        if (tree->keys[i]->text[0] == '$') {
            check_form(tree, i, heap, diagnostics);
            return;
        }
    for (size_t i = 0; i < tree->count; i++)
        rx_pattern_check(tree->items[i], heap, diagnostics);
}
