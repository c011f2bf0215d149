/* Places in the text: libyaml counts code points, and must not see the surrogate pairs of JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/config/config_private.h"

enum {
    PAIR = 12, /* bytes of \uD83D\uDE00, which libyaml refuses; it is given \U0001F600 */
    LONG = 10,
};

static const struct config_cursor cursor_start = {.place = {.line = 1, .column = 1}};

static void step(struct config_cursor *cursor, const struct config_reader *reader)
{
    const struct rx_file *file = reader->file;
    if (reader->pairs && reader->pairs[cursor->pair] == cursor->place.offset) {
        cursor->pair++;
        cursor->index += LONG;
        cursor->place.offset += PAIR;
        cursor->place.column += PAIR;
        return;
    }
    char c = file->text[cursor->place.offset++];
    bool crlf = c == '\r' && cursor->place.offset < file->length && file->text[cursor->place.offset] == '\n';
    while (cursor->place.offset < file->length && ((unsigned char)file->text[cursor->place.offset] & 0xC0) == 0x80)
        cursor->place.offset++;
    cursor->index++;
    if ((c == '\n' || c == '\r') && !crlf) {
        cursor->place.line++;
        cursor->place.column = 1;
    } else if (c != '\r') {
        cursor->place.column++;
    }
}

void config_rewind(struct config_reader *reader)
{
    reader->cursor = cursor_start;
    reader->cursor.place.offset = reader->skipped;
}

struct rx_place config_place(struct config_reader *reader, yaml_mark_t mark)
{
    struct config_cursor *cursor = &reader->cursor;
    if (mark.index < cursor->index)
        config_rewind(reader);
    while (cursor->index < mark.index && cursor->place.offset < reader->file->length)
        step(cursor, reader);
    return cursor->place;
}

/* What libyaml's reader (not its scanner) refuses has an offset in bytes only. */
struct rx_place config_place_of_byte(struct config_reader *reader, size_t offset)
{
    struct config_cursor cursor = cursor_start;
    offset += reader->skipped;
    while (cursor.place.offset < offset && cursor.place.offset < reader->file->length)
        step(&cursor, reader);
    return cursor.place;
}

static int hex4(const char *text, unsigned *ret)
{
    unsigned value = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'f';
        if (!digit && !letter)
            return -EINVAL;
        value = value * 16 + (unsigned)(digit ? c - '0' : (c | 32) - 'a' + 10);
    }
    *ret = value;
    return 0;
}

/* The code point of a \uD83D\uDE00 pair at `text`, 0 if there is none. */
static unsigned pair_at(const char *text, size_t length)
{
    unsigned high, low;
    if (length < PAIR || memcmp(text, "\\u", 2) != 0 || memcmp(text + 6, "\\u", 2) != 0 || hex4(text + 2, &high) < 0 ||
        hex4(text + 8, &low) < 0)
        return 0;
    bool pair = high >= 0xD800 && high < 0xDC00 && low >= 0xDC00 && low < 0xE000;
    return pair ? 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) : 0;
}

/* Copies the text with each pair as one long escape, which is what libyaml understands. */
int config_rewrite_pairs(struct config_reader *reader, const char *text, size_t length, size_t *ret)
{
    size_t out = 0, pairs = 0, skipped = (size_t)(text - reader->file->text);
    reader->rewritten = malloc(length + 1);
    reader->pairs = malloc((length / PAIR + 2) * sizeof *reader->pairs);
    if (!reader->rewritten || !reader->pairs)
        return config_no_memory(reader);
    for (size_t i = 0; i < length;) {
        unsigned code = pair_at(text + i, length - i);
        if (code) {
            reader->pairs[pairs++] = skipped + i;
            snprintf(reader->rewritten + out, LONG + 1, "\\U%08X", code);
            out += LONG;
            i += PAIR;
            continue;
        }
        bool escape = text[i] == '\\' && i + 1 < length; /* \\uD83D is a backslash, then text */
        for (size_t n = escape ? 2 : 1; n > 0; n--)
            reader->rewritten[out++] = text[i++];
    }
    reader->pairs[pairs] = SIZE_MAX;
    *ret = out;
    return 0;
}
