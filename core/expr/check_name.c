/* The checker, names: fields, locals, variables, the event, its metadata, and the names of types. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/check_private.h"

static bool same_access(const struct rx_key *key, const char *name, size_t length)
{
    return key->length == length && memcmp(key->text, name, length) == 0;
}

int rx_check_reach_field(struct rx_compiler *c, const char *name, size_t length)
{
    const struct rx_key **fields = c->fields.data;
    for (size_t i = 0; i < c->fields.count; i++)
        if (same_access(fields[i], name, length))
            return 0;
    const struct rx_key *key = rx_compiler_key(c, name, length);
    if (!key)
        return -ENOMEM;
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

struct rx_variable *rx_check_find_variable(const struct rx_compiler *c, const struct rx_ast *node)
{
    for (struct rx_variable *v = c->scope; v; v = v->outer)
        if (v->length == node->length && memcmp(v->name, node->name, v->length) == 0)
            return v;
    return NULL;
}

static int find_local(const struct rx_compiler *c, const struct rx_ast *node)
{
    for (int i = 0; c->options->locals && c->options->locals[i]; i++)
        if (rx_check_named(node, c->options->locals[i]))
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

/* What to write for a name that is none of the fields: the nearest one, or a text, or one of those that there are. */
static void hint_name(const struct rx_compiler *c, const char *name, struct rx_error *error)
{
    const char *names[130];
    char list[160] = "";
    size_t count = 0, used = 0;
    for (size_t i = 0; i < c->options->type_count && count < 125; i++) {
        names[count++] = c->options->types[i].name;
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[count - 1]);
    }
    names[count++] = "event";
    names[count++] = "event_time";
    names[count++] = "meta";
    names[count] = NULL;
    const char *near = rx_nearest(name, names);
    if (c->options->type_count == 0)
        rx_error_hint(error, "there is no event here, but perhaps `outer`; a text needs quotes: \"%s\"", name);
    else if (near)
        rx_error_hint(error, "did you mean %s?", near);
    else if (used < sizeof list)
        rx_error_hint(error, "there are %s; a text needs quotes: \"%s\"", list, name);
    else
        rx_error_hint(error, "a text needs quotes: \"%s\"", name);
}

static int unknown_name(struct rx_compiler *c, const struct rx_ast *node)
{
    char name[80];
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    rx_compile_failed(c, node, "there is no field named \"%s\" at this step", name);
    hint_name(c, name, c->reterr);
    return -EINVAL;
}

/* Said to be all the fields: by a source's declared columns, by the pipeline that is read. */
static int undeclared_name(struct rx_compiler *c, const struct rx_ast *node)
{
    char name[80];
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    struct rx_error *hint = rx_check_hint(c, node->start, "nothing here gives a field named %s", name);
    if (!hint)
        return -ENOMEM;
    hint_name(c, name, hint);
    return 0;
}

/* The literals of other languages. */
static int check_foreign_literal(struct rx_compiler *c, const struct rx_ast *node)
{
    static const char *const words[][2] = {
        {"True", "true"}, {"TRUE", "true"}, {"False", "false"},    {"FALSE", "false"}, {"None", "null"},
        {"NULL", "null"}, {"Null", "null"}, {"undefined", "null"}, {"nil", "null"},    {"NaN", "0.0 / 0.0"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (node->rooted || !rx_check_named(node, words[i][0]))
            continue;
        struct rx_error *hint = rx_check_hint(c, node->start, "%s is read as the name of a field", words[i][0]);
        rx_error_hint(hint, "write %s; a field of this name is event.%s", words[i][1], words[i][0]);
        return hint ? 0 : -ENOMEM;
    }
    return 0;
}

static int check_field(struct rx_compiler *c, struct rx_ast *node)
{
    if (rx_check_gathered(c, node) < 0)
        return -EINVAL;
    node->resolution = R_FIELD;
    node->kinds = RX_K_ALL;
    bool declared = false;
    for (size_t i = 0; i < c->options->type_count; i++)
        if (rx_check_named(node, c->options->types[i].name)) {
            declared = true;
            node->kinds = of_public(c->options->types[i].kinds);
        }
    if (!declared)
        for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
            if (!node->rooted && rx_check_named(node, type_names[i].name)) {
                node->resolution = R_TYPE;
                node->value = (struct rx_value){.kind = RX_TYPE, .u.i = type_names[i].kind};
                declared = true;
            }
    if (!declared && (c->options->flags & RX_EXPR_CLOSED) && !c->may_be_absent)
        return unknown_name(c, node);
    bool odd = !declared && c->options->flags & (RX_EXPR_CLOSED | RX_EXPR_DECLARED);
    if (!declared && (odd ? undeclared_name(c, node) : check_foreign_literal(c, node)) < 0)
        return -ENOMEM;
    if (c->options->flags & RX_EXPR_MARK_NAMES)
        c->expr->reaches |= RX_REACHES_MARK;
    return rx_check_reach_field(c, node->name, node->length);
}

int rx_check_name(struct rx_compiler *c, struct rx_ast *node)
{
    struct rx_variable *variable = node->rooted ? NULL : rx_check_find_variable(c, node);
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
    bool special = rx_check_named(node, "event") || rx_check_named(node, "event_time") ||
                   rx_check_named(node, "meta") || rx_check_named(node, "outer");
    if (special && rx_check_gathered(c, node) < 0)
        return -EINVAL;
    if (rx_check_named(node, "event")) {
        node->resolution = R_EVENT;
        c->expr->reaches_all = true;
    } else if (rx_check_named(node, "event_time")) {
        node->resolution = R_EVENT_TIME;
        node->kinds = RX_K_TIMESTAMP;
        c->expr->reaches |= RX_REACHES_TIME;
    } else if (rx_check_named(node, "meta")) {
        node->resolution = R_META;
        node->kinds = RX_K_MAP;
        c->expr->reaches |= RX_REACHES_META | RX_REACHES_MARK;
    } else if (rx_check_named(node, "outer")) {
        node->resolution = R_OUTER;
        c->expr->reaches |= RX_REACHES_OUTER;
    } else {
        return check_field(c, node);
    }
    return 0;
}

/* Is it the name `event` (or `meta`) itself, not a variable or local that hides it? */
bool rx_check_is_special(const struct rx_compiler *c, const struct rx_ast *node, const char *name)
{
    return node->kind == N_IDENT && !node->rooted && rx_check_named(node, name) && !rx_check_find_variable(c, node) &&
           find_local(c, node) < 0;
}

/* event.name and event["name"] are the field itself. */
int rx_check_become_field(struct rx_compiler *c, struct rx_ast *node, const char *name, uint32_t length)
{
    node->kind = N_IDENT;
    node->count = 0;
    node->name = name;
    node->length = length;
    node->rooted = true;
    return check_field(c, node);
}

int rx_check_meta(struct rx_compiler *c, struct rx_ast *node)
{
    static const char *const names[] = {"source", "topic", "key", "retained", "status", NULL};
    if (rx_check_gathered(c, node->args[0]) < 0)
        return -EINVAL;
    for (int i = 0; names[i]; i++)
        if (rx_check_named(node, names[i])) {
            node->kind = N_IDENT;
            node->count = 0;
            node->resolution = R_META_FIELD;
            node->index = i;
            node->kinds = i < 2 ? RX_K_STRING : i == 3 ? RX_K_BOOL : i == 4 ? RX_K_INT : RX_K_ALL;
            c->expr->reaches |= i == 2 ? RX_REACHES_MARK : RX_REACHES_META;
            return 0;
        }
    rx_compile_failed(c, node, "meta has no field named \"%.*s\"", (int)node->length, node->name);
    rx_error_hint(c->reterr,
                  "meta has source, topic, key, retained and (behind http) status; a field named meta is event.meta");
    return -EINVAL;
}

static bool is_proto_name(const struct rx_ast *node, const char *last)
{
    const struct rx_ast *middle = node->args[0];
    return rx_check_named(node, last) && middle->kind == N_SELECT && rx_check_named(middle, "protobuf") &&
           middle->args[0]->kind == N_IDENT && rx_check_named(middle->args[0], "google");
}

bool rx_check_type_name(struct rx_ast *node)
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
