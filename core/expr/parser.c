/* The parser: tokens to a tree, by precedence climbing (langdef, "Syntax"); macros are recognised here.
 *
 * Recursion is bounded by RX_EXPR_NEST_MAX, the height of the tree by RX_EXPR_DEPTH_MAX. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/parser.h"

static int parse_expr(struct rx_parser *, struct rx_ast **ret);

static int advance(struct rx_parser *p)
{
    p->last_end = p->token.end;
    return rx_lexer_next(&p->lexer, &p->token);
}

static bool at_word(const struct rx_parser *p, const char *word)
{
    return p->token.kind == T_IDENT && p->token.length == strlen(word) &&
           memcmp(p->token.text, word, p->token.length) == 0;
}

static int out_of_memory(struct rx_parser *p) { return rx_error_set(p->lexer.reterr, -ENOMEM, "out of memory"); }

static struct rx_ast *make(struct rx_parser *p, enum rx_ast_kind kind, uint32_t start, unsigned args)
{
    struct rx_ast *node = rx_arena_alloc(p->lexer.arena, sizeof *node);
    if (!node)
        return NULL;
    node->kind = (uint8_t)kind;
    node->start = node->at = start;
    node->end = p->last_end;
    node->depth = 1;
    if (args) {
        node->args = rx_arena_alloc(p->lexer.arena, args * sizeof *node->args);
        if (!node->args)
            return NULL;
        node->count = args;
    }
    return node;
}

static int too_deep(struct rx_parser *p, uint32_t at)
{
    rx_parser_fail(p, at, "the expression is more than %d levels deep", RX_EXPR_DEPTH_MAX);
    rx_error_hint(p->lexer.reterr, "compute parts of it in a set step before");
    return -EINVAL;
}

/* Sets the end and the height of a node whose arguments are there. */
static int finish(struct rx_parser *p, struct rx_ast *node)
{
    unsigned depth = 0;
    for (unsigned i = 0; i < node->count; i++)
        if (node->args[i]->depth > depth)
            depth = node->args[i]->depth;
    node->end = p->last_end;
    node->depth = (uint16_t)(depth + 1);
    return node->depth <= RX_EXPR_DEPTH_MAX ? 0 : too_deep(p, node->at);
}

/* A bracket opens: of a parenthesis, a call, a list, a map, an index. */
static int enter(struct rx_parser *p)
{
    if (++p->nesting <= RX_EXPR_NEST_MAX)
        return 0;
    rx_parser_fail(p, p->token.start, "more than %d brackets and calls inside one another", RX_EXPR_NEST_MAX);
    return -EINVAL;
}

/* The operand of a sign, or what a conditional gives otherwise: each is a level of the tree. */
static int descend(struct rx_parser *p, uint32_t at) { return ++p->levels <= RX_EXPR_DEPTH_MAX ? 0 : too_deep(p, at); }

static int expect(struct rx_parser *p, enum rx_token_kind kind, const char *what, uint32_t opened)
{
    if (p->token.kind == kind)
        return advance(p);
    return rx_parser_unexpected(p, what, opened);
}

/* ---- lists of expressions ---- */

struct items {
    struct rx_ast **nodes;
    uint8_t *optionals;
    unsigned count, capacity;
    bool any_optional;
};

static int items_add(struct rx_parser *p, struct items *items, struct rx_ast *node, bool optional)
{
    if (items->count == items->capacity) {
        unsigned capacity = items->capacity ? 2 * items->capacity : 8;
        struct rx_ast **nodes = rx_arena_alloc(p->lexer.arena, capacity * sizeof *nodes);
        uint8_t *optionals = rx_arena_alloc(p->lexer.arena, capacity);
        if (!nodes || !optionals)
            return out_of_memory(p);
        if (items->count) {
            memcpy(nodes, items->nodes, items->count * sizeof *nodes);
            memcpy(optionals, items->optionals, items->count);
        }
        items->nodes = nodes;
        items->optionals = optionals;
        items->capacity = capacity;
    }
    items->optionals[items->count] = optional;
    items->any_optional |= optional;
    items->nodes[items->count++] = node;
    return 0;
}

static int parse_item(struct rx_parser *p, struct items *items, bool optionals, bool pairs)
{
    bool optional = optionals && p->token.kind == T_QUESTION;
    struct rx_ast *node;
    int r = optional ? advance(p) : 0;
    if (r < 0 || (r = parse_expr(p, &node)) < 0 || (r = items_add(p, items, node, optional)) < 0)
        return r;
    if (!pairs)
        return 0;
    if (p->token.kind != T_COLON)
        return rx_parser_unexpected(p, "a : and the value of this key", UINT32_MAX);
    if ((r = advance(p)) < 0 || (r = parse_expr(p, &node)) < 0)
        return r;
    return items_add(p, items, node, optional);
}

/* Items up to `close`; a trailing comma is allowed in lists and maps. */
static int parse_items(struct rx_parser *p, struct items *items, enum rx_token_kind close, const char *what,
                       uint32_t opened, bool pairs)
{
    int r = enter(p);
    while (r == 0 && p->token.kind != close) {
        r = parse_item(p, items, close != T_RPAREN, pairs);
        if (r < 0 || p->token.kind != T_COMMA)
            break;
        r = advance(p);
        if (r == 0 && p->token.kind == close && close == T_RPAREN)
            return rx_parser_unexpected(p, "another argument after the comma", UINT32_MAX);
    }
    if (r == 0)
        r = expect(p, close, what, opened);
    p->nesting--;
    return r;
}

static int node_of_items(struct rx_parser *p, enum rx_ast_kind kind, uint32_t start, const struct items *items,
                         struct rx_ast **ret)
{
    struct rx_ast *node = make(p, kind, start, 0);
    if (!node)
        return out_of_memory(p);
    node->args = items->nodes;
    node->count = items->count;
    node->optionals = items->any_optional ? items->optionals : NULL;
    *ret = node;
    return finish(p, node);
}

static int parse_list(struct rx_parser *p, struct rx_ast **ret)
{
    uint32_t start = p->token.start;
    struct items items = {0};
    int r = advance(p);
    if (r == 0)
        r = parse_items(p, &items, T_RBRACKET, "a comma or ]", start, false);
    return r < 0 ? r : node_of_items(p, N_LIST, start, &items, ret);
}

static int parse_map(struct rx_parser *p, struct rx_ast **ret)
{
    uint32_t start = p->token.start;
    struct items items = {0};
    int r = advance(p);
    if (r == 0)
        r = parse_items(p, &items, T_RBRACE, "a comma or }", start, true);
    return r < 0 ? r : node_of_items(p, N_MAP, start, &items, ret);
}

/* ---- names, calls, literals ---- */

/* A call of `name`; `target` NULL: a global one. The parser stands on the opening parenthesis. */
static int parse_call(struct rx_parser *p, struct rx_ast *target, const struct rx_token *name, struct rx_ast **ret)
{
    struct items items = {0};
    uint32_t opened = p->token.start, start = target ? target->start : name->start;
    int r = target ? items_add(p, &items, target, false) : 0;
    if (r < 0 || (r = advance(p)) < 0 || (r = parse_items(p, &items, T_RPAREN, "a comma or )", opened, false)) < 0)
        return r;
    struct rx_ast *node = NULL;
    if ((r = node_of_items(p, N_CALL, start, &items, &node)) < 0)
        return r;
    node->at = name->start;
    node->name = name->text;
    node->length = name->length;
    node->method = target != NULL;
    r = rx_parser_macro(p, node);
    *ret = node;
    return r;
}

static int parse_literal(struct rx_parser *p, struct rx_ast **ret)
{
    struct rx_token token = p->token;
    if (token.kind == T_INT && token.value.u.u > INT64_MAX)
        return rx_parser_fail(p, token.start, "the number %.*s is out of range: int holds at most 9223372036854775807",
                              (int)(token.end - token.start), p->lexer.text + token.start);
    int r = advance(p);
    if (r < 0)
        return r;
    struct rx_ast *node = make(p, N_LITERAL, token.start, 0);
    if (!node)
        return out_of_memory(p);
    node->value = token.kind == T_TRUE ? rx_bool(true) : token.kind == T_FALSE ? rx_bool(false) : token.value;
    *ret = node;
    return 0;
}

static int parse_name(struct rx_parser *p, bool rooted, uint32_t start, struct rx_ast **ret)
{
    struct rx_token token = p->token;
    if (token.kind != T_IDENT && token.kind != T_QUOTED)
        return rx_parser_unexpected(p, "a name after the dot", UINT32_MAX);
    int r = advance(p);
    if (r < 0)
        return r;
    if (token.kind == T_IDENT && p->token.kind == T_LPAREN)
        return parse_call(p, NULL, &token, ret);
    if (token.kind == T_IDENT && rx_word_is_reserved(token.text, token.length))
        return rx_parser_reserved(p, &token);
    struct rx_ast *node = make(p, N_IDENT, start, 0);
    if (!node)
        return out_of_memory(p);
    node->name = token.text;
    node->length = token.length;
    node->rooted = rooted || token.kind == T_QUOTED;
    *ret = node;
    return 0;
}

static int parse_parenthesis(struct rx_parser *p, struct rx_ast **ret)
{
    uint32_t opened = p->token.start;
    int r = enter(p);
    if (r < 0 || (r = advance(p)) < 0 || (r = parse_expr(p, ret)) < 0)
        return r;
    if (p->token.kind == T_COMMA) {
        rx_parser_unexpected(p, "a closing )", opened);
        rx_error_hint(p->lexer.reterr, "a list is written with square brackets: [1, 2]");
        return -EINVAL;
    }
    r = expect(p, T_RPAREN, "a closing )", opened);
    p->nesting--;
    (*ret)->parens = true;
    (*ret)->start = opened;
    (*ret)->end = p->last_end;
    return r;
}

static int parse_primary(struct rx_parser *p, struct rx_ast **ret)
{
    uint32_t start = p->token.start;
    int r;
    switch (p->token.kind) {
    case T_INT:
    case T_UINT:
    case T_DOUBLE:
    case T_STRING:
    case T_BYTES:
    case T_TRUE:
    case T_FALSE:
    case T_NULL:
        return parse_literal(p, ret);
    case T_LPAREN:
        return parse_parenthesis(p, ret);
    case T_LBRACKET:
        return parse_list(p, ret);
    case T_LBRACE:
        return parse_map(p, ret);
    case T_DOT:
        r = advance(p);
        return r < 0 ? r : parse_name(p, true, start, ret);
    case T_IDENT:
    case T_QUOTED:
        return parse_name(p, false, start, ret);
    default:
        return rx_parser_unexpected(p, "a value", UINT32_MAX);
    }
}

/* ---- selection and indexing ---- */

static int parse_select(struct rx_parser *p, struct rx_ast **inout)
{
    bool optional = false;
    int r = advance(p);
    if (r == 0 && p->token.kind == T_QUESTION) {
        optional = true;
        r = advance(p);
    }
    if (r < 0)
        return r;
    struct rx_token name = p->token;
    if (name.kind != T_IDENT && name.kind != T_QUOTED)
        return rx_parser_bad_field(p);
    if ((r = advance(p)) < 0)
        return r;
    if (p->token.kind == T_LPAREN && !optional && name.kind == T_IDENT)
        return parse_call(p, *inout, &name, inout);
    struct rx_ast *node = make(p, N_SELECT, (*inout)->start, 1);
    if (!node)
        return out_of_memory(p);
    node->args[0] = *inout;
    node->at = name.start;
    node->name = name.text;
    node->length = name.length;
    node->optional = optional;
    *inout = node;
    return finish(p, node);
}

static int parse_index(struct rx_parser *p, struct rx_ast **inout)
{
    uint32_t opened = p->token.start;
    struct rx_ast *node = make(p, N_INDEX, (*inout)->start, 2);
    if (!node)
        return out_of_memory(p);
    node->args[0] = *inout;
    node->at = opened;
    int r = enter(p);
    if (r < 0 || (r = advance(p)) < 0)
        return r;
    if (p->token.kind == T_QUESTION) {
        node->optional = true;
        if ((r = advance(p)) < 0)
            return r;
    }
    if ((r = parse_expr(p, &node->args[1])) < 0 || (r = expect(p, T_RBRACKET, "a closing ]", opened)) < 0)
        return r;
    p->nesting--;
    *inout = node;
    return finish(p, node);
}

static int parse_member(struct rx_parser *p, struct rx_ast **ret)
{
    int r = parse_primary(p, ret);
    while (r == 0) {
        if (p->token.kind == T_DOT)
            r = parse_select(p, ret);
        else if (p->token.kind == T_LBRACKET)
            r = parse_index(p, ret);
        else
            break;
    }
    return r;
}

/* ---- operators ---- */

/* -9223372036854775808 and other negative literals are one literal. */
static int parse_negative_literal(struct rx_parser *p, uint32_t start, struct rx_ast **ret)
{
    struct rx_token token = p->token;
    p->token.value = token.kind == T_INT ? rx_int((int64_t)(0 - token.value.u.u)) : rx_double(-token.value.u.d);
    if (token.kind == T_INT)
        p->token.kind = T_DOUBLE; /* past the range check for positive numbers */
    int r = parse_member(p, ret);
    if (r == 0 && (*ret)->kind == N_LITERAL)
        (*ret)->start = start;
    return r;
}

static int parse_unary(struct rx_parser *p, struct rx_ast **ret)
{
    struct rx_token sign = p->token;
    if (sign.kind != T_NOT && sign.kind != T_MINUS)
        return parse_member(p, ret);
    int r = advance(p);
    if (r < 0)
        return r;
    if (sign.kind == T_MINUS && (p->token.kind == T_INT || p->token.kind == T_DOUBLE))
        return parse_negative_literal(p, sign.start, ret);
    struct rx_ast *operand;
    if ((r = descend(p, sign.start)) < 0 || (r = parse_unary(p, &operand)) < 0)
        return r;
    p->levels--;
    struct rx_ast *node = make(p, N_UNARY, sign.start, 1);
    if (!node)
        return out_of_memory(p);
    node->op = sign.kind == T_NOT ? O_NOT : O_NEG;
    node->args[0] = operand;
    *ret = node;
    return finish(p, node);
}

/* Precedence of a binary operator, 0: not one. */
static unsigned precedence(enum rx_token_kind kind, uint8_t *ret_op)
{
    static const struct {
        uint8_t token, level, op;
    } table[] = {
        {T_OR, 1, N_OR},     {T_AND, 2, N_AND},  {T_EQ, 3, O_EQ},     {T_NE, 3, O_NE},       {T_LT, 3, O_LT},
        {T_LE, 3, O_LE},     {T_GT, 3, O_GT},    {T_GE, 3, O_GE},     {T_IN, 3, O_IN},       {T_PLUS, 4, O_ADD},
        {T_MINUS, 4, O_SUB}, {T_STAR, 5, O_MUL}, {T_SLASH, 5, O_DIV}, {T_PERCENT, 5, O_MOD},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].token == kind) {
            *ret_op = table[i].op;
            return table[i].level;
        }
    return 0;
}

static int parse_binary(struct rx_parser *p, unsigned least, struct rx_ast **ret)
{
    int r = parse_unary(p, ret);
    uint8_t op = 0;
    for (unsigned level; r == 0 && (level = precedence(p->token.kind, &op)) >= least;) {
        struct rx_ast *node = make(p, level == 1 ? N_OR : level == 2 ? N_AND : N_BINARY, (*ret)->start, 2);
        if (!node)
            return out_of_memory(p);
        node->op = op;
        node->at = p->token.start;
        node->args[0] = *ret;
        if ((r = advance(p)) < 0 || (r = rx_parser_after_operator(p, node)) < 0 ||
            (r = parse_binary(p, level + 1, &node->args[1])) < 0)
            return r;
        *ret = node;
        r = finish(p, node);
    }
    return r;
}

static int parse_conditional(struct rx_parser *p, struct rx_ast **inout)
{
    uint32_t at = p->token.start;
    struct rx_ast *node = make(p, N_CONDITIONAL, (*inout)->start, 3);
    if (!node)
        return out_of_memory(p);
    node->at = at;
    node->args[0] = *inout;
    int r = advance(p);
    if (r < 0 || (r = parse_binary(p, 1, &node->args[1])) < 0)
        return r;
    if (p->token.kind != T_COLON) {
        rx_parser_unexpected(p, "a : and the value otherwise", at);
        rx_error_hint(p->lexer.reterr, "write condition ? a : b, or if(condition, a, b)");
        return -EINVAL;
    }
    if ((r = descend(p, at)) < 0 || (r = advance(p)) < 0 || (r = parse_expr(p, &node->args[2])) < 0)
        return r;
    p->levels--;
    *inout = node;
    return finish(p, node);
}

static int parse_expr(struct rx_parser *p, struct rx_ast **ret)
{
    int r = parse_binary(p, 1, ret);
    return r == 0 && p->token.kind == T_QUESTION ? parse_conditional(p, ret) : r;
}

int rx_expr_parse(struct rx_lexer *lexer, struct rx_ast **ret)
{
    struct rx_parser parser = {.lexer = *lexer}, *p = &parser;
    int r = advance(p);
    if (r < 0)
        return r;
    if (p->token.kind == T_END)
        return rx_parser_fail(p, 0, "the expression is empty");
    if (at_word(p, "not")) {
        rx_parser_fail(p, p->token.start, "\"not\" is not an operator");
        rx_error_hint(lexer->reterr, "write !x instead of not x, in YAML in quotes: '!x'");
        struct rx_parser ahead = *p;
        ahead.lexer.reterr = NULL;
        if (advance(&ahead) == 0 && ahead.token.kind <= T_NULL && ahead.token.kind != T_END)
            return -EINVAL;
        if (lexer->reterr)
            *lexer->reterr = (struct rx_error){0};
    }
    if ((r = parse_expr(p, ret)) < 0)
        return r;
    if (p->token.kind != T_END)
        return rx_parser_unexpected(p, "the end of the expression or an operator", UINT32_MAX);
    return 0;
}
