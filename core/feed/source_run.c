/* Runs of messages. Where a source has nothing but messages that are one value each, and stamps them on arrival, an event of a run is
 * decoded to its place in the span, and that is all. rx_source_message is what both ways do. */
#include <errno.h>

#include "core/feed/source_private.h"

bool rx_source_is_plain(const struct rx_source *source)
{
    return !source->clock && !source->dedupe && !(source->reaches & RX_REACHES_META);
}

/* Anew after whatever may have run pipelines: they may come, go, and ask for other fields. */
static void look(struct rx_source_run *run)
{
    struct rx_source *source = run->source;
    struct rx_source_work *work = rx_source_work_of(source);
    struct rx_format_state *state = work ? rx_source_format_state(source, work, run->format, NULL) : NULL;
    run->plain = state && state->class->value && !state->options->split && rx_source_is_plain(source) ? state : NULL;
    run->now = rx_sched_wall(source->sched);
}

void rx_source_run_begin(struct rx_source_run *run, struct rx_source *source, enum rx_format format)
{
    *run = (struct rx_source_run){
        .source = source, .format = format, .starts = source->starts, .running = source->running};
    look(run);
}

void rx_source_run_end(struct rx_source_run *run)
{
    struct rx_source *source = run->source;
    source->received += run->events;
    source->decoded += run->events;
    source->bytes += run->bytes;
    run->events = run->bytes = 0;
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

static bool refuse(struct rx_source_run *run, int code, const char *bytes, size_t length,
                   const struct rx_message_info *info, struct rx_error *error)
{
    rx_source_run_end(run);
    rx_source_refuse(run->source, code, bytes, length, info, error);
    return goes_on(run);
}

static bool hand_on(struct rx_source_run *run)
{
    rx_source_run_end(run);
    rx_source_flush(run->source);
    return goes_on(run);
}

bool rx_source_run_message(struct rx_source_run *run, const char *bytes, size_t length,
                           const struct rx_message_info *info)
{
    struct rx_source *source = run->source;
    bool large = source->max_message && length > source->max_message;
    if (!run->plain || large || (info && (info->mark || info->timed)))
        return take_apart(run, bytes, length, info);
    struct rx_source_work *work = source->work;
    struct rx_event *event = &work->span[work->length];
    struct rx_error error;
    int r = run->plain->class->value(run->plain, bytes, length, &event->value, &error);
    if (r == 0 && info && info->capture_count > 0) {
        r = rx_source_record_take(&work->records, source, event->value, info, &event->value);
        if (r < 0)
            rx_error_set(&error, r, "out of memory");
    }
    if (r < 0)
        return refuse(run, r, bytes, length, info, &error);
    event->time = run->now;
    event->mark = NULL;
    event->meta = rx_null();
    run->events++;
    run->bytes += length;
    return ++work->length < RX_SPAN_MAX || hand_on(run);
}

size_t rx_source_run_lines(struct rx_source_run *run, const char **at, const char *end, bool *ret_there)
{
    struct rx_value values[RX_SPAN_MAX];
    struct rx_source_work *work = run->source->work;
    const struct rx_format_class *class = run->plain ? run->plain->class : NULL;
    const char *from = *at;
    *ret_there = true;
    if (!class || !class->lines)
        return 0;
    size_t count = class->lines(run->plain, at, end, run->source->max_message, RX_SPAN_MAX - work->length, values);
    for (size_t i = 0; i < count; i++)
        work->span[work->length++] = (struct rx_event){.value = values[i], .time = run->now};
    run->events += count;
    run->bytes += (uint64_t)(*at - from) - count;
    if (work->length == RX_SPAN_MAX)
        *ret_there = hand_on(run);
    return count;
}
