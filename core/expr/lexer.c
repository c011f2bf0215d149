/* The lexer: bytes to tokens, literals decoded (langdef, "Syntax" and "String and Bytes Values"). */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/internal.h"

static const char *const reserved_words[] = {
    "as",  "break", "const", "continue",  "else",    "false",  "for",  "function", "if",   "import", "in",
    "let", "loop",  "null",  "namespace", "package", "return", "true", "var",      "void", "while",  NULL,
};

bool rx_word_is_reserved(const char *text, size_t length)
{
    for (size_t i = 0; reserved_words[i]; i++)
        if (strlen(reserved_words[i]) == length && memcmp(reserved_words[i], text, length) == 0)
            return true;
    return false;
}

void rx_place_set(struct rx_place *at, const char *text, size_t length, size_t offset)
{
    *at = (struct rx_place){1, 1, offset};
    for (size_t i = 0; i < offset && i < length; i++) {
        if (text[i] == '\n') {
            at->line++;
            at->column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            at->column++;
        }
    }
}

int rx_expr_complain(struct rx_error *reterr, const char *text, size_t length, size_t offset, const char *format, ...)
{
    if (!reterr)
        return -EINVAL;
    char message[sizeof reterr->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    rx_error_set(reterr, -EINVAL, "%s", message);
    rx_place_set(&reterr->at, text, length, offset);
    return -EINVAL;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_word(char c) { return is_word_start(c) || is_digit(c); }

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte `ahead` of the current one; 0 past the end. */
static char peek(const struct rx_lexer *lexer, size_t ahead)
{
    return lexer->at + ahead < lexer->length ? lexer->text[lexer->at + ahead] : '\0';
}

#define complain(lexer, offset, ...)                                                                                   \
    rx_expr_complain((lexer)->reterr, (lexer)->text, (lexer)->length, offset, __VA_ARGS__)

static void skip_space(struct rx_lexer *lexer)
{
    for (;; lexer->at++) {
        char c = peek(lexer, 0);
        if (c == '/' && peek(lexer, 1) == '/')
            while (lexer->at < lexer->length && peek(lexer, 0) != '\n')
                lexer->at++;
        else if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f')
            return;
        if (lexer->at >= lexer->length)
            return;
    }
}

/* ---- numbers ---- */

static int end_number(struct rx_lexer *lexer, const struct rx_token *token)
{
    if (!is_word(peek(lexer, 0)))
        return 0;
    uint32_t word = lexer->at;
    while (is_word(peek(lexer, 0)))
        lexer->at++;
    int length = (int)(lexer->at - word);
    complain(lexer, word, "a number is followed by \"%.*s\"", length, lexer->text + word);
    const char *units[] = {"ns", "us", "ms", "s", "m", "h", NULL};
    for (size_t i = 0; units[i]; i++)
        if ((int)strlen(units[i]) == length && memcmp(units[i], lexer->text + word, (size_t)length) == 0)
            rx_error_hint(lexer->reterr, "a duration is written duration(\"%.*s\")", (int)(lexer->at - token->start),
                          lexer->text + token->start);
    return -EINVAL;
}

static int lex_whole(struct rx_lexer *lexer, struct rx_token *token, unsigned base)
{
    uint64_t value = 0;
    bool overflow = false;
    for (int digit; (digit = hex_digit(peek(lexer, 0))) >= 0 && digit < (int)base; lexer->at++)
        overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value) ||
                    __builtin_add_overflow(value, (uint64_t)digit, &value);
    token->kind = T_INT;
    if ((peek(lexer, 0) | 0x20) == 'u') {
        lexer->at++;
        token->kind = T_UINT;
    }
    /* the parser refuses 2^63 without its minus */
    if (overflow || (token->kind == T_INT && value > (uint64_t)INT64_MAX + 1))
        return complain(lexer, token->start, "the number %.*s is out of range: %s", (int)(lexer->at - token->start),
                        lexer->text + token->start,
                        token->kind == T_UINT ? "uint holds 0 to 18446744073709551615"
                                              : "int holds -9223372036854775808 to 9223372036854775807");
    token->value = token->kind == T_UINT ? rx_uint(value) : (struct rx_value){.kind = RX_INT, .u.u = value};
    return end_number(lexer, token);
}

static void skip_digits(struct rx_lexer *lexer)
{
    while (is_digit(peek(lexer, 0)))
        lexer->at++;
}

static bool has_exponent(const struct rx_lexer *lexer)
{
    if ((peek(lexer, 0) | 0x20) != 'e')
        return false;
    char next = peek(lexer, 1);
    return is_digit(next) || ((next == '+' || next == '-') && is_digit(peek(lexer, 2)));
}

static int end_double(struct rx_lexer *lexer, struct rx_token *token)
{
    size_t size = lexer->at - token->start;
    char *copy = rx_arena_alloc(lexer->arena, size + 1);
    if (!copy)
        return rx_error_set(lexer->reterr, -ENOMEM, "out of memory");
    memcpy(copy, lexer->text + token->start, size);
    token->kind = T_DOUBLE;
    token->value = rx_double(strtod(copy, NULL));
    if (isinf(token->value.u.d))
        return complain(lexer, token->start, "the number %.60s is out of range: double holds at most %.17g", copy,
                        DBL_MAX);
    return end_number(lexer, token);
}

static int lex_number(struct rx_lexer *lexer, struct rx_token *token)
{
    if (peek(lexer, 0) == '0' && (peek(lexer, 1) | 0x20) == 'x' && hex_digit(peek(lexer, 2)) >= 0) {
        lexer->at += 2;
        return lex_whole(lexer, token, 16);
    }
    skip_digits(lexer);
    bool fraction = peek(lexer, 0) == '.' && is_digit(peek(lexer, 1));
    if (fraction) {
        lexer->at++;
        skip_digits(lexer);
    }
    bool exponent = has_exponent(lexer);
    if (exponent) {
        lexer->at += 2;
        skip_digits(lexer);
    }
    if (fraction || exponent)
        return end_double(lexer, token);
    lexer->at = token->start;
    return lex_whole(lexer, token, 10);
}

/* ---- strings ---- */

struct quoting {
    char quote;
    bool raw, bytes, triple;
};

static int hex_escape(struct rx_lexer *lexer, uint32_t start, unsigned digits, uint32_t *ret)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < digits; i++, lexer->at++) {
        int digit = hex_digit(peek(lexer, 0));
        if (digit < 0)
            return complain(lexer, start, "the escape \\%c needs %u hexadecimal digits", lexer->text[start + 1],
                            digits);
        value = value << 4 | (uint32_t)digit;
    }
    *ret = value;
    return 0;
}

static int octal_escape(struct rx_lexer *lexer, uint32_t start, uint32_t *ret)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 3; i++, lexer->at++) {
        char c = peek(lexer, 0);
        if (c < '0' || c > '7' || (i == 0 && c > '3'))
            return complain(lexer, start, "an octal escape has three digits, \\000 to \\377");
        value = value << 3 | (uint32_t)(c - '0');
    }
    *ret = value;
    return 0;
}

/* One escape sequence; the lexer stands on the backslash. */
static int lex_escape(struct rx_lexer *lexer, const struct quoting *q, char **out)
{
    static const char names[] = "abfnrtv\\?\"'`", values[] = "\a\b\f\n\r\t\v\\?\"'`";
    uint32_t start = lexer->at, code = 0;
    char c = peek(lexer, 1);
    const char *simple = c ? strchr(names, c) : NULL;
    lexer->at += 2;
    if (simple) {
        *(*out)++ = values[simple - names];
        return 0;
    }
    int r;
    if (c == 'x' || c == 'X')
        r = hex_escape(lexer, start, 2, &code);
    else if ((c == 'u' || c == 'U') && !q->bytes)
        r = hex_escape(lexer, start, c == 'u' ? 4 : 8, &code);
    else if (c >= '0' && c <= '7') {
        lexer->at = start + 1;
        r = octal_escape(lexer, start, &code);
    } else {
        r = complain(lexer, start, "\\%c is not an escape sequence%s", c >= ' ' ? c : ' ', q->bytes ? " in bytes" : "");
        rx_error_hint(lexer->reterr, "write \\\\ for a backslash, or a raw string: r\"...\"");
    }
    if (r < 0)
        return r;
    if (q->bytes) {
        *(*out)++ = (char)code;
        return 0;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return complain(lexer, start, "the escape \\%c%0*x is not a Unicode character", c, c == 'U' ? 8 : 4, code);
    *out += rx_utf8_put(*out, code);
    return 0;
}

static bool at_quote(const struct rx_lexer *lexer, const struct quoting *q)
{
    return peek(lexer, 0) == q->quote && (!q->triple || (peek(lexer, 1) == q->quote && peek(lexer, 2) == q->quote));
}

static int unterminated(struct rx_lexer *lexer, const struct rx_token *token, const struct quoting *q)
{
    complain(lexer, token->start, "the string that starts here has no closing %s%c%s", q->triple ? "three " : "",
             q->quote, q->triple ? "" : " on its line");
    if (q->quote == '\'')
        rx_error_hint(lexer->reterr,
                      "inside single-quoted YAML write every ' twice, or use double quotes for text: \"ok\"");
    return -EINVAL;
}

static int lex_body(struct rx_lexer *lexer, struct rx_token *token, const struct quoting *q, char *out)
{
    char *start = out;
    for (;;) {
        if (lexer->at >= lexer->length)
            return unterminated(lexer, token, q);
        if (at_quote(lexer, q))
            break;
        char c = peek(lexer, 0);
        if (!q->triple && (c == '\n' || c == '\r'))
            return unterminated(lexer, token, q);
        if (c == '\\' && !q->raw) {
            int r = lex_escape(lexer, q, &out);
            if (r < 0)
                return r;
            continue;
        }
        *out++ = c;
        lexer->at++;
    }
    lexer->at += q->triple ? 3 : 1;
    size_t size = (size_t)(out - start);
    token->kind = q->bytes ? T_BYTES : T_STRING;
    token->value = rx_arena_keep_take(lexer->arena, q->bytes ? rx_bytes(lexer->heap, start, size)
                                                             : rx_string(lexer->heap, start, size));
    if (token->value.kind == RX_NULL)
        return rx_error_set(lexer->reterr, -ENOMEM, "out of memory");
    return 0;
}

static int lex_string(struct rx_lexer *lexer, struct rx_token *token, struct quoting q)
{
    q.quote = peek(lexer, 0);
    q.triple = peek(lexer, 1) == q.quote && peek(lexer, 2) == q.quote;
    lexer->at += q.triple ? 3 : 1;
    /* an escape never grows: \u1234 is six bytes for three, \UXXXXXXXX ten for four, \377 four for two */
    char *out = rx_arena_alloc(lexer->arena, lexer->length - lexer->at + 4);
    if (!out)
        return rx_error_set(lexer->reterr, -ENOMEM, "out of memory");
    return lex_body(lexer, token, &q, out);
}

/* A prefix of a string literal: r R b B br bR ... Answers its length, 0: none. */
static unsigned string_prefix(const struct rx_lexer *lexer, struct quoting *q)
{
    unsigned n = 0;
    if ((peek(lexer, n) | 0x20) == 'b') {
        q->bytes = true;
        n++;
    }
    if ((peek(lexer, n) | 0x20) == 'r') {
        q->raw = true;
        n++;
        if (!q->bytes && (peek(lexer, n) | 0x20) == 'b') {
            q->bytes = true;
            n++;
        }
    }
    char c = peek(lexer, n);
    return n && (c == '"' || c == '\'') ? n : 0;
}

/* ---- words and signs ---- */

static enum rx_token_kind word_kind(const char *text, size_t length)
{
    static const struct {
        const char *word;
        enum rx_token_kind kind;
    } words[] = {{"true", T_TRUE}, {"false", T_FALSE}, {"null", T_NULL}, {"in", T_IN}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == length && memcmp(words[i].word, text, length) == 0)
            return words[i].kind;
    return T_IDENT;
}

static int lex_quoted_name(struct rx_lexer *lexer, struct rx_token *token)
{
    const char *start = lexer->text + lexer->at + 1;
    const char *close = memchr(start, '`', lexer->length - lexer->at - 1);
    if (!close || memchr(start, '\n', (size_t)(close - start)))
        return complain(lexer, lexer->at, "the name that starts here has no closing `");
    if (close == start)
        return complain(lexer, lexer->at, "a name between ` and ` is empty");
    token->kind = T_QUOTED;
    token->text = start;
    token->length = (uint32_t)(close - start);
    lexer->at += token->length + 2;
    return 0;
}

static const struct {
    uint32_t character;
    const char *hint;
} slips[] = {
    {'&', "\"and\" is written &&; for bits use math.bitAnd(a, b)"},
    {'|', "\"or\" is written ||; for bits use math.bitOr(a, b)"},
    {'^', "a power is written math.pow(x, y); for bits use math.bitXor(a, b)"},
    {'$', "a field is written by its name alone, without $"},
    {'#', "a comment inside an expression starts with //"},
    {'@', "an odd field name is written event[\"@name\"]"},
    {';', "an expression has no end mark; write one expression only"},
    {0xB0, "a number stands without its unit: 30"},
    {0x201C, "use plain quotes, \" or ', not typographic ones"},
    {0x201D, "use plain quotes, \" or ', not typographic ones"},
    {0x2018, "use plain quotes, \" or ', not typographic ones"},
    {0x2019, "use plain quotes, \" or ', not typographic ones"},
    {0x2264, "\"at most\" is written <="},
    {0x2265, "\"at least\" is written >="},
    {0x2260, "\"not equal\" is written !="},
    {0x00D7, "a product is written a * b"},
    {0x2212, "a minus is written -"},
};

static int stray_equals(struct rx_lexer *lexer)
{
    char next = peek(lexer, 1), before = lexer->at ? lexer->text[lexer->at - 1] : ' ';
    if (next == '>' || next == '<') {
        complain(lexer, lexer->at, "=%c is not an operator", next);
        rx_error_hint(lexer->reterr, "\"at %s\" is written %c=", next == '>' ? "least" : "most", next);
    } else if (before == '=' || before == '~' || before == ':') {
        complain(lexer, lexer->at, "%s= is not an operator", before == '=' ? "==" : before == '~' ? "~" : ":");
        rx_error_hint(lexer->reterr, "two values are compared with ==");
    } else {
        complain(lexer, lexer->at, "a single = is not an operator");
        rx_error_hint(lexer->reterr, "two values are compared with ==");
    }
    return -EINVAL;
}

static int unexpected(struct rx_lexer *lexer)
{
    unsigned size;
    const char *p = lexer->text + lexer->at;
    uint32_t c = rx_utf8_get(p, lexer->text + lexer->length, &size);
    if (c == '=')
        return stray_equals(lexer);
    if (c == '&' || c == '|')
        complain(lexer, lexer->at, "a single %c is not an operator", (int)c);
    else if (c < ' ')
        complain(lexer, lexer->at, "the control character 0x%02x cannot be part of an expression", c);
    else
        complain(lexer, lexer->at, "the character %.*s cannot stand here", (int)size, p);
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++)
        if (slips[i].character == c)
            rx_error_hint(lexer->reterr, "%s", slips[i].hint);
    if (c >= 0x80 && lexer->reterr && !lexer->reterr->hint[0])
        rx_error_hint(lexer->reterr, "a name with such characters is written between ` and `, or event[\"name\"]");
    return -EINVAL;
}

static int lex_sign(struct rx_lexer *lexer, struct rx_token *token)
{
    static const struct {
        char text[3];
        uint8_t kind;
    } signs[] = {
        {"==", T_EQ},    {"!=", T_NE},    {"<=", T_LE},      {">=", T_GE},      {"&&", T_AND},   {"||", T_OR},
        {"(", T_LPAREN}, {")", T_RPAREN}, {"[", T_LBRACKET}, {"]", T_RBRACKET}, {"{", T_LBRACE}, {"}", T_RBRACE},
        {".", T_DOT},    {",", T_COMMA},  {":", T_COLON},    {"?", T_QUESTION}, {"!", T_NOT},    {"-", T_MINUS},
        {"+", T_PLUS},   {"*", T_STAR},   {"/", T_SLASH},    {"%", T_PERCENT},  {"<", T_LT},     {">", T_GT},
    };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t length = signs[i].text[1] ? 2 : 1;
        if (peek(lexer, 0) == signs[i].text[0] && (length == 1 || peek(lexer, 1) == signs[i].text[1])) {
            token->kind = (enum rx_token_kind)signs[i].kind;
            lexer->at += (uint32_t)length;
            return 0;
        }
    }
    return unexpected(lexer);
}

static int lex_token(struct rx_lexer *lexer, struct rx_token *token)
{
    char c = peek(lexer, 0);
    struct quoting q = {0};
    unsigned prefix = string_prefix(lexer, &q);
    if (prefix || c == '"' || c == '\'') {
        lexer->at += prefix;
        return lex_string(lexer, token, prefix ? q : (struct quoting){0});
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1))))
        return lex_number(lexer, token);
    if (c == '`')
        return lex_quoted_name(lexer, token);
    if (!is_word_start(c))
        return lex_sign(lexer, token);
    token->text = lexer->text + lexer->at;
    while (is_word(peek(lexer, 0)))
        lexer->at++;
    token->length = lexer->at - token->start;
    token->kind = word_kind(token->text, token->length);
    return 0;
}

int rx_lexer_next(struct rx_lexer *lexer, struct rx_token *ret)
{
    skip_space(lexer);
    *ret = (struct rx_token){.kind = T_END, .start = lexer->at, .end = lexer->at};
    if (lexer->at >= lexer->length)
        return 0;
    int r = lex_token(lexer, ret);
    ret->end = lexer->at;
    return r;
}
