/* http_poll: asks a server again and again, and takes what is new. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/feed/source.h"
#include "core/io/client/target.h"
#include "core/io/net/backoff.h"
#include "core/io/site.h"

enum { VALIDATOR_MAX = 1024 };
#define PAUSE_MAX (300 * RX_SEC) /* after failures, where `every` is not longer */

struct http_poll {
    struct rx_source source;
    struct rx_client_target to;
    rx_time every, jitter, timeout;

    struct rx_client *client; /* the site's; NULL without a site */
    struct rx_fetch *fetch;   /* NULL: none is under way */
    struct rx_timer next;     /* the next request */
    rx_time began;            /* the last one */
    struct rx_backoff backoff;
    struct rx_buffer etag, modified; /* of what was taken last; texts, or empty */
    rx_time loaded_due;              /* when another engine would have asked; 0: at once */
    bool paused, missed;             /* missed: a request was due while it was paused */
    char fault[256];
};

static const struct rx_option options[] = {
    {.name = "url",
     .help = "what to read, http:// or https://",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct http_poll, to.url, const char *),
     .flags = RX_REQUIRED},
    {.name = "to",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http_poll, to, struct rx_client_target),
     .group = &rx_client_target_class,
     .flags = RX_INLINE},
    {.name = "every",
     .help = "from one request to the next; after failures longer: twice, four times ... to 5m, or as Retry-After asks",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_poll, every, rx_time),
     .fallback = "1m",
     .min = 1e-2,
     .max = 31536000},
    {.name = "jitter",
     .help = "up to so much is added to each pause by chance, so that many do not ask at once",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_poll, jitter, rx_time),
     .fallback = "0s",
     .max = 31536000},
    {.name = "timeout",
     .help = "for a request and its answer",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_poll, timeout, rx_time),
     .fallback = "30s",
     .min = 1e-3,
     .max = 3600},
    {0},
};

static void ask_at(struct http_poll *poll, rx_time at) { rx_sched_arm(poll->source.sched, &poll->next, at); }

/* ---- what comes ---- */

static void fail(struct http_poll *poll, const char *reason, rx_time after)
{
    char url[140];
    rx_time wait = rx_backoff_next(&poll->backoff);
    rx_source_set_connected(&poll->source, false);
    rx_client_name_url(poll->to.url, url, sizeof url);
    snprintf(poll->fault, sizeof poll->fault, "GET %s: %.100s", url, reason);
    poll->source.fault = poll->fault;
    poll->source.failures++;
    wait = wait > poll->every ? wait : poll->every;
    ask_at(poll, rx_sched_now(poll->source.sched) + (wait > after ? wait : after));
}

static void is_well(struct http_poll *poll)
{
    rx_time more = 0, now = rx_sched_now(poll->source.sched);
    rx_backoff_reset(&poll->backoff);
    if (poll->jitter)
        more = (rx_time)(rx_backoff_chance(&poll->backoff) * (double)poll->jitter);
    rx_source_set_connected(&poll->source, true);
    poll->source.fault = NULL;
    ask_at(poll, poll->began + poll->every + more > now ? poll->began + poll->every + more : now);
}

static void keep(struct rx_buffer *to, const char *validator)
{
    rx_buffer_clear(to);
    if (validator && strlen(validator) <= VALIDATOR_MAX)
        rx_buffer_append(to, validator, strlen(validator) + 1);
}

/* Where the user does not say what it is, the server's word counts. */
static void take_body(struct rx_source *source, const struct rx_answer *answer)
{
    const char *type = rx_answer_header(answer, "Content-Type");
    enum rx_format format = rx_source_format(source);
    struct rx_error error = {0};
    uint64_t accepted;
    bool lines = false;
    if (type && !source->common->format_given)
        format = rx_format_of_type(type, format, &lines);
    if (lines)
        rx_source_body(source, format, true, answer->body, answer->length, &accepted, &error);
    else
        rx_source_message(source, format, answer->body, answer->length, NULL, &error);
}

static void take(struct http_poll *poll, const struct rx_answer *answer)
{
    struct rx_source *source = &poll->source;
    if (answer->error)
        rx_source_reject(source, RX_REJECT_TOO_LARGE, answer->body, answer->length, answer->error);
    else if (answer->length > 0)
        take_body(source, answer);
    rx_source_flush(source);
}

/* The next request is set before the answer goes on: whoever takes it may stop the source. */
static void on_done(void *arg, const struct rx_answer *answer)
{
    struct http_poll *poll = arg;
    bool too_large = answer->error && answer->error->code == -EMSGSIZE && answer->status;
    char reason[100];
    poll->fetch = NULL;
    snprintf(reason, sizeof reason, "%d %s", answer->status, answer->reason);
    if (answer->status == 304) {
        is_well(poll);
    } else if (answer->status && (answer->status < 200 || answer->status > 299)) {
        fail(poll, reason, answer->retry_after);
    } else if (answer->error && !too_large) {
        fail(poll, answer->error->message, 0);
    } else {
        is_well(poll);
        keep(&poll->etag, rx_answer_header(answer, "ETag"));
        keep(&poll->modified, rx_answer_header(answer, "Last-Modified"));
        take(poll, answer);
    }
}

/* ---- asking ---- */

static const char *text_of(const struct rx_buffer *validator) { return validator->length ? validator->data : ""; }

static void ask(struct http_poll *poll)
{
    struct rx_client_headers headers;
    rx_client_headers_begin(&headers, &poll->to);
    rx_client_headers_add(&headers, "If-None-Match", text_of(&poll->etag));
    rx_client_headers_add(&headers, "If-Modified-Since", text_of(&poll->modified));
    struct rx_fetch_options fetch = {.method = "GET",
                                     .url = poll->to.url,
                                     .headers = rx_client_headers_pairs(&headers),
                                     .connect_timeout = poll->timeout,
                                     .timeout = poll->timeout,
                                     .max_answer = poll->source.max_message,
                                     .follow = true,
                                     .tls = poll->to.tls_given ? &poll->to.tls : NULL,
                                     .done = on_done,
                                     .arg = poll};
    poll->began = rx_sched_now(poll->source.sched);
    int r = rx_fetch_begin(poll->client, &fetch, &poll->fetch);
    if (r < 0)
        fail(poll, r == -EAGAIN ? "too many requests are under way" : strerror(-r), 0);
}

static void on_next(struct rx_timer *timer)
{
    struct http_poll *poll = (struct http_poll *)(void *)((char *)timer - offsetof(struct http_poll, next));
    poll->missed = poll->paused;
    if (!poll->paused)
        ask(poll);
}

static void set_paused(struct rx_source *source, bool paused)
{
    struct http_poll *poll = (struct http_poll *)source;
    poll->paused = paused;
    if (!paused && poll->missed)
        ask_at(poll, rx_sched_now(source->sched));
    poll->missed = false;
}

/* ---- life ---- */

static int check(const void *image, struct rx_error *reterr)
{
    return rx_client_target_check(&((const struct http_poll *)image)->to, reterr);
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    struct http_poll *poll = (struct http_poll *)source;
    poll->next.fire = on_next;
    rx_backoff_init(&poll->backoff);
    poll->backoff.least = 2 * poll->every;
    poll->backoff.most = poll->every > PAUSE_MAX ? poll->every : PAUSE_MAX;
    rx_backoff_reset(&poll->backoff);
    if (!source->site)
        return 0;
    if (poll->to.tls_given && rx_tls_check_files(&poll->to.tls, reterr) < 0)
        return reterr->code;
    poll->client = source->site->client(source->site, reterr);
    return poll->client ? 0 : reterr->code;
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct http_poll *poll = (struct http_poll *)source;
    rx_time now = rx_sched_now(source->sched);
    (void)reterr;
    source->running = true;
    poll->paused = poll->missed = false;
    rx_source_set_connected(source, source->connected); /* as it was loaded */
    ask_at(poll, poll->loaded_due > now ? poll->loaded_due : now);
    poll->loaded_due = 0;
    return 0;
}

static void stop(struct rx_source *source)
{
    struct http_poll *poll = (struct http_poll *)source;
    source->running = false;
    rx_source_set_connected(source, false);
    source->fault = NULL;
    rx_sched_stop(source->sched, &poll->next);
    rx_fetch_cancel(poll->fetch);
    poll->fetch = NULL;
    rx_backoff_reset(&poll->backoff);
    keep(&poll->etag, NULL); /* who comes next has seen nothing yet */
    keep(&poll->modified, NULL);
}

/* A request that is under way is made again. */
static void save(struct rx_source *source, struct rx_writer *w)
{
    const struct http_poll *poll = (const struct http_poll *)source;
    rx_write_text(w, text_of(&poll->etag), strlen(text_of(&poll->etag)));
    rx_write_text(w, text_of(&poll->modified), strlen(text_of(&poll->modified)));
    rx_write_int(w, rx_timer_armed(&poll->next) ? poll->next.due : 0);
    rx_write_bool(w, source->connected);
}

static int load_text(struct rx_reader *r, struct rx_buffer *ret)
{
    char text[VALIDATOR_MAX + 1];
    size_t length = 0;
    const char *read = rx_read_text(r, &length);
    if (rx_reader_failed(r) || length > VALIDATOR_MAX || memchr(read, 0, length))
        return -EBADMSG;
    memcpy(text, read, length);
    text[length] = 0;
    keep(ret, length ? text : NULL);
    return ret->failed ? -ENOMEM : 0;
}

static int load(struct rx_source *source, struct rx_reader *r)
{
    struct http_poll *poll = (struct http_poll *)source;
    int result = load_text(r, &poll->etag);
    if (result == 0)
        result = load_text(r, &poll->modified);
    poll->loaded_due = rx_read_int(r);
    source->connected = rx_read_bool(r);
    return result == 0 && rx_reader_failed(r) ? -EBADMSG : result;
}

static void dispose(struct rx_source *source)
{
    struct http_poll *poll = (struct http_poll *)source;
    stop(source);
    rx_buffer_finish(&poll->etag);
    rx_buffer_finish(&poll->modified);
}

const struct rx_source_class rx_source_http_poll = {
    .base = {.name = "http_poll",
             .summary = "The answers of a server that is asked at an interval, when they are new",
             .options = options,
             .state_size = sizeof(struct http_poll),
             .flags = RX_SOURCE_CONNECTS,
             .example = "http_poll: { url: \"http://127.0.0.1:9000/weather.json\", every: 5m, jitter: 10s }",
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
