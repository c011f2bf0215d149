/* Macros: calls whose arguments are not evaluated as they stand (langdef, "Macros"; has, if, coalesce, cel.bind). */
#include <errno.h>
#include <string.h>

#include "core/expr/parser.h"

static bool is_named(const struct rx_ast *call, const char *name)
{
    return call->length == strlen(name) && memcmp(call->name, name, call->length) == 0;
}

static int variable(struct rx_parser *p, struct rx_ast *call, unsigned slot, const struct rx_ast *name)
{
    if (name->kind != N_IDENT || name->parens) {
        rx_parser_fail(p, name->start, "the first argument of %.*s is the name of a variable", (int)call->length,
                       call->name);
        rx_error_hint(p->lexer.reterr, "write list.%.*s(x, ...) and use x for the element", (int)call->length,
                      call->name);
        return -EINVAL;
    }
    struct rx_variable *v = rx_arena_alloc(p->lexer.arena, sizeof *v);
    if (!v)
        return rx_error_set(p->lexer.reterr, -ENOMEM, "out of memory");
    v->name = name->name;
    v->length = name->length;
    v->kinds = RX_K_ALL;
    if (slot == 1 && call->variables[0]->length == v->length &&
        memcmp(call->variables[0]->name, v->name, v->length) == 0)
        return rx_parser_fail(p, name->start, "the two variables of %.*s have the same name", (int)call->length,
                              call->name);
    call->variables[slot] = v;
    return 0;
}

/* Becomes a comprehension over args[0]; `names` variables are taken from args[1..]. */
static int comprehension(struct rx_parser *p, struct rx_ast *call, enum rx_loop_kind kind, unsigned names)
{
    for (unsigned i = 0; i < names; i++) {
        int r = variable(p, call, i, call->args[1 + i]);
        if (r < 0)
            return r;
    }
    memmove(call->args + 1, call->args + 1 + names, (call->count - 1 - names) * sizeof *call->args);
    call->count -= names;
    call->kind = N_COMPREHENSION;
    call->op = (uint8_t)kind;
    return 0;
}

static const struct {
    const char *name;
    uint8_t kind, names, bodies, bodies_max;
} loops[] = {
    {"all", L_ALL, 1, 1, 1},
    {"all", L_ALL, 2, 1, 1},
    {"exists", L_EXISTS, 1, 1, 1},
    {"exists", L_EXISTS, 2, 1, 1},
    {"exists_one", L_EXISTS_ONE, 1, 1, 1},
    {"existsOne", L_EXISTS_ONE, 1, 1, 1},
    {"exists_one", L_EXISTS_ONE, 2, 1, 1},
    {"existsOne", L_EXISTS_ONE, 2, 1, 1},
    {"filter", L_FILTER, 1, 1, 1},
    {"map", L_MAP, 1, 1, 2},
    {"sortBy", L_SORT_BY, 1, 1, 1},
    {"transformList", L_TRANSFORM_LIST, 2, 1, 2},
    {"transformMap", L_TRANSFORM_MAP, 2, 1, 2},
    {"transformMapEntry", L_TRANSFORM_ENTRY, 2, 1, 2},
};

static int method_macro(struct rx_parser *p, struct rx_ast *call)
{
    bool known = false;
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        if (!is_named(call, loops[i].name))
            continue;
        known = true;
        unsigned bodies = call->count - 1 - loops[i].names;
        if (call->count > loops[i].names + 1u && bodies >= loops[i].bodies && bodies <= loops[i].bodies_max)
            return comprehension(p, call, loops[i].kind, loops[i].names);
    }
    if (!known)
        return 0;
    rx_parser_fail(p, call->at, "%.*s does not take %u argument%s", (int)call->length, call->name, call->count - 1,
                   call->count == 2 ? "" : "s");
    rx_error_hint(p->lexer.reterr, "write list.%.*s(x, expression of x)", (int)call->length, call->name);
    return -EINVAL;
}

/* optMap and optFlatMap: one variable, bound to the optional's value. */
static int optional_macro(struct rx_parser *p, struct rx_ast *call)
{
    if (call->count != 3)
        return rx_parser_fail(p, call->at, "%.*s takes a variable and an expression of it", (int)call->length,
                              call->name);
    int r = comprehension(p, call, L_MAP, 1);
    call->kind = N_OPT_MAP;
    call->op = is_named(call, "optFlatMap");
    return r;
}

/* cel.bind(name, value, expression) */
static int bind_macro(struct rx_parser *p, struct rx_ast *call)
{
    if (call->count != 4)
        return rx_parser_fail(p, call->at, "cel.bind takes three arguments: cel.bind(name, value, expression)");
    int r = variable(p, call, 0, call->args[1]);
    if (r < 0)
        return r;
    call->args[0] = call->args[2];
    call->args[1] = call->args[3];
    call->count = 2;
    call->kind = N_BIND;
    return 0;
}

static int has_macro(struct rx_parser *p, struct rx_ast *call)
{
    if (call->count != 1)
        return rx_parser_fail(p, call->at, "has takes one argument: has(name) or has(a.b)");
    const struct rx_ast *arg = call->args[0];
    if ((arg->kind != N_SELECT && arg->kind != N_IDENT && arg->kind != N_INDEX)) {
        rx_parser_fail(p, arg->start, "has asks whether a field is there; its argument is a name or a selection");
        rx_error_hint(p->lexer.reterr, "write has(name), has(a.b) or has(event[\"odd-name\"])");
        return -EINVAL;
    }
    call->kind = N_HAS;
    return 0;
}

static int if_macro(struct rx_parser *p, struct rx_ast *call)
{
    if (call->count != 3) {
        rx_parser_fail(p, call->at, "if takes three arguments, here are %u", call->count);
        rx_error_hint(p->lexer.reterr, "write if(condition, value, value otherwise), or condition ? a : b");
        return -EINVAL;
    }
    call->kind = N_CONDITIONAL;
    return 0;
}

int rx_parser_macro(struct rx_parser *p, struct rx_ast *call)
{
    if (!call->method) {
        if (is_named(call, "has"))
            return has_macro(p, call);
        if (is_named(call, "if"))
            return if_macro(p, call);
        if (!is_named(call, "coalesce"))
            return 0;
        if (call->count == 0)
            return rx_parser_fail(p, call->at, "coalesce takes at least one argument: coalesce(a, b)");
        call->kind = N_COALESCE;
        return 0;
    }
    const struct rx_ast *target = call->args[0];
    if (is_named(call, "bind") && target->kind == N_IDENT && target->length == 3 && memcmp(target->name, "cel", 3) == 0)
        return bind_macro(p, call);
    if (is_named(call, "optMap") || is_named(call, "optFlatMap"))
        return optional_macro(p, call);
    return method_macro(p, call);
}
