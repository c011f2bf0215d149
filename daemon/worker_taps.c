/* Who follows a source: what comes in is written into a log, which the front serves at GET /sources/NAME.
 *
 * A tap is by name: it stays over a reload, where this worker still runs the source. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/source_tap.h"
#include "core/io/serve/stream_log.h"
#include "core/json/json.h"
#include "daemon/worker_private.h"

#define RX_USEC (RX_MSEC / 1000)

struct rx_worker_tap {
    struct rx_source_tap base;
    struct rx_worker_tap *next;
    struct rx_worker *worker;
    struct rx_log_writer *log; /* the front's */
    struct rx_buffer json, beside;
    char name[];
};

/* When it came in, in whole microseconds: a double of today's milliseconds, as a replay reads it, holds no more. Two sources'
 * events never have the same time, so that their order can be seen from it. */
static rx_time arrival(struct rx_worker_tap *tap, const struct rx_source *source)
{
    struct rx_worker *w = tap->worker;
    rx_time at = rx_sched_wall(source->sched) / RX_USEC * RX_USEC;
    if (at <= w->tapped_at)
        at = w->tapped_at + (w->tapped == tap ? 0 : RX_USEC);
    w->tapped = tap;
    w->tapped_at = at;
    return at;
}

static void member(struct rx_buffer *out, const char *name) { rx_buffer_printf(out, ",\"%s\":", name); }

/* What a replay needs to make the same of it: names of its input lines. */
static void write_beside(struct rx_worker_tap *tap, const struct rx_message_info *info)
{
    rx_buffer_clear(&tap->beside);
    if (!info)
        return;
    if (info->topic) {
        member(&tap->beside, "topic");
        rx_json_write_string(&tap->beside, info->topic, info->topic_length);
    }
    if (info->retained)
        rx_buffer_text(&tap->beside, ",\"retained\":true");
}

/* `split` would take a list that was an element apart. */
static void write_value(struct rx_worker_tap *tap, const struct rx_source *source, struct rx_value value)
{
    bool whole = value.kind == RX_LIST && source->common && source->common->formats.split;
    rx_buffer_clear(&tap->json);
    rx_buffer_text(&tap->json, whole ? "[" : "");
    rx_json_write(&tap->json, value);
    rx_buffer_text(&tap->json, whole ? "]" : "");
}

static void write_end(struct rx_worker_tap *tap, const struct rx_error *error, rx_time at)
{
    rx_buffer_clear(&tap->json);
    rx_buffer_text(&tap->json, error ? "{\"error\":" : "{\"complete\":true");
    if (error)
        rx_json_write_string(&tap->json, error->message, strlen(error->message));
    rx_buffer_printf(&tap->json, ",\"at\":%lld.%03lld}", (long long)(at / RX_MSEC),
                     (long long)(at % RX_MSEC / RX_USEC));
}

/* What finds no room, or no memory, has used up its number: who reads is told that something is missing. */
static void note(struct rx_source_tap *base, const struct rx_source *source, const struct rx_tapped *tapped)
{
    struct rx_worker_tap *tap = (struct rx_worker_tap *)base;
    struct rx_frame frame = {.time = arrival(tap, source)};
    rx_buffer_clear(&tap->beside);
    if (tapped->kind == RX_NEXT) {
        write_value(tap, source, tapped->value);
        write_beside(tap, tapped->info);
    } else {
        frame.event = tapped->kind == RX_ERROR ? "error" : "complete";
        write_end(tap, tapped->error, frame.time);
    }
    frame.json = tap->json.data;
    frame.json_length = tap->json.length;
    frame.beside = tap->beside.data;
    frame.beside_length = tap->beside.length;
    int r = tap->json.failed || tap->beside.failed ? -ENOMEM : rx_log_append(tap->log, &frame);
    if (r < 0 && r != -EAGAIN) /* which has lost it itself */
        rx_log_lose(tap->log);
}

static void flush(struct rx_source_tap *base) { rx_log_publish(((struct rx_worker_tap *)base)->log); }

/* ---- life ---- */

static void forget(struct rx_worker_tap **link)
{
    struct rx_worker_tap *tap = *link;
    *link = tap->next;
    if (tap->worker->tapped == tap)
        tap->worker->tapped = NULL;
    rx_buffer_finish(&tap->json);
    rx_buffer_finish(&tap->beside);
    free(tap);
}

static struct rx_worker_tap **find(struct rx_worker *w, const char *name)
{
    struct rx_worker_tap **link = &w->taps;
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

static struct rx_source *source_of(const struct rx_worker *w, const char *name)
{
    const struct rx_plan_source *s = rx_plan_find_source(w->plan, name);
    return s ? s->source : NULL;
}

static bool begin(struct rx_worker *w, const char *name, struct rx_log_writer *log)
{
    struct rx_source *source = source_of(w, name);
    size_t length = strlen(name) + 1;
    if (!source || *find(w, name))
        return source != NULL;
    struct rx_worker_tap *tap = calloc(1, sizeof *tap + length);
    if (!tap)
        return false;
    *tap = (struct rx_worker_tap){.base = {.note = note, .flush = flush}, .next = w->taps, .worker = w, .log = log};
    memcpy(tap->name, name, length);
    w->taps = tap;
    rx_source_set_tap(source, &tap->base);
    return true;
}

static void end(struct rx_worker *w, const char *name)
{
    struct rx_worker_tap **link = find(w, name);
    struct rx_source *source = source_of(w, name);
    if (source)
        rx_source_set_tap(source, NULL);
    if (*link)
        forget(link);
}

void rx_worker_tap(struct rx_worker *w, struct rx_job *job)
{
    if (job->kind == RX_JOB_UNTAP)
        end(w, job->source);
    else
        job->tap.taken = !w->drain_until && begin(w, job->source, job->tap.log);
}

/* Those whose source is gone, or runs elsewhere, are over. */
void rx_worker_tap_again(struct rx_worker *w)
{
    static const char gone[] = "{\"error\":\"the config was reloaded: ask again\"}";
    struct rx_worker_tap **link = &w->taps;
    while (*link) {
        struct rx_worker_tap *tap = *link;
        struct rx_source *source = source_of(w, tap->name);
        if (source) {
            rx_source_set_tap(source, &tap->base);
            link = &tap->next;
            continue;
        }
        rx_log_append(tap->log, &(struct rx_frame){.json = gone,
                                                   .json_length = sizeof gone - 1,
                                                   .event = "error",
                                                   .time = rx_sched_wall(rx_loop_sched(w->loop))});
        rx_log_publish(tap->log);
        forget(link);
    }
}

void rx_worker_untap_all(struct rx_worker *w)
{
    while (w->taps)
        forget(&w->taps);
}
