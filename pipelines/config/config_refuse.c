/* The traps of YAML that would change a meaning in silence, turned into mistakes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/config/config_private.h"

void config_mistake(struct config_reader *reader, struct rx_place at, const char *hint, const char *message)
{
    struct rx_tree node = {.file = reader->file, .at = at};
    rx_diagnosef(reader->diagnostics, &node, hint, "%s", message);
    reader->mistakes++;
}

int config_no_memory(struct config_reader *reader)
{
    struct rx_tree node = {.file = reader->file};
    rx_diagnose_starved(reader->diagnostics, &node);
    reader->mistakes++;
    return -ENOMEM;
}

size_t config_line_rest(const struct rx_file *file, size_t offset)
{
    size_t end = offset;
    while (end < file->length && end - offset < 240 && !strchr("\r\n", file->text[end]))
        end++;
    return end - offset;
}

bool config_is_empty(const struct rx_tree *node)
{
    if (node->kind != RX_TREE_SCALAR || node->length > 0 || node->splice_count > 0)
        return false;
    char first = node->at.offset < node->file->length ? node->file->text[node->at.offset] : 0;
    return !node->quoted || first == '>' || first == '|'; /* `filter: >5` is an empty block of text */
}

/* `!active`: a tag to YAML, a negation to who wrote it. */
void config_refuse_tag(struct config_reader *reader, struct rx_place at)
{
    const char *text = reader->file->text + at.offset;
    size_t line = config_line_rest(reader->file, at.offset), length = 0;
    while (length < line && !strchr(" \t,}]", text[length]))
        length++;
    char message[160], hint[160];
    if (length == 4 && memcmp(text, "!raw", 4) == 0) {
        config_mistake(reader, at, "write it before each text: {a: !raw \"{{ x }}\"}",
                       "`!raw` keeps one text as written, and stands before a list or a mapping here");
        return;
    }
    snprintf(message, sizeof message, "`%.*s` is a tag to YAML, not an expression", length < 60 ? (int)length : 1,
             text);
    config_quote_hint(reader->file, at.offset, memchr(text, ',', line) ? length : line, hint, sizeof hint);
    config_mistake(reader, at, hint, message);
}

/* Where a `(` or `[` that opens in the first `length` bytes is closed, on the same line; 0: balanced or never. */
static size_t unbalanced_end(const char *text, size_t length, size_t limit)
{
    size_t depth = 0;
    char quote = 0;
    for (size_t i = 0; i < limit; i++) {
        char c = text[i];
        if (i >= length && depth == 0)
            return 0;
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '(')
            depth++;
        else if (c == ')' && depth > 0 && --depth == 0 && i >= length)
            return i + 1;
    }
    return 0;
}

/* {p: quantile(v, 0.95)}: to YAML the comma ends the value. True when that was said. */
bool config_refuse_split(struct config_reader *reader, const struct rx_tree *node)
{
    if (node->kind != RX_TREE_SCALAR || node->quoted)
        return false;
    size_t line = config_line_rest(reader->file, node->at.offset);
    size_t length = node->length < line ? node->length : line;
    size_t end = unbalanced_end(reader->file->text + node->at.offset, length, line);
    if (end == 0)
        return false;
    char hint[160];
    config_quote_hint(reader->file, node->at.offset, end, hint, sizeof hint);
    config_mistake(reader, node->at, hint,
                   "the comma inside the parentheses splits this expression: inside { } and [ ] it ends the value");
    return true;
}

/* True when what follows the key's colon is a comment. */
static bool comment_follows(const struct rx_file *file, const struct rx_tree *key)
{
    size_t offset = key->at.offset + key->length;
    while (offset < file->length && strchr(" :", file->text[offset]))
        offset++;
    return offset < file->length && file->text[offset] == '#' && file->text[offset - 1] == ' ';
}

/* True when the next line with text begins where the key does: what was meant for below the key, perhaps. */
static bool next_stands_beside(const struct rx_file *file, const struct rx_tree *key)
{
    const char *text = file->text, *end = text + file->length, *line = text + key->at.offset;
    while (line > text && line[-1] != '\n')
        line--;
    size_t indent = (size_t)(text + key->at.offset - line);
    for (const char *next = line; (next = memchr(next, '\n', (size_t)(end - next)));) {
        size_t blank = strspn(++next, " ");
        if (next + blank < end && !strchr("\r\n#", next[blank]))
            return blank == indent && next[blank] != '-';
    }
    return false;
}

void config_refuse_empty(struct config_reader *reader, const struct rx_tree *key, const struct rx_tree *node, bool flow)
{
    char message[160], quoting[160];
    const char *hint = "write a value; quote the expression if YAML takes it apart";
    if (node->quoted) {
        size_t rest = config_line_rest(reader->file, node->at.offset);
        config_quote_hint(reader->file, node->at.offset, rest, quoting, sizeof quoting);
        hint = quoting;
    } else if (key && comment_follows(reader->file, key)) {
        hint = "a `#` after a space starts a comment in YAML: quote the expression or text";
    } else if (!flow && key && next_stands_beside(reader->file, key)) {
        hint = "write a value; or if the lines below belong to it, indent them further";
    } else if (flow && key) {
        hint = "write `name: value`, or quote the expression if `{` is part of it: \"{name}\"";
    }
    if (key)
        snprintf(message, sizeof message, "`%.80s` has no value", key->text);
    else
        snprintf(message, sizeof message, "an empty entry in a list");
    config_mistake(reader, key ? key->at : node->at, hint, message);
}

bool config_check_key(struct config_reader *reader, const struct rx_tree *key)
{
    if (key->kind != RX_TREE_SCALAR)
        config_mistake(reader, key->at, "quote it if it is text or an expression", "a key must be a text");
    else if (config_is_empty(key))
        config_mistake(reader, key->at, "write `name: value`", "a key is missing before the `:`");
    else if (memchr(key->text, '\0', key->length))
        config_mistake(reader, key->at, NULL, "a key must not hold a NUL character");
    else if (!key->quoted && strcmp(key->text, "<<") == 0)
        config_mistake(reader, key->at, "use an alias for a whole value, or write the entries out",
                       "merging with `<<` is not supported");
    else
        return true;
    return false;
}

static int compare_keys(const void *a, const void *b)
{
    const struct rx_tree *left = *(const struct rx_tree *const *)a, *right = *(const struct rx_tree *const *)b;
    int order = strcmp(left->text, right->text);
    if (order != 0)
        return order;
    return left->at.offset < right->at.offset ? -1 : left->at.offset > right->at.offset;
}

/* Sorts what it is given: call it on a copy. */
void config_refuse_duplicates(struct config_reader *reader, struct rx_tree **keys, size_t count)
{
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(keys[i - 1]->text, keys[i]->text) != 0)
            continue;
        char message[200];
        snprintf(message, sizeof message, "`%.80s` is given twice: first in line %u", keys[i]->text,
                 keys[i - 1]->at.line);
        config_mistake(reader, keys[i]->at, "keep one of them", message);
    }
}
