/* One request and its answer: what libcurl is told of it, what comes, and when its owner hears of it. */
#include "core/io/client/client_private.h"
#include "core/io/net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BACKLOG_MAX = 256 * 1024, REDIRECTS_MAX = 5 };
#define CONNECT_TIMEOUT (10 * RX_SEC)
#define MAX_ANSWER      (1 << 20)

static bool is_stream(const struct rx_fetch *fetch) { return fetch->options.data != NULL; }

void fetch_ready(struct rx_fetch *fetch)
{
    struct rx_client *client = fetch->client;
    if (fetch->is_ready)
        return;
    fetch->is_ready = true;
    fetch->next_ready = NULL;
    *client->ready_tail = fetch;
    client->ready_tail = &fetch->next_ready;
    client_wake(client);
}

static void unlink_ready(struct rx_fetch *fetch)
{
    struct rx_client *client = fetch->client;
    struct rx_fetch **link = &client->ready;
    while (*link != fetch)
        link = &(*link)->next_ready;
    *link = fetch->next_ready;
    if (!fetch->next_ready)
        client->ready_tail = link;
}

/* ---- what comes, from inside libcurl: kept, for the end of the turn ---- */

static long status_of(const struct rx_fetch *fetch)
{
    long status = 0;
    fetch->client->curl->easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* A line of the head; the empty one ends it, but not that of an interim answer (1xx). */
static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct rx_fetch *fetch = arg;
    size_t length = size * count;
    fetch->head_bytes += length;
    fetch->head_too_large = fetch->head_bytes > RX_ANSWER_HEAD_MAX;
    if (fetch->head_too_large)
        return 0;
    if ((line[0] == '\r' || line[0] == '\n') && status_of(fetch) >= 200) {
        fetch->headed = true;
        if (is_stream(fetch))
            fetch_ready(fetch);
    }
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct rx_fetch *fetch = arg;
    size_t length = size * count;
    if (is_stream(fetch) && fetch->body.length >= BACKLOG_MAX) {
        fetch->stopped = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    fetch->too_large = !is_stream(fetch) && fetch->body.length + length > fetch->options.max_answer;
    if (fetch->too_large)
        return 0;
    rx_buffer_append(&fetch->body, bytes, length);
    if (is_stream(fetch))
        fetch_ready(fetch);
    return fetch->body.failed ? 0 : length;
}

void fetch_finished(struct rx_fetch *fetch, CURLcode result)
{
    fetch->client->curl->multi_remove_handle(fetch->client->multi, fetch->easy);
    fetch->finished = true;
    fetch->result = result;
    if (!fetch_follow(fetch))
        fetch_ready(fetch);
}

/* ---- to its owner ---- */

static void end(struct rx_fetch *fetch)
{
    struct rx_error error = {0};
    struct rx_answer answer = fetch_answer(fetch, &error);
    fetch->options.done(fetch->options.arg, &answer);
    fetch->cancelled = true;
}

/* False: it is over. */
static bool tell_head(struct rx_fetch *fetch)
{
    struct rx_answer answer = fetch_answer(fetch, NULL);
    fetch->told = true;
    bool wanted = fetch->options.head(fetch->options.arg, &answer);
    if (!wanted && !fetch->cancelled)
        end(fetch);
    return wanted && !fetch->cancelled;
}

static void tell_data(struct rx_fetch *fetch)
{
    struct rx_buffer bytes = fetch->body;
    fetch->body = (struct rx_buffer){0};
    fetch->options.data(fetch->options.arg, bytes.data, bytes.length);
    rx_buffer_finish(&bytes);
    if (fetch->cancelled || !fetch->stopped || fetch->finished)
        return;
    fetch->stopped = false;
    fetch->client->curl->easy_pause(fetch->easy, CURLPAUSE_CONT);
}

/* Of a redirect its owner hears nothing, or at the end. */
static bool may_go_on(const struct rx_fetch *fetch)
{
    long status = status_of(fetch);
    return fetch->redirects > 0 && !fetch->finished && status >= 300 && status < 400;
}

static void tell_stream(struct rx_fetch *fetch)
{
    if (fetch->headed && may_go_on(fetch))
        return;
    if (fetch->headed && !fetch->told && !tell_head(fetch))
        return;
    if (fetch->body.length > 0 && !fetch->paused)
        tell_data(fetch);
}

/* What its owner calls meanwhile only marks it: it is freed behind that. */
void fetch_deliver(struct rx_fetch *fetch)
{
    if (fetch->left)
        return;
    fetch->delivering = true;
    if (is_stream(fetch))
        tell_stream(fetch);
    if (!fetch->cancelled && fetch->finished && (!is_stream(fetch) || fetch->body.length == 0))
        end(fetch);
    fetch->delivering = false;
    if (fetch->cancelled)
        fetch_destroy(fetch);
}

/* ---- life ---- */

void fetch_destroy(struct rx_fetch *fetch)
{
    struct rx_client *client = fetch->client;
    if (fetch->is_ready)
        unlink_ready(fetch);
    if (fetch->previous)
        fetch->previous->next = fetch->next;
    else
        client->first = fetch->next;
    if (fetch->next)
        fetch->next->previous = fetch->previous;
    client->count--;
    if (!fetch->finished)
        client->curl->multi_remove_handle(client->multi, fetch->easy);
    client->curl->easy_cleanup(fetch->easy);
    client->curl->slist_free_all(fetch->headers);
    rx_buffer_finish(&fetch->body);
    free(fetch);
}

void rx_fetch_cancel(struct rx_fetch *fetch)
{
    if (fetch && fetch->delivering)
        fetch->cancelled = true;
    else if (fetch)
        fetch_destroy(fetch);
}

void rx_fetch_pause(struct rx_fetch *fetch, bool paused)
{
    fetch->paused = paused;
    if (!paused)
        fetch_ready(fetch);
}

/* ---- what libcurl is told ---- */

static int add_line(struct rx_fetch *fetch, const char *line)
{
    struct curl_slist *longer = fetch->client->curl->slist_append(fetch->headers, line);
    if (!longer)
        return -ENOMEM;
    fetch->headers = longer;
    return 0;
}

static bool has(const struct rx_pairs *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++)
        if (strcasecmp(headers->names[i], name) == 0)
            return true;
    return false;
}

/* libcurl takes "Name:" to leave a header out, and "Name;" for an empty one. */
static int add_headers(struct rx_fetch *fetch, const struct rx_fetch_options *o)
{
    struct rx_buffer line = {0};
    int r = add_line(fetch, "Expect:");
    if (r == 0 && !has(&o->headers, "Content-Type"))
        r = add_line(fetch, "Content-Type:");
    for (size_t i = 0; r == 0 && i < o->headers.count; i++) {
        rx_buffer_clear(&line);
        rx_buffer_text(&line, o->headers.names[i]);
        rx_buffer_text(&line, *o->headers.texts[i] ? ": " : ";");
        rx_buffer_append(&line, o->headers.texts[i], strlen(o->headers.texts[i]) + 1);
        r = line.failed ? -ENOMEM : add_line(fetch, line.data);
    }
    rx_buffer_finish(&line);
    return r;
}

static long ms_of(rx_time t) { return (long)((t + RX_MSEC - 1) / RX_MSEC); }

struct setting {
    struct rx_fetch *fetch;
    CURLcode result;
};

static void set_number(struct setting *s, CURLoption option, long value)
{
    if (s->result == CURLE_OK)
        s->result = s->fetch->client->curl->easy_setopt(s->fetch->easy, option, value);
}

static void set_pointer(struct setting *s, CURLoption option, const void *value)
{
    if (s->result == CURLE_OK && value)
        s->result = s->fetch->client->curl->easy_setopt(s->fetch->easy, option, value);
}

static void set_size(struct setting *s, CURLoption option, curl_off_t value)
{
    if (s->result == CURLE_OK)
        s->result = s->fetch->client->curl->easy_setopt(s->fetch->easy, option, value);
}

static void set_callbacks(struct setting *s)
{
    const struct rx_curl *curl = s->fetch->client->curl;
    if (curl->easy_setopt(s->fetch->easy, CURLOPT_HEADERFUNCTION, on_header) ||
        curl->easy_setopt(s->fetch->easy, CURLOPT_WRITEFUNCTION, on_body))
        s->result = CURLE_FAILED_INIT;
    set_pointer(s, CURLOPT_HEADERDATA, s->fetch);
    set_pointer(s, CURLOPT_WRITEDATA, s->fetch);
    set_pointer(s, CURLOPT_PRIVATE, s->fetch);
    set_pointer(s, CURLOPT_ERRORBUFFER, s->fetch->detail);
}

/* QUICK_EXIT: libcurl would wait for a name that is being looked up where a request is cancelled or has timed out. */
static void set_manners(struct setting *s, const struct rx_fetch_options *o)
{
    set_pointer(s, CURLOPT_PROTOCOLS_STR, "http,https");
    set_pointer(s, CURLOPT_USERAGENT, "rxd/" RXD_VERSION);
    set_number(s, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    set_number(s, CURLOPT_NOSIGNAL, 1);
    set_number(s, CURLOPT_QUICK_EXIT, 1);
    set_number(s, CURLOPT_TCP_KEEPALIVE, 1);
    set_number(s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
    set_number(s, CURLOPT_CONNECTTIMEOUT_MS, ms_of(o->connect_timeout));
    set_number(s, CURLOPT_TIMEOUT_MS, ms_of(o->timeout));
    if (!is_stream(s->fetch)) {
        set_pointer(s, CURLOPT_ACCEPT_ENCODING, "gzip");
        set_size(s, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)o->max_answer);
    }
}

static void set_request(struct setting *s, const struct rx_fetch_options *o)
{
    set_pointer(s, CURLOPT_URL, o->url);
    set_pointer(s, CURLOPT_HTTPHEADER, s->fetch->headers);
    if (o->body) {
        set_size(s, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->length);
        set_pointer(s, CURLOPT_COPYPOSTFIELDS, o->body);
    }
    set_pointer(s, CURLOPT_CUSTOMREQUEST, strcmp(o->method, "GET") == 0 && !o->body ? NULL : o->method);
    if (o->tls) {
        set_pointer(s, CURLOPT_CAINFO, o->tls->ca);
        set_pointer(s, CURLOPT_SSLCERT, o->tls->cert);
        set_pointer(s, CURLOPT_SSLKEY, o->tls->key);
        set_number(s, CURLOPT_SSL_VERIFYHOST, o->tls->insecure ? 0 : 2);
    }
}

static int set_up(struct rx_fetch *fetch)
{
    struct setting s = {.fetch = fetch};
    int r = add_headers(fetch, &fetch->options);
    if (r < 0)
        return r;
    set_callbacks(&s);
    set_manners(&s, &fetch->options);
    set_request(&s, &fetch->options);
    if (s.result == CURLE_OK && fetch->options.guarded)
        s.result = fetch_guard(fetch, true);
    if (s.result != CURLE_OK)
        return s.result == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    fetch->gets = strcmp(fetch->options.method, "GET") == 0;
    fetch->posts = strcmp(fetch->options.method, "POST") == 0;
    fetch->options.method = fetch->options.url = fetch->options.body = NULL;
    fetch->options.headers = (struct rx_pairs){0};
    fetch->options.tls = NULL;
    CURLMcode added = fetch->client->curl->multi_add_handle(fetch->client->multi, fetch->easy);
    return added == CURLM_OK ? 0 : -ENOMEM;
}

static struct rx_fetch *create(struct rx_client *client, const struct rx_fetch_options *options)
{
    struct rx_fetch *fetch = calloc(1, sizeof *fetch);
    CURL *easy = fetch ? client->curl->easy_init() : NULL;
    if (!easy) {
        free(fetch);
        return NULL;
    }
    *fetch = (struct rx_fetch){.client = client, .easy = easy, .options = *options, .next = client->first};
    fetch->redirects = options->follow ? REDIRECTS_MAX : options->redirects;
    if (!options->connect_timeout)
        fetch->options.connect_timeout = CONNECT_TIMEOUT;
    if (!options->max_answer)
        fetch->options.max_answer = MAX_ANSWER;
    if (client->first)
        client->first->previous = fetch;
    client->first = fetch;
    client->count++;
    return fetch;
}

int rx_fetch_begin(struct rx_client *client, const struct rx_fetch_options *options, struct rx_fetch **ret)
{
    if (client->count >= (options->many ? RX_FETCHES_MANY_MAX : RX_FETCHES_MAX))
        return -EAGAIN;
    struct rx_fetch *fetch = client_set_up(client) == 0 ? create(client, options) : NULL;
    if (!fetch)
        return -ENOMEM;
    int r = set_up(fetch);
    if (r < 0) {
        fetch->finished = true; /* libcurl does not have it */
        fetch_destroy(fetch);
        return r;
    }
    *ret = fetch;
    return 0;
}
