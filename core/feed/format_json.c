/* JSON, text, and what is one or the other: a message is one value; a body of JSON is a value, an array of values, or lines. */
#include <errno.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/feed/format.h"

/* --- One value --- */

static bool starts_with(const char *at, const char *end, const char *word)
{
    size_t length = strlen(word);
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

/* Whether `auto` takes a payload as JSON: by its first byte, and the literals by their whole word, since "off" and
 * "nominal" are what devices say. */
static bool looks_like_json(const char *at, size_t length)
{
    const char *end = at + length;
    at = rx_format_skip_space(at, end);
    if (at == end)
        return false;
    switch (*at) {
    case '{':
    case '[':
    case '"':
        return true;
    case '-':
        return at + 1 < end && at[1] >= '0' && at[1] <= '9';
    case 't':
        return starts_with(at, end, "true");
    case 'f':
        return starts_with(at, end, "false");
    case 'n':
        return starts_with(at, end, "null");
    default:
        return *at >= '0' && *at <= '9';
    }
}

static int json_value(struct rx_format_state *state, const char *bytes, size_t length, struct rx_value *ret,
                      struct rx_error *reterr)
{
    return rx_json_decode(state->heap, state->fields, NULL, bytes, length, ret, reterr);
}

static int text_value(struct rx_format_state *state, const char *bytes, size_t length, struct rx_value *ret,
                      struct rx_error *reterr)
{
    if (!rx_utf8_valid(bytes, length))
        return rx_error_set(reterr, -EILSEQ, "the payload is not UTF-8 text");
    struct rx_value text = rx_string(state->heap, bytes, length);
    if (text.kind != RX_STRING)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *ret = text;
    return 0;
}

static int auto_value(struct rx_format_state *state, const char *bytes, size_t length, struct rx_value *ret,
                      struct rx_error *reterr)
{
    return looks_like_json(bytes, length) ? json_value(state, bytes, length, ret, reterr)
                                          : text_value(state, bytes, length, ret, reterr);
}

/* The object that is the line at `from`, from its first byte to the last; answers behind it, or NULL. */
static const char *object_line(struct rx_format_state *state, const char *from, const char *end, struct rx_value *ret)
{
    struct rx_error error;
    const char *behind = rx_json_decode_line(state->heap, state->fields, from, end, ret);
    if (behind)
        return behind;
    const char *newline = memchr(from, '\n', (size_t)(end - from));
    if (*from != '{' || newline[-1] != '}')
        return NULL;
    int r = rx_json_decode(state->heap, state->fields, NULL, from, (size_t)(newline - from), ret, &error);
    return r < 0 ? NULL : newline + 1;
}

static size_t object_lines(struct rx_format_state *state, const char **at, const char *end, uint64_t longest,
                           size_t most, struct rx_value *ret)
{
    size_t count = 0;
    end = rx_format_lines_end(*at, end);
    while (count < most && *at < end) {
        const char *behind = object_line(state, *at, end, &ret[count]);
        if (!behind)
            break;
        if (longest && (uint64_t)(behind - 1 - *at) > longest) {
            rx_value_unref(ret[count]);
            break;
        }
        *at = behind;
        count++;
    }
    return count;
}

/* --- Telling values apart --- */

static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\')
            at++;
    }
    return end;
}

static bool ends_a_word(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ']'; }

/* Just behind the JSON value that starts at `at`; the end where it is not closed. Only tells values apart: whether it
 * is right is the decoder's to say. */
static const char *value_end(const char *at, const char *end)
{
    static const unsigned char structural[256] = {['"'] = 1, ['{'] = 2, ['['] = 2, ['}'] = 3, [']'] = 3};
    size_t depth = 0;
    if (*at != '{' && *at != '[' && *at != '"') {
        while (at < end && !ends_a_word(*at))
            at++;
        return at;
    }
    while (at < end) {
        unsigned char class = structural[(unsigned char)*at];
        at = class == 1 ? string_end(at, end) : at + 1;
        depth += class == 2;
        depth -= class == 3;
        if (class != 0 && depth == 0)
            return at;
    }
    return end;
}

/* NDJSON without its name: a first line that is a whole value, and more behind it. */
static bool looks_like_lines(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if (!newline || rx_format_skip_space(newline, end) == end)
        return false;
    const char *behind = value_end(at, newline);
    if (behind == at) /* it begins with what no value does */
        return false;
    if (behind == newline && *at != '{' && *at != '[' && *at != '"')
        return true;
    return (behind[-1] == '}' || behind[-1] == ']' || behind[-1] == '"') &&
           rx_format_skip_space(behind, newline) == newline && value_end(at, end) == behind;
}

/* --- Many values --- */

enum phase {
    BEGIN, /* of the message */
    LINE,  /* at the start of one */
    FIRST, /* behind the [ of an array */
    ITEM,  /* behind a comma */
    DONE
};

static int make_piece(struct rx_format_state *state, struct rx_format_cursor *c, const char *from, const char *to,
                      struct rx_value *ret, struct rx_error *reterr)
{
    int r = rx_format_piece(c, from, to, reterr);
    if (r < 0)
        return r;
    r = rx_json_decode(state->heap, state->fields, NULL, from, (size_t)(to - from), ret, reterr);
    return r < 0 ? rx_format_blame_piece(c, reterr) : 1;
}

/* Behind an array, or what was left of one: the next line, or the end. */
static void leave_array(struct rx_format_cursor *c)
{
    c->at = c->stop;
    c->phase = c->lines ? LINE : DONE;
}

/* A fault between the elements: the rest of the array cannot be told apart, and is rejected as one. */
static int refuse_rest(struct rx_format_cursor *c, const char *at, const char *message, struct rx_error *reterr)
{
    c->piece = at;
    c->piece_length = (size_t)(c->stop - at);
    leave_array(c);
    rx_error_set(reterr, -EBADMSG, "%s", message);
    return rx_format_blame_piece(c, reterr);
}

static int end_array(struct rx_format_cursor *c, const char *behind, struct rx_error *reterr)
{
    behind = rx_format_skip_space(behind, c->stop);
    if (behind < c->stop)
        return refuse_rest(c, behind, "expected nothing behind the array", reterr);
    leave_array(c);
    return 0;
}

/* An element is looked at with what is behind it, so that the next begins at its value. */
static int next_item(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                     struct rx_error *reterr)
{
    const char *from = rx_format_skip_space(c->at, c->stop);
    if (c->phase == FIRST && from < c->stop && *from == ']')
        return end_array(c, from + 1, reterr);
    const char *to = from < c->stop ? value_end(from, c->stop) : from;
    if (to == from)
        return refuse_rest(c, from, "expected a value", reterr);
    const char *behind = rx_format_skip_space(to, c->stop);
    if (behind < c->stop && *behind == ',') {
        c->at = behind + 1;
        c->phase = ITEM;
        return make_piece(state, c, from, to, ret, reterr);
    }
    c->at = behind;
    c->left = 1; /* the array's end is to be looked at */
    return make_piece(state, c, from, to, ret, reterr);
}

static int close_array(struct rx_format_cursor *c, struct rx_error *reterr)
{
    c->left = 0;
    if (c->at == c->stop || *c->at != ']')
        return refuse_rest(c, c->at, "expected , or ] behind an element of the array", reterr);
    return end_array(c, c->at + 1, reterr);
}

/* A value of its own, or the array that it is opened. */
static int open_piece(struct rx_format_state *state, struct rx_format_cursor *c, const char *from, bool take_apart,
                      struct rx_value *ret, struct rx_error *reterr)
{
    if (take_apart && *from == '[') {
        c->at = from + 1;
        c->phase = FIRST;
        return 0;
    }
    leave_array(c);
    return make_piece(state, c, from, c->stop, ret, reterr);
}

static int next_line(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                     struct rx_error *reterr)
{
    const char *from = rx_format_skip_space(c->at, c->end);
    if (from == c->end) {
        c->phase = DONE;
        return 0;
    }
    const char *newline = memchr(from, '\n', (size_t)(c->end - from));
    c->stop = newline ? newline : c->end;
    return open_piece(state, c, from, state->options->split, ret, reterr);
}

static int begin(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                 struct rx_error *reterr)
{
    const char *from = rx_format_skip_space(c->at, c->end);
    c->stop = c->end;
    c->lines = c->body && from < c->end && (c->lines || looks_like_lines(from, c->end));
    if (c->lines) {
        c->phase = LINE;
        return 0;
    }
    if (from == c->end)
        from = c->at; /* an empty message is a mistake of the decoder's words */
    if (from == c->end) {
        c->phase = DONE;
        return make_piece(state, c, from, c->end, ret, reterr);
    }
    return open_piece(state, c, from, c->body || state->options->split, ret, reterr);
}

static int json_next(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                     struct rx_error *reterr)
{
    int r = 0;
    while (r == 0 && c->phase != DONE) {
        if (c->phase == BEGIN)
            r = begin(state, c, ret, reterr);
        else if (c->phase == LINE)
            r = next_line(state, c, ret, reterr);
        else
            r = c->left ? close_array(c, reterr) : next_item(state, c, ret, reterr);
    }
    return r;
}

static int text_next(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                     struct rx_error *reterr)
{
    if (c->phase == DONE)
        return 0;
    c->phase = DONE;
    int r = rx_format_piece(c, c->at, c->end, reterr);
    c->at = c->end;
    if (r < 0)
        return r;
    r = text_value(state, c->piece, c->piece_length, ret, reterr);
    return r < 0 ? r : 1;
}

static int auto_next(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                     struct rx_error *reterr)
{
    bool json = c->phase != BEGIN || looks_like_json(c->at, (size_t)(c->end - c->at));
    return json ? json_next(state, c, ret, reterr) : text_next(state, c, ret, reterr);
}

const struct rx_format_class rx_format_json = {
    .name = "json", .json = true, .value = json_value, .next = json_next, .lines = object_lines};
const struct rx_format_class rx_format_text = {.name = "text", .value = text_value, .next = text_next};
const struct rx_format_class rx_format_auto = {
    .name = "auto", .json = true, .value = auto_value, .next = auto_next, .lines = object_lines};
