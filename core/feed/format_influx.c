/* InfluxDB's line protocol: `measurement,tag=a field=1.5,n=3i 1700000000000000000`. A line is the object of its tags and fields,
 * and `measurement` and `time`, which win over a tag or field of that name. */
#include <errno.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/feed/format.h"
#include "core/feed/items.h"

struct influx {
    struct rx_format_state state;
    struct rx_buffer plain; /* a name or text without its escapes */
};

/* The line that is being read. */
struct line {
    struct influx *influx;
    const char *at, *end;
    struct rx_object_builder object;
    const char *bad; /* where a mistake is */
    bool starved;
    struct rx_error *error;
};

struct text {
    const char *text;
    size_t length;
};

static int fail(struct line *line, const char *at, const char *message)
{
    line->bad = at;
    return rx_error_set(line->error, -EBADMSG, "%s", message);
}

/* --- Names and texts --- */

static bool is_of(char c, const char *set)
{
    while (*set && *set != c)
        set++;
    return *set;
}

/* Up to one of `stops` that has no backslash before it. */
static struct text take_until(struct line *line, const char *stops)
{
    struct text text = {.text = line->at};
    while (line->at < line->end && !is_of(*line->at, stops))
        line->at += *line->at == '\\' && line->at + 1 < line->end ? 2 : 1;
    text.length = (size_t)(line->at - text.text);
    return text;
}

/* As a value, without the backslashes before `escapable`; others stay, as they stand for themselves. */
static struct rx_value value_of(struct line *line, struct text raw, const char *escapable)
{
    struct rx_buffer *plain = &line->influx->plain;
    bool escaped = memchr(raw.text, '\\', raw.length);
    rx_buffer_clear(plain);
    if (escaped && rx_buffer_reserve(plain, raw.length) < 0)
        return rx_null();
    for (size_t i = 0; escaped && i < raw.length; i++) {
        if (raw.text[i] == '\\' && i + 1 < raw.length && is_of(raw.text[i + 1], escapable))
            i++;
        plain->data[plain->length++] = raw.text[i];
    }
    return rx_string(line->influx->state.heap, escaped ? plain->data : raw.text, escaped ? plain->length : raw.length);
}

static void put_take(struct line *line, struct rx_value name, struct rx_value value)
{
    line->starved = line->starved || name.kind == RX_NULL || value.kind == RX_NULL;
    if (!line->starved) {
        rx_object_put_take(&line->object, name, value);
        return;
    }
    rx_value_unref(name);
    rx_value_unref(value);
}

static bool is_needed(const struct line *line, struct rx_value name)
{
    return name.kind == RX_NULL || rx_fields_has(line->influx->state.fields, name.u.text, name.aux);
}

static bool is_word(struct text text, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (strlen(words[i]) == text.length && memcmp(words[i], text.text, text.length) == 0)
            return true;
    return false;
}

/* --- Values --- */

static bool take_digits(struct text digits, uint64_t *ret)
{
    uint64_t n = 0;
    if (digits.length == 0 || digits.length > 20)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        unsigned digit = (unsigned)digits.text[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    }
    *ret = n;
    return true;
}

static bool read_int(struct text digits, int64_t *ret)
{
    uint64_t n;
    bool negative = digits.length > 0 && digits.text[0] == '-';
    if (!take_digits((struct text){digits.text + negative, digits.length - negative}, &n) ||
        n > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? 0 - n : n);
    return true;
}

static int read_whole(struct line *line, struct text text, struct rx_value *ret)
{
    char unit = text.text[text.length - 1];
    struct text digits = {text.text, text.length - 1};
    int64_t i;
    uint64_t u;
    if (unit == 'i' && read_int(digits, &i))
        *ret = rx_json_int(i);
    else if (unit == 'u' && take_digits(digits, &u))
        *ret = rx_items_uint(u);
    else
        return fail(line, text.text,
                    unit == 'i' ? "expected a whole number of 64 bits before `i`"
                                : "expected a whole number of 64 bits, without a sign, before `u`");
    return 0;
}

static int read_number(struct line *line, struct text text, struct rx_value *ret)
{
    static const char *const yes[] = {"t", "T", "true", "True", "TRUE", NULL};
    static const char *const no[] = {"f", "F", "false", "False", "FALSE", NULL};
    if (text.length == 0)
        return fail(line, text.text, "expected a value: a number, 1i, 1u, true, or a text in double quotes");
    if (is_word(text, yes) || is_word(text, no)) {
        *ret = rx_bool(is_word(text, yes));
        return 0;
    }
    if (text.text[text.length - 1] == 'i' || text.text[text.length - 1] == 'u')
        return read_whole(line, text, ret);
    struct rx_value value = rx_json_scalar(line->influx->state.heap, text.text, text.length);
    if (value.kind == RX_INT || value.kind == RX_DOUBLE) {
        *ret = value;
        return 0;
    }
    rx_value_unref(value);
    return fail(line, text.text, "expected a value: a number, 1i, 1u, true, or a text in double quotes");
}

static int read_text(struct line *line, struct text *ret)
{
    const char *open = line->at++;
    *ret = take_until(line, "\"");
    if (line->at == line->end)
        return fail(line, open, "a text that is never closed");
    line->at++;
    return 0;
}

/* A text that nobody asks for is read and not made. */
static int read_value(struct line *line, bool asked, struct rx_value *ret)
{
    struct text text;
    if (line->at == line->end || *line->at != '"')
        return read_number(line, take_until(line, ", "), ret);
    int r = read_text(line, &text);
    if (r == 0)
        *ret = asked ? value_of(line, text, "\"\\") : rx_null();
    return r;
}

/* --- The parts of a line --- */

static int read_name(struct line *line, const char *what, struct text *ret)
{
    *ret = take_until(line, ",= ");
    if (ret->length == 0 || line->at == line->end || *line->at != '=')
        return fail(line, ret->length == 0 ? ret->text : line->at, what);
    line->at++;
    return 0;
}

/* Whether the plan asks for a name as it is written. One with a backslash is another without it. */
static bool is_asked(const struct line *line, struct text name)
{
    return memchr(name.text, '\\', name.length) || rx_fields_has(line->influx->state.fields, name.text, name.length);
}

/* Takes the name. */
static void put_needed_take(struct line *line, struct rx_value name, struct rx_value value)
{
    if (is_needed(line, name)) {
        put_take(line, name, value);
        return;
    }
    rx_value_unref(name);
    rx_value_unref(value);
}

static int read_tag(struct line *line)
{
    struct text name;
    int r = read_name(line, "expected a tag: NAME=TEXT", &name);
    if (r < 0)
        return r;
    struct text text = take_until(line, ", ");
    if (text.length == 0)
        return fail(line, text.text, "expected a tag's text");
    if (is_asked(line, name))
        put_needed_take(line, value_of(line, name, ",= "), value_of(line, text, ",= "));
    return 0;
}

static int read_field(struct line *line)
{
    struct text name;
    struct rx_value value;
    int r = read_name(line, "expected a field: NAME=VALUE", &name);
    if (r < 0)
        return r;
    bool asked = is_asked(line, name);
    r = read_value(line, asked, &value);
    if (r == 0 && asked)
        put_needed_take(line, value_of(line, name, ",= "), value);
    return r;
}

static int read_tags(struct line *line)
{
    int r = 0;
    while (r == 0 && line->at < line->end && *line->at == ',') {
        line->at++;
        r = read_tag(line);
    }
    return r;
}

static int read_fields(struct line *line)
{
    int r = 0;
    if (line->at == line->end || *line->at != ' ')
        return fail(line, line->at, "expected a space and the fields behind measurement and tags");
    do {
        line->at++;
        r = read_field(line);
    } while (r == 0 && line->at < line->end && *line->at == ',');
    return r;
}

static int read_time(struct line *line)
{
    int64_t ns;
    const char *space = line->at;
    while (line->at < line->end && *line->at == ' ')
        line->at++;
    if (line->at == line->end)
        return 0;
    if (line->at == space || !read_int((struct text){line->at, (size_t)(line->end - line->at)}, &ns))
        return fail(line, line->at, "expected the time here: whole nanoseconds since 1970");
    put_needed_take(line, rx_string_static("time", 4), rx_timestamp(ns));
    return 0;
}

static int read_line(struct line *line)
{
    struct text raw = take_until(line, ", ");
    if (raw.length == 0)
        return fail(line, raw.text, "expected a measurement's name");
    int r = read_tags(line);
    if (r == 0)
        r = read_fields(line);
    struct text name = {"measurement", 11};
    if (r == 0 && is_asked(line, name))
        put_needed_take(line, rx_string_static(name.text, 11), value_of(line, raw, ", "));
    if (r == 0)
        r = read_time(line);
    return r == 0 && line->starved ? rx_error_set(line->error, -ENOMEM, "out of memory") : r;
}

static const char *first_bad_byte(struct text text)
{
    const char *at = text.text, *end = text.text + text.length;
    for (size_t n; at < end && (n = rx_utf8_next(at, (size_t)(end - at))) > 0;)
        at += n;
    return at;
}

/* The line from `from` to `to`, which the cursor calls its piece. */
static int make_line(struct influx *influx, struct rx_format_cursor *c, struct rx_value *ret, struct rx_error *reterr)
{
    struct line line = {.influx = influx, .at = c->piece, .end = c->piece + c->piece_length, .error = reterr};
    if (!rx_utf8_valid(c->piece, c->piece_length)) {
        rx_error_set(reterr, -EILSEQ, "not UTF-8");
        reterr->at = rx_format_place(c, first_bad_byte((struct text){c->piece, c->piece_length}));
        return -EILSEQ;
    }
    rx_object_init(&line.object, influx->state.heap);
    int r = read_line(&line);
    if (r < 0) {
        rx_object_abort(&line.object);
        if (line.bad)
            reterr->at = rx_format_place(c, line.bad);
        return r;
    }
    *ret = rx_object_finish(&line.object);
    return ret->kind == RX_NULL ? rx_error_set(reterr, -ENOMEM, "out of memory") : 1;
}

static int next(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                struct rx_error *reterr)
{
    while (c->at < c->end) {
        const char *from = c->at, *newline = memchr(from, '\n', (size_t)(c->end - from));
        const char *to = newline ? newline : c->end;
        c->at = newline ? newline + 1 : c->end;
        from = rx_format_skip_space(from, to);
        if (to > from && to[-1] == '\r')
            to--;
        if (from == to || *from == '#')
            continue;
        int r = rx_format_piece(c, from, to, reterr);
        return r < 0 ? r : make_line((struct influx *)state, c, ret, reterr);
    }
    return 0;
}

static void dispose(struct rx_format_state *state) { rx_buffer_finish(&((struct influx *)state)->plain); }

const struct rx_format_class rx_format_influx = {
    .name = "influx", .state_size = sizeof(struct influx), .next = next, .dispose = dispose};
