/* GET /streams/NAME: what is asked for, from which frame on, and in which form. */
#include "daemon/front/streams_private.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const uint64_t LAST_MAX = 10000000;
const char *const rx_streams_parameters[] = {"last", "since", "key", "filter", "meta", NULL};

struct wanted {
    struct rx_subscription subscription;
    bool json;    /* a plain answer instead of a subscription */
    bool history; /* `last` or `since` was given */
};

static bool parse_number(const char *text, uint64_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return !*end && !errno;
}

/* "GENERATION-SEQUENCE". */
static bool parse_id(const char *text, uint64_t *ret_generation, uint64_t *ret_sequence)
{
    char first[24];
    size_t n = strcspn(text, "-");
    if (n >= sizeof first || text[n] != '-')
        return false;
    memcpy(first, text, n);
    first[n] = 0;
    return parse_number(first, ret_generation) && parse_number(text + n + 1, ret_sequence);
}

static bool ends_at(const struct rx_log *log, uint64_t sequence, const char *event)
{
    struct rx_frame_view f;
    return rx_log_frame(log, sequence, &f) && f.terminal && (!event || strcmp(f.event, event) == 0);
}

/* Live: what comes next; the end itself, where the stream has completed. */
static uint64_t live_cursor(const struct rx_log *log)
{
    uint64_t last = rx_log_last(log);
    return ends_at(log, last, "complete") ? last : last + 1;
}

/* Behind an id: the frames after it, or the oldest kept and a gap. */
static void resume(struct wanted *w, const struct rx_log *log, bool known, uint64_t sequence)
{
    uint64_t first = rx_log_first(log);
    w->history = true;
    w->subscription.cursor = known ? sequence + 1 : first;
    if (!known || sequence > rx_log_last(log)) {
        w->subscription.cursor = first;
        w->subscription.missed = RX_MISSED_UNKNOWN;
    } else if (sequence + 1 < first) {
        w->subscription.cursor = first;
        w->subscription.missed = first - sequence - 1;
    }
}

/* Back over the last `count` messages that are wanted, but not beyond an earlier end of the stream. */
static void go_back(struct wanted *w, const struct rx_log *log, uint64_t count)
{
    struct rx_frame_view f;
    uint64_t at = live_cursor(log), found = 0;
    w->history = true;
    w->subscription.cursor = at;
    while (found < count && (at = rx_log_previous(log, at)) && rx_log_frame(log, at, &f)) {
        if (f.terminal && !w->json)
            return;
        if (!f.terminal && rx_selection_test(w->subscription.selection, &f)) {
            found++;
            w->subscription.cursor = at;
        }
    }
}

/* The form by Upgrade and Accept; -EINVAL when the request was answered. */
static int choose_form(struct wanted *w, struct rx_http_request *request)
{
    char accept[29];
    const char *upgrade = rx_http_header(request, "Upgrade");
    if (rx_http_wants_websocket(request, accept))
        w->subscription.kind = RX_WEBSOCKET;
    else if (upgrade && strcasecmp(upgrade, "websocket") == 0) {
        rx_http_set_header(request, "Sec-WebSocket-Version", "13");
        rx_http_reply_error(request, 426, "this is not a WebSocket handshake of version 13");
        return -EINVAL;
    } else if (rx_http_method(request) == RX_HTTP_GET && rx_http_accepts(request, "text/event-stream"))
        w->subscription.kind = RX_SSE;
    else if (rx_http_method(request) == RX_HTTP_GET && rx_http_accepts(request, "application/x-ndjson"))
        w->subscription.kind = RX_NDJSON;
    else
        w->json = true;
    return 0;
}

/* 400: what is wrong with which parameter, and which there are. Answers -EINVAL. */
__attribute__((format(printf, 3, 4))) static int refuse_parameter(struct rx_http_request *request, const char *name,
                                                                  const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *members = json_pack("{s:s*, s:[]}", "parameter", name, "parameters");
    for (size_t i = 0; members && rx_streams_parameters[i]; i++)
        json_array_append_new(json_object_get(members, "parameters"), json_string(rx_streams_parameters[i]));
    rx_http_reply_problem_take(request, 400, members, "%.60s: %s", name, text);
    return -EINVAL;
}

static int choose_selection(struct wanted *w, const struct stream *s, struct rx_http_request *request)
{
    struct rx_error error = {0};
    int r = rx_selection_get(s->selections, rx_http_query(request, "key"), rx_http_query(request, "filter"),
                             &w->subscription.selection, &error);
    if (r == -EINVAL && error.at.line)
        return refuse_parameter(request, "filter", "column %u: %s%s%s", error.at.column, error.message,
                                *error.hint ? "; " : "", error.hint);
    if (r == -EINVAL)
        return refuse_parameter(request, "filter", "%s", error.message);
    if (r < 0) {
        rx_http_set_header(request, "Retry-After", "1");
        rx_http_reply_error(request, 503, "filter: %s", error.message);
    }
    return r;
}

void streams_refuse_cost(struct rx_http_request *request)
{
    rx_http_set_header(request, "Retry-After", "1");
    rx_http_reply_error(request, 429,
                        "filter: it takes too much time for so much history; ask for less, or filter in a "
                        "pipeline, once for all");
}

/* Last-Event-ID wins: a browser that reconnects repeats the query. */
static int choose_start(struct wanted *w, const struct stream *s, struct rx_http_request *request)
{
    const char *last = rx_http_query(request, "last"), *since = rx_http_query(request, "since");
    const char *seen = rx_http_header(request, "Last-Event-ID");
    uint64_t count = 0, generation = 0, sequence = 0;
    if (last && (!parse_number(last, &count) || count > LAST_MAX))
        return refuse_parameter(request, "last", "\"%.60s\" is not a number of frames from 0 to 10000000", last);
    if (since && !parse_id(since, &generation, &sequence))
        return refuse_parameter(request, "since", "\"%.60s\" is not an event's id, like 1700000000-42", since);
    if (last && since)
        return refuse_parameter(request, "since", "it cannot be used together with last");
    w->subscription.cursor = live_cursor(s->log);
    if (seen || since) {
        bool known = parse_id(seen ? seen : since, &generation, &sequence);
        resume(w, s->log, known && generation == rx_log_generation(s->log), sequence);
    } else if (last) {
        go_back(w, s->log, count);
    }
    if (!rx_selection_exhausted(w->subscription.selection))
        return 0;
    streams_refuse_cost(request);
    return -EBUSY;
}

/* Another rxd asks by a header: it does not know beforehand what it speaks to. The answer says that it is so. */
static int choose_meta(struct wanted *w, struct rx_http_request *request)
{
    const char *asked = rx_http_query(request, "meta"), *header = rx_http_header(request, "Rxd-Meta");
    if (asked && strcmp(asked, "0") != 0 && strcmp(asked, "1") != 0)
        return refuse_parameter(request, "meta", "\"%.60s\" is not 0 or 1", asked);
    w->subscription.meta = asked ? *asked == '1' : header && strcmp(header, "1") == 0;
    if (w->subscription.meta)
        rx_http_set_header(request, "Rxd-Meta", "1");
    return 0;
}

/* 204 tells a browser's EventSource not to come again. */
static bool has_seen_the_end(const struct wanted *w, const struct stream *s)
{
    uint64_t last = rx_log_last(s->log);
    return w->subscription.kind == RX_SSE && w->history && w->subscription.cursor == last + 1 &&
           ends_at(s->log, last, "complete");
}

static void answer_wanted(const struct wanted *w, struct stream *s, struct rx_http_request *request)
{
    if (w->json)
        streams_reply_json(s, request, &w->subscription, w->history);
    else if (has_seen_the_end(w, s))
        rx_http_reply(request, 204, NULL, NULL, 0);
    else
        streams_follow(s, request, &w->subscription);
}

static void refuse_unknown(const struct rx_streams *streams, struct rx_http_request *request, const char *name)
{
    const char *nearest = streams_nearest(streams, name);
    if (nearest)
        rx_http_reply_error(request, 404, "no stream is called \"%.100s\"; did you mean \"%s\"?", name, nearest);
    else
        rx_http_reply_error(request, 404, "no stream is called \"%.100s\"", name);
}

void rx_streams_answer(void *arg, struct rx_http_request *request)
{
    const char *name = rx_http_tail(request);
    streams_settle(arg);
    struct stream *s = streams_find(arg, name);
    struct wanted w = {0};
    if (!s) {
        refuse_unknown(arg, request, name);
        return;
    }
    rx_fanout_collect(s->fanout);
    if (choose_form(&w, request) == 0 && choose_meta(&w, request) == 0 && choose_selection(&w, s, request) == 0 &&
        choose_start(&w, s, request) == 0)
        answer_wanted(&w, s, request);
    rx_selection_unref(w.subscription.selection);
}
