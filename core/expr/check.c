/* The checker: what each name means, which kinds each part may yield, what is constant, what the expression reaches. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/check_private.h"

bool rx_check_named(const struct rx_ast *node, const char *name)
{
    return node->length == strlen(name) && memcmp(node->name, name, node->length) == 0;
}

/* Notes that a node cannot work. The first complaint of a node stays. */
struct rx_error *rx_check_hint(struct rx_compiler *c, uint32_t at, const char *format, ...)
{
    char message[400];
    struct rx_error *hint = rx_vector_add(c, &c->hints, sizeof *hint);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (hint)
        rx_expr_complain(hint, c->expr->text, c->expr->length, at, "%s", message);
    return hint;
}

int rx_check_take_hints(struct rx_compiler *c, const struct rx_expr *part, uint32_t start)
{
    for (size_t i = 0; i < rx_expr_hint_count(part); i++) {
        const struct rx_error *from = rx_expr_hint(part, i);
        struct rx_error *hint = rx_check_hint(c, start + (uint32_t)from->at.offset, "%s", from->message);
        if (!hint)
            return -ENOMEM;
        rx_error_hint(hint, "%s", from->hint);
    }
    return 0;
}

int rx_check_complain(struct rx_compiler *c, struct rx_ast *node, uint32_t at, const char *format, ...)
{
    char message[400];
    if (node->complaint)
        return 0;
    node->complaint = rx_arena_alloc(&c->arena, sizeof *node->complaint);
    if (!node->complaint)
        return rx_error_set(c->reterr, -ENOMEM, "out of memory");
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    rx_expr_complain(node->complaint, c->expr->text, c->expr->length, at, "%s", message);
    node->kinds = RX_K_ALL;
    return 0;
}

static bool all_constant(const struct rx_ast *node)
{
    for (unsigned i = 0; i < node->count; i++)
        if (!node->args[i]->constant)
            return false;
    return true;
}

int rx_check_args(struct rx_compiler *c, struct rx_ast *node)
{
    for (unsigned i = 0; i < node->count; i++) {
        int r = rx_check(c, node->args[i]);
        if (r < 0)
            return r;
    }
    node->constant = all_constant(node);
    return 0;
}

static int check_select(struct rx_compiler *c, struct rx_ast *node)
{
    struct rx_ast *object = node->args[0];
    if (rx_check_is_special(c, object, "event") && !node->optional)
        return rx_check_become_field(c, node, node->name, node->length);
    if (rx_check_is_special(c, object, "meta") && !node->optional)
        return rx_check_meta(c, node);
    if (rx_check_type_name(node))
        return 0;
    if (object->kind == N_IDENT && rx_check_is_special(c, object, "event")) {
        int r = rx_check_reach_field(c, node->name, node->length);
        object->resolution = R_EVENT;
        object->kinds = RX_K_ALL;
        node->kinds = RX_K_OPTIONAL;
        return r;
    }
    int r = rx_check_args(c, node);
    node->kinds = node->optional ? RX_K_OPTIONAL : RX_K_ALL;
    char text[120];
    if (r == 0 && !(object->kinds & (RX_K_MAP | RX_K_OPTIONAL | RX_K_NULL)))
        r = rx_check_complain(c, node, node->at, "%s has no fields, so .%.*s cannot be there",
                              rx_kinds_text(object->kinds, text, sizeof text), (int)node->length, node->name);
    return r;
}

static int check_index(struct rx_compiler *c, struct rx_ast *node)
{
    struct rx_ast *object = node->args[0], *key = node->args[1];
    if (rx_check_is_special(c, object, "event") && !node->optional && key->kind == N_LITERAL &&
        key->value.kind == RX_STRING)
        return rx_check_become_field(c, node, key->value.u.text, key->value.aux);
    int r = rx_check_args(c, node);
    node->kinds = node->optional ? RX_K_OPTIONAL : RX_K_ALL;
    char text[120];
    if (r == 0 && !(object->kinds & (RX_K_MAP | RX_K_LIST | RX_K_OPTIONAL | RX_K_NULL)))
        return rx_check_complain(c, node, node->at, "%s cannot be indexed with [ ]",
                                 rx_kinds_text(object->kinds, text, sizeof text));
    return r;
}

static const char *const verbs[] = {"add",     "subtract", "multiply", "divide",  "take the remainder of",
                                    "compare", "compare",  "compare",  "compare", "compare",
                                    "compare", "look for"};

static void hint_operator(struct rx_error *error, enum rx_operator_code op, rx_kinds a, rx_kinds b)
{
    rx_kinds both = a | b;
    if (op == O_ADD && (both & RX_K_STRING) && (both & (RX_K_NUMBER | RX_K_BOOL)))
        rx_error_hint(error, "make the text first: \"...\" + string(value)");
    else if ((both & RX_K_STRING) && (both & RX_K_NUMBER))
        rx_error_hint(error, "a number in quotes is text; write it without quotes, or convert: double(text)");
    else if (op >= O_LT && op <= O_GE && a == RX_K_BOOL)
        rx_error_hint(error, "comparisons do not chain; write low < x && x < high");
    else if ((both & RX_K_DURATION) && (both & RX_K_NUMBER))
        rx_error_hint(error, "a duration is written duration(\"5s\")");
    else if ((both & RX_K_TIMESTAMP) && (both & RX_K_STRING))
        rx_error_hint(error, "a time is written timestamp(\"2024-01-31T12:00:00Z\")");
    else if ((both & RX_K_TIMESTAMP) && (both & RX_K_NUMBER))
        rx_error_hint(error, "seconds since 1970 become a time with timestamp(x); a span of time is duration(\"5s\")");
    else if (both == (RX_K_INT | RX_K_UINT))
        rx_error_hint(error, "convert one of them: int(x) or uint(x)");
    else if (op == O_MOD && (both & RX_K_DOUBLE))
        rx_error_hint(error, "%% works on whole numbers: int(x) %% 10");
    else if (op == O_IN && (b & RX_K_STRING))
        rx_error_hint(error, "part of a text: text.contains(\"part\"); one of several values: x in [1, 2]");
    else if (op == O_IN)
        rx_error_hint(error, "one of several values is written x in [1, 2]");
    else if ((op == O_EQ || op == O_NE) && (both & RX_K_STRING) && (both & RX_K_BOOL))
        rx_error_hint(error, "true and false are written without quotes");
}

static int complain_binary(struct rx_compiler *c, struct rx_ast *node, const char *format_tail)
{
    char left[120], right[120];
    rx_kinds a = node->args[0]->kinds, b = node->args[1]->kinds;
    int r = rx_check_complain(c, node, node->at, "cannot %s %s %s %s%s", verbs[node->op],
                              rx_kinds_text(a, left, sizeof left),
                              node->op == O_IN    ? "in"
                              : node->op == O_SUB ? "minus"
                              : node->op == O_DIV ? "by"
                                                  : "and",
                              rx_kinds_text(b, right, sizeof right), format_tail);
    if (r == 0)
        hint_operator(node->complaint, node->op, a, b);
    return r;
}

/* battery-level, written without spaces between two plain names, reads like one name. */
static int check_dash(struct rx_compiler *c, const struct rx_ast *node)
{
    const struct rx_ast *a = node->args[0], *b = node->args[1];
    bool names = a->kind == N_IDENT && b->kind == N_IDENT && a->resolution == R_FIELD && b->resolution == R_FIELD;
    if (node->op != O_SUB || !names || a->parens || b->parens || a->end != node->at || b->start != node->at + 1)
        return 0;
    int length = (int)(b->end - a->start);
    const char *text = c->expr->text + a->start;
    struct rx_error *hint = rx_check_hint(c, a->start, "%.*s subtracts the field %.*s from the field %.*s", length,
                                          text, (int)b->length, b->name, (int)a->length, a->name);
    rx_error_hint(hint, "if %.*s is one field, write `%.*s` or event[\"%.*s\"]; if not, put spaces around the minus",
                  length, text, length, text, length, text);
    return hint ? 0 : -ENOMEM;
}

/* A whole number that the user may not know to be one: what int() or uint() makes is asked for. */
static bool is_whole(const struct rx_ast *node)
{
    bool asked = node->kind == N_CALL && (rx_check_named(node, "int") || rx_check_named(node, "uint"));
    return node->kinds && !(node->kinds & ~(rx_kinds)(RX_K_INT | RX_K_UINT)) && !asked;
}

static bool divides_evenly(const struct rx_ast *a, const struct rx_ast *b)
{
    bool literals = a->kind == N_LITERAL && b->kind == N_LITERAL;
    return literals && (b->value.u.u + 1 <= 1 || a->value.u.i % b->value.u.i == 0); /* + 1: by 0, by -1 */
}

/* 7 / 2 is 3: CEL's whole numbers, unlike those of events. */
static int check_division(struct rx_compiler *c, const struct rx_ast *node)
{
    const struct rx_ast *a = node->args[0], *b = node->args[1];
    if (node->op != O_DIV || !is_whole(a) || !is_whole(b) || divides_evenly(a, b))
        return 0;
    struct rx_error *hint =
        rx_check_hint(c, node->at, "a whole number divided by a whole number is cut to a whole number: 7 / 2 is 3");
    if (b->kind == N_LITERAL)
        rx_error_hint(hint, "write / %.*s.0 to keep the fraction, or int(...) / %.*s if it is meant",
                      (int)(b->end - b->start), c->expr->text + b->start, (int)(b->end - b->start),
                      c->expr->text + b->start);
    else
        rx_error_hint(hint, "write double(...) around one of them to keep the fraction, or int(...) if it is meant");
    return hint ? 0 : -ENOMEM;
}

static int check_binary(struct rx_compiler *c, struct rx_ast *node)
{
    struct rx_ast *left = node->args[0], *right = node->args[1];
    if (node->op == O_IN && left->kind == N_LITERAL && left->value.kind == RX_STRING &&
        rx_check_is_special(c, right, "event")) {
        struct rx_ast *name = rx_arena_alloc(&c->arena, sizeof *name);
        if (!name)
            return rx_error_set(c->reterr, -ENOMEM, "out of memory");
        *name = *right;
        node->kind = N_HAS;
        node->count = 1;
        node->args[0] = name;
        node->kinds = RX_K_BOOL;
        return rx_check_become_field(c, name, left->value.u.text, left->value.aux);
    }
    int r = rx_check_args(c, node);
    if (r < 0)
        return r;
    node->kinds = rx_kinds_binary(node->op, left->kinds, right->kinds);
    if (!node->kinds)
        r = complain_binary(c, node, "");
    else if ((node->op == O_EQ || node->op == O_NE) && !rx_kinds_may_equal(left->kinds, right->kinds))
        r = complain_binary(c, node, ": they are never equal");
    if (r == 0)
        r = check_division(c, node);
    return r < 0 ? r : check_dash(c, node);
}

static int need_bool(struct rx_compiler *c, struct rx_ast *node, const struct rx_ast *operand, const char *where)
{
    char text[120];
    if (operand->kinds & RX_K_BOOL)
        return 0;
    return rx_check_complain(c, node, operand->start, "%s needs true or false, here is %s", where,
                             rx_kinds_text(operand->kinds, text, sizeof text));
}

static int check_logic(struct rx_compiler *c, struct rx_ast *node)
{
    const char *where = node->kind == N_AND ? "&&" : "||";
    int r = rx_check_args(c, node);
    for (unsigned i = 0; r == 0 && i < 2; i++)
        r = need_bool(c, node, node->args[i], where);
    node->kinds = RX_K_BOOL;
    return r;
}

static int check_unary(struct rx_compiler *c, struct rx_ast *node)
{
    char text[120];
    int r = rx_check_args(c, node);
    if (r < 0)
        return r;
    rx_kinds kinds = node->args[0]->kinds;
    node->kinds = node->op == O_NOT ? kinds & RX_K_BOOL : rx_kinds_negate(kinds);
    if (node->kinds)
        return 0;
    if (node->op == O_NOT)
        return need_bool(c, node, node->args[0], "!");
    return rx_check_complain(c, node, node->at, "- needs a number after it, here is %s",
                             rx_kinds_text(kinds, text, sizeof text));
}

static int check_conditional(struct rx_compiler *c, struct rx_ast *node)
{
    int r = rx_check_args(c, node);
    node->kinds = node->args[1]->kinds | node->args[2]->kinds;
    return r < 0 ? r : need_bool(c, node, node->args[0], node->at == node->start ? "if" : "the condition before ?");
}

/* ---- macros ---- */

static void bind(struct rx_compiler *c, struct rx_variable *variable)
{
    variable->outer = c->scope;
    variable->depth = (uint16_t)(c->scope ? c->scope->depth + 1 : 1);
    c->scope = variable;
}

static int check_loop(struct rx_compiler *c, struct rx_ast *node)
{
    char text[120];
    int r = rx_check(c, node->args[0]);
    if (r < 0)
        return r;
    rx_kinds range = node->args[0]->kinds;
    if (!(range & (RX_K_LIST | RX_K_MAP | RX_K_NULL)) &&
        rx_check_complain(c, node, node->at, "a macro goes through a list or a map, here is %s",
                          rx_kinds_text(range, text, sizeof text)) < 0)
        return -ENOMEM;
    struct rx_variable *outer = c->scope;
    for (unsigned i = 0; i < 2 && node->variables[i]; i++)
        bind(c, node->variables[i]);
    node->constant = node->args[0]->constant;
    for (unsigned i = 1; r == 0 && i < node->count; i++) {
        r = rx_check(c, node->args[i]);
        node->constant &= node->args[i]->constant;
    }
    c->scope = outer;
    static const rx_kinds results[] = {
        [L_ALL] = RX_K_BOOL,          [L_EXISTS] = RX_K_BOOL,
        [L_EXISTS_ONE] = RX_K_BOOL,   [L_FILTER] = RX_K_LIST,
        [L_MAP] = RX_K_LIST,          [L_TRANSFORM_LIST] = RX_K_LIST,
        [L_TRANSFORM_MAP] = RX_K_MAP, [L_TRANSFORM_ENTRY] = RX_K_MAP,
        [L_SORT_BY] = RX_K_LIST,
    };
    node->kinds = results[node->op];
    bool predicate = node->op <= L_FILTER || node->count == 3;
    return r < 0 || !predicate ? r : need_bool(c, node, node->args[1], "the condition of a macro");
}

static int check_bound(struct rx_compiler *c, struct rx_ast *node)
{
    int r = rx_check(c, node->args[0]);
    if (r < 0)
        return r;
    struct rx_variable *outer = c->scope;
    node->variables[0]->kinds = node->kind == N_BIND ? node->args[0]->kinds : RX_K_ALL;
    bind(c, node->variables[0]);
    r = rx_check(c, node->args[1]);
    c->scope = outer;
    node->constant = node->args[0]->constant && node->args[1]->constant;
    node->kinds = node->kind == N_BIND ? node->args[1]->kinds : RX_K_OPTIONAL;
    char text[120];
    if (r == 0 && node->kind == N_OPT_MAP && !(node->args[0]->kinds & (RX_K_OPTIONAL | RX_K_NULL)))
        r = rx_check_complain(c, node, node->at, "%.*s works on an optional, here is %s", (int)node->length, node->name,
                              rx_kinds_text(node->args[0]->kinds, text, sizeof text));
    return r;
}

/* ---- literals ---- */

/* {a: 1} takes the field a for its key. */
static int check_bare_key(struct rx_compiler *c, const struct rx_ast *key)
{
    if (key->kind != N_IDENT || key->resolution != R_FIELD || key->rooted || key->parens)
        return 0;
    struct rx_error *hint =
        rx_check_hint(c, key->start, "the key is the value of the field %.*s", (int)key->length, key->name);
    rx_error_hint(hint, "a key that is a word stands in quotes: {\"%.*s\": ...}", (int)key->length, key->name);
    return hint ? 0 : -ENOMEM;
}

static int check_map(struct rx_compiler *c, struct rx_ast *node)
{
    const rx_kinds keys = RX_K_BOOL | RX_K_INT | RX_K_UINT | RX_K_STRING | RX_K_JSON;
    char text[120];
    int r = rx_check_args(c, node);
    node->kinds = RX_K_MAP;
    for (unsigned i = 0; r == 0 && i < node->count; i += 2) {
        struct rx_ast *key = node->args[i];
        if ((r = check_bare_key(c, key)) < 0)
            return r;
        if (!(key->kinds & keys)) {
            r = rx_check_complain(c, node, key->start, "a key is a string, an int, a uint or a bool, here is %s",
                                  rx_kinds_text(key->kinds, text, sizeof text));
        }
        for (unsigned k = 0; r == 0 && k < i && i < 128; k += 2)
            if (key->kind == N_LITERAL && node->args[k]->kind == N_LITERAL &&
                rx_value_equal(key->value, node->args[k]->value))
                r = rx_check_complain(c, node, key->start, "the key %.*s is here twice", (int)(key->end - key->start),
                                      c->expr->text + key->start);
    }
    return r;
}

static int check_optional_items(struct rx_compiler *c, struct rx_ast *node, unsigned step)
{
    char text[120];
    for (unsigned i = step - 1; node->optionals && i < node->count; i += step)
        if (node->optionals[i] && !(node->args[i]->kinds & RX_K_OPTIONAL)) {
            int r = rx_check_complain(c, node, node->args[i]->start, "after ? stands an optional, here is %s",
                                      rx_kinds_text(node->args[i]->kinds, text, sizeof text));
            if (r < 0)
                return r;
        }
    return 0;
}

/* has(x), coalesce(x, 0): a name may be that of no field. */
static int check_absent_args(struct rx_compiler *c, struct rx_ast *node)
{
    c->may_be_absent++;
    int r = rx_check_args(c, node);
    c->may_be_absent--;
    return r;
}

static int check_node(struct rx_compiler *c, struct rx_ast *node)
{
    int r;
    switch ((enum rx_ast_kind)node->kind) {
    case N_LITERAL:
        node->constant = true;
        node->kinds = rx_kinds_of(node->value);
        return 0;
    case N_IDENT:
        r = rx_check_name(c, node);
        node->constant = r == 0 && node->resolution == R_VARIABLE; /* decided by what binds it */
        return r;
    case N_SELECT:
        return check_select(c, node);
    case N_INDEX:
        return check_index(c, node);
    case N_CALL:
        return rx_check_call(c, node);
    case N_LIST:
        r = rx_check_args(c, node);
        node->kinds = RX_K_LIST;
        return r < 0 ? r : check_optional_items(c, node, 1);
    case N_MAP:
        r = check_map(c, node);
        return r < 0 ? r : check_optional_items(c, node, 2);
    case N_UNARY:
        return check_unary(c, node);
    case N_BINARY:
        return check_binary(c, node);
    case N_AND:
    case N_OR:
        return check_logic(c, node);
    case N_CONDITIONAL:
        return check_conditional(c, node);
    case N_HAS:
        r = check_absent_args(c, node);
        node->kinds = RX_K_BOOL;
        return r;
    case N_COALESCE:
        r = check_absent_args(c, node);
        for (unsigned i = 0; i < node->count; i++)
            node->kinds |= node->args[i]->kinds;
        return r;
    case N_COMPREHENSION:
        return check_loop(c, node);
    case N_BIND:
    case N_OPT_MAP:
        return check_bound(c, node);
    case N_AGGREGATE:
        return 0;
    }
    return 0;
}

static bool binds(const struct rx_ast *node)
{
    return node->kind == N_COMPREHENSION || node->kind == N_BIND || node->kind == N_OPT_MAP;
}

int rx_check(struct rx_compiler *c, struct rx_ast *node)
{
    int r = check_node(c, node);
    unsigned least = UINT16_MAX;
    for (unsigned i = 0; r == 0 && i < node->count; i++)
        if (node->args[i]->outermost && node->args[i]->outermost < least)
            least = node->args[i]->outermost;
    if (node->kind == N_IDENT && node->resolution == R_VARIABLE)
        least = node->variables[0]->depth;
    unsigned here = c->scope ? c->scope->depth : 0;
    node->outermost = (uint16_t)(least == UINT16_MAX || (binds(node) && least > here) ? 0 : least);
    return r;
}
