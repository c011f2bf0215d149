/* Sources: decoding what arrives into events, handing them on in spans, and the ledger. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/feed/source_private.h"
#include "core/graph/graph.h"

enum { SAMPLE_BYTES = 256 }; /* of a rejected message */

const char *rx_reject_name(enum rx_reject reason)
{
    static const char *const names[RX_REJECTS] = {
        [RX_REJECT_SYNTAX] = "syntax",       [RX_REJECT_UTF8] = "utf8",         [RX_REJECT_NUMBER] = "number",
        [RX_REJECT_TOO_LARGE] = "too_large", [RX_REJECT_TOO_DEEP] = "too_deep", [RX_REJECT_TOPIC] = "topic",
        [RX_REJECT_TYPE] = "type",           [RX_REJECT_TIME] = "time",         [RX_REJECT_AHEAD] = "ahead",
        [RX_REJECT_MEMORY] = "memory",       [RX_REJECT_GAP] = "gap",           [RX_REJECT_REPEATED] = "repeated",
    };
    return (unsigned)reason < RX_REJECTS ? names[reason] : "unknown";
}

struct rx_source_work *rx_source_work_of(struct rx_source *source)
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
    if (source)
        rx_dedupe_destroy(source->dedupe);
    if (!source || !source->work)
        return;
    release_span(source->work);
    rx_source_discard(source);
    rx_source_records_finish(&source->work->records);
    for (size_t i = 0; i < RX_FORMATS; i++)
        rx_format_destroy(source->work->formats[i]);
    rx_fields_destroy(source->work->none);
    free(source->work);
    source->work = NULL;
}

int rx_source_set_common(struct rx_source *source, const struct rx_source_common *common)
{
    source->common = common;
    source->max_message = common->max_message;
    if (!common->dedupe.by)
        return 0;
    source->dedupe = rx_dedupe_create(&common->dedupe);
    return source->dedupe ? 0 : -ENOMEM;
}

void rx_source_save(const struct rx_source *source, struct rx_writer *w)
{
    rx_write_bool(w, source->clock);
    if (source->clock)
        rx_event_clock_save(source->clock, w);
    rx_write_bool(w, source->dedupe);
    if (source->dedupe)
        rx_dedupe_save(source->dedupe, w);
    rx_write_uint(w, source->received);
    rx_write_uint(w, source->decoded);
    rx_write_uint(w, source->bytes);
    rx_write_uint(w, source->connects);
    rx_write_uint(w, source->disconnects);
    rx_write_uint(w, source->headers);
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
    int result = rx_read_bool(r) != (source->dedupe != NULL) ? -EBADMSG
                 : source->dedupe                            ? rx_dedupe_load(source->dedupe, r)
                                                             : 0;
    if (result < 0)
        rx_reader_fail(r, result);
    source->received = rx_read_uint(r);
    source->decoded = rx_read_uint(r);
    source->bytes = rx_read_uint(r);
    source->connects = rx_read_uint(r);
    source->disconnects = rx_read_uint(r);
    source->headers = rx_read_uint(r);
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

/* What was a value but for its time is shown as that value, like any other event. */
static struct rx_value shown_of(struct rx_source *source, enum rx_reject reason, const char *payload, size_t length)
{
    struct rx_value whole;
    struct rx_error ignored;
    if ((reason == RX_REJECT_TIME || reason == RX_REJECT_AHEAD) &&
        rx_json_decode(source->heap, NULL, NULL, payload, length, &whole, &ignored) == 0)
        return whole;
    return sample_of(source->heap, payload, length);
}

static void send_rejection(struct rx_source *source, enum rx_reject reason, const char *payload, size_t length,
                           const struct rx_error *error)
{
    struct rx_error named = {.code = -EBADMSG};
    if (!error || !error->code)
        rx_error_set(&named, -EBADMSG, "%s", rx_reject_name(reason));
    struct rx_value sample = shown_of(source, reason, payload, length);
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
    case -ENOMSG:
        return RX_REJECT_TOPIC;
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

int rx_source_stamp(struct rx_source *source, struct rx_event *event, struct rx_error *reterr)
{
    if (source->clock && rx_event_clock_reads(source->clock)) {
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

void rx_source_admit_take(struct rx_source *source, struct rx_source_work *work, struct rx_event event)
{
    if (source->dedupe && rx_source_drops_repeat_take(source, event))
        return;
    source->received++;
    source->decoded++;
    append_take(source, work, event);
}

bool rx_source_drops_repeat_take(struct rx_source *source, struct rx_event event)
{
    struct rx_error error;
    int r = source->dedupe ? rx_dedupe_test(source->dedupe, &event, rx_sched_wall(source->sched), &error) : 0;
    if (r < 0) {
        rx_source_reject_event_take(source, event, r, &error);
    } else if (r > 0) {
        source->received++;
        source->rejected[RX_REJECT_REPEATED]++;
        rx_event_unref(&event);
    }
    return r != 0;
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

void rx_source_event_take(struct rx_source *source, struct rx_event event)
{
    struct rx_source_work *work = rx_source_work_of(source);
    if (!work || event.value.kind == RX_NULL) {
        rx_source_reject(source, RX_REJECT_MEMORY, "", 0, NULL);
        rx_event_unref(&event);
        return;
    }
    struct rx_error error;
    event.value = rx_source_tapped_take(source, event.value, NULL);
    int r = source->clock ? rx_source_stamp(source, &event, &error) : 0;
    if (r < 0) {
        rx_source_reject_event_take(source, event, r, &error);
        return;
    }
    rx_source_admit_take(source, work, event);
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
    rx_source_tap_flush(source);
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
    rx_source_tap_end(source, NULL);
    rx_event_clock_stop(source->clock);
    rx_hub_complete(source->hub);
}

void rx_source_fail(struct rx_source *source, const struct rx_error *error)
{
    rx_source_flush(source);
    rx_source_tap_end(source, error);
    rx_event_clock_stop(source->clock);
    rx_hub_error(source->hub, error);
}
