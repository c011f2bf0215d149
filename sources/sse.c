/* sse: reads Server-Sent Events, comes back when the connection is lost, and goes on behind the last event that it saw.
 *
 * Another rxd is told that we are one (`Rxd-Meta`), and sends each event with its time and key. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/feed/event_stream.h"
#include "core/feed/source.h"
#include "core/io/client/target.h"
#include "core/io/net/backoff.h"
#include "core/io/site.h"
#include "sources/rxd_frame.h"

#define RETRY_DEFAULT RX_SEC
#define RETRY_MAX     (30 * RX_SEC)
#define STOOD         (10 * RX_SEC) /* a connection that lasted so long was one */

struct sse {
    struct rx_source source;
    struct rx_client_target to;
    rx_time stall;

    struct rx_client *client; /* the site's; NULL without a site */
    struct rx_fetch *fetch;   /* NULL: none is under way */
    struct rx_event_stream stream;
    struct rx_timer again, quiet; /* connects; nothing came for `stall` */
    struct rx_backoff backoff;
    rx_time since;      /* of the connection */
    bool is_rxd, ended; /* the server is another rxd; it says that the stream is over */
    bool paused;
    uint64_t adopt; /* the connection of another engine; 0: none */
    struct {        /* the last key and what was made of it */
        struct rx_buffer text;
        const struct rx_mark *mark;
        const struct rx_shape *shape; /* {key} */
    } key;
    char fault[256], remark[100]; /* remark: what the server said of its own failure */
};

static const struct rx_option options[] = {
    {.name = "url",
     .help = "what to read, http:// or https://",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct sse, to.url, const char *),
     .flags = RX_REQUIRED},
    {.name = "to",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct sse, to, struct rx_client_target),
     .group = &rx_client_target_class,
     .flags = RX_INLINE},
    {.name = "stall",
     .help = "when nothing came for so long, not even a comment, the connection is taken for dead; 0s: never",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct sse, stall, rx_time),
     .fallback = "1m",
     .max = 86400},
    {0},
};

/* ---- the connection ---- */

static void await_bytes(struct sse *sse)
{
    if (sse->stall)
        rx_sched_arm(sse->source.sched, &sse->quiet, rx_sched_now(sse->source.sched) + sse->stall);
}

static void set_pauses(struct sse *sse)
{
    rx_time least = sse->stream.retry ? sse->stream.retry : RETRY_DEFAULT;
    if (sse->backoff.least == least)
        return;
    sse->backoff.least = least;
    sse->backoff.most = least > RETRY_MAX ? least : RETRY_MAX;
    rx_backoff_reset(&sse->backoff);
}

/* `retry:` is the least that the server asks for. */
static void come_again(struct sse *sse, rx_time after)
{
    rx_time now = rx_sched_now(sse->source.sched);
    set_pauses(sse);
    rx_time wait = rx_backoff_next(&sse->backoff);
    wait = wait > sse->stream.retry ? wait : sse->stream.retry;
    rx_sched_stop(sse->source.sched, &sse->quiet);
    rx_sched_arm(sse->source.sched, &sse->again, now + (after > wait ? after : wait));
}

static void set_fault(struct sse *sse, const char *reason)
{
    char url[140];
    rx_client_name_url(sse->to.url, url, sizeof url);
    snprintf(sse->fault, sizeof sse->fault, "GET %s: %.100s", url, reason);
    sse->source.fault = sse->fault;
}

/* A connection that carried something, or stood for a while, was worth it: the next attempt comes soon. `reason` NULL: the server has
 * closed it in order, which is how some have their clients ask again. */
static void lose(struct sse *sse, const char *reason, rx_time after)
{
    struct rx_source *source = &sse->source;
    if (source->connected && rx_sched_now(source->sched) - sse->since >= STOOD)
        rx_backoff_reset(&sse->backoff);
    source->failures += !source->connected;
    rx_source_set_connected(source, false);
    if (reason)
        set_fault(sse, reason);
    come_again(sse, after);
}

static bool on_head(void *arg, const struct rx_answer *answer)
{
    static const char type[] = "text/event-stream";
    struct sse *sse = arg;
    const char *is = rx_answer_header(answer, "Content-Type");
    if (answer->status != 200 || !is || strncasecmp(is, type, sizeof type - 1) != 0)
        return false;
    sse->is_rxd = rx_answer_header(answer, "Rxd-Meta") != NULL;
    sse->since = rx_sched_now(sse->source.sched);
    rx_source_set_connected(&sse->source, true);
    if (sse->source.clock)
        rx_event_clock_by_arrival(sse->source.clock, !sse->is_rxd);
    sse->source.fault = NULL;
    sse->remark[0] = '\0';
    rx_event_stream_begin(&sse->stream);
    await_bytes(sse);
    return true;
}

static void finish(struct sse *sse)
{
    sse->source.class->stop(&sse->source);
    rx_source_complete(&sse->source);
}

static void on_done(void *arg, const struct rx_answer *answer)
{
    struct sse *sse = arg;
    char reason[100];
    sse->fetch = NULL;
    if (sse->source.connected) {
        lose(sse, answer->error ? answer->error->message : *sse->remark ? sse->remark : NULL, 0);
    } else if (answer->status == 204) { /* nothing more will come */
        finish(sse);
    } else if (answer->status == 200) {
        lose(sse, "the answer is not text/event-stream", 0);
    } else if (answer->status) {
        snprintf(reason, sizeof reason, "%d %s", answer->status, answer->reason);
        lose(sse, reason, answer->retry_after);
    } else {
        lose(sse, answer->error->message, 0);
    }
}

static void on_data(void *arg, const char *bytes, size_t length)
{
    struct sse *sse = arg;
    struct rx_fetch *fetch = sse->fetch;
    await_bytes(sse);
    int r = rx_event_stream_feed(&sse->stream, bytes, length);
    if (!sse->source.running)
        return;
    rx_source_flush(&sse->source);
    if (sse->fetch != fetch || !sse->source.running)
        return;
    if (sse->ended) {
        finish(sse);
    } else if (r < 0) {
        rx_fetch_cancel(fetch);
        sse->fetch = NULL;
        lose(sse, strerror(-r), 0);
    }
}

static struct rx_fetch_options fetch_of(struct sse *sse, const struct rx_client_headers *headers)
{
    return (struct rx_fetch_options){.method = "GET",
                                     .url = sse->to.url,
                                     .headers = rx_client_headers_pairs(headers),
                                     .follow = true,
                                     .tls = sse->to.tls_given ? &sse->to.tls : NULL,
                                     .head = on_head,
                                     .data = on_data,
                                     .done = on_done,
                                     .arg = sse};
}

static void connect_now(struct sse *sse)
{
    struct rx_client_headers headers;
    char id[RX_EVENT_ID_MAX + 1];
    snprintf(id, sizeof id, "%.*s", (int)sse->stream.id.length, sse->stream.id.length ? sse->stream.id.data : "");
    rx_client_headers_begin(&headers, &sse->to);
    rx_client_headers_add(&headers, "Accept", "text/event-stream");
    rx_client_headers_add(&headers, "Cache-Control", "no-store");
    rx_client_headers_add(&headers, "Last-Event-ID", id);
    rx_client_headers_add(&headers, "Rxd-Meta", "1");
    struct rx_fetch_options fetch = fetch_of(sse, &headers);
    int r = rx_fetch_begin(sse->client, &fetch, &sse->fetch);
    if (r < 0) {
        lose(sse, r == -EAGAIN ? "too many requests are under way" : strerror(-r), 0);
        return;
    }
    rx_fetch_pause(sse->fetch, sse->paused);
    await_bytes(sse);
}

static void on_again(struct rx_timer *timer)
{
    connect_now((struct sse *)(void *)((char *)timer - offsetof(struct sse, again)));
}

static void on_quiet(struct rx_timer *timer)
{
    struct sse *sse = (struct sse *)(void *)((char *)timer - offsetof(struct sse, quiet));
    char reason[60], stall[32];
    if (sse->paused && sse->source.connected) { /* it is we who do not read */
        await_bytes(sse);
        return;
    }
    rx_fetch_cancel(sse->fetch);
    sse->fetch = NULL;
    rx_format_duration(sse->stall, stall, sizeof stall);
    snprintf(reason, sizeof reason, "nothing came for %s", stall);
    lose(sse, reason, 0);
}

/* ---- events ---- */

/* The scope of another rxd's stream: its key, of which only the value is known. */
static int mark_of(struct sse *sse, const struct rx_rxd_frame *frame, const struct rx_mark **ret,
                   struct rx_error *reterr)
{
    struct rx_heap *heap = sse->source.heap;
    struct rx_value value;
    *ret = NULL;
    if (!frame->key)
        return 0;
    *ret = sse->key.mark;
    if (sse->key.mark && sse->key.text.length == frame->key_length &&
        memcmp(sse->key.text.data, frame->key, frame->key_length) == 0)
        return 0;
    int r = rx_json_decode(heap, NULL, NULL, frame->key, frame->key_length, &value, reterr);
    if (r < 0)
        return r;
    struct rx_value key = rx_record_take(heap, sse->key.shape, &value);
    const struct rx_mark *mark = key.kind == RX_RECORD ? rx_mark_with_key(heap, NULL, key) : NULL;
    rx_value_unref(key);
    rx_mark_unref(sse->key.mark);
    sse->key.mark = *ret = mark;
    rx_buffer_clear(&sse->key.text);
    rx_buffer_append(&sse->key.text, frame->key, frame->key_length);
    if (mark && !sse->key.text.failed)
        return 0;
    return rx_error_set(reterr, -ENOMEM, "out of memory");
}

static void take_frame(struct sse *sse, const struct rx_event_stream_event *event)
{
    struct rx_source *source = &sse->source;
    struct rx_rxd_frame frame;
    struct rx_error error = {0};
    struct rx_message_info info = {0};
    int r = rx_rxd_frame_read(event->data, event->length, &frame, &error);
    if (r == 0)
        r = mark_of(sse, &frame, &info.mark, &error);
    if (r < 0) {
        rx_source_reject(source, r == -ENOMEM ? RX_REJECT_MEMORY : RX_REJECT_SYNTAX, event->data, event->length,
                         &error);
        return;
    }
    info.topic = frame.topic;
    info.topic_length = frame.topic_length;
    info.time = frame.at;
    info.timed = true;
    rx_source_message(source, rx_source_format(&sse->source), frame.next, frame.next_length, &info, NULL);
}

static bool is(const struct rx_event_stream_event *event, const char *type)
{
    return event->type_length == strlen(type) && memcmp(event->type, type, event->type_length) == 0;
}

/* {"missed": N}, or {"missed": null}. */
static void take_gap(struct sse *sse, const struct rx_event_stream_event *event)
{
    struct rx_error error;
    rx_error_set(&error, -EPIPE, "events are missing here: %.*s", (int)(event->length < 60 ? event->length : 60),
                 event->data);
    rx_source_reject(&sse->source, RX_REJECT_GAP, event->data, event->length, &error);
}

static void take_message(struct sse *sse, const struct rx_event_stream_event *event)
{
    struct rx_message_info info = {.topic = event->type, .topic_length = event->type_length};
    rx_source_message(&sse->source, rx_source_format(&sse->source), event->data, event->length, &info, NULL);
}

static void take_too_large(struct sse *sse, const struct rx_event_stream_event *event)
{
    struct rx_error error;
    rx_error_set(&error, -EMSGSIZE, "the data of an event is larger than max_message (%llu bytes)",
                 (unsigned long long)sse->source.max_message);
    rx_source_reject(&sse->source, RX_REJECT_TOO_LARGE, event->data, event->length, &error);
}

/* A subscriber may leave at any of them: then the source is stopped, or runs anew. */
static bool on_event(void *arg, const struct rx_event_stream_event *event)
{
    struct sse *sse = arg;
    struct rx_fetch *fetch = sse->fetch;
    rx_backoff_reset(&sse->backoff);
    if (event->too_large)
        take_too_large(sse, event);
    else if (!sse->is_rxd)
        take_message(sse, event);
    else if (is(event, "gap"))
        take_gap(sse, event);
    else if (is(event, "complete"))
        sse->ended = true;
    else if (is(event, "error"))
        snprintf(sse->remark, sizeof sse->remark, "it says: %.*s", (int)(event->length < 80 ? event->length : 80),
                 event->data);
    else
        take_frame(sse, event);
    return !sse->ended && sse->source.running && sse->fetch == fetch;
}

/* ---- life ---- */

static int check(const void *image, struct rx_error *reterr)
{
    return rx_client_target_check(&((const struct sse *)image)->to, reterr);
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    struct sse *sse = (struct sse *)source;
    sse->stream = (struct rx_event_stream){.max_data = (size_t)sse->source.max_message, .event = on_event, .arg = sse};
    sse->again.fire = on_again;
    sse->quiet.fire = on_quiet;
    rx_backoff_init(&sse->backoff);
    set_pauses(sse);
    const struct rx_key *key = rx_key_intern(source->heap, "key", 3);
    const struct rx_shape *empty = rx_shape_empty(source->heap);
    sse->key.shape = key && empty ? rx_shape_with(source->heap, empty, key) : NULL;
    if (!sse->key.shape)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    if (!source->site)
        return 0;
    if (sse->to.tls_given && rx_tls_check_files(&sse->to.tls, reterr) < 0)
        return reterr->code;
    sse->client = source->site->client(source->site, reterr);
    return sse->client ? 0 : reterr->code;
}

static bool adopt(struct sse *sse)
{
    struct rx_client_headers none = {.count = 0};
    struct rx_fetch_options mine = fetch_of(sse, &none);
    sse->fetch = sse->adopt ? rx_fetch_take(sse->client, sse->adopt, &mine) : NULL;
    sse->adopt = 0;
    if (!sse->fetch)
        return false;
    sse->since = rx_sched_now(sse->source.sched);
    rx_source_set_connected(&sse->source, sse->source.connected); /* the event clock does not know yet */
    await_bytes(sse);
    return true;
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct sse *sse = (struct sse *)source;
    (void)reterr;
    source->running = true;
    sse->paused = sse->ended = false;
    if (adopt(sse))
        return 0;
    rx_source_set_connected(source, false);
    connect_now(sse);
    return 0;
}

static void set_paused(struct rx_source *source, bool paused)
{
    struct sse *sse = (struct sse *)source;
    sse->paused = paused;
    if (sse->fetch)
        rx_fetch_pause(sse->fetch, paused);
}

/* Who comes next begins with what is live then. */
static void stop(struct rx_source *source)
{
    struct sse *sse = (struct sse *)source;
    source->running = false;
    rx_source_set_connected(source, false);
    source->fault = NULL;
    rx_sched_stop(source->sched, &sse->again);
    rx_sched_stop(source->sched, &sse->quiet);
    if (sse->fetch && source->handed_over)
        rx_fetch_leave(sse->fetch);
    else
        rx_fetch_cancel(sse->fetch);
    sse->fetch = NULL;
    rx_event_stream_begin(&sse->stream);
    rx_buffer_clear(&sse->stream.id);
    sse->stream.retry = 0;
    rx_backoff_reset(&sse->backoff);
}

/* Over a reload the connection stays, in the middle of an event perhaps. Another process connects, and says what it saw last. */
static void save(struct rx_source *source, struct rx_writer *w)
{
    struct sse *sse = (struct sse *)source;
    rx_event_stream_save(&sse->stream, w);
    rx_write_uint(w, sse->fetch ? rx_fetch_number(sse->fetch) : 0);
    rx_write_bool(w, source->connected);
    rx_write_bool(w, sse->is_rxd);
}

static int load(struct rx_source *source, struct rx_reader *r)
{
    struct sse *sse = (struct sse *)source;
    int result = rx_event_stream_load(&sse->stream, r);
    sse->adopt = rx_read_uint(r);
    source->connected = rx_read_bool(r);
    sse->is_rxd = rx_read_bool(r);
    return result == 0 && rx_reader_failed(r) ? -EBADMSG : result;
}

static void dispose(struct rx_source *source)
{
    struct sse *sse = (struct sse *)source;
    stop(source);
    rx_event_stream_finish(&sse->stream);
    rx_mark_unref(sse->key.mark);
    sse->key.mark = NULL;
    rx_buffer_finish(&sse->key.text);
}

const struct rx_source_class rx_source_sse = {
    .base = {.name = "sse",
             .summary = "The Server-Sent Events of any server, or the stream of another rxd, with its times and keys",
             .options = options,
             .state_size = sizeof(struct sse),
             .flags = RX_SOURCE_CONNECTS | RX_SOURCE_TIMED,
             .example = "sse: { url: \"http://127.0.0.1:8088/streams/device_avg\" }",
             .check = check},
    .init = init,
    .start = start,
    .pause = set_paused,
    .stop = stop,
    .state_version = 1,
    .save = save,
    .load = load,
    .dispose = dispose,
};
