/* libyaml's problems as sentences that a beginner can act on. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/config/config_private.h"

struct problem {
    const struct rx_file *file;
    const char *what; /* libyaml's words */
    struct rx_place at, context;
};

static char char_at(const struct rx_file *file, size_t offset)
{
    return offset < file->length ? file->text[offset] : '\0';
}

static size_t line_start(const struct rx_file *file, size_t offset)
{
    while (offset > 0 && file->text[offset - 1] != '\n' && file->text[offset - 1] != '\r')
        offset--;
    return offset;
}

static size_t line_end(const struct rx_file *file, size_t offset)
{
    while (offset < file->length && file->text[offset] != '\n' && file->text[offset] != '\r')
        offset++;
    return offset;
}

static size_t skip_spaces(const struct rx_file *file, size_t offset)
{
    while (char_at(file, offset) == ' ')
        offset++;
    return offset;
}

void config_quote_hint(const struct rx_file *file, size_t offset, size_t length, char *out, size_t size)
{
    const char *text = file->text + offset;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    bool doubles = memchr(text, '"', length), singles = memchr(text, '\'', length);
    if (length == 0 || length > 100 || (doubles && singles)) {
        snprintf(out, size, "quote the expression");
        return;
    }
    char quote = doubles || memchr(text, '\\', length) ? '\'' : '"';
    snprintf(out, size, "quote the expression: %c%.*s%c", quote, (int)length, text, quote);
}

/* Where the value of the line's last key before `limit` starts: past `- ` and `key: `. */
static size_t value_start(const struct rx_file *file, size_t offset, size_t limit)
{
    size_t start = skip_spaces(file, line_start(file, offset));
    while (char_at(file, start) == '-' && char_at(file, start + 1) == ' ')
        start = skip_spaces(file, start + 1);
    size_t key_end = start;
    while (key_end < limit && !(file->text[key_end] == ':' && char_at(file, key_end + 1) == ' '))
        key_end++;
    return key_end < limit ? skip_spaces(file, key_end + 1) : start;
}

static void add(const struct problem *problem, struct rx_diagnostics *diagnostics, const char *hint,
                const char *message)
{
    struct rx_tree node = {.file = problem->file, .at = problem->at};
    rx_diagnosef(diagnostics, &node, hint, "%s", message);
}

/* Hint: the value on this line, quoted whole. */
static void add_quoting(const struct problem *problem, struct rx_diagnostics *diagnostics, const char *message)
{
    char hint[160];
    size_t start = value_start(problem->file, problem->at.offset, problem->at.offset);
    config_quote_hint(problem->file, start, line_end(problem->file, start) - start, hint, sizeof hint);
    add(problem, diagnostics, hint, message);
}

static bool starts_line(const struct problem *problem)
{
    return skip_spaces(problem->file, line_start(problem->file, problem->at.offset)) >= problem->at.offset;
}

static void on_bad_start(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    char c = char_at(problem->file, problem->at.offset), message[120];
    if (c == '\t') {
        add(problem, diagnostics, "replace the tab by spaces", "a tab cannot indent in YAML");
        return;
    }
    snprintf(message, sizeof message, "an unquoted text cannot start with %s in YAML",
             c == '`'   ? "a backtick"
             : c == '%' ? "`%`"
             : c == '@' ? "`@`"
                        : "this character");
    add_quoting(problem, diagnostics, message);
}

static void on_second_colon(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    size_t start = skip_spaces(problem->file, line_start(problem->file, problem->at.offset));
    if (value_start(problem->file, problem->at.offset, problem->at.offset) > start + 2 &&
        memmem(problem->file->text + start, problem->at.offset - start, ": ", 2))
        add_quoting(problem, diagnostics, "a `: ` inside an unquoted text: YAML takes it for another key");
    else
        add(problem, diagnostics, "give keys of one mapping the same indentation, and lists one `- ` for each item",
            "a key cannot stand here: the line before it already has a value, or is indented differently");
}

/* Where the quote before `offset` was opened, if that was in another line: the quote meant to close it is missing. */
static bool opened_before(const struct rx_file *file, size_t offset, size_t *ret)
{
    size_t start = line_start(file, offset), end = offset, quotes = 0;
    while (end > start && strchr(" ,]}", file->text[end - 1]))
        end--;
    if (end == start || !strchr("\"'", file->text[end - 1]))
        return false;
    for (size_t i = start; i < end; i++)
        quotes += file->text[i] == file->text[end - 1];
    size_t at = start;
    while (at > 0 && file->text[at - 1] != file->text[end - 1])
        at--;
    *ret = at > 0 ? at - 1 : 0;
    return quotes % 2 == 1 && at > 0;
}

static struct rx_place place_at(const struct rx_file *file, size_t offset)
{
    struct rx_place place = {.line = 1, .column = 1, .offset = offset};
    for (size_t i = 0; i < offset; i++) {
        bool breaks = file->text[i] == '\n';
        place.line += breaks;
        place.column = breaks ? 1 : place.column + ((file->text[i] & 0xC0) != 0x80);
    }
    return place;
}

static void on_no_key(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    size_t opening;
    if (char_at(problem->file, problem->at.offset) == ':') {
        add(problem, diagnostics, "write `name: value`", "a key is missing before the `:`");
        return;
    }
    if (!starts_line(problem) && opened_before(problem->file, problem->at.offset, &opening)) {
        char message[120];
        struct problem quote = {.file = problem->file, .at = place_at(problem->file, opening)};
        snprintf(message, sizeof message, "this quote is closed only in line %u", problem->at.line);
        add(&quote, diagnostics, "close it in its own line", message);
        return;
    }
    if (!starts_line(problem)) {
        add_quoting(problem, diagnostics, "unexpected text after the value that ends here");
        return;
    }
    char message[160];
    snprintf(message, sizeof message, "this line is indented unlike the lines of the mapping that starts in line %u",
             problem->context.line);
    add(problem, diagnostics, "give all its keys the same indentation, and begin each list item with `- `", message);
}

static void on_no_dash(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    char message[160];
    snprintf(message, sizeof message, "expected another `- ` item of the list that starts in line %u",
             problem->context.line);
    add(problem, diagnostics, "begin the line with `- ` under the others, or check its indentation", message);
}

/* {x: a ? b : c}: where the value began that holds the colon at `offset`; false: it is no conditional. */
static bool conditional_start(const struct rx_file *file, size_t offset, size_t *ret)
{
    size_t start = offset, line = line_start(file, offset);
    while (start > line && !strchr("{,", file->text[start - 1]))
        start--;
    const char *colon = memmem(file->text + start, offset - start, ": ", 2);
    *ret = colon ? skip_spaces(file, (size_t)(colon - file->text) + 1) : start;
    return char_at(file, offset) == ':' && memmem(file->text + *ret, offset - *ret, " ? ", 3);
}

static void on_unclosed_flow(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    size_t offset = problem->at.offset, start;
    if (conditional_start(problem->file, offset, &start)) {
        char quoting[160];
        size_t end = offset;
        while (!strchr("}],\r\n", char_at(problem->file, end)))
            end++;
        while (end > offset && char_at(problem->file, end - 1) == ' ')
            end--;
        config_quote_hint(problem->file, start, end - start, quoting, sizeof quoting);
        add(problem, diagnostics, quoting, "a `: ` inside an unquoted text: YAML takes it for another key");
        return;
    }
    if (offset > 0 && char_at(problem->file, offset) == '{' && problem->file->text[offset - 1] == '$') {
        add(problem, diagnostics, "quote the text: \"${NAME}\"", "inside { } and [ ] a text with `${` needs quotes");
        return;
    }
    char message[160], open = strchr(problem->what, '}') ? '{' : '[';
    snprintf(message, sizeof message, "expected `,` or `%c`: the `%c` of line %u, column %u is still open",
             open == '{' ? '}' : ']', open, problem->context.line, problem->context.column);
    add(problem, diagnostics,
        "close it, put a comma between the entries, or quote the expression if it holds `[`, `{`, `: ` or a comma",
        message);
}

static void on_unclosed_quote(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    struct problem opened = *problem;
    opened.at = problem->context;
    add(&opened, diagnostics, "close it; inside double quotes write \\\" for a quote, inside single ones ''",
        "this quote is never closed");
}

static void on_no_colon(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    struct problem key = *problem;
    if (problem->context.line > 0)
        key.at = problem->context;
    add(&key, diagnostics, "write `name: value` with a space after the colon", "expected a `:` after this key");
}

static void on_anchor(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add_quoting(problem, diagnostics, "`&` and `*` at the start of a value mark anchors and aliases in YAML");
}

static void on_block_header(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add_quoting(problem, diagnostics, "`>` and `|` at the start of a value begin a block of text in YAML");
}

static void on_escape(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add(problem, diagnostics, "inside double quotes write \\\\ for a backslash, or use single quotes",
        "an unknown escape in a double-quoted text");
}

static void on_bad_code(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add(problem, diagnostics, "a character beyond \\uFFFF is a pair such as \\uD83D\\uDE00, or \\U0001F600",
        "this escape is half a character");
}

static void on_tag(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add_quoting(problem, diagnostics, "`!` at the start of a value marks a tag in YAML");
}

static void on_tab(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add(problem, diagnostics, "replace the tab by spaces", "a tab cannot indent in YAML");
}

static void on_utf8(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add(problem, diagnostics, "save the file as UTF-8", "the text is not valid UTF-8");
}

static void on_control(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add(problem, diagnostics, "remove it, or write it as an escape in double quotes",
        "a control character that YAML does not allow");
}

static void on_second_document(const struct problem *problem, struct rx_diagnostics *diagnostics)
{
    add(problem, diagnostics, "check the indentation, and the brackets before it",
        "unexpected text after the config's end");
}

static const struct {
    const char *words;
    void (*explain)(const struct problem *, struct rx_diagnostics *);
} explanations[] = {
    {"cannot start any token", on_bad_start},
    {"mapping values are not allowed", on_second_colon},
    {"block sequence entries are not allowed", on_second_colon},
    {"mapping keys are not allowed", on_second_colon},
    {"did not find expected key", on_no_key},
    {"did not find expected '-' indicator", on_no_dash},
    {"did not find expected ',' or", on_unclosed_flow},
    {"found unexpected end of stream", on_unclosed_quote},
    {"found unexpected document indicator", on_unclosed_quote},
    {"could not find expected ':'", on_no_colon},
    {"expected alphabetic or numeric character", on_anchor},
    {"expected comment or line break", on_block_header},
    {"found unknown escape character", on_escape},
    {"invalid Unicode character escape", on_bad_code},
    {"did not find expected hexdecimal number", on_escape},
    {"tag", on_tag},
    {"tab character", on_tab},
    {"UTF-8", on_utf8},
    {"control characters", on_control},
    {"expected <document start>", on_second_document},
};

void config_problem(const struct rx_file *file, const yaml_parser_t *parser, struct rx_place place,
                    struct rx_place context, struct rx_diagnostics *diagnostics)
{
    struct problem problem = {
        .file = file, .what = parser->problem ? parser->problem : "", .at = place, .context = context};
    if (parser->error == YAML_MEMORY_ERROR) {
        rx_diagnose_starved(diagnostics, &(struct rx_tree){.file = file, .at = place});
        return;
    }
    for (size_t i = 0; i < sizeof explanations / sizeof *explanations; i++) {
        if (strstr(problem.what, explanations[i].words)) {
            explanations[i].explain(&problem, diagnostics);
            return;
        }
    }
    char message[200];
    snprintf(message, sizeof message, "this is not YAML: %s", problem.what);
    add_quoting(&problem, diagnostics, message);
}
