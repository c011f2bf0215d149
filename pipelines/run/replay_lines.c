/* The lines that a replay writes. */
#include "pipelines/run/replay_lines.h"

#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

struct rx_replay_line {
    const char *stream;
    char *text;
    size_t length, order;
};

static int by_stream(const void *a, const void *b)
{
    const struct rx_replay_line *x = a, *y = b;
    int order = strcmp(x->stream, y->stream);
    return order ? order : x->order < y->order ? -1 : 1;
}

void rx_replay_lines_flush(struct rx_replay_lines *l)
{
    if (!l->count)
        return;
    qsort(l->lines, l->count, sizeof *l->lines, by_stream);
    for (size_t i = 0; i < l->count; i++) {
        l->write(l->arg, l->lines[i].text, l->lines[i].length);
        free(l->lines[i].text);
    }
    l->count = 0;
}

void rx_replay_write_ms(struct rx_buffer *b, rx_time t)
{
    if (t % RX_MSEC == 0)
        rx_buffer_printf(b, "%lld", (long long)(t / RX_MSEC));
    else
        rx_json_write(b, rx_double((double)t / (double)RX_MSEC));
}

struct rx_buffer *rx_replay_lines_begin(struct rx_replay_lines *l, rx_time now, const char *stream)
{
    if (now != l->at)
        rx_replay_lines_flush(l);
    l->at = now;
    l->begun++;
    l->stream = stream;
    rx_buffer_clear(&l->buffer);
    rx_buffer_text(&l->buffer, "{\"at\":");
    rx_replay_write_ms(&l->buffer, now);
    rx_buffer_text(&l->buffer, ",\"stream\":");
    rx_json_write_string(&l->buffer, stream, strlen(stream));
    return &l->buffer;
}

static bool grow(struct rx_replay_lines *l)
{
    size_t capacity = l->capacity ? l->capacity * 2 : 64;
    struct rx_replay_line *lines = realloc(l->lines, capacity * sizeof *lines);
    if (!lines)
        return false;
    l->lines = lines;
    l->capacity = capacity;
    return true;
}

void rx_replay_lines_end(struct rx_replay_lines *l)
{
    rx_buffer_text(&l->buffer, "}\n");
    char *text = l->buffer.failed ? NULL : malloc(l->buffer.length);
    if (!text || (l->count == l->capacity && !grow(l))) {
        free(text);
        l->failed = true;
        return;
    }
    memcpy(text, l->buffer.data, l->buffer.length);
    l->lines[l->count] =
        (struct rx_replay_line){.stream = l->stream, .text = text, .length = l->buffer.length, .order = l->count};
    l->count++;
}

void rx_replay_lines_finish(struct rx_replay_lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->lines[i].text);
    free(l->lines);
    rx_buffer_finish(&l->buffer);
}
