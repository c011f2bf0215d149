/* Bodies: several messages that are taken whole or not at all. */
#include <errno.h>
#include <stdlib.h>

#include "core/feed/source_private.h"

enum { STAGED_MAX = 16384 }; /* events of a body that wait for its end */

/* A body is read twice where it has more messages than may wait: first to see that all are right. */
struct body {
    struct rx_source *source;
    struct rx_source_work *work;
    enum rx_format format;
    struct rx_format_state *state;
    struct rx_format_cursor cursor;
    struct rx_format_cursor rest; /* behind what is staged */
    bool plain;                   /* values wait, not events */
    struct rx_error *error;
};

/* Whether lines may be taken without `next`; behind the first message it is known. Goes to the next one. */
static bool in_lines(struct body *b)
{
    if (!b->plain || !b->cursor.lines || !b->state->class->lines || b->state->options->split)
        return false;
    b->cursor.at = rx_format_skip_space(b->cursor.at, b->cursor.end);
    return true;
}

void rx_source_discard(struct rx_source *source)
{
    struct rx_staged *staged = source->work ? &source->work->staged : NULL;
    for (size_t i = 0; staged && i < staged->count; i++)
        if (staged->values)
            rx_value_unref(staged->values[i]);
        else
            rx_event_unref(&staged->events[i]);
    if (!staged)
        return;
    free(staged->events);
    free(staged->values);
    *staged = (struct rx_staged){0};
}

static bool has_room(struct body *b)
{
    struct rx_staged *staged = &b->work->staged;
    if (staged->count < staged->capacity)
        return true;
    size_t capacity = staged->capacity ? staged->capacity * 2 : 64;
    void *moved = b->plain ? realloc(staged->values, capacity * sizeof *staged->values)
                           : realloc(staged->events, capacity * sizeof *staged->events);
    if (!moved)
        return false;
    *(b->plain ? (void **)&staged->values : (void **)&staged->events) = moved;
    staged->capacity = capacity;
    return true;
}

/* The event of the next message: 1; 0 at the end; or the errno of what is wrong, with its place. */
static int next_event(struct body *b, struct rx_event *ret)
{
    struct rx_value value;
    int r = b->state->class->next(b->state, &b->cursor, &value, b->error);
    if (r <= 0)
        return r;
    r = rx_source_event_of_take(b->source, b->work, value, NULL, ret, b->error);
    if (r < 0 && !b->state->class->binary)
        b->error->at = rx_format_place(&b->cursor, b->cursor.piece);
    return r < 0 ? r : 1;
}

static int stage_one(struct body *b)
{
    struct rx_staged *staged = &b->work->staged;
    int r = b->plain ? b->state->class->next(b->state, &b->cursor, &staged->values[staged->count], b->error)
                     : next_event(b, &staged->events[staged->count]);
    staged->count += r == 1;
    staged->bytes += r == 1 ? b->cursor.piece_length : 0;
    return r;
}

static size_t next_lines(struct body *b, struct rx_value *values, size_t most, size_t *ret_bytes)
{
    const char *from = b->cursor.at;
    size_t count = b->state->class->lines(b->state, &b->cursor.at, b->cursor.end, b->cursor.max_piece, most, values);
    *ret_bytes = (size_t)(b->cursor.at - from) - count;
    return count;
}

static void stage_lines(struct body *b)
{
    struct rx_staged *staged = &b->work->staged;
    size_t bytes;
    staged->count += next_lines(b, staged->values + staged->count, staged->capacity - staged->count, &bytes);
    staged->bytes += bytes;
}

static int stage(struct body *b)
{
    struct rx_staged *staged = &b->work->staged;
    int r = 1;
    while (r == 1 && staged->count < STAGED_MAX) {
        if (!has_room(b))
            return rx_error_set(b->error, -ENOMEM, "out of memory");
        r = stage_one(b);
        if (r == 1 && in_lines(b))
            stage_lines(b);
    }
    return r;
}

static void check_lines(struct body *b)
{
    struct rx_value values[RX_SPAN_MAX];
    size_t bytes;
    for (size_t count; (count = next_lines(b, values, RX_SPAN_MAX, &bytes)) > 0;)
        while (count > 0)
            rx_value_unref(values[--count]);
}

/* Beyond what may wait a message is only read; with an event time its event is made, since that can be wrong too. */
static int check_rest(struct body *b)
{
    struct rx_event event;
    int r = 1;
    b->rest = b->cursor;
    if (!b->work->none && !(b->work->none = rx_fields_create(b->source->heap)))
        return rx_error_set(b->error, -ENOMEM, "out of memory");
    if (!b->source->clock)
        b->state->fields = b->work->none;
    while ((r = next_event(b, &event)) == 1) {
        rx_event_unref(&event);
        if (in_lines(b))
            check_lines(b);
    }
    b->state->fields = rx_source_decoded_fields(b->source);
    return r;
}

static void commit_values(struct body *b, const struct rx_staged *staged)
{
    struct rx_source_work *work = b->work;
    rx_time now = rx_sched_wall(b->source->sched);
    b->source->received += staged->count;
    b->source->decoded += staged->count;
    for (size_t i = 0; i < staged->count; i++) {
        work->span[work->length++] = (struct rx_event){.value = staged->values[i], .time = now};
        if (work->length == RX_SPAN_MAX)
            rx_source_flush(b->source);
    }
}

static void commit(struct body *b)
{
    struct rx_staged staged = b->work->staged;
    b->work->staged = (struct rx_staged){0};
    b->source->bytes += staged.bytes;
    if (b->plain)
        commit_values(b, &staged);
    for (size_t i = 0; !b->plain && i < staged.count; i++) {
        struct rx_event *event = &staged.events[i];
        event->value = rx_source_tapped_take(b->source, event->value, NULL);
        rx_source_admit_take(b->source, b->work, *event);
    }
    free(staged.events);
    free(staged.values);
}

static void take_lines(struct body *b)
{
    struct rx_source_run run;
    bool there; /* who leaves does not take the body along */
    rx_source_run_begin(&run, b->source, b->format);
    while (rx_source_run_lines(&run, &b->cursor.at, b->cursor.end, &there) > 0) {
    }
    rx_source_run_end(&run);
}

/* They were right before: only memory can be short now. */
static int take_rest(struct body *b)
{
    struct rx_event event;
    int r;
    b->cursor = b->rest;
    while ((r = next_event(b, &event)) == 1) {
        b->source->bytes += b->cursor.piece_length;
        rx_source_admit_take(b->source, b->work, event);
        if (in_lines(b))
            take_lines(b);
    }
    return r;
}

static int refuse(struct body *b, int code)
{
    rx_source_discard(b->source);
    rx_source_reject(b->source, rx_source_reason_of(code), b->cursor.piece, b->cursor.piece_length, b->error);
    return code;
}

static int take(struct body *b, uint64_t *ret_accepted)
{
    uint64_t decoded = b->source->decoded;
    b->work->staging = true;
    int r = stage(b);
    bool more = r == 1;
    if (more)
        r = check_rest(b);
    b->work->staging = false;
    if (r < 0)
        return refuse(b, r);
    commit(b);
    r = more ? take_rest(b) : 0;
    *ret_accepted = b->source->decoded - decoded;
    return r < 0 ? refuse(b, r) : 0;
}

int rx_source_body(struct rx_source *source, enum rx_format format, bool lines, const char *body, size_t length,
                   uint64_t *ret_accepted, struct rx_error *reterr)
{
    struct rx_source_work *work = rx_source_work_of(source);
    *ret_accepted = 0;
    reterr->code = work ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
    struct body b = {
        .source = source, .work = work, .format = format, .plain = rx_source_is_plain(source), .error = reterr};
    b.state = work ? rx_source_format_state(source, work, format, reterr) : NULL;
    b.cursor = (struct rx_format_cursor){.start = body,
                                         .at = body,
                                         .end = body + length,
                                         .piece = body,
                                         .piece_length = length,
                                         .body = true,
                                         .lines = lines,
                                         .max_piece = source->max_message};
    return b.state ? take(&b, ret_accepted) : refuse(&b, reterr->code);
}
