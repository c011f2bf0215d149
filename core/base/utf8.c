/* UTF-8: checking and mending. */
#include <stdint.h>
#include <string.h>

#include "core/base/utf8.h"

static bool is_tail(unsigned char c) { return (c & 0xC0) == 0x80; }

/* The table of well-formed sequences: Unicode 15, table 3-7. */
static size_t next_long(const unsigned char *s, size_t length)
{
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        return length >= 2 && is_tail(s[1]) ? 2 : 0;
    if ((s[0] & 0xF0) == 0xE0) {
        if (length < 3 || !is_tail(s[1]) || !is_tail(s[2]))
            return 0;
        return (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ? 0 : 3;
    }
    if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        if (length < 4 || !is_tail(s[1]) || !is_tail(s[2]) || !is_tail(s[3]))
            return 0;
        return (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F) ? 0 : 4;
    }
    return 0;
}

size_t rx_utf8_next(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    if (length == 0)
        return 0;
    return s[0] < 0x80 ? 1 : next_long(s, length);
}

bool rx_utf8_valid(const char *text, size_t length)
{
    size_t i = 0;
    while (i < length) {
        uint64_t word;
        while (i + 8 <= length && (memcpy(&word, text + i, 8), !(word & 0x8080808080808080u)))
            i += 8;
        if (i == length)
            break;
        size_t n = rx_utf8_next(text + i, length - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/* The same table, byte by byte: the first byte says how many follow, and what the second may be. */
static bool begin(struct rx_utf8_check *check, unsigned char first)
{
    *check = (struct rx_utf8_check){.low = 0x80, .high = 0xBF};
    if (first < 0x80)
        return true;
    if (first < 0xC2 || first > 0xF4)
        return false;
    check->need = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    check->low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    check->high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return true;
}

bool rx_utf8_feed(struct rx_utf8_check *check, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!check->need) {
            if (!begin(check, c))
                return false;
            continue;
        }
        if (c < check->low || c > check->high)
            return false;
        check->need--;
        check->low = 0x80;
        check->high = 0xBF;
    }
    return true;
}

size_t rx_utf8_mend(const char *text, size_t length, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < length;) {
        size_t n = rx_utf8_next(text + i, length - i);
        const char *from = n ? text + i : "\xEF\xBF\xBD";
        size_t width = n ? n : 3;
        if (used + width > size)
            break;
        memcpy(out + used, from, width);
        used += width;
        i += n ? n : 1;
    }
    return used;
}

size_t rx_utf8_put(char *out, uint32_t code)
{
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(leads[length] | code);
    return length;
}
