/* Users' tests: what went to error streams that nothing is expected of. */
#include "pipelines/run/test_losses.h"

#include <string.h>

enum { NAME_WITHIN = 300, SHOWN_MAX = 160 }; /* bytes: where a line's stream is named; of an event */

/* Whether a line may be one of an error stream: it is decoded only then. */
static bool may_be_error(const char *line, size_t length)
{
    size_t n = length < NAME_WITHIN ? length : NAME_WITHIN;
    return memmem(line, n, ".errors\"", 8) || memmem(line, n, ".late\"", 6);
}

static void take_first(struct test_losses *l, struct rx_value line)
{
    const struct rx_value *name = rx_object_get_text(line, "stream"), *next = rx_object_get_text(line, "next");
    char text[NAME_WITHIN];
    if (!name || name->kind != RX_STRING || name->aux >= sizeof text || !next)
        return;
    memcpy(text, name->u.text, name->aux);
    text[name->aux] = '\0';
    struct rx_output_stream *stream = rx_outputs_stream(&l->firsts, text, true);
    if (stream && stream->count == 0)
        rx_outcome_add_take(stream, (struct rx_outcome){.kind = RX_NEXT, .value = rx_value_ref(*next)});
}

void test_losses_take(struct test_losses *l, const char *text, size_t length)
{
    struct rx_value line;
    if (!may_be_error(text, length) || rx_json_decode(l->heap, NULL, NULL, text, length, &line, NULL) < 0)
        return;
    take_first(l, line);
    rx_value_unref(line);
}

static void tell_text(struct rx_buffer *out, struct rx_value error, const char *key)
{
    const struct rx_value *text = rx_object_get_text(error, key);
    if (text && text->kind == RX_STRING)
        rx_buffer_printf(out, "%.*s: ", (int)text->aux, text->u.text);
}

void test_losses_tell(struct test_losses *l, const char *name, uint64_t n, struct rx_buffer *out)
{
    const struct rx_output_stream *stream = rx_outputs_stream(&l->firsts, name, false);
    rx_buffer_printf(out, "%llu %s to %s", (unsigned long long)n, n == 1 ? "event went" : "events went", name);
    if (stream && stream->count) {
        struct rx_value error = stream->items[0].value;
        const struct rx_value *event = rx_object_get_text(error, "event");
        rx_buffer_text(out, n == 1 ? ": " : ", the first: ");
        tell_text(out, error, "step");
        tell_text(out, error, "message");
        rx_json_write_cut(out, event ? *event : error, SHOWN_MAX);
    }
    rx_buffer_text(out, "\n");
}

void test_losses_finish(struct test_losses *l) { rx_outputs_finish(&l->firsts); }
