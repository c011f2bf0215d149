// layer: core
/* Server-Sent Events whole, in pieces, and saved and loaded between two pieces: the same events, id and pause come of them, and
 * nothing is kept beyond its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/event_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_DATA = 64 };

struct seen {
    uint64_t hash;
    size_t events;
};

static uint64_t mix(uint64_t hash, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash * 31 + length;
}

static bool on_event(void *arg, const struct rx_event_stream_event *event)
{
    struct seen *seen = arg;
    if (event->length > MAX_DATA || event->type_length > RX_EVENT_TYPE_MAX || event->type_length == 0)
        abort();
    seen->hash = mix(mix(seen->hash + event->too_large, event->type, event->type_length), event->data, event->length);
    seen->events++;
    return true;
}

static void reload(struct rx_event_stream *s)
{
    struct rx_writer w = {0};
    rx_event_stream_save(s, &w);
    struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length};
    struct rx_event_stream loaded = {.max_data = MAX_DATA, .event = s->event, .arg = s->arg};
    if (rx_event_stream_load(&loaded, &r) < 0 || r.position != r.length)
        abort();
    rx_event_stream_finish(s);
    *s = loaded;
    rx_buffer_finish(&w.buffer);
}

static struct seen read_all(const uint8_t *data, size_t size, size_t piece, bool reloads)
{
    struct seen seen = {0};
    struct rx_event_stream s = {.max_data = MAX_DATA, .event = on_event, .arg = &seen};
    for (size_t at = 0; at < size; at += piece) {
        if (rx_event_stream_feed(&s, (const char *)data + at, size - at < piece ? size - at : piece) < 0)
            abort();
        if (s.line.length > MAX_DATA + 64 || s.data.length > MAX_DATA + 1 || s.id.length > RX_EVENT_ID_MAX)
            abort();
        if (reloads && at / piece % 16 == 0)
            reload(&s);
    }
    seen.hash = mix(seen.hash, s.id.data, s.id.length) + (uint64_t)s.retry;
    rx_event_stream_finish(&s);
    return seen;
}

static void load_garbage(const uint8_t *data, size_t size)
{
    struct rx_reader r = {.data = data, .length = size};
    struct rx_event_stream s = {.max_data = MAX_DATA};
    rx_event_stream_load(&s, &r);
    rx_event_stream_finish(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = read_all(data, size, size ? size : 1, false), pieces = read_all(data, size, 1 + size % 7, true);
    if (whole.events != pieces.events || whole.hash != pieces.hash)
        abort();
    load_garbage(data, size);
    return 0;
}
