/* Names: results that would hide a key, and aggregates where there is one event. */
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"

static const struct rx_tree *option_of_type(const struct rx_step *step, enum rx_option_type type)
{
    const struct rx_class *class = &step->class->base;
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (o->type == type && rx_option_tree(class, step->options, o))
            return rx_option_tree(class, step->options, o);
    return NULL;
}

static void tell_key(const struct rx_tree *name, void (*each)(void *arg, const char *name, size_t length), void *arg)
{
    bool ticks = name->kind == RX_TREE_SCALAR && name->length > 2 && name->text[0] == '`';
    if (name->kind == RX_TREE_SCALAR)
        each(arg, name->text + ticks, name->length - 2 * ticks);
}

void rx_planner_each_key(const struct rx_step *opener, void (*each)(void *arg, const char *name, size_t length),
                         void *arg)
{
    const struct rx_tree *by = option_of_type(opener, RX_OPTION_KEYS);
    if (by && by->kind == RX_TREE_SCALAR)
        tell_key(by, each, arg);
    for (size_t i = 0; by && by->kind != RX_TREE_SCALAR && i < by->count; i++)
        tell_key(by->kind == RX_TREE_MAP ? by->keys[i] : by->items[i], each, arg);
}

/* ---- a result named as a key of the group ---- */

struct clash {
    struct rx_planner *planner;
    const struct rx_tree *results;
};

static void refuse_hidden(void *arg, const char *name, size_t length)
{
    const struct clash *c = arg;
    for (size_t i = 0; i < c->results->count; i++) {
        const struct rx_tree *key = c->results->keys[i];
        if (key->length == length && memcmp(key->text, name, length) == 0)
            rx_diagnosef(c->planner->diagnostics, key, "give it another name",
                         "a result named \"%s\" would hide the group's key, which every result has", key->text);
    }
}

static void check_results(struct rx_planner *planner, const struct rx_step *step, const struct rx_scope *scope)
{
    const struct rx_tree *results = option_of_type(step, RX_OPTION_AGGREGATES);
    if (!results || results->kind != RX_TREE_MAP)
        return;
    for (; scope; scope = scope->outer)
        if (scope->opener->class->base.flags & RX_OPENS_GROUP)
            rx_planner_each_key(scope->opener, refuse_hidden, &(struct clash){planner, results});
}

/* ---- filter: avg(value) > 80 directly behind a window ---- */

/* The first aggregate called in an expression's text, outside of quotes; its length, 0: there is none. */
static size_t find_aggregate(const char *text, size_t *ret_at)
{
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    char name[32], quote = 0;
    for (size_t i = 0; text[i];) {
        size_t n = strspn(text + i, word);
        if (quote || n == 0) {
            quote = quote ? (text[i] == quote ? 0 : quote) : strchr("\"'", text[i]) ? text[i] : 0;
            i++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : 0, text + i);
        if (text[i + n] == '(' && (i == 0 || text[i - 1] != '.') && rx_expr_is_aggregate(name)) {
            *ret_at = i;
            return n;
        }
        i += n;
    }
    return 0;
}

/* In a window, before it is reduced, an expression sees one event at a time. */
static void check_conditions(struct rx_planner *planner, const struct rx_step *step, const struct rx_scope *scope)
{
    const struct rx_tree *condition = option_of_type(step, RX_OPTION_EXPR);
    size_t at, n;
    if (!scope || !(scope->opener->class->base.flags & RX_OPENS_WINDOW) || !condition || step->facts.reduces ||
        condition->kind != RX_TREE_SCALAR || (n = find_aggregate(condition->text, &at)) == 0)
        return;
    struct rx_error error = {0};
    rx_error_set(&error, -1, "%.*s is of many events, and `%s` sees one at a time", (int)n, condition->text + at,
                 step->class->base.name);
    rx_error_hint(&error, "first - aggregate: {x: %.*s(...)}, then - %s: x > 3", (int)n, condition->text + at,
                  step->class->base.name);
    error.at.offset = at;
    rx_diagnose_inside(planner->diagnostics, condition, &error);
}

void rx_planner_check_names(struct rx_planner *planner, const struct rx_step *step, const struct rx_scope *scope)
{
    check_results(planner, step, scope);
    check_conditions(planner, step, scope);
}
