/* Code points in UTF-8 text, for the lexer and the string functions. */
#include "core/expr/internal.h"

uint32_t rx_utf8_get(const char *text, const char *end, unsigned *ret_size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t size = rx_utf8_next(text, (size_t)(end - text));
    *ret_size = size ? (unsigned)size : 1;
    switch (size) {
    case 2:
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    case 3:
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    case 4:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 |
               (p[3] & 0x3F);
    case 1:
        return p[0];
    default:
        return 0xFFFD;
    }
}

size_t rx_utf8_count(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}
