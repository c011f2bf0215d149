/* http: asks a server for each event, without waiting for it: the answer takes the event's place, or a field of it. */
#include "operators/requesting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALLOW_MAX = 64 };

static const char *const modes[] = {"merge", "concat", "switch", "exhaust", NULL};

static const struct rx_option retry_options[] = {
    {.name = "count",
     .help = "tries after the first; -1: without end",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct http_retry, count, int64_t),
     .fallback = "0",
     .min = -1,
     .max = 1e15,
     .flags = RX_POSITIONAL},
    {.name = "delay",
     .help = "the wait before the first of them",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_retry, delay, rx_time),
     .fallback = "250ms",
     .max = 3600},
    {.name = "backoff",
     .help = "the wait grows by this factor each time",
     .type = RX_OPTION_DOUBLE,
     .offset = RX_AT(struct http_retry, backoff, double),
     .fallback = "2",
     .min = 1,
     .max = 1000},
    {.name = "max_delay",
     .help = "the longest wait, but for what the server asks for (Retry-After, an hour at most)",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_retry, max_delay, rx_time),
     .fallback = "30s",
     .max = 3600},
    {.name = "reset_on_success",
     .help = "of the retry step; here each event counts for itself, so that it makes no difference",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct http_retry, reset_on_success, bool),
     .fallback = "false"},
    {0},
};
static const struct rx_class retry_class = {
    .name = "retry", .options = retry_options, .state_size = sizeof(struct http_retry)};

static const struct rx_option breaker_options[] = {
    {.name = "failures",
     .help = "requests that fail in a row until it opens",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct http_breaker, failures, int64_t),
     .fallback = "5",
     .min = 1,
     .max = 1e9,
     .flags = RX_POSITIONAL},
    {.name = "cooldown",
     .help = "how long nothing is asked then; after it one request tries whether the server is well",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_breaker, cooldown, rx_time),
     .fallback = "30s",
     .min = 1e-3,
     .max = 86400},
    {0},
};
static const struct rx_class breaker_class = {
    .name = "breaker", .options = breaker_options, .state_size = sizeof(struct http_breaker)};

static const struct rx_option cache_options[] = {
    {.name = "ttl",
     .help = "how long a good answer is good",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_cache, ttl, rx_time),
     .fallback = "1m",
     .min = 1e-3,
     .max = 31536000,
     .flags = RX_POSITIONAL},
    {.name = "max",
     .help = "answers kept; then the one that was used longest ago goes",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct http_cache, max, int64_t),
     .fallback = "1000",
     .min = 1,
     .max = 1e7},
    {0},
};
static const struct rx_class cache_class = {
    .name = "cache", .options = cache_options, .state_size = sizeof(struct http_cache)};

static const struct rx_option batch_options[] = {
    {.name = "count",
     .help = "events in a request, at most",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct http_batch, count, int64_t),
     .fallback = "100",
     .min = 1,
     .max = 100000,
     .flags = RX_POSITIONAL},
    {.name = "every",
     .help = "how long the first waits for others",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http_batch, every, rx_time),
     .fallback = "1s",
     .max = 86400},
    {0},
};
static const struct rx_class batch_class = {
    .name = "batch", .options = batch_options, .state_size = sizeof(struct http_batch)};

#define URL(name_, help_)                                                                                              \
    {                                                                                                                  \
        .name = #name_, .help = help_, .type = RX_OPTION_TEMPLATE,                                                     \
        .offset = RX_AT(struct http, name_, struct rx_shaper *)                                                        \
    }

static const struct rx_option options[] = {
    URL(get, "what to ask, a template: http://host/rooms/{room}; what {} yields is percent-encoded"),
    URL(post, "the same, by POST"),
    URL(put, "the same, by PUT"),
    URL(patch, "the same, by PATCH"),
    URL(delete, "the same, by DELETE"),
    {.name = "headers",
     .help = "headers of the request, templates: {Authorization: \"Bearer ${TOKEN}\"}",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct http, headers, struct rx_shaper *)},
    {.name = "body",
     .help = "what is sent, a template: a text as it is, else as JSON; default: the event, with post, put and patch",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct http, body, struct rx_shaper *)},
    {.name = "into",
     .help = "the field that gets the answer; default: the answer replaces the event. The status is meta.status",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct http, into, const char *)},
    {.name = "mode",
     .help = "merge: several at once; concat: one after the other; switch: only the newest; exhaust: none while one is "
             "under way. In each group",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct http, mode, int),
     .fallback = "merge",
     .choices = modes},
    {.name = "concurrency",
     .help = "requests at once, in all groups together; further events wait",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct http, concurrency, int64_t),
     .fallback = "16",
     .min = 1,
     .max = 10000},
    {.name = "queue",
     .help = "events that may wait, in all groups together; one more is discarded, and counted as evicted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct http, queue, int64_t),
     .fallback = "10000",
     .min = 0,
     .max = 1e7},
    {.name = "ordered",
     .help = "results in the order of the events; default: as they come",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct http, ordered, bool),
     .fallback = "false"},
    {.name = "timeout",
     .help = "for each try",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct http, timeout, rx_time),
     .fallback = "10s",
     .min = 1e-3,
     .max = 3600},
    {.name = "retry",
     .help = "after a failure that may pass: no connection, no answer, 408, 429, 5xx",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, retry, struct http_retry),
     .group = &retry_class},
    {.name = "breaker",
     .help = "asks no more while such failures go on; what comes meanwhile is an error of that event. Default: none",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, breaker, struct http_breaker),
     .group = &breaker_class,
     .given = RX_AT(struct http, breaker_given, bool)},
    {.name = "cache",
     .help = "keeps good answers, by all that is asked: URL, headers, body. Default: none",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, cache, struct http_cache),
     .group = &cache_class,
     .given = RX_AT(struct http, cache_given, bool)},
    {.name = "batch",
     .help =
         "several events of a group in one request: the body is a list, and the answer one with an element for each",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct http, batch, struct http_batch),
     .group = &batch_class,
     .given = RX_AT(struct http, batch_given, bool)},
    {.name = "redirects",
     .help = "redirects that are followed; of headers, only Accept and Content-Type go to another host",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct http, redirects, int64_t),
     .fallback = "0",
     .min = 0,
     .max = RX_REDIRECTS_MAX},
    {.name = "allow",
     .help = "hosts that may be private, link-local or loopback although they come from {EXPR} or a redirect",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct http, allow, struct rx_strings)},
    {.name = "max_answer",
     .help = "the largest answer",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct http, max_answer, uint64_t),
     .fallback = "1MiB",
     .min = 1,
     .max = 1 << 30},
    {0},
};

static int refuse(struct rx_error *reterr, const char *message, const char *hint)
{
    rx_error_set(reterr, -EINVAL, "%s", message);
    rx_error_hint(reterr, "%s", hint);
    return -EINVAL;
}

static int check_allow(const struct rx_strings *allow, struct rx_error *reterr)
{
    for (size_t i = 0; i < allow->count; i++)
        if (!allow->items[i][0] || strpbrk(allow->items[i], "/?#@ ")) {
            rx_error_set(reterr, -EINVAL, "allow: \"%s\" is no host", allow->items[i]);
            rx_error_hint(reterr, "write hosts as they stand in URLs: allow: [10.0.0.7, \"[fd00::7]\", box.lan]");
            return -EINVAL;
        }
    if (allow->count > ALLOW_MAX)
        return rx_error_set(reterr, -EINVAL, "allow: %zu hosts; at most %d", allow->count, ALLOW_MAX);
    return 0;
}

static int check(const void *image, struct rx_error *reterr)
{
    const struct http *h = image;
    int urls = !!h->get + !!h->post + !!h->put + !!h->patch + !!h->delete;
    if (urls != 1)
        return refuse(reterr, urls ? "it asks one URL, in one way" : "it needs a URL to ask",
                      "write one of get, post, put, patch and delete: {get: \"http://127.0.0.1:9000/{id}\"}");
    if (h->body && h->get)
        return refuse(reterr, "get sends no body",
                      "put values into the URL: {get: \"http://127.0.0.1:9000/{id}\"}, or use post");
    if (h->batch_given && (h->get || h->delete))
        return refuse(reterr, "a batch goes in the body, and get and delete send none", "use post, put or patch");
    if (h->batch_given && h->cache_given)
        return refuse(reterr, "answers to a batch are not kept", "use cache or batch, not both");
    return check_allow(&h->allow, reterr);
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct http *h = (struct http *)op;
    struct rx_common *common = rx_common_get(op, &http_step_class);
    h->into_key = h->into ? rx_key_intern(rx_op_heap(op), h->into, strlen(h->into)) : NULL;
    if (!common || (h->into && !h->into_key))
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    h->step = rx_common_data(common);
    http_counts(h)->breaker_open = h->step->open_until != 0;
    return 0;
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct http *h = image;
    facts->output = h->into ? RX_OUTPUT_EDITS : RX_OUTPUT_REPLACES;
    facts->reads_all = !h->body && !h->get && !h->delete;
    facts->events = (uint64_t)(h->queue + h->concurrency);
    facts->values = h->cache_given ? 2 * (uint64_t)h->cache.max : 1;
    facts->bytes = 2048 * (uint64_t)h->concurrency; /* what is asked */
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    struct http *h = (struct http *)op;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (h->batch_given)
            http_gather(h, &span[i]);
        else
            http_take_in(h, &span[i]);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct http *h = (struct http *)op;
    (void)port;
    h->completing = true;
    http_close_batch(h);
    http_pump(h);
}

static void error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    (void)port;
    http_leave((struct http *)op);
    rx_fail(op, e);
}

static void watermark(struct rx_op *op, rx_time t) { http_watermark((struct http *)op, t); }

static void timer(struct rx_op *op, unsigned slot)
{
    struct http *h = (struct http *)op;
    if (slot == HTTP_TIMEOUT)
        http_on_timeout(h);
    else if (slot == HTTP_PAUSE)
        http_on_pause(h);
    else if (slot == HTTP_GATHER)
        http_close_batch(h);
    else
        http_pump(h);
}

static void answer(struct rx_op *op, uint64_t tag, const struct rx_value *value, const struct rx_error *e)
{
    http_answered((struct http *)op, tag, value, e);
}

static void cancel(struct rx_op *op) { http_leave((struct http *)op); }

static void dispose(struct rx_op *op)
{
    struct http *h = (struct http *)op;
    http_leave(h);
    free(h->slots);
    free(h->spare);
}

const struct rx_operator_class rx_operator_http = {
    .base = {.name = "http",
             .summary = "ask a server for each event; the answer takes its place, or a field of it",
             .options = options,
             .state_size = sizeof(struct http),
             .check = check,
             .example = "http: {get: \"http://127.0.0.1:9000/assets/{device}\", into: asset, timeout: 2s, retry: 3}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = HTTP_TIMERS,
    .init = init,
    .next = next,
    .complete = complete,
    .error = error,
    .watermark = watermark,
    .timer = timer,
    .answer = answer,
    .cancel = cancel,
    .save = http_save,
    .load = http_load,
    .dispose = dispose,
    .describe = describe,
};
