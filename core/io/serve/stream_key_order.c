/* The order of stream keys, read from their canonical JSON. */
#include "core/io/serve/stream_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const char *at, *end;
};

static int rank(struct cursor c)
{
    switch (c.at < c.end ? *c.at : 0) {
    case 'n':
        return 1;
    case 'f':
        return 2;
    case 't':
        return 3;
    case '"':
        return 5;
    case '[':
        return 6;
    case '{':
        return 7;
    case 0:
    case ']':
        return 0;
    default:
        return 4;
    }
}

static size_t token_length(struct cursor c) /* of a number or a word */
{
    size_t n = 0;
    while (c.at + n < c.end && !strchr(",]}", c.at[n]))
        n++;
    return n;
}

static int sign(bool less, bool greater) { return greater - less; }

static int compare_numbers(struct cursor *a, struct cursor *b)
{
    char x[40], y[40];
    size_t n = token_length(*a), m = token_length(*b);
    snprintf(x, sizeof x, "%.*s", (int)n, a->at);
    snprintf(y, sizeof y, "%.*s", (int)m, b->at);
    a->at += n;
    b->at += m;
    char *x_end, *y_end;
    errno = 0;
    long long i = strtoll(x, &x_end, 10), j = strtoll(y, &y_end, 10);
    if (!*x_end && !*y_end && !errno)
        return sign(i<j, i> j);
    double d = strtod(x, NULL), e = strtod(y, NULL);
    return sign(d<e, d> e);
}

/* The next byte of the text that a JSON string stands for; -1 at its end. Canonical JSON escapes nothing beyond U+001F. */
static int next_byte(struct cursor *c)
{
    if (c->at >= c->end || *c->at == '"')
        return -1;
    if (*c->at != '\\' || c->end - c->at < 2)
        return (unsigned char)*c->at++;
    static const char short_forms[] = "b\bf\fn\nr\rt\t";
    char letter = c->at[1];
    if (letter == 'u' && c->end - c->at >= 6) {
        char digits[5] = {c->at[2], c->at[3], c->at[4], c->at[5]};
        c->at += 6;
        return (int)strtoul(digits, NULL, 16);
    }
    c->at += 2;
    for (const char *form = short_forms; *form; form += 2)
        if (*form == letter)
            return form[1];
    return (unsigned char)letter;
}

static int compare_strings(struct cursor *a, struct cursor *b)
{
    a->at++;
    b->at++;
    for (;;) {
        int x = next_byte(a), y = next_byte(b);
        if (x != y)
            return sign(x<y, x> y);
        if (x < 0)
            break;
    }
    a->at++;
    b->at++;
    return 0;
}

static int compare_bytes(struct cursor a, struct cursor b)
{
    size_t n = (size_t)(a.end - a.at), m = (size_t)(b.end - b.at);
    int r = memcmp(a.at, b.at, n < m ? n : m);
    return r ? r : sign(n<m, n> m);
}

static int compare_scalars(struct cursor *a, struct cursor *b)
{
    int x = rank(*a), y = rank(*b);
    if (x != y)
        return sign(x<y, x> y);
    if (x == 4)
        return compare_numbers(a, b);
    if (x == 5)
        return compare_strings(a, b);
    a->at += token_length(*a);
    b->at += token_length(*b);
    return 0;
}

int rx_key_order(const char *a, size_t a_length, const char *b, size_t b_length)
{
    struct cursor x = {a, a + a_length}, y = {b, b + b_length};
    if (rank(x) != 6 || rank(y) != 6)
        return a_length && b_length && rank(x) < 7 ? compare_scalars(&x, &y) : compare_bytes(x, y);
    do {
        x.at++;
        y.at++;
        if (rank(x) > 5 || rank(y) > 5)
            return compare_bytes(x, y);
        int r = compare_scalars(&x, &y);
        if (r)
            return r;
    } while (x.at < x.end && y.at < y.end && *x.at == ',' && *y.at == ',');
    return compare_bytes(x, y);
}
