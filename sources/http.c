/* http: events that clients POST: one JSON value, an array of values, or NDJSON. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/feed/source.h"

struct http {
    struct rx_source source;
    uint64_t max_message;
    bool paused;
};

static const struct rx_option options[] = {
    {.name = "max_message",
     .help = "the largest event in a body",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct http, max_message, uint64_t),
     .fallback = "1MiB",
     .min = 1,
     .max = 1 << 28},
    {0},
};

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

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

/* Just behind the JSON value that starts at `at`; the end where it is not closed. Only tells values apart: whether it
 * is right is the decoder's to say. */
static const char *value_end(const char *at, const char *end)
{
    static const unsigned char structural[256] = {['"'] = 1, ['{'] = 2, ['['] = 2, ['}'] = 3, [']'] = 3};
    size_t depth = 0;
    if (*at != '{' && *at != '[' && *at != '"') {
        while (at < end && !is_space(*at) && *at != ',' && *at != ']')
            at++;
        return at;
    }
    while (at < end) {
        unsigned char class = structural[(unsigned char)*at];
        if (class == 1)
            at = string_end(at, end);
        else
            at++;
        depth += class == 2;
        depth -= class == 3;
        if (class != 0 && depth == 0)
            return at;
    }
    return end;
}

/* The place of a byte in the body: its line, and its column in code points. */
static struct rx_place place_of(const struct rx_ingest *ingest, const char *at)
{
    struct rx_place place = {.line = 1, .column = 1, .offset = (size_t)(at - ingest->body)};
    for (const char *c = ingest->body; c < at; c++) {
        if (*c == '\n') {
            place.line++;
            place.column = 1;
        } else {
            place.column += ((unsigned char)*c & 0xC0) != 0x80;
        }
    }
    return place;
}

static void refuse(struct rx_ingest *ingest, const char *at, const struct rx_error *error)
{
    const char *end = ingest->body + ingest->length;
    at = error->at.line && (size_t)(end - at) >= error->at.offset ? at + error->at.offset : at;
    struct rx_place place = place_of(ingest, at);
    ingest->status = error->code == -EMSGSIZE ? 413 : error->code == -ENOMEM ? 503 : 400;
    rx_error_set(&ingest->error, error->code, "line %u, column %u: %s", place.line, place.column, error->message);
    memcpy(ingest->error.hint, error->hint, sizeof error->hint);
    ingest->error.at = place;
}

/* A body is taken whole or not at all: its messages are visited twice where there are more than may wait. */
struct body {
    struct rx_source *source;
    struct rx_ingest *ingest;
    uint64_t staged, seen, checked; /* messages: that wait, of this visit, beyond what may wait */
    bool taking;
};

static bool stage(struct body *b, const char *at, size_t length)
{
    struct rx_error error = {0};
    int r = rx_source_stage(b->source, at, length, &error);
    if (r < 0)
        refuse(b->ingest, at, &error);
    b->staged += r == 0;
    b->checked += r > 0;
    return r >= 0;
}

static bool take(struct body *b, const char *at, size_t length)
{
    struct rx_error error = {0};
    if (b->seen++ < b->staged)
        return true;
    if (rx_source_message(b->source, RX_FORMAT_JSON, at, length, NULL, &error) < 0) {
        refuse(b->ingest, at, &error);
        return false;
    }
    b->ingest->accepted++;
    return true;
}

/* False: it is refused, and no more are looked at. */
static bool visit(struct body *b, const char *at, size_t length)
{
    return b->taking ? take(b, at, length) : stage(b, at, length);
}

static void visit_lines(struct body *b)
{
    const char *at = b->ingest->body, *end = at + b->ingest->length;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        const char *text = skip_space(at, stop);
        if (text < stop && !visit(b, text, (size_t)(stop - text)))
            return;
        at = stop + 1;
    }
}

/* A fault between the elements of an array: a message that cannot be told apart, rejected as one. */
static void reject_rest(struct body *b, const char *at, const char *message)
{
    struct rx_error error;
    rx_error_set(&error, -EBADMSG, "%s", message);
    rx_source_reject(b->source, RX_REJECT_SYNTAX, at, (size_t)(b->ingest->body + b->ingest->length - at), &error);
    refuse(b->ingest, at, &error);
}

static void visit_array(struct body *b, const char *at)
{
    const char *end = b->ingest->body + b->ingest->length;
    at = skip_space(at + 1, end);
    bool open = at == end || *at != ']';
    while (open) {
        const char *value = at;
        if (value < end)
            at = value_end(value, end);
        if (at == value) {
            reject_rest(b, at, "expected a value");
            return;
        }
        if (!visit(b, value, (size_t)(at - value)))
            return;
        at = skip_space(at, end);
        if (at == end || (*at != ',' && *at != ']')) {
            reject_rest(b, at, "expected , or ] behind an element of the array");
            return;
        }
        open = *at == ',';
        if (open)
            at = skip_space(at + 1, end);
    }
    if (skip_space(at + 1, end) < end)
        reject_rest(b, skip_space(at + 1, end), "expected nothing behind the array");
}

static bool is_lines_type(const char *type)
{
    static const char *const types[] = {"application/x-ndjson",    "application/ndjson",     "application/jsonl",
                                        "application/x-jsonlines", "application/json-lines", NULL};
    for (int i = 0; types[i]; i++) {
        size_t length = strlen(types[i]);
        if (strncasecmp(type, types[i], length) == 0 &&
            (type[length] == '\0' || type[length] == ';' || type[length] == ' '))
            return true;
    }
    return false;
}

/* NDJSON without its name: a first line that is a whole value, and more behind it. */
static bool looks_like_lines(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if (!newline || skip_space(newline, end) == end)
        return false;
    const char *behind = value_end(at, newline);
    if (behind == newline && *at != '{' && *at != '[' && *at != '"')
        return true;
    return (behind[-1] == '}' || behind[-1] == ']' || behind[-1] == '"') && skip_space(behind, newline) == newline &&
           value_end(at, end) == behind;
}

static void visit_body(struct body *b, const char *at, const char *end)
{
    if (is_lines_type(b->ingest->type) || looks_like_lines(at, end))
        visit_lines(b);
    else if (*at == '[')
        visit_array(b, at);
    else
        visit(b, at, (size_t)(end - at));
}

static void ingest(struct rx_source *source, struct rx_ingest *ingest)
{
    const char *end = ingest->body + ingest->length;
    const char *at = ingest->body ? skip_space(ingest->body, end) : end;
    ingest->status = 202;
    ingest->accepted = 0;
    if (((struct http *)source)->paused) {
        ingest->status = 429;
        rx_error_set(&ingest->error, -EAGAIN, "what this source feeds has no room; try again");
        return;
    }
    if (at == end) {
        ingest->status = 400;
        rx_error_set(&ingest->error, -EBADMSG, "the body is empty: expected JSON, a JSON array or NDJSON");
        return;
    }
    struct body b = {.source = source, .ingest = ingest};
    visit_body(&b, at, end);
    if (ingest->status != 202) {
        rx_source_discard(source);
        return;
    }
    ingest->accepted = b.staged;
    rx_source_commit(source);
    b.taking = true;
    if (b.checked)
        visit_body(&b, at, end);
    rx_source_flush(source);
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    (void)reterr;
    source->max_message = ((struct http *)source)->max_message;
    return 0;
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    (void)reterr;
    source->running = true;
    return 0;
}

static void set_paused(struct rx_source *source, bool paused) { ((struct http *)source)->paused = paused; }

static void stop(struct rx_source *source) { source->running = false; }

const struct rx_source_class rx_source_http = {
    .base = {.name = "http",
             .summary = "Events POSTed to /sources/NAME: a JSON value, an array of values, or NDJSON",
             .options = options,
             .state_size = sizeof(struct http),
             .example = "http: {}"},
    .init = init,
    .start = start,
    .pause = set_paused,
    .stop = stop,
    .ingest = ingest,
    .dispose = stop,
};
