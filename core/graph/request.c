/* Requests and replies as lists of their members. */
#include "core/graph/request.h"

#include <string.h>

enum { METHOD, URL, HEADERS, BODY, ALLOW, TRUSTED, REDIRECTS, MAX_ANSWER, FORMAT, REQUEST_MEMBERS };
enum { STATUS, REPLY_BODY, RETRY_AFTER, REASON, UNDECODABLE, REPLY_MEMBERS };

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
enum { METHODS = sizeof methods / sizeof *methods };

static int64_t method_index(const char *method)
{
    int64_t i = 0;
    while (i < METHODS && strcmp(methods[i], method) != 0)
        i++;
    return i;
}

struct rx_value rx_request_value(struct rx_heap *heap, const struct rx_request *r)
{
    struct rx_value members[REQUEST_MEMBERS] = {
        [METHOD] = rx_int(method_index(r->method)),
        [URL] = rx_value_ref(r->url),
        [HEADERS] = rx_value_ref(r->headers),
        [BODY] = rx_value_ref(r->body),
        [ALLOW] = rx_value_ref(r->allow),
        [TRUSTED] = rx_bool(r->trusted),
        [REDIRECTS] = rx_int(r->redirects),
        [MAX_ANSWER] = rx_int((int64_t)r->max_answer),
        [FORMAT] = rx_int(r->format),
    };
    return rx_list_take(heap, members, REQUEST_MEMBERS);
}

static bool is_text_or_null(struct rx_value v)
{
    return v.kind == RX_STRING || v.kind == RX_BYTES || v.kind == RX_NULL;
}

bool rx_request_read(struct rx_value value, struct rx_request *ret)
{
    if (value.kind != RX_LIST || value.u.list->count != REQUEST_MEMBERS)
        return false;
    const struct rx_value *m = value.u.list->items;
    bool right = m[METHOD].kind == RX_INT && m[METHOD].u.i >= 0 && m[METHOD].u.i < METHODS &&
                 m[URL].kind == RX_STRING && is_text_or_null(m[BODY]) && m[TRUSTED].kind == RX_BOOL &&
                 m[REDIRECTS].kind == RX_INT && m[REDIRECTS].u.i >= 0 && m[REDIRECTS].u.i <= RX_REDIRECTS_MAX &&
                 m[MAX_ANSWER].kind == RX_INT && m[FORMAT].kind == RX_INT;
    if (!right)
        return false;
    *ret = (struct rx_request){.method = methods[m[METHOD].u.i],
                               .url = m[URL],
                               .headers = m[HEADERS],
                               .body = m[BODY],
                               .allow = m[ALLOW],
                               .trusted = m[TRUSTED].u.b,
                               .redirects = (uint32_t)m[REDIRECTS].u.i,
                               .max_answer = (uint64_t)m[MAX_ANSWER].u.i,
                               .format = (uint32_t)m[FORMAT].u.i};
    return true;
}

struct rx_value rx_reply_value(struct rx_heap *heap, const struct rx_reply *r)
{
    struct rx_value members[REPLY_MEMBERS] = {
        [STATUS] = rx_int(r->status),
        [REPLY_BODY] = rx_value_ref(r->body),
        [RETRY_AFTER] = rx_int(r->retry_after),
        [REASON] = rx_value_ref(r->reason),
        [UNDECODABLE] = rx_bool(r->undecodable),
    };
    return rx_list_take(heap, members, REPLY_MEMBERS);
}

bool rx_reply_read(struct rx_value value, struct rx_reply *ret)
{
    if (value.kind != RX_LIST || value.u.list->count != REPLY_MEMBERS)
        return false;
    const struct rx_value *m = value.u.list->items;
    if (m[STATUS].kind != RX_INT || m[RETRY_AFTER].kind != RX_INT || m[UNDECODABLE].kind != RX_BOOL)
        return false;
    *ret = (struct rx_reply){.status = (int)m[STATUS].u.i,
                             .body = m[REPLY_BODY],
                             .retry_after = m[RETRY_AFTER].u.i,
                             .reason = m[REASON],
                             .undecodable = m[UNDECODABLE].u.b};
    return true;
}
