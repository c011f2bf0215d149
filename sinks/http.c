/* http: posts each event, or several at once, to a server; what it does not take now is kept and sent again.
 *
 * One request at a time, in order. What is held stays within `max_buffer`; past it the sink is full. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/feed/sink.h"
#include "core/io/client/client.h"
#include "core/io/net/backoff.h"
#include "core/io/net/tls.h"
#include "core/io/site.h"
#include "sinks/http_queue.h"
#include "sinks/http_words.h"

#define DRAINING_WAIT (500 * RX_MSEC) /* the longest pause while the daemon stops */

struct batch {
    int64_t count;
    uint64_t size;
    rx_time every;
    int form; /* enum rx_http_form */
};

struct retry {
    int64_t count;
    rx_time delay, max_delay;
    double backoff;
};

struct http {
    struct rx_sink sink;
    struct rx_shaper *post, *put, *headers, *payload;
    struct batch batch;
    bool batched;
    rx_time timeout;
    struct retry retry;
    uint64_t max_buffer;
    int full;
    struct rx_tls_options tls;
    bool tls_given;
    struct rx_render_options format;

    struct rx_client *client; /* the site's; NULL without a site */
    struct rx_http_queue queue;
    struct rx_fetch *fetch; /* NULL: none is under way */
    size_t sending;         /* items at the front that go together, until they are through */
    int64_t attempts;       /* that failed, of these */
    struct rx_backoff backoff;
    rx_time not_before; /* of the next attempt; 0: at once */
    struct rx_timer wake;
    struct rx_render render;
    struct rx_http_words words;
    bool draining;
    char fault[256], loss[256];
};

static const char *const forms[] = {"lines", "array", NULL};

static const struct rx_option batch_options[] = {
    {.name = "count",
     .help = "events in a request, at most",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct batch, count, int64_t),
     .fallback = "100",
     .min = 1,
     .max = 1e6,
     .flags = RX_POSITIONAL},
    {.name = "size",
     .help = "bytes of them, at most; a larger event goes alone",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct batch, size, uint64_t),
     .fallback = "1MiB",
     .min = 1,
     .max = 1 << 30},
    {.name = "every",
     .help = "how long an event waits for others",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct batch, every, rx_time),
     .fallback = "1s",
     .max = 86400},
    {.name = "form",
     .help = "the body: lines (NDJSON), or one JSON array",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct batch, form, int),
     .fallback = "lines",
     .choices = forms},
    {0},
};
static const struct rx_class batch_class = {
    .name = "batch", .options = batch_options, .state_size = sizeof(struct batch)};

static const struct rx_option retry_options[] = {
    {.name = "count",
     .help = "tries after the first, then the events are lost and counted; -1: without end",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct retry, count, int64_t),
     .fallback = "-1",
     .min = -1,
     .max = 1e15,
     .flags = RX_POSITIONAL},
    {.name = "delay",
     .help = "the wait before the first of them; a quarter of each wait is left to chance",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct retry, delay, rx_time),
     .fallback = "250ms",
     .min = 1e-3,
     .max = 3600},
    {.name = "backoff",
     .help = "the wait grows by this factor each time",
     .type = RX_OPTION_DOUBLE,
     .offset = RX_AT(struct retry, backoff, double),
     .fallback = "2",
     .min = 1,
     .max = 1000},
    {.name = "max_delay",
     .help = "the longest wait, but for what the server asks for (Retry-After, an hour at most)",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct retry, max_delay, rx_time),
     .fallback = "30s",
     .min = 1e-3,
     .max = 3600},
    {0},
};
static const struct rx_class retry_class = {
    .name = "retry", .options = retry_options, .state_size = sizeof(struct retry)};

static const struct rx_option options[] = {
    {.name = "post",
     .help = "where to, a template: http://host/rooms/{room}; what {} yields is percent-encoded",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct http, post, struct rx_shaper *)},
    {.name = "put",
     .help = "the same, by PUT",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct http, put, struct rx_shaper *)},
    {.name = "headers",
     .help = "headers of the request, templates: {Authorization: \"Bearer ${TOKEN}\"}",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct http, headers, struct rx_shaper *)},
    {.name = "payload",
     .help = RX_PAYLOAD_HELP,
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct http, payload, struct rx_shaper *)},
    {.name = "batch",
     .help = "several events in a request; default: each alone",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, batch, struct batch),
     .group = &batch_class,
     .given = RX_AT(struct http, batched, bool)},
    {.name = "timeout",
     .help = "for a request and its answer",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http, timeout, rx_time),
     .fallback = "10s",
     .min = 1e-3,
     .max = 3600},
    {.name = "retry",
     .help = "after a failure that may pass: no connection, no answer, 408, 429, 5xx; what else is no 2xx is refused, "
             "and lost",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, retry, struct retry),
     .group = &retry_class},
    {.name = "max_buffer",
     .help = "what is held while the server does not take it; events past it are dropped and counted",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct http, max_buffer, uint64_t),
     .fallback = "4MiB",
     .min = 1024,
     .max = 1 << 30},
    {.name = "full",
     .help = RX_FULL_HELP,
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct http, full, int),
     .fallback = "drop",
     .choices = rx_full_choices},
    {.name = "tls",
     .help = "whom to trust, and who we are, with https",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, tls, struct rx_tls_options),
     .group = &rx_tls_class,
     .given = RX_AT(struct http, tls_given, bool)},
    {.name = "format",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, format, struct rx_render_options),
     .group = &rx_render_class,
     .flags = RX_INLINE},
    {0},
};

static struct rx_shaper *url_of(const struct http *http) { return http->post ? http->post : http->put; }

/* ---- sending ---- */

static void pump(struct http *http);

static const char *first_url(const struct http *http) { return http->queue.first->bytes; }

/* "POST http://host/path: REASON" */
static void tell(const struct http *http, char out[256], const char *reason)
{
    char url[140];
    rx_client_name_url(first_url(http), url, sizeof url);
    snprintf(out, 256, "%s %s: %.100s", http->post ? "POST" : "PUT", url, reason);
}

/* Those at the front are through, one way or another. */
static void settle(struct http *http, uint64_t *account)
{
    *account += http->sending;
    http->sink.held -= http->sending;
    rx_http_queue_drop(&http->queue, http->sending);
    http->sending = 0;
    http->attempts = 0;
}

static void is_well(struct http *http)
{
    http->sink.fault = NULL;
    http->sink.connected = true;
    http->not_before = 0;
    rx_backoff_reset(&http->backoff);
}

static void try_again(struct http *http, const char *reason, rx_time after)
{
    struct rx_sink *sink = &http->sink;
    rx_time wait = rx_backoff_next(&http->backoff);
    sink->connected = false;
    sink->fault = http->fault;
    tell(http, http->fault, reason);
    sink->failures++;
    http->attempts++;
    if (http->retry.count >= 0 && http->attempts > http->retry.count) {
        memcpy(http->loss, http->fault, sizeof http->loss);
        sink->loss = http->loss;
        settle(http, &sink->lost);
    }
    wait = http->draining && wait > DRAINING_WAIT ? DRAINING_WAIT : wait;
    http->not_before = rx_sched_now(sink->sched) + (after > wait ? after : wait);
}

static bool may_pass(int status) { return status == 0 || status == 408 || status == 429 || status >= 500; }

static void on_done(void *arg, const struct rx_answer *answer)
{
    struct http *http = arg;
    char reason[100];
    http->fetch = NULL;
    snprintf(reason, sizeof reason, "%d %s", answer->status, answer->reason);
    if (may_pass(answer->status)) {
        try_again(http, answer->status ? reason : answer->error->message, answer->retry_after);
    } else if (answer->status < 300) { /* the head is enough: it has taken them */
        is_well(http);
        settle(http, &http->sink.out);
    } else {
        is_well(http);
        tell(http, http->loss, reason);
        http->sink.loss = http->loss;
        settle(http, &http->sink.refused);
    }
    pump(http);
}

static bool names(const struct rx_pairs *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++)
        if (strcasecmp(headers->names[i], name) == 0)
            return true;
    return false;
}

static const char *type_of(const struct http *http)
{
    if (http->format.format != RX_RENDER_JSON)
        return http->format.format == RX_RENDER_CSV ? "text/csv; charset=utf-8" : "text/plain; charset=utf-8";
    if (http->batched && http->batch.form == RX_HTTP_ARRAY)
        return "application/json";
    if (http->batched)
        return "application/x-ndjson";
    return http->queue.first->text ? "text/plain; charset=utf-8" : "application/json";
}

/* Of the first item, and the Content-Type where they do not have it. */
static struct rx_pairs headers_of(const struct http *http, const char *storage[2][RX_HTTP_HEADERS_MAX + 1])
{
    const char *at = http->queue.first->bytes + http->queue.first->url, *end = at + http->queue.first->headers;
    struct rx_pairs headers = {.names = storage[0], .texts = storage[1]};
    for (; at < end && headers.count < RX_HTTP_HEADERS_MAX; headers.count++) {
        storage[0][headers.count] = at;
        at += strlen(at) + 1;
        storage[1][headers.count] = at;
        at += strlen(at) + 1;
    }
    if (!names(&headers, "Content-Type")) {
        storage[0][headers.count] = "Content-Type";
        storage[1][headers.count++] = type_of(http);
    }
    return headers;
}

static int begin(struct http *http, const struct rx_buffer *body)
{
    const char *storage[2][RX_HTTP_HEADERS_MAX + 1];
    struct rx_fetch_options fetch = {.method = http->post ? "POST" : "PUT",
                                     .url = first_url(http),
                                     .headers = headers_of(http, storage),
                                     .body = body->data ? body->data : "",
                                     .length = body->length,
                                     .timeout = http->timeout,
                                     .connect_timeout = http->timeout,
                                     .tls = http->tls_given ? &http->tls : NULL,
                                     .done = on_done,
                                     .arg = http};
    return body->failed ? -ENOMEM : rx_fetch_begin(http->client, &fetch, &http->fetch);
}

static void send_front(struct http *http)
{
    struct rx_buffer body = {0};
    const struct rx_http_item *first = http->queue.first;
    const struct rx_buffer *header = rx_render_header(&http->render);
    if (http->batched && header->length)
        rx_buffer_append(&body, header->data, header->length);
    if (http->batched)
        rx_http_queue_body(&http->queue, http->sending, (enum rx_http_form)http->batch.form, &body);
    else
        rx_buffer_append(&body, first->bytes + first->url + first->headers, first->body);
    int r = begin(http, &body);
    rx_buffer_finish(&body);
    if (r < 0)
        try_again(http, r == -EAGAIN ? "too many requests are under way" : strerror(-r), 0);
}

static size_t next_batch(const struct http *http, bool *ret_full)
{
    size_t count = http->batched ? (size_t)http->batch.count : 1;
    return rx_http_queue_batch(&http->queue, count, http->batch.size, ret_full);
}

/* When the front may go; RX_TIME_NEVER: nothing is there, or it is on its way. */
static rx_time due(const struct http *http)
{
    bool full = true;
    if (http->fetch || !http->queue.first)
        return RX_TIME_NEVER;
    if (http->sending == 0 && !http->draining)
        next_batch(http, &full);
    rx_time ripe = full ? 0 : http->queue.first->at + http->batch.every;
    return ripe > http->not_before ? ripe : http->not_before;
}

static void pump(struct http *http)
{
    struct rx_sched *sched = http->sink.sched;
    bool full;
    rx_sched_stop(sched, &http->wake);
    if (due(http) <= rx_sched_now(sched)) {
        if (http->sending == 0)
            http->sending = next_batch(http, &full);
        send_front(http);
    }
    if (due(http) != RX_TIME_NEVER)
        rx_sched_arm(sched, &http->wake, due(http));
}

static void on_wake(struct rx_timer *timer)
{
    pump((struct http *)(void *)((char *)timer - offsetof(struct http, wake)));
}

/* ---- what comes ---- */

static int write_event(struct rx_sink *sink, const struct rx_event *event, struct rx_error *reterr)
{
    struct http *http = (struct http *)sink;
    if (http->queue.bytes >= http->max_buffer)
        return -EAGAIN;
    int r = rx_http_words_make(&http->words, event, reterr);
    if (r == 0)
        r = rx_http_queue_push(&http->queue, rx_sched_now(sink->sched), &http->words);
    if (r == -ENOMEM)
        rx_error_set(reterr, r, "out of memory");
    sink->held += r == 0;
    return r;
}

/* ---- life ---- */

static int check(const void *image, struct rx_error *reterr)
{
    const struct http *http = image;
    if (!http->post == !http->put) {
        rx_error_set(reterr, -EINVAL, http->post ? "an http sink posts or puts, not both" : "an http sink needs a URL");
        rx_error_hint(reterr, "for example http: {post: \"http://127.0.0.1:9000/alerts\"}");
        return -EINVAL;
    }
    if (http->batched && http->batch.form == RX_HTTP_ARRAY && http->format.format != RX_RENDER_JSON)
        return rx_error_set(reterr, -EINVAL, "batch: an array is JSON, and the format is another");
    int r = rx_render_check(&http->format, reterr);
    return r < 0 ? r : rx_http_words_check_url(url_of(http), reterr);
}

static int init(struct rx_sink *sink, struct rx_error *reterr)
{
    struct http *http = (struct http *)sink;
    if (rx_render_init(&http->render, &http->format, sink->heap, sink->pipeline) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    http->render.lines = http->batched;
    http->words = (struct rx_http_words){.url = url_of(http),
                                         .headers = http->headers,
                                         .payload = http->payload,
                                         .render = &http->render,
                                         .heap = sink->heap};
    if (rx_http_words_check(&http->words, reterr) < 0)
        return reterr->code;
    rx_backoff_init(&http->backoff);
    http->backoff.most = http->retry.max_delay;
    http->backoff.least = http->retry.delay < http->retry.max_delay ? http->retry.delay : http->retry.max_delay;
    http->backoff.factor = http->retry.backoff;
    rx_backoff_reset(&http->backoff);
    http->wake.fire = on_wake;
    sink->pauses = http->full == RX_FULL_PAUSE;
    if (!sink->site)
        return 0;
    if (http->tls_given && rx_tls_check_files(&http->tls, reterr) < 0)
        return reterr->code;
    http->client = sink->site->client(sink->site, reterr);
    return http->client ? 0 : reterr->code;
}

static void flush(struct rx_sink *sink) { pump((struct http *)sink); }

/* What waits to be tried again is tried now, unless the server has asked for a pause: that is longer than what is left. */
static bool drain(struct rx_sink *sink)
{
    struct http *http = (struct http *)sink;
    rx_time soon = rx_sched_now(sink->sched) + DRAINING_WAIT;
    if (!http->draining && http->not_before > soon)
        http->not_before = soon;
    http->draining = true;
    pump(http);
    return sink->held == 0;
}

static void stop(struct rx_sink *sink)
{
    struct http *http = (struct http *)sink;
    rx_sched_stop(sink->sched, &http->wake);
    if (http->fetch && sink->handed_over)
        rx_fetch_leave(http->fetch);
    else
        rx_fetch_cancel(http->fetch);
    http->fetch = NULL;
    sink->connected = false;
}

/* A request that is under way stays so, over a reload. In another process it is made again. */
static void save(struct rx_sink *sink, struct rx_writer *w)
{
    struct http *http = (struct http *)sink;
    rx_http_queue_save(&http->queue, w);
    rx_write_uint(w, http->fetch ? rx_fetch_number(http->fetch) : 0);
    rx_write_uint(w, http->sending);
    rx_write_int(w, http->attempts);
    rx_write_int(w, http->not_before);
    rx_write_int(w, http->backoff.next);
    rx_write_text(w, http->fault, sink->fault ? strlen(http->fault) : 0);
    const struct rx_buffer *header = rx_render_header(&http->render);
    rx_write_text(w, header->data ? header->data : "", header->length);
}

static int load(struct rx_sink *sink, struct rx_reader *r)
{
    struct http *http = (struct http *)sink;
    struct rx_fetch_options mine = {.done = on_done, .arg = http};
    size_t length = 0;
    int result = rx_http_queue_load(&http->queue, r);
    if (result < 0)
        return result;
    uint64_t number = rx_read_uint(r), sending = rx_read_uint(r);
    http->attempts = rx_read_int(r);
    http->not_before = rx_read_int(r);
    rx_time next = rx_read_int(r);
    const char *fault = rx_read_text(r, &length);
    size_t header_length = 0;
    const char *header = rx_read_text(r, &header_length);
    sink->held = http->queue.count;
    if (rx_reader_failed(r) || sending > http->queue.count || (number && !sending))
        return -EBADMSG;
    if (rx_render_adopt_header(&http->render, header, header_length) < 0)
        return -ENOMEM;
    http->sending = (size_t)sending;
    if (next >= http->backoff.least && next <= http->backoff.most)
        http->backoff.next = next;
    snprintf(http->fault, sizeof http->fault, "%.*s", (int)length, fault);
    sink->fault = length ? http->fault : NULL;
    http->fetch = number ? rx_fetch_take(http->client, number, &mine) : NULL;
    pump(http);
    return 0;
}

static void dispose(struct rx_sink *sink)
{
    struct http *http = (struct http *)sink;
    stop(sink);
    rx_http_queue_finish(&http->queue);
    rx_http_words_finish(&http->words);
    rx_render_finish(&http->render);
}

const struct rx_sink_class rx_sink_http = {
    .base = {.name = "http",
             .summary = "Posts the events to a server, one by one or in batches, and again until it takes them",
             .options = options,
             .state_size = sizeof(struct http),
             .example =
                 "http: { post: \"http://127.0.0.1:9000/alerts/{device}\", payload: { hot: \"{device}\" }, retry: 10 }",
             .check = check},
    .init = init,
    .write = write_event,
    .flush = flush,
    .drain = drain,
    .stop = stop,
    .state_version = 2,
    .save = save,
    .load = load,
    .dispose = dispose,
};
