/* Runs of messages. Where a source has nothing but messages that are one value each, and stamps them on arrival, an event of a run is
 * decoded to its place in the span, and that is all. Lines that bring their times go nearly as short a way. rx_source_message is what
 * all ways do. */
#include <errno.h>

#include "core/feed/source_private.h"

/* Its events are values with a time, and all count. */
static bool is_bare(const struct rx_source *source)
{
    return !source->dedupe && !source->tap && !(source->reaches & RX_REACHES_META);
}

bool rx_source_is_plain(const struct rx_source *source) { return !source->clock && is_bare(source); }

/* Anew after whatever may have run pipelines: they may come, go, and ask for other fields. */
static void look(struct rx_source_run *run)
{
    struct rx_source *source = run->source;
    struct rx_source_work *work = rx_source_work_of(source);
    struct rx_format_state *state = work ? rx_source_format_state(source, work, run->format, NULL) : NULL;
    bool one = state && (state->class->value || state->class->lines) && !state->options->split;
    bool bare = one && is_bare(source), plain = bare && !source->clock;
    run->plain = plain ? state : NULL;
    run->dated = bare && source->clock && state->class->lines ? state : NULL;
    run->fields = source->fields;
    run->longest = source->max_message ? source->max_message : UINT64_MAX;
    run->objects = plain && state->class->json ? run->longest : 0;
    run->first = run->next = bare ? work->span + work->length : NULL;
    run->end = bare ? work->span + RX_SPAN_MAX : NULL;
    run->now = rx_sched_wall(source->sched);
}

void rx_source_run_begin(struct rx_source_run *run, struct rx_source *source, enum rx_format format)
{
    run->source = source;
    run->format = format;
    run->heap = source->heap;
    run->bytes = 0;
    run->starts = source->starts;
    run->running = source->running;
    look(run);
}

void rx_source_run_end(struct rx_source_run *run)
{
    struct rx_source *source = run->source;
    size_t events = (size_t)(run->next - run->first);
    if (events > 0)
        source->work->length += events;
    source->received += events;
    source->decoded += events;
    source->bytes += run->bytes;
    run->first = run->next;
    run->bytes = 0;
}

/* Behind what may have run pipelines. */
static bool goes_on(struct rx_source_run *run)
{
    look(run);
    return run->source->running == run->running && run->source->starts == run->starts;
}

static bool take_apart(struct rx_source_run *run, const char *bytes, size_t length, const struct rx_message_info *info)
{
    rx_source_run_end(run);
    rx_source_message(run->source, run->format, bytes, length, info, NULL);
    return goes_on(run);
}

bool rx_source_run_refuse(struct rx_source_run *run, int code, const char *bytes, size_t length,
                          const struct rx_message_info *info)
{
    rx_source_run_end(run);
    rx_source_refuse(run->source, code, bytes, length, info, &run->error);
    return goes_on(run);
}

bool rx_source_run_hand_on(struct rx_source_run *run)
{
    rx_source_run_end(run);
    rx_source_flush(run->source);
    return goes_on(run);
}

static int with_captures(struct rx_source_run *run, const struct rx_message_info *info, struct rx_value *value)
{
    int r = rx_source_record_take(&run->source->work->records, run->source, *value, info, value);
    return r < 0 ? rx_error_set(&run->error, r, "out of memory") : 0;
}

bool rx_source_run_any(struct rx_source_run *run, const char *bytes, size_t length, const struct rx_message_info *info)
{
    struct rx_value value;
    if (rx_source_run_asks(run) || length > run->longest || (info && (info->mark || info->timed)))
        return take_apart(run, bytes, length, info);
    int r = run->plain->class->value(run->plain, bytes, length, &value, &run->error);
    if (r == 0 && info && info->capture_count > 0)
        r = with_captures(run, info, &value);
    return r < 0 ? rx_source_run_refuse(run, r, bytes, length, info) : rx_source_run_put(run, value, length);
}

/* One that has its time; the span before it is handed on where its time asks for that. */
static bool put_dated(struct rx_source_run *run, struct rx_event event, size_t length)
{
    struct rx_source *source = run->source;
    bool there = !rx_event_clock_splits(source->clock, event.time) || rx_source_run_hand_on(run);
    if (!run->dated) { /* more is asked for since then */
        source->bytes += length;
        rx_source_admit_take(source, source->work, event);
        return goes_on(run) && there;
    }
    rx_event_clock_take(source->clock, event.time);
    *run->next++ = event;
    run->bytes += length;
    return (run->next < run->end || rx_source_run_hand_on(run)) && there;
}

/* Up to a line whose time is a mistake. */
static size_t dated_lines(struct rx_source_run *run, const char **at, const char *end, bool *ret_there)
{
    struct rx_source *source = run->source;
    size_t count = 0;
    end = rx_format_lines_end(*at, end);
    for (; count < RX_SPAN_MAX && run->dated && *ret_there; count++) {
        const char *from = *at;
        struct rx_event event = {.mark = NULL};
        if (run->dated->class->lines(run->dated, at, end, source->max_message, 1, &event.value) == 0)
            break;
        if (rx_source_stamp(source, &event, &run->error) < 0) {
            rx_event_unref(&event);
            *at = from;
            break;
        }
        *ret_there = put_dated(run, event, (size_t)(*at - from) - 1);
    }
    return count;
}

size_t rx_source_run_lines(struct rx_source_run *run, const char **at, const char *end, bool *ret_there)
{
    struct rx_value values[RX_SPAN_MAX];
    const struct rx_format_class *class = run->plain ? run->plain->class : NULL;
    const char *from = *at;
    *ret_there = true;
    if (run->dated)
        return dated_lines(run, at, end, ret_there);
    if (!class || !class->lines)
        return 0;
    size_t count = class->lines(run->plain, at, end, run->source->max_message, (size_t)(run->end - run->next), values);
    for (size_t i = 0; i < count; i++)
        *run->next++ = (struct rx_event){.value = values[i], .time = run->now};
    run->bytes += (uint64_t)(*at - from) - count;
    if (run->next == run->end)
        *ret_there = rx_source_run_hand_on(run);
    return count;
}
