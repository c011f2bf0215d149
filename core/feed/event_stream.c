/* Server-Sent Events: lines, fields, events. */
#include "core/feed/event_stream.h"

#include <errno.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 }; /* of a field, its colon and blank: what a line may be longer than the data */
static const unsigned char mark[] = {0xEF, 0xBB, 0xBF};
#define RETRY_MAX (3600 * RX_SEC)

static bool is(const char *name, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(name, word, length) == 0;
}

static void reset_event(struct rx_event_stream *s)
{
    rx_buffer_clear(&s->data);
    rx_buffer_clear(&s->type);
    s->too_large = false;
}

void rx_event_stream_begin(struct rx_event_stream *s)
{
    reset_event(s);
    rx_buffer_clear(&s->line);
    s->begun = 0;
    s->has_id = s->carriage = s->skipping = false;
}

void rx_event_stream_finish(struct rx_event_stream *s)
{
    rx_buffer_finish(&s->id);
    rx_buffer_finish(&s->line);
    rx_buffer_finish(&s->data);
    rx_buffer_finish(&s->type);
    rx_buffer_finish(&s->next_id);
}

/* ---- fields ---- */

static void add_data(struct rx_event_stream *s, const char *value, size_t length)
{
    size_t room = s->max_data + 1 - s->data.length; /* with the last line feed, which is taken off */
    s->too_large = s->too_large || length + 1 > room;
    if (s->too_large)
        return;
    rx_buffer_append(&s->data, value, length);
    rx_buffer_append(&s->data, "\n", 1);
}

static void set_type(struct rx_event_stream *s, const char *value, size_t length)
{
    rx_buffer_clear(&s->type);
    rx_buffer_append(&s->type, value, length < RX_EVENT_TYPE_MAX ? length : RX_EVENT_TYPE_MAX);
}

/* It will be sent back in a header. */
static void set_id(struct rx_event_stream *s, const char *value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 127)
            return;
    if (length > RX_EVENT_ID_MAX)
        return;
    rx_buffer_clear(&s->next_id);
    rx_buffer_append(&s->next_id, value, length);
    s->has_id = true;
}

static void set_retry(struct rx_event_stream *s, const char *value, size_t length)
{
    rx_time ms = 0;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return;
        ms = ms * 10 + (value[i] - '0');
        ms = ms < RETRY_MAX / RX_MSEC ? ms : RETRY_MAX / RX_MSEC;
    }
    if (length > 0)
        s->retry = ms * RX_MSEC;
}

static void take_field(struct rx_event_stream *s, const char *name, size_t name_length, const char *value,
                       size_t length)
{
    if (is(name, name_length, "data"))
        add_data(s, value, length);
    else if (is(name, name_length, "event"))
        set_type(s, value, length);
    else if (is(name, name_length, "id"))
        set_id(s, value, length);
    else if (is(name, name_length, "retry"))
        set_retry(s, value, length);
}

/* ---- lines ---- */

/* The id counts once its event is whole, also where that has no data. */
static void keep_id(struct rx_event_stream *s)
{
    struct rx_buffer newest = s->next_id;
    if (!s->has_id)
        return;
    s->next_id = s->id;
    s->id = newest;
    s->has_id = false;
}

static bool dispatch(struct rx_event_stream *s)
{
    keep_id(s);
    if (s->data.length == 0 && !s->too_large) {
        reset_event(s);
        return true;
    }
    struct rx_buffer data = s->data, type = s->type;
    struct rx_event_stream_event event = {.type = type.length ? type.data : "message",
                                          .type_length = type.length ? type.length : strlen("message"),
                                          .data = data.data ? data.data : "",
                                          .length = data.length ? data.length - 1 : 0,
                                          .too_large = s->too_large};
    s->data = s->type = (struct rx_buffer){0};
    s->too_large = false;
    bool more = s->event(s->arg, &event);
    if (more) { /* else the stream may be finished, and its memory another's */
        s->data = data;
        s->type = type;
        reset_event(s);
    } else {
        rx_buffer_finish(&data);
        rx_buffer_finish(&type);
    }
    return more;
}

static bool take_line(struct rx_event_stream *s, const char *line, size_t length)
{
    if (length == 0)
        return dispatch(s);
    const char *colon = memchr(line, ':', length);
    size_t name = colon ? (size_t)(colon - line) : length, value = colon ? name + 1 : length;
    value += value < length && line[value] == ' ';
    if (name > 0) /* else a comment */
        take_field(s, line, name, line + value, length - value);
    return true;
}

/* Whether a line, of which `piece` goes on from what is kept, is too long; then its end is waited for. */
static bool skips(struct rx_event_stream *s, const char *piece, size_t length)
{
    if (s->skipping || s->line.length + length <= s->max_data + NAME_MAX_BYTES)
        return s->skipping;
    char first = s->line.length ? s->line.data[0] : *piece;
    s->too_large = s->too_large || first != ':';
    rx_buffer_clear(&s->line);
    return s->skipping = true;
}

/* A piece of a line whose end has not come. */
static void keep_piece(struct rx_event_stream *s, const char *piece, size_t length)
{
    if (!skips(s, piece, length))
        rx_buffer_append(&s->line, piece, length);
}

/* `piece` is the rest of a line. False: stop. */
static bool end_line(struct rx_event_stream *s, const char *piece, size_t length)
{
    if (skips(s, piece, length)) {
        s->skipping = false;
        return true;
    }
    if (s->line.length == 0)
        return take_line(s, piece, length);
    rx_buffer_append(&s->line, piece, length);
    struct rx_buffer line = s->line;
    s->line = (struct rx_buffer){0};
    bool more = take_line(s, line.data, line.length);
    if (more)
        s->line = line;
    else
        rx_buffer_finish(&line);
    if (more)
        rx_buffer_clear(&s->line);
    return more;
}

/* The bytes behind a byte order mark at the beginning, which may come in pieces. */
static size_t pass_mark(struct rx_event_stream *s, const char *bytes, size_t length)
{
    size_t at = 0;
    while (s->begun < sizeof mark && at < length && (unsigned char)bytes[at] == mark[s->begun]) {
        s->begun++;
        at++;
    }
    if (at == length || s->begun >= sizeof mark)
        return at;
    keep_piece(s, (const char *)mark, s->begun); /* it was none */
    s->begun = sizeof mark;
    return at;
}

static const char *line_end(const char *at, const char *end)
{
    const char *feed = memchr(at, '\n', (size_t)(end - at));
    const char *carriage = memchr(at, '\r', (size_t)((feed ? feed : end) - at));
    return carriage ? carriage : feed;
}

static int feed(struct rx_event_stream *s, const char *at, const char *end)
{
    while (at < end) {
        if (s->carriage && *at == '\n') {
            s->carriage = false;
            at++;
            continue;
        }
        s->carriage = false;
        const char *stop = line_end(at, end);
        if (!stop) {
            keep_piece(s, at, (size_t)(end - at));
            break;
        }
        s->carriage = *stop == '\r';
        if (!end_line(s, at, (size_t)(stop - at)))
            return 0;
        at = stop + 1;
    }
    return s->line.failed || s->data.failed || s->type.failed || s->next_id.failed ? -ENOMEM : 0;
}

int rx_event_stream_feed(struct rx_event_stream *s, const char *bytes, size_t length)
{
    size_t passed = s->begun < sizeof mark ? pass_mark(s, bytes, length) : 0;
    return feed(s, bytes + passed, bytes + length);
}

/* ---- state ---- */

static void save_text(struct rx_writer *w, const struct rx_buffer *text) { rx_write_text(w, text->data, text->length); }

static void load_text(struct rx_reader *r, struct rx_buffer *ret, size_t most)
{
    size_t length = 0;
    const char *text = rx_read_text(r, &length);
    if (rx_reader_failed(r))
        return;
    if (length > most)
        rx_reader_fail(r, -EBADMSG);
    else
        rx_buffer_append(ret, text, length);
    if (ret->failed)
        rx_reader_fail(r, -ENOMEM);
}

void rx_event_stream_save(const struct rx_event_stream *s, struct rx_writer *w)
{
    save_text(w, &s->id);
    save_text(w, &s->line);
    save_text(w, &s->data);
    save_text(w, &s->type);
    save_text(w, &s->next_id);
    rx_write_int(w, s->retry);
    rx_write_uint(w, s->begun);
    rx_write_bool(w, s->has_id);
    rx_write_bool(w, s->carriage);
    rx_write_bool(w, s->skipping);
    rx_write_bool(w, s->too_large);
}

int rx_event_stream_load(struct rx_event_stream *s, struct rx_reader *r)
{
    load_text(r, &s->id, RX_EVENT_ID_MAX);
    load_text(r, &s->line, s->max_data + NAME_MAX_BYTES);
    load_text(r, &s->data, s->max_data + 1);
    load_text(r, &s->type, RX_EVENT_TYPE_MAX);
    load_text(r, &s->next_id, RX_EVENT_ID_MAX);
    s->retry = rx_read_int(r);
    uint64_t begun = rx_read_uint(r);
    s->has_id = rx_read_bool(r);
    s->carriage = rx_read_bool(r);
    s->skipping = rx_read_bool(r);
    s->too_large = rx_read_bool(r);
    if (!rx_reader_failed(r) && (begun > sizeof mark || s->retry < 0 || s->retry > RETRY_MAX))
        rx_reader_fail(r, -EBADMSG);
    s->begun = (unsigned)begun;
    return rx_reader_failed(r) ? r->failed : 0;
}
