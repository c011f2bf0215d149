/* Errors as values, and the nearest known word for hints. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"

enum { WORD_MAX = 64 };

/* Formats, and where the text does not fit cuts it before the code point that would be torn. */
static void format_bounded(char *out, size_t size, const char *format, va_list args)
{
    int length = vsnprintf(out, size, format, args);
    if (length < 0)
        out[0] = '\0';
    if (length < 0 || (size_t)length < size)
        return;
    size_t end = size - 1, start = end;
    while (start > 0 && end - start < 3 && ((unsigned char)out[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0 || (unsigned char)out[start - 1] < 0xC0)
        return;
    unsigned char lead = (unsigned char)out[start - 1];
    size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (end - (start - 1) < needed)
        out[start - 1] = '\0';
}

int rx_error_set(struct rx_error *reterr, int code, const char *format, ...)
{
    if (!reterr)
        return code;
    *reterr = (struct rx_error){.code = code};
    va_list args;
    va_start(args, format);
    format_bounded(reterr->message, sizeof reterr->message, format, args);
    va_end(args);
    return code;
}

void rx_error_hint(struct rx_error *reterr, const char *format, ...)
{
    if (!reterr)
        return;
    va_list args;
    va_start(args, format);
    format_bounded(reterr->hint, sizeof reterr->hint, format, args);
    va_end(args);
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost 1 each. */
static unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(change, 1 + least(above[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *rx_nearest(const char *word, const char *const *candidates)
{
    size_t length = strlen(word);
    if (length > WORD_MAX)
        return NULL;
    const char *best = NULL;
    unsigned best_distance = (unsigned)(length / 3) + 1;
    for (; *candidates; candidates++) {
        size_t candidate_length = strlen(*candidates);
        if (candidate_length > WORD_MAX)
            continue;
        unsigned distance = edit_distance(word, length, *candidates, candidate_length);
        if (distance < best_distance) {
            best_distance = distance;
            best = *candidates;
        }
    }
    return best;
}
