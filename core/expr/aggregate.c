/* Aggregate calls: found by the checker, compiled as expressions of their own, read back from slots. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/compiler.h"

static const struct {
    const char *name;
    uint8_t min_args, max_args;
    rx_kinds result;
    const char *signature;
} aggregates[] = {
    {"count", 0, 1, RX_K_INT | RX_K_JSON, "count() or count(condition)"},
    {"sum", 1, 1, RX_K_ALL, "sum(x)"},
    {"avg", 1, 1, RX_K_ALL, "avg(x)"},
    {"min", 1, 1, RX_K_ALL, "min(x)"},
    {"max", 1, 1, RX_K_ALL, "max(x)"},
    {"first", 1, 1, RX_K_ALL, "first(x)"},
    {"last", 1, 1, RX_K_ALL, "last(x)"},
    {"collect", 1, 2, RX_K_LIST, "collect(x) or collect(x, limit)"},
    {"count_distinct", 1, 1, RX_K_INT | RX_K_JSON, "count_distinct(x)"},
    {"median", 1, 1, RX_K_ALL, "median(x)"},
    {"quantile", 2, 2, RX_K_ALL, "quantile(x, 0.95)"},
    {"stddev", 1, 1, RX_K_ALL, "stddev(x)"},
    {"variance", 1, 1, RX_K_ALL, "variance(x)"},
    {"top", 3, 3, RX_K_ALL, "top(k, rank, value)"},
    {"increase", 1, 1, RX_K_ALL, "increase(x)"},
    {"rate", 1, 1, RX_K_ALL, "rate(x)"},
    {"time_in", 1, 1, RX_K_ALL, "time_in(condition)"},
    {"time_avg", 1, 1, RX_K_ALL, "time_avg(x)"},
};

static int find(const char *name)
{
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++)
        if (strcmp(aggregates[i].name, name) == 0)
            return (int)i;
    return -1;
}

bool rx_expr_is_aggregate(const char *name) { return find(name) >= 0; }

/* The argument as an expression of its own; its errors are placed in the whole text. */
static int compile_argument(struct rx_compiler *c, const struct rx_ast *arg, struct rx_expr **ret)
{
    struct rx_expr_options options = *c->options;
    options.flags &= ~(unsigned)RX_EXPR_AGGREGATES;
    const char *text = c->expr->text + arg->start;
    int r = rx_expr_compile(text, arg->end - arg->start, &options, ret, c->reterr);
    if (r < 0 && c->reterr && c->reterr->at.line)
        rx_place_set(&c->reterr->at, c->expr->text, c->expr->length, arg->start + c->reterr->at.offset);
    return r;
}

static bool uses_variable(const struct rx_compiler *c) { return c->scope != NULL; }

int rx_check_aggregate(struct rx_compiler *c, struct rx_ast *node)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    int which = find(name);
    if (node->count < aggregates[which].min_args || node->count > aggregates[which].max_args) {
        rx_compile_failed(c, node, "%s does not take %u argument%s", name, node->count, node->count == 1 ? "" : "s");
        rx_error_hint(c->reterr, "write %s", aggregates[which].signature);
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
