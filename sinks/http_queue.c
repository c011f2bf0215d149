/* The queue of an http sink: batches off its front, and its state. */
#include "sinks/http_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

static struct rx_http_item *create(size_t url, size_t headers, size_t body)
{
    struct rx_http_item *item = malloc(sizeof *item + url + headers + body);
    if (item)
        *item = (struct rx_http_item){.url = url, .headers = headers, .body = body};
    return item;
}

static uint64_t size_of(const struct rx_http_item *item)
{
    return sizeof *item + item->url + item->headers + item->body;
}

static const char *body_of(const struct rx_http_item *item) { return item->bytes + item->url + item->headers; }

static void append(struct rx_http_queue *queue, struct rx_http_item *item)
{
    if (queue->last)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    queue->count++;
    queue->bytes += size_of(item);
}

static char *put(char *at, const char *bytes, size_t length)
{
    if (length)
        memcpy(at, bytes, length);
    return at + length;
}

int rx_http_queue_push(struct rx_http_queue *queue, rx_time at, const struct rx_http_words *words)
{
    struct rx_http_item *item = create(words->url_text.length, words->header_texts.length, words->body_text.length);
    if (!item)
        return -ENOMEM;
    item->at = at;
    item->text = words->text;
    char *to = put(item->bytes, words->url_text.data, item->url);
    to = put(to, words->header_texts.data, item->headers);
    put(to, words->body_text.data, item->body);
    append(queue, item);
    return 0;
}

void rx_http_queue_drop(struct rx_http_queue *queue, size_t count)
{
    for (; count > 0; count--) {
        struct rx_http_item *item = queue->first;
        queue->first = item->next;
        queue->count--;
        queue->bytes -= size_of(item);
        free(item);
    }
    if (!queue->first)
        queue->last = NULL;
}

void rx_http_queue_finish(struct rx_http_queue *queue) { rx_http_queue_drop(queue, queue->count); }

/* ---- batches ---- */

static bool goes_with(const struct rx_http_item *a, const struct rx_http_item *b)
{
    return a->url == b->url && a->headers == b->headers && memcmp(a->bytes, b->bytes, a->url + a->headers) == 0;
}

size_t rx_http_queue_batch(const struct rx_http_queue *queue, size_t count, uint64_t size, bool *ret_full)
{
    const struct rx_http_item *item = queue->first;
    uint64_t bytes = 0;
    size_t n = 0;
    for (; item && n < count; item = item->next, n++) {
        bytes += item->body;
        if (n > 0 && (bytes > size || !goes_with(queue->first, item)))
            break;
    }
    *ret_full = item || n == count || bytes >= size;
    return n;
}

/* A line is one event: a text may hold line breaks of its own. */
static void add_line(struct rx_buffer *out, const struct rx_http_item *item)
{
    size_t before = out->length;
    rx_buffer_append(out, body_of(item), item->body);
    for (size_t i = before; !out->failed && i < out->length; i++)
        if (out->data[i] == '\n')
            out->data[i] = ' ';
    rx_buffer_append(out, "\n", 1);
}

static void add_element(struct rx_buffer *out, const struct rx_http_item *item, bool first)
{
    rx_buffer_append(out, first ? "[" : ",", 1);
    if (item->text)
        rx_json_write_string(out, body_of(item), item->body);
    else
        rx_buffer_append(out, body_of(item), item->body);
}

void rx_http_queue_body(const struct rx_http_queue *queue, size_t count, enum rx_http_form form, struct rx_buffer *out)
{
    const struct rx_http_item *item = queue->first;
    for (size_t i = 0; i < count; i++, item = item->next)
        if (form == RX_HTTP_LINES)
            add_line(out, item);
        else
            add_element(out, item, i == 0);
    if (form == RX_HTTP_ARRAY)
        rx_buffer_append(out, "]", 1);
}

/* ---- state ---- */

void rx_http_queue_save(const struct rx_http_queue *queue, struct rx_writer *w)
{
    rx_write_uint(w, queue->count);
    for (const struct rx_http_item *item = queue->first; item; item = item->next) {
        rx_write_int(w, item->at);
        rx_write_bool(w, item->text);
        rx_write_text(w, item->bytes, item->url);
        rx_write_text(w, item->bytes + item->url, item->headers);
        rx_write_text(w, body_of(item), item->body);
    }
}

/* What is not as push makes it would be read beyond its end. */
static bool is_whole(const char *url, size_t url_length, const char *headers, size_t length)
{
    size_t texts = 0;
    for (size_t i = 0; i < length; i++)
        texts += !headers[i];
    return url_length > 0 && !url[url_length - 1] && texts % 2 == 0 && (length == 0 || !headers[length - 1]);
}

static int load_item(struct rx_http_queue *queue, struct rx_reader *r)
{
    size_t url = 0, headers = 0, body = 0;
    rx_time at = rx_read_int(r);
    bool text = rx_read_bool(r);
    const char *a = rx_read_text(r, &url), *b = rx_read_text(r, &headers), *c = rx_read_text(r, &body);
    if (rx_reader_failed(r) || !is_whole(a, url, b, headers))
        return -EBADMSG;
    struct rx_http_words words = {.url_text = {.data = (char *)(uintptr_t)a, .length = url},
                                  .header_texts = {.data = (char *)(uintptr_t)b, .length = headers},
                                  .body_text = {.data = (char *)(uintptr_t)c, .length = body},
                                  .text = text};
    return rx_http_queue_push(queue, at, &words);
}

int rx_http_queue_load(struct rx_http_queue *queue, struct rx_reader *r)
{
    int result = 0;
    for (uint64_t n = rx_read_uint(r); n > 0 && result == 0; n--)
        result = load_item(queue, r);
    return result == 0 && rx_reader_failed(r) ? -EBADMSG : result;
}
