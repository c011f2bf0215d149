/* Sources: decoding what arrives into events, handing them on in spans, and the ledger. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/feed/source.h"
#include "core/feed/source_record.h"
#include "core/graph/graph.h"
#include "core/value/timestamp.h"

enum { SAMPLE_BYTES = 256 }; /* of a rejected message */
enum { STAGED_MAX = 16384 }; /* events of a body that wait for its end */

struct rx_staged { /* events that wait for the rest of their body */
    struct rx_event *events;
    size_t count, capacity, bytes;
};

struct rx_source_work {
    struct rx_event span[RX_SPAN_MAX];
    size_t length;
    bool flushing;
    struct rx_source_records records;
    struct rx_staged staged;
    struct rx_fields *none; /* to decode nothing, only check; made when it is first needed */
};

const char *const rx_format_choices[] = {"auto", "json", "text", NULL};

const char *rx_reject_name(enum rx_reject reason)
{
    static const char *const names[RX_REJECTS] = {
        [RX_REJECT_SYNTAX] = "syntax",       [RX_REJECT_UTF8] = "utf8",         [RX_REJECT_NUMBER] = "number",
        [RX_REJECT_TOO_LARGE] = "too_large", [RX_REJECT_TOO_DEEP] = "too_deep", [RX_REJECT_TOPIC] = "topic",
        [RX_REJECT_TYPE] = "type",           [RX_REJECT_TIME] = "time",         [RX_REJECT_AHEAD] = "ahead",
        [RX_REJECT_MEMORY] = "memory",       [RX_REJECT_GAP] = "gap",
    };
    return (unsigned)reason < RX_REJECTS ? names[reason] : "unknown";
}

static struct rx_source_work *work_of(struct rx_source *source)
{
    if (!source->work)
        source->work = calloc(1, sizeof *source->work);
    return source->work;
}

static void release_span(struct rx_source_work *work)
{
    for (size_t i = 0; i < work->length; i++)
        rx_event_unref(&work->span[i]);
    work->length = 0;
}

void rx_source_finish(struct rx_source *source)
{
    if (!source || !source->work)
        return;
    release_span(source->work);
    rx_source_discard(source);
    rx_source_records_finish(&source->work->records);
    rx_fields_destroy(source->work->none);
    free(source->work);
    source->work = NULL;
}

void rx_source_save(const struct rx_source *source, struct rx_writer *w)
{
    rx_write_bool(w, source->clock);
    if (source->clock)
        rx_event_clock_save(source->clock, w);
    rx_write_uint(w, source->received);
    rx_write_uint(w, source->decoded);
    rx_write_uint(w, source->bytes);
    rx_write_uint(w, source->connects);
    rx_write_uint(w, source->disconnects);
    rx_write_uint(w, source->failures);
    rx_write_uint(w, RX_REJECTS);
    for (unsigned i = 0; i < RX_REJECTS; i++)
        rx_write_uint(w, source->rejected[i]);
}

void rx_source_load(struct rx_source *source, struct rx_reader *r)
{
    if (rx_read_bool(r) != (source->clock != NULL))
        rx_reader_fail(r, -EBADMSG);
    else if (source->clock)
        rx_event_clock_load(source->clock, r);
    source->received = rx_read_uint(r);
    source->decoded = rx_read_uint(r);
    source->bytes = rx_read_uint(r);
    source->connects = rx_read_uint(r);
    source->disconnects = rx_read_uint(r);
    source->failures = rx_read_uint(r);
    uint64_t reasons = rx_read_uint(r);
    for (uint64_t i = 0; i < reasons && !rx_reader_failed(r); i++)
        source->rejected[i < RX_REJECTS ? i : RX_REJECT_SYNTAX] += rx_read_uint(r);
}

/* Rejections. */

/* The first bytes as text. */
static struct rx_value sample_of(struct rx_heap *heap, const char *payload, size_t length)
{
    char text[SAMPLE_BYTES];
    size_t used = rx_utf8_mend(payload, length < SAMPLE_BYTES ? length : SAMPLE_BYTES, text, sizeof text);
    return rx_string(heap, text, used);
}

static void send_rejection(struct rx_source *source, enum rx_reject reason, const char *payload, size_t length,
                           const struct rx_error *error)
{
    struct rx_error named = {.code = -EBADMSG};
    if (!error || !error->code)
        rx_error_set(&named, -EBADMSG, "%s", rx_reject_name(reason));
    struct rx_value sample = sample_of(source->heap, payload, length);
    struct rx_event event = rx_error_event(source->engine, rx_reject_name(reason), source->class->base.name,
                                           error && error->code ? error : &named, sample);
    rx_value_unref(sample);
    if (event.value.kind != RX_NULL)
        rx_hub_next(source->errors, &event, 1);
    rx_event_unref(&event);
}

void rx_source_reject(struct rx_source *source, enum rx_reject reason, const char *payload, size_t length,
                      const struct rx_error *error)
{
    source->received++;
    source->bytes += length;
    source->rejected[reason]++;
    if (source->errors)
        send_rejection(source, reason, payload, length, error);
}

enum rx_reject rx_source_reason_of(int code)
{
    switch (code) {
    case -EILSEQ:
        return RX_REJECT_UTF8;
    case -ERANGE:
        return RX_REJECT_NUMBER;
    case -EMSGSIZE:
        return RX_REJECT_TOO_LARGE;
    case -E2BIG:
        return RX_REJECT_TOO_DEEP;
    case -ENODATA:
    case -EINVAL:
        return RX_REJECT_TYPE;
    case -ETIME:
        return RX_REJECT_TIME;
    case -EOVERFLOW:
        return RX_REJECT_AHEAD;
    case -ENOMEM:
        return RX_REJECT_MEMORY;
    default:
        return RX_REJECT_SYNTAX;
    }
}

static void name_line(struct rx_error *error, uint64_t line)
{
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    unsigned column = error->at.line ? error->at.column : 1;
    struct rx_error named;
    rx_error_set(&named, error->code, "line %llu, column %u: %s", (unsigned long long)line, column, message);
    memcpy(error->message, named.message, sizeof error->message);
    error->at.line = (unsigned)line + (error->at.line ? error->at.line - 1 : 0);
    error->at.column = column;
}

/* Decoding. */

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
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
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

static int decode_text(struct rx_source *source, const char *payload, size_t length, struct rx_value *ret,
                       struct rx_error *reterr)
{
    if (!rx_utf8_valid(payload, length))
        return rx_error_set(reterr, -EILSEQ, "the payload is not UTF-8 text");
    struct rx_value text = rx_string(source->heap, payload, length);
    if (text.kind != RX_STRING)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *ret = text;
    return 0;
}

static int decode(struct rx_source *source, enum rx_format format, const char *payload, size_t length,
                  struct rx_value *ret, struct rx_error *reterr)
{
    if (source->max_message && length > source->max_message)
        return rx_error_set(reterr, -EMSGSIZE, "a message of %zu bytes; max_message is %llu", length,
                            (unsigned long long)source->max_message);
    if (format == RX_FORMAT_TEXT || (format == RX_FORMAT_AUTO && !looks_like_json(payload, length)))
        return decode_text(source, payload, length, ret, reterr);
    return rx_json_decode(source->heap, source->fields, NULL, payload, length, ret, reterr);
}

int rx_source_stamp(struct rx_source *source, struct rx_event *event, struct rx_error *reterr)
{
    if (source->clock) {
        int r = rx_event_clock_read(source->clock, event, &event->time, reterr);
        return r == -EINVAL ? -ETIME : r;
    }
    event->time = rx_sched_wall(source->sched);
    return 0;
}

void rx_source_set_connected(struct rx_source *source, bool connected)
{
    source->connects += connected && !source->connected;
    source->disconnects += !connected && source->connected && source->running;
    source->connected = connected;
    if (source->clock)
        rx_event_clock_connected(source->clock, connected);
    if (source->running)
        rx_hub_link(source->hub, !connected);
}

static int make_event(struct rx_source *source, struct rx_source_work *work, enum rx_format format, const char *payload,
                      size_t length, const struct rx_message_info *info, struct rx_event *ret, struct rx_error *reterr)
{
    struct rx_event event = {0};
    struct rx_value decoded;
    int r = decode(source, format, payload, length, &decoded, reterr);
    if (r < 0)
        return r;
    r = rx_source_record_take(&work->records, source, decoded, info, &event.value);
    if (r == 0 && (source->reaches & RX_REACHES_META))
        r = rx_source_record_meta(&work->records, source, info, &event.meta);
    if (r < 0)
        rx_error_set(reterr, r, "out of memory");
    else
        r = rx_source_stamp(source, &event, reterr);
    if (r < 0)
        rx_event_unref(&event);
    else
        *ret = event;
    return r;
}

static void append_take(struct rx_source *source, struct rx_source_work *work, struct rx_event event)
{
    assert(!work->flushing);
    if (source->clock) {
        if (rx_event_clock_splits(source->clock, event.time))
            rx_source_flush(source);
        rx_event_clock_take(source->clock, event.time);
    }
    work->span[work->length++] = event;
    if (work->length == RX_SPAN_MAX)
        rx_source_flush(source);
}

int rx_source_message(struct rx_source *source, enum rx_format format, const char *payload, size_t length,
                      const struct rx_message_info *info, struct rx_error *reterr)
{
    struct rx_error error = {0};
    struct rx_event event;
    struct rx_source_work *work = work_of(source);
    int r = work ? make_event(source, work, format, payload, length, info, &event, &error)
                 : rx_error_set(&error, -ENOMEM, "out of memory");
    if (r < 0) {
        if (info && info->line)
            name_line(&error, info->line);
        rx_source_reject(source, rx_source_reason_of(r), payload, length, &error);
        if (reterr)
            *reterr = error;
        return r;
    }
    source->received++;
    source->decoded++;
    source->bytes += length;
    append_take(source, work, event);
    return 0;
}

void rx_source_reject_event_take(struct rx_source *source, struct rx_event event, int code,
                                 const struct rx_error *error)
{
    struct rx_buffer text = {0};
    rx_json_write(&text, event.value);
    bool written = !text.failed && text.length;
    rx_source_reject(source, rx_source_reason_of(code), written ? text.data : "", written ? text.length : 0, error);
    rx_buffer_finish(&text);
    rx_event_unref(&event);
}

/* Staging. */

static bool has_room(struct rx_staged *staged)
{
    if (staged->count < staged->capacity)
        return true;
    size_t capacity = staged->capacity ? staged->capacity * 2 : 64;
    struct rx_event *moved = realloc(staged->events, capacity * sizeof *moved);
    if (!moved)
        return false;
    staged->events = moved;
    staged->capacity = capacity;
    return true;
}

/* Beyond what may wait a message is only read; with an event_time its event is made, since that can be wrong too. */
static int check(struct rx_source *source, struct rx_source_work *work, const char *payload, size_t length,
                 struct rx_error *reterr)
{
    struct rx_event event;
    struct rx_value decoded;
    if (source->clock || (source->max_message && length > source->max_message)) {
        int r = make_event(source, work, RX_FORMAT_JSON, payload, length, NULL, &event, reterr);
        if (r == 0)
            rx_event_unref(&event);
        return r < 0 ? r : 1;
    }
    if (!work->none && !(work->none = rx_fields_create(source->heap)))
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int r = rx_json_decode(source->heap, work->none, NULL, payload, length, &decoded, reterr);
    if (r == 0)
        rx_value_unref(decoded);
    return r < 0 ? r : 1;
}

static int stage(struct rx_source *source, struct rx_source_work *work, const char *payload, size_t length,
                 struct rx_error *reterr)
{
    struct rx_staged *staged = &work->staged;
    if (staged->count == STAGED_MAX)
        return check(source, work, payload, length, reterr);
    if (!has_room(staged))
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int r = make_event(source, work, RX_FORMAT_JSON, payload, length, NULL, &staged->events[staged->count], reterr);
    if (r == 0) {
        staged->count++;
        staged->bytes += length;
    }
    return r;
}

int rx_source_stage(struct rx_source *source, const char *payload, size_t length, struct rx_error *reterr)
{
    struct rx_source_work *work = work_of(source);
    int r = work ? stage(source, work, payload, length, reterr) : rx_error_set(reterr, -ENOMEM, "out of memory");
    if (r < 0)
        rx_source_reject(source, rx_source_reason_of(r), payload, length, reterr);
    return r;
}

void rx_source_commit(struct rx_source *source)
{
    struct rx_source_work *work = source->work;
    if (!work)
        return;
    struct rx_staged staged = work->staged;
    work->staged = (struct rx_staged){0};
    source->received += staged.count;
    source->decoded += staged.count;
    source->bytes += staged.bytes;
    for (size_t i = 0; i < staged.count; i++)
        append_take(source, work, staged.events[i]);
    free(staged.events);
}

void rx_source_discard(struct rx_source *source)
{
    struct rx_staged *staged = source->work ? &source->work->staged : NULL;
    for (size_t i = 0; staged && i < staged->count; i++)
        rx_event_unref(&staged->events[i]);
    if (!staged)
        return;
    free(staged->events);
    *staged = (struct rx_staged){0};
}

void rx_source_event_take(struct rx_source *source, struct rx_event event)
{
    struct rx_source_work *work = work_of(source);
    if (!work || event.value.kind == RX_NULL) {
        rx_source_reject(source, RX_REJECT_MEMORY, "", 0, NULL);
        rx_event_unref(&event);
        return;
    }
    struct rx_error error;
    int r = source->clock ? rx_source_stamp(source, &event, &error) : 0;
    if (r < 0) {
        rx_source_reject_event_take(source, event, r, &error);
        return;
    }
    source->received++;
    source->decoded++;
    append_take(source, work, event);
}

void rx_source_position(struct rx_source *source, uint64_t position) { source->position = position; }

/* All that runs in a worker has run by now: the events are in the state of the pipelines, or with their sinks. */
static void acknowledge(struct rx_source *source, uint64_t position)
{
    if (position <= source->acked || !source->class->ack)
        return;
    source->acked = position;
    source->class->ack(source, position);
}

void rx_source_flush(struct rx_source *source)
{
    struct rx_source_work *work = source->work;
    uint64_t position = source->position;
    if (work && work->flushing)
        return;
    if (work && work->length > 0) {
        work->flushing = true;
        rx_hub_next(source->hub, work->span, work->length);
        if (source->clock)
            rx_event_clock_tell(source->clock);
        work->flushing = false;
        release_span(work);
    }
    acknowledge(source, position);
}

void rx_source_complete(struct rx_source *source)
{
    rx_source_flush(source);
    if (source->clock)
        rx_event_clock_stop(source->clock);
    rx_hub_complete(source->hub);
}

void rx_source_fail(struct rx_source *source, const struct rx_error *error)
{
    rx_source_flush(source);
    if (source->clock)
        rx_event_clock_stop(source->clock);
    rx_hub_error(source->hub, error);
}
