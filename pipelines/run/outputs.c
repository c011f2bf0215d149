/* What streams put out in a run. */
#include "pipelines/run/outputs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 8;
    void *bigger = realloc(*array, more * size);
    if (!bigger)
        return false;
    *array = bigger;
    *capacity = more;
    return true;
}

int rx_outcome_add_take(struct rx_output_stream *stream, struct rx_outcome output)
{
    if (!grow((void **)&stream->items, &stream->capacity, stream->count, sizeof *stream->items)) {
        rx_value_unref(output.value);
        return -ENOMEM;
    }
    stream->items[stream->count++] = output;
    return 0;
}

void rx_output_stream_finish(struct rx_output_stream *stream)
{
    for (size_t i = 0; i < stream->count; i++)
        rx_value_unref(stream->items[i].value);
    free(stream->items);
    free(stream->name);
    *stream = (struct rx_output_stream){0};
}

void rx_outputs_finish(struct rx_outputs *o)
{
    for (size_t i = 0; i < o->count; i++)
        rx_output_stream_finish(&o->streams[i]);
    free(o->streams);
    *o = (struct rx_outputs){0};
}

static struct rx_output_stream *add_stream(struct rx_outputs *o, const char *name, size_t length)
{
    char *copy = strndup(name, length);
    if (!copy || !grow((void **)&o->streams, &o->capacity, o->count, sizeof *o->streams)) {
        free(copy);
        o->failed = -ENOMEM;
        return NULL;
    }
    o->streams[o->count] = (struct rx_output_stream){.name = copy};
    return &o->streams[o->count++];
}

static bool is_named(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && memcmp(name, text, length) == 0;
}

static struct rx_output_stream *find(struct rx_outputs *o, const char *name, size_t length)
{
    for (size_t i = 0; i < o->count; i++)
        if (is_named(o->streams[i].name, name, length))
            return &o->streams[i];
    return NULL;
}

struct rx_output_stream *rx_outputs_stream(struct rx_outputs *o, const char *name, bool add)
{
    struct rx_output_stream *found = find(o, name, strlen(name));
    return found || !add ? found : add_stream(o, name, strlen(name));
}

static bool is_kept(const struct rx_outputs *o, const struct rx_value *name)
{
    bool kept = name && name->kind == RX_STRING && !o->only;
    for (size_t i = 0; name && name->kind == RX_STRING && !kept && o->only[i]; i++)
        kept = is_named(o->only[i], name->u.text, name->aux);
    return kept;
}

static rx_time time_of(const struct rx_value *ms)
{
    if (ms && ms->kind == RX_INT)
        return ms->u.i * RX_MSEC;
    return ms && ms->kind == RX_DOUBLE ? (rx_time)llround(ms->u.d * (double)RX_MSEC) : 0;
}

static struct rx_outcome output_of(struct rx_value line)
{
    const struct rx_value *next = rx_object_get_text(line, "next"), *error = rx_object_get_text(line, "error");
    const struct rx_value *value = next ? next : error;
    return (struct rx_outcome){.at = time_of(rx_object_get_text(line, "at")),
                               .kind = next    ? RX_NEXT
                                       : error ? RX_ERROR
                                               : RX_COMPLETE,
                               .value = value ? rx_value_ref(*value) : rx_null()};
}

static void keep(struct rx_outputs *o, struct rx_value line)
{
    const struct rx_value *name = rx_object_get_text(line, "stream");
    if (!is_kept(o, name))
        return;
    struct rx_output_stream *stream = find(o, name->u.text, name->aux);
    if (!stream)
        stream = add_stream(o, name->u.text, name->aux);
    if (o->total == RX_OUTPUTS_MAX)
        o->failed = -E2BIG;
    else if (stream && rx_outcome_add_take(stream, output_of(line)) < 0)
        o->failed = -ENOMEM;
    o->total++;
}

void rx_outputs_take_line(void *arg, const char *text, size_t length)
{
    struct rx_outputs *o = arg;
    struct rx_value line;
    if (o->failed)
        return;
    int r = rx_json_decode(o->heap, NULL, NULL, text, length, &line, NULL);
    if (r < 0) {
        o->failed = r;
        return;
    }
    keep(o, line);
    rx_value_unref(line);
}

int rx_outputs_verdict(const struct rx_outputs *o, struct rx_error *reterr)
{
    if (o->failed == -E2BIG)
        return rx_error_set(reterr, -E2BIG, "over %d outputs are too many to compare", RX_OUTPUTS_MAX);
    return o->failed
               ? rx_error_set(reterr, o->failed, "%s", o->failed == -ENOMEM ? "out of memory" : strerror(-o->failed))
               : 0;
}
