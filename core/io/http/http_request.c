/* One request: what its handler may ask. */
#include "core/io/gzip/gzip.h"
#include "core/io/http/http_private.h"
#include "core/io/net/ws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_PAIRS = 64 };

static size_t count_pairs(struct http_text query)
{
    size_t n = query.length > 0;
    for (size_t i = 0; i < query.length; i++)
        n += query.at[i] == '&';
    return n;
}

/* Puts a terminated copy at `*at`, which moves behind it. */
static char *put(char **at, struct http_text t)
{
    char *copy = *at;
    memcpy(copy, t.at, t.length);
    copy[t.length] = 0;
    *at += t.length + 1;
    return copy;
}

static char *put_decoded(char **at, struct http_text t, bool plus)
{
    char *copy = *at;
    http_decode(t, plus, copy);
    *at += strlen(copy) + 1;
    return copy;
}

static void read_pairs(struct rx_http_request *request, struct http_text query, char **at)
{
    struct http_pair *pair = request->query;
    while (query.length) {
        const char *stop = memchr(query.at, '&', query.length);
        size_t length = stop ? (size_t)(stop - query.at) : query.length;
        const char *is = memchr(query.at, '=', length);
        struct http_text name = {query.at, is ? (size_t)(is - query.at) : length};
        struct http_text value = {is ? is + 1 : "", is ? length - name.length - 1 : 0};
        if (length)
            *pair++ = (struct http_pair){put_decoded(at, name, true), put_decoded(at, value, true)};
        length += stop != NULL;
        query = (struct http_text){query.at + length, query.length - length};
    }
}

static size_t text_size(const struct http_head *head, size_t pairs)
{
    size_t size = head->path.length + head->host.length + head->query.length + 2 * pairs + 2;
    for (unsigned i = 0; i < head->field_count; i++)
        size += head->fields[i].name.length + head->fields[i].value.length + 2;
    return size;
}

/* One block: the request, its tables, its texts. */
int http_request_create(struct http_connection *c, const struct http_head *head, struct rx_http_request **ret)
{
    size_t pairs = count_pairs(head->query), tables = (pairs + head->field_count + 2) * sizeof(struct http_pair);
    if (pairs > MAX_PAIRS)
        return -E2BIG;
    struct rx_http_request *request = malloc(sizeof *request + tables + text_size(head, pairs));
    if (!request)
        return -ENOMEM;
    *request = (struct rx_http_request){.server = c->server,
                                        .connection = c,
                                        .client = http_client_ref(c->client),
                                        .method = (enum rx_http_method)head->method,
                                        .keep = head->keep,
                                        .old = head->old,
                                        .body_expected = head->body_length,
                                        .next = c->server->requests,
                                        .link = &c->server->requests};
    memset(request->text, 0, tables);
    request->query = (struct http_pair *)(void *)request->text;
    request->fields = request->query + pairs + 1;
    char *at = request->text + tables;
    request->path = put_decoded(&at, head->path, false);
    request->host = put(&at, head->host);
    read_pairs(request, head->query, &at);
    for (unsigned i = 0; i < head->field_count; i++)
        request->fields[i] = (struct http_pair){put(&at, head->fields[i].name), put(&at, head->fields[i].value)};
    if (request->next)
        request->next->link = &request->next;
    *ret = c->server->requests = request;
    return 0;
}

void http_request_destroy(struct rx_http_request *request)
{
    if (!request)
        return;
    http_request_release(request);
    if (request->server) {
        http_client_unref(request->server, request->client);
        *request->link = request->next;
        if (request->next)
            request->next->link = request->link;
    }
    rx_buffer_finish(&request->headers);
    rx_gunzip_destroy(request->unpack);
    free(request->body);
    free(request);
}

enum rx_http_method rx_http_method(const struct rx_http_request *request) { return request->method; }
const char *rx_http_path(const struct rx_http_request *request) { return request->path; }
const char *rx_http_tail(const struct rx_http_request *request) { return request->path + request->tail_offset; }
bool rx_http_gone(const struct rx_http_request *request) { return !request->connection; }

const char *rx_http_query(const struct rx_http_request *request, const char *name)
{
    for (const struct http_pair *pair = request->query; pair->name; pair++)
        if (strcmp(pair->name, name) == 0)
            return pair->value;
    return NULL;
}

const char *rx_http_header(const struct rx_http_request *request, const char *name)
{
    for (const struct http_pair *field = request->fields; field->name; field++)
        if (strcasecmp(field->name, name) == 0)
            return field->value;
    return NULL;
}

char *rx_http_body_take(struct rx_http_request *request, size_t *length)
{
    char *body = request->body;
    *length = body ? request->body_length : 0;
    request->body = NULL;
    return body;
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

static bool has_word(const struct rx_http_request *request, const char *name, const char *word)
{
    const char *list = rx_http_header(request, name);
    return list && http_has_word((struct http_text){list, strlen(list)}, word);
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
    if (request->method != RX_HTTP_GET || !has_word(request, "Upgrade", "websocket") ||
        !has_word(request, "Connection", "upgrade") || !version || strcmp(version, "13") != 0 || !is_websocket_key(key))
        return false;
    rx_ws_accept(key, ret_accept);
    return true;
}
