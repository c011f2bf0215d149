/* An event's URL, headers and body, by the templates of an http sink. */
#include "sinks/http_words.h"

#include <errno.h>
#include <string.h>

#include "core/io/client/client.h"

static int make_url(struct rx_http_words *w, const struct rx_event *event, struct rx_error *reterr)
{
    rx_buffer_clear(&w->url_text);
    int r = rx_shaper_url(w->url, &(struct rx_expr_env){.event = event}, &w->url_text, reterr);
    rx_buffer_append(&w->url_text, "", 1);
    if (r == 0 && w->url_text.failed)
        return -ENOMEM;
    return r < 0 ? r : rx_client_check_url(w->url_text.data, reterr);
}

static void add_text(struct rx_buffer *out, struct rx_value value)
{
    if (value.kind == RX_STRING || value.kind == RX_BYTES)
        rx_buffer_append(out, value.u.text, value.aux);
    else
        rx_json_write(out, value);
}

static int add_header(struct rx_buffer *out, struct rx_value name, struct rx_value text, struct rx_error *reterr)
{
    size_t start = out->length;
    add_text(out, name);
    rx_buffer_append(out, "", 1);
    size_t behind = out->length;
    add_text(out, text);
    rx_buffer_append(out, "", 1);
    if (out->failed)
        return -ENOMEM;
    if (strlen(out->data + start) + strlen(out->data + behind) + 2 != out->length - start)
        return rx_error_set(reterr, -EINVAL, "the header %.60s holds a NUL character", out->data + start);
    return rx_client_check_header(out->data + start, out->data + behind, reterr);
}

static int make_headers(struct rx_http_words *w, const struct rx_event *event, struct rx_error *reterr)
{
    struct rx_value headers;
    rx_buffer_clear(&w->header_texts);
    if (!w->headers)
        return 0;
    int r = rx_shaper_eval(w->headers, &(struct rx_expr_env){.event = event}, w->heap, &headers, reterr);
    if (r < 0)
        return r;
    bool object = headers.kind == RX_RECORD || headers.kind == RX_MAP;
    uint32_t count = object ? rx_object_count(headers) : 0;
    if (!object || count > RX_HTTP_HEADERS_MAX)
        r = rx_error_set(reterr, -EINVAL, "headers is a mapping of name to text, of %d at most", RX_HTTP_HEADERS_MAX);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        struct rx_value name, text;
        rx_object_entry(headers, i, &name, &text);
        r = add_header(&w->header_texts, name, text, reterr);
    }
    rx_value_unref(headers);
    return r;
}

static int make_body(struct rx_http_words *w, const struct rx_event *event, struct rx_error *reterr)
{
    struct rx_value value;
    rx_buffer_clear(&w->body_text);
    w->text = false;
    if (!w->payload)
        return rx_render_message(w->render, &w->body_text, event, reterr);
    int r = rx_shaper_eval(w->payload, &(struct rx_expr_env){.event = event}, w->heap, &value, reterr);
    if (r < 0)
        return r;
    w->text = value.kind == RX_STRING || value.kind == RX_BYTES;
    r = rx_render_shaped(w->render, &w->body_text, value, event, reterr);
    rx_value_unref(value);
    return r;
}

int rx_http_words_make(struct rx_http_words *w, const struct rx_event *event, struct rx_error *reterr)
{
    int r = make_url(w, event, reterr);
    if (r == 0)
        r = make_headers(w, event, reterr);
    if (r == 0)
        r = make_body(w, event, reterr);
    return r == 0 && w->body_text.failed ? -ENOMEM : r;
}

int rx_http_words_check(struct rx_http_words *w, struct rx_error *reterr)
{
    if (!w->headers || rx_shaper_expr_count(w->headers) > 0)
        return 0;
    return make_headers(w, &(struct rx_event){0}, reterr);
}

int rx_http_words_check_url(struct rx_shaper *url, struct rx_error *reterr)
{
    struct rx_buffer text = {0};
    if (rx_shaper_expr_count(url) > 0)
        return 0;
    int r = rx_shaper_url(url, &(struct rx_expr_env){0}, &text, reterr);
    rx_buffer_append(&text, "", 1);
    if (r == 0)
        r = text.failed ? -ENOMEM : rx_client_check_url(text.data, reterr);
    rx_buffer_finish(&text);
    return r;
}

void rx_http_words_finish(struct rx_http_words *w)
{
    rx_buffer_finish(&w->url_text);
    rx_buffer_finish(&w->header_texts);
    rx_buffer_finish(&w->body_text);
}
