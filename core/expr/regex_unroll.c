/* For the DFA matcher: x+ as xx*, x{2,} as xxx*, x{2,3} as xxx?, where x is one character or class.
 *
 * PCRE2's DFA matcher counts the turns of such a repetition in its states, so that inside another repetition, as in
 * (\w+\s?)+, there would be as many states as characters in a word; and what it does for the counted ones no callout sees.
 * A star counts nothing, and each copy is seen. */
#include <string.h>

#include "core/expr/functions.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *skip_to(const char *p, const char *end, char c)
{
    const char *found = memchr(p, c, (size_t)(end - p));
    return found ? found + 1 : end;
}

/* Behind a backslash and what belongs to it: \w, \x41, \x{1F600}, \p{Lu}, \pL, \cA, \012. */
static const char *skip_escape(const char *p, const char *end)
{
    char c = p + 1 < end ? p[1] : '\0';
    p += 1 + rx_utf8_next(p + 1, (size_t)(end - p - 1));
    if (strchr("xopPN", c) && c && p < end && *p == '{')
        return skip_to(p, end, '}');
    if ((c == 'p' || c == 'P' || c == 'c') && p < end)
        return p + 1;
    for (int more = c == 'x'      ? 2
                    : is_digit(c) ? 2
                                  : 0;
         more && p < end && (c == 'x' ? strchr("0123456789abcdefABCDEF", *p) && *p : is_digit(*p)); more--)
        p++;
    return p;
}

/* Behind a class: a ] that comes first is a member of it. */
static const char *skip_class(const char *p, const char *end)
{
    p++;
    p += p < end && *p == '^';
    p += p < end && *p == ']';
    while (p < end && *p != ']') {
        if (*p == '\\')
            p = skip_escape(p, end);
        else if (*p == '[' && p + 1 < end && p[1] == ':')
            p = skip_to(p + 2, end, ']');
        else
            p++;
    }
    return p < end ? p + 1 : end;
}

/* Behind one character or class; `p` itself where none begins. */
static const char *skip_atom(const char *p, const char *end)
{
    if (*p == '\\')
        return skip_escape(p, end);
    if (*p == '[')
        return skip_class(p, end);
    return strchr("()|^$*+?", *p) ? p : p + rx_utf8_next(p, (size_t)(end - p));
}

/* A repetition behind an atom. */
struct turns {
    unsigned least, most; /* most 0: without end */
    char suffix;          /* '+' possessive, else 0: lazy or not is one to the DFA matcher */
    const char *behind;
};

static unsigned read_number(const char **p, const char *end)
{
    unsigned value = 0;
    while (*p < end && is_digit(**p) && value < 100000)
        value = value * 10 + (unsigned)(*(*p)++ - '0');
    return value;
}

/* "+", "{n}", "{n,}" or "{n,m}" with what may follow; false: another, or none. */
static bool read_turns(const char *p, const char *end, struct turns *ret)
{
    *ret = (struct turns){.least = 1};
    if (p == end || (*p != '+' && *p != '{'))
        return false;
    if (*p++ == '{') {
        if (p == end || !is_digit(*p))
            return false;
        ret->least = ret->most = read_number(&p, end);
        if (p < end && *p == ',') {
            p++;
            ret->most = p < end && is_digit(*p) ? read_number(&p, end) : 0;
            if (p < end && *p == '}' && p[-1] != ',' && ret->most == 0)
                return false; /* {0,0} */
        }
        if (p == end || *p++ != '}')
            return false;
    }
    if (p < end && (*p == '+' || *p == '?'))
        ret->suffix = *p++ == '+' ? '+' : '\0';
    ret->behind = p;
    return ret->most == 0 || (ret->least > 0 && ret->most >= ret->least) || ret->most > ret->least;
}

static void append_suffixed(struct rx_buffer *out, const char *atom, size_t length, const char *sign, char suffix)
{
    rx_buffer_append(out, atom, length);
    rx_buffer_text(out, sign);
    if (suffix)
        rx_buffer_append(out, &suffix, 1);
}

static bool append_turns(struct rx_buffer *out, const char *atom, size_t length, const struct turns *turns)
{
    unsigned copies = turns->most ? turns->most : turns->least + 1;
    if (out->length + copies * (length + 2) > RX_REGEX_UNROLLED_MAX)
        return false;
    for (unsigned i = 0; i < turns->least; i++)
        rx_buffer_append(out, atom, length);
    if (!turns->most)
        append_suffixed(out, atom, length, "*", turns->suffix);
    for (unsigned i = turns->least; i < turns->most; i++)
        append_suffixed(out, atom, length, "?", turns->suffix);
    return true;
}

/* (?x) and \Q ... \E change what stands behind them in ways that are not read here. */
static bool is_readable(const char *p, const char *end)
{
    for (; p < end; p++) {
        if (p + 1 < end && p[0] == '\\') {
            if (p[1] == 'Q')
                return false;
            p++;
        } else if (p + 1 < end && p[0] == '(' && p[1] == '?') {
            for (p += 2; p < end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '-' || *p == '^');
                 p++)
                if (*p == 'x')
                    return false;
            p--;
        }
    }
    return true;
}

bool rx_regex_unroll(struct rx_value pattern, struct rx_buffer *out)
{
    const char *p = pattern.u.text, *end = p + pattern.aux;
    if (!is_readable(p, end))
        return false;
    while (p < end) {
        const char *behind = skip_atom(p, end);
        size_t length = behind > p ? (size_t)(behind - p) : 1;
        struct turns turns;
        if (behind > p && read_turns(behind, end, &turns)) {
            if (!append_turns(out, p, length, &turns))
                return false;
            p = turns.behind;
        } else {
            rx_buffer_append(out, p, length);
            p += length;
        }
    }
    return true;
}
