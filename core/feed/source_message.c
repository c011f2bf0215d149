/* Messages of a source: their formats, and the events that are in them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/source_private.h"
#include "core/graph/graph.h"

static const struct rx_format_options no_options = {0};

struct rx_format_state *rx_source_format_made(struct rx_source *source, struct rx_source_work *work,
                                              enum rx_format format, struct rx_error *reterr)
{
    const struct rx_format_options *options = source->common ? &source->common->formats : &no_options;
    return work->formats[format] = rx_format_create(format, source->heap, options, reterr);
}

/* A time that came with the message counts where the user has not said where events have theirs. */
static int stamp(struct rx_source *source, const struct rx_message_info *info, struct rx_event *event,
                 struct rx_error *reterr)
{
    bool timed = info && info->timed;
    if (!source->clock && !timed) {
        event->time = rx_sched_wall(source->sched);
        return 0;
    }
    if (!timed || (source->clock && rx_event_clock_reads(source->clock)))
        return rx_source_stamp(source, event, reterr);
    event->time = info->time;
    return source->clock ? rx_event_clock_check(source->clock, info->time, reterr) : 0;
}

int rx_source_event_of_take(struct rx_source *source, struct rx_source_work *work, struct rx_value decoded,
                            const struct rx_message_info *info, struct rx_event *ret, struct rx_error *reterr)
{
    struct rx_event event = {.mark = info ? rx_mark_ref(info->mark) : NULL};
    if (source->tap && !work->staging)
        decoded = rx_source_tapped_take(source, decoded, info);
    int r = rx_source_record_take(&work->records, source, decoded, info, &event.value);
    if (r == 0 && (source->reaches & RX_REACHES_META))
        r = rx_source_record_meta(&work->records, source, info, &event.meta);
    if (r < 0)
        rx_error_set(reterr, r, "out of memory");
    else
        r = stamp(source, info, &event, reterr);
    if (r < 0)
        rx_event_unref(&event);
    else
        *ret = event;
    return r;
}

/* An error's place, in the file or body that the message came in. */
static void name_line(struct rx_error *error, uint64_t line)
{
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    unsigned column = error->at.line ? error->at.column : 1;
    struct rx_error named;
    error->at.line = (unsigned)line + (error->at.line ? error->at.line - 1 : 0);
    error->at.column = column;
    rx_error_set(&named, error->code, "line %u, column %u: %s", error->at.line, column, message);
    memcpy(error->message, named.message, sizeof error->message);
}

int rx_source_refuse(struct rx_source *source, int code, const char *bytes, size_t length,
                     const struct rx_message_info *info, struct rx_error *error)
{
    if (info && info->line)
        name_line(error, info->line);
    rx_source_reject(source, rx_source_reason_of(code), bytes, length, error);
    return code;
}

/* --- One value --- */

static int take_one(struct rx_source *source, struct rx_source_work *work, struct rx_format_state *state,
                    const char *bytes, size_t length, const struct rx_message_info *info, struct rx_error *reterr)
{
    struct rx_value decoded;
    struct rx_event event;
    int r = state->class->value(state, bytes, length, &decoded, reterr);
    if (r == 0)
        r = rx_source_event_of_take(source, work, decoded, info, &event, reterr);
    if (r < 0)
        return rx_source_refuse(source, r, bytes, length, info, reterr);
    source->bytes += length;
    rx_source_admit_take(source, work, event);
    return 0;
}

/* --- Many values --- */

static void note_header(struct rx_source *source, const struct rx_format_state *state, uint64_t before)
{
    struct rx_engine *engine = source->engine;
    if (state->headers == before)
        return;
    source->headers += state->headers - before;
    if (engine->log)
        engine->log(engine->log_arg, 6, source->name, "a CSV header came again: the columns are what it says");
}

/* As if it were zero, of which there would be much for each message. */
static void no_error(struct rx_error *error)
{
    error->code = 0;
    error->at = (struct rx_place){0};
    error->message[0] = error->hint[0] = '\0';
}

/* What the message has brought is safe only when all of it has been handed on. */
static int take_many(struct rx_source *source, struct rx_source_work *work, struct rx_format_state *state,
                     struct rx_format_cursor *cursor, const struct rx_message_info *info, struct rx_error *reterr)
{
    struct rx_error error;
    struct rx_value value;
    struct rx_event event;
    uint64_t position = source->position, headers = state->headers;
    unsigned starts = source->starts;
    bool running = source->running;
    int first = 0;
    no_error(&error);
    source->position = source->acked;
    for (int r; (r = state->class->next(state, cursor, &value, &error)) != 0;) {
        if (r > 0)
            r = rx_source_event_of_take(source, work, value, info, &event, &error);
        if (r < 0) {
            rx_source_refuse(source, r, cursor->piece, cursor->piece_length, info, &error);
            if (first == 0)
                *reterr = error;
            first = first ? first : r;
            if (r == -ENOMEM)
                break;
            continue;
        }
        source->bytes += cursor->piece_length;
        rx_source_admit_take(source, work, event);
        if (source->running != running || source->starts != starts)
            break; /* the subscribers have left, and the bytes may be gone */
    }
    source->position = position;
    note_header(source, state, headers);
    return first;
}

static int refuse_large(struct rx_source *source, const char *bytes, size_t length, const struct rx_message_info *info,
                        struct rx_error *reterr)
{
    rx_error_set(reterr, -EMSGSIZE, "a message of %zu bytes; max_message is %llu", length,
                 (unsigned long long)source->max_message);
    return rx_source_refuse(source, -EMSGSIZE, bytes, length, info, reterr);
}

int rx_source_message(struct rx_source *source, enum rx_format format, const char *bytes, size_t length,
                      const struct rx_message_info *info, struct rx_error *reterr)
{
    struct rx_error own;
    struct rx_error *error = reterr ? reterr : &own;
    struct rx_source_work *work = rx_source_work_of(source);
    error->code = work ? 0 : rx_error_set(error, -ENOMEM, "out of memory");
    struct rx_format_state *state = work ? rx_source_format_state(source, work, format, error) : NULL;
    if (!state)
        return rx_source_refuse(source, error->code, bytes, length, info, error);
    if (source->max_message && length > source->max_message)
        return refuse_large(source, bytes, length, info, error);
    if (state->class->value && !state->options->split)
        return take_one(source, work, state, bytes, length, info, error);
    struct rx_format_cursor cursor = {
        .start = bytes, .at = bytes, .end = bytes + length, .stream = info && info->stream};
    return take_many(source, work, state, &cursor, info, error);
}

/* --- Streams --- */

static const char *line_end(const char *at, const char *end)
{
    const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return newline ? newline + 1 : NULL;
}

const char *rx_source_message_end(struct rx_source *source, enum rx_format format, const char *at, const char *end)
{
    const struct rx_format_class *class = rx_format_class_of(format);
    if (!class->message_end)
        return line_end(at, end);
    struct rx_source_work *work = rx_source_work_of(source);
    struct rx_format_state *state = work ? rx_source_format_state(source, work, format, NULL) : NULL;
    return state ? class->message_end(state, at, end) : line_end(at, end);
}

static struct rx_format_state *stream_of(const struct rx_source *source)
{
    return source->work ? source->work->formats[rx_source_format(source)] : NULL;
}

void rx_source_stream_begin(struct rx_source *source)
{
    struct rx_format_state *state = stream_of(source);
    if (state && state->class->restart)
        state->class->restart(state);
}

void rx_source_save_stream(struct rx_source *source, struct rx_writer *w)
{
    const struct rx_format_state *state = stream_of(source);
    bool kept = state && state->class->save;
    rx_write_bool(w, kept);
    if (kept)
        state->class->save(state, w);
}

int rx_source_load_stream(struct rx_source *source, struct rx_reader *r)
{
    struct rx_error error = {.code = -ENOMEM};
    if (!rx_read_bool(r))
        return rx_reader_failed(r) ? -EBADMSG : 0;
    struct rx_source_work *work = rx_source_work_of(source);
    struct rx_format_state *state =
        work ? rx_source_format_state(source, work, rx_source_format(source), &error) : NULL;
    if (!state)
        return error.code;
    return state->class->load ? state->class->load(state, r) : -EBADMSG;
}
