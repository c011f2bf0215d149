/* Messages to their three fields: the layout of the last message is expected, byte for byte, and where it does not hold the message is read
 * in full and its layout expected of the next. */
#include "limit.h"

#include <ctype.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { FIELDS = 16, KEY_TEXT = 32, DEPTH = 128 };
enum role { ROLE_NONE, ROLE_DEVICE, ROLE_METRIC, ROLE_VALUE };

/* What stands before a value: `{"device":`, `,"ts":`. */
struct expected {
    char text[KEY_TEXT];
    size_t length;
    enum role role;
};

static struct {
    struct expected fields[FIELDS];
    size_t count; /* 0: nothing is expected */
} layout;

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* The first byte of a string that ends it or needs a look: a quote, a backslash, a control character, the first of a character past ASCII. */
static const char *find_special(const char *at, const char *end)
{
#ifdef __SSE2__
    for (; at < end; at += 16) {
        __m128i bytes = _mm_loadu_si128((const void *)at);
        __m128i ends =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        int hits = _mm_movemask_epi8(_mm_or_si128(ends, _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20))));
        if (hits)
            return at + __builtin_ctz((unsigned)hits);
    }
    return at;
#else
    while (at < end && *at != '"' && *at != '\\' && (signed char)*at >= 0x20)
        at++;
    return at;
#endif
}

/* Behind one character of UTF-8 past ASCII (RFC 3629, section 4); NULL where there is none. */
static const char *skip_character(const char *at)
{
    const unsigned char *c = (const unsigned char *)at;
    unsigned length = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2, low = 0x80, high = 0xbf;
    if (c[0] < 0xc2 || c[0] > 0xf4)
        return NULL;
    if (c[0] == 0xe0 || c[0] == 0xf0)
        low = c[0] == 0xe0 ? 0xa0 : 0x90;
    if (c[0] == 0xed || c[0] == 0xf4)
        high = c[0] == 0xed ? 0x9f : 0x8f;
    for (unsigned i = 1; i < length; i++, low = 0x80, high = 0xbf)
        if (c[i] < low || c[i] > high)
            return NULL;
    return at + length;
}

static const char *skip_escape(const char *at)
{
    if (at[1] != 'u')
        return at[1] && strchr("\"\\/bfnrt", at[1]) ? at + 2 : NULL;
    for (int i = 2; i < 6; i++)
        if (!isxdigit((unsigned char)at[i]))
            return NULL;
    return at + 6;
}

/* Behind the string that begins at `at` (at its quote); NULL if it is none. `ret` is its text, still escaped. */
static const char *read_string(const char *at, const char *end, struct limit_text *ret)
{
    const char *begin = ++at;
    while ((at = find_special(at, end)) < end && *at != '"') {
        at = *at == '\\' ? skip_escape(at) : (signed char)*at < 0 ? skip_character(at) : NULL;
        if (!at)
            return NULL;
    }
    if (at >= end)
        return NULL;
    *ret = (struct limit_text){begin, (size_t)(at - begin)};
    return at + 1;
}

static const char *skip_digits(const char *at)
{
    const char *first = at;
    while (*at >= '0' && *at <= '9')
        at++;
    return at == first ? NULL : at;
}

static const char *skip_number(const char *at)
{
    at += *at == '-';
    at = *at == '0' ? at + 1 : skip_digits(at);
    if (at && *at == '.')
        at = skip_digits(at + 1);
    if (at && (*at == 'e' || *at == 'E'))
        at = skip_digits(at + 1 + (at[1] == '+' || at[1] == '-'));
    return at;
}

static const char *skip_word(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    return NULL;
}

static const char *skip_value(const char *at, const char *end, int depth);

/* Behind `"key" :`, with the key. NULL where there is none. */
static const char *read_key(const char *at, const char *end, struct limit_text *ret)
{
    at = skip_space(at, end);
    if (at >= end || *at != '"' || !(at = read_string(at, end, ret)))
        return NULL;
    at = skip_space(at, end);
    return at < end && *at == ':' ? skip_space(at + 1, end) : NULL;
}

static const char *skip_nested(const char *at, const char *end, int depth)
{
    struct limit_text key;
    char close = *at == '{' ? '}' : ']';
    const char *empty = skip_space(at + 1, end);
    if (depth == DEPTH)
        return NULL;
    if (empty < end && *empty == close)
        return empty + 1;
    do {
        at = close == '}' ? read_key(at + 1, end, &key) : skip_space(at + 1, end);
        if (at)
            at = skip_value(at, end, depth + 1);
        if (at)
            at = skip_space(at, end);
    } while (at && at < end && *at == ',');
    return at && at < end && *at == close ? at + 1 : NULL;
}

static const char *skip_value(const char *at, const char *end, int depth)
{
    struct limit_text text;
    if (at >= end)
        return NULL;
    switch (*at) {
    case '"':
        return read_string(at, end, &text);
    case '{':
    case '[':
        return skip_nested(at, end, depth);
    case 't':
    case 'f':
    case 'n':
        return skip_word(at);
    default:
        return skip_number(at);
    }
}

static const char *read_value(const char *at, const char *end, enum role role, struct limit_message *ret)
{
    switch (role) {
    case ROLE_DEVICE:
        return at < end && *at == '"' ? read_string(at, end, &ret->device) : NULL;
    case ROLE_METRIC:
        return at < end && *at == '"' ? read_string(at, end, &ret->metric) : NULL;
    case ROLE_VALUE:
        at = limit_number_read(at, &ret->value);
        return at && at <= end ? at : NULL;
    case ROLE_NONE:
        break;
    }
    return skip_value(at, end, 1);
}

static enum role role_of(struct limit_text key)
{
    static const char *const names[] = {"device", "metric", "value"};
    for (int i = 0; i < 3; i++)
        if (key.length == strlen(names[i]) && memcmp(key.data, names[i], key.length) == 0)
            return (enum role)(i + 1);
    return ROLE_NONE;
}

static void expect(size_t index, const char *from, const char *to, enum role role)
{
    if (index >= FIELDS || to - from > KEY_TEXT) {
        layout.count = FIELDS + 1; /* too much to expect anything */
        return;
    }
    struct expected *field = &layout.fields[index];
    field->length = (size_t)(to - from);
    field->role = role;
    memcpy(field->text, from, field->length);
    layout.count = index + 1;
}

static bool read_any(const char *at, const char *end, struct limit_message *ret)
{
    unsigned found = 0;
    const char *from = at = skip_space(at, end);
    layout.count = 0;
    if (at >= end || *at != '{')
        return false;
    for (size_t index = 0;; index++) {
        struct limit_text key;
        if (!(at = read_key(at + 1, end, &key)))
            return false;
        enum role role = role_of(key);
        if (layout.count <= FIELDS)
            expect(index, from, at, role);
        found |= 1u << role;
        if (!(at = read_value(at, end, role, ret)))
            return false;
        from = at = skip_space(at, end);
        if (at >= end || (*at != ',' && *at != '}'))
            return false;
        if (*at == '}')
            break;
    }
    layout.count = layout.count > FIELDS || found < 14 ? 0 : layout.count;
    return (found & 14) == 14 && skip_space(at + 1, end) == end;
}

static bool read_expected(const char *at, const char *end, struct limit_message *ret)
{
    for (size_t i = 0; i < layout.count; i++) {
        const struct expected *field = &layout.fields[i];
        if ((size_t)(end - at) < field->length || memcmp(at, field->text, field->length) != 0)
            return false;
        at = read_value(at + field->length, end, field->role, ret);
        if (!at)
            return false;
    }
    return layout.count && end - at == 1 && *at == '}';
}

bool limit_message_read(const char *data, size_t length, struct limit_message *ret)
{
    return read_expected(data, data + length, ret) || read_any(data, data + length, ret);
}
