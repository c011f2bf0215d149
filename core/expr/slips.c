/* Complaints of the parser: what stands there, what was expected, and the known slips with what to write instead. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/parser.h"

int rx_parser_fail(struct rx_parser *p, uint32_t at, const char *format, ...)
{
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return rx_expr_complain(p->lexer.reterr, p->lexer.text, p->lexer.length, at, "%s", message);
}

static bool same_word(const char *text, size_t length, const char *word)
{
    if (strlen(word) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((text[i] | 0x20) != word[i])
            return false;
    return true;
}

/* Operators that other languages spell as words. */
static const struct {
    const char *word, *hint;
} foreign_operators[] = {
    {"and", "\"and\" is written && in an expression"},
    {"or", "\"or\" is written || in an expression"},
    {"not", "\"not in\" is written !(x in list)"},
    {"is", "\"is\" is written == in an expression"},
    {"eq", "\"equal\" is written == in an expression"},
    {"ne", "\"not equal\" is written != in an expression"},
    {"gt", "\"greater than\" is written > in an expression"},
    {"lt", "\"less than\" is written < in an expression"},
    {"ge", "\"at least\" is written >= in an expression"},
    {"le", "\"at most\" is written <= in an expression"},
    {"mod", "the remainder is written a % b"},
    {"div", "a division is written a / b"},
    {"like", "write name.matches(\"pattern\"), name.startsWith(\"a\") or name.contains(\"a\")"},
    {"contains", "write text.contains(\"part\"), or \"x\" in list"},
    {"matches", "write text.matches(\"pattern\")"},
    {"between", "write x >= low && x <= high"},
    {"xor", "write a != b for conditions"},
    {"then", "write condition ? a : b, or if(condition, a, b)"},
    {"else", "write condition ? a : b, or if(condition, a, b)"},
    {"if", "write condition ? a : b, or if(condition, a, b)"},
    {"as", "give a result its name as the key: set: {name: expression}"},
};

static bool hint_foreign_operator(struct rx_parser *p)
{
    for (size_t i = 0; i < sizeof foreign_operators / sizeof *foreign_operators; i++)
        if (same_word(p->token.text, p->token.length, foreign_operators[i].word)) {
            rx_error_hint(p->lexer.reterr, "%s", foreign_operators[i].hint);
            return true;
        }
    return false;
}

static void describe_token(const struct rx_parser *p, char *out, size_t size)
{
    int length = (int)(p->token.end - p->token.start);
    if (p->token.kind == T_END)
        snprintf(out, size, "the end");
    else if (length > 40)
        snprintf(out, size, "\"%.37s...\"", p->lexer.text + p->token.start);
    else
        snprintf(out, size, "%.*s", length, p->lexer.text + p->token.start);
}

/* What the mistake is when a value was wanted. */
static const char *missing_value_hint(const struct rx_parser *p)
{
    char before = p->last_end ? p->lexer.text[p->last_end - 1] : ' ';
    switch (p->token.kind) {
    case T_STAR:
        return before == '*' ? "there is no power operator; write x * x" : "";
    case T_PLUS:
        return before == '+' ? "there is no ++; write x + 1" : "a + before a number is not needed";
    case T_QUESTION:
        return before == '?' ? "a value instead of an absent one is coalesce(a, b)" : "";
    case T_IN:
        return "a field named in is written `in` or event[\"in\"]";
    case T_END:
        return before == '%' ? "% is the remainder of a division; a percentage is just its number" : "";
    default:
        return "";
    }
}

static const char *token_hint(const struct rx_parser *p)
{
    char before = p->last_end ? p->lexer.text[p->last_end - 1] : ' ';
    switch (p->token.kind) {
    case T_LBRACE:
        return "messages cannot be built; a map is written {\"key\": value} on its own";
    case T_IDENT:
    case T_STRING:
        if (before == '"' || before == '\'')
            return "the text ended at the quote before; inside it a quote is written \\\" or \\'";
        return "two values need an operator between them, such as + or &&";
    case T_DOUBLE:
        if (p->lexer.text[p->token.start] == '.')
            return "an element of a list is written list[0]";
        return "two values need an operator between them, such as + or &&";
    case T_INT:
        return "two values need an operator between them, such as + or &&";
    case T_COLON:
        return "a : belongs to condition ? a : b and to {\"key\": value}";
    case T_COMMA:
        return "a comma only stands between arguments and elements; digits are not grouped: 1000";
    case T_RPAREN:
    case T_RBRACKET:
    case T_RBRACE:
        return "there is one closing bracket too many, or a value is missing before it";
    default:
        return "";
    }
}

static void hint_token(struct rx_parser *p, const char *wanted)
{
    if (p->token.kind == T_IDENT && hint_foreign_operator(p))
        return;
    const char *hint = strcmp(wanted, "a value") == 0 ? missing_value_hint(p) : "";
    if (!hint[0] && p->token.kind == T_RBRACE && strstr(wanted, "value of this key"))
        hint = "a field is written without braces; a map is {\"key\": value}";
    if (!hint[0])
        hint = token_hint(p);
    if (hint[0])
        rx_error_hint(p->lexer.reterr, "%s", hint);
}

int rx_parser_unexpected(struct rx_parser *p, const char *wanted, uint32_t opened)
{
    char token[64];
    describe_token(p, token, sizeof token);
    if (opened != UINT32_MAX && p->token.kind == T_END && strchr("([{", p->lexer.text[opened])) {
        rx_parser_fail(p, opened, "this %c is never closed", p->lexer.text[opened]);
        rx_error_hint(p->lexer.reterr, "close it, or take it out");
        return -EINVAL;
    }
    if (opened != UINT32_MAX) {
        struct rx_place at;
        rx_place_set(&at, p->lexer.text, p->lexer.length, opened);
        rx_parser_fail(p, p->token.start, "expected %s, found %s; the %c that waits for it is at column %u", wanted,
                       token, p->lexer.text[opened], at.column);
    } else {
        rx_parser_fail(p, p->token.start, "expected %s, found %s", wanted, token);
    }
    hint_token(p, wanted);
    return -EINVAL;
}

int rx_parser_reserved(struct rx_parser *p, const struct rx_token *token)
{
    int length = (int)token->length;
    rx_parser_fail(p, token->start, "\"%.*s\" is a reserved word and cannot stand alone as a name", length,
                   token->text);
    if (same_word(token->text, token->length, "return"))
        rx_error_hint(p->lexer.reterr,
                      "an expression is its value: leave the word out; a field of this name is `return`");
    else if (same_word(token->text, token->length, "let") || same_word(token->text, token->length, "var") ||
             same_word(token->text, token->length, "const"))
        rx_error_hint(p->lexer.reterr,
                      "a name for a value is cel.bind(x, value, expression); a field of this name is `%.*s`", length,
                      token->text);
    else if (same_word(token->text, token->length, "if") || same_word(token->text, token->length, "else"))
        rx_error_hint(p->lexer.reterr,
                      "write condition ? a : b, or if(condition, a, b); a field of this name is `%.*s`", length,
                      token->text);
    else
        rx_error_hint(p->lexer.reterr, "a field of this name is written `%.*s` or event[\"%.*s\"]", length, token->text,
                      length, token->text);
    return -EINVAL;
}

int rx_parser_bad_field(struct rx_parser *p)
{
    int length = (int)(p->token.end - p->token.start);
    const char *text = p->lexer.text + p->token.start;
    if (p->token.kind == T_TRUE || p->token.kind == T_FALSE || p->token.kind == T_NULL || p->token.kind == T_IN) {
        rx_parser_fail(p, p->token.start, "\"%.*s\" is a reserved word and cannot be a field name as it is", length,
                       text);
        rx_error_hint(p->lexer.reterr, "write it between backticks: .`%.*s`, or as [\"%.*s\"]", length, text, length,
                      text);
        return -EINVAL;
    }
    rx_parser_unexpected(p, "the name of a field after the dot", UINT32_MAX);
    if (p->token.kind == T_INT)
        rx_error_hint(p->lexer.reterr, "an element of a list is written list[%.*s]", length, text);
    else if (p->token.kind == T_STRING)
        rx_error_hint(p->lexer.reterr, "a field by its text is written value[%.*s]", length, text);
    else if (p->token.kind == T_STAR)
        rx_error_hint(p->lexer.reterr, "there is no .*; use list.map(x, x.field) for every element");
    return -EINVAL;
}

int rx_parser_after_operator(struct rx_parser *p, const struct rx_ast *node)
{
    const char *sign = p->lexer.text + node->at;
    if (node->kind == N_BINARY && node->op == O_LT && p->token.kind == T_GT && p->token.start == node->at + 1) {
        rx_parser_fail(p, node->at, "<> is not an operator");
        rx_error_hint(p->lexer.reterr, "\"not equal\" is written !=");
        return -EINVAL;
    }
    if (node->kind == N_BINARY && (int)p->token.kind == node->op + (T_EQ - O_EQ) && node->op >= O_LT &&
        node->op <= O_GT && p->token.start == node->at + 1) {
        rx_parser_fail(p, node->at, "%.1s%.1s is not an operator", sign, sign);
        rx_error_hint(p->lexer.reterr, "bits are shifted with math.bitShiftLeft(a, n) and math.bitShiftRight(a, n)");
        return -EINVAL;
    }
    return 0;
}
