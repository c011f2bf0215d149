/* The checker, calls: which function is meant, and what to write instead of one that is not there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/check_private.h"

/* ---- calls ---- */

static const char *const namespaces[] = {"math", "strings", "optional", "base64", "lists",
                                         "sets", "cel",     "regex",    "json",   NULL};

static bool is_namespace(const struct rx_ast *node)
{
    for (size_t i = 0; node->kind == N_IDENT && !node->parens && namespaces[i]; i++)
        if (rx_check_named(node, namespaces[i]))
            return true;
    return false;
}

static const struct {
    const char *name, *hint;
} foreign_functions[] = {
    {"power", "write math.pow(x, y)"},
    {"ln", "write math.log(x)"},
    {"len", "write size(x)"},
    {"length", "write size(x)"},
    {"count", "write size(list); count() belongs into aggregate"},
    {"toLowerCase", "write text.lower()"},
    {"lowercase", "write text.lower()"},
    {"toUpperCase", "write text.upper()"},
    {"uppercase", "write text.upper()"},
    {"str", "write string(x)"},
    {"toString", "write string(x)"},
    {"float", "write double(x)"},
    {"number", "write double(x)"},
    {"boolean", "write bool(x)"},
    {"includes", "write x in list, or text.contains(\"part\")"},
    {"any", "write list.exists(x, condition)"},
    {"some", "write list.exists(x, condition)"},
    {"every", "write list.all(x, condition)"},
    {"select", "write list.map(x, expression)"},
    {"exists", "write list.exists(x, condition), or has(name)"},
    {"defined", "write has(name)"},
    {"isset", "write has(name)"},
    {"ifnull", "write coalesce(a, b)"},
    {"nvl", "write coalesce(a, b)"},
    {"iif", "write if(condition, a, b)"},
    {"concat", "write a + b"},
    {"now", "write event_time: an expression sees the event's time, not the clock"},
    {"regex", "write text.matches(\"pattern\")"},
    {"startswith", "write text.startsWith(\"a\")"},
    {"endswith", "write text.endsWith(\"a\")"},
    {"date", "write timestamp(\"2024-01-31T00:00:00Z\")"},
    {"time", "write timestamp(x)"},
    {"is_null", "write x == null, or !has(x)"},
    {"isNull", "write x == null, or !has(x)"},
    {"isEmpty", "write size(x) == 0"},
    {"empty", "write size(x) == 0"},
    {"substr", "write text.substring(start, end)"},
    {"strlen", "write size(text)"},
    {"indexof", "write text.indexOf(part)"},
    {"parseInt", "write int(text)"},
    {"parseFloat", "write double(text)"},
    {"typeof", "write type(x)"},
    {"append", "write list + [x]"},
    {"hour", "write event_time.getHours(\"Europe/Berlin\")"},
};

/* What other languages call the aggregates. */
static bool hint_aggregate(struct rx_compiler *c, const struct rx_ast *node)
{
    static const char *const others[][2] = {
        {"average", "avg(x)"},
        {"mean", "avg(x)"},
        {"total", "sum(x)"},
        {"minimum", "min(x)"},
        {"maximum", "max(x)"},
        {"latest", "last(x)"},
        {"newest", "last(x)"},
        {"oldest", "first(x)"},
        {"n", "count()"},
        {"length", "count()"},
        {"size", "count()"},
        {"number", "count()"},
        {"countif", "count(condition)"},
        {"percentile", "quantile(x, 0.95)"},
        {"distinct", "count_distinct(x)"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (node->method || !rx_check_named(node, others[i][0]))
            continue;
        if (c->options->flags & RX_EXPR_AGGREGATES)
            rx_error_hint(c->reterr, "write %s", others[i][1]);
        else if (i < 2)
            rx_error_hint(c->reterr,
                          "over events it is a step, average: x, or in an aggregate step avg(x); of a list, avg(list)");
        else
            continue;
        return true;
    }
    return false;
}

static bool hint_foreign(struct rx_compiler *c, const struct rx_ast *node)
{
    for (size_t i = 0; i < sizeof foreign_functions / sizeof *foreign_functions; i++)
        if (rx_check_named(node, foreign_functions[i].name)) {
            rx_error_hint(c->reterr, "%s", foreign_functions[i].hint);
            return true;
        }
    return false;
}

/* round(x) is math.round(x). */
static bool hint_math(struct rx_compiler *c, const struct rx_ast *node)
{
    char name[64];
    int length = snprintf(name, sizeof name, "math.%.*s", (int)node->length, node->name);
    const struct rx_function *f =
        length < (int)sizeof name ? rx_function_find(name, (size_t)length, RX_F_GLOBAL) : NULL;
    if (f)
        rx_error_hint(c->reterr, "write %s", f->signature);
    return f;
}

/* What a library has: "there are regex.extract, regex.extractAll, regex.replace". */
static void hint_library(struct rx_compiler *c, const char *prefix)
{
    char names[160];
    size_t length = strlen(prefix), at = 0;
    for (size_t t = 0; rx_function_tables[t]; t++)
        for (const struct rx_function *f = rx_function_tables[t]; f->name && at < sizeof names; f++)
            if (strncmp(f->name, prefix, length) == 0 && f->name[length] == '.')
                at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", f->name);
    if (at && at < sizeof names)
        rx_error_hint(c->reterr, "there are %s", names);
}

static bool hint_function(struct rx_compiler *c, const struct rx_ast *node, const char *name)
{
    if (hint_aggregate(c, node))
        return true;
    if (hint_foreign(c, node) || hint_math(c, node))
        return true;
    unsigned other = node->method ? RX_F_GLOBAL : RX_F_METHOD;
    const struct rx_function *f = rx_function_find(node->name, node->length, other);
    if (f)
        rx_error_hint(c->reterr, "write %s", f->signature);
    else if (c->options->flags & RX_EXPR_AGGREGATES)
        return false;
    else if (rx_expr_is_aggregate(name))
        rx_error_hint(c->reterr, "%s is an aggregate; it belongs into an aggregate step", name);
    else
        return false;
    return true;
}

static int unknown_function(struct rx_compiler *c, struct rx_ast *node, const char *prefix)
{
    const char *names[300];
    size_t count = 0;
    char name[80];
    for (size_t i = 0; (c->options->flags & RX_EXPR_AGGREGATES) && rx_expr_aggregate_name(i); i++)
        names[count++] = rx_expr_aggregate_name(i);
    snprintf(name, sizeof name, "%s%s%.*s", prefix, *prefix ? "." : "", (int)node->length, node->name);
    for (size_t t = 0; rx_function_tables[t]; t++)
        for (const struct rx_function *f = rx_function_tables[t]; f->name && count < 280; f++)
            names[count++] = f->name;
    static const char *const macros[] = {"all", "exists", "exists_one", "map", "filter", "has", "coalesce"};
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
        names[count++] = macros[i];
    names[count] = NULL;
    rx_compile_failed(c, node, "there is no %s named \"%s\"", node->method && !*prefix ? "method" : "function", name);
    const char *near = rx_nearest(name, names);
    if (*prefix ? hint_foreign(c, node) : hint_function(c, node, name))
        return -EINVAL;
    if (near)
        rx_error_hint(c->reterr, "did you mean %s?", near);
    else if (*prefix)
        hint_library(c, prefix);
    return -EINVAL;
}

/* math.abs(x): the target is a namespace, not a value. */
static int resolve_qualified(struct rx_compiler *c, struct rx_ast *node)
{
    struct rx_ast *target = node->args[0];
    char name[64];
    if (target->kind != N_IDENT || target->length + node->length + 2 > sizeof name)
        return 0;
    int length =
        snprintf(name, sizeof name, "%.*s.%.*s", (int)target->length, target->name, (int)node->length, node->name);
    node->function = rx_function_find(name, (size_t)length, RX_F_GLOBAL);
    if (node->function) {
        node->args++;
        node->count--;
        node->method = false;
        return 0;
    }
    if (!is_namespace(target) || rx_check_find_variable(c, target) ||
        rx_function_find(node->name, node->length, RX_F_METHOD))
        return 0;
    name[target->length] = '\0';
    return unknown_function(c, node, name);
}

static int wrong_count(struct rx_compiler *c, struct rx_ast *node)
{
    const struct rx_function *f = node->function;
    unsigned receiver = node->method, given = node->count - receiver;
    unsigned least = f->min_args - receiver, most = f->max_args - receiver;
    char range[32];
    if (f->max_args == 255)
        snprintf(range, sizeof range, "%u or more", least);
    else if (least == most)
        snprintf(range, sizeof range, "%u", least);
    else
        snprintf(range, sizeof range, "%u to %u", least, most);
    rx_compile_failed(c, node, "%s takes %s argument%s, here %s %u", f->name, range, least == 1 && most == 1 ? "" : "s",
                      given == 1 ? "is" : "are", given);
    rx_error_hint(c->reterr, "write %s", f->signature);
    return -EINVAL;
}

static int check_argument_kinds(struct rx_compiler *c, struct rx_ast *node)
{
    const struct rx_function *f = node->function;
    char here[120], wanted[120];
    for (unsigned i = 0; i < node->count; i++) {
        rx_kinds allowed = rx_function_takes(f, i);
        if ((node->args[i]->kinds & allowed) || (node->args[i]->kinds & RX_K_NULL))
            continue;
        int r = rx_check_complain(c, node, node->args[i]->start, "%s works on %s, here is %s", f->name,
                                  rx_kinds_text(allowed, wanted, sizeof wanted),
                                  rx_kinds_text(node->args[i]->kinds, here, sizeof here));
        if (r == 0)
            rx_error_hint(node->complaint, "write %s", f->signature);
        return r;
    }
    return 0;
}

/* A pattern that is written out is looked at now, not at the first event. */
static int check_pattern(struct rx_compiler *c, struct rx_ast *node)
{
    char message[120];
    if (!(node->function->style & RX_F_PATTERN) || node->args[1]->kind != N_LITERAL ||
        node->args[1]->value.kind != RX_STRING)
        return 0;
    int r = rx_regex_check(node->args[1]->value, message, sizeof message);
    return r == -EINVAL ? rx_check_complain(c, node, node->args[1]->start, "%s", message) : r;
}

/* Takes the row that suits the kind of the first argument. True: several may, and the values decide. */
static bool choose_overload(struct rx_ast *node)
{
    const struct rx_function *first = node->function;
    unsigned fit = 0;
    for (const struct rx_function *f = first; f && node->count && rx_function_overload(first);
         f = rx_function_overload(f))
        if (node->args[0]->kinds & rx_function_takes(f, 0)) {
            node->function = fit ? first : f;
            fit++;
        }
    return fit > 1;
}

int rx_check_call(struct rx_compiler *c, struct rx_ast *node)
{
    if (!node->method && (c->options->flags & RX_EXPR_AGGREGATES)) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
        if (node->length < sizeof name && rx_expr_is_aggregate(name))
            return rx_check_aggregate(c, node);
    }
    int r = node->method ? resolve_qualified(c, node) : 0;
    if (r < 0)
        return r;
    bool qualified = node->function;
    if (!qualified)
        node->function = rx_function_find(node->name, node->length, node->method ? RX_F_METHOD : RX_F_GLOBAL);
    if (!node->function)
        return rx_check_nested(c, node) < 0 ? -EINVAL : unknown_function(c, node, "");
    if ((r = rx_check_args(c, node)) < 0 || (!qualified && (r = rx_check_nested(c, node)) < 0))
        return r;
    bool several = choose_overload(node);
    if (node->count < node->function->min_args || node->count > node->function->max_args)
        return wrong_count(c, node);
    node->kinds = node->function->result;
    r = several ? 0 : check_argument_kinds(c, node);
    return r < 0 ? r : check_pattern(c, node);
}
