/* The checker: what each name means, which kinds each part may yield, what is constant, what the expression reaches. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/compiler.h"

static bool named(const struct rx_node *node, const char *name)
{
    return node->length == strlen(name) && memcmp(node->name, name, node->length) == 0;
}

/* Notes that a node cannot work. The first complaint of a node stays. */
__attribute__((format(printf, 4, 5))) static int complain(struct rx_compiler *c, struct rx_node *node, uint32_t at,
                                                          const char *format, ...)
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

static bool same_access(const struct rx_key *key, const char *name, size_t length)
{
    return key->length == length && memcmp(key->text, name, length) == 0;
}

static int reach_field(struct rx_compiler *c, const char *name, size_t length)
{
    const struct rx_key **fields = c->fields.data;
    for (size_t i = 0; i < c->fields.count; i++)
        if (same_access(fields[i], name, length))
            return 0;
    const struct rx_key *key = rx_key_intern(c->options->heap, name, length);
    if (!key)
        return rx_error_set(c->reterr, -ENOMEM, "too many different field names");
    const struct rx_key **slot = rx_vector_add(c, &c->fields, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = key;
    return 0;
}

/* ---- names ---- */

static const struct {
    const char *name;
    int64_t kind;
} type_names[] = {
    {"null_type", RX_NULL},
    {"bool", RX_BOOL},
    {"int", RX_INT},
    {"uint", RX_UINT},
    {"double", RX_DOUBLE},
    {"string", RX_STRING},
    {"bytes", RX_BYTES},
    {"list", RX_LIST},
    {"map", RX_MAP},
    {"type", RX_TYPE},
    {"timestamp", RX_TIMESTAMP},
    {"duration", RX_DURATION},
    {"optional_type", RX_OPTIONAL},
};

static struct rx_variable *find_variable(const struct rx_compiler *c, const struct rx_node *node)
{
    for (struct rx_variable *v = c->scope; v; v = v->outer)
        if (v->length == node->length && memcmp(v->name, node->name, v->length) == 0)
            return v;
    return NULL;
}

static int find_local(const struct rx_compiler *c, const struct rx_node *node)
{
    for (int i = 0; c->options->locals && c->options->locals[i]; i++)
        if (named(node, c->options->locals[i]))
            return i;
    return -1;
}

static rx_kinds of_public(unsigned kinds)
{
    rx_kinds result = kinds & (RX_K_ALL >> 1);
    if (result & RX_K_MAP)
        result |= RX_K_MAP;
    return kinds & RX_EXPR_KIND_NUMBER ? result | RX_K_NUMBER : result;
}

static int unknown_name(struct rx_compiler *c, const struct rx_node *node)
{
    const char *names[130];
    size_t count = 0;
    for (size_t i = 0; i < c->options->type_count && count < 125; i++)
        names[count++] = c->options->types[i].name;
    names[count++] = "event";
    names[count++] = "event_time";
    names[count++] = "meta";
    names[count] = NULL;
    char name[80];
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    rx_compile_failed(c, node, "there is no field named \"%s\" at this step", name);
    const char *near = rx_nearest(name, names);
    if (near)
        rx_error_hint(c->reterr, "did you mean %s?", near);
    return -EINVAL;
}

static int check_field(struct rx_compiler *c, struct rx_node *node)
{
    node->resolution = R_FIELD;
    node->kinds = RX_K_ALL;
    bool declared = false;
    for (size_t i = 0; i < c->options->type_count; i++)
        if (named(node, c->options->types[i].name)) {
            declared = true;
            node->kinds = of_public(c->options->types[i].kinds);
        }
    if (!declared)
        for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
            if (!node->rooted && named(node, type_names[i].name)) {
                node->resolution = R_TYPE;
                node->value = (struct rx_value){.kind = RX_TYPE, .u.i = type_names[i].kind};
                declared = true;
            }
    if (!declared && (c->options->flags & RX_EXPR_CLOSED))
        return unknown_name(c, node);
    if (c->options->flags & RX_EXPR_MARK_NAMES)
        c->expr->reaches |= RX_REACHES_MARK;
    return reach_field(c, node->name, node->length);
}

static int check_name(struct rx_compiler *c, struct rx_node *node)
{
    struct rx_variable *variable = node->rooted ? NULL : find_variable(c, node);
    node->kinds = RX_K_ALL;
    if (variable) {
        node->resolution = R_VARIABLE;
        node->variables[0] = variable;
        node->kinds = variable->kinds;
        return 0;
    }
    if (!node->rooted && (node->index = find_local(c, node)) >= 0) {
        node->resolution = R_LOCAL;
        return 0;
    }
    if (node->rooted)
        return check_field(c, node);
    if (named(node, "event")) {
        node->resolution = R_EVENT;
        c->expr->reaches_all = true;
    } else if (named(node, "event_time")) {
        node->resolution = R_EVENT_TIME;
        node->kinds = RX_K_TIMESTAMP;
        c->expr->reaches |= RX_REACHES_TIME;
    } else if (named(node, "meta")) {
        node->resolution = R_META;
        node->kinds = RX_K_MAP;
        c->expr->reaches |= RX_REACHES_META | RX_REACHES_MARK;
    } else if (named(node, "outer")) {
        node->resolution = R_OUTER;
        c->expr->reaches |= RX_REACHES_OUTER;
    } else {
        return check_field(c, node);
    }
    return 0;
}

/* Is it the name `event` (or `meta`) itself, not a variable or local that hides it? */
static bool is_special(const struct rx_compiler *c, const struct rx_node *node, const char *name)
{
    return node->kind == N_IDENT && !node->rooted && named(node, name) && !find_variable(c, node) &&
           find_local(c, node) < 0;
}

/* event.name and event["name"] are the field itself. */
static int become_field(struct rx_compiler *c, struct rx_node *node, const char *name, uint32_t length)
{
    node->kind = N_IDENT;
    node->count = 0;
    node->name = name;
    node->length = length;
    node->rooted = true;
    return check_field(c, node);
}

static int check_meta(struct rx_compiler *c, struct rx_node *node)
{
    static const char *const names[] = {"source", "topic", "key", "retained", NULL};
    for (int i = 0; names[i]; i++)
        if (named(node, names[i])) {
            node->kind = N_IDENT;
            node->count = 0;
            node->resolution = R_META_FIELD;
            node->index = i;
            node->kinds = i < 2 ? RX_K_STRING : i == 3 ? RX_K_BOOL : RX_K_ALL;
            c->expr->reaches |= i == 2 ? RX_REACHES_MARK : RX_REACHES_META;
            return 0;
        }
    rx_compile_failed(c, node, "meta has no field named \"%.*s\"", (int)node->length, node->name);
    rx_error_hint(c->reterr, "meta has source, topic, key and retained; a field named meta is event.meta");
    return -EINVAL;
}

static bool is_proto_name(const struct rx_node *node, const char *last)
{
    const struct rx_node *middle = node->args[0];
    return named(node, last) && middle->kind == N_SELECT && named(middle, "protobuf") &&
           middle->args[0]->kind == N_IDENT && named(middle->args[0], "google");
}

static bool check_type_name(struct rx_node *node)
{
    int64_t kind = is_proto_name(node, "Timestamp") ? RX_TIMESTAMP : is_proto_name(node, "Duration") ? RX_DURATION : -1;
    if (kind < 0)
        return false;
    node->kind = N_LITERAL;
    node->count = 0;
    node->value = (struct rx_value){.kind = RX_TYPE, .u.i = kind};
    node->constant = true;
    node->kinds = RX_K_TYPE;
    return true;
}

/* ---- operators ---- */

static bool all_constant(const struct rx_node *node)
{
    for (unsigned i = 0; i < node->count; i++)
        if (!node->args[i]->constant)
            return false;
    return true;
}

static int check_args(struct rx_compiler *c, struct rx_node *node)
{
    for (unsigned i = 0; i < node->count; i++) {
        int r = rx_check(c, node->args[i]);
        if (r < 0)
            return r;
    }
    node->constant = all_constant(node);
    return 0;
}

static int check_select(struct rx_compiler *c, struct rx_node *node)
{
    struct rx_node *object = node->args[0];
    if (is_special(c, object, "event") && !node->optional)
        return become_field(c, node, node->name, node->length);
    if (is_special(c, object, "meta") && !node->optional)
        return check_meta(c, node);
    if (check_type_name(node))
        return 0;
    if (object->kind == N_IDENT && is_special(c, object, "event")) {
        int r = reach_field(c, node->name, node->length);
        object->resolution = R_EVENT;
        object->kinds = RX_K_ALL;
        node->kinds = RX_K_OPTIONAL;
        return r;
    }
    int r = check_args(c, node);
    node->kinds = node->optional ? RX_K_OPTIONAL : RX_K_ALL;
    char text[120];
    if (r == 0 && !(object->kinds & (RX_K_MAP | RX_K_OPTIONAL | RX_K_NULL)))
        r = complain(c, node, node->at, "%s has no fields, so .%.*s cannot be there",
                     rx_kinds_text(object->kinds, text, sizeof text), (int)node->length, node->name);
    return r;
}

static int check_index(struct rx_compiler *c, struct rx_node *node)
{
    struct rx_node *object = node->args[0], *key = node->args[1];
    if (is_special(c, object, "event") && !node->optional && key->kind == N_LITERAL && key->value.kind == RX_STRING)
        return become_field(c, node, key->value.u.text, key->value.aux);
    int r = check_args(c, node);
    node->kinds = node->optional ? RX_K_OPTIONAL : RX_K_ALL;
    char text[120];
    if (r == 0 && !(object->kinds & (RX_K_MAP | RX_K_LIST | RX_K_OPTIONAL | RX_K_NULL)))
        return complain(c, node, node->at, "%s cannot be indexed with [ ]",
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

static int complain_binary(struct rx_compiler *c, struct rx_node *node, const char *format_tail)
{
    char left[120], right[120];
    rx_kinds a = node->args[0]->kinds, b = node->args[1]->kinds;
    int r = complain(c, node, node->at, "cannot %s %s %s %s%s", verbs[node->op], rx_kinds_text(a, left, sizeof left),
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
static int check_dash(struct rx_compiler *c, const struct rx_node *node)
{
    const struct rx_node *a = node->args[0], *b = node->args[1];
    bool names = a->kind == N_IDENT && b->kind == N_IDENT && a->resolution == R_FIELD && b->resolution == R_FIELD;
    if (node->op != O_SUB || !names || a->end != node->at || b->start != node->at + 1)
        return 0;
    struct rx_error *hint = rx_vector_add(c, &c->hints, sizeof *hint);
    if (!hint)
        return -ENOMEM;
    int length = (int)(b->end - a->start);
    const char *text = c->expr->text + a->start;
    rx_expr_complain(hint, c->expr->text, c->expr->length, a->start,
                     "%.*s subtracts the field %.*s from the field %.*s", length, text, (int)b->length, b->name,
                     (int)a->length, a->name);
    rx_error_hint(hint, "if %.*s is one field, write `%.*s` or event[\"%.*s\"]; if not, put spaces around the minus",
                  length, text, length, text, length, text);
    return 0;
}

static int check_binary(struct rx_compiler *c, struct rx_node *node)
{
    struct rx_node *left = node->args[0], *right = node->args[1];
    if (node->op == O_IN && left->kind == N_LITERAL && left->value.kind == RX_STRING && is_special(c, right, "event")) {
        struct rx_node *name = rx_arena_alloc(&c->arena, sizeof *name);
        if (!name)
            return rx_error_set(c->reterr, -ENOMEM, "out of memory");
        *name = *right;
        node->kind = N_HAS;
        node->count = 1;
        node->args[0] = name;
        node->kinds = RX_K_BOOL;
        return become_field(c, name, left->value.u.text, left->value.aux);
    }
    int r = check_args(c, node);
    if (r < 0)
        return r;
    node->kinds = rx_kinds_binary(node->op, left->kinds, right->kinds);
    if (!node->kinds)
        r = complain_binary(c, node, "");
    else if ((node->op == O_EQ || node->op == O_NE) && !rx_kinds_may_equal(left->kinds, right->kinds))
        r = complain_binary(c, node, ": they are never equal");
    return r < 0 ? r : check_dash(c, node);
}

static int need_bool(struct rx_compiler *c, struct rx_node *node, const struct rx_node *operand, const char *where)
{
    char text[120];
    if (operand->kinds & RX_K_BOOL)
        return 0;
    return complain(c, node, operand->start, "%s needs true or false, here is %s", where,
                    rx_kinds_text(operand->kinds, text, sizeof text));
}

static int check_logic(struct rx_compiler *c, struct rx_node *node)
{
    const char *where = node->kind == N_AND ? "&&" : "||";
    int r = check_args(c, node);
    for (unsigned i = 0; r == 0 && i < 2; i++)
        r = need_bool(c, node, node->args[i], where);
    node->kinds = RX_K_BOOL;
    return r;
}

static int check_unary(struct rx_compiler *c, struct rx_node *node)
{
    char text[120];
    int r = check_args(c, node);
    if (r < 0)
        return r;
    rx_kinds kinds = node->args[0]->kinds;
    node->kinds = node->op == O_NOT ? kinds & RX_K_BOOL : rx_kinds_negate(kinds);
    if (node->kinds)
        return 0;
    if (node->op == O_NOT)
        return need_bool(c, node, node->args[0], "!");
    return complain(c, node, node->at, "- needs a number after it, here is %s",
                    rx_kinds_text(kinds, text, sizeof text));
}

static int check_conditional(struct rx_compiler *c, struct rx_node *node)
{
    int r = check_args(c, node);
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

static int check_loop(struct rx_compiler *c, struct rx_node *node)
{
    char text[120];
    int r = rx_check(c, node->args[0]);
    if (r < 0)
        return r;
    rx_kinds range = node->args[0]->kinds;
    if (!(range & (RX_K_LIST | RX_K_MAP | RX_K_NULL)) &&
        complain(c, node, node->at, "a macro goes through a list or a map, here is %s",
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

static int check_bound(struct rx_compiler *c, struct rx_node *node)
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
        r = complain(c, node, node->at, "%.*s works on an optional, here is %s", (int)node->length, node->name,
                     rx_kinds_text(node->args[0]->kinds, text, sizeof text));
    return r;
}

/* ---- literals ---- */

static int check_map(struct rx_compiler *c, struct rx_node *node)
{
    const rx_kinds keys = RX_K_BOOL | RX_K_INT | RX_K_UINT | RX_K_STRING | RX_K_JSON;
    char text[120];
    int r = check_args(c, node);
    node->kinds = RX_K_MAP;
    for (unsigned i = 0; r == 0 && i < node->count; i += 2) {
        struct rx_node *key = node->args[i];
        if (!(key->kinds & keys)) {
            r = complain(c, node, key->start, "a key is a string, an int, a uint or a bool, here is %s",
                         rx_kinds_text(key->kinds, text, sizeof text));
        }
        for (unsigned k = 0; r == 0 && k < i && i < 128; k += 2)
            if (key->kind == N_LITERAL && node->args[k]->kind == N_LITERAL &&
                rx_value_equal(key->value, node->args[k]->value))
                r = complain(c, node, key->start, "the key %.*s is here twice", (int)(key->end - key->start),
                             c->expr->text + key->start);
    }
    return r;
}

static int check_optional_items(struct rx_compiler *c, struct rx_node *node, unsigned step)
{
    char text[120];
    for (unsigned i = step - 1; node->optionals && i < node->count; i += step)
        if (node->optionals[i] && !(node->args[i]->kinds & RX_K_OPTIONAL)) {
            int r = complain(c, node, node->args[i]->start, "after ? stands an optional, here is %s",
                             rx_kinds_text(node->args[i]->kinds, text, sizeof text));
            if (r < 0)
                return r;
        }
    return 0;
}

/* ---- calls ---- */

static const char *const namespaces[] = {"math", "strings", "optional", "base64", "lists", "sets", "cel", NULL};

static bool is_namespace(const struct rx_node *node)
{
    for (size_t i = 0; node->kind == N_IDENT && !node->parens && namespaces[i]; i++)
        if (named(node, namespaces[i]))
            return true;
    return false;
}

static const struct {
    const char *name, *hint;
} foreign_functions[] = {
    {"abs", "write math.abs(x)"},
    {"ceil", "write math.ceil(x)"},
    {"floor", "write math.floor(x)"},
    {"round", "write math.round(x)"},
    {"sqrt", "write math.sqrt(x)"},
    {"pow", "there is no power; write x * x"},
    {"len", "write size(x)"},
    {"length", "write size(x)"},
    {"count", "write size(list); count() belongs into aggregate"},
    {"lower", "write text.lowerAscii()"},
    {"toLowerCase", "write text.lowerAscii()"},
    {"upper", "write text.upperAscii()"},
    {"toUpperCase", "write text.upperAscii()"},
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
    {"round2", "write math.round(x * 100.0) / 100.0"},
};

static bool hint_function(struct rx_compiler *c, const struct rx_node *node, const char *name)
{
    for (size_t i = 0; i < sizeof foreign_functions / sizeof *foreign_functions; i++)
        if (named(node, foreign_functions[i].name)) {
            rx_error_hint(c->reterr, "%s", foreign_functions[i].hint);
            return true;
        }
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

static int unknown_function(struct rx_compiler *c, struct rx_node *node, const char *prefix)
{
    const char *names[300];
    size_t count = 0;
    char name[80];
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
    if (!hint_function(c, node, name) && near)
        rx_error_hint(c->reterr, "did you mean %s?", near);
    return -EINVAL;
}

/* math.abs(x): the target is a namespace, not a value. */
static int resolve_qualified(struct rx_compiler *c, struct rx_node *node)
{
    struct rx_node *target = node->args[0];
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
    if (!is_namespace(target) || find_variable(c, target) || rx_function_find(node->name, node->length, RX_F_METHOD))
        return 0;
    name[target->length] = '\0';
    return unknown_function(c, node, name);
}

static int wrong_count(struct rx_compiler *c, struct rx_node *node)
{
    const struct rx_function *f = node->function;
    unsigned receiver = node->method, given = node->count - receiver;
    rx_compile_failed(c, node, "%s takes %u%s%s argument%s, here %s %u", f->name, f->min_args - receiver,
                      f->max_args == 255 ? " or more" : "",
                      f->max_args != f->min_args && f->max_args != 255 ? " or more" : "",
                      f->min_args - receiver == 1 ? "" : "s", given == 1 ? "is" : "are", given);
    rx_error_hint(c->reterr, "write %s", f->signature);
    return -EINVAL;
}

static int check_argument_kinds(struct rx_compiler *c, struct rx_node *node)
{
    const struct rx_function *f = node->function;
    char here[120], wanted[120];
    for (unsigned i = 0; i < node->count; i++) {
        rx_kinds allowed = f->args[i < 4 ? i : 3];
        if (!allowed || (node->args[i]->kinds & allowed) || (node->args[i]->kinds & RX_K_NULL))
            continue;
        int r = complain(c, node, node->args[i]->start, "%s works on %s, here is %s", f->name,
                         rx_kinds_text(allowed, wanted, sizeof wanted),
                         rx_kinds_text(node->args[i]->kinds, here, sizeof here));
        if (r == 0)
            rx_error_hint(node->complaint, "write %s", f->signature);
        return r;
    }
    return 0;
}

static int check_call(struct rx_compiler *c, struct rx_node *node)
{
    if (!node->method && (c->options->flags & RX_EXPR_AGGREGATES)) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
        if (node->length < sizeof name && rx_expr_is_aggregate(name))
            return rx_check_aggregate(c, node);
    }
    int r = node->method ? resolve_qualified(c, node) : 0;
    if (r < 0 || (r = check_args(c, node)) < 0)
        return r;
    if (!node->function)
        node->function = rx_function_find(node->name, node->length, node->method ? RX_F_METHOD : RX_F_GLOBAL);
    if (!node->function)
        return unknown_function(c, node, "");
    if (node->count < node->function->min_args || node->count > node->function->max_args)
        return wrong_count(c, node);
    node->kinds = node->function->result;
    return check_argument_kinds(c, node);
}

static int check_node(struct rx_compiler *c, struct rx_node *node)
{
    int r;
    switch ((enum rx_node_kind)node->kind) {
    case N_LITERAL:
        node->constant = true;
        node->kinds = rx_kinds_of(node->value);
        return 0;
    case N_IDENT:
        r = check_name(c, node);
        node->constant = r == 0 && node->resolution == R_VARIABLE; /* decided by what binds it */
        return r;
    case N_SELECT:
        return check_select(c, node);
    case N_INDEX:
        return check_index(c, node);
    case N_CALL:
        return check_call(c, node);
    case N_LIST:
        r = check_args(c, node);
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
        r = check_args(c, node);
        node->kinds = RX_K_BOOL;
        return r;
    case N_COALESCE:
        r = check_args(c, node);
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

static bool binds(const struct rx_node *node)
{
    return node->kind == N_COMPREHENSION || node->kind == N_BIND || node->kind == N_OPT_MAP;
}

int rx_check(struct rx_compiler *c, struct rx_node *node)
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
