/* The config tree: look-up, and the way back from a scalar's text to its place in the file. */
#include "core/option/tree.h"

#include <string.h>

const struct rx_tree *rx_tree_get(const struct rx_tree *map, const char *key)
{
    if (!map || map->kind != RX_TREE_MAP)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i]->text, key) == 0)
            return map->items[i];
    return NULL;
}

const char *rx_tree_nearest(const struct rx_tree *map, const char *key)
{
    const char *names[256];
    size_t n = 0;
    for (; map && map->kind == RX_TREE_MAP && n < map->count && n < 255; n++)
        names[n] = map->keys[n]->text;
    names[n] = NULL;
    return rx_nearest(key, names);
}

/* A walk over a scalar as written, one decoded unit at a time. */
struct walk {
    const char *text;
    size_t at, end;
    size_t line_start;
    size_t indent; /* block scalars: what each line is indented by */
    bool literal;  /* a block written with |: line breaks stay */
};

static bool is_break(char c) { return c == '\n' || c == '\r'; }

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void skip_blanks(struct walk *walk)
{
    while (walk->at < walk->end && is_blank(walk->text[walk->at]))
        walk->at++;
}

static void skip_break(struct walk *walk)
{
    if (walk->at + 1 < walk->end && walk->text[walk->at] == '\r' && walk->text[walk->at + 1] == '\n')
        walk->at++;
    walk->at++;
}

/* Line breaks inside a flow scalar fold: one becomes a space, n become n - 1 breaks. Answers the bytes they yield. */
static size_t fold(struct walk *walk)
{
    size_t breaks = 0;
    while (walk->at < walk->end && is_break(walk->text[walk->at])) {
        skip_break(walk);
        skip_blanks(walk);
        breaks++;
    }
    return breaks > 1 ? breaks - 1 : 1;
}

/* True where only blanks lie between here and the end of the line: they vanish when lines fold. */
static bool blanks_end_line(const struct walk *walk)
{
    size_t at = walk->at;
    while (at < walk->end && is_blank(walk->text[at]))
        at++;
    return at > walk->at && at < walk->end && is_break(walk->text[at]);
}

static unsigned hex_digit(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : ((unsigned)((c | 32) - 'a') + 10) & 15;
}

static unsigned hex_value(const char *digits, size_t count)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 16 + hex_digit(digits[i]);
    return value;
}

static size_t utf8_length(unsigned code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

/* An escape of a double-quoted scalar. Answers the bytes it yields. */
static size_t walk_escape(struct walk *walk)
{
    static const char kinds[] = "xuU", single[] = "0abtnvfre \"/\\\t";
    static const unsigned char digits[] = {2, 4, 8};
    if (walk->at + 1 >= walk->end) {
        walk->at = walk->end;
        return 1;
    }
    char c = walk->text[walk->at + 1];
    walk->at += 2;
    if (is_break(c)) {
        skip_blanks(walk);
        return 0;
    }
    const char *kind = memchr(kinds, c, 3);
    if (!kind)
        return strchr(single, c) ? 1 : c == 'N' || c == '_' ? 2 : 3;
    size_t count = digits[kind - kinds];
    if (walk->at + count > walk->end) {
        walk->at = walk->end;
        return 1;
    }
    unsigned code = hex_value(walk->text + walk->at, count);
    walk->at += count;
    if (code >= 0xD800 && code < 0xDC00) { /* a JSON pair: two escapes, one character */
        walk->at = walk->at + 6 < walk->end ? walk->at + 6 : walk->end;
        return 4;
    }
    return utf8_length(code);
}

static size_t walk_flow(struct walk *walk, char quote)
{
    while (blanks_end_line(walk))
        skip_blanks(walk);
    char c = walk->text[walk->at];
    if (is_break(c))
        return fold(walk);
    if (quote == '"' && c == '\\')
        return walk_escape(walk);
    walk->at += quote == '\'' && c == '\'' ? 2 : 1;
    return 1;
}

static void skip_indent(struct walk *walk)
{
    walk->line_start = walk->at;
    while (walk->at < walk->end && walk->text[walk->at] == ' ' && walk->at - walk->line_start < walk->indent)
        walk->at++;
}

static size_t walk_block(struct walk *walk)
{
    if (!is_break(walk->text[walk->at])) {
        walk->at++;
        return 1;
    }
    size_t breaks = 0;
    do {
        skip_break(walk);
        skip_indent(walk);
        breaks++;
    } while (!walk->literal && walk->at < walk->end && is_break(walk->text[walk->at]));
    return breaks > 1 ? breaks - 1 : 1;
}

/* Past the header line of a block scalar, to the first character of its text. */
static void enter_block(struct walk *walk)
{
    walk->literal = walk->text[walk->at] == '|';
    while (walk->at < walk->end && !is_break(walk->text[walk->at]))
        walk->at++;
    size_t leading = walk->at;
    for (size_t at = walk->at; at < walk->end; at++) { /* the first line that holds something sets the indent */
        if (is_break(walk->text[at])) {
            leading = at + 1;
        } else if (walk->text[at] != ' ') {
            walk->indent = at - leading;
            break;
        }
    }
    if (walk->at < walk->end)
        skip_break(walk);
    skip_indent(walk);
}

/* The offset in the text as it was before ${} were expanded; inside an expansion, its start. */
static size_t before_splices(const struct rx_tree *scalar, size_t offset)
{
    size_t written = offset;
    for (size_t i = 0; i < scalar->splice_count && scalar->splices[i].at <= offset; i++) {
        const struct rx_splice *splice = &scalar->splices[i];
        if (offset < splice->at + splice->length)
            return written - (offset - splice->at);
        written = written - splice->length + splice->source_length;
    }
    return written;
}

/* Line and column of the walk's end, counted on from those of its start. */
static struct rx_place place_from(const struct rx_file *file, struct rx_place from, size_t offset)
{
    struct rx_place place = from;
    for (size_t at = from.offset; at < offset; at++) {
        char c = file->text[at];
        if (c == '\n' || (c == '\r' && (at + 1 >= file->length || file->text[at + 1] != '\n'))) {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)c & 0xC0) != 0x80 && c != '\r') {
            place.column++;
        }
    }
    place.offset = offset;
    return place;
}

struct rx_place rx_tree_place(const struct rx_tree *scalar, size_t offset)
{
    const struct rx_file *file = scalar->file;
    if (scalar->at.line == 0 || scalar->kind != RX_TREE_SCALAR || scalar->at.offset >= file->length)
        return scalar->at;
    struct walk walk = {.text = file->text, .at = scalar->at.offset, .end = file->length};
    char opening = walk.text[walk.at];
    bool block = scalar->quoted && (opening == '|' || opening == '>');
    char quote = scalar->quoted && (opening == '"' || opening == '\'') ? opening : 0;
    if (block)
        enter_block(&walk);
    else if (quote)
        walk.at++;
    size_t left = before_splices(scalar, offset);
    while (left > 0 && walk.at < walk.end) {
        size_t yield = block ? walk_block(&walk) : walk_flow(&walk, quote);
        left -= yield < left ? yield : left;
    }
    if (quote == '"' && walk.at + 1 < walk.end && walk.text[walk.at] == '\\' && is_break(walk.text[walk.at + 1]))
        walk_escape(&walk); /* a line break that yields nothing */
    return place_from(file, scalar->at, walk.at);
}
