/* Aggregate calls: found by the checker, compiled as expressions of their own, read back from slots. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/compiler.h"

static const struct {
    const char *name;
    bool built; /* core/aggregate computes it; a test holds the two together */
    uint8_t min_args, max_args;
    rx_kinds result;
    const char *signature;
} aggregates[] = {
    {"count", true, 0, 1, RX_K_INT | RX_K_JSON, "count() or count(condition)"},
    {"sum", true, 1, 1, RX_K_ALL, "sum(x)"},
    {"avg", true, 1, 1, RX_K_ALL, "avg(x)"},
    {"min", true, 1, 1, RX_K_ALL, "min(x)"},
    {"max", true, 1, 1, RX_K_ALL, "max(x)"},
    {"first", true, 1, 1, RX_K_ALL, "first(x)"},
    {"last", true, 1, 1, RX_K_ALL, "last(x)"},
    {"collect", false, 1, 2, RX_K_LIST, "collect(x) or collect(x, limit)"},
    {"count_distinct", false, 1, 1, RX_K_INT | RX_K_JSON, "count_distinct(x)"},
    {"median", false, 1, 1, RX_K_ALL, "median(x)"},
    {"quantile", false, 2, 2, RX_K_ALL, "quantile(x, 0.95)"},
    {"stddev", false, 1, 1, RX_K_ALL, "stddev(x)"},
    {"variance", false, 1, 1, RX_K_ALL, "variance(x)"},
    {"top", false, 3, 3, RX_K_ALL, "top(k, rank, value)"},
    {"increase", false, 1, 1, RX_K_ALL, "increase(x)"},
    {"rate", false, 1, 1, RX_K_ALL, "rate(x)"},
    {"time_in", false, 1, 1, RX_K_ALL, "time_in(condition)"},
    {"time_avg", false, 1, 1, RX_K_ALL, "time_avg(x)"},
};

static int find(const char *name)
{
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++)
        if (strcmp(aggregates[i].name, name) == 0)
            return (int)i;
    return -1;
}

bool rx_expr_is_aggregate(const char *name) { return find(name) >= 0; }

const char *rx_expr_aggregate_name(size_t i)
{
    return i < sizeof aggregates / sizeof *aggregates ? aggregates[i].name : NULL;
}

/* "count, sum and avg": what there is. */
static const char *built_names(char *out, size_t size)
{
    size_t at = 0, last = 0;
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++)
        last = aggregates[i].built ? i : last;
    for (size_t i = 0; i <= last && at < size; i++)
        if (aggregates[i].built)
            at += (size_t)snprintf(out + at, size - at, "%s%s",
                                   i == 0      ? ""
                                   : i == last ? " and "
                                               : ", ",
                                   aggregates[i].name);
    return out;
}

/* The argument as an expression of its own; its errors are placed in the whole text. */
static int compile_argument(struct rx_compiler *c, const struct rx_ast *arg, struct rx_expr **ret)
{
    struct rx_expr_options options = *c->options;
    options.flags &= ~(unsigned)RX_EXPR_AGGREGATES;
    options.flags |= RX_EXPR_IN_ARGUMENT;
    const char *text = c->expr->text + arg->start;
    int r = rx_expr_compile(text, arg->end - arg->start, &options, ret, c->reterr);
    if (r < 0 && c->reterr && c->reterr->at.line)
        rx_place_set(&c->reterr->at, c->expr->text, c->expr->length, arg->start + c->reterr->at.offset);
    return r;
}

int rx_check_whole_aggregate(struct rx_compiler *c, const struct rx_ast *root)
{
    if (!(c->options->flags & RX_EXPR_AGGREGATES) || c->aggregates.count)
        return 0;
    rx_expr_complain(c->reterr, c->expr->text, c->expr->length, root->start, "there is no aggregate function in it");
    rx_error_hint(c->reterr, "what is the same for every window belongs into a set step behind");
    return -EINVAL;
}

int rx_check_gathered(struct rx_compiler *c, const struct rx_ast *node)
{
    char name[80];
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    if (!(c->options->flags & RX_EXPR_AGGREGATES))
        return 0;
    if (find(name) >= 0) {
        rx_compile_failed(c, node, "%s is a function here", name);
        rx_error_hint(c->reterr, "write %s", aggregates[find(name)].signature);
    } else if (strcmp(name, "window") == 0) {
        rx_compile_failed(c, node, "the window is not known before its end");
        rx_error_hint(c->reterr, "every result has it: window.start and window.end in the steps behind");
    } else {
        rx_compile_failed(c, node, "%s is of one event, and here are many", name);
        rx_error_hint(c->reterr, "write first(%s) or last(%s)", name, name);
    }
    return -EINVAL;
}

int rx_check_nested(struct rx_compiler *c, const struct rx_ast *node)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    if (!(c->options->flags & RX_EXPR_IN_ARGUMENT) || node->method || node->length >= sizeof name || find(name) < 0)
        return 0;
    bool lists = node->function; /* then the arguments have been checked */
    if (lists && (node->count != 1 || (node->args[0]->kinds != RX_K_ALL && node->args[0]->kinds & RX_K_LIST)))
        return 0;
    rx_compile_failed(c, node, "the aggregate %s stands inside another one; they do not nest", name);
    if (lists)
        rx_error_hint(c->reterr,
                      "aggregate a second time in a step behind; for a list in each event write %s(x.map(v, v))", name);
    else
        rx_error_hint(c->reterr, "aggregate a second time in a step behind");
    return -EINVAL;
}

static bool uses_variable(const struct rx_compiler *c) { return c->scope != NULL; }

int rx_check_aggregate(struct rx_compiler *c, struct rx_ast *node)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    int which = find(name);
    if (which < 0)
        return -EINVAL;
    if (node->count < aggregates[which].min_args || node->count > aggregates[which].max_args) {
        rx_compile_failed(c, node, "%s does not take %u argument%s", name, node->count, node->count == 1 ? "" : "s");
        rx_error_hint(c->reterr, "write %s", aggregates[which].signature);
        return -EINVAL;
    }
    if (!aggregates[which].built) {
        char names[160];
        rx_compile_failed(c, node, "the aggregate function %s is not available in this version", name);
        rx_error_hint(c->reterr, "there are %s", built_names(names, sizeof names));
        return -EINVAL;
    }
    if (uses_variable(c))
        return rx_compile_failed(c, node, "the aggregate %s cannot stand inside a macro", name);
    node->index = (int)c->aggregates.count;
    struct rx_aggregate_call *call = rx_vector_add(c, &c->aggregates, sizeof *call);
    if (!call)
        return -ENOMEM;
    call->function = aggregates[which].name;
    for (unsigned i = 0; i < node->count; i++) {
        call = (struct rx_aggregate_call *)c->aggregates.data + node->index;
        int r = compile_argument(c, node->args[i], &call->args[i]);
        if (r < 0)
            return r;
        call->arg_count++;
    }
    node->kind = N_AGGREGATE;
    node->kinds = aggregates[which].result;
    node->count = 0;
    return 0;
}
