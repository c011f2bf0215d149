/* One request: what its handler may ask, and the answer. */
#include "core/io/http/http_internal.h"

#include <ctype.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "core/base/utf8.h"

enum { MAX_PAIRS = 64 };

struct http_pair {
    struct http_pair *next;
    char *name, *value;
};

const char *http_status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {422, "Unprocessable Content"},
                   {426, "Upgrade Required"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Status";
}

void http_request_free(struct rx_http_request *request)
{
    if (!request)
        return;
    for (struct http_pair *pair; (pair = request->query);) {
        request->query = pair->next;
        free(pair->name);
        free(pair->value);
        free(pair);
    }
    if (!request->connection && request->evhttp)
        evhttp_request_free(request->evhttp);
    free(request->path);
    free(request);
}

enum rx_http_method rx_http_method(const struct rx_http_request *request) { return request->method; }
const char *rx_http_path(const struct rx_http_request *request) { return request->path; }
const char *rx_http_tail(const struct rx_http_request *request) { return request->path + request->tail_offset; }

static void add_pair(struct rx_http_request *request, char *text)
{
    char *value = strchr(text, '=');
    struct http_pair *pair = malloc(sizeof *pair);
    if (value)
        *value++ = 0;
    if (!pair)
        return;
    pair->name = evhttp_uridecode(text, 1, NULL);
    pair->value = evhttp_uridecode(value ? value : "", 1, NULL);
    pair->next = request->query;
    request->query = pair;
}

static void parse_query(struct rx_http_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->evhttp);
    const char *text = uri ? evhttp_uri_get_query(uri) : NULL;
    char *copy = text ? strdup(text) : NULL, *rest = copy;
    request->query_parsed = true;
    for (int n = 0; rest && n < MAX_PAIRS; n++) {
        char *part = strsep(&rest, "&");
        if (*part)
            add_pair(request, part);
    }
    free(copy);
}

static const struct http_pair *query_of(const struct rx_http_request *request)
{
    if (!request->query_parsed)
        parse_query((struct rx_http_request *)(uintptr_t)request);
    return request->query;
}

const char *rx_http_query(const struct rx_http_request *request, const char *name)
{
    const char *found = NULL;
    for (const struct http_pair *pair = query_of(request); pair; pair = pair->next)
        if (pair->name && strcmp(pair->name, name) == 0)
            found = pair->value; /* the list is reversed: the first one counts */
    return found;
}

static bool is_among(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

const char *rx_http_query_stray(const struct rx_http_request *request, const char *const *known)
{
    for (const struct http_pair *pair = query_of(request); pair; pair = pair->next) {
        if (!pair->name)
            continue;
        if (!is_among(known, pair->name))
            return pair->name;
        for (const struct http_pair *other = pair->next; other; other = other->next)
            if (other->name && strcmp(other->name, pair->name) == 0)
                return pair->name;
    }
    return NULL;
}

const char *rx_http_header(const struct rx_http_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request->evhttp), name);
}

bool rx_http_gone(const struct rx_http_request *request)
{
    char byte;
    if (!request->connection)
        return true;
    ssize_t n = recv(bufferevent_getfd(request->connection->socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && errno != EAGAIN && errno != EINTR;
}

char *rx_http_body_take(struct rx_http_request *request, size_t *length)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request->evhttp);
    size_t n = evbuffer_get_length(input);
    char *body = n ? malloc(n) : NULL;
    *length = body ? n : 0;
    if (body)
        evbuffer_remove(input, body, n);
    return body;
}

void rx_http_set_header(struct rx_http_request *request, const char *name, const char *value)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request->evhttp);
    evhttp_remove_header(headers, name);
    evhttp_add_header(headers, name, value);
}

/* What the server itself sets. For HEAD the length that GET would have. */
static void set_own_headers(struct rx_http_request *request, int status, const char *type, size_t length)
{
    char number[24];
    if (type)
        rx_http_set_header(request, "Content-Type", type);
    snprintf(number, sizeof number, "%zu", length);
    if (status != 204 && status != 304)
        rx_http_set_header(request, "Content-Length", number);
    if (request->connection->server->draining)
        rx_http_set_header(request, "Connection", "close");
}

void rx_http_reply(struct rx_http_request *request, int status, const char *type, const void *body, size_t length)
{
    struct http_connection *c = request->connection;
    struct evhttp_request *evhttp = request->evhttp;
    struct evbuffer *output = NULL;
    if (c) {
        set_own_headers(request, status, type, length);
        bool with_body = request->method != RX_HTTP_HEAD && status != 204 && status != 304 && length > 0;
        output = with_body ? evbuffer_new() : NULL;
        if (output)
            evbuffer_add(output, body, length);
        c->request = NULL;
        evhttp_request_set_on_complete_cb(evhttp, http_gate_answered, c);
    }
    http_request_free(request);
    if (c) {
        evhttp_send_reply(evhttp, status, http_status_phrase(status), output);
        http_gate_answering(c);
    }
    if (output)
        evbuffer_free(output);
}

void rx_http_reply_json_take(struct rx_http_request *request, int status, const char *type, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    size_t length = text ? strlen(text) : 0;
    json_decref(json);
    if (text) {
        text[length] = '\n'; /* in the place of the terminating NUL */
        rx_http_reply(request, status, type, text, length + 1);
    } else {
        rx_http_reply(request, 503, NULL, NULL, 0);
    }
    free(text);
}

static void reply_problem(struct rx_http_request *request, int status, json_t *members, const char *format,
                          va_list args)
{
    char message[512], detail[3 * sizeof message];
    vsnprintf(message, sizeof message, format, args);
    size_t length = rx_utf8_mend(message, strlen(message), detail, sizeof detail); /* jansson takes nothing else */
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s%}", "type", "about:blank", "title", http_status_phrase(status),
                                "status", status, "detail", detail, length);
    if (problem && members)
        json_object_update(problem, members);
    json_decref(members);
    rx_http_reply_json_take(request, status, "application/problem+json", problem);
}

void rx_http_reply_error(struct rx_http_request *request, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_problem(request, status, NULL, format, args);
    va_end(args);
}

void rx_http_reply_problem_take(struct rx_http_request *request, int status, json_t *members, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_problem(request, status, members, format, args);
    va_end(args);
}

static const char *skip_spaces(const char *s) { return s + strspn(s, " \t"); }

/* The q-value behind ';', in thousandths; 1000 without one. */
static int quality(const char *parameters, const char *end)
{
    for (const char *p = parameters; (p = memchr(p, ';', (size_t)(end - p)));) {
        p = skip_spaces(p + 1);
        if ((*p == 'q' || *p == 'Q') && p[1] == '=')
            return (int)(strtod(p + 2, NULL) * 1000 + 0.5);
    }
    return 1000;
}

bool rx_http_accepts(const struct rx_http_request *request, const char *type)
{
    const char *accept = rx_http_header(request, "Accept");
    int wanted = 0, best = 0;
    for (const char *item = accept, *end; item && *item; item = *end ? end + 1 : end) {
        item = skip_spaces(item);
        end = item + strcspn(item, ",");
        const char *name_end = item + strcspn(item, ",; \t");
        int q = quality(name_end, end);
        bool same = (size_t)(name_end - item) == strlen(type) && strncasecmp(item, type, strlen(type)) == 0;
        if (same && q > wanted)
            wanted = q;
        else if (!same && q > best && !memchr(item, '*', (size_t)(name_end - item)))
            best = q;
    }
    return wanted > 0 && wanted >= best;
}

static bool has_word(const char *list, const char *word)
{
    for (const char *item = list; item && *item; item += strcspn(item, ","), item += *item == ',') {
        item = skip_spaces(item);
        size_t length = strcspn(item, ", \t");
        if (length == strlen(word) && strncasecmp(item, word, length) == 0)
            return true;
    }
    return false;
}

/* RFC 6455, 4.2.1: 16 bytes in base64. */
static bool is_websocket_key(const char *key)
{
    return key && strlen(key) == 24 &&
           strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == 22 &&
           strcmp(key + 22, "==") == 0;
}

bool rx_http_wants_websocket(const struct rx_http_request *request, char ret_accept[static 29])
{
    const char *key = rx_http_header(request, "Sec-WebSocket-Key");
    const char *version = rx_http_header(request, "Sec-WebSocket-Version");
    char joined[64];
    unsigned char digest[SHA_DIGEST_LENGTH];
    if (request->method != RX_HTTP_GET || !has_word(rx_http_header(request, "Upgrade"), "websocket") ||
        !has_word(rx_http_header(request, "Connection"), "upgrade") || !version || strcmp(version, "13") != 0 ||
        !is_websocket_key(key))
        return false;
    int length = snprintf(joined, sizeof joined, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((const unsigned char *)joined, (size_t)length, digest);
    EVP_EncodeBlock((unsigned char *)ret_accept, digest, sizeof digest);
    return true;
}
