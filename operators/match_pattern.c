/* The pattern of `match`, read by recursive descent. */
#include "operators/match_pattern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct parser {
    const char *text, *at;
    const struct rx_keys *where;
    struct rx_pattern *pattern;
    struct rx_error *reterr;
};

/* ---- mistakes ---- */

static int fail_at(struct parser *p, const char *at, const char *hint, const char *message)
{
    unsigned column = 1;
    rx_error_set(p->reterr, -EINVAL, "%s", message);
    if (hint)
        rx_error_hint(p->reterr, "%s", hint);
    for (const char *c = p->text; c < at; c++)
        column += ((unsigned char)*c & 0xC0) != 0x80;
    if (p->reterr)
        p->reterr->at = (struct rx_place){.line = 1, .column = column, .offset = (size_t)(at - p->text)};
    return -EINVAL;
}

static int unknown_name(struct parser *p, const char *at, size_t length)
{
    const char *names[RX_PATTERN_NAMES_MAX + 1] = {NULL};
    char word[64], message[160], hint[120];
    snprintf(word, sizeof word, "%.*s", length < sizeof word ? (int)length : (int)sizeof word - 1, at);
    for (size_t i = 0; i < rx_keys_count(p->where); i++)
        names[i] = rx_keys_name(p->where, i)->text;
    const char *near = rx_nearest(word, names);
    snprintf(message, sizeof message, "`where` does not say what `%s` is", word);
    if (near)
        snprintf(hint, sizeof hint, "did you mean \"%.80s\"?", near);
    else
        snprintf(hint, sizeof hint, "where: {%.40s: CONDITION}", word);
    return fail_at(p, at, hint, message);
}

static int unexpected(struct parser *p, const char *expected)
{
    char message[160], shown[8] = "";
    size_t n = strlen(p->at);
    if (n > 0) { /* one character, whole */
        n = 1;
        while (n < sizeof shown - 1 && ((unsigned char)p->at[n] & 0xC0) == 0x80)
            n++;
        memcpy(shown, p->at, n);
    }
    if (*p->at)
        snprintf(message, sizeof message, "expected %s, not `%s`", expected, shown);
    else
        snprintf(message, sizeof message, "expected %s, but the pattern ends here", expected);
    return fail_at(p, p->at, "a pattern is such as \"fail{3,} -> !ok\"", message);
}

/* ---- words ---- */

static void skip_blanks(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
        p->at++;
}

static bool eat(struct parser *p, const char *word)
{
    skip_blanks(p);
    size_t length = strlen(word);
    if (strncmp(p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

static size_t name_length(const char *at)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char more[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *at && strchr(letters, *at) ? strspn(at, more) : 0;
}

static int read_name(struct parser *p, unsigned *ret)
{
    skip_blanks(p);
    size_t length = name_length(p->at);
    if (length == 0)
        return unexpected(p, "a name of `where`");
    for (size_t i = 0; i < rx_keys_count(p->where); i++) {
        const struct rx_key *name = rx_keys_name(p->where, i);
        if (name->length != length || memcmp(name->text, p->at, length) != 0)
            continue;
        *ret = (unsigned)i;
        p->at += length;
        return 0;
    }
    return unknown_name(p, p->at, length);
}

static int read_number(struct parser *p, uint32_t *ret)
{
    skip_blanks(p);
    const char *from = p->at;
    uint32_t n = 0;
    while (*p->at >= '0' && *p->at <= '9' && n <= RX_PATTERN_TIMES_MAX)
        n = n * 10 + (uint32_t)(*p->at++ - '0');
    if (p->at == from)
        return unexpected(p, "a number");
    if (n > RX_PATTERN_TIMES_MAX)
        return fail_at(p, from, NULL, "a symbol comes at most 10000 times");
    *ret = n;
    return 0;
}

/* ---- symbols ---- */

/* Behind the opening brace. */
static int read_braces(struct parser *p, struct rx_pattern_symbol *symbol)
{
    const char *from = p->at;
    int r = read_number(p, &symbol->min);
    symbol->max = symbol->min;
    if (r == 0 && eat(p, ",")) {
        symbol->max = UINT32_MAX;
        skip_blanks(p);
        if (*p->at != '}')
            r = read_number(p, &symbol->max);
    }
    if (r < 0)
        return r;
    if (!eat(p, "}"))
        return unexpected(p, "`}`");
    if (symbol->max == 0 || symbol->max < symbol->min)
        return fail_at(p, from, "{2} is twice, {2,} twice or more often, {2,5} up to five times",
                       "no count is in this range");
    return 0;
}

static int read_times(struct parser *p, struct rx_pattern_symbol *symbol)
{
    symbol->min = symbol->max = 1;
    if (eat(p, "{"))
        return read_braces(p, symbol);
    if (eat(p, "?"))
        symbol->min = 0;
    else if (eat(p, "*"))
        *symbol = (struct rx_pattern_symbol){.name = symbol->name, .min = 0, .max = UINT32_MAX};
    else if (eat(p, "+"))
        symbol->max = UINT32_MAX;
    return 0;
}

static int read_symbol(struct parser *p)
{
    struct rx_pattern *pattern = p->pattern;
    skip_blanks(p);
    if (pattern->count == RX_PATTERN_SYMBOLS_MAX)
        return fail_at(p, p->at, NULL, "a pattern has at most 16 symbols");
    struct rx_pattern_symbol *symbol = &pattern->symbols[pattern->count++];
    int r = read_name(p, &symbol->name);
    return r == 0 ? read_times(p, symbol) : r;
}

/* ---- what must not follow: behind the `!` ---- */

static int read_for(struct parser *p)
{
    char text[32];
    struct rx_error error;
    skip_blanks(p);
    size_t length = strcspn(p->at, " \t\r\n-");
    snprintf(text, sizeof text, "%.*s", length < sizeof text ? (int)length : (int)sizeof text - 1, p->at);
    if (length >= sizeof text || rx_parse_duration(text, &p->pattern->without_for, &error) < 0 ||
        p->pattern->without_for <= 0)
        return unexpected(p, "a duration such as 60s");
    p->at += length;
    return 0;
}

static int read_without(struct parser *p, const char *from)
{
    unsigned name = 0;
    int r = read_name(p, &name);
    if (r < 0)
        return r;
    if (p->pattern->count == 0)
        return fail_at(p, from, "put what comes before it: \"fail{3} -> !ok\"",
                       "a pattern cannot begin with what must not follow");
    p->pattern->without = (int)name;
    skip_blanks(p);
    if (*p->at && strchr("{?*+", *p->at))
        return fail_at(p, p->at, "leave it out", "what must not follow has no count: one is too many");
    if (strncmp(p->at, "for", 3) == 0 && name_length(p->at) == 3) {
        p->at += 3;
        r = read_for(p);
        skip_blanks(p);
    }
    if (r == 0 && *p->at)
        return fail_at(p, from, "take what comes behind it away", "what must not follow can only stand last");
    return r;
}

/* ---- the whole ---- */

static int check_last(struct parser *p, const char *from)
{
    const struct rx_pattern *pattern = p->pattern;
    if (pattern->symbols[pattern->count - 1].min > 0)
        return 0;
    return fail_at(p, from, "leave it out, or say that it must come: +",
                   "the last symbol takes its least count, and of this that is none");
}

static int read_all(struct parser *p)
{
    const char *last = p->at;
    int r;
    do {
        skip_blanks(p);
        const char *from = p->at;
        if (eat(p, "!")) {
            r = read_without(p, from);
            break;
        }
        last = from;
        r = read_symbol(p);
    } while (r == 0 && eat(p, "->"));
    skip_blanks(p);
    if (r == 0 && strncmp(p->at, "for", 3) == 0 && name_length(p->at) == 3)
        return fail_at(p, p->at, "how long all may take is `within`", "only what must not follow has a `for`");
    if (r == 0 && *p->at)
        return unexpected(p, "`->`");
    return r == 0 ? check_last(p, last) : r;
}

int rx_pattern_parse(const char *text, const struct rx_keys *where, struct rx_pattern *ret, struct rx_error *reterr)
{
    struct parser p = {.text = text, .at = text, .where = where, .pattern = ret, .reterr = reterr};
    *ret = (struct rx_pattern){.without = -1};
    int r = read_all(&p);
    for (unsigned i = 0; r == 0 && i < ret->count; i++)
        ret->least += ret->symbols[i].min;
    return r;
}
