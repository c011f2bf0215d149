/* What the http step asks for an event, and what an answer means. */
#include "operators/requesting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json/json.h"

const char *http_method(const struct http *h, struct rx_shaper **ret_url)
{
    const struct {
        const char *name;
        struct rx_shaper *url;
    } methods[] = {{"GET", h->get}, {"POST", h->post}, {"PUT", h->put}, {"PATCH", h->patch}, {"DELETE", h->delete}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        *ret_url = methods[i].url;
        if (methods[i].url)
            return methods[i].name;
    }
    return NULL;
}

/* ---- the request ---- */

static int no_memory(struct rx_error *reterr) { return rx_error_set(reterr, -ENOMEM, "out of memory"); }

int http_url(struct http *h, const struct rx_event *event, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_expr_env env = rx_op_env(&h->op, event);
    struct rx_shaper *url;
    http_method(h, &url);
    struct rx_buffer text = {0};
    int r = rx_shaper_whole_url(url, &env, &text, reterr);
    if (r == 0) {
        *ret = rx_string(rx_op_heap(&h->op), text.data ? text.data : "", text.length);
        r = ret->kind == RX_STRING ? 0 : no_memory(reterr);
    }
    rx_buffer_finish(&text);
    return r;
}

static bool has_body(const struct http *h) { return h->body || h->post || h->put || h->patch; }

static int body_value(struct http *h, const struct rx_event *event, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_expr_env env = rx_op_env(&h->op, event);
    if (h->body)
        return rx_shaper_eval(h->body, &env, rx_op_heap(&h->op), ret, reterr);
    *ret = rx_value_ref(event->value);
    return 0;
}

/* Of a batch: a list of what each would send. */
static int body_list(struct http *h, const struct await *a, struct rx_value *ret, struct rx_error *reterr)
{
    uint32_t count = (uint32_t)http_size(a), n = 0;
    struct rx_value *items = malloc(count * sizeof *items);
    int r = items ? 0 : no_memory(reterr);
    for (; r == 0 && n < count; n += r == 0)
        r = body_value(h, n ? rx_event_queue_at(&a->more, n - 1) : &a->event, &items[n], reterr);
    if (r == 0) {
        *ret = rx_list_take(rx_op_heap(&h->op), items, n);
        r = ret->kind == RX_NULL ? no_memory(reterr) : 0;
        n = 0;
    }
    while (n > 0)
        rx_value_unref(items[--n]);
    free(items);
    return r;
}

/* A text goes as it is; anything else as JSON. */
static int make_body(struct http *h, const struct await *a, struct rx_value *ret, bool *ret_json,
                     struct rx_error *reterr)
{
    struct rx_value value;
    struct rx_buffer text = {0};
    int r = h->batch_given ? body_list(h, a, &value, reterr) : body_value(h, &a->event, &value, reterr);
    if (r < 0)
        return r;
    *ret_json = value.kind != RX_STRING && value.kind != RX_BYTES;
    if (!*ret_json) {
        *ret = value;
        return 0;
    }
    rx_json_write(&text, value);
    rx_value_unref(value);
    *ret = text.failed ? rx_null() : rx_string(rx_op_heap(&h->op), text.data, text.length);
    rx_buffer_finish(&text);
    return ret->kind == RX_STRING ? 0 : no_memory(reterr);
}

static bool names(struct rx_value headers, const char *name)
{
    struct rx_value key, text;
    for (uint32_t i = 0; i < rx_object_count(headers); i++) {
        rx_object_entry(headers, i, &key, &text);
        if (key.aux == strlen(name) && strncasecmp(key.u.text, name, key.aux) == 0)
            return true;
    }
    return false;
}

/* Each as text, and what the body is where they do not say. */
static int make_headers(struct http *h, const struct rx_expr_env *env, bool json, struct rx_value *ret,
                        struct rx_error *reterr)
{
    struct rx_heap *heap = rx_op_heap(&h->op);
    struct rx_value given = rx_null(), key, text;
    struct rx_object_builder builder;
    int r = h->headers ? rx_shaper_eval(h->headers, env, heap, &given, reterr) : 0;
    if (r < 0)
        return r;
    rx_object_init(&builder, heap);
    for (uint32_t i = 0; i < rx_object_count(given); i++) {
        struct rx_buffer line = {0};
        rx_object_entry(given, i, &key, &text);
        if (text.kind != RX_STRING)
            rx_json_write(&line, text);
        text = text.kind == RX_STRING ? rx_value_ref(text) : rx_string(heap, line.data, line.length);
        rx_buffer_finish(&line);
        rx_object_put_take(&builder, rx_value_ref(key), text);
    }
    if (json && !names(given, "Content-Type"))
        rx_object_put_take(&builder, rx_string_static("Content-Type", 12), rx_string_static("application/json", 16));
    rx_value_unref(given);
    *ret = rx_object_finish(&builder);
    return ret->kind == RX_NULL ? no_memory(reterr) : 0;
}

static struct rx_value allowed(struct http *h)
{
    struct rx_value hosts[64];
    uint32_t count = 0;
    for (; count < h->allow.count; count++)
        hosts[count] = rx_string_static(h->allow.items[count], (uint32_t)strlen(h->allow.items[count]));
    return count ? rx_list_take(rx_op_heap(&h->op), hosts, count) : rx_null();
}

int http_request(struct http *h, const struct await *a, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_expr_env env = rx_op_env(&h->op, &a->event);
    struct rx_shaper *url;
    bool json = false;
    struct rx_request request = {.method = http_method(h, &url), .max_answer = h->max_answer};
    request.trusted = rx_shaper_names_host(url);
    request.redirects = (uint32_t)h->redirects;
    int r = http_url(h, &a->event, &request.url, reterr);
    if (r == 0 && has_body(h))
        r = make_body(h, a, &request.body, &json, reterr);
    if (r == 0)
        r = make_headers(h, &env, json, &request.headers, reterr);
    request.allow = allowed(h);
    *ret = r == 0 ? rx_request_value(rx_op_heap(&h->op), &request) : rx_null();
    rx_value_unref(request.url);
    rx_value_unref(request.body);
    rx_value_unref(request.headers);
    rx_value_unref(request.allow);
    return r == 0 && ret->kind == RX_NULL ? no_memory(reterr) : r;
}

/* ---- the answer ---- */

bool http_is_good(const struct rx_reply *reply)
{
    return reply->status >= 200 && reply->status < 300 && !reply->undecodable;
}

/* What will not change by asking again: an answer that is too large or no HTTP, an address that is not allowed, no memory here. */
static bool is_final(int code)
{
    return code == -EMSGSIZE || code == -EPROTO || code == -EPERM || code == -ENOMEM || code == -EINVAL ||
           code == -ENOTCONN || code == -EHOSTDOWN;
}

bool http_is_transient(const struct rx_value *answer, const struct rx_error *error, rx_time *ret_after)
{
    struct rx_reply reply;
    *ret_after = 0;
    if (!answer)
        return !is_final(error->code);
    if (!rx_reply_read(*answer, &reply))
        return false;
    *ret_after = reply.retry_after;
    return reply.status == 408 || reply.status == 429 || (reply.status >= 500 && reply.status <= 599);
}

struct rx_value http_outcome(struct http *h, const struct rx_value *answer, const struct rx_error *error)
{
    return answer ? rx_value_ref(*answer) : rx_string(rx_op_heap(&h->op), error->message, strlen(error->message));
}

static void blame(struct rx_value outcome, struct rx_error *error)
{
    struct rx_reply reply;
    if (outcome.kind == RX_STRING) {
        rx_error_set(error, -EIO, "%.*s", (int)outcome.aux, outcome.u.text);
        return;
    }
    if (!rx_reply_read(outcome, &reply)) {
        rx_error_set(error, -EBADMSG, "what came is no reply");
        return;
    }
    bool said = reply.reason.kind == RX_STRING;
    rx_error_set(error, -EIO, "the answer is %d%s%.*s", reply.status, said ? " " : "", said ? (int)reply.reason.aux : 0,
                 said ? reply.reason.u.text : "");
}

static void emit_body(struct http *h, const struct rx_event *in, struct rx_value body, int status)
{
    struct rx_heap *heap = rx_op_heap(&h->op);
    struct rx_event out = *in;
    out.value =
        h->into_key ? rx_object_with_take(heap, in->value, h->into_key, rx_value_ref(body)) : rx_value_ref(body);
    if (h->into_key && !rx_op_made(&h->op, in, &out.value))
        return;
    out.meta = rx_value_ref(in->meta);
    if (status) {
        struct rx_object_builder meta;
        rx_object_init_from(&meta, heap, in->meta);
        rx_object_put_key_take(&meta, rx_key_known(heap, RX_KEY_STATUS), rx_int(status));
        rx_value_unref(out.meta);
        out.meta = rx_object_finish(&meta);
    }
    rx_count(&h->op, RX_USED, 1);
    rx_emit(&h->op, &out, 1);
    rx_value_unref(out.value);
    rx_value_unref(out.meta);
}

void http_put_out_null(struct http *h, const struct rx_event *event) { emit_body(h, event, rx_null(), 0); }

void http_put_out(struct http *h, const struct rx_event *event, struct rx_value outcome)
{
    struct rx_reply reply;
    struct rx_error error;
    if (outcome.kind == RX_LIST && rx_reply_read(outcome, &reply) && http_is_good(&reply)) {
        emit_body(h, event, reply.body, reply.status);
        return;
    }
    blame(outcome, &error);
    if (rx_bad_event(&h->op, event, &error) == RX_USE_NULL)
        http_put_out_null(h, event);
}
