/* Bodies: several messages that are taken whole or not at all. */
#include <errno.h>
#include <stdlib.h>

#include "core/feed/source_private.h"

enum { STAGED_MAX = 16384 }; /* events of a body that wait for its end */

/* A body is read twice where it has more messages than may wait: first to see that all are right. */
struct body {
    struct rx_source *source;
    struct rx_source_work *work;
    struct rx_format_state *state;
    struct rx_format_cursor cursor;
    struct rx_format_cursor rest; /* behind what is staged */
    struct rx_error *error;
};

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

static int stage(struct body *b)
{
    struct rx_staged *staged = &b->work->staged;
    int r = 1;
    while (r == 1 && staged->count < STAGED_MAX) {
        if (!has_room(staged))
            return rx_error_set(b->error, -ENOMEM, "out of memory");
        r = next_event(b, &staged->events[staged->count]);
        staged->count += r == 1;
        staged->bytes += r == 1 ? b->cursor.piece_length : 0;
    }
    return r;
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
    while ((r = next_event(b, &event)) == 1)
        rx_event_unref(&event);
    b->state->fields = b->source->fields;
    return r;
}

static void commit(struct body *b)
{
    struct rx_staged staged = b->work->staged;
    b->work->staged = (struct rx_staged){0};
    b->source->bytes += staged.bytes;
    for (size_t i = 0; i < staged.count; i++)
        rx_source_admit_take(b->source, b->work, staged.events[i]);
    free(staged.events);
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
    int r = stage(b);
    bool more = r == 1;
    if (more)
        r = check_rest(b);
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
    struct body b = {.source = source, .work = work, .error = reterr};
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
