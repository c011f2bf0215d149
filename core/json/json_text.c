/* Strings and hard numbers of JSON texts. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/scan.h"
#include "core/base/utf8.h"
#include "core/json/json_private.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex_quad(const char *p, const char *end)
{
    int32_t code = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* A \u escape whose digits begin at `p`: behind it, and behind the low half of a surrogate pair. */
static const char *scan_unicode(const char *p, const char *end, struct rx_error *reterr)
{
    int32_t code = hex_quad(p, end);
    if (code < 0) {
        rx_error_set(reterr, -EBADMSG, "\\u needs four hexadecimal digits");
        return NULL;
    }
    if (code < 0xD800 || code > 0xDFFF)
        return p + 4;
    int32_t low = code <= 0xDBFF && end - p >= 10 && p[4] == '\\' && p[5] == 'u' ? hex_quad(p + 6, end) : -1;
    if (low < 0xDC00 || low > 0xDFFF) {
        rx_error_set(reterr, -EILSEQ, "a surrogate escape without its other half");
        return NULL;
    }
    return p + 10;
}

static const char *scan_escape(const char *p, const char *end, struct rx_error *reterr)
{
    if (end - p >= 2 && p[1] == 'u')
        return scan_unicode(p + 2, end, reterr);
    if (end - p >= 2 && p[1] && strchr("\"\\/bfnrt", p[1]))
        return p + 2;
    rx_error_set(reterr, -EBADMSG, "an unknown escape in a string");
    return NULL;
}

const char *rx_json_scan_string(const char *p, const char *end, bool *ret_escaped, struct rx_error *reterr,
                                const char **ret_bad)
{
    const char *floor = p;
    *ret_escaped = false;
    for (;;) {
        p = rx_scan_string(floor, p, end);
        *ret_bad = p;
        if (p == end) {
            rx_error_set(reterr, -EBADMSG, "a string does not end");
            return NULL;
        }
        if (*p == '"')
            return p;
        if (*p == '\\') {
            *ret_escaped = true;
            if (!(p = scan_escape(p, end, reterr)))
                return NULL;
        } else if ((unsigned char)*p < 0x20) {
            rx_error_set(reterr, -EBADMSG, "a control character in a string");
            return NULL;
        } else {
            size_t length = rx_utf8_next(p, (size_t)(end - p));
            if (length == 0) {
                rx_error_set(reterr, -EILSEQ, "invalid UTF-8 in a string");
                return NULL;
            }
            p += length;
        }
    }
}

/* Writes what the escape at `p` stands for and moves `*out`; answers what is behind it. Checked before. */
static const char *unescape_one(char **out, const char *p, const char *end)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p[1] != 'u') {
        *(*out)++ = to[strchr(from, p[1]) - from];
        return p + 2;
    }
    uint32_t code = (uint32_t)hex_quad(p + 2, end);
    p += 6;
    if (code >= 0xD800 && code <= 0xDBFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)hex_quad(p + 2, end) - 0xDC00);
        p += 6;
    }
    *out += rx_utf8_put(*out, code);
    return p;
}

size_t rx_json_unescape(char *out, const char *raw, size_t length)
{
    char *start = out;
    for (const char *p = raw, *end = raw + length; p < end;) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape ? escape : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p = escape ? unescape_one(&out, escape, end) : end;
    }
    return (size_t)(out - start);
}

double rx_json_slow_double(const char *text, size_t length, struct rx_buffer *scratch)
{
    rx_buffer_clear(scratch);
    rx_buffer_append(scratch, text, length);
    rx_buffer_append(scratch, "", 1);
    if (scratch->failed)
        return (double)NAN;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc's own, neither made nor freed */
    double d = strtod_l(scratch->data, NULL, c);
    freelocale(c);
    return d;
}
