/* Aggregate calls: found by the checker, compiled as expressions of their own, read back from slots. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/check_private.h"

enum { CONSTANT_NONE = 255 };
enum { COLLECT_DEFAULT = 10000, COLLECT_MAX = 100000, TOP_MAX = 1000 };

/* Names, what they take and give; core/aggregate computes them, and a test holds the two together. */
static const struct {
    const char *name;
    uint8_t min_args, max_args;
    uint8_t constant; /* the argument that is a number known at load; CONSTANT_NONE: none */
    bool whole;       /* that number is one without a fraction */
    double least, greatest, fallback;
    rx_kinds result;
    const char *signature, *gives;
} aggregates[] = {
    {"count", 0, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_INT | RX_K_JSON, "count() or count(condition)",
     "How many events; for how many it holds."},
    {"sum", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "sum(x)",
     "The sum, 0 of nothing. Exact over whole numbers within 64 bits, else compensated (Neumaier)."},
    {"avg", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "avg(x)", "The mean, of a sum as above; null of nothing."},
    {"min", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "min(x)",
     "The least of numbers, texts, times ...; NaN is skipped. Null of nothing."},
    {"max", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "max(x)", "The greatest, likewise."},
    {"first", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "first(x)",
     "That of the earliest event by its own time, of equal ones the one that arrived first."},
    {"last", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "last(x)", "That of the latest event, likewise."},
    {"collect", 1, 2, 1, true, 1, COLLECT_MAX, COLLECT_DEFAULT, RX_K_LIST, "collect(x) or collect(x, limit)",
     "A list in the order of the events' times. Of more than `limit` (10000 where none is written, 100000 at the most) "
     "the "
     "earliest."},
    {"count_distinct", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_INT | RX_K_JSON, "count_distinct(x)",
     "How many different values (1 and 1.0 are the same). Exact up to 512, from then on HyperLogLog with 4,096 "
     "registers: "
     "standard error 1.6 %."},
    {"median", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "median(x)", "quantile(x, 0.5)."},
    {"quantile", 2, 2, 1, false, 0, 1, 0, RX_K_ALL, "quantile(x, 0.95)",
     "Of the numbers in order, the one at that part of the way, between two in proportion. Exact up to 128 numbers; "
     "then each of the two is off by at most 0.4 %, or by a four-thousand-millionth of the greatest magnitude. NaN is "
     "skipped. Null of nothing."},
    {"stddev", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "stddev(x)",
     "The standard deviation of a sample (by n - 1); null of fewer than two. Welford's method with 106 bits."},
    {"variance", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "variance(x)", "Its square."},
    {"top", 3, 3, 0, true, 1, TOP_MAX, 0, RX_K_LIST, "top(3, rank, value)",
     "The values with the greatest ranks, greatest first, so many of them (1,000 at the most); of equal ranks the "
     "earlier."},
    {"increase", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "increase(x)",
     "By how much a counter rose, from the last sample before the window on. One that falls has begun anew at 0. NaN "
     "is "
     "skipped. Null where there is no sample, nor was."},
    {"rate", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "rate(x)",
     "The increase divided by the window's seconds; without a window by those from the first sample to the last."},
    {"time_in", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "time_in(condition)",
     "For how many seconds it held. A state lasts from its event to the next, into the next window too; before the "
     "first "
     "event that tells it, nothing counts."},
    {"time_avg", 1, 1, CONSTANT_NONE, false, 0, 0, 0, RX_K_ALL, "time_avg(x)",
     "The mean over time, each value lasting from its event to the next, into the next window too; what lies before "
     "the first "
     "sample ever does not count. Null where there is no time to count."},
    {"ewma", 2, 2, 1, false, 0, 1, 0, RX_K_ALL, "ewma(x, 0.2)",
     "The exponentially weighted mean in order of time: begins at the first value, then alpha * x + (1 - alpha) * "
     "before."},
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

void rx_expr_aggregate_describe(size_t i, const char **ret_signature, const char **ret_gives)
{
    *ret_signature = aggregates[i].signature;
    *ret_gives = aggregates[i].gives;
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
    return r < 0 ? r : rx_check_take_hints(c, *ret, arg->start);
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

/* The argument that is a number, the same for all events. */
static int take_constant(struct rx_compiler *c, int which, const struct rx_ast *arg, struct rx_aggregate_call *call)
{
    const struct rx_expr_env nothing = {0};
    struct rx_value v = rx_null();
    struct rx_expr *expr = call->args[aggregates[which].constant];
    bool known = rx_expr_is_constant(expr) && rx_expr_eval(expr, &nothing, &v, NULL) == 0;
    double x = v.kind == RX_INT ? (double)v.u.i : v.kind == RX_UINT ? (double)v.u.u : v.kind == RX_DOUBLE ? v.u.d : NAN;
    rx_value_unref(v);
    call->constant = x;
    if (known && x >= aggregates[which].least && x <= aggregates[which].greatest &&
        (!aggregates[which].whole || x == floor(x)))
        return 0;
    rx_compile_failed(c, arg, "%s takes a %s from %.10g to %.10g here, the same for all events", call->function,
                      aggregates[which].whole ? "whole number" : "number", aggregates[which].least,
                      aggregates[which].greatest);
    rx_error_hint(c->reterr, "write %s", aggregates[which].signature);
    return -EINVAL;
}

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
    if (uses_variable(c))
        return rx_compile_failed(c, node, "the aggregate %s cannot stand inside a macro", name);
    node->index = (int)c->aggregates.count;
    struct rx_aggregate_call *call = rx_vector_add(c, &c->aggregates, sizeof *call);
    if (!call)
        return -ENOMEM;
    call->function = aggregates[which].name;
    call->constant = aggregates[which].fallback;
    for (unsigned i = 0; i < node->count; i++) {
        call = (struct rx_aggregate_call *)c->aggregates.data + node->index;
        int r = compile_argument(c, node->args[i], &call->args[i]);
        if (r < 0)
            return r;
        call->arg_count++;
        if (i == aggregates[which].constant && (r = take_constant(c, which, node->args[i], call)) < 0)
            return r;
    }
    node->kind = N_AGGREGATE;
    node->kinds = aggregates[which].result;
    node->count = 0;
    return 0;
}
